//! Live streams: events whenever the log grew, heartbeats in between.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use sync_core::Hub;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::service::Shared;
use crate::wire::problem::Problem;
use crate::wire::sse;

type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The events of one client.
pub(crate) struct LiveStream {
    hub: Hub,
    /// What to say first, so that the reply begins at once.
    first: Option<Bytes>,
    beyond: Waiting<u64>,
    heartbeat: Interval,
    closing: Waiting<()>,
    _place: Place,
}

impl std::fmt::Debug for LiveStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LiveStream")
    }
}

impl LiveStream {
    /// The events of a hub's log to one who knows of `since`, until the service closes.
    pub(crate) fn new(hub: Hub, since: u64, place: Place) -> Self {
        let shared = &place.shared;
        let mut heartbeat = interval(shared.limits.heartbeat.max(Duration::from_millis(1)));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick would come at once.
        heartbeat.reset();
        let head = hub.head().seq;
        // One who knows of more than there is has to hear that too.
        let first = if head == since { heartbeat_event() } else { sse::event(head).into() };
        Self {
            beyond: Box::pin(hub.wait_beyond(head)),
            hub,
            first: Some(first),
            heartbeat,
            closing: Box::pin(until_closing(shared.closing.subscribe())),
            _place: place,
        }
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        // It is opened anew by whoever asks next: another hub, of which this stream never hears.
        if self.hub.has_failed() {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        if let Poll::Ready(head) = self.beyond.as_mut().poll(cx) {
            self.beyond = Box::pin(self.hub.wait_beyond(head));
            self.heartbeat.reset();
            return Poll::Ready(Some(sse::event(head).into()));
        }
        if self.heartbeat.poll_tick(cx).is_ready() {
            return Poll::Ready(Some(heartbeat_event()));
        }
        Poll::Pending
    }
}

fn heartbeat_event() -> Bytes {
    Bytes::from_static(sse::HEARTBEAT.as_bytes())
}

async fn until_closing(mut closing: watch::Receiver<bool>) {
    // If the service is gone altogether, there is nothing to go on for either.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// A place among the live streams that the service takes.
pub(crate) struct Place {
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(crate) fn take(shared: &Arc<Shared>) -> Result<Self, Problem> {
        let busy = |_| Problem::busy(30_000, "there are too many live streams; poll instead");
        let permit = Arc::clone(&shared.streams).try_acquire_owned().map_err(busy)?;
        shared.metrics.live.enter();
        Ok(Self { shared: Arc::clone(shared), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.metrics.live.leave();
    }
}
