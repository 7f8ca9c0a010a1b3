//! The streams of HTTP/2, each with a deadline for a client that does not read its reply.
//!
//! Of one that stands still the connection sees nothing: others may go on over it, and pings are answered. hyper takes
//! the next piece of a reply's body, and asks for no more before the client has room for it. So a stream whose body gave
//! a piece and is not asked again for too long is dropped, which resets it and lets go of what it held.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::task_local;
use tokio::time::{Sleep, sleep};

/// The most bytes of a reply that a stream is given at once: a frame, in most clients' view.
pub(super) const PIECE: usize = 16 << 10;

task_local! {
    static GIVEN: Arc<Given>;
}

/// The pieces that a stream's body gave.
#[derive(Default)]
struct Given {
    count: AtomicU64,
    /// The count when the body last had nothing to give: what it gave until then was taken.
    taken: AtomicU64,
}

impl Given {
    /// Which piece the client has no room for; `None` while the body itself is waited for.
    fn waiting(&self) -> Option<u64> {
        let count = self.count.load(SeqCst);
        (count > self.taken.load(SeqCst)).then_some(count)
    }
}

/// Notes what became of asking a body for its next piece: whether it gave one. Outside of HTTP/2 nobody looks.
pub(super) fn note(gave: bool) {
    let _ = GIVEN.try_with(|given| match gave {
        true => given.count.fetch_add(1, SeqCst),
        false => given.taken.swap(given.count.load(SeqCst), SeqCst),
    });
}

/// Runs streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams {
    /// How long a client may have no room for a piece of its reply.
    pub(super) write_time: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        tokio::spawn(until_it_stalls(stream, self.write_time));
    }
}

async fn until_it_stalls(stream: impl Future<Output = ()>, time: Duration) {
    let given = Arc::new(Given::default());
    let mut stream = pin!(GIVEN.scope(Arc::clone(&given), stream));
    let mut deadline: Option<(u64, Pin<Box<Sleep>>)> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(piece) = given.waiting() else {
            deadline = None;
            return Poll::Pending;
        };
        if deadline.as_ref().is_none_or(|(before, _)| *before != piece) {
            deadline = Some((piece, Box::pin(sleep(time))));
        }
        match &mut deadline {
            Some((_, sleep)) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    })
    .await;
}
