//! Who may write: one thread at a time, and what it wrote goes into the queue in one step.

use std::sync::{MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::row::Row;
use super::state::State;
use super::{Replica, Transaction};
use crate::commit::Commit;
use crate::error::Error;
use crate::store::Position;

/// The right to write, held by one thread at a time: from before a write reads what it changes until its entries are
/// queued.
pub(super) struct Writing<'a> {
    replica: &'a Replica,
    _lock: MutexGuard<'a, ()>,
}

impl<'a> Writing<'a> {
    fn begin(replica: &'a Replica) -> Result<Self, Error> {
        let inner = &replica.inner;
        let this: ThreadId = std::thread::current().id();
        if *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) == Some(this) {
            return Err(Error::Nested);
        }
        // A panic in a user's closure leaves nothing behind: its entries were not queued.
        let lock = inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(this);
        Ok(Self { replica, _lock: lock })
    }

    /// Queues a row and takes its effect, in one step.
    pub(super) fn commit(&self, row: &Row) -> Result<Position, Error> {
        let body = row.encode();
        let state = self.replica.state();
        self.queue(state, &[(row, body)], false)
    }

    /// Does the same with rows for which somebody is about to wait: they are appended while their effects are taken.
    /// Returns where the last of them will stand.
    pub(super) fn commit_at_once(&self, rows: &[Row]) -> Result<Position, Error> {
        let rows: Vec<(&Row, Vec<u8>)> = rows.iter().map(|row| (row, row.encode())).collect();
        let state = self.replica.state();
        self.queue(state, &rows, true)
    }

    /// Does the same with a row, if any, that is made of the state as it is then: nothing comes in between.
    pub(super) fn commit_of<T>(
        &self,
        make: impl FnOnce(&State) -> (T, Option<Row>),
    ) -> Result<(T, Option<Position>), Error> {
        let state = self.replica.state();
        let (made, row) = make(&state);
        let position = row.map(|row| self.queue(state, &[(&row, row.encode())], false)).transpose()?;
        Ok((made, position))
    }

    fn queue(
        &self,
        mut state: MutexGuard<'_, State>,
        rows: &[(&Row, Vec<u8>)],
        at_once: bool,
    ) -> Result<Position, Error> {
        let inner = &self.replica.inner;
        let mut position = inner.journal.last();
        for (_, body) in rows {
            // Refused, it is by a journal that appends nothing any more, of those before neither.
            position = inner.journal.push(body)?;
        }
        if at_once {
            inner.journal.demand();
        }
        rows.iter().for_each(|(row, _)| state.apply(row));
        let changed = std::mem::take(&mut state.changed);
        drop(state);
        inner.watchers.publish(&changed);
        inner.status_changed.ring();
        Ok(position)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        *self.replica.inner.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Replica {
    pub(super) fn write<R>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<R, Error>,
    ) -> Result<Commit<R>, Error> {
        let writing = self.between_writes()?;
        let mut tx = Transaction::begin(self);
        let result = f(&mut tx)?;
        let position = match tx.finish()? {
            Some(row) => writing.commit(&row)?,
            // It shows already. Whoever waits is told that it is durable, so what wrote it has to be.
            None => self.inner.journal.last(),
        };
        drop(writing);
        self.checkpoint_if_due();
        self.wait_if_flooded();
        Ok(self.inner.journal.ticket(position, result))
    }

    /// Waits until nobody writes. What is committed until the result is dropped does not come between what a write
    /// reads and what it queues.
    pub(super) fn between_writes(&self) -> Result<Writing<'_>, Error> {
        Writing::begin(self)
    }
}
