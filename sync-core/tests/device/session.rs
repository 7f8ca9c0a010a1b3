//! What happens while entries are exchanged or the records are replaced: the replica is wiped, another exchange begins, a
//! transaction is open.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use sync_core::hub::InProcess;
use sync_core::transport::{
    BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{Hub, MemoryStore, Replica, Transport, TransportError};

use super::support::{Set, builder, export, hub_on, import, look_twice, note, notes, run, title};

type Deed = Box<dyn FnOnce() + Send>;

/// A hub that answers at the second look, and something else happens at one of its answers.
struct Meddled {
    /// Which one it is may change.
    hub: Arc<Mutex<InProcess>>,
    /// How many answers come before that.
    left: AtomicI64,
    deed: Mutex<Option<Deed>>,
    /// How many answers come before none does any more.
    ends: AtomicI64,
}

impl Meddled {
    fn new(hub: InProcess, left: i64, deed: impl FnOnce() + Send + 'static) -> Self {
        Self::changing(Arc::new(Mutex::new(hub)), left, deed)
    }

    fn changing(hub: Arc<Mutex<InProcess>>, left: i64, deed: impl FnOnce() + Send + 'static) -> Self {
        let deed: Deed = Box::new(deed);
        Self { hub, left: AtomicI64::new(left), deed: Mutex::new(Some(deed)), ends: AtomicI64::new(i64::MAX) }
    }

    /// A way to the hub that is lost after so many answers.
    fn cut(hub: InProcess, ends: i64) -> Self {
        Self { ends: AtomicI64::new(ends), ..Self::slow(hub) }
    }

    fn slow(hub: InProcess) -> Self {
        Self::new(hub, i64::MAX, || {})
    }

    fn count(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            let deed = self.deed.lock().unwrap().take();
            deed.into_iter().for_each(|deed| deed());
        }
    }

    fn happened(&self) -> bool {
        self.deed.lock().unwrap().is_none()
    }
}

macro_rules! passing {
    ($($method:ident($request:ty) -> $reply:ty),*) => {
        impl Transport for Meddled {
            $(fn $method<'a>(&'a self, request: &'a $request) -> BoxFuture<'a, Result<$reply, TransportError>> {
                Box::pin(async move {
                    if self.ends.fetch_sub(1, Ordering::Relaxed) <= 0 {
                        return Err(TransportError::Offline { message: "the way is lost".into() });
                    }
                    let hub = self.hub.lock().unwrap().clone();
                    let reply = hub.$method(request).await;
                    look_twice().await;
                    self.count();
                    reply
                })
            })*
            fn live(&self, _: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
                Box::pin(std::future::pending())
            }
        }
    };
}
passing!(
    hello(HelloRequest) -> Hello, push(PushRequest) -> PushReply, pull(PullRequest) -> Page,
    snapshot(SnapshotRequest) -> SnapshotPage, join(SnapshotPage) -> ()
);

/// Two things happen at answers of one hub.
struct Both {
    first: Meddled,
    second: Meddled,
}

macro_rules! passing_both {
    ($($method:ident($request:ty) -> $reply:ty),*) => {
        impl Transport for Both {
            $(fn $method<'a>(&'a self, request: &'a $request) -> BoxFuture<'a, Result<$reply, TransportError>> {
                Box::pin(async move {
                    self.second.count();
                    self.first.$method(request).await
                })
            })*
            fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
                self.first.live(since)
            }
        }
    };
}
passing_both!(
    hello(HelloRequest) -> Hello, push(PushRequest) -> PushReply, pull(PullRequest) -> Page,
    snapshot(SnapshotRequest) -> SnapshotPage, join(SnapshotPage) -> ()
);

/// Looks at both futures in turn until both are done.
fn run_both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    let mut cx = Context::from_waker(Waker::noop());
    let (mut ended_a, mut ended_b) = (None, None);
    loop {
        if ended_a.is_none()
            && let Poll::Ready(ended) = a.as_mut().poll(&mut cx)
        {
            ended_a = Some(ended);
        }
        if ended_b.is_none()
            && let Poll::Ready(ended) = b.as_mut().poll(&mut cx)
        {
            ended_b = Some(ended);
        }
        match (ended_a.take(), ended_b.take()) {
            (Some(a), Some(b)) => return (a, b),
            (a, b) => (ended_a, ended_b) = (a, b),
        }
    }
}

/// What a user's devices and hub hold before one of them syncs, and is wiped meanwhile.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// The device has something pending, and another one's entries to take.
    Ordinary,
    /// The hub's log was cut: the device takes a snapshot.
    Snapshot,
    /// The hub lost everything: the device gives it back.
    HubLost,
}

struct Stage {
    clock: Set,
    hub: Hub,
    device: Replica,
}

impl Stage {
    fn new(before: Before) -> Self {
        let clock = Set::new();
        let mut hub = hub_on(MemoryStore::new(), &clock);
        let device = builder(&clock).open(MemoryStore::new()).unwrap();
        device.create(note("old", "T")).unwrap().wait().unwrap();
        let other = builder(&clock).open(MemoryStore::new()).unwrap();
        for n in 0..3 {
            other.create(note(&format!("theirs{n}"), "T")).unwrap().wait().unwrap();
        }
        run(other.sync(&hub.transport("old user"))).unwrap();
        match before {
            Before::Ordinary => {}
            Before::Snapshot => hub.compact(0).unwrap(),
            Before::HubLost => {
                run(device.sync(&hub.transport("old user"))).unwrap();
                hub = hub_on(MemoryStore::new(), &clock);
                device.create(note("pending", "T")).unwrap().wait().unwrap();
            }
        }
        Self { clock, hub, device }
    }
}

#[test]
fn a_sync_that_is_overtaken_by_a_wipe_brings_nothing_into_what_the_replica_is_then() {
    for before in [Before::Ordinary, Before::Snapshot, Before::HubLost] {
        let mut overtaken = 0;
        for left in 0.. {
            let stage = Stage::new(before);
            let device = stage.device.clone();
            let meddled = Meddled::new(stage.hub.transport("old user"), left, {
                let device = device.clone();
                move || {
                    device.wipe(true).unwrap();
                    device.create(note("new", "of the new user")).unwrap().wait().unwrap();
                }
            });
            let synced = run(device.sync(&meddled));
            if !meddled.happened() {
                synced.unwrap();
                break;
            }
            overtaken += 1;
            assert_eq!(synced.unwrap_err().code(), "wiped", "{before:?} {left}");
            let shown = notes(&device);
            assert_eq!(shown, [note("new", "of the new user")], "{before:?} {left}");
            let status = device.status();
            assert_eq!((status.cursor, status.account, status.pending), (0, None, 1), "{before:?} {left}");
            assert!(status.last_error.is_none());
            let taken = builder(&stage.clock).open(MemoryStore::new()).unwrap();
            run(taken.sync(&stage.hub.transport("old user"))).unwrap();
            assert_eq!(title(&taken, "new"), None, "{before:?} {left}: the old user's hub has it");
            let hub = hub_on(MemoryStore::new(), &stage.clock);
            run(device.sync(&hub.transport("new user"))).unwrap();
            assert_eq!(hub.head().seq, 1, "{before:?} {left}: the new user's hub has more");
            device.checkpoint().unwrap();
            assert_eq!(notes(&device), shown, "{before:?} {left}");
            assert!(device.verify().unwrap().is_sound());
        }
        assert!(overtaken > 2, "{before:?}: {overtaken}");
    }
}

#[test]
fn a_sync_for_the_new_user_does_not_join_the_one_for_the_old() {
    let stage = Stage::new(Before::Ordinary);
    let device = &stage.device;
    let hub = hub_on(MemoryStore::new(), &stage.clock);
    let old = Meddled::slow(stage.hub.transport("old user"));
    let both = run_both(device.sync(&old), async {
        look_twice().await;
        device.wipe(true).unwrap();
        device.create(note("new", "T")).unwrap().wait().unwrap();
        device.sync(&hub.transport("new user")).await
    });
    assert_eq!(both.0.unwrap_err().code(), "wiped");
    assert_eq!(both.1.unwrap().uploaded, 1);
    assert_eq!(device.status().account.map(|account| account.principal), Some("new user".into()));
    assert_eq!(notes(device).len(), 1);
}

#[test]
fn a_file_is_not_taken_in_by_what_the_replica_is_after_a_wipe() {
    let stage = Stage::new(Before::Ordinary);
    run(stage.device.sync(&stage.hub.transport("old user"))).unwrap();
    let file = export(&stage.device);
    /// Wipes when it is read the second time.
    struct Wiping(std::io::Cursor<Vec<u8>>, Replica, usize);
    impl std::io::Read for Wiping {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.2 == 0 {
                self.1.wipe(true).unwrap();
            }
            self.2 = self.2.wrapping_sub(1);
            self.0.read(buffer)
        }
    }
    let mut wiped = 0;
    for reads in 0.. {
        let device = builder(&stage.clock).open(MemoryStore::new()).unwrap();
        let reader = Wiping(std::io::Cursor::new(file.clone()), device.clone(), reads);
        match run(device.import_snapshot(reader)) {
            Ok(_) => break,
            Err(error) => assert_eq!(error.code(), "wiped", "{reads}"),
        }
        wiped += 1;
        assert_eq!((notes(&device), device.cursor().seq), (vec![], 0), "{reads}");
        import(&device, file.clone()).unwrap();
        assert_eq!(notes(&device).len(), 4);
    }
    assert!(wiped > 4, "{wiped}");
}

#[test]
fn two_that_adopt_at_once_and_a_sync_beside_keep_everything() {
    let clock = Set::new();
    let (hub, elsewhere) = (hub_on(MemoryStore::new(), &clock), hub_on(MemoryStore::new(), &clock));
    let other = builder(&clock).open(MemoryStore::new()).unwrap();
    for n in 0..4 {
        other.create(note(&format!("there{n}"), "T")).unwrap().wait().unwrap();
    }
    run(other.sync(&elsewhere.transport("tester"))).unwrap();
    let first = |device: &Replica| {
        device.create(note("here", "T")).unwrap().wait().unwrap();
        run(device.sync(&hub.transport("tester"))).unwrap();
    };
    let expected = ["there0", "there1", "there2", "there3"];
    let ids = |device: &Replica| notes(device).iter().map(|note| note.id.key().clone()).collect::<Vec<String>>();
    let slow = || Meddled::slow(elsewhere.transport("tester"));
    let (one, two) = (slow(), slow());
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    first(&device);
    let both = run_both(device.adopt_hub(&one), device.adopt_hub(&two));
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(ids(&device), expected);
    assert_eq!(device.rejected().len(), 1, "what only this one had");
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    first(&device);
    let both = run_both(device.adopt_hub(&one), device.sync(&two));
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(ids(&device), expected);
    assert!(device.verify().unwrap().is_sound());
    run(device.sync(&one)).unwrap();
    assert_eq!(device.cursor().seq, elsewhere.head().seq);
}

#[test]
fn a_transaction_that_is_open_while_another_history_is_adopted_is_set_aside_or_stands_on_it() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    // The device itself has nothing there that would make it another client.
    let other = builder(&clock).open(MemoryStore::new()).unwrap();
    other.create(note("n", "T")).unwrap().wait().unwrap();
    run(other.sync(&hub.transport("tester"))).unwrap();
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    run(device.sync(&hub.transport("tester"))).unwrap();
    let elsewhere = hub_on(MemoryStore::new(), &clock);
    let (begun, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel();
    let writer = thread::spawn({
        let device = device.clone();
        move || {
            let edited = device.transaction(|tx| {
                tx.edit(&"n".into(), |note: &mut super::support::Note| note.title = "in between".into())?;
                begun.send(()).unwrap();
                may_end.recv().unwrap();
                Ok(())
            });
            edited.unwrap().wait().unwrap();
        }
    });
    has_begun.recv().unwrap();
    // Adopting meets the open transaction where it commits what it found out about pending entries.
    let release = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        end.send(()).unwrap();
    });
    run(device.adopt_hub(&elsewhere.transport("tester"))).unwrap();
    writer.join().unwrap();
    release.join().unwrap();
    let report = run(device.sync(&elsewhere.transport("tester"))).unwrap();
    assert_eq!(report.pending, 0, "{report:?}");
    let titles = |set_aside: &sync_core::replica::SetAside| format!("{:?}", set_aside.entry.fields);
    let aside: Vec<String> = device.rejected().iter().map(titles).collect();
    assert!(aside.iter().any(|fields| fields.contains("in between")), "{aside:?}");
}

#[test]
fn what_is_acknowledged_while_a_wipe_that_spares_the_unsynced_is_under_way_is_there() {
    // Wherever in the wipe it comes: nothing was counted then, and it is either forgotten by nobody or refused.
    let mut met = 0;
    for looks in 0..40 {
        let clock = Set::new();
        let store = Arc::new(super::midway::Midway::new());
        let device = builder(&clock).open(store.clone()).unwrap();
        let (sent, received) = mpsc::channel();
        store.before_change(looks, {
            let device = device.clone();
            move || {
                let (acknowledged, is_acknowledged) = mpsc::channel();
                let writer = thread::spawn(move || {
                    let written = device.create(note("n", "T")).and_then(|commit| commit.wait()).is_ok();
                    acknowledged.send(()).ok();
                    written
                });
                // It may have to wait for the wipe.
                is_acknowledged.recv_timeout(Duration::from_millis(50)).ok();
                sent.send(writer).unwrap();
            }
        });
        let wiped = device.wipe(false);
        let Ok(writer) = received.try_recv() else { break };
        met += 1;
        assert!(writer.join().unwrap());
        assert_eq!(notes(&device).len(), 1, "{looks}: {wiped:?}");
    }
    assert!(met > 2, "{met}");
}

/// A hub with so many notes whose log was cut, so that devices take its snapshot, in pages.
fn large_hub(clock: &Set, notes: usize) -> (Arc<MemoryStore>, Hub, Replica) {
    let store = Arc::new(MemoryStore::new());
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(store.clone()).unwrap();
    let author = builder(clock).open(MemoryStore::new()).unwrap();
    for n in 0..notes {
        author.create(note(&format!("{n:05}"), "T")).unwrap().wait().unwrap();
    }
    run(author.sync(&hub.transport("tester"))).unwrap();
    hub.compact(0).unwrap();
    (store, hub, author)
}

#[test]
fn a_wipe_that_is_refused_takes_nothing_of_a_snapshot_that_is_coming() {
    let clock = Set::new();
    let (_, hub, _) = large_hub(&clock, 600);
    for left in 0.. {
        let device = builder(&clock).open(MemoryStore::new()).unwrap();
        let meddled = Meddled::new(hub.transport("tester"), left, {
            let device = device.clone();
            move || {
                let refused = device.transaction(|_| Ok(device.wipe(true).unwrap_err().code()));
                assert_eq!(refused.unwrap().wait().unwrap(), "nested");
            }
        });
        run(device.sync(&meddled)).unwrap();
        assert_eq!(notes(&device).len(), 600, "refused after {left}");
        if !meddled.happened() {
            assert!(left > 3, "{left}");
            return;
        }
    }
}

#[test]
fn a_file_that_takes_the_place_of_half_a_snapshot_is_whole_wherever_the_process_ends() {
    let clock = Set::new();
    let (_, hub, author) = large_hub(&clock, 600);
    let file = export(&author);
    let half = {
        let store = Arc::new(MemoryStore::new());
        let device = builder(&clock).open(store.clone()).unwrap();
        // Hello and the first page.
        let cut = run(device.sync(&Meddled::cut(hub.transport("tester"), 2)));
        assert_eq!(cut.unwrap_err().code(), "offline");
        store
    };
    for left in 1.. {
        let store = Arc::new(half.copy());
        let mortal = super::support::Mortal::new(store.clone(), left, true);
        let died = builder(&clock).open(mortal).map_or(true, |device| import(&device, file.clone()).is_err());
        let device = builder(&clock).open(store).unwrap();
        run(device.sync(&hub.transport("tester"))).unwrap();
        assert_eq!(notes(&device).len(), 600, "ended after {left} changes");
        if !died {
            assert!(left > 4, "{left}");
            return;
        }
    }
}

#[test]
fn a_snapshot_is_of_one_state_of_the_hub_also_where_it_is_put_back_while_it_comes() {
    let clock = Set::new();
    let (store, hub, author) = large_hub(&clock, 1_100);
    let before = store.copy();
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    let way = Arc::new(Mutex::new(hub.transport("tester")));
    // After hello and the first page somebody writes to what stands on the second; after that the hub is put back.
    let (put_back, meanwhile) = (way.clone(), clock.clone());
    let third = Meddled::changing(way, 3, move || {
        let hub = hub_on(before, &meanwhile);
        *put_back.lock().unwrap() = hub.transport("tester");
    });
    let second = Meddled::changing(third.hub.clone(), 1, move || {
        author
            .edit(&"00700".into(), |note: &mut super::support::Note| note.title = "lost".into())
            .unwrap()
            .wait()
            .unwrap();
        run(author.sync(&hub.transport("tester"))).unwrap();
    });
    let both = Both { first: second, second: third };
    run(device.sync(&both)).unwrap();
    assert!(both.first.happened() && both.second.happened());
    assert_eq!(title(&device, "00700"), Some("T".into()), "that write is not in what the device says it has");
    assert_eq!(notes(&device).len(), 1_100);
}

#[test]
fn what_came_from_a_file_goes_to_no_other_hub_than_the_one_that_it_is_of() {
    let clock = Set::new();
    let (hub, author) = (hub_on(MemoryStore::new(), &clock), builder(&clock).open(MemoryStore::new()).unwrap());
    author.create(note("n", "T")).unwrap().wait().unwrap();
    run(author.sync(&hub.transport("tester"))).unwrap();
    let file = export(&author);
    let elsewhere = Hub::builder().name("elsewhere").clock(Arc::new(clock.clone())).open(MemoryStore::new()).unwrap();
    for checkpointed in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let device = builder(&clock).open(store.clone()).unwrap();
        import(&device, file.clone()).unwrap();
        if checkpointed {
            device.compact().unwrap();
        }
        drop(device);
        let device = builder(&clock).open(store).unwrap();
        assert_eq!(run(device.sync(&elsewhere.transport("tester"))).unwrap_err().code(), "wrong_account");
        assert_eq!(elsewhere.head().seq, 0, "nothing was sent");
        assert_eq!(export(&device), file, "it says whose it is");
        run(device.sync(&hub.transport("tester"))).unwrap();
        assert_eq!(device.status().account.map(|account| account.hub), Some("hub".into()));
    }
}

#[test]
fn a_file_whose_reader_panics_holds_up_nobody() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("the reader is broken")
        }
    }
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    // With threads.
    let device = Replica::builder().register::<super::support::Note>().clock(clock.clone());
    let device = device.open(MemoryStore::new()).unwrap();
    let imported = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(device.import_snapshot(Broken))));
    assert!(imported.is_err());
    device.create(note("n", "T")).unwrap().wait().unwrap();
    assert_eq!(run(device.sync(&hub.transport("tester"))).unwrap().uploaded, 1);
}

#[test]
fn a_wiped_replica_is_of_the_same_device() {
    let device = Replica::builder().device("kitchen").threadless().open(MemoryStore::new()).unwrap();
    let before = device.status().client;
    device.wipe(true).unwrap();
    let client = device.status().client;
    assert!(client != before && client.as_str().starts_with("kitchen-"), "{client}");
}

#[test]
fn whoever_is_told_of_a_wipe_at_once_and_compacts_is_refused_and_does_not_wait_for_itself() {
    struct Compacts(Replica, Mutex<Vec<&'static str>>);
    impl std::task::Wake for Compacts {
        fn wake(self: Arc<Self>) {
            if let Err(error) = self.0.checkpoint() {
                self.1.lock().unwrap().push(error.code());
            }
        }
    }
    let device = builder(&Set::new()).open(MemoryStore::new()).unwrap();
    let compacts = Arc::new(Compacts(device.clone(), Mutex::default()));
    let waker = Waker::from(compacts.clone());
    let mut watch = device.watch_status();
    let mut changed = std::pin::pin!(watch.next());
    assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    device.wipe(true).unwrap();
    assert_eq!(*compacts.1.lock().unwrap(), ["nested"]);
    device.checkpoint().unwrap();
}

#[test]
fn nothing_of_what_was_wiped_stays_in_the_file_wherever_the_process_ends() {
    use sync_core::Store;
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let file = {
        let store = Arc::new(MemoryStore::new());
        let device = builder(&clock).open(store.clone()).unwrap();
        device.create(note("accepted", "a secret")).unwrap().wait().unwrap();
        run(device.sync(&hub.transport("tester"))).unwrap();
        device.create(note("pending", "a secret")).unwrap().wait().unwrap();
        device.checkpoint().unwrap();
        store
    };
    let holds = |store: &MemoryStore| {
        let rows = store.range(&[], &[], usize::MAX).unwrap().into_iter().map(|(_, row)| row);
        let commits = store.journal(0, usize::MAX).unwrap().into_iter().map(|(_, commit)| commit);
        rows.chain(commits).any(|bytes| bytes.windows(8).any(|part| part == b"a secret"))
    };
    assert!(holds(&file));
    for left in 1.. {
        let store = Arc::new(file.copy());
        let mortal = super::support::Mortal::new(store.clone(), left, true);
        let ended = builder(&clock).open(mortal).map_or(true, |device| device.wipe(true).is_err());
        let device = builder(&clock).open(store.clone()).unwrap();
        assert_eq!(holds(&store), notes(&device).len() == 2, "ended after {left} changes");
        if !ended {
            assert!(left > 4 && notes(&device).is_empty(), "{left}");
            return;
        }
    }
}
