//! What all handles of one hub share.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compact::{Retention, Upkeep};
use super::join::Transfer;
use super::rows::Rows;
use super::state::State;
use super::validate::Validate;
use super::watch::Watchers;
use crate::clock::Clock;
use crate::error::{Error, in_full};
use crate::journal::Journal;
use crate::model::stamp::{ClientId, Name};
use crate::store::{Heads, Position, Store, StoreError};
use crate::transport::{Cursor, Epoch, Limits, TransportError};

/// How a hub was built.
pub(super) struct Settings {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: Limits,
    pub(super) default_type: Name,
    pub(super) allow_join: bool,
    pub(super) validators: Vec<Arc<dyn Validate>>,
    /// A checkpoint is made when so many entries were accepted since the last one.
    pub(super) checkpoint_every: usize,
    /// What the hub keeps when it compacts its log and purges by itself.
    pub(super) retention: Retention,
}

/// What all handles of one hub share.
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) name: String,
    pub(super) space: String,
    /// The client id under which this hub numbers entries; a fresh one at every start.
    pub(super) own: ClientId,
    /// The epoch that it begins when it first adds to the log; a fresh one at every start.
    pub(super) epoch: Epoch,
    pub(super) journal: Arc<Journal>,
    pub(super) state: Mutex<State>,
    /// The log's durable end, as everybody may be told: to be read while the state is locked for long.
    pub(super) durable: Mutex<Cursor>,
    pub(super) rows: Rows,
    /// The least number from which the log can be served as entries, as far as was noticed: it only grows.
    pub(super) tail_seen: AtomicU64,
    pub(super) watchers: Watchers,
    /// Held by the one who makes a checkpoint.
    pub(super) checkpointing: Mutex<()>,
    /// A snapshot is about to be joined, for which all that was pushed has to be in the checkpoint: pushes wait for it.
    pub(super) is_joining: AtomicBool,
    /// What was dropped, and when.
    pub(super) upkeep: Mutex<Upkeep>,
    /// The snapshot that is being given back.
    pub(super) transfer: Mutex<Option<Transfer>>,
}

/// How often something is decided anew because other hubs of the same store were faster.
pub(super) const PATIENCE: usize = 64;

impl Inner {
    pub(super) fn store(&self) -> &dyn Store {
        &**self.journal.store()
    }

    pub(super) fn now(&self) -> u64 {
        self.settings.clock.now()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A validator may panic while it is asked; nothing of the state was changed then.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the store's end and catches up with what other hubs wrote.
    pub(super) fn fresh(&self) -> Result<(MutexGuard<'_, State>, Heads), Error> {
        let heads = self.store().heads()?;
        let mut state = self.state();
        self.refresh(&mut state, heads)?;
        self.settle(&mut state);
        Ok((state, heads))
    }

    /// As `fresh`, and what the store's end was found to be is told of: a row of ours that is under way may stand where
    /// another hub's is.
    pub(super) fn settled(&self) -> Result<(MutexGuard<'_, State>, Heads), Error> {
        for _ in 0..PATIENCE {
            let (state, heads) = self.fresh()?;
            if heads.last <= state.durable_position {
                return Ok((state, heads));
            }
            let (restarts, position) = (self.journal.restarts(), heads.last.min(state.position));
            drop(state);
            match self.wait(restarts, position) {
                Err(error) if !is_moved(&error) => return Err(error),
                _ => {}
            }
        }
        Err(StoreError::Moved { last: self.journal.last() }.into())
    }

    /// Blocks until what was queued after so many restarts of the journal up to `position` is durable, and tells those
    /// who wait for it.
    pub(super) fn wait(&self, restarts: u64, position: Position) -> Result<(), Error> {
        let waited = self.journal.wait_in(restarts, position);
        let mut state = self.state();
        self.settle(&mut state);
        if waited.is_err() {
            // Where nothing comes any more, nobody waits for it.
            self.watchers.wake();
        }
        waited
    }

    /// Takes notice of what became durable.
    pub(super) fn settle(&self, state: &mut State) {
        if state.settle(self.journal.durable()) {
            self.tell(state);
        }
    }

    /// Tells those who ask and those who wait how far the log is durable.
    pub(super) fn tell(&self, state: &State) {
        *self.durable() = state.durable;
        self.watchers.wake();
    }

    /// Held for moments only.
    pub(super) fn durable(&self) -> MutexGuard<'_, Cursor> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether another hub of the same store was faster: what was decided is decided anew.
pub(super) fn is_moved(error: &Error) -> bool {
    matches!(error, Error::Store(error) if matches!(**error, StoreError::Moved { .. }))
}

/// A failure of the hub's own, as those on the other side are told.
pub(super) fn failed(error: impl Into<Error>) -> TransportError {
    let error = error.into();
    // Other hubs of the same store were faster, or have it for themselves for a moment.
    if matches!(&error, Error::Store(error) if error.is_retryable()) {
        return crowded();
    }
    TransportError::Hub { message: in_full(&error) }
}

/// Too many hubs write at once.
pub(super) fn crowded() -> TransportError {
    TransportError::Busy { after: 100 }
}
