//! The readable form of an entry: "action" on the wire, one line in `log`.

mod read;
mod write;

use super::entry::Entry;
use super::value::ValueError;

/// How many levels an entry's JSON is deeper than the values in it: the action, its payload, an operation, its
/// elements.
pub const ENVELOPE_DEPTH: usize = 4;

/// An entry that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// The member or field at fault, if one is.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

impl Malformed {
    fn member(name: &str, message: impl Into<String>) -> Self {
        Self { field: Some(name.to_owned()), message: format!("`{name}` {}", message.into()) }
    }
}

/// A text that is the JSON of no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoEntry {
    /// It is no JSON, or none that the system carries.
    #[error(transparent)]
    Json(#[from] ValueError),
    /// It is no entry.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// An entry as it was read from JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The entry. Without a number its dot means nothing.
    pub entry: Entry,
    /// Whether it has a number: its client's own, or one that a hub gave it.
    pub numbered: bool,
    /// Its place in a space's log, where it came from there.
    pub seq: Option<u64>,
}
