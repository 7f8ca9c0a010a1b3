//! Records of accepted entries: a checkpoint in the store, and the entries accepted since, folded when they are read.

mod stored;
#[cfg(test)]
mod tests;

pub(crate) use stored::{Scanned, Stored, Table};

use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, OnceLock};

use crate::model::entry::{Action, EntityKey, Entry, Map};
use crate::model::record::Record;
use crate::model::stamp::Dots;
use crate::store::{Store, StoreError};

/// How much the records weigh that are kept in memory and are no different from the checkpoint's.
const CACHED: usize = 4_096;

/// How many bytes the rows have together that weigh as much as a usual entry: a small change of a large record has all of
/// it written.
const ROW: usize = 1_024;

/// How many times the room that is needed is too much.
const SPARSE: usize = 8;

/// How much of the records that a checkpoint read is kept.
const KEPT: usize = 4_096;

/// The records that the store's checkpoint does not have as they are now.
#[derive(Default)]
pub(crate) struct Records {
    /// Never iterated in its own order where that could be seen.
    hot: Map<Hot>,
    /// The keys of those that the checkpoint lacks something of, in order: since somebody asked for a range of them, until
    /// the next checkpoint.
    order: Option<BTreeSet<EntityKey>>,
    /// How many entries the checkpoint lacks, and how much they weigh.
    entries: usize,
    weight: usize,
    /// How many bytes a row of the last checkpoint had.
    row: usize,
    /// Of the records that were put here since room was made or a checkpoint.
    kept: usize,
    /// Counts checkpoints: what was read from the store before one is not a base for what came after it.
    generation: u64,
}

#[derive(Default)]
struct Hot {
    /// What the checkpoint has, with the first `folded` of the entries folded in; `None` while it was not read.
    record: Option<Arc<Record>>,
    folded: usize,
    unfolded: Vec<Arc<Entry>>,
}

/// What a checkpoint is made of: the entities that it lacks something of, in the order of their keys.
pub(crate) struct Frozen {
    taken: Vec<Taken>,
    /// How many bytes their rows have, once they are made.
    written: OnceLock<usize>,
}

/// An entity as a checkpoint takes it in.
struct Taken {
    key: EntityKey,
    /// With all of the entries, if it was in memory.
    record: Option<Arc<Record>>,
    entries: Vec<Arc<Entry>>,
}

impl Records {
    /// Takes an accepted entry. The caller has seen that it is new.
    pub(crate) fn push(&mut self, entry: Arc<Entry>) {
        self.entries += 1;
        self.weight += entry.weight();
        let hot = self.hot.entry(entry.key.clone()).or_default();
        if let Some(order) = self.order.as_mut().filter(|_| hot.unfolded.is_empty()) {
            order.insert(entry.key.clone());
        }
        hot.unfolded.push(entry);
    }

    /// How much the entries weigh that the checkpoint lacks, or the rows of the records that they change, if those are as large
    /// as the last ones.
    pub(crate) fn weight(&self) -> usize {
        self.weight.max(self.entries.saturating_mul(self.row) / ROW)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// An entity's record, if what the checkpoint has of it was read.
    pub(crate) fn peek(&mut self, key: &EntityKey) -> Option<Arc<Record>> {
        self.hot.get_mut(key)?.peek()
    }

    /// Whether the checkpoint's record of an entity is all that there is.
    pub(crate) fn is_settled(&self, key: &EntityKey) -> bool {
        self.hot.get(key).is_none_or(|hot| hot.unfolded.is_empty())
    }

    /// Whether what the checkpoint has of this entity is in memory.
    pub(crate) fn has_base(&self, key: &EntityKey) -> bool {
        self.hot.get(key).is_some_and(|hot| hot.record.is_some())
    }

    /// The creates of an entity that live, given those in the checkpoint, which count only where that is not in
    /// memory. The record itself is not made for it: in log order creates come and go by themselves alone.
    pub(crate) fn grounds(&self, key: &EntityKey, checkpoint: Option<&Dots>) -> Option<Dots> {
        let hot = self.hot.get(key);
        let (mut grounds, folded) = match hot.and_then(|hot| Some((hot, hot.record.as_ref()?))) {
            Some((hot, record)) => (record.grounds(), hot.folded),
            None => (checkpoint?.clone(), 0),
        };
        for entry in hot.map_or(&[][..], |hot| &hot.unfolded[folded..]) {
            note_grounds(&mut grounds, entry);
        }
        Some(grounds)
    }

    /// Keeps what the checkpoint, which was thawed just before, has of these entities: what was changed last is likely
    /// to be changed next.
    pub(crate) fn keep(&mut self, records: Vec<(EntityKey, Arc<Record>)>) {
        for (key, record) in records {
            let hot = self.hot.entry(key).or_default();
            if hot.record.is_none() {
                self.kept += record.weight();
                (hot.record, hot.folded) = (Some(record), 0);
            }
        }
    }

    /// Gives what was read from the checkpoint of this generation; ignored if there was another one since.
    pub(crate) fn give(&mut self, key: &EntityKey, generation: u64, record: Option<Record>) {
        if generation != self.generation {
            return;
        }
        self.make_room();
        let hot = self.hot.entry(key.clone()).or_default();
        if hot.record.is_none() {
            let record = record.unwrap_or_default();
            self.kept += record.weight();
            (hot.record, hot.folded) = (Some(Arc::new(record)), 0);
        }
    }

    /// The checkpoint's record with what was accepted since; the result is not kept.
    pub(crate) fn with_tail(&self, key: &EntityKey, mut record: Record) -> Arc<Record> {
        for entry in self.hot.get(key).map_or(&[][..], |hot| &hot.unfolded) {
            record.apply_in_order(entry);
        }
        Arc::new(record)
    }

    /// All entities that the checkpoint lacks something of.
    pub(crate) fn touched(&self) -> impl Iterator<Item = &EntityKey> {
        self.hot.iter().filter(|(_, hot)| !hot.unfolded.is_empty()).map(|(key, _)| key)
    }

    /// Those of a range, in order. O(log n) and what is found, but the first time behind a checkpoint O(n log n): whoever
    /// goes through all of them in pages does not go through all for each page.
    pub(crate) fn touched_within(&mut self, range: impl RangeBounds<EntityKey>) -> impl Iterator<Item = &EntityKey> {
        let hot = &self.hot;
        let order = self.order.get_or_insert_with(|| {
            hot.iter().filter(|(_, hot)| !hot.unfolded.is_empty()).map(|(key, _)| key.clone()).collect()
        });
        // A store that gives rows in no order may have it end before it begins.
        order.range((range.start_bound().cloned(), Bound::Unbounded)).take_while(move |key| range.contains(key))
    }

    /// What a checkpoint has to take in now.
    pub(crate) fn freeze(&mut self) -> Frozen {
        let unfolded = self.hot.iter_mut().filter(|(_, hot)| !hot.unfolded.is_empty());
        let taken =
            unfolded.map(|(key, hot)| Taken { key: key.clone(), record: hot.peek(), entries: hot.unfolded.clone() });
        let mut taken: Vec<Taken> = taken.collect();
        taken.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Frozen { taken, written: OnceLock::new() }
    }

    /// The checkpoint has taken these in.
    pub(crate) fn thaw(&mut self, frozen: &Frozen) {
        self.generation += 1;
        self.order = None;
        let written = frozen.written.get().copied().unwrap_or_default();
        self.row = written / frozen.taken.len().max(1);
        for Taken { key, entries, .. } in &frozen.taken {
            let Some(hot) = self.hot.get_mut(key) else { continue };
            hot.unfolded.drain(..entries.len());
            self.entries -= entries.len();
            self.weight -= entries.iter().map(|entry| entry.weight()).sum::<usize>();
            match hot.folded.checked_sub(entries.len()) {
                // It contains what the checkpoint contains now, and stands on it.
                Some(folded) if hot.record.is_some() => hot.folded = folded,
                _ => (hot.record, hot.folded) = (None, 0),
            }
        }
        self.hot.retain(|_, hot| hot.record.is_some() || !hot.unfolded.is_empty());
        self.kept = self.hot.values().filter_map(|hot| hot.record.as_ref()).map(|record| record.weight()).sum();
        self.make_room();
        // Behind much that came in, little would lie far apart in the room for much.
        if self.hot.capacity() > SPARSE * self.hot.len().max(CACHED) {
            self.hot.shrink_to(CACHED);
        }
    }

    /// Lets go of records that are no different from the checkpoint's where there are many.
    fn make_room(&mut self) {
        if self.kept >= CACHED {
            self.hot.retain(|_, hot| !hot.unfolded.is_empty());
            self.kept = 0;
        }
    }

    /// Forgets everything: the store's records were replaced.
    pub(crate) fn clear(&mut self) {
        *self = Self { generation: self.generation + 1, ..Self::default() };
    }

    /// What was read before this generation is no base for what comes.
    pub(crate) fn go_on_from(&mut self, generation: u64) {
        self.generation = generation + 1;
    }
}

impl Hot {
    /// The record with all that was accepted, if what the checkpoint has of it was read.
    fn peek(&mut self) -> Option<Arc<Record>> {
        let record = self.record.as_mut()?;
        if self.folded < self.unfolded.len() {
            let folding = Arc::make_mut(record);
            for entry in &self.unfolded[self.folded..] {
                folding.apply_in_order(entry);
            }
            self.folded = self.unfolded.len();
        }
        Some(record.clone())
    }
}

impl Frozen {
    /// The rows that the checkpoint puts and drops. Reads the store's records: no lock of the state is needed.
    pub(crate) fn rows(&self, store: &dyn Store, table: Table) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        let mut written = 0;
        for Taken { key, record, entries } in &self.taken {
            let read;
            let record = match record {
                Some(record) => record,
                None => {
                    let mut record = table.load(store, key)?.unwrap_or_default();
                    entries.iter().for_each(|entry| record.apply_in_order(entry));
                    read = Arc::new(record);
                    if rows.weight < KEPT {
                        rows.weight += read.weight();
                        rows.read.push((key.clone(), read.clone()));
                    }
                    &read
                }
            };
            if record.is_empty() {
                rows.drops.push(table.place(key));
            } else {
                let row = table.row(key, record);
                written += row.1.len();
                rows.puts.push(row);
            }
        }
        // Made anew, they are the same.
        let _ = self.written.set(written);
        Ok(rows)
    }
}

/// Changes of the store's map.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) puts: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) drops: Vec<Vec<u8>>,
    /// Some of the records that were not in memory.
    pub(crate) read: Vec<(EntityKey, Arc<Record>)>,
    /// Of those.
    weight: usize,
}

/// What an entry changes of the creates that live.
pub(crate) fn note_grounds(grounds: &mut Dots, entry: &Entry) {
    match entry.action {
        Action::Create => grounds.push(entry.dot().clone()),
        Action::Purge => grounds.retain(|dot| !entry.of.contains(dot)),
        _ => {}
    }
}
