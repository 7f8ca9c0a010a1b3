//! A way to the hub that takes less at once than the hub: everything gets through all the same, in smaller parts.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use sync_core::replica::{SyncOptions, Transaction};
use sync_core::transport::{BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage};
use sync_core::{Entry, Hub, InProcess, MemoryStore, Transport, TransportError};

use super::support::{Set, builder, hands_on, hub_on, note, notes, run};

/// What a message may have, in bytes of JSON.
const MOST: usize = 100_000;

/// A proxy with a bound on every message.
struct Narrow {
    hub: InProcess,
    /// What it says to one that is too large.
    refusal: fn() -> TransportError,
    /// Whether a greeting fails as well behind one that did.
    breaks: bool,
    is_broken: AtomicBool,
    /// After how many refusals it takes everything.
    widens: AtomicI64,
    /// How many bytes the largest message had that passed, and how many there were.
    largest: AtomicUsize,
    messages: AtomicUsize,
}

impl Narrow {
    fn new(hub: &Hub, refusal: fn() -> TransportError) -> Self {
        let (is_broken, largest, messages) = Default::default();
        let widens = AtomicI64::new(i64::MAX);
        Self { hub: hub.transport("ada"), refusal, breaks: false, is_broken, widens, largest, messages }
    }

    fn passes(&self, bytes: usize) -> Result<(), TransportError> {
        self.messages.fetch_add(1, Ordering::SeqCst);
        if bytes <= MOST || self.widens.load(Ordering::SeqCst) == 0 {
            self.largest.fetch_max(bytes, Ordering::SeqCst);
            return Ok(());
        }
        self.widens.fetch_sub(1, Ordering::SeqCst);
        self.is_broken.store(self.breaks, Ordering::SeqCst);
        Err((self.refusal)())
    }
}

fn too_large() -> TransportError {
    TransportError::TooLarge { message: "the proxy takes less".into() }
}

/// A link on which larger ones take too long.
fn too_slow() -> TransportError {
    TransportError::Offline { message: "it took too long".into() }
}

fn bytes<'a>(entries: impl Iterator<Item = &'a Entry>) -> usize {
    entries.map(|entry| entry.to_json(None).len()).sum()
}

impl Transport for Narrow {
    hands_on!(snapshot, live);
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        if self.is_broken.swap(false, Ordering::SeqCst) {
            return Box::pin(async { Err((self.refusal)()) });
        }
        self.hub.hello(request)
    }
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async move {
            self.passes(bytes(request.entries.iter()))?;
            self.hub.push(request).await
        })
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async move {
            let page = self.hub.pull(request).await?;
            self.passes(bytes(page.entries.iter().map(|(_, entry)| &**entry)))?;
            Ok(page)
        })
    }
    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            let values = page.records.iter().flat_map(|(_, record)| record.registers());
            let siblings = values.flat_map(|(_, _, register)| register.siblings());
            self.passes(siblings.map(|sibling| sibling.value.as_str().len()).sum::<usize>() / 4)?;
            self.hub.join(page).await
        })
    }
}

const NOTES: usize = 120;

/// Notes of five kilobytes each, and in between transactions of three.
fn written(clock: &Set) -> sync_core::Replica {
    let replica = builder(clock).open(MemoryStore::new()).unwrap();
    let text = "x".repeat(5_000);
    for n in (0..NOTES).step_by(4) {
        let one = |n: usize| note(&format!("{n:03}"), &text);
        replica.create(one(n)).unwrap().wait().unwrap();
        let three = replica.transaction(|tx| (n + 1..n + 4).try_for_each(|n| tx.create(one(n)).map(drop)));
        three.unwrap().wait().unwrap();
    }
    replica
}

#[test]
fn all_gets_through_a_proxy_that_takes_less_in_one_sync() {
    let clock = Set::new();
    let (hub, writer) = (hub_on(MemoryStore::new(), &clock), written(&clock));
    let way = Narrow::new(&hub, too_large);
    let report = run(writer.sync(&way)).unwrap();
    assert_eq!((report.uploaded, report.rejected, report.pending), (NOTES as u64, 0, 0));
    let reader = builder(&clock).open(MemoryStore::new()).unwrap();
    assert_eq!(run(reader.sync(&way)).unwrap().downloaded, NOTES as u64);
    assert_eq!(notes(&reader), notes(&writer));
}

/// A program may end with it: how much gets through is not kept.
#[test]
fn all_gets_over_a_slow_link_in_one_sync() {
    let clock = Set::new();
    let (hub, writer) = (hub_on(MemoryStore::new(), &clock), written(&clock));
    let way = Narrow::new(&hub, too_slow);
    assert_eq!(run(writer.sync(&way)).unwrap().uploaded, NOTES as u64);
    let reader = builder(&clock).open(MemoryStore::new()).unwrap();
    assert_eq!(run(reader.sync(&way)).unwrap().downloaded, NOTES as u64);
    assert_eq!(notes(&reader), notes(&writer));
}

#[test]
fn all_gets_over_a_link_that_breaks_sync_by_sync() {
    let clock = Set::new();
    let (hub, writer) = (hub_on(MemoryStore::new(), &clock), written(&clock));
    let way = Narrow { breaks: true, ..Narrow::new(&hub, too_slow) };
    let syncs = (0..20).take_while(|_| run(writer.sync(&way)).is_err()).count();
    assert!((1..10).contains(&syncs), "{syncs} syncs failed");
    assert_eq!(writer.status().pending, 0);
    let reader = builder(&clock).open(MemoryStore::new()).unwrap();
    let syncs = (0..20).take_while(|_| run(reader.sync(&way)).is_err()).count();
    assert!((1..10).contains(&syncs), "{syncs} syncs failed");
    assert_eq!(notes(&reader), notes(&writer));
}

/// A proxy is set up otherwise, a device moves: it is not slow for ever.
#[test]
fn a_way_that_became_wider_is_used() {
    let clock = Set::new();
    let (hub, writer) = (hub_on(MemoryStore::new(), &clock), written(&clock));
    let way = Narrow { widens: AtomicI64::new(3), ..Narrow::new(&hub, too_large) };
    run(writer.sync(&way)).unwrap();
    let reader = builder(&clock).open(MemoryStore::new()).unwrap();
    let way = Narrow { widens: AtomicI64::new(5), ..Narrow::new(&hub, too_large) };
    run(reader.sync_with(&way, options(64))).unwrap();
    for round in 0..4 {
        for n in 0..NOTES {
            writer.create(note(&format!("{round} {n}"), &"x".repeat(5_000))).unwrap().wait().unwrap();
        }
        let way = Narrow { widens: AtomicI64::new(0), ..Narrow::new(&hub, too_large) };
        run(writer.sync(&way)).unwrap();
        assert!(round < 3 || way.largest.load(Ordering::SeqCst) > 2 * MOST, "pushes stay small");
        let way = Narrow { widens: AtomicI64::new(0), ..Narrow::new(&hub, too_large) };
        run(reader.sync_with(&way, options(64))).unwrap();
        assert!(round < 3 || way.largest.load(Ordering::SeqCst) > 2 * MOST, "pages stay small");
    }
    assert_eq!(notes(&reader), notes(&writer));
}

fn options(page: u64) -> SyncOptions {
    let mut options = SyncOptions::default();
    options.page = page;
    options
}

/// It cannot be made smaller: whoever syncs is told at once.
#[test]
fn a_transaction_that_no_way_takes_is_not_sent_again_and_again() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let writer = builder(&clock).open(MemoryStore::new()).unwrap();
    let all = |tx: &mut Transaction<'_>| {
        (0..NOTES).try_for_each(|n| tx.create(note(&n.to_string(), &"x".repeat(5_000))).map(drop))
    };
    writer.transaction(all).unwrap().wait().unwrap();
    let way = Narrow::new(&hub, too_large);
    assert_eq!(run(writer.sync(&way)).unwrap_err().code(), "too_large");
    assert_eq!(writer.status().pending, NOTES as u64);
    assert!(way.messages.load(Ordering::SeqCst) < 5, "{:?} messages", way.messages);
}

#[test]
fn what_a_hub_lost_is_given_back_in_parts() {
    let clock = Set::new();
    let writer = written(&clock);
    run(writer.sync(&hub_on(MemoryStore::new(), &clock).transport("ada"))).unwrap();
    let emptied = hub_on(MemoryStore::new(), &clock);
    let report = run(writer.sync(&Narrow::new(&emptied, too_large))).unwrap();
    assert!(report.hub_restored);
    let reader = builder(&clock).open(MemoryStore::new()).unwrap();
    run(reader.sync(&emptied.transport("ada"))).unwrap();
    assert_eq!(notes(&reader), notes(&writer));
}
