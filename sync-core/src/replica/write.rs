//! Who may write: one thread at a time, and what it wrote goes into the queue in one step.

use std::sync::{MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::row::Row;
use super::{Inner, Replica, Transaction};
use crate::error::Error;
use crate::journal::Commit;

/// The right to write, held by one thread at a time.
struct Writing<'a> {
    inner: &'a Inner,
    _lock: MutexGuard<'a, ()>,
}

impl<'a> Writing<'a> {
    fn begin(inner: &'a Inner) -> Result<Self, Error> {
        let this: ThreadId = std::thread::current().id();
        if *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) == Some(this) {
            return Err(Error::Nested);
        }
        // A panic in a user's closure leaves nothing behind: its entries were not queued.
        let lock = inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(this);
        Ok(Self { inner, _lock: lock })
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        *self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Replica {
    pub(super) fn write<R>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<R, Error>,
    ) -> Result<Commit<R>, Error> {
        let _writing = Writing::begin(&self.inner)?;
        let mut tx = Transaction::begin(self);
        let result = f(&mut tx)?;
        let Some(row) = tx.finish()? else { return Ok(Commit::nothing(result)) };
        let position = self.commit(&row)?;
        self.checkpoint_if_due();
        Ok(self.inner.journal.ticket(position, result))
    }

    /// Rows that are no writes of the user's, but must not come between what a write reads and what it queues.
    pub(super) fn commit_between_writes(&self, row: &Row) -> Result<crate::store::Position, Error> {
        self.bring_in_for(row)?;
        let _writing = Writing::begin(&self.inner)?;
        self.commit(row)
    }
}
