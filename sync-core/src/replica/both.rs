//! Two things at once, in one task.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Drives both to their ends. The executor has the turn between the first step of the one and that of the other: what the
/// one began to send is on its way while the other keeps the thread busy.
pub(super) async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut a, mut b) = (None, None);
    let mut had_turn = false;
    poll_fn(move |cx| {
        if a.is_none()
            && let Poll::Ready(done) = one.as_mut().poll(cx)
        {
            a = Some(done);
        }
        if !std::mem::replace(&mut had_turn, true) && a.is_none() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if b.is_none()
            && let Poll::Ready(done) = other.as_mut().poll(cx)
        {
            b = Some(done);
        }
        match (a.take(), b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            undone => {
                (a, b) = undone;
                Poll::Pending
            }
        }
    })
    .await
}
