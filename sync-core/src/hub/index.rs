//! What the checkpoint knows of single entries and clients: the places of its rows, and their contents.

use super::batch::Logged;
use super::row::Row;
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::context::Known;
use crate::model::digest::Digest;
use crate::model::stamp::{ClientId, Dot, Name};
use crate::records::Table;
use crate::seal;
use crate::store::{Position, Store, StoreError};
use crate::transport::{Cursor, Epochs};

/// Where an accepted entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) seq: u64,
    pub(super) hash: Digest,
    /// The digest of its client's entries up to it.
    pub(super) running: Digest,
    /// Its intent, as far as that is known.
    pub(super) intent: Option<u128>,
}

/// Consecutive entries of one client in one row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numbers {
    /// The number of the first.
    pub(super) first: u64,
    /// Its place in the log.
    pub(super) seq: u64,
    /// The digest of the client's entries before it.
    pub(super) before: Digest,
    /// The row.
    pub(super) position: Position,
}

/// Intents that count up, of entries that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) count: u64,
    /// Of the first intent.
    pub(super) first: Intended,
}

/// Under which dot an intent was accepted, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intended {
    pub(super) dot: Dot,
    pub(super) seq: u64,
}

/// The intents of a row of the journal that was dropped, each the last of its run. The runs stay for a while: a copy of
/// a device may still bring what another copy brought before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outlived {
    pub(super) place: Vec<u8>,
    pub(super) intents: Vec<u128>,
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
    /// The runs in which the log was written.
    pub(super) epochs: Epochs,
}

pub(super) const META: &[u8] = b"m";
const CLIENT: u8 = b'c';
const NUMBERS: u8 = b'd';
const LINK: u8 = b'l';
const INTENT: u8 = b'i';
const OUTLIVED: u8 = b'k';
const FOREIGN: u8 = b'f';

/// A row of the map, sealed.
pub(super) type MapRow = (Vec<u8>, Vec<u8>);

fn sealed(place: Vec<u8>, w: Writer) -> MapRow {
    let row = seal::written(&place, w);
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

/// The bytes of a client's id, ended by a zero byte, and a number. No client id has control characters.
fn place_of(prefix: u8, client: &ClientId, n: u64) -> Vec<u8> {
    let mut place = vec![prefix];
    place.extend_from_slice(client.as_str().as_bytes());
    place.push(0);
    place.extend_from_slice(&n.to_be_bytes());
    place
}

impl Place {
    /// The row of an entry that a joined snapshot told of: it is in no row of the journal.
    pub(super) fn row(&self, dot: &Dot) -> MapRow {
        let mut w = Writer::plain();
        w.u64(self.seq);
        w.digest(self.hash);
        w.digest(self.running);
        sealed(place_of(LINK, &dot.client, dot.n), w)
    }

    fn load(store: &dyn Store, dot: &Dot) -> Result<Option<Self>, StoreError> {
        let parse =
            |r: &mut Reader<'_>| Ok(Self { seq: r.u64()?, hash: r.digest()?, running: r.digest()?, intent: None });
        load(store, &place_of(LINK, &dot.client, dot.n), parse)
    }
}

impl Numbers {
    /// Where the row is of entries of which this is the last.
    pub(super) fn place_of(last: &Dot) -> Vec<u8> {
        place_of(NUMBERS, &last.client, last.n)
    }

    pub(super) fn row(&self, last: &Dot) -> MapRow {
        let mut w = Writer::plain();
        w.u64(self.first);
        w.u64(self.seq);
        w.digest(self.before);
        w.u64(self.position);
        sealed(Self::place_of(last), w)
    }

    /// Those that this entry is among.
    fn load(store: &dyn Store, dot: &Dot) -> Result<Option<Self>, StoreError> {
        let parse =
            |r: &mut Reader<'_>| Ok(Self { first: r.u64()?, seq: r.u64()?, before: r.digest()?, position: r.u64()? });
        let mut end = place_of(NUMBERS, &dot.client, u64::MAX);
        end.push(0);
        let found = store.range(&Self::place_of(dot), &end, 1)?;
        let numbers = found.first().map(|(place, row)| read(place, row, parse)).transpose()?;
        Ok(numbers.filter(|numbers| numbers.first <= dot.n))
    }

    /// Where an entry stands that is among them, given the entries of the row that holds them and where the log
    /// ended before it.
    pub(super) fn place(&self, dot: &Dot, start: u64, entries: &[Logged]) -> Option<Place> {
        let first = usize::try_from(self.seq.checked_sub(start + 1)?).ok()?;
        let step = usize::try_from(dot.n.checked_sub(self.first)?).ok()?;
        let those = entries.get(first..=first.checked_add(step)?)?;
        let last = those.last().filter(|last| last.entry.dot() == dot)?;
        let running = those.iter().fold(self.before, |digest, logged| digest.then(logged.hash));
        Some(Place { seq: self.seq + step as u64, hash: last.hash, running, intent: last.intent })
    }
}

/// Finds entries in the checkpoint, the row of the last one at hand.
pub(super) struct Finder<'a> {
    store: &'a dyn Store,
    row: Option<(Position, Row)>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self { store, row: None }
    }

    /// Where an entry stands; `None` if it never was, or its row was dropped.
    pub(super) fn place(&mut self, dot: &Dot) -> Result<Option<Place>, StoreError> {
        let Some(numbers) = Numbers::load(self.store, dot)? else { return Place::load(self.store, dot) };
        if self.row.as_ref().is_none_or(|(position, _)| *position != numbers.position) {
            let found = self.store.journal(numbers.position, 1)?;
            let found = found.first().filter(|(position, _)| *position == numbers.position);
            let Some((position, bytes)) = found else { return Place::load(self.store, dot) };
            self.row = Some((*position, Row::open(*position, bytes)?));
        }
        let Some((_, row)) = &self.row else { return Ok(None) };
        let place = numbers.place(dot, row.start.seq, row.entries()?);
        place.map(Some).ok_or_else(|| row.damaged("it does not hold the entries that the checkpoint says"))
    }
}

impl Run {
    /// One intent alone.
    pub(super) fn alone(first: Intended) -> Self {
        Self { count: 1, first }
    }

    /// Under which dot this intent was accepted, if it is one of the run that ends with `last`.
    pub(super) fn at(&self, last: u128, intent: u128) -> Option<Intended> {
        let behind = last.checked_sub(intent).filter(|behind| *behind < u128::from(self.count))? as u64;
        let (step, Intended { dot, seq }) = (self.count - 1 - behind, &self.first);
        Some(Intended { dot: Dot::new(dot.client.clone(), dot.n + step), seq: seq + step })
    }

    /// Where the row is of intents of which this is the last.
    pub(super) fn place_of(last: u128) -> Vec<u8> {
        let mut place = vec![INTENT];
        place.extend_from_slice(&last.to_be_bytes());
        place
    }

    pub(super) fn row(&self, last: u128) -> MapRow {
        let mut w = Writer::plain();
        w.u64(self.count);
        w.dot(&self.first.dot);
        w.u64(self.first.seq);
        sealed(Self::place_of(last), w)
    }

    /// Those of these intents that the checkpoint knows, each with its entry.
    pub(super) fn find(store: &dyn Store, mut intents: Vec<u128>) -> Result<Vec<(u128, Intended)>, StoreError> {
        let parse = |r: &mut Reader<'_>| Ok(Self { count: r.u64()?, first: Intended { dot: r.dot()?, seq: r.u64()? } });
        intents.sort_unstable();
        let mut found = Vec::new();
        let mut intents = intents.into_iter().peekable();
        while let Some(asked) = intents.peek() {
            let next = store.range(&Self::place_of(*asked), &[INTENT + 1], 1)?;
            let Some((place, row)) = next.first() else { break };
            let run = read(place, row, parse)?;
            let last = place.get(1..).and_then(|last| last.try_into().ok()).map(u128::from_be_bytes);
            let unreadable = || seal::unreadable(place, &CodecError { expected: "an intent" });
            let last = last.ok_or_else(unreadable)?;
            // Nothing is between the one asked for and the run: what is below it, nobody knows.
            while let Some(intent) = intents.next_if(|intent| *intent <= last) {
                found.extend(run.at(last, intent).map(|known| (intent, known)));
            }
        }
        Ok(found)
    }
}

impl Outlived {
    /// The row of what outlives the journal's row that ended with this entry of the log.
    pub(super) fn row(seq: u64, intents: &[u128]) -> MapRow {
        let mut w = Writer::plain();
        w.list(intents, |w, intent| w.u128(*intent));
        sealed([&[OUTLIVED][..], &seq.to_be_bytes()].concat(), w)
    }

    /// Up to `limit` of them after this place, or from the oldest on.
    pub(super) fn load(store: &dyn Store, after: Option<&[u8]>, limit: usize) -> Result<Vec<Self>, StoreError> {
        let from = after.map_or_else(|| vec![OUTLIVED], |place| [place, &[0]].concat());
        let rows = store.range(&from, &[OUTLIVED + 1], limit)?;
        let read = |(place, row): (Vec<u8>, Vec<u8>)| {
            let intents = read(&place, &row, |r| r.list(Reader::u128))?;
            Ok(Self { place, intents })
        };
        rows.into_iter().map(read).collect()
    }

    /// The keys of all that goes when they go.
    pub(super) fn places(self) -> impl Iterator<Item = Vec<u8>> {
        let runs: Vec<Vec<u8>> = self.intents.iter().map(|last| Run::place_of(*last)).collect();
        runs.into_iter().chain([self.place])
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
        self.head.write(&mut w);
        w.u64(self.greatest);
        w.u8(self.table.0);
        w.u64(self.joined);
        self.epochs.write(&mut w);
        sealed(META.to_vec(), w)
    }

    pub(super) fn load(store: &dyn Store) -> Result<Option<Self>, StoreError> {
        let parse = |r: &mut Reader<'_>| {
            Ok(Self {
                name: r.text()?.to_owned(),
                space: r.text()?.to_owned(),
                covers: r.u64()?,
                head: Cursor::read(r)?,
                greatest: r.u64()?,
                table: Table(r.u8()?),
                joined: r.u64()?,
                epochs: Epochs::read(r)?,
            })
        };
        load(store, META, parse)
    }
}
