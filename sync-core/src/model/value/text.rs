//! Canonical text: strings, and taking arrays and objects apart without parsing them again.
//!
//! Everything here reads text that is already canonical. It never panics on other text, but its answers mean
//! nothing then.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::error::ValueError;

/// Writes a string with its quotes: escaped only where JSON demands it.
pub(super) fn write_string(out: &mut String, text: &str) {
    if end_of_plain(text.as_bytes(), 0) == text.len() {
        out.reserve(text.len() + 2);
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).expect("every str has a JSON spelling"));
    }
}

/// The text that a string (with its quotes) stands for.
pub(super) fn unescape(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(quoted);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// Compares two strings (with their quotes) by the UTF-8 bytes that they stand for.
pub(super) fn compare_strings(a: &str, b: &str) -> Ordering {
    unescape(a).as_bytes().cmp(unescape(b).as_bytes())
}

/// Watches the keys of one object as they are written.
#[derive(Debug, Default)]
pub(super) struct Keys {
    last: Option<Range<usize>>,
    unsorted: bool,
}

impl Keys {
    /// Takes note of a key (with its quotes) at a place of the text.
    pub(super) fn note(&mut self, text: &str, key: Range<usize>) -> Result<(), ValueError> {
        if let Some(last) = self.last.replace(key.clone()) {
            match compare_strings(&text[last], &text[key.clone()]) {
                Ordering::Less => {}
                Ordering::Equal => return Err(duplicate(&text[key])),
                Ordering::Greater => self.unsorted = true,
            }
        }
        Ok(())
    }

    /// Sorts the object that starts at `start` and ends with the text, if it needs that.
    pub(super) fn close(&self, text: &mut String, start: usize) -> Result<(), ValueError> {
        if !self.unsorted {
            return Ok(());
        }
        let mut members: Vec<(&str, &str)> = members(&text[start..]).collect();
        members.sort_by(|a, b| compare_strings(a.0, b.0));
        // Equal spellings are equal keys, and equal keys have equal spellings.
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(duplicate(pair[0].0));
        }
        let sorted = join_members(members);
        text.truncate(start);
        text.push_str(&sorted);
        Ok(())
    }

    /// Whether a key came after a greater one.
    pub(super) fn are_unsorted(&self) -> bool {
        self.unsorted
    }
}

fn duplicate(quoted: &str) -> ValueError {
    ValueError::DuplicateKey { key: unescape(quoted).into_owned() }
}

/// An object's text from its members, in the order given.
pub(super) fn join_members<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (key, value) in members {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(key);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// The members of an object: key (with its quotes) and value.
pub(super) fn members(object: &str) -> impl Iterator<Item = (&str, &str)> {
    let body = inside(object, '{', '}');
    let mut at = 0;
    std::iter::from_fn(move || {
        let key = at;
        if key >= body.len() {
            return None;
        }
        let colon = end_of_value(body.as_bytes(), key);
        let value = (colon + 1).min(body.len());
        let end = end_of_value(body.as_bytes(), value);
        at = end + 1;
        Some((&body[key..colon], &body[value..end]))
    })
}

/// The elements of an array.
pub(super) fn elements(array: &str) -> impl Iterator<Item = &str> {
    let body = inside(array, '[', ']');
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        if start >= body.len() {
            return None;
        }
        let end = end_of_value(body.as_bytes(), start);
        at = end + 1;
        Some(&body[start..end])
    })
}

/// Where from `at` on the first byte stands that ends or escapes a string, or may not stand in one.
pub(super) fn end_of_plain(bytes: &[u8], mut at: usize) -> usize {
    let plain = |b: &u8| *b >= 0x20 && *b != b'"' && *b != b'\\';
    // All bytes of a piece are looked at, whatever was found, which is done many at a time.
    while let Some(piece) = bytes.get(at..).and_then(|rest| rest.first_chunk::<64>()) {
        if !piece.iter().fold(true, |all, b| all & plain(b)) {
            break;
        }
        at += 64;
    }
    // Eight bytes at a time: a byte of a word is 0 where the word less one borrows from its high bit (Mycroft 1987).
    const ONES: u64 = u64::MAX / 255;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & (ONES << 7);
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & (ONES << 7);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\'))) | control;
        if found != 0 {
            // The lowest mark is exact; what borrows may mark the bytes above it too.
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + bytes.get(at..).unwrap_or_default().iter().take_while(|b| plain(b)).count()
}

fn inside(text: &str, open: char, close: char) -> &str {
    text.strip_prefix(open).and_then(|t| t.strip_suffix(close)).unwrap_or("")
}

/// How deep arrays and objects nest.
pub(super) fn depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at) - 1,
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// Where the string that starts at `at` ends: just behind its closing quote.
fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut at = end_of_plain(bytes, at + 1);
    while at < bytes.len() {
        at = match bytes[at] {
            b'"' => return at + 1,
            b'\\' => end_of_plain(bytes, at + 2),
            _ => end_of_plain(bytes, at + 1),
        };
    }
    bytes.len()
}

fn end_of_value(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = end_of_string(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth <= 1 => return if depth == 0 { at } else { at + 1 },
            b']' | b'}' => depth -= 1,
            b',' | b':' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}
