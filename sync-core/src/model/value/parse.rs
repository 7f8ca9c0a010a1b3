//! Reading strict JSON into canonical text.

use std::borrow::Cow;

use smol_str::SmolStr;

use super::error::ValueError;
use super::text::{Keys, end_of_plain, write_string};
use super::{Value, number};

/// No nesting is taken that is deeper than this, whatever the caller asks for: it bounds the stack.
pub(super) const HARD_LIMIT: usize = 2 * super::MAX_DEPTH;

/// Reads one JSON value.
pub(super) fn parse(text: &str, max_depth: usize) -> Result<Value, ValueError> {
    let max = max_depth.min(HARD_LIMIT);
    let mut scanner = Scanner { input: text, at: 0, out: None, max };
    scanner.space();
    scanner.value(0)?;
    scanner.space();
    if scanner.at < text.len() {
        return scanner.fail("text follows the value");
    }
    Ok(Value(scanner.out.map_or_else(|| SmolStr::from(text), SmolStr::from)))
}

/// A member of an object, its key and its value: canonical, as it stands where it stood so.
pub(super) type Member<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Reads the members of one JSON object, in the order in which they stand. One key may stand there twice.
pub(super) fn members(text: &str, max_depth: usize) -> Result<Vec<Member<'_>>, ValueError> {
    let max = max_depth.min(HARD_LIMIT);
    let syntax = |at, message| Err(ValueError::Syntax { at, message });
    let next = |at: usize| skip_space(text.as_bytes(), at);
    let mut members = Vec::with_capacity(16);
    let mut at = next(0);
    if text.as_bytes().get(at) != Some(&b'{') {
        return syntax(at, "an object is expected");
    }
    at = next(at + 1);
    let mut is_open = text.as_bytes().get(at) != Some(&b'}');
    while is_open {
        if text.as_bytes().get(at) != Some(&b'"') {
            return syntax(at, "a key in quotes is expected");
        }
        let (key, end) = part(text, at, max, Scanner::string)?;
        at = next(end);
        if text.as_bytes().get(at) != Some(&b':') {
            return syntax(at, "a colon is expected");
        }
        let (value, end) = part(text, next(at + 1), max, |scanner| scanner.value(1))?;
        members.push((key, value));
        at = next(end);
        is_open = match text.as_bytes().get(at) {
            Some(b',') => true,
            Some(b'}') => false,
            _ => return syntax(at, "a comma or } is expected"),
        };
        at = if is_open { next(at + 1) } else { at };
    }
    at = next(at + 1);
    if at < text.len() { syntax(at, "text follows the value") } else { Ok(members) }
}

/// Reads a part of a text: its canonical form, and where it ends.
fn part<'a>(
    text: &'a str,
    start: usize,
    max: usize,
    read: impl FnOnce(&mut Scanner<'a>) -> Result<(), ValueError>,
) -> Result<(Cow<'a, str>, usize), ValueError> {
    let mut scanner = Scanner { input: &text[start..], at: 0, out: None, max };
    read(&mut scanner).map_err(|error| match error {
        ValueError::Syntax { at, message } => ValueError::Syntax { at: start + at, message },
        other => other,
    })?;
    let end = start + scanner.at;
    Ok((scanner.out.map_or_else(|| Cow::Borrowed(&text[start..end]), Cow::Owned), end))
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// Reads the input once. As long as all of it was canonical, `out` stays empty and the input is the result.
struct Scanner<'a> {
    input: &'a str,
    at: usize,
    out: Option<String>,
    max: usize,
}

impl Scanner<'_> {
    fn fail<T>(&self, message: &'static str) -> Result<T, ValueError> {
        Err(ValueError::Syntax { at: self.at, message })
    }

    fn peek(&self) -> Option<u8> {
        self.input.as_bytes().get(self.at).copied()
    }

    /// The canonical text of what was read.
    fn written(&self) -> &str {
        self.out.as_deref().unwrap_or(&self.input[..self.at])
    }

    /// The canonical text of what was read, to change it.
    fn rewrite(&mut self) -> &mut String {
        let (input, at) = (self.input, self.at);
        self.out.get_or_insert_with(|| {
            let mut out = String::with_capacity(input.len());
            out.push_str(&input[..at]);
            out
        })
    }

    /// Takes the input up to `end` as it is.
    fn keep(&mut self, end: usize) {
        if let Some(out) = &mut self.out {
            out.push_str(&self.input[self.at..end]);
        }
        self.at = end;
    }

    /// Takes the input up to `end`, spelled anew.
    fn replace(&mut self, end: usize, spelling: &str) {
        if &self.input[self.at..end] == spelling {
            return self.keep(end);
        }
        self.rewrite().push_str(spelling);
        self.at = end;
    }

    fn space(&mut self) {
        let end = skip_space(self.input.as_bytes(), self.at);
        if end > self.at {
            self.replace(end, "");
        }
    }

    /// Reads a value inside of `depth` arrays and objects.
    fn value(&mut self, depth: usize) -> Result<(), ValueError> {
        match self.peek() {
            Some(b'n') => self.word("null"),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'[') => self.array(depth + 1),
            Some(b'{') => self.object(depth + 1),
            Some(_) => self.fail("a value is expected"),
            None => self.fail("the text ends too early"),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), ValueError> {
        if !self.input[self.at..].starts_with(word) {
            return self.fail("a value is expected");
        }
        self.keep(self.at + word.len());
        Ok(())
    }

    fn number(&mut self) -> Result<(), ValueError> {
        let input = self.input;
        let (end, integer) =
            number::scan(input.as_bytes(), self.at).map_err(|(at, message)| ValueError::Syntax { at, message })?;
        let spelling = number::canonical(&input[self.at..end], integer)?;
        self.replace(end, &spelling);
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), ValueError> {
        self.enter(depth)?;
        if self.peek() == Some(b']') {
            self.keep(self.at + 1);
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if !self.more(b']', "a comma or ] is expected")? {
                return Ok(());
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), ValueError> {
        let start = self.written().len();
        self.enter(depth)?;
        if self.peek() == Some(b'}') {
            self.keep(self.at + 1);
            return Ok(());
        }
        let mut keys = Keys::default();
        loop {
            if self.peek() != Some(b'"') {
                return self.fail("a key in quotes is expected");
            }
            let key = self.written().len();
            self.string()?;
            keys.note(self.written(), key..self.written().len())?;
            self.space();
            if self.peek() != Some(b':') {
                return self.fail("a colon is expected");
            }
            self.keep(self.at + 1);
            self.space();
            self.value(depth)?;
            if !self.more(b'}', "a comma or } is expected")? {
                break;
            }
        }
        if keys.are_unsorted() {
            keys.close(self.rewrite(), start)?;
        }
        Ok(())
    }

    /// Takes an opening bracket.
    fn enter(&mut self, depth: usize) -> Result<(), ValueError> {
        if depth > self.max {
            return Err(ValueError::TooDeep { max: self.max });
        }
        self.keep(self.at + 1);
        self.space();
        Ok(())
    }

    /// Takes a comma, or the closing bracket; says whether another item follows.
    fn more(&mut self, close: u8, message: &'static str) -> Result<bool, ValueError> {
        self.space();
        let next = self.peek();
        if next != Some(b',') && next != Some(close) {
            return self.fail(message);
        }
        self.keep(self.at + 1);
        if next == Some(close) {
            return Ok(false);
        }
        self.space();
        Ok(true)
    }

    fn string(&mut self) -> Result<(), ValueError> {
        let input = self.input;
        let bytes = input.as_bytes();
        let mut end = self.at + 1;
        let mut escaped = false;
        loop {
            end = end_of_plain(bytes, end);
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += escape(bytes, end)?;
                }
                Some(_) => {
                    return Err(ValueError::Syntax { at: end, message: "a control character must be escaped" });
                }
                None => {
                    return Err(ValueError::Syntax { at: end, message: "a string has no end" });
                }
            }
        }
        end += 1;
        if !escaped {
            self.keep(end);
            return Ok(());
        }
        let at = self.at;
        let text: String = serde_json::from_str(&input[at..end])
            .map_err(|_| ValueError::Syntax { at, message: "a string is malformed" })?;
        let mut spelling = String::with_capacity(end - at);
        write_string(&mut spelling, &text);
        self.replace(end, &spelling);
        Ok(())
    }
}

/// The length of the escape at a backslash; a pair of surrogates is one escape.
fn escape(bytes: &[u8], at: usize) -> Result<usize, ValueError> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
        Some(b'u') => match hex(bytes, at + 2)? {
            0xD800..=0xDBFF => {
                let second = bytes.get(at + 6..at + 8) == Some(b"\\u");
                if second && matches!(hex(bytes, at + 8)?, 0xDC00..=0xDFFF) {
                    Ok(12)
                } else {
                    Err(ValueError::Surrogate)
                }
            }
            0xDC00..=0xDFFF => Err(ValueError::Surrogate),
            _ => Ok(6),
        },
        _ => Err(ValueError::Syntax { at, message: "there is no such escape" }),
    }
}

fn hex(bytes: &[u8], at: usize) -> Result<u32, ValueError> {
    let digits = bytes
        .get(at..at + 4)
        .and_then(|digits| digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?)));
    digits.ok_or(ValueError::Syntax { at, message: "an escape needs four hexadecimal digits" })
}
