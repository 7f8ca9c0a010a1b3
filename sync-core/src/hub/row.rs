//! The rows of a hub's journal: its log, one row for each push.

use super::batch::{Batch, Logged};
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::context::Known;
use crate::model::digest::Digest;
use crate::model::stamp::{ClientId, Dot, Name};
use crate::records::Table;
use crate::seal;
use crate::store::{Position, StoreError};
use crate::transport::{Cursor, Epoch, Link};

/// One row of the journal.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The hub's clock when it was written.
    pub(super) at: u64,
    /// The end of the log before this row.
    pub(super) start: Cursor,
    /// The end of the log after it.
    pub(super) end: Cursor,
    pub(super) content: Content,
}

/// What a row holds.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// The first row: who the hub is. No entry.
    Named { name: String, space: String },
    /// What was accepted of one push, possibly nothing.
    Accepted(Accepted),
    /// A replica gave back what this hub had lost: one step of the log, that readers take as a snapshot.
    Joined(Joined),
}

/// The state that a replica's snapshot and the hub's own make together.
#[derive(Debug, Clone, Default)]
pub(super) struct Joined {
    /// On whose behalf it was given.
    pub(super) principal: Name,
    /// The table of the store's map that holds the records.
    pub(super) table: Table,
    /// What they contain.
    pub(super) vector: Vec<(ClientId, Known)>,
    /// Under which names intents were accepted that this hub no longer knew.
    pub(super) intents: Vec<(u128, Dot)>,
    /// Entries whose place in their client's sequence this hub no longer knew.
    pub(super) links: Vec<Link>,
    /// The greatest logical time that may be within.
    pub(super) greatest: u64,
}

/// What was accepted of one push.
#[derive(Debug, Clone, Default)]
pub(super) struct Accepted {
    /// On whose behalf it was pushed.
    pub(super) principal: Name,
    /// The clients that pushed, each with its attempt.
    pub(super) attempts: Vec<(ClientId, u64)>,
    pub(super) batch: Batch,
}

const NAMED: u8 = 0;
const ACCEPTED: u8 = 1;
const JOINED: u8 = 2;

impl Row {
    /// A row that goes on where the log ends, in this epoch.
    ///
    /// # Errors
    /// If what it accepts cannot be read.
    pub(super) fn new(at: u64, start: Cursor, epoch: Epoch, content: Content) -> Result<Self, StoreError> {
        let mut row = Self { at, start, end: start, content };
        if row.steps() > 0 {
            row.end.epoch = epoch;
        }
        row.end = row.cursor_at(row.steps())?;
        Ok(row)
    }

    /// What was accepted, if something was.
    pub(super) fn batch(&self) -> Option<&Batch> {
        match &self.content {
            Content::Accepted(accepted) => Some(&accepted.batch),
            Content::Named { .. } | Content::Joined(_) => None,
        }
    }

    /// The entries, read if nobody did before.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) fn entries(&self) -> Result<&[Logged], StoreError> {
        let Some(batch) = self.batch() else { return Ok(&[]) };
        batch.entries().map_err(|error| self.damaged(&error.to_string()))
    }

    pub(super) fn damaged(&self, message: &str) -> StoreError {
        let what = format!("the log's row behind entry {}", self.start.seq);
        StoreError::Damaged { what, message: message.to_owned() }
    }

    /// How many steps of the log it is: a joined snapshot is one.
    pub(super) fn steps(&self) -> u64 {
        match &self.content {
            Content::Named { .. } => 0,
            Content::Accepted(accepted) => accepted.batch.len(),
            Content::Joined(_) => 1,
        }
    }

    /// The number of its last step in the log.
    pub(super) fn last(&self) -> u64 {
        self.end.seq
    }

    /// The log's end after the first `count` steps of this row.
    ///
    /// # Errors
    /// If the entries cannot be read.
    pub(super) fn cursor_at(&self, count: u64) -> Result<Cursor, StoreError> {
        let digest = match &self.content {
            Content::Named { .. } => self.start.digest,
            Content::Joined(joined) if count > 0 => {
                self.start.digest.then(Digest(xxhash_rust::xxh3::xxh3_128(&joined.encode())))
            }
            Content::Joined(_) => self.start.digest,
            Content::Accepted(_) => {
                let taken = self.entries()?.iter().take(count as usize);
                taken.fold(self.start.digest, |digest, logged| digest.then(logged.hash))
            }
        };
        let epoch = if count == 0 { self.start.epoch } else { self.end.epoch };
        Ok(Cursor { seq: self.start.seq + count, digest, epoch })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::plain();
        w.u8(match self.content {
            Content::Named { .. } => NAMED,
            Content::Accepted(_) => ACCEPTED,
            Content::Joined(_) => JOINED,
        });
        w.u64(self.start.seq);
        w.u64(self.at);
        w.digest(self.start.digest);
        w.digest(self.end.digest);
        w.u64(self.start.epoch.0);
        w.u64(self.end.epoch.0);
        match &self.content {
            Content::Named { name, space } => {
                w.text(name);
                w.text(space);
            }
            Content::Accepted(accepted) => w.raw(&accepted.encode()),
            Content::Joined(joined) => w.raw(&joined.encode()),
        }
        w.finish()
    }

    /// Reads the row at this position of the journal.
    pub(super) fn open(position: Position, row: &[u8]) -> Result<Row, StoreError> {
        let place = position.to_be_bytes();
        let body = seal::open(&place, row)?;
        Self::decode(body).map_err(|error| seal::unreadable(&place, &error))
    }

    fn decode(body: &[u8]) -> codec::Result<Row> {
        let mut r = Reader::plain(body);
        let kind = r.u8()?;
        let (seq, at) = (r.u64()?, r.u64()?);
        let (before, digest) = (r.digest()?, r.digest()?);
        let start = Cursor { seq, digest: before, epoch: Epoch(r.u64()?) };
        let epoch = Epoch(r.u64()?);
        let content = match kind {
            NAMED => Content::Named { name: r.text()?.to_owned(), space: r.text()?.to_owned() },
            ACCEPTED => Content::Accepted(Accepted::decode(r.raw()?)?),
            JOINED => Content::Joined(Joined::decode(r.raw()?)?),
            _ => return Err(CodecError { expected: "a kind of row that this version knows" }),
        };
        r.finish()?;
        let mut row = Row { at, start, end: start, content };
        row.end = Cursor { seq: start.seq.saturating_add(row.steps()), digest, epoch };
        Ok(row)
    }

    /// Where the log ended before the row at this position, and when it was written, without reading the rest of it.
    pub(super) fn peek(position: Position, row: &[u8]) -> Result<(u64, u64), StoreError> {
        let place = position.to_be_bytes();
        let mut r = Reader::plain(seal::open(&place, row)?);
        let peeked = r.u8().and_then(|_| Ok((r.u64()?, r.u64()?)));
        peeked.map_err(|error| seal::unreadable(&place, &error))
    }
}

impl Accepted {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_table();
        w.name(&self.principal);
        w.list(&self.attempts, |w, (client, attempt)| {
            w.client(client);
            w.u64(*attempt);
        });
        self.batch.write(&mut w);
        w.finish()
    }

    fn decode(bytes: &[u8]) -> codec::Result<Self> {
        let mut r = Reader::with_table(bytes)?;
        let accepted = Self {
            principal: r.name()?,
            attempts: r.list(|r| Ok((r.client()?, r.u64()?)))?,
            batch: Batch::read(&mut r)?,
        };
        r.finish()?;
        Ok(accepted)
    }
}

impl Joined {
    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_table();
        w.name(&self.principal);
        w.u8(self.table.0);
        w.list(&self.vector, |w, (client, known)| {
            w.client(client);
            w.u64(known.n);
            w.digest(known.digest);
        });
        w.list(&self.intents, |w, (intent, dot)| {
            w.u128(*intent);
            w.dot(dot);
        });
        w.u64(self.greatest);
        w.list(&self.links, |w, link| {
            w.dot(&link.dot);
            w.digest(link.hash);
            w.digest(link.digest);
        });
        w.finish()
    }

    fn decode(bytes: &[u8]) -> codec::Result<Self> {
        let mut r = Reader::with_table(bytes)?;
        let joined = Self {
            principal: r.name()?,
            table: Table(r.u8()?),
            vector: r.list(|r| Ok((r.client()?, Known { n: r.u64()?, digest: r.digest()? })))?,
            intents: r.list(|r| Ok((r.u128()?, r.dot()?)))?,
            greatest: r.u64()?,
            links: r.list(|r| Ok(Link { dot: r.dot()?, hash: r.digest()?, digest: r.digest()? }))?,
        };
        r.finish()?;
        Ok(joined)
    }
}
