//! Text for people: widths, dates, names, counts.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sync_core::{ClientId, Value};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How wide what is printed may be.
pub(crate) const WIDTH: usize = 80;

/// On one line, and nothing in it that a terminal would obey: notes come from other people too.
pub(crate) fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect()
}

/// As [`plain`], but with its lines.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().map(plain)
}

/// How many columns it takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Cut to so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut cut = String::new();
    for c in text.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else {
            break;
        };
        left = rest;
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// Cut or filled up to so many columns.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let mut text = cut(text, columns);
    let missing = columns.saturating_sub(width(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// A time of the log, where this device is.
pub(crate) fn when(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    match time {
        Some(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        None => format!("{milliseconds} ms"),
    }
}

/// `1 change`, `2 changes`, `3 entries`.
pub(crate) fn count(n: u64, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if n == 1 => format!("1 {what}"),
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {what}s"),
    }
}

/// What people call a client: the name that it was given, or the beginning of its id.
pub(crate) fn called(client: &ClientId) -> String {
    let text = client.as_str();
    let is_random = |part: &str| part.len() == 32 && part.bytes().all(|b| b.is_ascii_hexdigit());
    match text.rsplit_once('-') {
        Some((name, random)) if is_random(random) => plain(name),
        _ if is_random(text) => text[..8].to_owned(),
        _ => cut(&plain(text), 20),
    }
}

/// A value, short.
pub(crate) fn value(value: &Value) -> String {
    let text = match value.as_string() {
        Some(text) => format!("“{}”", plain(&text)),
        None if value.is_null() => "nothing".to_owned(),
        None => plain(value.as_str()),
    };
    cut(&text, 44)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_filled_by_columns() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit("", 2), "  ");
        assert_eq!(cut("ab", 0), "…");
    }

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(plain("a\x1b[31mb\nc\r\u{9b}"), "a [31mb c  ");
    }

    #[test]
    fn clients_are_called_by_their_names() {
        let random = "0123456789abcdef0123456789abcdef";
        assert_eq!(called(&ClientId::new(format!("ana-{random}"))), "ana");
        assert_eq!(called(&ClientId::new(format!("my-phone-{random}"))), "my-phone");
        assert_eq!(called(&ClientId::new(random)), "01234567");
        assert_eq!(called(&ClientId::new("browser")), "browser");
        assert_eq!(called(&ClientId::new("é-x")), "é-x");
    }
}
