//! What is done with bytes from anywhere. Each target panics where a promise is broken, and only there.
//!
//! libFuzzer runs them with coverage (`cargo +nightly fuzz run TARGET`), and `cargo test -p sync-http --test corpus` on
//! what it found.

mod messages;
mod model;
mod rows;

pub(crate) use messages::{cursor, request, response};
pub(crate) use model::{entity, reconcile, snapshot};
pub(crate) use rows::row;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::{Clock, Error, Hub, HubBuilder, MemoryStore, Random, Replica, Store};

/// What is done with bytes from anywhere.
pub(crate) type Target = fn(&[u8]);

/// All of them by name.
pub(crate) const ALL: [(&str, Target); 7] = [
    ("request", request),
    ("response", response),
    ("row", row),
    ("cursor", cursor),
    ("snapshot", snapshot),
    ("entity", entity),
    ("reconcile", reconcile),
];

const NOW: u64 = 1_700_000_000_000;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> u64 {
        NOW
    }
}

/// Numbers that are as good as random, and the same each time.
struct Counted(AtomicU64);

impl Counted {
    fn from(seed: u64) -> Self {
        Self(AtomicU64::new(seed << 32))
    }
}

impl Random for Counted {
    fn bits(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1) << 64 | 0xfeed
    }
}

fn hub_builder() -> HubBuilder {
    Hub::builder().name("home").clock(Arc::new(Stopped)).random(Arc::new(Counted::from(1)))
}

fn hub() -> Hub {
    hub_on(&Arc::default())
}

fn hub_on(store: &Arc<MemoryStore>) -> Hub {
    hub_builder().open(store.clone()).expect("a hub in memory opens")
}

/// The `n`th device.
fn replica(n: u64, store: impl Store + 'static) -> Result<Replica, Error> {
    let builder = Replica::builder().register::<model::Everything>().clock(Stopped).random(Counted::from(n + 2));
    builder.threadless().open(store)
}

/// The first byte chooses, the rest is what it is about.
fn choice(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(first, rest)| (*first, rest))
}

/// Polls once: what has no network and no threads is done then.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits for something"),
    }
}
