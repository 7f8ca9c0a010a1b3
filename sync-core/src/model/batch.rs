//! Batches: many entries in one compact form, the same in journals, in a hub's log and on the wire.
//!
//! What entries have in common stands in columns, one behind the other, so that what is alike stands together, for
//! whoever compresses it. What can be foreseen from the entries before takes next to nothing: that the same client goes
//! on, that a write replaces the last one of that field, or the create's, and stands on the create. Clients, keys,
//! names, and sets of fields that are written together stand once, in tables.
//!
//! ```text
//! version | count | length of each column | columns...
//! ```
//!
//! | column | for each entry, or each that has one |
//! |---|---|
//! | tables | names; clients; keys; shapes: the fields that an entry writes, with the kind of operation on each |
//! | heads | the action and what else there is: `columns::head` |
//! | clients | where it is not the next one of the client before: which, and how much its number jumps |
//! | times | the difference to the time of the entry before |
//! | keys | 0 for the next key of the table, or how many keys back |
//! | shapes | which shape |
//! | replaced | for each field: 0 nothing, 1 what is foreseen, 2 and more: so many dots less 2 |
//! | counts, dot clients, dot numbers | lists of dots that are not foreseen; numbers as the distance to the client's last one |
//! | groups | 0 the one of the entry before; else 1 + how far its first entry lies back, and how many there are |
//! | rare | what else there may be: `columns::rare` |
//! | operations | an addition's delta; how much a set gains and loses |
//! | intents | 16 bytes each |
//! | lengths, texts | values |

mod columns;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::Entries;
pub(super) use rows::{Body, Row, Rows};

use super::codec::{self, CodecError};
use super::context::Forked;
use super::entry::Entry;
use super::interner::At;

/// The form's version, its first byte.
const VERSION: u8 = 1;

/// The bits of an entry's head above its action's code.
mod head {
    /// It is the next entry of the client of the entry before.
    pub(super) const NEXT: u8 = 1 << 3;
    /// It stands on the one create on which the entity's entry before stood, or on none if it is one.
    pub(super) const SAME_CREATE: u8 = 1 << 4;
    /// Something [`rare`](super::rare) follows.
    pub(super) const RARE: u8 = 1 << 5;
    /// It is in a group.
    pub(super) const GROUP: u8 = 1 << 6;
    /// It has an intent.
    pub(super) const INTENT: u8 = 1 << 7;
}

/// The bits of what is rare.
mod rare {
    /// An author other than the dot's client.
    pub(super) const AUTHOR: u8 = 1;
    /// An id that a foreign client gave it.
    pub(super) const FOREIGN_ID: u8 = 1 << 1;
    /// Members that this version does not know.
    pub(super) const UNKNOWN: u8 = 1 << 2;
    /// It replaces something in other names than those of the fields that it writes: a list of its own.
    pub(super) const REPLACES: u8 = 1 << 3;
    /// It saw something and is no delete.
    pub(super) const SAW: u8 = 1 << 4;
}

/// Codes of the column of what is replaced.
mod replaced {
    pub(super) const NOTHING: u64 = 0;
    pub(super) const FORESEEN: u64 = 1;
    pub(super) const LISTED: u64 = 2;
}

/// What both sides know of an entity from the entries before: how what comes is foreseen.
#[derive(Default)]
struct Seen {
    /// The one create that was named last.
    create: Option<At>,
    /// The last write of each field.
    writes: smallvec::SmallVec<[(u32, At); 4]>,
}

impl Seen {
    /// What a write of this field replaces, most likely.
    fn foreseen(&self, field: u32) -> Option<At> {
        let written = self.writes.iter().find(|(of, _)| *of == field);
        written.map(|(_, at)| *at).or(self.create)
    }

    fn wrote(&mut self, field: u32, at: At) {
        match self.writes.iter_mut().find(|(of, _)| *of == field) {
            Some((_, last)) => *last = at,
            None => self.writes.push((field, at)),
        }
    }
}

/// Many entries in one compact form. `O(bytes)`.
pub fn encode_batch<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u8> {
    write::encode(entries)
}

/// Reads what [`encode_batch`] wrote, on whatever machine: every entry is one that JSON could carry as well.
///
/// `O(bytes)`, in memory too, whatever the bytes are.
///
/// # Errors
/// If the bytes are no batch, or an entry is not in its canonical form.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<Entry>, CodecError> {
    Entries::untrusted(bytes)?.all()
}

/// Reads a batch that this side wrote, back from where its checksum was seen to be right.
pub(crate) fn decode_trusted(bytes: &[u8]) -> codec::Result<Vec<Entry>> {
    Entries::trusted(bytes)?.all()
}

/// A batch that cannot be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes are no batch of canonical entries.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Two different entries have one name.
    #[error(transparent)]
    Forked(#[from] Forked),
}
