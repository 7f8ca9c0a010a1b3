//! The rows of a hub's journal: its log, one row for each push.

use std::sync::Arc;

use crate::model::batch::{decode_trusted, encode_batch};
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::entry::Entry;
use crate::model::stamp::{ClientId, Digest, Dot, Known, Name};
use crate::records::Table;
use crate::seal;
use crate::store::{Position, StoreError};
use crate::transport::{Cursor, Link};

/// One row of the journal.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The end of the log before this row.
    pub(super) start: Cursor,
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
    pub(super) entries: Vec<Logged>,
}

/// An entry as it was accepted.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    /// Without its intent: that travels up only.
    pub(super) entry: Arc<Entry>,
    pub(super) hash: Digest,
    pub(super) intent: Option<u128>,
}

const NAMED: u8 = 0;
const ACCEPTED: u8 = 1;
const JOINED: u8 = 2;

impl Row {
    pub(super) fn entries(&self) -> &[Logged] {
        match &self.content {
            Content::Accepted(accepted) => &accepted.entries,
            Content::Named { .. } | Content::Joined(_) => &[],
        }
    }

    /// How many steps of the log it is: a joined snapshot is one.
    pub(super) fn steps(&self) -> usize {
        match &self.content {
            Content::Joined(_) => 1,
            _ => self.entries().len(),
        }
    }

    /// The number of its last step in the log.
    pub(super) fn last(&self) -> u64 {
        self.start.seq + self.steps() as u64
    }

    /// The end of the log after this row.
    pub(super) fn end(&self) -> Cursor {
        match &self.content {
            Content::Joined(joined) => {
                let hash = Digest(xxhash_rust::xxh3::xxh3_128(&joined.encode()));
                Cursor { seq: self.start.seq + 1, digest: self.start.digest.then(hash) }
            }
            _ => self.cursor_at(self.entries().len()),
        }
    }

    /// The log's end after the first `count` entries of this row.
    pub(super) fn cursor_at(&self, count: usize) -> Cursor {
        let taken = self.entries().iter().take(count);
        let digest = taken.fold(self.start.digest, |digest, logged| digest.then(logged.hash));
        Cursor { seq: self.start.seq + count as u64, digest }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::plain();
        w.u8(match self.content {
            Content::Named { .. } => NAMED,
            Content::Accepted(_) => ACCEPTED,
            Content::Joined(_) => JOINED,
        });
        w.u64(self.start.seq);
        w.digest(self.start.digest);
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
        let start = Cursor { seq: r.u64()?, digest: r.digest()? };
        let content = match kind {
            NAMED => Content::Named { name: r.text()?.to_owned(), space: r.text()?.to_owned() },
            ACCEPTED => Content::Accepted(Accepted::decode(r.raw()?)?),
            JOINED => Content::Joined(Joined::decode(r.raw()?)?),
            _ => return Err(CodecError { expected: "a kind of row that this version knows" }),
        };
        r.finish()?;
        Ok(Row { start, content })
    }

    /// Where the log ended before the row at this position, without reading the rest of it.
    pub(super) fn peek(position: Position, row: &[u8]) -> Result<u64, StoreError> {
        let place = position.to_be_bytes();
        let mut r = Reader::plain(seal::open(&place, row)?);
        let seq = r.u8().and_then(|_| r.u64());
        seq.map_err(|error| seal::unreadable(&place, &error))
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
        w.raw(&encode_batch(self.entries.iter().map(|logged| &*logged.entry)));
        w.list(&self.entries, |w, logged| w.option(logged.intent.as_ref(), |w, intent| w.u128(*intent)));
        w.finish()
    }

    fn decode(bytes: &[u8]) -> codec::Result<Self> {
        let mut r = Reader::with_table(bytes)?;
        let (principal, attempts) = (r.name()?, r.list(|r| Ok((r.client()?, r.u64()?)))?);
        let entries = decode_trusted(r.raw()?)?;
        let intents = r.list(|r| r.option(Reader::u128))?;
        r.finish()?;
        if intents.len() != entries.len() {
            return Err(CodecError { expected: "as many intents as entries" });
        }
        let logged = entries.into_iter().zip(intents);
        let logged = logged.map(|(entry, intent)| Logged { hash: entry.hash(), entry: Arc::new(entry), intent });
        Ok(Self { principal, attempts, entries: logged.collect() })
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

impl Logged {
    /// About how many bytes it takes in memory and on the wire.
    pub(super) fn weight(&self) -> usize {
        let fields = self.entry.fields.iter().map(|(name, op)| name.len() + op_weight(op));
        let dots = self.entry.named().map(|dot| dot.client.as_str().len() + 20);
        256 + self.entry.key.id.len() + fields.sum::<usize>() + dots.sum::<usize>()
    }
}

fn op_weight(op: &crate::model::op::Op) -> usize {
    use crate::model::op::Op;
    match op {
        Op::Assign(v) | Op::First(v) | Op::Max(v) | Op::Min(v) | Op::Own { body: v, .. } => v.as_str().len() + 16,
        Op::Add(_) => 24,
        Op::Set { insert, remove } => {
            let elements = insert.iter().chain(remove.iter().map(|(element, _)| element));
            16 + elements.map(|v| v.as_str().len() + 16).sum::<usize>()
        }
    }
}
