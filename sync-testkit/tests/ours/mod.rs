//! The same situations with replicas and a hub.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use sync_core::hub::{Hub, InProcess};
use sync_core::replica::Report;
use sync_core::transport::{
    Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{BoxFuture, Clock, Id, MemoryStore, Random, Replica, Syncable, Transport, TransportError};
use sync_testkit::rng::Rng;

#[derive(Syncable, Debug, PartialEq, Clone)]
pub struct Note {
    #[sync(id)]
    pub id: Id<Note, String>,
    pub title: String,
    pub body: Option<String>,
}

/// A clock that is set by hand.
#[derive(Clone)]
pub struct Set(Arc<AtomicU64>);

impl Set {
    pub fn at(time: u64) -> Self {
        Self(Arc::new(AtomicU64::new(time)))
    }

    pub fn set(&self, time: u64) {
        self.0.store(time, Ordering::Relaxed);
    }
}

impl Clock for Set {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same numbers at every run.
struct Seeded(std::sync::Mutex<Rng>);

impl Random for Seeded {
    fn bits(&self) -> u128 {
        let mut rng = self.0.lock().unwrap();
        u128::from(rng.bits()) << 64 | u128::from(rng.bits())
    }
}

pub fn seeded(seed: u64) -> impl Random + 'static {
    Seeded(std::sync::Mutex::new(Rng::new(seed)))
}

pub struct Device {
    pub replica: Replica,
    pub clock: Set,
    hub: InProcess,
}

pub fn hub(now: u64) -> Hub {
    let clock = Arc::new(Set::at(now));
    Hub::builder().clock(clock).random(Arc::new(seeded(1))).open(Arc::new(MemoryStore::new())).unwrap()
}

impl Device {
    pub fn new(name: &str, hub: &Hub, now: u64) -> Self {
        let clock = Set::at(now);
        let seed = name.bytes().fold(99, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        let builder = Replica::builder().register::<Note>().device(name).clock(clock.clone()).random(seeded(seed));
        let replica = builder.threadless().open(MemoryStore::new()).unwrap();
        Self { replica, clock, hub: hub.transport("ada") }
    }

    pub fn create(&self, id: &str, title: &str) {
        let note = Note { id: id.into(), title: title.into(), body: None };
        self.replica.create(note).unwrap().wait().unwrap();
    }

    pub fn edit(&self, id: &str, f: impl FnOnce(&mut Note)) {
        self.replica.edit(&id.into(), f).unwrap().wait().unwrap();
    }

    pub fn delete(&self, id: &str) {
        self.replica.delete::<Note>(&id.into()).unwrap().wait().unwrap();
    }

    pub fn sync(&self) -> Report {
        run(self.replica.sync(&self.hub)).unwrap()
    }

    pub fn titles(&self) -> Vec<String> {
        self.replica.list::<Note>().unwrap().map(|note| note.unwrap().title).collect()
    }

    /// Every record, to the byte.
    pub fn records(&self) -> BTreeMap<String, Vec<u8>> {
        let raw = self.replica.raw();
        let keys = raw.list(None).map(|entity| entity.unwrap().key);
        keys.map(|key| (key.to_string(), raw.record(&key).unwrap().encode())).collect()
    }
}

/// Runs a future to its end.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        std::thread::yield_now();
    }
}

/// The way to a hub, on which something happens once during a push and once during a pull.
pub struct Meanwhile<F> {
    inner: InProcess,
    act: F,
    done: std::sync::Mutex<Vec<&'static str>>,
}

impl<F: Fn(&str) + Send + Sync> Meanwhile<F> {
    pub fn new(hub: &Hub, act: F) -> Self {
        Self { inner: hub.transport("ada"), act, done: std::sync::Mutex::default() }
    }

    fn once(&self, phase: &'static str) {
        let is_first = {
            let mut done = self.done.lock().unwrap();
            let is_first = !done.contains(&phase);
            done.push(phase);
            is_first
        };
        if is_first {
            (self.act)(phase);
        }
    }
}

impl<F: Fn(&str) + Send + Sync> Transport for Meanwhile<F> {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        self.inner.hello(request)
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.once("push");
        self.inner.push(request)
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        self.once("pull");
        self.inner.pull(request)
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        self.inner.snapshot(request)
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        self.inner.join(page)
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.inner.live(since)
    }
}
