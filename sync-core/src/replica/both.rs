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

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Is ready when it is asked for this time; and it is an error to ask once more.
    fn at(time: usize, asked: &AtomicUsize) -> impl Future<Output = usize> {
        poll_fn(move |_| {
            let asked = asked.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(asked <= time, "it was ready");
            if asked == time { Poll::Ready(time) } else { Poll::Pending }
        })
    }

    #[test]
    fn the_executor_has_the_turn_before_the_other_begins() {
        for (one, other, polls) in [(2, 1, 2), (2, 3, 4), (5, 1, 5), (3, 2, 3)] {
            let (asked, count) = (<[AtomicUsize; 2]>::default(), Arc::new(Count::default()));
            let waker = Arc::clone(&count).into();
            let mut cx = Context::from_waker(&waker);
            let mut both = pin!(both(at(one, &asked[0]), at(other, &asked[1])));
            assert!(both.as_mut().poll(&mut cx).is_pending());
            assert_eq!((asked[1].load(Ordering::SeqCst), count.0.load(Ordering::SeqCst)), (0, 1), "it asks to go on");
            let further = (2..).find(|_| both.as_mut().poll(&mut cx) == Poll::Ready((one, other)));
            assert_eq!(further, Some(polls));
        }
    }

    #[test]
    fn what_is_ready_at_once_waits_for_nobody() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert_eq!(pin!(both(ready(1), ready(2))).poll(&mut cx), Poll::Ready((1, 2)));
    }
}
