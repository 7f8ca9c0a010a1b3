//! What travels in a compact binary form, for two sides that agreed on it; JSON is the readable form.
//!
//! Every message begins with the form's version and its kind. Entries stand in batches, as
//! [`encode_batch`] writes them and journals keep them, without their intents:
//! those travel up only, beside the batch. So a hub can keep a batch as it arrived, and serve it as it was kept.
//!
//! Whatever the bytes are, reading them gives a message or an error, and takes memory in proportion to them.

mod page;
mod push;
mod snapshot;

pub use page::{PackedPage, read_page};
pub use push::{Pushed, push, read_push, read_reply, reply};
pub use snapshot::{read_snapshot, snapshot};

use std::borrow::Cow;

use crate::model::batch::{Entries, encode_batch};
use crate::model::codec::{CodecError, Reader, Result, Writer};
use crate::model::entry::Entry;

/// The version of the form.
const VERSION: u8 = 1;

/// What a message is.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Push = 1,
    Reply = 2,
    Page = 3,
    Snapshot = 4,
}

/// Why bytes are not taken as a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// They are none.
    #[error("this is no message in the compact form")]
    Malformed(#[from] CodecError),
    /// They say that there is more in them than is allowed.
    #[error("there are {count} entries; {most} are allowed at a time")]
    TooMany {
        /// How many there are.
        count: u64,
        /// How many are allowed.
        most: u64,
    },
}

fn begin(kind: Kind) -> Writer {
    let mut w = Writer::plain();
    w.u8(VERSION);
    w.u8(kind as u8);
    w
}

fn open(bytes: &[u8], kind: Kind) -> Result<Reader<'_>> {
    let mut r = Reader::plain(bytes);
    if r.u8()? != VERSION {
        return Err(CodecError { expected: "a version of the compact form that is known here" });
    }
    if r.u8()? != kind as u8 {
        return Err(CodecError { expected: "another kind of message" });
    }
    Ok(r)
}

/// A batch of these entries, without their intents.
pub(crate) fn pack<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u8> {
    let bare: Vec<Cow<'_, Entry>> = entries
        .map(|entry| match entry.intent {
            None => Cow::Borrowed(entry),
            Some(_) => Cow::Owned(Entry { intent: None, ..entry.clone() }),
        })
        .collect();
    encode_batch(bare.iter().map(|entry| &**entry))
}

/// Adds the entries of a batch, of which so many are expected. None carries its intent in it.
pub(crate) fn unpack<E: From<Entry>>(bytes: &[u8], count: u64, all: &mut Vec<E>) -> Result<()> {
    let entries = Entries::untrusted(bytes)?;
    // It is not read before that is seen: entries take a lot more in memory than in a batch.
    if entries.left() as u64 != count {
        return Err(CodecError { expected: "a batch of as many entries as was said" });
    }
    for entry in entries {
        let entry = entry?;
        if entry.intent.is_some() {
            return Err(CodecError { expected: "a batch without intents" });
        }
        all.push(entry.into());
    }
    Ok(())
}
