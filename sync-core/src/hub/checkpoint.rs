//! Checkpoints: what was accepted goes into the store's map, so that memory and opening follow the tail alone.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, TryLockError};

use super::index::{MapRow, Meta, Run};
use super::inner::{Inner, is_moved};
use super::state::State;
use super::tail::FrozenTail;
use crate::error::Error;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::model::stamp::ClientId;
use crate::records::{Frozen, Table};
use crate::seal;
use crate::store::{Checkpoint, Position, StoreError};

/// A checkpoint is made of fewer entries than usual where they are large: in memory they take about four times this.
const MOST_BYTES: usize = 1 << 19;

/// From this fullness on pushes wait for the checkpoint: what they would bring meanwhile takes memory.
const OVERDUE: usize = 125;

/// The key of a row that tries whether the store can be written to. Nobody reads it.
const TRIAL: &[u8] = b"w";

/// How large that row is: about as much as a push brings. Less may find room on a disk that is full.
const TRIAL_BYTES: usize = 1 << 16;

/// The state as a checkpoint takes it in.
struct Snapped {
    restarts: u64,
    before: Position,
    meta: Meta,
    clients: Vec<MapRow>,
    changed: BTreeSet<ClientId>,
    tail: FrozenTail,
    records: Frozen,
    table: Table,
    /// What a joined snapshot told of single entries.
    joined: Vec<MapRow>,
}

impl Inner {
    /// How much was accepted since the last checkpoint, in hundredths of what one is made of. Where everything was refused,
    /// rows without entries have to be read at the next opening as well.
    fn fullness(&self) -> usize {
        let state = self.state();
        let rows = usize::try_from(state.position.saturating_sub(state.covers)).unwrap_or(usize::MAX);
        // They are smaller, and quick to read.
        let entries = state.tail.len().max(state.records.weight()).max(rows / 4);
        let entries = entries.saturating_mul(100) / self.settings.checkpoint_every.max(1);
        entries.max(state.tail.bytes().saturating_mul(100) / MOST_BYTES)
    }

    /// What nobody did behind the answers to pushes before, a push does.
    pub(super) fn tend_if_overdue(&self) {
        if self.fullness() >= OVERDUE {
            // A failure is not the pusher's: what it brings is in the journal, and the next push tries again.
            let _ = self.tend();
        }
    }

    /// Makes a checkpoint if enough was accepted since the last one and nobody else is at it.
    pub(super) fn tend(&self) -> Result<(), StoreError> {
        let fullness = self.fullness();
        if fullness < 100 {
            return Ok(());
        }
        let is_overdue = fullness >= OVERDUE;
        let at_it = match self.checkpointing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // More comes than one checkpoint takes in: whoever brings it waits, instead of memory growing.
            Err(TryLockError::WouldBlock) => {
                if is_overdue {
                    self.after_checkpoint();
                }
                return Ok(());
            }
        };
        let made = self.checkpoint_or_another();
        drop(at_it);
        if made.is_ok() {
            self.compact_if_due();
        }
        made
    }

    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let _at_it = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        self.checkpoint_or_another()
    }

    /// The caller holds `checkpointing`.
    fn checkpoint_or_another(&self) -> Result<(), StoreError> {
        match self.make_checkpoint() {
            Ok(()) => Ok(()),
            // Another hub of the same store made one: that does as well.
            Err(error) if is_moved(&error) => Ok(()),
            Err(Error::Store(error)) => Err(StoreError::io("the checkpoint", error)),
            Err(error) => Err(StoreError::io("the checkpoint", error)),
        }
    }

    /// Puts a row and drops it again, as the one who asks whether a store that failed takes writes by now. If not, it counts
    /// as failed, and has to be opened again.
    pub(super) fn try_writing(&self) -> Result<(), Error> {
        let (key, bytes) = (TRIAL.to_vec(), seal::seal(TRIAL, &[0; TRIAL_BYTES]));
        let written = self.store().heads().and_then(|heads| {
            let row = Checkpoint { covers: heads.covers, ..Checkpoint::default() };
            self.store().checkpoint(&Checkpoint { puts: vec![(key.clone(), bytes)], ..row.clone() })?;
            self.store().checkpoint(&Checkpoint { drops: vec![key], ..row })
        });
        match written {
            // Another checkpoint came in between: that was a write.
            Ok(()) | Err(StoreError::Moved { .. }) => Ok(()),
            Err(error) if error.is_retryable() => Err(error.into()),
            Err(error) => Err(Error::Store(self.journal.fail(error))),
        }
    }

    /// Waits for a checkpoint under way.
    pub(super) fn after_checkpoint(&self) {
        drop(self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The caller holds `checkpointing`.
    pub(super) fn make_checkpoint(&self) -> Result<(), Error> {
        let mut snapped = {
            let (mut state, _) = self.fresh()?;
            if state.position == state.covers {
                return Ok(());
            }
            let snapped = snap(&mut state, self.journal.restarts());
            state.folding = Some(snapped.meta.covers);
            snapped
        };
        let written = self.write(&snapped);
        let mut state = self.state();
        state.folding = None;
        match written {
            // If the state was read anew meanwhile, it may stand on this checkpoint already.
            Ok(records) if (state.covers, state.joined) == (snapped.before, snapped.meta.joined) => {
                state.covers = snapped.meta.covers;
                state.records.thaw(&snapped.records);
                state.records.keep(records);
                state.tail.thaw(&snapped.tail);
                // Another hub may have joined one since.
                if state.joined <= snapped.meta.head.seq {
                    state.joined_intents.clear();
                    state.joined_places.clear();
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                state.changed.append(&mut snapped.changed);
                Err(error)
            }
        }
    }

    /// Writes it once all of it is durable, and returns some of the records in it. No lock of the state is held.
    fn write(&self, snapped: &Snapped) -> Result<Vec<(EntityKey, Arc<Record>)>, Error> {
        self.wait(snapped.restarts, snapped.meta.covers)?;
        let rows = snapped.records.rows(self.store(), snapped.table)?;
        let mut puts = rows.puts;
        puts.extend(snapped.tail.rows());
        puts.extend(snapped.clients.iter().cloned());
        puts.extend(snapped.joined.iter().cloned());
        puts.push(snapped.meta.row());
        // In the order in which they stand in the store, it looks for their places in less time.
        puts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        // The records were read from the checkpoint before: if another hub made one meanwhile, they were not.
        if self.store().heads()?.covers != snapped.before {
            return Err(StoreError::Moved { last: snapped.meta.covers }.into());
        }
        let checkpoint = Checkpoint { covers: snapped.meta.covers, drop_before: 0, puts, drops: rows.drops };
        self.store().checkpoint(&checkpoint)?;
        Ok(rows.read)
    }
}

fn snap(state: &mut State, restarts: u64) -> Snapped {
    let changed = std::mem::take(&mut state.changed);
    let clients = changed.iter().filter_map(|client| Some(state.clients.get(client)?.row(client)));
    let intents = state.joined_intents.iter().map(|(intent, first)| Run::alone(first.clone()).row(*intent));
    let places = state.joined_places.iter().map(|(dot, place)| place.row(dot));
    Snapped {
        restarts,
        before: state.covers,
        meta: Meta {
            name: state.name.clone(),
            space: state.space.clone(),
            covers: state.position,
            head: state.head,
            greatest: state.greatest,
            table: state.table,
            joined: state.joined,
            epochs: state.epochs.clone(),
        },
        table: state.table,
        joined: intents.chain(places).collect(),
        clients: clients.collect(),
        tail: state.tail.freeze(),
        records: state.records.freeze(),
        changed,
    }
}
