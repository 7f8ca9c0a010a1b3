//! What several copies of a file hold counts once, also at a hub that forgot which of them brought it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use sync_core::replica::Report;
use sync_core::transport::{
    Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{BoxFuture, Hub, InProcess, MemoryStore, Replica, Transport, TransportError};

use super::support::{Note, Set, builder, hands_on, hub_on, note, run, title};

/// Enough for a hub that keeps little to forget what was meant before.
const MANY: u64 = 300;

struct Copy {
    store: Arc<MemoryStore>,
    replica: Replica,
}

impl Copy {
    fn new(clock: &Set, store: MemoryStore) -> Self {
        let store = Arc::new(store);
        let replica = builder(clock).open(store.clone()).unwrap();
        Self { store, replica }
    }

    fn again(&self, clock: &Set) -> Self {
        Self::new(clock, self.store.copy())
    }

    fn view(&self, views: i64) {
        self.replica.edit(&"n".into(), |note: &mut Note| note.views += views).unwrap().wait().unwrap();
    }

    fn retitle(&self, title: &str) {
        self.replica.edit(&"n".into(), |note: &mut Note| note.title = title.into()).unwrap().wait().unwrap();
    }

    fn sync(&self, hub: &Hub) -> Report {
        let way = Patient { hub: hub.transport("ada"), left: AtomicUsize::new(100) };
        run(self.replica.sync(&way)).unwrap()
    }

    fn views(&self) -> i64 {
        self.replica.get::<Note>(&"n".into()).unwrap().unwrap().views
    }
}

fn offline() -> TransportError {
    TransportError::Offline { message: "lost".into() }
}

/// A way on which a sync that would go on for ever ends.
struct Patient {
    hub: InProcess,
    left: AtomicUsize,
}

impl Transport for Patient {
    hands_on!(push, pull, snapshot, join, live);
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 => panic!("it greets for ever"),
            _ => self.hub.hello(request),
        }
    }
}

/// A way on which nothing gets up.
struct OnlyDown {
    hub: InProcess,
}

impl Transport for OnlyDown {
    hands_on!(hello, pull, snapshot, join, live);
    fn push<'a>(&'a self, _: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async { Err(offline()) })
    }
}

/// A way on which a hub is given back what it lost, and nothing of what it makes of that comes down.
struct NoSnapshot {
    hub: InProcess,
}

impl Transport for NoSnapshot {
    hands_on!(hello, push, pull, join, live);
    fn snapshot<'a>(&'a self, _: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async { Err(offline()) })
    }
}

/// A way on which another device is faster with a push, and nothing comes down behind it.
struct Overtaken<'a> {
    hub: InProcess,
    other: &'a Copy,
    at: &'a Hub,
    is_pushed: AtomicBool,
}

impl Transport for Overtaken<'_> {
    hands_on!(hello, snapshot, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.other.sync(self.at);
        self.is_pushed.store(true, Ordering::SeqCst);
        self.hub.push(request)
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        match self.is_pushed.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(offline()) }),
            false => self.hub.pull(request),
        }
    }
}

/// A file, and a copy of it that found itself one: it has all of the log, and pending what the other brought.
fn two(clock: &Set, hub: &Hub, others: u64) -> (Copy, Copy) {
    let one = Copy::new(clock, MemoryStore::new());
    one.replica.create(note("n", "first")).unwrap().wait().unwrap();
    one.sync(hub);
    one.view(10);
    let copy = one.again(clock);
    one.sync(hub);
    let other = Copy::new(clock, MemoryStore::new());
    for n in 0..others {
        other.replica.create(note(&format!("other {n}"), "T")).unwrap().wait().unwrap();
    }
    other.sync(hub);
    run(copy.replica.sync(&OnlyDown { hub: hub.transport("ada") })).unwrap_err();
    assert_eq!((copy.replica.cursor(), copy.replica.status().pending), (hub.head(), 1));
    copy.retitle("of the copy");
    (one, copy)
}

/// What was written since the file was copied goes up.
#[test]
fn what_a_copy_brought_is_not_brought_again_to_a_hub_that_forgot_what_it_meant() {
    for is_cut in [false, true] {
        let clock = Set::new();
        let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).keep_entries(1);
        let hub = hub.open(MemoryStore::new()).unwrap();
        let (one, copy) = two(&clock, &hub, MANY);
        if is_cut {
            hub.compact(0).unwrap();
        }
        let report = copy.sync(&hub);
        // What the hub knows it says; otherwise whoever holds it looks first.
        let doubted = u64::from(is_cut);
        assert_eq!((report.uploaded, report.rejected, report.pending), (2 - doubted, doubted, 0), "cut: {is_cut}");
        one.sync(&hub);
        let fresh = Copy::new(&clock, MemoryStore::new());
        fresh.sync(&hub);
        for device in [&one, &copy, &fresh] {
            assert_eq!((device.views(), title(&device.replica, "n").as_deref()), (10, Some("of the copy")));
        }
    }
}

#[test]
fn what_a_copy_brought_counts_once_at_a_hub_that_is_given_it_back() {
    for is_emptied in [false, true] {
        for is_cut_short in [false, true] {
            let clock = Set::new();
            let store = Arc::new(MemoryStore::new());
            let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(store.clone()).unwrap();
            let early = Copy::new(&clock, MemoryStore::new());
            early.replica.create(note("before", "T")).unwrap().wait().unwrap();
            early.sync(&hub);
            let backup = if is_emptied { MemoryStore::new() } else { store.copy() };
            let (one, copy) = two(&clock, &hub, 3);
            let hub = hub_on(backup, &clock);
            if is_cut_short {
                run(copy.replica.sync(&NoSnapshot { hub: hub.transport("ada") })).unwrap_err();
            }
            let report = copy.sync(&hub);
            assert!(report.hub_restored);
            assert_eq!((copy.replica.rejected().len(), report.pending), (1, 0));
            one.sync(&hub);
            let fresh = Copy::new(&clock, MemoryStore::new());
            fresh.sync(&hub);
            for device in [&one, &copy, &fresh] {
                assert_eq!(device.views(), 10, "emptied: {is_emptied}, cut short: {is_cut_short}");
            }
        }
    }
}

/// What is written over it names it, and it has no name here before it comes down.
#[test]
fn behind_what_is_known_under_another_name_nothing_is_offered_before_that_comes_down() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let first = Copy::new(&clock, MemoryStore::new());
    first.replica.create(note("n", "first")).unwrap().wait().unwrap();
    first.sync(&hub);
    let one = first.again(&clock);
    // Both are copies of a file that goes on.
    first.view(1);
    first.sync(&hub);
    one.retitle("second");
    let copy = one.again(&clock);
    let way = Overtaken { hub: hub.transport("ada"), other: &one, at: &hub, is_pushed: AtomicBool::new(false) };
    run(copy.replica.sync(&way)).unwrap_err();
    copy.retitle("third");
    let report = copy.sync(&hub);
    assert_eq!((report.uploaded, report.rejected, report.pending), (1, 0, 0));
    one.sync(&hub);
    for device in [&one, &copy] {
        assert_eq!(title(&device.replica, "n").as_deref(), Some("third"));
        assert!(device.replica.conflicts::<Note>().unwrap().is_empty());
    }
}
