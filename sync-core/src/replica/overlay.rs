//! What shows: the accepted record with the pending entries over it, kept for entities that are being worked on.

use std::sync::Arc;

use smallvec::SmallVec;

use super::cold::Read;
use super::state::State;
use crate::model::entry::{EntityKey, Entry, Map};
use crate::model::record::Record;

/// How much the records weigh that are kept.
const CACHED: usize = 16_384;

/// Records as they show, of entities with pending entries.
#[derive(Default)]
pub(crate) struct Shown {
    over: Map<Over>,
    /// Of the records that were put here since room was made, and of those that stayed.
    weight: usize,
}

struct Over {
    record: Arc<Record>,
    /// The last pending entry that is in it; 0 if there is none.
    last: u64,
}

impl Shown {
    /// What was accepted of an entity changed, or what was pending otherwise than by another write.
    pub(crate) fn forget(&mut self, key: &EntityKey) {
        self.over.remove(key);
    }

    /// Lets go of half of what is kept, whichever, where it is much.
    fn make_room(&mut self) {
        if self.weight >= CACHED {
            let mut stays = false;
            self.over.retain(|_, _| {
                stays = !stays;
                stays
            });
            self.weight = self.over.values().map(|over| over.record.weight()).sum();
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl State {
    /// What an entity shows, if that is kept: with what was written to it since.
    pub(super) fn kept(&mut self, key: &EntityKey) -> Option<Arc<Record>> {
        let Self { shown, pending, names, .. } = self;
        let over = shown.over.get_mut(key)?;
        let new = pending.of(key).rev().take_while(|local| *local > over.last);
        let new: SmallVec<[(u64, &Arc<Entry>); 4]> =
            new.filter_map(|local| Some((local, &pending.get(local)?.entry))).collect();
        if let Some((last, _)) = new.first() {
            over.last = *last;
            // In place, if nobody else holds it.
            let record = Arc::make_mut(&mut over.record);
            new.iter().rev().for_each(|(_, entry)| record.apply_in_order(&names.resolved(entry)));
        }
        Some(over.record.clone())
    }

    /// Pending entries are about to leave memory: what is kept takes them in, for they could not be folded later.
    pub(super) fn complete_kept(&mut self) {
        let is_behind = |(key, over): (&EntityKey, &Over)| {
            let last = self.pending.of(key).next_back();
            last.is_some_and(|last| last > over.last).then(|| key.clone())
        };
        let behind: Vec<EntityKey> = self.shown.over.iter().filter_map(is_behind).collect();
        for key in behind {
            self.kept(&key);
        }
    }

    /// A record with the pending entries over it, as far as that follows from what is in memory.
    pub(super) fn shown(&mut self, key: &EntityKey, accepted: &Arc<Record>) -> Option<Arc<Record>> {
        if self.pending.cold.count > 0 {
            return None;
        }
        Some(if self.pending.of(key).len() == 0 {
            accepted.clone()
        } else {
            self.show(key, accepted.clone(), &Read::default())
        })
    }

    /// A record with the pending entries over it: those in memory, and those that were read. Kept, so that the next write to
    /// the entity folds only what is new.
    pub(super) fn show(&mut self, key: &EntityKey, accepted: Arc<Record>, read: &Read) -> Arc<Record> {
        let mut record = accepted;
        let entries: Vec<_> = self.over(key, read).collect();
        if !entries.is_empty() {
            let record = Arc::make_mut(&mut record);
            entries.iter().for_each(|entry| record.apply_in_order(entry));
        }
        let last = self.pending.of(key).next_back().max(read.entries.keys().next_back().copied());
        self.shown.make_room();
        self.shown.weight += record.weight();
        self.shown.over.insert(key.clone(), Over { record: record.clone(), last: last.unwrap_or(0) });
        record
    }

    /// The same of one that is read in passing: nothing is kept.
    pub(super) fn overlaid(&self, key: &EntityKey, accepted: Arc<Record>, read: &Read) -> Arc<Record> {
        if read.entries.is_empty() && self.pending.of(key).len() == 0 {
            return accepted;
        }
        let mut record = (*accepted).clone();
        self.over(key, read).for_each(|entry| record.apply_in_order(&entry));
        Arc::new(record)
    }
}
