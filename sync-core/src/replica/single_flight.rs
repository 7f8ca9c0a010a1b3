//! One at a time: whoever comes meanwhile waits for the one under way, and is given its result.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};

use crate::threads::{Mutex, MutexGuard};

/// Lets one run at a time; the others join it.
pub(crate) struct SingleFlight<T>(Arc<Mutex<Flight<T>>>);

struct Flight<T> {
    running: bool,
    landed: u64,
    result: Option<T>,
    wakers: Vec<Waker>,
}

pub(crate) enum Entered<T> {
    Alone(InFlight<T>),
    /// What the one came to that was joined; `None` if it was given up.
    Joined(Option<T>),
}

/// The one that runs; ended or given up, it lets another run.
pub(crate) struct InFlight<T>(SingleFlight<T>);

impl<T> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Flight { running: false, landed: 0, result: None, wakers: Vec::new() })))
    }
}

impl<T: Clone> SingleFlight<T> {
    pub(crate) async fn enter(&self) -> Entered<T> {
        let joined = {
            let mut flight = self.flight();
            if !flight.running {
                flight.running = true;
                return Entered::Alone(InFlight(Self(self.0.clone())));
            }
            flight.landed
        };
        poll_fn(|cx| {
            let mut flight = self.flight();
            if flight.landed != joined {
                return Poll::Ready(Entered::Joined(flight.result.clone()));
            }
            if !flight.running {
                return Poll::Ready(Entered::Joined(None));
            }
            flight.wakers.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl<T: Clone> SingleFlight<T> {
    /// Keeps others waiting, who run when this is dropped. One that runs is waited for.
    pub(crate) async fn enter_alone(&self) -> InFlight<T> {
        loop {
            if let Entered::Alone(flight) = self.enter().await {
                return flight;
            }
        }
    }
}

impl<T> SingleFlight<T> {
    fn flight(&self) -> MutexGuard<'_, Flight<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> InFlight<T> {
    /// What it came to. Those who joined hear of it when it is dropped.
    pub(crate) fn land(&self, result: T) {
        let mut flight = self.0.flight();
        flight.landed += 1;
        flight.result = Some(result);
    }
}

impl<T> Drop for InFlight<T> {
    fn drop(&mut self) {
        let wakers = {
            let mut flight = self.0.flight();
            flight.running = false;
            std::mem::take(&mut flight.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}
