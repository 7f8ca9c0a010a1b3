//! The log as rows of the journal: which row holds which entry, and the newest ones in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::row::Row;
use crate::store::{Position, Store, StoreError};

/// The newest rows are kept in memory as long as their entries weigh no more than this.
const RECENT_BYTES: usize = 8 << 20;

/// How many places of entries in the journal are remembered.
const HINTS: usize = 4_096;

/// Rows that were read from the store for someone are kept as long as they weigh no more than this.
const READ_BYTES: usize = 4 << 20;

/// What is remembered of the journal's rows.
#[derive(Default)]
pub(super) struct Rows(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// Consecutive, up to the newest.
    recent: VecDeque<(Position, Arc<Row>)>,
    weight: usize,
    read: Read,
    /// The first entry's number of some rows, and where they stand.
    hints: BTreeMap<u64, Position>,
    /// The first row that is kept, where the log ended before it, and when it was written.
    first: Option<(Position, (u64, u64))>,
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

    /// Where the log ended before the first row that is kept, and when that was written; `None` if there is no such row.
    pub(super) fn begins(&self, store: &dyn Store, first: Position) -> Result<Option<(u64, u64)>, StoreError> {
        if let Some((_, begins)) = self.memory().first.filter(|(position, _)| *position == first) {
            return Ok(Some(begins));
        }
        let row = store.journal(first, 1)?;
        let Some((position, bytes)) = row.first() else { return Ok(None) };
        let begins = Row::peek(*position, bytes)?;
        self.memory().first = Some((*position, begins));
        Ok(Some(begins))
    }

    /// The newest rows turned out not to be in the journal.
    pub(super) fn forget_recent(&self) {
        *self.memory() = Memory::default();
    }

    /// Durable rows from the one that holds entry number `seq` on, about `limit` of them and none without entries.
    /// The caller has seen that the journal holds that entry between these positions; nothing if it was cut since.
    pub(super) fn from(
        &self,
        store: &dyn Store,
        seq: u64,
        extent: (Position, Position),
        limit: usize,
    ) -> Result<Vec<Arc<Row>>, StoreError> {
        let (first, last) = extent;
        if let Some(known) = self.recent(seq, last, limit).or_else(|| self.memory().read.from(seq, limit)) {
            return Ok(known);
        }
        let mut next = self.find(store, seq, first, last)?;
        let mut rows: Vec<Arc<Row>> = Vec::with_capacity(limit);
        while rows.is_empty() && next <= last {
            let found = store.journal(next, limit)?;
            if found.is_empty() {
                break;
            }
            for (position, bytes) in found {
                if position > last {
                    break;
                }
                next = position + 1;
                let row = Arc::new(Row::open(position, &bytes)?);
                if row.steps() > 0 {
                    rows.push(row);
                }
            }
        }
        // The log may have been cut since the caller looked.
        if rows.first().is_none_or(|row| row.start.seq >= seq) {
            return Ok(Vec::new());
        }
        let mut memory = self.memory();
        for row in &rows {
            memory.read.keep(row);
        }
        if let Some(row) = rows.last() {
            memory.hint(row.last() + 1, next);
        }
        Ok(rows)
    }

    fn recent(&self, seq: u64, last: Position, limit: usize) -> Option<Vec<Arc<Row>>> {
        let memory = self.memory();
        let (_, oldest) = memory.recent.front()?;
        if oldest.start.seq >= seq {
            return None;
        }
        let at = memory.recent.partition_point(|(_, row)| row.start.seq < seq).checked_sub(1)?;
        let rows = memory.recent.range(at..).take_while(|(position, _)| *position <= last);
        let with_entries = rows.map(|(_, row)| row).filter(|row| row.steps() > 0);
        Some(with_entries.take(limit).cloned().collect())
    }

    /// The last row that begins at `seq` or before: it holds the entry.
    fn find(&self, store: &dyn Store, seq: u64, first: Position, last: Position) -> Result<Position, StoreError> {
        let begins_before = |position| -> Result<Option<Position>, StoreError> {
            let row = store.journal(position, 1)?;
            let Some((position, bytes)) = row.first() else { return Ok(None) };
            Ok((Row::peek(*position, bytes)?.0 < seq).then_some(*position))
        };
        let hint = self.memory().hints.range(..=seq).next_back().map(|(begins, position)| (*begins, *position));
        if let Some((_, position)) = hint.filter(|(begins, position)| *begins == seq && *position <= last) {
            return Ok(position);
        }
        let hint = hint.map(|(_, position)| position);
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

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What is remembered is read again if it is lost: a panic cannot leave it wrong, only incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn hint(&mut self, begins: u64, position: Position) {
        if self.hints.len() >= HINTS {
            // Any half will do: they are found again in a few reads.
            let half: Vec<u64> = self.hints.keys().copied().step_by(2).collect();
            for begins in half {
                self.hints.remove(&begins);
            }
        }
        self.hints.insert(begins, position);
    }
}

/// Rows that were read for someone, by the log's end before each: the next page often begins in the same one.
#[derive(Default)]
struct Read {
    rows: BTreeMap<u64, Arc<Row>>,
    order: VecDeque<u64>,
    weight: usize,
}

impl Read {
    fn from(&self, seq: u64, limit: usize) -> Option<Vec<Arc<Row>>> {
        let mut next = seq;
        let (_, row) = self.rows.range(..seq).next_back()?;
        let mut rows = Vec::new();
        let mut row = Some(row);
        while let Some(found) = row.filter(|row| row.last() >= next) {
            rows.push(found.clone());
            next = found.last() + 1;
            row = if rows.len() < limit { self.rows.get(&(next - 1)) } else { None };
        }
        (!rows.is_empty()).then_some(rows)
    }

    fn keep(&mut self, row: &Arc<Row>) {
        if self.rows.insert(row.start.seq, row.clone()).is_some() {
            return;
        }
        self.order.push_back(row.start.seq);
        self.weight += weight(row);
        while self.weight > READ_BYTES && self.order.len() > 1 {
            let oldest = self.order.pop_front().and_then(|start| self.rows.remove(&start));
            self.weight -= oldest.map_or(0, |row| weight(&row));
        }
    }
}

/// About what a row takes in memory once its entries are read: several times what they take in bytes.
fn weight(row: &Row) -> usize {
    256 + 8 * row.batch().map_or(0, |batch| batch.bytes().len())
}
