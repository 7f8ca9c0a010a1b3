//! The way to a hub in the same process.

use super::{Hub, Offer};
use crate::transport::{
    BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
    Transport, TransportError,
};

/// A [`Transport`] to a hub in the same process, on behalf of one principal.
///
/// Its futures do the hub's work when they are polled, blocking until it is durable, and are ready at once: for
/// tests, simulators, and programs that embed a hub. Only [`live`](Transport::live) waits without blocking.
#[derive(Debug, Clone)]
pub struct InProcess {
    hub: Hub,
    principal: String,
}

impl InProcess {
    pub(super) fn new(hub: Hub, principal: String) -> Self {
        Self { hub, principal }
    }
}

impl Transport for InProcess {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(async { self.hub.hello(&self.principal, request) })
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            let offers = request.entries.iter().cloned().map(Offer::Entry).collect();
            let reply = self.hub.push(&self.principal, request.attempt, offers);
            // A failure is not the pusher's: what was accepted is in the journal.
            let _ = self.hub.tend();
            reply
        })
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async { self.hub.pull(request) })
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async { self.hub.snapshot(request) })
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async { self.hub.join(&self.principal, page) })
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        Box::pin(async move { Ok(self.hub.wait_beyond(since).await) })
    }
}
