//! Work that waits for a disk, off the thread that polls a future.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use super::session::Session;

/// What comes back from the thread.
struct Slot<T> {
    result: Option<T>,
    waker: Option<Waker>,
}

impl Session {
    /// Runs `work` on a thread of its own where there are threads, else here. Where nobody waits for it any more it is
    /// carried to its end all the same, and the session with it.
    pub(super) async fn offload<T: Send + 'static>(&self, work: impl FnOnce(&Session) -> T + Send + 'static) -> T {
        #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
        if self.inner.flusher.is_some() {
            let slot = Arc::new(Mutex::new(Slot { result: None, waker: None }));
            let (theirs, session) = (slot.clone(), self.clone());
            let work = Arc::new(Mutex::new(Some(work)));
            let kept = work.clone();
            let run = move || {
                let Some(work) = take(&work) else { return };
                // A reader or a store of the user's may panic: whoever waits does so too then.
                let result = catch_unwind(AssertUnwindSafe(|| work(&session)));
                drop(session);
                let waker = {
                    let mut slot = theirs.lock().unwrap_or_else(PoisonError::into_inner);
                    slot.result = Some(result);
                    slot.waker.take()
                };
                waker.into_iter().for_each(Waker::wake);
            };
            if std::thread::Builder::new().name("sync-disk".into()).spawn(run).is_ok() {
                let result = std::future::poll_fn(|cx| {
                    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                    match slot.result.take() {
                        Some(result) => Poll::Ready(result),
                        None => {
                            slot.waker = Some(cx.waker().clone());
                            Poll::Pending
                        }
                    }
                })
                .await;
                return result.unwrap_or_else(|panic| resume_unwind(panic));
            }
            // No thread could be had: better late here than never.
            let work = take(&kept).expect("the thread that would have taken it was not started");
            return work(self);
        }
        work(self)
    }
}

#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
fn take<W>(work: &Mutex<Option<W>>) -> Option<W> {
    work.lock().unwrap_or_else(PoisonError::into_inner).take()
}
