//! The way from a simulated device to its hub: every request waits until the world decides what becomes of it.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use sync_core::Transport;
use sync_core::transport::{
    BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
    TransportError,
};

/// What a device asks.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Hello(HelloRequest),
    Push(PushRequest),
    Pull(PullRequest),
    Snapshot(SnapshotRequest),
    Join(Box<SnapshotPage>),
}

/// What a hub answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Hello(Hello),
    Push(PushReply),
    Pull(Page),
    Snapshot(Box<SnapshotPage>),
    Join,
}

/// One sync's connection: at most one request at a time.
#[derive(Clone, Default)]
pub(super) struct Link(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    asked: Option<Request>,
    answered: Option<Result<Reply, TransportError>>,
}

impl Link {
    /// The request that waits, if one does and nothing was answered yet.
    pub(super) fn asked(&self) -> Option<Request> {
        let slot = self.slot();
        if slot.answered.is_some() { None } else { slot.asked.clone() }
    }

    /// Answers it.
    pub(super) fn answer(&self, reply: Result<Reply, TransportError>) {
        self.slot().answered = Some(reply);
    }

    async fn ask(&self, request: Request) -> Result<Reply, TransportError> {
        *self.slot() = Slot { asked: Some(request), answered: None };
        poll_fn(|_| {
            let mut slot = self.slot();
            match slot.answered.take() {
                Some(reply) => {
                    slot.asked = None;
                    Poll::Ready(reply)
                }
                None => Poll::Pending,
            }
        })
        .await
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mixed_up<T>() -> Result<T, TransportError> {
    Err(TransportError::Nonsense { message: "the simulator answered another question".to_owned() })
}

macro_rules! call {
    ($link:expr, $kind:ident, $request:expr) => {
        Box::pin(async move {
            match $link.ask(Request::$kind($request.clone())).await? {
                Reply::$kind(reply) => Ok(reply),
                _ => mixed_up(),
            }
        })
    };
}

impl Transport for Link {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        call!(self, Hello, request)
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        call!(self, Push, request)
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        call!(self, Pull, request)
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async move {
            match self.ask(Request::Snapshot(request.clone())).await? {
                Reply::Snapshot(page) => Ok(*page),
                _ => mixed_up(),
            }
        })
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            match self.ask(Request::Join(Box::new(page.clone()))).await? {
                Reply::Join => Ok(()),
                _ => mixed_up(),
            }
        })
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        Box::pin(async move { Ok(since) })
    }
}
