//! The log as rows of the journal: which row holds which entry, and the newest ones in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::row::Row;
use crate::store::{Position, Store, StoreError};

/// The newest rows are kept in memory as long as their entries weigh no more than this.
const RECENT_BYTES: usize = 8 << 20;

/// How many places of entries in the journal are remembered.
const HINTS: usize = 4_096;

/// How many rows are read from the store at once.
const AT_ONCE: usize = 32;

/// What is remembered of the journal's rows.
#[derive(Default)]
pub(super) struct Rows(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Consecutive, up to the newest.
    recent: VecDeque<(Position, Arc<Row>)>,
    weight: usize,
    /// The first entry's number of some rows, and where they stand.
    hints: BTreeMap<u64, Position>,
}

impl Rows {
    /// Takes notice of a row that was queued or read at the journal's end.
    pub(super) fn remember(&self, position: Position, row: Arc<Row>) {
        let mut memory = self.memory();
        if memory.recent.back().is_some_and(|(last, _)| last + 1 != position) {
            memory.recent.clear();
            memory.weight = 0;
        }
        memory.weight += weight(&row);
        memory.recent.push_back((position, row));
        while memory.weight > RECENT_BYTES && memory.recent.len() > 1 {
            if let Some((_, row)) = memory.recent.pop_front() {
                memory.weight -= weight(&row);
            }
        }
    }

    /// The newest rows turned out not to be in the journal.
    pub(super) fn forget_recent(&self) {
        *self.memory() = Memory::default();
    }

    /// The durable rows from the one that holds entry number `seq` on, up to `limit` and to position `last`.
    /// The caller has seen that the journal holds that entry.
    pub(super) fn from(
        &self,
        store: &dyn Store,
        seq: u64,
        first: Position,
        last: Position,
    ) -> Result<Vec<Numbered>, StoreError> {
        if let Some(recent) = self.recent(seq, last) {
            return Ok(recent);
        }
        let position = self.find(store, seq, first, last)?;
        let mut rows = Vec::with_capacity(AT_ONCE);
        for (position, bytes) in store.journal(position, AT_ONCE)? {
            if position > last {
                break;
            }
            rows.push((position, Arc::new(Row::open(position, &bytes)?)));
        }
        if let Some((position, row)) = rows.last() {
            self.hint(row.end().seq + 1, position + 1);
        }
        Ok(rows)
    }

    fn recent(&self, seq: u64, last: Position) -> Option<Vec<Numbered>> {
        let memory = self.memory();
        let (_, oldest) = memory.recent.front()?;
        if oldest.start.seq >= seq {
            return None;
        }
        let at = memory.recent.partition_point(|(_, row)| row.start.seq < seq).checked_sub(1)?;
        let rows = memory.recent.range(at..).take_while(|(position, _)| *position <= last);
        Some(rows.take(AT_ONCE).cloned().collect())
    }

    /// The last row that begins at `seq` or before: it holds the entry.
    fn find(&self, store: &dyn Store, seq: u64, first: Position, last: Position) -> Result<Position, StoreError> {
        let begins_before = |position| -> Result<Option<Position>, StoreError> {
            let row = store.journal(position, 1)?;
            let Some((position, bytes)) = row.first() else { return Ok(None) };
            Ok((Row::peek(*position, bytes)? < seq).then_some(*position))
        };
        let hint = self.memory().hints.range(..=seq).next_back().map(|(_, position)| *position);
        let (mut low, mut high) = (hint.unwrap_or(first).clamp(first, last), last);
        // Readers go on where the page before ended: look near the hint first.
        let mut step = 1;
        while hint.is_some() && low + step <= high {
            match begins_before(low + step)? {
                Some(position) => low = position,
                None => {
                    high = low + step - 1;
                    break;
                }
            }
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match begins_before(middle)? {
                Some(position) if position <= high => low = position,
                _ => high = middle - 1,
            }
        }
        Ok(low)
    }

    fn hint(&self, begins: u64, position: Position) {
        let mut memory = self.memory();
        if memory.hints.len() >= HINTS {
            // Any half will do: they are found again in a few reads.
            let half: Vec<u64> = memory.hints.keys().copied().step_by(2).collect();
            for begins in half {
                memory.hints.remove(&begins);
            }
        }
        memory.hints.insert(begins, position);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is read again if it is lost: a panic cannot leave it wrong, only incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row with its place in the journal.
pub(super) type Numbered = (Position, Arc<Row>);

fn weight(row: &Row) -> usize {
    256 + row.entries().iter().map(super::row::Logged::weight).sum::<usize>()
}
