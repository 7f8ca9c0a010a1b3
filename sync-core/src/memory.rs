//! The reference backend: a store in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::{Checkpoint, Heads, Position, Store, StoreError};

/// A [`Store`] in memory: for tests, and the example that other backends are measured by.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Debug, Default, Clone)]
struct Tables {
    journal: BTreeMap<Position, Vec<u8>>,
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    last: Position,
    covers: Position,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy as it stands now, as of a file that was copied.
    pub fn copy(&self) -> Self {
        Self(Mutex::new(self.tables().clone()))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Every change below is a single assignment or made whole before the lock is released.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn heads(&self) -> Result<Heads, StoreError> {
        let tables = self.tables();
        let first = tables.journal.keys().next().copied().unwrap_or(tables.last + 1);
        Ok(Heads { first, last: tables.last, covers: tables.covers })
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        let mut tables = self.tables();
        if tables.last != expected {
            return Err(StoreError::Moved { last: tables.last });
        }
        for commit in commits {
            tables.last += 1;
            let position = tables.last;
            tables.journal.insert(position, commit.to_vec());
        }
        Ok(tables.last)
    }

    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        let tables = self.tables();
        Ok(tables.journal.range(from..).take(limit).map(|(at, row)| (*at, row.clone())).collect())
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.covers > checkpoint.covers {
            return Err(StoreError::Moved { last: tables.last });
        }
        for key in &checkpoint.drops {
            tables.map.remove(key);
        }
        for (key, bytes) in &checkpoint.puts {
            tables.map.insert(key.clone(), bytes.clone());
        }
        tables.covers = checkpoint.covers;
        if checkpoint.drop_before > 0 {
            tables.journal = tables.journal.split_off(&checkpoint.drop_before);
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables().map.get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        if !to.is_empty() && from >= to {
            return Ok(Vec::new());
        }
        let end = if to.is_empty() { Bound::Unbounded } else { Bound::Excluded(to) };
        let tables = self.tables();
        let found = tables.map.range::<[u8], _>((Bound::Included(from), end));
        Ok(found.take(limit).map(|(key, bytes)| (key.clone(), bytes.clone())).collect())
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
