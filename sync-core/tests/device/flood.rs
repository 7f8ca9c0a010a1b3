//! A disk that is slower than what comes in: memory does not hold all of that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use sync_core::replica::SyncOptions;
use sync_core::transport::{Limits, Page, PullRequest, PushReply, PushRequest};
use sync_core::{
    BoxFuture, Checkpoint, Heads, Hub, KeyValue, MemoryStore, Position, Replica, Store, StoreError, Transport,
    TransportError,
};

use super::support::{Note, hands_on, note, notes, run};

/// How many entries wait for a checkpoint until one is made.
const AFTER: usize = 4;

/// What comes in while one is under way and does not end: enough for any bound that there may be.
const MANY: u64 = 4_000;

/// More than this many are not to be in memory.
const BOUND: u64 = MANY / 4;

/// How long it takes at most until everyone waits who is going to.
const A_WHILE: Duration = Duration::from_millis(300);

/// A store whose checkpoints do not end before it is let go.
#[derive(Default)]
struct Slow {
    store: MemoryStore,
    gate: Gate,
}

#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, is_open: bool) {
        *self.is_open.lock().unwrap() = is_open;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
    }
}

impl Store for Slow {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.store.append(expected, commits)
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.gate.pass();
        self.store.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}

/// A hub, and how many entries were pulled from it or pushed to it.
struct Counted {
    hub: Box<dyn Transport>,
    count: AtomicU64,
}

impl Counted {
    fn of(hub: &Hub) -> Self {
        Self { hub: Box::new(hub.transport("tester")), count: AtomicU64::new(0) }
    }
}

impl Transport for Counted {
    hands_on!(hello, snapshot, join, live);
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        self.count.fetch_max(request.since.seq, Ordering::SeqCst);
        self.hub.pull(request)
    }
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.count.fetch_add(request.entries.len() as u64, Ordering::SeqCst);
        self.hub.push(request)
    }
}

fn open(store: &Arc<Slow>) -> Replica {
    Replica::builder().register::<Note>().checkpoint_after(AFTER).open(store.clone()).unwrap()
}

#[test]
fn a_download_waits_for_the_checkpoint() {
    let hub = Hub::builder().open(MemoryStore::new()).unwrap();
    let author = Replica::builder().register::<Note>().threadless().open(MemoryStore::new()).unwrap();
    for n in 0..MANY {
        author.create(note(&format!("{n:04}"), "T")).unwrap().wait().unwrap();
    }
    run(author.sync(&hub.transport("tester"))).unwrap();
    let store = Arc::new(Slow::default());
    let counted = Counted::of(&hub);
    let replica = open(&store);
    let mut small = SyncOptions::default();
    small.page = 20;
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| run(replica.sync_with(&counted, small)));
        std::thread::sleep(A_WHILE);
        let pulled = counted.count.load(Ordering::SeqCst);
        store.gate.set(true);
        assert!((1..BOUND).contains(&pulled), "{pulled} entries came in meanwhile");
        assert_eq!(sync.join().unwrap().unwrap().downloaded, MANY);
    });
    assert_eq!(notes(&replica).len() as u64, MANY);
}

#[test]
fn an_upload_waits_for_the_checkpoint() {
    let limits = Limits { batch_entries: 20, ..Limits::default() };
    let hub = Hub::builder().limits(limits).open(MemoryStore::new()).unwrap();
    let counted = Counted::of(&hub);
    let store = Arc::new(Slow::default());
    store.gate.set(true);
    let replica = open(&store);
    for n in 0..MANY {
        drop(replica.create(note(&format!("{n:04}"), "T")).unwrap());
    }
    replica.checkpoint().unwrap();
    store.gate.set(false);
    std::thread::scope(|scope| {
        let sync = scope.spawn(|| run(replica.sync(&counted)));
        std::thread::sleep(A_WHILE);
        let pushed = counted.count.load(Ordering::SeqCst);
        store.gate.set(true);
        assert!((1..BOUND).contains(&pushed), "{pushed} entries went up meanwhile");
        assert_eq!(sync.join().unwrap().unwrap().uploaded, MANY);
    });
    assert_eq!(hub.head().seq, MANY);
}

#[test]
fn a_writer_waits_for_the_checkpoint() {
    let store = Arc::new(Slow::default());
    let replica = open(&store);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..MANY {
                drop(replica.create(note(&format!("{n:04}"), "T")).unwrap());
                written.fetch_add(1, Ordering::SeqCst);
            }
        });
        std::thread::sleep(A_WHILE);
        let before = written.load(Ordering::SeqCst);
        store.gate.set(true);
        assert!((1..BOUND).contains(&before), "{before} entries were written meanwhile");
    });
    assert_eq!(notes(&replica).len() as u64, MANY);
}
