//! Replicas and a hub in one process: they meet, disagree, and end alike.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use sync_core::hub::{Hub, InProcess};
use sync_core::replica::Phase;
use sync_core::transport::{
    BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{Change, Clock, Id, MemoryStore, Replica, Store, Syncable, Transport, TransportError};

#[derive(Syncable, Debug, PartialEq, Clone)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
}

fn note(id: &str, title: &str) -> Note {
    Note { id: id.into(), title: title.into(), tags: BTreeSet::new(), views: 0 }
}

/// Runs a future whose every wait is over when it is polled.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        std::thread::yield_now();
    }
}

/// A clock that is set by hand.
#[derive(Clone)]
struct Set(Arc<AtomicU64>);

impl Clock for Set {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const NOON: u64 = 1_800_000_000_000;

struct World {
    hub: Hub,
    store: Arc<MemoryStore>,
    clock: Set,
}

impl World {
    fn new() -> Self {
        let clock = Set(Arc::new(AtomicU64::new(NOON)));
        let store = Arc::new(MemoryStore::new());
        Self { hub: hub_on(&store, &clock), store, clock }
    }

    /// The hub goes on with another file.
    fn put_back(&mut self, store: MemoryStore) {
        self.store = Arc::new(store);
        self.hub = hub_on(&self.store, &self.clock);
    }

    fn device(&self) -> Device {
        self.device_on(Arc::new(MemoryStore::new()), self.clock.clone())
    }

    fn device_on(&self, store: Arc<MemoryStore>, clock: Set) -> Device {
        let replica =
            Replica::builder().register::<Note>().clock(clock.clone()).threadless().open(store.clone()).unwrap();
        Device { replica, store, hub: self.hub.transport("tester"), clock }
    }
}

fn hub_on(store: &Arc<MemoryStore>, clock: &Set) -> Hub {
    Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(store.clone()).unwrap()
}

struct Device {
    replica: Replica,
    store: Arc<MemoryStore>,
    hub: InProcess,
    clock: Set,
}

impl Device {
    fn sync(&self) -> sync_core::replica::Report {
        run(self.replica.sync(&self.hub)).unwrap()
    }

    fn title(&self, id: &str) -> Option<String> {
        self.replica.get::<Note>(&id.into()).unwrap().map(|n| n.title)
    }

    /// The device goes on with the hub as it is now.
    fn meets(&mut self, world: &World) {
        self.hub = world.hub.transport("tester");
    }

    fn edit(&self, id: &str, f: impl FnOnce(&mut Note)) {
        self.replica.edit(&id.into(), f).unwrap().wait().unwrap();
    }

    fn dump(&self) -> Vec<String> {
        let all = self.replica.raw().list(None).map(|entity| entity.unwrap());
        let records = all.map(|entity| {
            let record = self.replica.raw().record(&entity.key).unwrap();
            format!("{:?} {:?}", entity, record.encode())
        });
        records.collect()
    }
}

#[test]
fn two_devices_edit_offline_conflict_and_converge() {
    let world = World::new();
    let (a, b) = (world.device(), world.device());
    drop(a.replica.create(note("n", "first")).unwrap());
    assert_eq!(a.sync().uploaded, 1);
    assert_eq!(b.sync().downloaded, 1);
    a.edit("n", |n| {
        n.title = "from a".into();
        n.views += 1;
        n.tags.insert("x".into());
    });
    b.edit("n", |n| {
        n.title = "from b".into();
        n.views += 2;
        n.tags.insert("y".into());
    });
    for device in [&a, &b, &a] {
        device.sync();
    }
    let fresh = world.device();
    fresh.sync();
    assert_eq!(a.dump(), b.dump());
    assert_eq!(a.dump(), fresh.dump());
    let merged = a.replica.get::<Note>(&"n".into()).unwrap().unwrap();
    assert_eq!((merged.views, merged.tags.len()), (3, 2));
    for device in [&a, &b, &fresh] {
        let conflicts = device.replica.conflicts::<Note>().unwrap();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].raw.field, "title");
        assert!(device.replica.verify().unwrap().is_sound());
    }
    let conflict = b.replica.conflicts::<Note>().unwrap().remove(0).raw;
    let loser = conflict.losers[0].value.as_string().unwrap().into_owned();
    b.replica.take(&conflict, 0).unwrap().wait().unwrap();
    b.sync();
    a.sync();
    assert_eq!(a.title("n"), Some(loser));
    assert!(a.replica.conflicts::<Note>().unwrap().is_empty());
}

#[test]
fn a_delete_is_settled_by_deleting_again_also_against_a_restore() {
    let world = World::new();
    let (a, b) = (world.device(), world.device());
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    a.replica.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
    a.sync();
    b.sync();
    // Both bring it back unaware of each other, and one of them deletes it again.
    b.replica.restore::<Note>(&"n".into()).unwrap().wait().unwrap();
    a.replica.restore::<Note>(&"n".into()).unwrap().wait().unwrap();
    a.replica.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
    for device in [&a, &b, &a] {
        device.sync();
    }
    let conflict = a.replica.conflicts::<Note>().unwrap().remove(0).raw;
    assert_eq!((a.title("n"), conflict.losers.len()), (None, 1));
    a.replica.keep(&conflict).unwrap().wait().unwrap();
    for device in [&a, &b] {
        device.sync();
        assert_eq!((device.title("n"), device.replica.conflicts::<Note>().unwrap().len()), (None, 0));
    }
}

#[test]
fn a_copied_file_that_goes_on_loses_nothing_and_doubles_nothing() {
    let world = World::new();
    let a = world.device();
    drop(a.replica.create(note("n", "first")).unwrap());
    a.sync();
    a.edit("n", |n| n.views += 1);
    a.edit("n", |n| n.tags = ["x".into(), "y".into()].into());
    let b = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
    a.edit("n", |n| n.views += 10);
    a.edit("n", |n| assert!(n.tags.remove("x")));
    b.edit("n", |n| n.views += 100);
    drop(b.replica.create(note("m", "only b")).unwrap());
    b.edit("n", |n| assert!(n.tags.remove("y")));
    a.sync();
    let report = b.sync();
    assert!(report.forked);
    assert_eq!(report.pending, 0);
    a.sync();
    let third = world.device();
    third.sync();
    let merged = third.replica.get::<Note>(&"n".into()).unwrap().unwrap();
    assert_eq!((merged.views, merged.tags.len()), (111, 0), "{merged:?}");
    assert_eq!(third.title("m"), Some("only b".into()));
    assert_eq!(a.dump(), b.dump());
    assert_eq!(a.dump(), third.dump());
}

#[test]
fn copies_of_a_file_in_which_nothing_was_written_are_clients_of_their_own() {
    let world = World::new();
    let image = world.device();
    let copies = [(); 2].map(|()| world.device_on(Arc::new(image.store.copy()), world.clock.clone()));
    for (device, views) in copies.iter().zip([1, 2]) {
        device.replica.create(Note { views, ..note(&format!("n{views}"), "T") }).unwrap().wait().unwrap();
        let client = device.replica.status().client;
        // Durable with the first write.
        assert_eq!(world.device_on(device.store.clone(), world.clock.clone()).replica.status().client, client);
        assert!(!device.sync().forked);
    }
    copies[0].sync();
    assert_eq!(copies[0].dump(), copies[1].dump());
    assert_eq!(copies[0].replica.vector().len(), 2);
}

#[test]
fn what_two_copies_write_alike_in_the_same_millisecond_counts_twice() {
    // What became of the first push, before the copy's, and of the next one, after it.
    for (first, next) in [(None, None), (Some(false), None), (Some(false), Some(false)), (Some(true), None)] {
        let world = World::new();
        let a = world.device();
        a.replica.create(note("n", "first")).unwrap().wait().unwrap();
        a.sync();
        let b = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
        a.edit("n", |n| n.views += 1);
        let lossy = |arrives| run(a.replica.sync(&Lossy { hub: a.hub.clone(), arrives })).unwrap_err();
        first.map(lossy);
        b.edit("n", |n| n.views += 1);
        b.sync();
        next.map(lossy);
        for device in [&a, &b, &a] {
            device.sync();
        }
        let views = |device: &Device| device.replica.get::<Note>(&"n".into()).unwrap().unwrap().views;
        assert_eq!((views(&a), views(&b)), (2, 2), "{first:?} {next:?}");
        assert_eq!(a.dump(), b.dump());
    }
}

/// Loses every push, before or after the hub carried it out.
struct Lossy {
    hub: InProcess,
    arrives: bool,
}

/// A transport that hands these on to its hub, and does the other by itself.
macro_rules! passing {
    ($transport:ty: $($method:ident($request:ty) -> $reply:ty),*; $($by_itself:tt)*) => {
        impl Transport for $transport {
            $(fn $method<'a>(&'a self, request: &'a $request) -> BoxFuture<'a, Result<$reply, TransportError>> {
                self.hub.$method(request)
            })*
            fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
                self.hub.live(since)
            }
            $($by_itself)*
        }
    };
}

passing!(
    Lossy: hello(HelloRequest) -> Hello, pull(PullRequest) -> Page, snapshot(SnapshotRequest) -> SnapshotPage,
    join(SnapshotPage) -> ();
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async move {
            if self.arrives {
                self.hub.push(request).await?;
            }
            Err(TransportError::Offline { message: "lost".into() })
        })
    }
);

#[test]
fn a_file_put_back_as_it_was_goes_on() {
    let world = World::new();
    let a = world.device();
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    let early = Arc::new(a.store.copy());
    a.sync();
    let synced = Arc::new(a.store.copy());
    for _ in 0..5 {
        a.edit("n", |n| n.views += 1);
    }
    a.sync();
    for (at, store) in [early, synced].into_iter().enumerate() {
        let back = world.device_on(store, world.clock.clone());
        back.edit("n", |n| n.views += 10);
        back.sync();
        a.sync();
        assert_eq!(back.dump(), a.dump(), "round {at}");
        let views = a.replica.get::<Note>(&"n".into()).unwrap().unwrap().views;
        assert_eq!(views, 5 + 10 * (at as i64 + 1));
    }
}

#[test]
fn a_clock_that_is_years_off_loses_nothing_blocks_nothing_and_wins_nothing() {
    let years = 3 * 365 * 24 * 3_600_000_u64;
    for wrong in [NOON + years, NOON - years, NOON + 90_000] {
        let world = World::new();
        let clock = Set(Arc::new(AtomicU64::new(wrong)));
        let (off, right) = (world.device_on(Arc::new(MemoryStore::new()), clock), world.device());
        drop(off.replica.create(note("n", "off")).unwrap());
        let report = off.sync();
        assert_eq!((report.uploaded, report.pending), (1, 0));
        assert!(report.clock_corrected.is_some());
        right.sync();
        off.edit("n", |n| n.title = "off again".into());
        world.clock.0.fetch_add(60_000, Ordering::Relaxed);
        right.edit("n", |n| n.title = "right, and later".into());
        off.clock.0.fetch_add(60_000, Ordering::Relaxed);
        for device in [&off, &right, &off] {
            device.sync();
        }
        assert_eq!(off.title("n"), Some("right, and later".into()), "clock off by {}", wrong as i64 - NOON as i64);
        assert_eq!(off.dump(), right.dump());
    }
}

#[test]
fn one_refused_entry_among_many_holds_up_none() {
    let clock = Set(Arc::new(AtomicU64::new(NOON)));
    let hub = Hub::builder().clock(Arc::new(clock.clone())).validate_entity::<Note>(|_, _, after| match after {
        Some(note) if note.title == "bad" => Err("a note must not be called bad".into()),
        _ => Ok(()),
    });
    let hub = hub.open(Arc::new(MemoryStore::new())).unwrap();
    let world = World { hub, store: Arc::new(MemoryStore::new()), clock };
    let (a, b) = (world.device(), world.device());
    drop(b.replica.create(note("other", "from b")).unwrap());
    b.sync();
    for n in 0..10_000 {
        let title = if n == 700 { "bad" } else { "good" };
        drop(a.replica.create(note(&format!("{n:05}"), title)).unwrap());
    }
    a.edit("00700", |n| n.tags.insert("after".into()).then_some(()).unwrap());
    let report = a.sync();
    assert_eq!((report.uploaded, report.rejected, report.pending, report.downloaded), (9_999, 2, 0, 1), "{report:?}");
    assert_eq!(a.title("00700"), None, "its effect left what shows");
    let rejected = a.replica.rejected();
    assert_eq!(rejected[0].rejection.message, "a note must not be called bad");
    assert_eq!(rejected[1].rejection.code, "gone");
    let again = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
    assert_eq!(again.replica.rejected(), rejected, "it survives a restart");
    let mended =
        a.replica.resubmit(rejected[0].number, |fields| fields.insert("title", sync_core::Value::from("mended")));
    mended.unwrap().wait().unwrap();
    // Sent again by somebody else while it is being mended, it is sent once.
    let number = rejected[1].number;
    let meanwhile = |_: &mut sync_core::Fields| a.replica.resubmit(number, |_| ()).unwrap().wait().unwrap();
    assert_eq!(a.replica.resubmit(number, meanwhile).unwrap_err().code(), "no_such_entry");
    assert_eq!(a.sync().rejected, 0);
    b.sync();
    let mended = b.replica.get::<Note>(&"00700".into()).unwrap().unwrap();
    assert_eq!((&*mended.title, mended.tags.len()), ("mended", 1));
    assert_eq!(b.dump(), a.dump());
}

#[test]
fn what_was_accepted_or_discarded_does_not_come_back_with_a_checkpoint() {
    let hub = Hub::builder().validate_entity::<Note>(|_, _, after| match after {
        Some(note) if note.title == "bad" => Err("a note must not be called bad".into()),
        _ => Ok(()),
    });
    let clock = Set(Arc::new(AtomicU64::new(NOON)));
    let hub = hub.clock(Arc::new(clock.clone())).open(Arc::new(MemoryStore::new())).unwrap();
    let world = World { hub, store: Arc::new(MemoryStore::new()), clock };
    let a = world.device();
    for title in ["good", "bad", "good"] {
        drop(a.replica.create(note(&format!("{title}-{}", a.replica.status().pending), title)).unwrap());
    }
    // Each is in the map before it leaves.
    a.replica.checkpoint().unwrap();
    let report = a.sync();
    assert_eq!((report.uploaded, report.rejected), (2, 1));
    a.replica.checkpoint().unwrap();
    let opened = || world.device_on(Arc::new(a.store.copy()), world.clock.clone()).replica;
    assert_eq!((opened().status().pending, opened().rejected().len()), (0, 1));
    a.replica.discard(a.replica.rejected()[0].number).unwrap().wait().unwrap();
    a.replica.checkpoint().unwrap();
    assert_eq!((opened().status().pending, opened().rejected()), (0, Vec::new()));
    // Nor does a row of theirs stay that takes space.
    let rows_of = |prefix: u8| a.store.range(&[prefix], &[prefix + 1], 10).unwrap();
    for prefix in *b"pqx" {
        assert_eq!(rows_of(prefix), [], "{}", char::from(prefix));
    }
}

/// A hub that is away, or asks to come back later.
struct Away(TransportError);

macro_rules! away {
    ($($method:ident($request:ty) -> $reply:ty),*) => {
        impl Transport for Away {
            $(fn $method<'a>(&'a self, _: &'a $request) -> BoxFuture<'a, Result<$reply, TransportError>> {
                Box::pin(std::future::ready(Err(self.0.clone())))
            })*
            fn live(&self, _: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
                Box::pin(std::future::ready(Err(self.0.clone())))
            }
        }
    };
}
away!(
    hello(HelloRequest) -> Hello, push(PushRequest) -> PushReply, pull(PullRequest) -> Page,
    snapshot(SnapshotRequest) -> SnapshotPage, join(SnapshotPage) -> ()
);

#[test]
fn the_standing_says_when_to_try_again_and_of_each_entity_whether_it_is_safe() {
    let world = World::new();
    let a = world.device();
    let id = a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    let mut watch = a.replica.watch_status();
    let offline = || TransportError::Offline { message: "no network".into() };
    let mut waits = Vec::new();
    for failures in 1..=12 {
        let error = run(a.replica.sync(&Away(offline()))).unwrap_err();
        let status = watch.try_next().unwrap();
        assert_eq!((status.phase, status.pending), (Phase::Idle, 1));
        assert_eq!(status.last_error.unwrap().code(), "offline");
        assert!(error.is_retryable() && error.is_offline());
        let wait = status.next_retry.unwrap() - NOON;
        let step = (500_u64 << failures).min(60_000);
        assert!((step / 2..step * 3 / 2).contains(&wait), "{failures}: {wait}");
        waits.push(wait);
    }
    waits[8..].sort();
    assert!(waits[8..].windows(2).any(|pair| pair[0] != pair[1]), "all devices would come back at once");
    assert!(run(a.replica.sync(&Away(TransportError::Busy { after: 600_000 }))).is_err());
    assert!(a.replica.status().next_retry.unwrap() >= NOON + 600_000, "a hub that names a time is obeyed");
    let denied = Away(TransportError::Denied { message: "no".into() });
    assert!(!run(a.replica.sync(&denied)).unwrap_err().is_retryable());
    assert_eq!(a.replica.status().next_retry, None, "it would be refused again");
    let json = serde_json::to_value(a.replica.status()).unwrap();
    assert_eq!((&json["lastError"]["code"], &json["lastError"]["retryable"]), (&"denied".into(), &false.into()));

    let status = a.replica.status_of(&id).unwrap();
    assert_eq!((status.pending, status.is_safe()), (1, false));
    a.sync();
    let status = a.replica.status();
    assert!(status.last_error.is_none() && status.next_retry.is_none() && status.first_sync_done);
    assert_eq!((status.last_synced, status.total, status.uploaded), (Some(NOON), Some(0), 1));
    assert!(a.replica.status_of(&id).unwrap().is_safe());
}

#[test]
fn a_hub_that_lost_data_gets_it_back_from_its_replicas() {
    for emptied in [false, true] {
        let mut world = World::new();
        let (mut a, mut b) = (world.device(), world.device());
        a.replica.create(note("n", "first")).unwrap().wait().unwrap();
        a.sync();
        b.sync();
        let early = if emptied { MemoryStore::new() } else { world.store.copy() };
        for round in 0..20 {
            a.edit("n", |n| n.views += 1);
            a.replica.create(note(&format!("a{round}"), "by a")).unwrap().wait().unwrap();
            b.replica.create(note(&format!("b{round}"), "by b")).unwrap().wait().unwrap();
        }
        a.edit("n", |n| n.title = "known to a alone".into());
        a.sync();
        b.sync();
        b.replica.delete::<Note>(&"b3".into()).unwrap().wait().unwrap();
        b.replica.create(note("known to b alone", "x")).unwrap().wait().unwrap();
        b.sync();
        a.edit("n", |n| n.views += 100); // pending
        let before = b.dump().len();

        world.put_back(early);
        // New devices write to it first.
        let new = world.device();
        new.replica.create(note("new", "by a new device")).unwrap().wait().unwrap();
        new.sync();
        a.meets(&world);
        b.meets(&world);
        assert!(a.sync().hub_restored, "emptied: {emptied}");
        assert!(b.sync().hub_restored);
        for device in [&a, &b, &new] {
            assert!(!device.sync().hub_restored);
        }
        let fresh = world.device();
        fresh.sync();
        assert_eq!(fresh.dump().len(), before + 1);
        assert_eq!(fresh.title("known to b alone"), Some("x".into()));
        assert_eq!(fresh.title("b3"), None, "what was deleted stays deleted");
        assert_eq!(fresh.replica.get::<Note>(&"n".into()).unwrap().unwrap().views, 120);
        for device in [&a, &b, &new] {
            assert_eq!(device.dump(), fresh.dump(), "emptied: {emptied}");
            assert!(device.replica.verify().unwrap().is_sound());
            assert_eq!(device.replica.status().pending, 0);
        }
    }
}

#[test]
fn another_hub_gets_nothing_until_the_replica_adopts_it() {
    let mut world = World::new();
    let mut a = world.device();
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    a.sync();
    a.edit("n", |n| n.title = "pending".into());
    let elsewhere = Hub::builder().name("elsewhere").clock(Arc::new(world.clock.clone()));
    world.hub = elsewhere.open(Arc::new(MemoryStore::new())).unwrap();
    a.meets(&world);
    let refused = run(a.replica.sync(&a.hub)).unwrap_err();
    assert_eq!(refused.code(), "wrong_account");
    assert_eq!(world.hub.head().seq, 0, "nothing was sent");
    assert_eq!(a.title("n"), Some("pending".into()));
}

#[test]
fn a_draft_that_is_saved_after_another_history_was_adopted_stands_on_what_is_there() {
    let mut world = World::new();
    let mut a = world.device();
    a.replica.create(note("kept", "first")).unwrap().wait().unwrap();
    a.sync();
    let early = world.store.copy();
    a.edit("kept", |n| n.title = "second".into());
    a.replica.create(note("gone", "first")).unwrap().wait().unwrap();
    a.sync();
    let open = |id: &str| a.replica.draft::<Note>(&id.into()).unwrap();
    let (mut kept, mut gone) = (open("kept"), open("gone"));
    kept.title = "from the form".into();
    gone.title = "from the form".into();
    world.put_back(early);
    a.meets(&world);
    run(a.replica.adopt_hub(&a.hub)).unwrap();
    assert_eq!(gone.save().unwrap_err().code(), "not_found");
    kept.save().unwrap().wait().unwrap();
    let report = a.sync();
    assert_eq!((report.uploaded, report.rejected, report.pending), (1, 0, 0), "{report:?}");
    assert_eq!(a.title("kept"), Some("from the form".into()));
    // The file is lost, and another one has an entity of the same name.
    let mut b = world.device();
    b.sync();
    let mut draft = b.replica.draft::<Note>(&"kept".into()).unwrap();
    draft.views += 1;
    world.put_back(MemoryStore::new());
    let c = world.device();
    c.replica.create(note("kept", "anew")).unwrap().wait().unwrap();
    c.sync();
    b.meets(&world);
    run(b.replica.adopt_hub(&b.hub)).unwrap();
    draft.save().unwrap().wait().unwrap();
    assert_eq!(b.sync().pending, 0);
    c.sync();
    assert_eq!(c.replica.get::<Note>(&"kept".into()).unwrap().unwrap().views, 1);
}

#[test]
fn a_device_that_was_offline_through_compaction_and_purge_returns() {
    let world = World::new();
    let (a, away) = (world.device(), world.device());
    for n in 0..40 {
        a.replica.create(note(&format!("{n:02}"), "first")).unwrap().wait().unwrap();
    }
    a.sync();
    away.sync();
    for n in 0..500 {
        away.edit(&format!("{:02}", n % 40), |note| {
            note.views += 1;
            note.title = format!("by the one who was away, {n}");
        });
    }
    for n in 0..10 {
        a.replica.delete::<Note>(&format!("{n:02}").as_str().into()).unwrap().wait().unwrap();
    }
    for n in 10..40 {
        a.edit(&format!("{n:02}"), |note| note.views += 100);
    }
    a.sync();
    world.clock.0.fetch_add(1_000, Ordering::Relaxed);
    assert_eq!(world.hub.purge(NOON + 500).unwrap(), 10);
    world.hub.compact(5).unwrap();
    a.sync();
    assert_eq!(a.replica.raw().list(None).count(), 30, "purged on every replica");

    let report = away.sync();
    assert!(report.bootstrapped, "{report:?}");
    let (accepted, aside) = (report.uploaded as usize, away.replica.rejected());
    assert_eq!(accepted + aside.len(), 500, "{report:?}");
    assert!(aside.iter().all(|aside| aside.rejection.code == "gone"));
    let gone: BTreeSet<&str> = aside.iter().map(|aside| &*aside.entry.key.id).collect();
    assert_eq!(gone.len(), 10);
    let fresh = world.device();
    fresh.sync();
    a.sync();
    assert_eq!(fresh.dump().len(), 30, "nothing deleted came back");
    for n in 10..40 {
        let id = format!("{n:02}");
        assert_eq!(
            fresh.replica.get::<Note>(&id.as_str().into()).unwrap().unwrap().views,
            100 + 12 + i64::from(n < 20)
        );
    }
    for device in [&a, &away] {
        assert_eq!(device.dump(), fresh.dump());
        assert!(device.replica.verify().unwrap().is_sound());
    }
    // What was written to a purged note can be written anew, as a note again: from its first write on, which has the rest.
    let of_one: Vec<u64> =
        aside.iter().filter(|aside| &*aside.entry.key.id == "03").map(|aside| aside.number).collect();
    assert_eq!(away.replica.resubmit(of_one[1], |_| ()).unwrap_err().code(), "not_found");
    for number in of_one {
        away.replica.resubmit(number, |_| ()).unwrap().wait().unwrap();
    }
    away.sync();
    a.sync();
    let again = a.replica.get::<Note>(&"03".into()).unwrap().unwrap();
    assert_eq!((&*again.title, again.views), ("by the one who was away, 483", 13), "each counts once");
}

#[test]
fn a_purge_that_comes_down_leaves_what_was_written_on_its_device() {
    let world = World::new();
    let (a, b) = (world.device(), world.device());
    a.replica.create(note("n", "a long text")).unwrap().wait().unwrap();
    a.sync();
    b.sync();
    a.replica.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
    a.sync();
    world.clock.0.fetch_add(1_000, Ordering::Relaxed);
    assert_eq!(world.hub.purge(NOON + 500).unwrap(), 1);
    b.edit("n", |note| note.views += 7);
    // The upload is tried first, and refused: the entry stays, with its reason.
    assert_eq!(b.sync().rejected, 1);
    let aside = b.replica.rejected().remove(0);
    assert_eq!(aside.rejection.code, "gone");
    assert_eq!(b.replica.raw().list(None).count(), 0);
    b.replica.resubmit(aside.number, |_| ()).unwrap().wait().unwrap();
    b.sync();
    a.sync();
    let back = a.replica.get::<Note>(&"n".into()).unwrap().unwrap();
    assert_eq!((&*back.title, back.views), ("a long text", 7), "with its whole content");
}

#[test]
fn a_hub_put_back_is_not_taken_for_the_one_it_was_after_it_went_on_and_cut_its_log() {
    // What it had of the last push came down before it was put back, or only its verdict did.
    for came_down in [true, false] {
        let mut world = World::new();
        let mut a = world.device();
        a.replica.create(note("m", "known to both")).unwrap().wait().unwrap();
        let mut copy = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
        a.replica.create(note("n", "known to a")).unwrap().wait().unwrap();
        match came_down {
            true => drop(a.sync()),
            false => drop(run(a.replica.sync(&OnlyUp { hub: a.hub.clone() })).unwrap_err()),
        }
        world.put_back(MemoryStore::new());
        for id in ["x", "y"] {
            copy.replica.create(note(id, "of the copy")).unwrap().wait().unwrap();
        }
        copy.meets(&world);
        copy.sync();
        world.hub.compact(0).unwrap();
        a.meets(&world);
        let error = run(a.replica.sync(&a.hub)).unwrap_err();
        assert_eq!(error.code(), "diverged", "came down: {came_down}");
        assert_eq!(a.title("n"), Some("known to a".into()), "it is still there");
        run(a.replica.adopt_hub(&a.hub)).unwrap();
        assert_eq!((a.title("n"), a.title("x")), (None, Some("of the copy".into())));
        let listed = a.replica.rejected();
        assert!(listed.iter().any(|aside| &*aside.entry.key.id == "n"), "{listed:?}");
    }
}

/// Nothing comes down.
struct OnlyUp {
    hub: InProcess,
}

passing!(
    OnlyUp: hello(HelloRequest) -> Hello, push(PushRequest) -> PushReply, snapshot(SnapshotRequest) -> SnapshotPage,
    join(SnapshotPage) -> ();
    fn pull<'a>(&'a self, _: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async { Err(TransportError::Offline { message: "lost".into() }) })
    }
);

#[test]
fn a_copy_that_found_itself_one_remembers_what_the_hub_had_although_nothing_came_down() {
    let mut world = World::new();
    let a = world.device();
    a.edit_or_create("n", 1);
    let mut copy = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
    a.sync();
    let mut other = world.device();
    other.sync();
    // It hears that the hub has an entry of its client, and no more.
    run(copy.replica.sync(&OnlyUp { hub: copy.hub.clone() })).unwrap_err();
    world.put_back(MemoryStore::new());
    for device in [&mut copy, &mut other] {
        device.meets(&world);
    }
    for device in [&copy, &other, &copy] {
        // What cannot be told from what the hub lost is set aside.
        drop(run(device.replica.sync(&device.hub)));
    }
    let fresh = world.device();
    fresh.sync();
    let views = fresh.replica.get::<Note>(&"n".into()).unwrap().unwrap().views;
    assert_eq!((views, copy.replica.rejected().len()), (1, 1), "what was counted once counts once");
}

/// Has the first entry of a push arrive, and no reply.
struct First {
    hub: InProcess,
}

passing!(
    First: hello(HelloRequest) -> Hello, pull(PullRequest) -> Page, snapshot(SnapshotRequest) -> SnapshotPage,
    join(SnapshotPage) -> ();
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async move {
            let first = PushRequest { entries: request.entries[..1].to_vec(), ..request.clone() };
            self.hub.push(&first).await?;
            Err(TransportError::Offline { message: "lost".into() })
        })
    }
);

#[test]
fn what_a_copy_brought_counts_once_although_it_cut_its_journal_and_the_hub_lost_it() {
    for cut in [false, true] {
        let mut world = World::new();
        let mut a = world.device();
        a.edit_or_create("n", 1);
        a.edit("n", |n| n.views += 10);
        let mut copy = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
        run(a.replica.sync(&First { hub: a.hub.clone() })).unwrap_err();
        assert!(copy.sync().forked, "the one has brought the create, the copy brings the edit");
        if cut {
            copy.replica.compact().unwrap();
        }
        world.put_back(MemoryStore::new());
        a.meets(&world);
        copy.meets(&world);
        assert!(copy.sync().hub_restored);
        a.sync();
        let fresh = world.device();
        fresh.sync();
        let views = |device: &Device| device.replica.get::<Note>(&"n".into()).unwrap().map(|note| note.views);
        assert_eq!((views(&fresh), views(&a)), (Some(11), Some(11)), "cut: {cut}");
    }
}

impl Device {
    fn edit_or_create(&self, id: &str, views: i64) {
        self.replica.create(Note { views, ..note(id, "counted") }).unwrap().wait().unwrap();
    }
}

#[test]
fn a_copy_that_pushed_less_often_than_another_is_not_kept_out() {
    let world = World::new();
    let a = world.device();
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    a.sync();
    let copy = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
    // It offers as many as the other one writes later, in one push, which is lost.
    for _ in 0..301 {
        copy.edit("n", |n| n.views += 1_000);
    }
    run(copy.replica.sync(&Lossy { hub: copy.hub.clone(), arrives: false })).unwrap_err();
    for _ in 0..300 {
        a.edit("n", |n| n.views += 1);
        a.sync();
    }
    copy.sync();
    a.sync();
    let views = |device: &Device| device.replica.get::<Note>(&"n".into()).unwrap().unwrap().views;
    assert_eq!((views(&a), views(&copy)), (301_300, 301_300));
}

#[test]
fn what_was_refused_with_its_create_is_written_anew_over_what_shows() {
    let clock = Set(Arc::new(AtomicU64::new(NOON)));
    let hub = Hub::builder().clock(Arc::new(clock.clone())).validate_entity::<Note>(|_, _, after| match after {
        Some(note) if note.title == "bad" => Err("a note must not be called bad".into()),
        _ => Ok(()),
    });
    let hub = hub.open(Arc::new(MemoryStore::new())).unwrap();
    let world = World { hub, store: Arc::new(MemoryStore::new()), clock };
    let a = world.device();
    let tagged = |title: &str, tag: &str| Note { tags: [tag.to_owned()].into(), ..note("n", title) };
    a.replica.create(tagged("bad", "x")).unwrap().wait().unwrap();
    a.edit("n", |n| n.tags = ["y".to_owned()].into());
    assert_eq!(a.sync().rejected, 2);
    // Another one is there by now, and the edit is to be made on that.
    a.replica.create(tagged("good", "x")).unwrap().wait().unwrap();
    let edit = a.replica.rejected().remove(1);
    a.replica.resubmit(edit.number, |_| ()).unwrap().wait().unwrap();
    assert_eq!(a.sync().pending, 0);
    let fresh = world.device();
    fresh.sync();
    let tags = fresh.replica.get::<Note>(&"n".into()).unwrap().unwrap().tags;
    assert_eq!(tags, ["y".to_owned()].into(), "y was added, and x removed");
}

/// A hub that is put back between the greeting and what follows, and does not answer a second greeting.
struct PutBack {
    before: InProcess,
    hub: InProcess,
    greeted: AtomicU64,
}

passing!(
    PutBack: push(PushRequest) -> PushReply, pull(PullRequest) -> Page, snapshot(SnapshotRequest) -> SnapshotPage,
    join(SnapshotPage) -> ();
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(async move {
            match self.greeted.fetch_add(1, Ordering::Relaxed) {
                0 => self.before.hello(request).await,
                _ => Err(TransportError::Offline { message: "lost".into() }),
            }
        })
    }
);

/// A file in memory.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for File {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_a_hub_told_of_its_epochs_and_lost_before_it_came_down_proves_nothing() {
    let mut world = World::new();
    let (a, reader, device) = (world.device(), world.device(), world.device());
    a.replica.create(note("base", "of all")).unwrap().wait().unwrap();
    for device in [&a, &reader, &device] {
        device.sync();
    }
    let (backup, author) = (world.store.copy(), Arc::new(a.store.copy()));
    a.replica.create(note("x", "acknowledged")).unwrap().wait().unwrap();
    a.sync();
    reader.sync();
    // The hub is started anew and goes on.
    world.hub = hub_on(&world.store, &world.clock);
    let other = world.device();
    other.replica.create(note("f", "in the second epoch")).unwrap().wait().unwrap();
    other.sync();
    // It is put back, with the author's file, while the device is greeted.
    let before = world.hub.transport("tester");
    world.put_back(backup);
    let author = world.device_on(author, world.clock.clone());
    for id in ["y", "y2"] {
        author.replica.create(note(id, "another")).unwrap().wait().unwrap();
    }
    author.sync();
    let put_back = PutBack { before, hub: world.hub.transport("tester"), greeted: AtomicU64::new(0) };
    run(device.replica.sync(&put_back)).unwrap();
    assert_eq!(device.title("y"), Some("another".into()));
    let file = File::default();
    run(device.replica.export_snapshot(file.clone())).unwrap();
    let bytes = file.0.lock().unwrap().clone();
    let refused = run(reader.replica.import_snapshot(std::io::Cursor::new(bytes))).unwrap_err();
    assert_eq!(refused.code(), "snapshot_file", "{refused}");
    assert_eq!(reader.title("x"), Some("acknowledged".into()));
}

#[test]
fn what_a_copy_brought_and_the_hub_lost_is_not_taken_for_what_has_its_name_now() {
    for adopts in [false, true] {
        let mut world = World::new();
        let a = world.device();
        a.sync();
        a.replica.checkpoint().unwrap();
        let mut twin = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
        a.replica.create(note("w", "written")).unwrap().wait().unwrap();
        let mut copy = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
        a.sync();
        // The copy hears under which name it is known, and it does not come down.
        for _ in 0..2 {
            run(copy.replica.sync(&OnlyUp { hub: copy.hub.clone() })).unwrap_err();
        }
        drop(a);
        // The hub is emptied, and hears of another copy under the same names.
        world.put_back(MemoryStore::new());
        twin.meets(&world);
        twin.replica.create(note("x", "of the twin")).unwrap().wait().unwrap();
        twin.sync();
        copy.meets(&world);
        let done = if adopts { run(copy.replica.adopt_hub(&copy.hub)) } else { run(copy.replica.sync(&copy.hub)) };
        let listed: Vec<_> = copy.replica.rejected().iter().map(|aside| aside.entry.key.id.to_string()).collect();
        assert!(copy.title("w").is_some() || listed == ["w"], "adopts: {adopts}, {done:?}: {listed:?}");
    }
}

#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(tombstone = "last_writer_wins")]
struct Draft {
    #[sync(id)]
    id: Id<Draft, String>,
    text: String,
}

#[test]
fn what_is_written_last_shows_at_once_though_the_clock_stands_still() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let replica =
        Replica::builder().register::<Draft>().clock(world.clock.clone()).threadless().open(store.clone()).unwrap();
    let hub = world.hub.transport("tester");
    let id = Id::from("d");
    let shows = |what: &str| {
        assert_eq!(replica.get::<Draft>(&id).unwrap().map(|draft| draft.text).as_deref().unwrap_or("-"), what)
    };
    replica.create(Draft { id: id.clone(), text: "a".into() }).unwrap().wait().unwrap();
    run(replica.sync(&hub)).unwrap();
    replica.edit(&id, |draft: &mut Draft| draft.text = "b".into()).unwrap().wait().unwrap();
    run(replica.sync(&hub)).unwrap();
    // All of one time, by a clock that is behind what was seen, or within one millisecond.
    replica.delete::<Draft>(&id).unwrap().wait().unwrap();
    shows("-");
    run(replica.sync(&hub)).unwrap();
    shows("-");
    replica.restore::<Draft>(&id).unwrap().wait().unwrap();
    shows("b");
    run(replica.sync(&hub)).unwrap();
    replica.delete::<Draft>(&id).unwrap().wait().unwrap();
    shows("-");
    run(replica.sync(&hub)).unwrap();
    shows("-");
}

/// Lets another device sync before the first push, and loses what is asked for after it.
struct Overtaken<'a> {
    hub: InProcess,
    other: &'a Device,
    is_pushed: AtomicBool,
}

passing!(
    Overtaken<'_>: hello(HelloRequest) -> Hello, snapshot(SnapshotRequest) -> SnapshotPage, join(SnapshotPage) -> ();
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.other.sync();
        self.is_pushed.store(true, Ordering::Relaxed);
        self.hub.push(request)
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        if self.is_pushed.load(Ordering::Relaxed) {
            return Box::pin(async { Err(TransportError::Offline { message: "lost".into() }) });
        }
        self.hub.pull(request)
    }
);

#[test]
fn what_was_accepted_and_waits_to_come_down_is_explained_once_under_its_name() {
    let world = World::new();
    let a = world.device();
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    a.sync();
    let copy = |of: &Device| world.device_on(Arc::new(of.store.copy()), world.clock.clone());
    let b = copy(&a);
    a.edit("n", |n| n.views += 1);
    a.sync();
    b.edit("n", |n| n.title = "second".into());
    b.edit("n", |n| n.tags = ["x".into(), "y".into()].into());
    // Both find that they are copies; this one hears that the other brought what both hold, and not what that was.
    let c = copy(&b);
    let overtaken = Overtaken { hub: c.hub.clone(), other: &b, is_pushed: AtomicBool::new(false) };
    run(c.replica.sync(&overtaken)).unwrap_err();
    let explain = |device: &Device, field: &str| device.replica.explain::<Note>(&"n".into(), field).unwrap();
    for field in ["title", "tags", "views"] {
        assert_eq!(explain(&c, field), explain(&b, field));
    }
    c.sync();
    for field in ["title", "tags", "views"] {
        assert_eq!(explain(&c, field), explain(&b, field));
    }
    let log = c.replica.log().unwrap();
    let names: BTreeSet<String> = log.iter().map(|line| line.entry.dot().to_string()).collect();
    assert_eq!((names.len(), log.len()), (4, 4), "{log:?}");
}

#[test]
fn the_log_of_a_copy_names_what_was_accepted_before_as_it_is_called_where_its_beginning_was_cut() {
    let world = World::new();
    let a = world.device();
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    a.sync();
    a.replica.compact().unwrap();
    a.edit("n", |n| n.title = "second".into());
    a.sync();
    let b = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
    b.edit("n", |n| n.views += 1);
    b.sync();
    a.edit("n", |n| n.views += 2);
    assert!(a.sync().forked);
    let page = world.hub.pull(&PullRequest { limit: 9, ..PullRequest::default() }).unwrap();
    let log: BTreeSet<String> = a.replica.log().unwrap().iter().map(|line| line.entry.dot().to_string()).collect();
    let hubs: BTreeSet<String> = page.entries[1..].iter().map(|(_, entry)| entry.dot().to_string()).collect();
    assert_eq!(log, hubs);
}

#[test]
fn who_watches_is_told_when_what_came_down_turns_out_to_be_what_is_pending() {
    let world = World::new();
    let a = world.device();
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    a.sync();
    let b = world.device_on(Arc::new(a.store.copy()), world.clock.clone());
    a.edit("n", |n| n.views += 1);
    a.sync();
    b.edit("n", |n| n.views += 10);
    let c = world.device_on(Arc::new(b.store.copy()), world.clock.clone());
    b.sync();
    run(c.replica.sync(&Lossy { hub: c.hub.clone(), arrives: false })).unwrap_err();
    let views = || c.replica.get::<Note>(&"n".into()).unwrap().unwrap().views;
    let watch = c.replica.raw().watch(None);
    assert_eq!(views(), 21, "only the hub knows that both are one");
    c.sync();
    assert_eq!(views(), 11);
    assert!(matches!(watch.try_next(), Some(Change::Changed(key)) if &*key.id == "n"));
}

#[test]
fn what_a_file_settles_is_called_by_its_name_in_the_log_though_the_journal_was_cut_before() {
    let world = World::new();
    let (a, b) = (world.device(), world.device());
    a.replica.create(note("n", "first")).unwrap().wait().unwrap();
    run(a.replica.sync(&Lossy { hub: a.hub.clone(), arrives: true })).unwrap_err();
    a.replica.compact().unwrap();
    a.edit("n", |n| n.title = "second".into());
    b.sync();
    let file = File::default();
    run(b.replica.export_snapshot(file.clone())).unwrap();
    let bytes = file.0.lock().unwrap().clone();
    run(a.replica.import_snapshot(std::io::Cursor::new(bytes))).unwrap();
    let replaced = || a.replica.explain::<Note>(&"n".into(), "title").unwrap().parts.remove(0).replaced;
    let first = b.replica.log().unwrap()[0].entry.dot().to_string();
    assert_eq!(replaced(), [first]);
    a.sync();
    assert!(!replaced().iter().any(|name| name.starts_with("pending")), "{:?}", replaced());
}
