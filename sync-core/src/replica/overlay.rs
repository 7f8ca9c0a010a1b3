//! What shows: the accepted record with the pending entries over it, kept for entities that are being worked on.

use std::collections::HashMap;
use std::sync::Arc;

use super::cold::Read;
use super::pending::Queue;
use super::state::State;
use crate::model::entry::EntityKey;
use crate::model::record::Record;

/// How many entities are kept.
const CACHED: usize = 8_192;

/// Records as they show, of entities with pending entries.
#[derive(Default)]
pub(crate) struct Shown(HashMap<EntityKey, Over>);

struct Over {
    /// What lies below: another record makes this one worthless.
    accepted: Arc<Record>,
    record: Arc<Record>,
    /// The last pending entry that is in it; 0 if there is none.
    last: u64,
}

impl Shown {
    /// What was pending of an entity changed otherwise than by another write.
    pub(crate) fn forget(&mut self, key: &EntityKey) {
        self.0.remove(key);
    }

    /// Pending entries are about to leave memory: what does not have all of its entity's could not be advanced any more.
    pub(super) fn keep_complete(&mut self, pending: &Queue) {
        self.0.retain(|key, over| pending.of(key).next_back().is_none_or(|last| last <= over.last));
    }

    /// Lets go of half of what is kept, whichever, where it is much.
    fn make_room(&mut self) {
        if self.0.len() >= CACHED {
            let mut stays = false;
            self.0.retain(|_, _| {
                stays = !stays;
                stays
            });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl State {
    /// A record with the pending entries over it, as far as that follows from what is in memory.
    pub(super) fn shown(&mut self, key: &EntityKey, accepted: &Arc<Record>) -> Option<Arc<Record>> {
        let last = self.pending.of(key).next_back();
        let is_kept = self.shown.0.get(key).is_some_and(|over| Arc::ptr_eq(&over.accepted, accepted));
        if !is_kept && self.pending.cold.count > 0 {
            return None;
        }
        match last {
            None if !is_kept => Some(accepted.clone()),
            _ => Some(self.show(key, accepted.clone(), &Read::default())),
        }
    }

    /// A record with the pending entries over it: those in memory, and those that were read. Kept, so that the next write to
    /// the entity folds only what is new.
    pub(super) fn show(&mut self, key: &EntityKey, accepted: Arc<Record>, read: &Read) -> Arc<Record> {
        // Taken out, so that it is changed in place if nobody else holds it.
        let over = self.shown.0.remove(key).filter(|over| Arc::ptr_eq(&over.accepted, &accepted));
        let mut over = match over {
            Some(over) => over,
            None => {
                let mut record = accepted.clone();
                let entries: Vec<_> = self.over(key, read).collect();
                if !entries.is_empty() {
                    let record = Arc::make_mut(&mut record);
                    entries.iter().for_each(|entry| record.apply_in_order(entry));
                }
                let last = self.pending.of(key).next_back().max(read.entries.keys().next_back().copied());
                Over { record, accepted, last: last.unwrap_or(0) }
            }
        };
        let new = self.pending.of(key).rev().take_while(|local| *local > over.last);
        let new: Vec<_> = new.filter_map(|local| Some((local, self.pending.get(local)?.entry.clone()))).collect();
        if let Some((last, _)) = new.first() {
            over.last = *last;
            let record = Arc::make_mut(&mut over.record);
            new.iter().rev().for_each(|(_, entry)| record.apply_in_order(&self.resolved(entry)));
        }
        let record = over.record.clone();
        self.shown.make_room();
        self.shown.0.insert(key.clone(), over);
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
