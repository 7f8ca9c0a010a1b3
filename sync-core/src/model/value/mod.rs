//! Canonical values: JSON with one spelling, so that comparing is comparing bytes.
//!
//! - No white space; the keys of an object sorted by their UTF-8 bytes, each once.
//! - An integer literal keeps its digits (at most 39). A number with a fraction or an exponent is an `f64`, spelled
//!   by its shortest digits, and as an integer if it is one below 2^53: `1.0` and `1e0` are `1`. Both zeros with a
//!   minus sign are `-0.0`. NaN, infinities and `1e999` are errors.
//! - A string is escaped only where JSON demands it. Lone surrogates are errors.
//! - Arrays and objects nest at most [`MAX_DEPTH`] levels.

mod embed;
mod encode;
mod encode_items;
mod encode_key;
mod error;
#[cfg(test)]
mod laws;
mod number;
mod parse;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_types;
mod text;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use smol_str::SmolStr;

pub use error::ValueError;

/// How many arrays and objects may nest in each other.
pub const MAX_DEPTH: usize = 128;

/// A canonical JSON value: cheap to clone, and without an allocation up to 23 bytes.
///
/// Two values are equal exactly if their texts are. The order is total: by kind (null, bool, number, string, array,
/// object); numbers by what they are, exactly; strings by their UTF-8 bytes; arrays and objects by their texts.
///
/// ```
/// use sync_core::Value;
///
/// let value = Value::parse(r#"{ "b": 1.0, "a": "\u0041" }"#)?;
/// assert_eq!(value.as_str(), r#"{"a":"A","b":1}"#);
/// assert_eq!(value, Value::object([("b", Value::from(1_i64)), ("a", Value::from("A"))])?);
/// # Ok::<(), sync_core::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Value(SmolStr);

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

impl Value {
    /// Reads strict JSON.
    ///
    /// # Errors
    /// If the text is not one JSON value, or not one that the system carries.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        parse::parse(text, MAX_DEPTH)
    }

    /// Reads strict JSON that nests at most `max_depth` levels; never more than twice [`MAX_DEPTH`].
    ///
    /// # Errors
    /// As [`Value::parse`].
    pub fn parse_with_depth(text: &str, max_depth: usize) -> Result<Self, ValueError> {
        parse::parse(text, max_depth)
    }

    /// Reads strict JSON from bytes.
    ///
    /// # Errors
    /// As [`Value::parse`]; and if the bytes are not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| ValueError::Syntax { at: error.valid_up_to(), message: "the bytes are not UTF-8" })?;
        Self::parse(text)
    }

    /// Encodes any serializable value.
    ///
    /// # Errors
    /// If the type refuses, or holds what JSON cannot carry: NaN, infinities, maps with keys that are no strings or
    /// that are spelled alike, more than [`MAX_DEPTH`] levels.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, ValueError> {
        encode::encode(value).map(|(value, _)| value)
    }

    /// As [`Value::encode`]; and how many `Some`s in it are written as `null`, as `None` is.
    pub(crate) fn encode_counting<T: Serialize + ?Sized>(value: &T) -> Result<(Self, usize), ValueError> {
        encode::encode(value)
    }

    /// Decodes into a type.
    ///
    /// # Errors
    /// If the value does not fit the type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        let failed = |error: serde_json::Error| ValueError::Decode(error.to_string());
        match serde_json::from_str(&self.0) {
            // serde_json stops a level before ours. Our depth is bounded, so it may go on.
            Err(error) if error.is_syntax() && text::depth(&self.0) <= parse::HARD_LIMIT => {
                let mut deserializer = serde_json::Deserializer::from_str(&self.0);
                deserializer.disable_recursion_limit();
                let value = T::deserialize(&mut deserializer).map_err(failed)?;
                deserializer.end().map_err(failed)?;
                Ok(value)
            }
            other => other.map_err(failed),
        }
    }

    /// Text that is known to be canonical: it was read back from where a value was written, checksummed.
    pub(crate) fn from_canonical(text: impl Into<SmolStr>) -> Self {
        Self(text.into())
    }

    /// Writes a text as a value, canonically.
    pub(crate) fn write_text(out: &mut String, text: &str) {
        text::write_string(out, text);
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// An array of values.
    pub fn array(elements: impl IntoIterator<Item = Self>) -> Self {
        let mut out = String::from("[");
        for element in elements {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(element.as_str());
        }
        out.push(']');
        Self(out.into())
    }

    /// An object of members, in any order.
    ///
    /// # Errors
    /// [`ValueError::DuplicateKey`].
    pub fn object<K: AsRef<str>>(members: impl IntoIterator<Item = (K, Self)>) -> Result<Self, ValueError> {
        let mut members: Vec<(K, Self)> = members.into_iter().collect();
        members.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0.as_ref() == pair[1].0.as_ref()) {
            return Err(ValueError::DuplicateKey { key: pair[0].0.as_ref().to_owned() });
        }
        let mut out = String::from("{");
        for (key, value) in &members {
            if out.len() > 1 {
                out.push(',');
            }
            text::write_string(&mut out, key.as_ref());
            out.push(':');
            out.push_str(value.as_str());
        }
        out.push('}');
        Ok(Self(out.into()))
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// How deep arrays and objects nest in it: 0 for a scalar.
    pub fn depth(&self) -> usize {
        text::depth(&self.0)
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// The text that a string stands for.
    pub fn as_string(&self) -> Option<Cow<'_, str>> {
        Self::string_in(&self.0)
    }

    /// An integer that fits. A number that is spelled with a fraction or an exponent is none.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// An integer that fits. A number that is spelled with a fraction or an exponent is none.
    pub fn as_i128(&self) -> Option<i128> {
        self.0.parse().ok()
    }

    /// The elements of an array.
    pub fn array_elements(&self) -> Option<Vec<Self>> {
        Some(Self::elements_in(&self.0)?.map(Self::from_canonical).collect())
    }

    /// The members of an object, sorted by key.
    pub fn object_members(&self) -> Option<Vec<(String, Self)>> {
        let members = Self::members_in(&self.0)?;
        Some(members.map(|(key, value)| (key.into_owned(), Self::from_canonical(value))).collect())
    }

    /// The texts of an array's elements in canonical text.
    pub(crate) fn elements_in(text: &str) -> Option<impl Iterator<Item = &str>> {
        text.starts_with('[').then(|| text::elements(text))
    }

    /// The members of an object in canonical text.
    pub(crate) fn members_in(text: &str) -> Option<impl Iterator<Item = (Cow<'_, str>, &str)>> {
        text.starts_with('{').then(|| text::members(text).map(|(key, value)| (text::unescape(key), value)))
    }

    /// The members of an object in any JSON text: each with its key, and its value in canonical text. A key may stand
    /// there twice.
    pub(crate) fn scan_members(
        text: &str,
        max_depth: usize,
    ) -> Result<impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)>, ValueError> {
        let members = parse::members(text, max_depth)?;
        Ok(members.into_iter().map(|(key, value)| (unescape(key), value)))
    }

    /// What a string in canonical text stands for.
    pub(crate) fn string_in(text: &str) -> Option<Cow<'_, str>> {
        text.starts_with('"').then(|| text::unescape(text))
    }
}

fn unescape(quoted: Cow<'_, str>) -> Cow<'_, str> {
    match quoted {
        Cow::Borrowed(quoted) => text::unescape(quoted),
        Cow::Owned(quoted) => Cow::Owned(text::unescape(&quoted).into_owned()),
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        let (kind, a, b) = (self.kind(), self.as_str(), other.as_str());
        kind.cmp(&other.kind()).then_with(|| match kind {
            Kind::Number => number::compare(a, b),
            Kind::String => text::compare_strings(a, b),
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => a.cmp(b),
        })
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self(if value { "true" } else { "false" }.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self(value.to_string().into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self(value.to_string().into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        let mut out = String::new();
        text::write_string(&mut out, value);
        Self(out.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        value.as_str().into()
    }
}
