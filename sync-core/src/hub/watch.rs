//! Waiting for the log to grow.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Hub;

/// Those who wait.
#[derive(Default)]
pub(super) struct Watchers(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    wakers: HashMap<u64, Waker>,
}

impl Watchers {
    /// Wakes all: the log's durable end went on.
    pub(super) fn wake(&self) {
        let wakers = std::mem::take(&mut self.waiting().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change is made whole before the lock is released.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when a hub's log is durably longer than it was, with its new length.
///
/// Needs no runtime; dropped, it leaves nothing behind.
#[must_use = "futures do nothing unless they are polled"]
pub struct HeadChanged {
    hub: Hub,
    since: u64,
    place: Option<u64>,
}

impl HeadChanged {
    pub(super) fn new(hub: Hub, since: u64) -> Self {
        Self { hub, since, place: None }
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.hub.inner.watchers.waiting().wakers.remove(&place);
        }
    }
}

impl Future for HeadChanged {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        // First in the list, then looking: a growth between the two wakes.
        let place = {
            let mut waiting = self.hub.inner.watchers.waiting();
            let place = self.place.unwrap_or_else(|| {
                waiting.next += 1;
                waiting.next
            });
            waiting.wakers.insert(place, cx.waker().clone());
            place
        };
        self.place = Some(place);
        let head = self.hub.head().seq;
        if head <= self.since {
            return Poll::Pending;
        }
        self.leave();
        Poll::Ready(head)
    }
}

impl Drop for HeadChanged {
    fn drop(&mut self) {
        self.leave();
    }
}

impl std::fmt::Debug for HeadChanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeadChanged").field("since", &self.since).finish_non_exhaustive()
    }
}
