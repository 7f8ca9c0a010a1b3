//! Whose turn it is to make a checkpoint.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

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
    pub(super) fn begin(&self) -> bool {
        let mut busy = self.busy();
        let free = busy.is_none();
        if free {
            *busy = Some(Busy(Some(std::thread::current().id())));
        }
        free
    }

    /// Another thread is going to make it.
    pub(super) fn hand_over(&self) {
        *self.busy() = Some(Busy(None));
    }

    /// It is this thread that makes it.
    pub(super) fn is_here(&self) {
        *self.busy() = Some(Busy(Some(std::thread::current().id())));
    }

    pub(super) fn end(&self) {
        *self.busy() = None;
        self.ended.notify_all();
    }

    /// Whether this thread makes one.
    pub(super) fn is_mine(&self) -> bool {
        self.busy().is_some_and(|Busy(thread)| thread == Some(std::thread::current().id()))
    }

    /// Waits until none is under way, unless this thread makes it.
    pub(super) fn wait(&self) {
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
