//! What is in the file.
//!
//! | table | key | value |
//! |---|---|---|
//! | `layout` | `"version"` | the version of this layout, 2 |
//! | `spaces` | a space's name | its [`SpaceRow`]: number, last position, covered position, checksum |
//! | `journal` | (space's number, position, piece) | a commit, as it came, in pieces of [`PIECE`] bytes; the last is shorter |
//! | `map` | (space's number, key) | the key's bytes, as they came |
//!
//! A space gets its number, from 1, when it is first written to. Its journal is dense from the first row kept to the
//! last; `SpaceRow::last` is only brought up to date by checkpoints, which are what drops rows, so that an append
//! touches no other table than the journal. The last position is therefore the greater of the two.

use std::ops::{Range, RangeInclusive};

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle, WriteTransaction};
use sync_core::Position;
use xxhash_rust::xxh3::xxh3_64;

use crate::fault::Fault;

/// The layout that this version writes, and the newest that it reads.
const VERSION: u32 = 2;

pub(crate) const LAYOUT: TableDefinition<'_, &str, u32> = TableDefinition::new("layout");
pub(crate) const SPACES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("spaces");
pub(crate) const JOURNAL: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("journal");
pub(crate) const MAP: TableDefinition<'_, (u32, &[u8]), &[u8]> = TableDefinition::new("map");

/// Where a piece of a commit stands: its space's number, the commit's position, and which piece it is, from 0.
pub(crate) type Key = (u32, Position, u32);

/// How many bytes a piece has. redb gives a row of more than a page a power of two of them: with its key and what redb
/// adds, a piece just fits into one, where a commit of 130 kB as one row would take 256.
pub(crate) const PIECE: usize = 65_000;

/// Whether this layout's tables are there; an error if others are.
pub(crate) fn is_ready(txn: &ReadTransaction) -> Result<bool, Fault> {
    let tables: Vec<_> = txn.list_tables()?.collect();
    if tables.is_empty() {
        return Ok(false);
    }
    if tables.iter().all(|table| table.name() != LAYOUT.name()) {
        return Err(Fault::Damaged("it is a redb database of another program".into()));
    }
    let version = txn.open_table(LAYOUT)?.get("version")?.map(|version| version.value());
    match version {
        Some(VERSION) => Ok(true),
        Some(found) if found > VERSION => Err(Fault::Newer { found, known: VERSION }),
        other => Err(Fault::Damaged(format!("its layout has the version {other:?}"))),
    }
}

/// Makes the tables.
pub(crate) fn make(txn: &WriteTransaction) -> Result<(), Fault> {
    txn.open_table(LAYOUT)?.insert("version", VERSION)?;
    txn.open_table(SPACES)?;
    txn.open_table(JOURNAL)?;
    txn.open_table(MAP)?;
    Ok(())
}

/// The keys of a space's journal from a position on.
pub(crate) fn journal_from(space: u32, from: Position) -> RangeInclusive<Key> {
    (space, from, 0)..=(space, Position::MAX, u32::MAX)
}

/// The keys of a space's journal before a position.
pub(crate) fn journal_before(space: u32, to: Position) -> Range<Key> {
    (space, 0, 0)..(space, to, 0)
}

/// A commit's pieces, with their numbers.
pub(crate) fn pieces(commit: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let full = commit.chunks_exact(PIECE);
    let rest = full.remainder();
    (0..).zip(full.chain(std::iter::once(rest)))
}

/// Follows the rows of a journal, in which no position is missing (only oldest rows are ever dropped), and of no commit a
/// piece.
#[derive(Default)]
pub(crate) struct Sequence {
    /// The position and the piece of the row before, and whether another one of its commit follows.
    before: Option<(Position, u32, bool)>,
}

impl Sequence {
    /// Takes note of the next row; whether a commit begins with it.
    pub(crate) fn next(&mut self, position: Position, piece: u32, bytes: &[u8]) -> Result<bool, Fault> {
        let begins = match self.before {
            Some((before, last, true)) if (position, piece) == (before, last + 1) => false,
            Some((before, last, true)) => return Err(torn(before, last + 1)),
            Some((before, _, false)) if position != before + 1 => return Err(hole(before + 1)),
            _ if piece > 0 => return Err(torn(position, 0)),
            _ => true,
        };
        self.before = Some((position, piece, bytes.len() >= PIECE));
        Ok(begins)
    }

    /// Whether the commits are whole, now that the rows are at their end.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        match self.before {
            Some((position, last, true)) => Err(torn(position, last + 1)),
            _ => Ok(()),
        }
    }

    /// Whether what comes next belongs to a commit that began.
    pub(crate) fn is_within(&self) -> bool {
        self.before.is_some_and(|(_, _, within)| within)
    }
}

/// A space's keys from `from` up to `to`, or to the end if that is empty.
pub(crate) fn map_range<'a>(space: u32, from: &'a [u8], to: &'a [u8]) -> Range<(u32, &'a [u8])> {
    // Numbers are given from 1 upwards, and `number` stops before the last one.
    let end = if to.is_empty() { (space + 1, to) } else { (space, to) };
    (space, from)..end
}

/// What the file knows of a space besides its rows. No row of the caller's, so it carries its own checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpaceRow {
    pub(crate) number: u32,
    /// The journal's last position when the last checkpoint was taken.
    pub(crate) last: Position,
    pub(crate) covers: Position,
}

impl SpaceRow {
    /// The space's row, if it was ever written to.
    pub(crate) fn find(
        spaces: &impl ReadableTable<&'static str, &'static [u8]>,
        name: &str,
    ) -> Result<Option<Self>, Fault> {
        spaces.get(name)?.map(|bytes| Self::decode(name, bytes.value())).transpose()
    }

    /// The space's row, made if there is none.
    pub(crate) fn find_or_make(txn: &WriteTransaction, name: &str) -> Result<Self, Fault> {
        let mut spaces = txn.open_table(SPACES)?;
        if let Some(row) = Self::find(&spaces, name)? {
            return Ok(row);
        }
        let row = Self { number: number(txn, spaces.len()?)?, last: 0, covers: 0 };
        spaces.insert(name, row.encode(name).as_slice())?;
        Ok(row)
    }

    /// Number, last, covers, and the checksum over them and the name, all little-endian.
    pub(crate) fn encode(&self, name: &str) -> Vec<u8> {
        let mut bytes = self.number.to_le_bytes().to_vec();
        bytes.extend(self.last.to_le_bytes());
        bytes.extend(self.covers.to_le_bytes());
        bytes.extend(checksum(name, &bytes).to_le_bytes());
        bytes
    }

    pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Self, Fault> {
        let damaged = || Fault::Damaged(format!("the row of the space {name:?} was changed"));
        let (row, sum) = bytes.split_last_chunk::<8>().ok_or_else(damaged)?;
        if u64::from_le_bytes(*sum) != checksum(name, row) {
            return Err(damaged());
        }
        let (number, row) = row.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (last, row) = row.split_first_chunk::<8>().ok_or_else(damaged)?;
        let covers: [u8; 8] = row.try_into().map_err(|_| damaged())?;
        Ok(Self {
            number: u32::from_le_bytes(*number),
            last: u64::from_le_bytes(*last),
            covers: u64::from_le_bytes(covers),
        })
    }

    /// The first position kept and the last one ever given.
    pub(crate) fn ends(&self, journal: &impl ReadableTable<Key, &'static [u8]>) -> Result<(Position, Position), Fault> {
        let mut rows = journal.range(journal_from(self.number, 0))?;
        let Some(first) = rows.next().transpose()?.map(|(key, _)| key.value().1) else {
            return Ok((self.last + 1, self.last));
        };
        let last = rows.next_back().transpose()?.map_or(first, |(key, _)| key.value().1);
        if last < self.last {
            return Err(Fault::Damaged(format!("its journal ends at {last}, but had reached {}", self.last)));
        }
        Ok((first, last))
    }

    /// Whether the journal is what the row says.
    pub(crate) fn verify(&self, journal: &impl ReadableTable<Key, &'static [u8]>) -> Result<(), Fault> {
        self.ends(journal)?;
        let mut sequence = Sequence::default();
        for row in journal.range(journal_from(self.number, 0))? {
            let (key, bytes) = row?;
            let (_, position, piece) = key.value();
            sequence.next(position, piece, bytes.value())?;
        }
        sequence.end()
    }

    /// The last position ever given.
    pub(crate) fn last(&self, journal: &impl ReadableTable<Key, &'static [u8]>) -> Result<Position, Fault> {
        let end = journal.range(journal_from(self.number, self.last))?.next_back().transpose()?;
        Ok(end.map_or(self.last, |(key, _)| key.value().1))
    }
}

pub(crate) fn hole(position: Position) -> Fault {
    Fault::Damaged(format!("position {position} of its journal is missing"))
}

fn torn(position: Position, piece: u32) -> Fault {
    Fault::Damaged(format!("piece {piece} of position {position} of its journal is missing"))
}

/// The number for the next space, none of whose rows may be there yet.
fn number(txn: &WriteTransaction, spaces: u64) -> Result<u32, Fault> {
    let number = u32::try_from(spaces + 1).ok().filter(|number| *number < u32::MAX);
    let number = number.ok_or_else(|| Fault::Damaged(format!("it has {spaces} spaces, more than fit")))?;
    let taken = txn.open_table(JOURNAL)?.range(journal_from(number, 0))?.next().is_some()
        || txn.open_table(MAP)?.range(map_range(number, b"", b""))?.next().is_some();
    if taken {
        return Err(Fault::Damaged(format!("it has rows of a space numbered {number}, but not that space's own row")));
    }
    Ok(number)
}

fn checksum(name: &str, row: &[u8]) -> u64 {
    xxh3_64(&[name.as_bytes(), row].concat())
}
