//! What the checkpoint knows of single entries and clients: the places of its rows, and their contents.

use crate::model::codec::{self, Reader, Writer};
use crate::model::stamp::{ClientId, Digest, Dot, Known, Name};
use crate::records::Table;
use crate::seal;
use crate::store::{Position, Store, StoreError};
use crate::transport::Cursor;

/// Where an accepted entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) hash: Digest,
    /// The digest of its client's entries up to it.
    pub(super) running: Digest,
}

/// Under which dot an intent was accepted, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intended {
    pub(super) dot: Dot,
    pub(super) seq: u64,
}

/// What was accepted under a foreign client's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) seq: u64,
    /// Of what the client sent.
    pub(super) content: Digest,
}

/// What is known of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) known: Known,
    /// The greatest attempt seen.
    pub(super) attempt: u64,
    /// Whose client it is: its first push says so for ever.
    pub(super) principal: Option<Name>,
    /// Whether a hub issued its entries, for clients that do not number theirs.
    pub(super) is_hub: bool,
}

/// The checkpoint's own row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) space: String,
    pub(super) covers: Position,
    pub(super) head: Cursor,
    /// The greatest accepted logical time.
    pub(super) greatest: u64,
    /// The table that holds the records.
    pub(super) table: Table,
    /// Where in the log the last snapshot was joined; readers who are behind take the state instead of the log.
    pub(super) joined: u64,
}

pub(super) const META: &[u8] = b"m";
const CLIENT: u8 = b'c';
const DOT: u8 = b'd';
const INTENT: u8 = b'i';
const FOREIGN: u8 = b'f';

/// A row of the map, sealed.
pub(super) type MapRow = (Vec<u8>, Vec<u8>);

fn sealed(place: Vec<u8>, w: Writer) -> MapRow {
    let row = seal::seal(&place, &w.finish());
    (place, row)
}

fn read<T>(place: &[u8], row: &[u8], parse: impl FnOnce(&mut Reader<'_>) -> codec::Result<T>) -> Result<T, StoreError> {
    let mut r = Reader::plain(seal::open(place, row)?);
    let parsed = parse(&mut r).and_then(|parsed| r.finish().map(|()| parsed));
    parsed.map_err(|error| seal::unreadable(place, &error))
}

fn load<T>(
    store: &dyn Store,
    place: &[u8],
    parse: impl FnOnce(&mut Reader<'_>) -> codec::Result<T>,
) -> Result<Option<T>, StoreError> {
    let row = store.get(place)?;
    row.map(|row| read(place, &row, parse)).transpose()
}

impl Place {
    pub(super) fn place(dot: &Dot) -> Vec<u8> {
        // No client id has control characters: the zero byte ends it.
        let mut place = vec![DOT];
        place.extend_from_slice(dot.client.as_str().as_bytes());
        place.push(0);
        place.extend_from_slice(&dot.n.to_be_bytes());
        place
    }

    pub(super) fn row(&self, dot: &Dot) -> MapRow {
        let mut w = Writer::plain();
        w.u64(self.seq);
        w.digest(self.hash);
        w.digest(self.running);
        sealed(Self::place(dot), w)
    }

    pub(super) fn load(store: &dyn Store, dot: &Dot) -> Result<Option<Self>, StoreError> {
        let parse = |r: &mut Reader<'_>| Ok(Self { seq: r.u64()?, hash: r.digest()?, running: r.digest()? });
        load(store, &Self::place(dot), parse)
    }
}

impl Intended {
    pub(super) fn place(intent: u128) -> Vec<u8> {
        let mut place = vec![INTENT];
        place.extend_from_slice(&intent.to_be_bytes());
        place
    }

    pub(super) fn row(&self, intent: u128) -> MapRow {
        let mut w = Writer::plain();
        w.dot(&self.dot);
        w.u64(self.seq);
        sealed(Self::place(intent), w)
    }

    pub(super) fn load(store: &dyn Store, intent: u128) -> Result<Option<Self>, StoreError> {
        load(store, &Self::place(intent), |r| Ok(Self { dot: r.dot()?, seq: r.u64()? }))
    }
}

impl Foreign {
    pub(super) fn place(author: &ClientId, id: &str) -> Vec<u8> {
        let mut place = vec![FOREIGN];
        place.extend_from_slice(author.as_str().as_bytes());
        place.push(0);
        place.extend_from_slice(id.as_bytes());
        place
    }

    pub(super) fn row(&self, author: &ClientId, id: &str) -> MapRow {
        let mut w = Writer::plain();
        w.u64(self.seq);
        w.digest(self.content);
        sealed(Self::place(author, id), w)
    }

    pub(super) fn load(store: &dyn Store, author: &ClientId, id: &str) -> Result<Option<Self>, StoreError> {
        load(store, &Self::place(author, id), |r| Ok(Self { seq: r.u64()?, content: r.digest()? }))
    }
}

impl Standing {
    pub(super) fn row(&self, client: &ClientId) -> MapRow {
        let mut place = vec![CLIENT];
        place.extend_from_slice(client.as_str().as_bytes());
        let mut w = Writer::plain();
        w.u64(self.known.n);
        w.digest(self.known.digest);
        w.u64(self.attempt);
        w.option(self.principal.as_ref(), Writer::name);
        w.u8(u8::from(self.is_hub));
        sealed(place, w)
    }

    /// All clients of the checkpoint.
    pub(super) fn load_all(store: &dyn Store) -> Result<Vec<(ClientId, Standing)>, StoreError> {
        const AT_ONCE: usize = 1_024;
        let parse = |r: &mut Reader<'_>| {
            Ok(Standing {
                known: Known { n: r.u64()?, digest: r.digest()? },
                attempt: r.u64()?,
                principal: r.option(Reader::name)?,
                is_hub: r.u8()? != 0,
            })
        };
        let (mut clients, mut from) = (Vec::new(), vec![CLIENT]);
        loop {
            let rows = store.range(&from, &[CLIENT + 1], AT_ONCE)?;
            let Some((last, _)) = rows.last() else { return Ok(clients) };
            from = [&last[..], &[0]].concat();
            for (place, row) in &rows {
                let client = String::from_utf8_lossy(&place[1..]);
                clients.push((ClientId::new(&*client), read(place, row, parse)?));
            }
        }
    }
}

impl Meta {
    pub(super) fn row(&self) -> MapRow {
        let mut w = Writer::plain();
        w.text(&self.name);
        w.text(&self.space);
        w.u64(self.covers);
        w.u64(self.head.seq);
        w.digest(self.head.digest);
        w.u64(self.greatest);
        w.u8(self.table.0);
        w.u64(self.joined);
        sealed(META.to_vec(), w)
    }

    pub(super) fn load(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        let parse = |r: &mut Reader<'_>| {
            Ok(Self {
                name: r.text()?.to_owned(),
                space: r.text()?.to_owned(),
                covers: r.u64()?,
                head: Cursor { seq: r.u64()?, digest: r.digest()? },
                greatest: r.u64()?,
                table: Table(r.u8()?),
                joined: r.u64()?,
            })
        };
        load(store, META, parse)
    }
}
