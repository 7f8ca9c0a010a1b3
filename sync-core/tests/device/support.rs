//! What the tests of devices share.

use std::future::Future;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use sync_core::replica::ReplicaBuilder;
use sync_core::{
    Checkpoint, Clock, Heads, Hub, Id, KeyValue, MemoryStore, Policy, Position, Replica, Store, StoreError, Syncable,
    Value, Written,
};

#[derive(Syncable, Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(super) struct Note {
    #[sync(id)]
    pub(super) id: Id<Note, String>,
    pub(super) title: String,
    #[sync(merge = "counter")]
    pub(super) views: i64,
    #[sync(local, default)]
    pub(super) scroll: u32,
}

/// A type, and what became of it when one of its fields was renamed.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "memo")]
pub(super) struct Old {
    #[sync(id)]
    pub(super) id: Id<Old, String>,
    pub(super) title: String,
    pub(super) body: String,
}

#[derive(Syncable, Debug, Clone)]
#[sync(entity = "memo")]
pub(super) struct New {
    #[sync(id)]
    pub(super) id: Id<New, String>,
    #[sync(alias = "title")]
    pub(super) heading: String,
    pub(super) body: String,
}

pub(super) static APPEND: Append = Append;

/// Lines that are only added.
pub(super) struct Append;

impl Policy for Append {
    fn name(&self) -> &'static str {
        "append"
    }
    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        let before = before.and_then(Value::array_elements).unwrap_or_default();
        let after = after.array_elements().ok_or("lines are a list")?;
        let added = after.strip_prefix(&before[..]).ok_or("lines are only added, at the end")?;
        let written = || Written { operation: Value::array(added.iter().cloned()), absorbs: false };
        Ok((!added.is_empty()).then(written))
    }
    fn value(&self, operations: &[&Value]) -> Option<Value> {
        Some(Value::array(operations.iter().filter_map(|operation| operation.array_elements()).flatten()))
    }
}

pub(super) fn note(id: &str, title: &str) -> Note {
    Note { id: id.into(), title: title.into(), views: 0, scroll: 0 }
}

/// Runs a future whose every wait is over when it is polled.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        std::thread::yield_now();
    }
}

/// Gives others a turn.
pub(super) async fn look_twice() {
    let mut seen = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut seen, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A clock that is set by hand.
#[derive(Clone)]
pub(super) struct Set(pub(super) Arc<AtomicU64>);

impl Set {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }
}

impl Clock for Set {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) fn builder(clock: &Set) -> ReplicaBuilder {
    Replica::builder().register::<Note>().clock(clock.clone()).threadless()
}

pub(super) fn hub_on(store: MemoryStore, clock: &Set) -> Hub {
    Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(store).unwrap()
}

pub(super) fn notes(replica: &Replica) -> Vec<Note> {
    replica.list::<Note>().unwrap().map(|note| note.unwrap()).collect()
}

pub(super) fn title(replica: &Replica, id: &str) -> Option<String> {
    replica.get::<Note>(&id.into()).unwrap().map(|note| note.title)
}

/// A file in memory, which can be looked at after it was written.
#[derive(Clone, Default)]
pub(super) struct File(Arc<Mutex<Vec<u8>>>);

impl File {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn export(replica: &Replica) -> Vec<u8> {
    let file = File::default();
    run(replica.export_snapshot(file.clone())).unwrap();
    file.bytes()
}

pub(super) fn import(
    replica: &Replica,
    file: Vec<u8>,
) -> Result<sync_core::replica::SnapshotSummary, sync_core::Error> {
    run(replica.import_snapshot(io::Cursor::new(file)))
}

/// Calls that a transport hands on to its `hub` as they are.
macro_rules! hands_on {
    (hello) => { hands_on!(hello(HelloRequest) -> sync_core::transport::Hello); };
    (push) => { hands_on!(push(PushRequest) -> sync_core::transport::PushReply); };
    (pull) => { hands_on!(pull(PullRequest) -> sync_core::transport::Page); };
    (snapshot) => { hands_on!(snapshot(SnapshotRequest) -> sync_core::transport::SnapshotPage); };
    (join) => { hands_on!(join(SnapshotPage) -> ()); };
    (live) => {
        fn live(&self, since: u64) -> sync_core::BoxFuture<'_, Result<u64, sync_core::TransportError>> {
            self.hub.live(since)
        }
    };
    ($call:ident($request:ident) -> $reply:ty) => {
        fn $call<'a>(
            &'a self,
            request: &'a sync_core::transport::$request,
        ) -> sync_core::BoxFuture<'a, Result<$reply, sync_core::TransportError>> {
            self.hub.$call(request)
        }
    };
    ($($call:ident),+) => { $(hands_on!($call);)+ };
}
pub(super) use hands_on;

/// Changes of a store before the process that makes them ends.
pub(super) struct Mortal {
    store: Arc<MemoryStore>,
    left: AtomicUsize,
    /// Whether the last one is carried out.
    is_done: bool,
}

impl Mortal {
    pub(super) fn new(store: Arc<MemoryStore>, left: usize, is_done: bool) -> Self {
        Self { store, left: AtomicUsize::new(left), is_done }
    }

    fn change<T>(&self, change: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left > 1 {
            return change();
        }
        if left == 1 && self.is_done {
            change()?;
        }
        Err(dead())
    }

    fn look<T>(&self, look: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.left.load(Ordering::Relaxed) > 0 { look() } else { Err(dead()) }
    }
}

fn dead() -> StoreError {
    StoreError::io("the store", "the process ended")
}

impl Store for Mortal {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.look(|| self.store.heads())
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.change(|| self.store.append(expected, commits))
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.look(|| self.store.journal(from, limit))
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.change(|| self.store.checkpoint(checkpoint))
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.look(|| self.store.get(key))
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.look(|| self.store.range(from, to, limit))
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.change(|| self.store.reclaim())
    }
}
