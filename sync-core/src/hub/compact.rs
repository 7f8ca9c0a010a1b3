//! Keeping the log bounded: rows are dropped that the records contain.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{MutexGuard, PoisonError};

use super::batch::{Intents, Logged, Stretch};
use super::index::{Foreign, Numbers, Outlived};
use super::inner::Inner;
use super::row::Row;
use crate::error::Error;
use crate::model::stamp::Dot;
use crate::store::{Checkpoint, Position, StoreError};

/// How many rows of the journal are dropped in one step.
const STEP: usize = 64;
/// The most steps that one pusher takes for all.
const STEPS_AT_ONCE: usize = 128;
/// Giving space back takes the store to itself and writes most of it anew: not for fewer dropped entries than this.
const WORTH_RECLAIMING: u64 = 65_536;
/// How many runs of intents outlive the rows that they came with: an eighth of the entries that are kept within these
/// bounds, and so many where nothing is said.
const OUTLIVED_BOUNDS: std::ops::RangeInclusive<u64> = 256..=65_536;
const OUTLIVED: u64 = 8_192;
/// How often, at most, all records are looked at for what was deleted long ago, in milliseconds.
const PURGE_EVERY: std::ops::RangeInclusive<u64> = 60_000..=86_400_000;

/// What a hub keeps when it compacts its log and purges by itself: all, where nothing is said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retention {
    /// About so many of the log's last entries.
    pub(super) entries: Option<u64>,
    /// Entries that were accepted within so many milliseconds.
    pub(super) age: Option<u64>,
    /// Deleted entities, for so many milliseconds.
    pub(super) deleted: Option<u64>,
}

/// What was dropped, and when.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// Entries, since space was given back the last time.
    dropped: u64,
    /// When the records were last looked at for what was deleted long ago.
    purged: Option<u64>,
    /// How many runs of intents outlive their rows, once they were counted.
    outlived: Option<usize>,
}

/// Which rows may go: those before both.
#[derive(Clone, Copy)]
struct Bounds {
    /// Up to this entry of the log.
    seq: u64,
    /// Or written before this moment.
    at: u64,
}

impl Bounds {
    fn drops(self, row: &Row) -> bool {
        row.end.seq <= self.seq || row.at < self.at
    }
}

/// What a round of upkeep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Maintained {
    /// How many entries went from the log.
    pub dropped: u64,
    /// How many deleted entities were purged.
    pub purged: u64,
    /// Whether space was given back to the system.
    pub reclaimed: bool,
}

impl Inner {
    /// Drops log rows before the last `keep` entries, with what is known of single entries in them.
    pub(super) fn compact(&self, keep: u64) -> Result<(), Error> {
        self.checkpoint()?;
        while self.drop_rows(Some(keep), |head| Bounds { seq: head.saturating_sub(keep), at: 0 })? > 0 {}
        self.reclaim()
    }

    fn reclaim(&self) -> Result<(), Error> {
        self.upkeep().dropped = 0;
        Ok(self.store().reclaim()?)
    }

    /// A round of upkeep: purges, compacts and gives space back, each as far as it is time for it.
    pub(super) fn maintain(&self) -> Result<Maintained, Error> {
        let mut done = Maintained::default();
        if let Some(before) = self.purge_due() {
            done.purged = self.purge(before)?;
        }
        if self.is_compaction_due()? {
            self.checkpoint()?;
            loop {
                match self.drop_rows(self.settings.retention.entries, |head| self.bounds(head))? {
                    0 => break,
                    dropped => done.dropped += dropped,
                }
            }
        }
        if self.upkeep().dropped >= WORTH_RECLAIMING {
            self.reclaim()?;
            done.reclaimed = true;
        }
        Ok(done)
    }

    fn upkeep(&self) -> MutexGuard<'_, Upkeep> {
        // It only counts: a panic cannot leave it wrong.
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before which logical time what was deleted is to be purged now. It takes looking at all records, and so is done
    /// only every so often.
    fn purge_due(&self) -> Option<u64> {
        let age = self.settings.retention.deleted?;
        let (now, every) = (self.now(), (age / 16).clamp(*PURGE_EVERY.start(), *PURGE_EVERY.end()));
        let mut upkeep = self.upkeep();
        // A clock that was set back far is not waited for.
        if upkeep.purged.is_some_and(|last| now.abs_diff(last) < every) {
            return None;
        }
        upkeep.purged = Some(now);
        Some(now.saturating_sub(age))
    }

    fn bounds(&self, head: u64) -> Bounds {
        let Retention { entries, age, .. } = self.settings.retention;
        Bounds {
            seq: entries.map_or(0, |entries| head.saturating_sub(entries)),
            at: age.map_or(0, |age| self.now().saturating_sub(age)),
        }
    }

    /// Whether the log has so much more than is to be kept that it is worth looking: half as much again, or a sixteenth
    /// of the age.
    fn is_compaction_due(&self) -> Result<bool, Error> {
        let Retention { entries, age, .. } = self.settings.retention;
        if entries.is_none() && age.is_none() {
            return Ok(false);
        }
        let (head, heads) = {
            let (state, heads) = self.fresh()?;
            (state.durable.seq, heads)
        };
        let Some((begins, at)) = self.rows.begins(self.store(), heads.first.max(1))? else { return Ok(false) };
        let slack = |keep: u64, part: u64| keep.saturating_add((keep / part).max(1));
        let is_long = entries.is_some_and(|keep| head - begins > slack(keep, 2));
        let is_old = age.is_some_and(|age| self.now().saturating_sub(at) > slack(age, 16) && head > begins);
        Ok(is_long || is_old)
    }

    /// Drops a few rows; how many entries were in them, or at least one if rows were dropped. `keep` is how many are to be
    /// kept, if that is said.
    fn drop_rows(&self, keep: Option<u64>, bounds: impl Fn(u64) -> Bounds) -> Result<u64, Error> {
        let _at_it = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        let (covers, head) = {
            let (state, _) = self.fresh()?;
            (state.covers, state.durable.seq)
        };
        let bounds = bounds(head);
        let first = self.store().heads()?.first;
        let mut change = Checkpoint { covers, drop_before: first, ..Checkpoint::default() };
        let (mut dropped, mut end, mut outlived) = (0, 0, 0);
        for (position, bytes) in self.store().journal(first, STEP)? {
            let row = Row::open(position, &bytes)?;
            // What the checkpoint does not cover, and what is to be kept, stays.
            if position > covers || !bounds.drops(&row) {
                break;
            }
            change.drop_before = position + 1;
            change.drops.extend(places(&row)?);
            let intents: Vec<u128> =
                row.batch().map_or(&[][..], |batch| batch.intents()).iter().map(Intents::last).collect();
            if !intents.is_empty() {
                outlived += intents.len();
                change.puts.push(Outlived::row(row.end.seq, &intents));
            }
            dropped += row.steps();
            end = row.end.seq;
        }
        if change.drop_before == first {
            return Ok(0);
        }
        self.store().checkpoint(&change)?;
        self.tail_seen.fetch_max(end + 1, Relaxed);
        let counted = {
            let mut upkeep = self.upkeep();
            upkeep.dropped += dropped;
            upkeep.outlived.take().map(|before| before + outlived)
        };
        let counted = self.forget_intents(counted, keep, covers, change.drop_before)?;
        self.upkeep().outlived = Some(counted);
        Ok(dropped.max(1))
    }

    /// Drops the oldest of the intents that outlived their rows, where there are too many; how many there are then.
    fn forget_intents(
        &self,
        counted: Option<usize>,
        keep: Option<u64>,
        covers: Position,
        first: Position,
    ) -> Result<usize, StoreError> {
        let mut count = match counted {
            Some(count) => count,
            None => self.count_outlived()?,
        };
        let bounded = |keep: u64| (keep / 8).clamp(*OUTLIVED_BOUNDS.start(), *OUTLIVED_BOUNDS.end());
        let most = keep.map_or(OUTLIVED, bounded);
        while count as u64 > most {
            let mut drops = Vec::new();
            for oldest in Outlived::load(self.store(), None, STEP)? {
                // They go row by row, and so many as are to be kept stay.
                let rest = count.saturating_sub(oldest.intents.len());
                if (rest as u64) < most {
                    break;
                }
                count = rest;
                drops.extend(oldest.places());
            }
            if drops.is_empty() {
                break;
            }
            self.store().checkpoint(&Checkpoint { covers, drop_before: first, drops, ..Checkpoint::default() })?;
        }
        Ok(count)
    }

    fn count_outlived(&self) -> Result<usize, StoreError> {
        let (mut count, mut last) = (0, None);
        loop {
            let rows = Outlived::load(self.store(), last.as_deref(), 1_024)?;
            let Some(end) = rows.last() else { return Ok(count) };
            last = Some(end.place.clone());
            count += rows.iter().map(|row| row.intents.len()).sum::<usize>();
        }
    }

    /// Drops rows if the log is much longer, or older, than is to be kept.
    pub(super) fn compact_if_due(&self) {
        // What failed is tried again after the next checkpoint. The space is used again; giving it back could
        // hold up everyone for long, and is for whoever calls `maintain` or `compact`.
        if self.is_compaction_due().unwrap_or(false) {
            let drop = |_| {
                matches!(self.drop_rows(self.settings.retention.entries, |head| self.bounds(head)), Ok(1..))
                    .then_some(())
            };
            let _ = (0..STEPS_AT_ONCE).try_for_each(drop);
        }
    }
}

/// The keys under which a row's entries can be found, but for their intents. Only foreign ones have to be read for that.
fn places(row: &Row) -> Result<Vec<Vec<u8>>, StoreError> {
    let Some(batch) = row.batch() else { return Ok(Vec::new()) };
    let last = |stretch: &Stretch| Numbers::place_of(&Dot::new(stretch.client.clone(), stretch.last()));
    let mut places: Vec<Vec<u8>> = batch.stretches().iter().map(last).collect();
    if batch.stretches().iter().any(|stretch| stretch.is_foreign) {
        for Logged { entry, .. } in row.entries()? {
            places.extend(entry.foreign_id.as_ref().map(|id| Foreign::place(entry.origin.author(), id)));
        }
    }
    Ok(places)
}
