//! Checkpoints: what memory holds beyond the store's map is folded into it, in one step; and compaction.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use super::blocks::{self, Block, Run};
use super::checkpointer::Checkpointer;
use super::intents;
use super::keep::Mark;
use super::query::local_place;
use super::session::Session;
use super::state::{Aside, State};
use super::status::Phase;
use super::{Replica, meta};
use crate::entity::Fields;
use crate::error::Error;
use crate::model::codec::Writer;
use crate::model::entry::EntityKey;
use crate::records::{Frozen, Table};
use crate::seal;
use crate::store::{Checkpoint, KeyValue, Position, Store, StoreError};

/// How many pending entries weigh as much as one that was accepted: they are written into the map as they are, and
/// while there are more they cost memory and time at the next opening.
const PENDING_WEIGHT: usize = 4;

/// How many times as many entries may wait for a checkpoint while more are coming in.
const OVERDUE: usize = 16;

/// How many times as many may be in memory while one is under way: then what comes in waits for it, because a disk that is
/// slower than what comes in would have all of that in memory.
const FLOOD: usize = 4 * OVERDUE;

impl Replica {
    /// Brings the records' checkpoint up to date. Done by itself every few thousand entries; after it, opening
    /// replays nothing. Writers wait for it at most as long as one commit of that size takes.
    ///
    /// # Errors
    /// If storage failed; nothing was changed then.
    pub fn checkpoint(&self) -> Result<(), Error> {
        self.checkpoint_dropping(false)
    }

    /// Drops from the journal all that is folded and decided, and gives the space back. Entries that are pending
    /// or were set aside stay.
    ///
    /// # Errors
    /// If storage failed; nothing was changed then.
    pub fn compact(&self) -> Result<(), Error> {
        let _working = self.working(Phase::Compacting);
        self.progress(|status| status.work.total = Some(2));
        self.checkpoint_dropping(true)?;
        self.progress(|status| status.work.done = 1);
        self.inner.journal.store().reclaim()?;
        self.state().marks.given_back();
        Ok(())
    }

    /// Does something with the map while no checkpoint is under way.
    pub(super) fn with_checkpointer<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
        while !self.inner.checkpointer.begin() {
            if self.inner.checkpointer.is_mine() {
                // A waker that is told of a commit may be anything.
                return Err(Error::Nested);
            }
            self.inner.checkpointer.wait();
        }
        let _turn = Turn(&self.inner.checkpointer);
        work()
    }

    fn checkpoint_dropping(&self, drop: bool) -> Result<(), Error> {
        self.with_checkpointer(|| self.fold_checkpoint(drop))
    }

    fn fold_checkpoint(&self, drop: bool) -> Result<(), Error> {
        self.covers()?;
        let store = self.inner.journal.store().clone();
        // A wipe waits for whoever makes a checkpoint: there is none between this and what is taken in.
        if self.state().wiped {
            self.sweep_wiped()?;
        }
        let written = {
            let time = self.wall();
            let mut state = self.state();
            let (position, bytes) = self.inner.journal.end();
            state.freeze(Mark { position, time, bytes })
        };
        let ended = self.rows_of(&written, drop).and_then(|checkpoint| {
            store.checkpoint(&checkpoint)?;
            Ok(checkpoint.drop_before)
        });
        match ended {
            Ok(drop_before) => {
                let mut state = self.state();
                state.take_in(&written);
                state.marks.dropped_before(drop_before);
                Ok(())
            }
            Err(error) => {
                self.state().doubt(&written);
                // It may have been carried out all the same.
                if written.is_seen_at(self.covers()?) { Ok(()) } else { Err(error) }
            }
        }
    }

    /// The rows of a checkpoint, made without holding up anybody.
    fn rows_of(&self, written: &Written, drop: bool) -> Result<Checkpoint, Error> {
        let store = self.inner.journal.store();
        let mut checkpoint = Checkpoint { covers: written.mark.position, ..Checkpoint::default() };
        checkpoint.puts.extend(written.small.iter().cloned());
        written.put_undecided(&**store, &mut checkpoint)?;
        intents::add(&**store, &written.intents, &mut checkpoint)?;
        for (key, fields) in &written.local {
            let mut w = Writer::plain();
            super::row::write_fields(&mut w, fields);
            let place = local_place(key);
            let row = seal::written(&place, w);
            checkpoint.puts.push((place, row));
        }
        // The map must never be ahead of the journal: what it covers is durable first.
        self.inner.journal.wait(written.mark.position)?;
        let rows = written.frozen.rows(&**store, written.table)?;
        checkpoint.puts.extend(rows.puts);
        checkpoint.drops.extend(rows.drops);
        if drop {
            checkpoint.drop_before = checkpoint.covers + 1;
        } else {
            let first = store.heads()?.first;
            checkpoint.drop_before = self.state().marks.drop_before(self.inner.keep, first, written.mark);
        }
        Ok(checkpoint)
    }

    /// Finds out whether the checkpoint under way is in the store already: from then on what is read there contains what
    /// memory would lay over it once more. Whoever read the store's map calls this before it puts the two together.
    pub(super) fn settle_checkpoint(&self) -> Result<(), Error> {
        let Some(Underway { written, has_failed }) = self.state().underway.clone() else { return Ok(()) };
        let covers = self.inner.journal.store().heads()?.covers;
        let mut state = self.state();
        if written.is_seen_at(covers) {
            state.take_in(&written);
        } else if has_failed {
            state.give_back(&written);
        }
        Ok(())
    }

    /// What the store's map covers. Only for whoever makes a checkpoint, or sees to it that nobody does.
    ///
    /// # Errors
    /// [`StoreError::Moved`] if another replica on this store, which a replica must have for itself, brought it there:
    /// what is in memory was not taken in, or twice.
    pub(super) fn covers(&self) -> Result<Position, Error> {
        // One that is not settled is over, whatever became of who made it.
        if let Some(underway) = &mut self.state().underway {
            underway.has_failed = true;
        }
        self.settle_checkpoint()?;
        let heads = self.inner.journal.store().heads()?;
        if heads.covers == self.state().covers {
            Ok(heads.covers)
        } else {
            Err(StoreError::Moved { last: heads.last }.into())
        }
    }

    /// Makes a checkpoint if one is due: beside the caller where there are threads.
    pub(super) fn checkpoint_if_due(&self) {
        self.checkpoint_if_after(self.inner.checkpoint_after);
    }

    /// The same while much is coming in: a record that many entries are about takes them all in at once.
    fn checkpoint_if_overdue(&self) {
        self.checkpoint_if_after(self.inner.checkpoint_after.saturating_mul(OVERDUE));
    }

    /// Waits for the checkpoint that is under way, if there is no room for more beside it.
    pub(super) fn wait_if_flooded(&self) {
        if self.is_flooded() {
            self.inner.checkpointer.wait();
        }
    }

    /// Whether what came in is to wait for the checkpoint that is under way.
    fn is_flooded(&self) -> bool {
        let state = self.state();
        let unstored = state.records.weight() + state.pending.unstored_weight();
        unstored >= self.inner.checkpoint_after.saturating_mul(FLOOD)
    }

    fn checkpoint_if_after(&self, entries: usize) {
        let due = {
            let state = self.state();
            let pending = state.pending.unstored_weight() / PENDING_WEIGHT;
            state.records.weight() + state.dropped.len() + pending >= entries
        };
        if !due || !self.inner.checkpointer.begin() {
            return;
        }
        #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
        if self.inner.flusher.is_some() {
            // Before the thread says so it is nobody's: whoever waits, waits, and this thread too.
            self.inner.checkpointer.hand_over();
            let (replica, checkpointer) = (self.clone(), self.inner.checkpointer.clone());
            let work = move || {
                checkpointer.is_here();
                let _turn = Turn(&checkpointer);
                // The last handle may wait for this: it goes first.
                let replica = replica;
                // A checkpoint that fails loses nothing: the journal has everything, and the next one is tried again.
                let _ = replica.fold_checkpoint(false);
            };
            if std::thread::Builder::new().name("sync-checkpoint".into()).spawn(work).is_err() {
                self.inner.checkpointer.end();
            }
            return;
        }
        let _turn = Turn(&self.inner.checkpointer);
        let _ = self.fold_checkpoint(false);
    }
}

impl Session {
    /// Sees to it that memory does not hold all that comes in during a sync.
    pub(super) async fn make_room(&self) {
        self.checkpoint_if_overdue();
        if self.is_flooded() {
            self.offload(|session| session.wait_if_flooded()).await;
        }
    }
}

/// The right to make a checkpoint, given back however it ends: also where a store panics.
struct Turn<'a>(&'a Checkpointer);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A checkpoint of which it is not known whether the store's map contains it.
#[derive(Clone)]
pub(super) struct Underway {
    written: Arc<Written>,
    /// The store gave an error: it will not be carried out any more, but may have been.
    has_failed: bool,
}

impl Underway {
    /// What it brings into the map of which writes were accepted under which names.
    pub(super) fn intents(&self) -> &[intents::Run] {
        &self.written.intents
    }
}

/// What a checkpoint takes in.
pub(super) struct Written {
    /// What it covers.
    mark: Mark,
    /// What the one before covers.
    before: Position,
    table: Table,
    frozen: Frozen,
    /// The rows of what is small.
    small: Vec<KeyValue>,
    blocks: Vec<Block>,
    /// Pending entries that leave memory with it, and what the index has to tell of them.
    leaving: Option<Range<u64>>,
    run: Option<Run>,
    /// What goes from the index, and what it has from then on.
    ended: Vec<Range<u64>>,
    runs: Vec<Range<u64>>,
    aside: Vec<(u64, Aside)>,
    dropped: Vec<u64>,
    intents: Vec<intents::Run>,
    local: Vec<(EntityKey, Fields)>,
}

impl Written {
    /// The rows of entries that are not decided.
    fn put_undecided(&self, store: &dyn Store, checkpoint: &mut Checkpoint) -> Result<(), StoreError> {
        for block in &self.blocks {
            match block.entries.is_empty() {
                true => checkpoint.drops.push(block.place()),
                false => checkpoint.puts.push(block.row()),
            }
        }
        checkpoint.puts.extend(self.run.iter().flat_map(Run::rows));
        for run in &self.ended {
            checkpoint.drops.extend(blocks::places_of(store, run)?);
        }
        checkpoint.puts.extend(self.aside.iter().map(|(local, aside)| meta::aside_row(*local, aside)));
        // Drops come before puts: what is there again stays.
        checkpoint.drops.extend(self.dropped.iter().map(|local| meta::aside_place(*local)));
        Ok(())
    }

    /// Whether a store that covers this shows that it was carried out.
    fn is_seen_at(&self, covers: Position) -> bool {
        covers == self.mark.position && covers != self.before
    }
}

impl State {
    /// What a checkpoint has to take in now. What changes from here on is for the next one.
    fn freeze(&mut self, mark: Mark) -> Arc<Written> {
        self.marks.note(mark);
        let blocks = self.pending.take_unstored();
        let leaving = self.pending.leaving(self.next_local);
        let run = leaving.as_ref().and_then(|leaving| self.pending.unindexed(leaving));
        let (ended, mut runs) = self.pending.runs(leaving.as_ref());
        runs.extend(run.as_ref().map(|run| run.locals.clone()));
        let mut aside = Vec::new();
        for (local, entry) in self.aside.iter_mut().filter(|(_, aside)| !aside.stored) {
            entry.stored = true;
            aside.push((*local, entry.clone()));
        }
        let dropped = std::mem::take(&mut self.dropped);
        // Whatever has the place of one that is dropped is among what is put, or stands there as it is.
        let dropped = dropped.into_iter().filter(|local| !self.aside.contains_key(local)).collect();
        let written = Arc::new(Written {
            mark,
            before: self.covers,
            table: self.table,
            frozen: self.records.freeze(),
            small: vec![meta::row(self), meta::pending_row(self, &runs), meta::marks_row(&self.marks)],
            blocks,
            leaving,
            run,
            ended,
            runs,
            aside,
            dropped,
            intents: self.intents.take(),
            local: self.local.iter().map(|(key, fields)| (key.clone(), fields.clone())).collect(),
        });
        self.underway = Some(Underway { written: written.clone(), has_failed: false });
        written
    }

    /// The store gave an error for a checkpoint.
    fn doubt(&mut self, written: &Arc<Written>) {
        if let Some(underway) = self.underway.as_mut().filter(|underway| Arc::ptr_eq(&underway.written, written)) {
            underway.has_failed = true;
        }
    }

    /// Whether it was not known yet how this checkpoint ended. From now on it is.
    fn learn_of(&mut self, written: &Arc<Written>) -> bool {
        self.underway.take_if(|underway| Arc::ptr_eq(&underway.written, written)).is_some()
    }

    /// The map contains a checkpoint now.
    fn take_in(&mut self, written: &Arc<Written>) {
        if !self.learn_of(written) {
            return;
        }
        self.covers = written.mark.position;
        if self.table == written.table {
            self.records.thaw(&written.frozen);
        }
        for (key, fields) in &written.local {
            if self.local.get(key) == Some(fields) {
                self.local.remove(key);
            }
        }
        // A replica that was wiped meanwhile has nothing in the map yet.
        if !self.wiped {
            self.complete_kept();
            self.pending.cold.runs.clone_from(&written.runs);
            if let Some(leaving) = &written.leaving {
                self.pending.let_go(leaving.clone());
            }
        }
    }

    /// A checkpoint was not written: the next one has to take in what it would have.
    fn give_back(&mut self, written: &Arc<Written>) {
        if !self.learn_of(written) {
            return;
        }
        self.pending.give_back(&written.blocks);
        self.intents.give_back(&written.intents);
        for (local, _) in &written.aside {
            if let Some(aside) = self.aside.get_mut(local) {
                aside.stored = false;
            }
        }
        self.dropped.extend(&written.dropped);
    }
}

impl Drop for super::Inner {
    /// The safe moment: nobody reads or writes any more. What was cut off the journal since the file was opened is given
    /// back, if it is much.
    fn drop(&mut self) {
        // The one who appends for others ends first.
        #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
        drop(self.flusher.take());
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.marks.is_much_dropped() {
            // A failure loses nothing: the space is used again.
            let _ = self.journal.store().reclaim();
        }
    }
}

impl Drop for Replica {
    /// The last handle waits for the checkpoint under way, so that the store is free when it is gone.
    fn drop(&mut self) {
        if Arc::strong_count(&self.inner) <= 2 {
            self.inner.checkpointer.wait();
        }
    }
}
