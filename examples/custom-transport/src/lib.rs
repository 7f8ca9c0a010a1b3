//! A [`Transport`] over the pipes of a command, as a user of the framework would write one: the hub is whatever
//! `ssh host custom-transport hub notes.redb` starts, with ssh's keys and without a port of its own.
//!
//! # How to write a transport
//! 1. **Carry six calls.** What travels is in [`sync_core::transport`]; [`sync_http::wire`] writes and reads it as
//!    JSON without any I/O, so that a transport only moves text. Here a request is a line `ID CALL TEXT`, and its
//!    answer a line `ID ok TEXT` or `ID no PROBLEM`, in any order.
//! 2. **Hand over whole answers or errors.** A hub that cannot be reached is [`TransportError::Offline`], which is
//!    tried again later; an answer that cannot be read is [`TransportError::Nonsense`]; the hub's own refusals keep
//!    their names ([`Problem`] carries them).
//! 3. **Have deadlines, and let go.** A future may be dropped at any time; what comes for it then is passed over.
//! 4. **Run the kit**, which tries all of it, a named test a case: see `tests/conformance.rs`.
//!
//! Everything else is not a transport's concern: what is sent when, what is tried again, what a verdict means.

mod serve;

use std::collections::HashMap;
use std::io;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::transport::{
    Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{BoxFuture, Transport, TransportError};
use sync_http::wire::{Unreadable, actions, hello, page, problem::Problem, query, snapshot};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub use serve::serve;

/// How long an answer may take. A hub answers `live` after a third of it, news or not.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to a hub at the other end of two pipes.
pub struct PipeTransport {
    requests: mpsc::UnboundedSender<String>,
    waiting: Arc<Mutex<Waiting>>,
    _command: Option<Child>,
}

/// Who waits for which answer.
#[derive(Default)]
struct Waiting {
    last: u64,
    closed: bool,
    answers: HashMap<u64, oneshot::Sender<Result<String, TransportError>>>,
}

impl PipeTransport {
    /// Starts a command that serves a hub on its standard input and output; it ends with the transport.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let pipes = child.stdout.take().zip(child.stdin.take());
        let (from_hub, to_hub) = pipes.ok_or_else(|| io::Error::other("the command has no pipes"))?;
        Ok(Self { _command: Some(child), ..Self::new(from_hub, to_hub) })
    }

    /// The way over these two pipes. Must be called within tokio.
    pub fn new(
        from_hub: impl AsyncRead + Send + Unpin + 'static,
        to_hub: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (requests, outbox) = mpsc::unbounded_channel();
        let waiting = Arc::<Mutex<Waiting>>::default();
        tokio::spawn(write(outbox, to_hub));
        tokio::spawn(hand_out(from_hub, Arc::clone(&waiting)));
        Self { requests, waiting, _command: None }
    }

    async fn ask(&self, call: &str, text: String) -> Result<String, TransportError> {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut waiting = lock(&self.waiting);
            if waiting.closed {
                return Err(gone());
            }
            waiting.last += 1;
            let id = waiting.last;
            waiting.answers.insert(id, sender);
            id
        };
        self.requests.send(format!("{id} {call} {text}\n")).map_err(|_| gone())?;
        match timeout(PATIENCE, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(TransportError::Offline { message: "the hub does not answer".into() }),
        }
    }
}

impl Transport for PipeTransport {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(async { read(hello::read_hello, self.ask("hello", query::hello(request)).await?) })
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async { read(actions::read_reply, self.ask("push", actions::push(request)).await?) })
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async { read(page::read_page, self.ask("pull", query::pull(request)).await?) })
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async { read(snapshot::read_page, self.ask("snapshot", query::snapshot(request)).await?) })
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async { self.ask("join", snapshot::page(page)).await.map(drop) })
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        Box::pin(async move {
            let head = self.ask("live", query::live(since)).await?;
            head.parse().map_err(|_| TransportError::Nonsense { message: format!("no number: {head:?}") })
        })
    }
}

async fn write(mut lines: mpsc::UnboundedReceiver<String>, mut pipe: impl AsyncWrite + Unpin) {
    while let Some(line) = lines.recv().await {
        if pipe.write_all(line.as_bytes()).await.is_err() || pipe.flush().await.is_err() {
            return;
        }
    }
}

/// Hands answers to those who wait for them, until there are no more.
async fn hand_out(from_hub: impl AsyncRead + Unpin, waiting: Arc<Mutex<Waiting>>) {
    let mut lines = BufReader::new(from_hub).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut parts = line.splitn(3, ' ');
        let (id, kind, text) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
        let Some(answer) = id.and_then(|id| u64::from_str(id).ok()).and_then(|id| lock(&waiting).answers.remove(&id))
        else {
            continue;
        };
        let result = match (kind, serde_json::from_str::<Problem>(text)) {
            (Some("ok"), _) => Ok(text.to_owned()),
            (_, Ok(problem)) => Err(problem.to_error(None)),
            (_, Err(error)) => Err(TransportError::Nonsense { message: error.to_string() }),
        };
        let _ = answer.send(result);
    }
    let mut waiting = lock(&waiting);
    waiting.closed = true;
    waiting.answers.clear();
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> TransportError {
    TransportError::Offline { message: "the hub's command has ended".into() }
}

fn read<T>(read: fn(&[u8]) -> Result<T, Unreadable>, text: String) -> Result<T, TransportError> {
    read(text.as_bytes()).map_err(|error| TransportError::Nonsense { message: error.message })
}
