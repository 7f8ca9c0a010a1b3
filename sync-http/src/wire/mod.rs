//! The protocol's JSON, without any I/O: what travels, written and read.
//!
//! Every message of [`sync_core::transport`] has a function that writes it and one that reads it. The entries
//! themselves are written and read by `sync-core`, so that the log, the wire and the command line spell them alike.
//! Pushes, pages and snapshots travel in `sync-core`'s compact form as well, where both sides name it: [`media`].

pub mod actions;
pub mod article;
mod bounded;
pub mod hello;
pub mod media;
pub mod page;
pub mod problem;
pub mod query;
pub mod snapshot;
pub mod sse;

use sync_core::transport::{Epoch, compact};
use sync_core::{Cursor, Digest, in_full};

/// The request header that says which version of the protocol is spoken. A request without it speaks the
/// [article's dialect](article).
pub const PROTOCOL_HEADER: &str = "sync-protocol";

/// The version that this crate speaks.
pub const PROTOCOL: u32 = 1;

/// What is said to whoever speaks version 1 without saying so.
pub(crate) const HEADER_IS_MISSING: &str = "the request came without the header `Sync-Protocol: 1`, which version 1 \
    sends: if this device sent it, have what is before the hub, such as a proxy, pass it on";

/// How much deeper an action nests than the value of a field: the action, its payload, an operation, and its elements.
const ACTION_DEPTH: usize = 4;

/// The bytes are not the message that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreadable {
    code: &'static str,
    /// What is wrong, and where.
    pub message: String,
}

impl Unreadable {
    /// A stable name for programs: `malformed`, or `too_large` where the message is over a limit.
    pub fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: "malformed", message: message.into() }
    }

    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self { code: "too_large", message: message.into() }
    }
}

impl From<compact::Refused> for Unreadable {
    fn from(refused: compact::Refused) -> Self {
        match refused {
            compact::Refused::TooMany { .. } => Self::too_large(refused.to_string()),
            refused => Self::new(in_full(&refused)),
        }
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// A cursor in JSON, and the parts of one in a query.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct CursorJson {
    seq: u64,
    digest: Hex,
    #[serde(default)]
    epoch: EpochJson,
}

impl From<Cursor> for CursorJson {
    fn from(cursor: Cursor) -> Self {
        Self { seq: cursor.seq, digest: Hex(cursor.digest.0), epoch: EpochJson(cursor.epoch) }
    }
}

impl From<CursorJson> for Cursor {
    fn from(cursor: CursorJson) -> Self {
        Self { seq: cursor.seq, digest: Digest(cursor.digest.0), epoch: cursor.epoch.0 }
    }
}

/// A hub's epoch as 16 hex digits.
#[derive(Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct EpochJson(pub(crate) Epoch);

impl EpochJson {
    pub(crate) fn parse(text: &str) -> Result<Self, Unreadable> {
        text.parse().map(Self).map_err(|_| Unreadable::new("an epoch is 16 hex digits"))
    }
}

impl From<EpochJson> for String {
    fn from(epoch: EpochJson) -> Self {
        epoch.0.to_string()
    }
}

impl TryFrom<String> for EpochJson {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        Self::parse(&text)
    }
}

/// 128 bits as 32 hex digits: digests and intents.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Hex(pub(crate) u128);

impl Hex {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let bits = digits.then(|| u128::from_str_radix(text, 16).ok());
        bits.flatten().map(Self)
    }
}

impl From<Hex> for String {
    fn from(hex: Hex) -> Self {
        format!("{:032x}", hex.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = Unreadable;
    fn try_from(text: String) -> Result<Self, Unreadable> {
        Self::parse(&text).ok_or_else(|| Unreadable::new("a digest or intent is 32 hex digits"))
    }
}

/// Writes a message whose parts cannot fail to be written: texts, numbers, lists and objects of them.
fn to_json(message: &impl serde::Serialize) -> String {
    serde_json::to_string(message).expect("texts and numbers can always be written")
}
