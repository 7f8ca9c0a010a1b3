//! Checkpoints: what memory holds beyond the store's map is folded into it, in one step; and compaction.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::query::local_place;
use super::state::State;
use super::{Replica, meta};
use crate::error::Error;
use crate::model::codec::Writer;
use crate::records::{Frozen, Table};
use crate::seal;
use crate::store::{Checkpoint, Position};

/// How many times as many entries may wait for a checkpoint while more are coming in.
const OVERDUE: usize = 16;

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
        self.checkpoint_dropping(true)?;
        Ok(self.inner.journal.store().reclaim()?)
    }

    /// Does something with the map while no checkpoint is under way.
    pub(super) fn with_checkpointer<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
        while !self.inner.checkpointer.begin() {
            self.inner.checkpointer.wait();
        }
        let result = work();
        self.inner.checkpointer.end();
        result
    }

    fn checkpoint_dropping(&self, drop: bool) -> Result<(), Error> {
        self.with_checkpointer(|| self.fold_checkpoint(drop))
    }

    fn fold_checkpoint(&self, drop: bool) -> Result<(), Error> {
        self.settle_doubt()?;
        let store = self.inner.journal.store().clone();
        if self.state().wiped {
            self.sweep_wiped()?;
        }
        let (frozen, mut checkpoint, table, undecided) = {
            let mut state = self.state();
            let covers = self.inner.journal.last();
            let mut checkpoint = Checkpoint { covers, ..Checkpoint::default() };
            checkpoint.puts.push(meta::row(&state));
            let mut undecided = Vec::new();
            for (local, pending) in state.pending.iter().filter(|(_, pending)| !pending.stored) {
                checkpoint.puts.push(meta::pending_row(*local, pending));
                undecided.push(*local);
            }
            for (local, aside) in state.aside.iter().filter(|(_, aside)| !aside.stored) {
                checkpoint.puts.push(meta::aside_row(*local, aside));
                undecided.push(*local);
            }
            for local in &state.dropped {
                if !state.pending.contains_key(local) {
                    checkpoint.drops.push(meta::pending_place(*local));
                }
                if !state.aside.contains_key(local) {
                    checkpoint.drops.push(meta::aside_place(*local));
                }
            }
            for (key, fields) in &state.local {
                let mut w = Writer::plain();
                super::row::write_fields(&mut w, fields);
                let place = local_place(key);
                let row = seal::seal(&place, &w.finish());
                checkpoint.puts.push((place, row));
            }
            (state.records.freeze(), checkpoint, state.table, undecided)
        };
        // The map must never be ahead of the journal: what it covers is durable first.
        self.inner.journal.wait(checkpoint.covers)?;
        let rows = frozen.rows(&*store, table)?;
        checkpoint.puts.extend(rows.puts);
        checkpoint.drops.extend(rows.drops);
        if drop {
            checkpoint.drop_before = checkpoint.covers + 1;
        } else if let Some(keep) = self.inner.keep_commits {
            let kept = checkpoint.covers.saturating_sub(store.heads()?.first);
            if kept > keep.saturating_mul(2) {
                checkpoint.drop_before = checkpoint.covers + 1 - keep;
            }
        }
        let written = Written { covers: checkpoint.covers, table, frozen, undecided };
        let Err(error) = store.checkpoint(&checkpoint) else {
            let last = self.inner.journal.last();
            self.state().take_in(&written, last);
            return Ok(());
        };
        self.state().doubt = Some(written);
        if self.settle_doubt()? { Ok(()) } else { Err(error.into()) }
    }

    /// Finds out whether a checkpoint that failed was carried out all the same. Until that is known nothing can be
    /// read: what is in memory might lie over a map that contains it already.
    pub(super) fn settle_doubt(&self) -> Result<bool, Error> {
        if self.state().doubt.is_none() {
            return Ok(true);
        }
        let covers = self.inner.journal.store().heads()?.covers;
        let last = self.inner.journal.last();
        let mut state = self.state();
        let Some(written) = state.doubt.take() else { return Ok(true) };
        let is_done = covers >= written.covers;
        if is_done {
            state.take_in(&written, last);
        }
        Ok(is_done)
    }

    /// What was wiped goes from the map before the checkpoint counts that says so.
    fn sweep_wiped(&self) -> Result<(), Error> {
        let store = self.inner.journal.store();
        self.inner.journal.flush()?;
        for prefix in meta::WIPED {
            loop {
                let rows = store.range(prefix, &[prefix[0] + 1], 1_024)?;
                if rows.is_empty() {
                    break;
                }
                let drops = rows.into_iter().map(|(place, _)| place).collect();
                let covers = store.heads()?.covers;
                store.checkpoint(&Checkpoint { covers, drops, ..Checkpoint::default() })?;
            }
        }
        let mut state = self.state();
        state.wiped = false;
        state.pending.values_mut().for_each(|pending| pending.stored = false);
        state.aside.values_mut().for_each(|aside| aside.stored = false);
        Ok(())
    }

    /// Makes a checkpoint if one is due: beside the caller where there are threads.
    pub(super) fn checkpoint_if_due(&self) {
        self.checkpoint_if_after(self.inner.checkpoint_after);
    }

    /// The same while much is coming in: a record that many entries are about takes them all in at once.
    pub(super) fn checkpoint_if_overdue(&self) {
        self.checkpoint_if_after(self.inner.checkpoint_after.saturating_mul(OVERDUE));
    }

    fn checkpoint_if_after(&self, entries: usize) {
        let due = {
            let state = self.state();
            state.records.entries() + state.dropped.len() >= entries
        };
        if !due || !self.inner.checkpointer.begin() {
            return;
        }
        #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
        if self.inner._flusher.is_some() {
            // Before the thread says so it is nobody's: whoever waits, waits, and this thread too.
            self.inner.checkpointer.hand_over();
            let (replica, checkpointer) = (self.clone(), self.inner.checkpointer.clone());
            let work = move || {
                checkpointer.is_here();
                // A checkpoint that fails loses nothing: the journal has everything, and the next one is tried again.
                let _ = replica.fold_checkpoint(false);
                drop(replica);
                checkpointer.end();
            };
            if std::thread::Builder::new().name("sync-checkpoint".into()).spawn(work).is_err() {
                self.inner.checkpointer.end();
            }
            return;
        }
        let _ = self.fold_checkpoint(false);
        self.inner.checkpointer.end();
    }
}

/// A checkpoint that was written, or may have been.
pub(super) struct Written {
    covers: Position,
    table: Table,
    frozen: Frozen,
    /// Pending and set-aside entries that are in it.
    undecided: Vec<u64>,
}

impl State {
    /// The map contains a checkpoint now. `last` is where the journal ends.
    fn take_in(&mut self, written: &Written, last: Position) {
        if self.table == written.table {
            self.records.thaw(&written.frozen);
        }
        // What changed while the checkpoint was written has to be written again by the next one.
        if last != written.covers {
            return;
        }
        self.dropped.clear();
        self.local.clear();
        for local in &written.undecided {
            if let Some(pending) = self.pending.get_mut(local) {
                pending.stored = true;
            }
            if let Some(aside) = self.aside.get_mut(local) {
                aside.stored = true;
            }
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

/// Whether a checkpoint is under way; there is never more than one.
#[derive(Default)]
pub(super) struct Checkpointer {
    busy: Mutex<Option<Busy>>,
    ended: Condvar,
}

#[derive(Clone, Copy)]
struct Busy(Option<ThreadId>);

impl Checkpointer {
    /// Takes the right to make one, if nobody has it.
    fn begin(&self) -> bool {
        let mut busy = self.busy();
        let free = busy.is_none();
        if free {
            *busy = Some(Busy(Some(std::thread::current().id())));
        }
        free
    }

    /// Another thread is going to make it.
    fn hand_over(&self) {
        *self.busy() = Some(Busy(None));
    }

    /// It is this thread that makes it.
    fn is_here(&self) {
        *self.busy() = Some(Busy(Some(std::thread::current().id())));
    }

    fn end(&self) {
        *self.busy() = None;
        self.ended.notify_all();
    }

    /// Waits until none is under way, unless this thread makes it.
    fn wait(&self) {
        let this = std::thread::current().id();
        let mut busy = self.busy();
        while busy.is_some_and(|Busy(thread)| thread != Some(this)) {
            busy = self.ended.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn busy(&self) -> MutexGuard<'_, Option<Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
