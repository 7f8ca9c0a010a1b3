//! `localeCompare`, as far as it matters: letters before case, case before nothing, and a locale's own alphabet.

use std::cmp::Ordering;

/// Whose alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locale {
    /// ä is a kind of a.
    German,
    /// ä comes after z.
    Swedish,
}

/// Compares as JavaScript's `localeCompare` does under a locale.
pub fn locale_compare(a: &str, b: &str, locale: Locale) -> Ordering {
    let letters = |text: &str| text.chars().map(|c| letter(c, locale)).collect::<Vec<_>>();
    let accents = |text: &str| text.chars().map(|c| !c.is_ascii()).collect::<Vec<_>>();
    // Small letters come first where nothing else differs.
    let cases = |text: &str| text.chars().map(char::is_uppercase).collect::<Vec<_>>();
    letters(a).cmp(&letters(b)).then(accents(a).cmp(&accents(b))).then(cases(a).cmp(&cases(b)))
}

fn letter(c: char, locale: Locale) -> (u8, u32) {
    let c = c.to_lowercase().next().unwrap_or(c);
    let base = match (c, locale) {
        ('ä' | 'å', Locale::German) => 'a',
        ('ö', Locale::German) => 'o',
        ('å', Locale::Swedish) => return (3, 0),
        ('ä', Locale::Swedish) => return (3, 1),
        ('ö', Locale::Swedish) => return (3, 2),
        (c, _) => c,
    };
    // Signs, then digits, then letters.
    let class = if base.is_alphabetic() { 2 } else { u8::from(base.is_numeric()) };
    (class, base.into())
}
