//! The contract, over one space of a file.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use sync_core::{Checkpoint, Heads, Position, Store, StoreError};

use crate::RedbFile;
use crate::fault::Fault;
use crate::file::Kind;
use crate::layout::{self, JOURNAL, MAP, SPACES, Sequence, SpaceRow, journal_before, journal_from, map_range};
use crate::view::View;

/// One space of a [`RedbFile`]. Clones are the same space.
#[derive(Clone)]
pub struct RedbStore {
    file: RedbFile,
    space: Arc<Space>,
}

struct Space {
    name: String,
    /// How often the file had been opened when this was given.
    times: u64,
    /// Given once, at the first write, and kept for ever.
    number: OnceLock<u32>,
}

impl RedbStore {
    /// Opens the default space, named "", of a file of its own, which is made if there is none.
    ///
    /// # Errors
    /// As [`RedbFile::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        RedbFile::open(path)?.space("")
    }

    pub(crate) fn of(file: RedbFile, name: &str) -> Result<Self, StoreError> {
        let space = Space { name: name.to_owned(), times: file.0.times()?, number: OnceLock::new() };
        let store = Self { file, space: Arc::new(space) };
        store.file.0.read(|view| store.number(view))?;
        Ok(store)
    }

    /// The file that the space is in.
    pub fn file(&self) -> &RedbFile {
        &self.file
    }

    fn row(&self, view: &View) -> Result<Option<SpaceRow>, Fault> {
        SpaceRow::find(view.spaces()?, &self.space.name)
    }

    /// The space's number, if it was ever written to.
    fn number(&self, view: &View) -> Result<Option<u32>, Fault> {
        if let Some(number) = self.space.number.get() {
            return Ok(Some(*number));
        }
        let row = self.row(view)?;
        Ok(row.map(|row| *self.space.number.get_or_init(|| row.number)))
    }

    fn rows(&self, view: &View, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, Fault> {
        let Some(number) = self.number(view)? else { return Ok(Vec::new()) };
        let journal = view.journal()?;
        let mut found: Vec<(Position, Vec<u8>)> = Vec::new();
        let mut sequence = Sequence::default();
        for row in journal.range_owned(journal_from(number, from))? {
            if found.len() == limit && !sequence.is_within() {
                break;
            }
            let (key, bytes) = row?;
            let ((_, position, piece), bytes) = (key.value(), bytes.value());
            if sequence.next(position, piece, bytes)? {
                found.push((position, bytes.to_vec()));
            } else if let Some((_, begun)) = found.last_mut() {
                begun.extend_from_slice(bytes);
            }
        }
        sequence.end()?;
        // Behind `from` only because all before was dropped?
        let late = found.first().is_some_and(|(first, _)| *first > from.max(1));
        if late && journal.range_owned(journal_before(number, from))?.next().is_some() {
            return Err(layout::hole(from));
        }
        Ok(found)
    }
}

impl Store for RedbStore {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.file.0.read(|view| {
            let Some(row) = self.row(view)? else { return Ok(Heads { first: 1, last: 0, covers: 0 }) };
            let (first, last) = row.ends(view.journal()?)?;
            Ok(Heads { first, last, covers: row.covers })
        })
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        if commits.is_empty() {
            let last = self.heads()?.last;
            return if last == expected { Ok(last) } else { Err(StoreError::Moved { last }) };
        }
        self.file.0.write(self.space.times, Kind::Quick, |txn| {
            let row = SpaceRow::find_or_make(txn, &self.space.name)?;
            let mut journal = txn.open_table(JOURNAL)?;
            let mut last = row.last(&journal)?;
            if last != expected {
                return Err(Fault::Moved { last });
            }
            for commit in commits {
                last += 1;
                for (piece, bytes) in layout::pieces(commit) {
                    journal.insert((row.number, last, piece), bytes)?;
                }
            }
            Ok(last)
        })
    }

    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.file.0.read(|view| self.rows(view, from, limit))
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.file.0.write(self.space.times, Kind::Settled, |txn| {
            let mut row = SpaceRow::find_or_make(txn, &self.space.name)?;
            if row.covers > checkpoint.covers {
                let last = row.last(&txn.open_table(JOURNAL)?)?;
                return Err(Fault::Moved { last });
            }
            let mut map = txn.open_table(MAP)?;
            for key in &checkpoint.drops {
                map.remove((row.number, key.as_slice()))?;
            }
            for (key, bytes) in &checkpoint.puts {
                map.insert((row.number, key.as_slice()), bytes.as_slice())?;
            }
            let mut journal = txn.open_table(JOURNAL)?;
            row.last = row.last(&journal)?;
            row.covers = checkpoint.covers;
            journal.retain_in(journal_before(row.number, checkpoint.drop_before), |_, _| false)?;
            txn.open_table(SPACES)?.insert(self.space.name.as_str(), row.encode(&self.space.name).as_slice())?;
            Ok(())
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.file.0.read(|view| {
            let Some(number) = self.number(view)? else { return Ok(None) };
            let bytes = view.map()?.get_owned((number, key))?;
            Ok(bytes.map(|bytes| bytes.value().to_vec()))
        })
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        if !to.is_empty() && from >= to {
            return Ok(Vec::new());
        }
        self.file.0.read(|view| {
            let Some(number) = self.number(view)? else { return Ok(Vec::new()) };
            let rows = view.map()?.range_owned(map_range(number, from, to))?;
            let rows = rows.take(limit).map(|row| {
                let (key, bytes) = row?;
                Ok((key.value().1.to_vec(), bytes.value().to_vec()))
            });
            rows.collect()
        })
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        self.file.reclaim()
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("file", &self.file).field("space", &self.space.name).finish()
    }
}
