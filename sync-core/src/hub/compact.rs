//! Keeping the log bounded: rows are dropped that the records contain.

use std::sync::PoisonError;

use super::index::{Foreign, Intended, Place};
use super::inner::Inner;
use super::row::{Logged, Row};
use crate::error::Error;
use crate::store::Checkpoint;

/// How many rows of the journal are dropped in one step.
const STEP: usize = 64;
/// The most steps that one pusher takes for all.
const STEPS_AT_ONCE: usize = 128;

impl Inner {
    /// Drops log rows before the last `keep` entries, with what is known of single entries in them.
    pub(super) fn compact(&self, keep: u64) -> Result<(), Error> {
        self.checkpoint()?;
        while self.drop_rows(keep)? {}
        Ok(self.store().reclaim()?)
    }

    /// Drops a few rows; whether there may be more.
    fn drop_rows(&self, keep: u64) -> Result<bool, Error> {
        let _at_it = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        let (covers, head) = {
            let (state, _) = self.fresh()?;
            (state.covers, state.durable.seq)
        };
        let first = self.store().heads()?.first;
        let mut change = Checkpoint { covers, drop_before: first, ..Checkpoint::default() };
        for (position, bytes) in self.store().journal(first, STEP)? {
            let row = Row::open(position, &bytes)?;
            // What the checkpoint does not cover, and what is to be kept, stays.
            if position > covers || row.end().seq > head.saturating_sub(keep) {
                break;
            }
            change.drop_before = position + 1;
            change.drops.extend(row.entries().iter().flat_map(places));
        }
        let dropped = change.drop_before > first;
        if dropped {
            self.store().checkpoint(&change)?;
        }
        Ok(dropped)
    }

    /// Drops rows if the log is longer than twice what is to be kept.
    pub(super) fn compact_if_due(&self) {
        let Some(keep) = self.settings.keep_entries else { return };
        let length = self.extent().ok().and_then(|extent| Some(extent.head.seq + 1 - self.tail(&extent).ok()?));
        if length.is_none_or(|length| length <= keep.saturating_mul(2)) {
            return;
        }
        // What failed is tried again after the next checkpoint. The space is used again; giving it back could
        // hold up everyone for long, and is for whoever calls `compact`.
        let _ = (0..STEPS_AT_ONCE).try_for_each(|_| matches!(self.drop_rows(keep), Ok(true)).then_some(()));
    }
}

/// The keys under which an entry can be found.
fn places(logged: &Logged) -> Vec<Vec<u8>> {
    let mut places = vec![Place::place(logged.entry.dot())];
    places.extend(logged.intent.map(Intended::place));
    if let Some(id) = &logged.entry.foreign_id {
        places.push(Foreign::place(logged.entry.origin.author(), id));
    }
    places
}
