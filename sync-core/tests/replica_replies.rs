//! Replies that are lost at every place where one can be, to entries of every verdict: nothing is doubled, nothing lost,
//! and a transaction is whole for everyone at every moment.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use pollster::block_on;
use sync_core::hub::InProcess;
use sync_core::replica::{LogState, SyncOptions};
use sync_core::transport::{
    BoxFuture, Hello, HelloRequest, Limits, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{Error, Hub, Id, MemoryStore, Replica, Syncable, Transport, TransportError};

#[derive(Syncable, Debug, PartialEq)]
struct Account {
    #[sync(id)]
    id: Id<Account, String>,
    money: i64,
}

#[derive(Syncable, Debug, PartialEq)]
struct Purse {
    #[sync(id)]
    id: Id<Purse, String>,
    label: String,
}

const ALL: i64 = 100;

/// Loses the reply to one request, which the hub has carried out.
struct Lossy {
    hub: InProcess,
    left: AtomicI64,
    /// Whether nothing gets through any more behind that.
    breaks: bool,
}

impl Lossy {
    fn has_lost(&self) -> bool {
        self.left.load(Ordering::Relaxed) < 0
    }
}

macro_rules! passing {
    ($($method:ident($request:ty) -> $reply:ty),*) => {
        impl Transport for Lossy {
            $(fn $method<'a>(&'a self, request: &'a $request) -> BoxFuture<'a, Result<$reply, TransportError>> {
                Box::pin(async move {
                    let lost = || TransportError::Offline { message: "the reply is lost".into() };
                    if self.breaks && self.has_lost() {
                        return Err(lost());
                    }
                    let reply = self.hub.$method(request).await;
                    match self.left.fetch_sub(1, Ordering::Relaxed) {
                        0 => Err(lost()),
                        _ => reply,
                    }
                })
            })*
            fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
                self.hub.live(since)
            }
        }
    };
}
passing!(
    hello(HelloRequest) -> Hello, push(PushRequest) -> PushReply, pull(PullRequest) -> Page,
    snapshot(SnapshotRequest) -> SnapshotPage, join(SnapshotPage) -> ()
);

struct World {
    hub: Hub,
    sender: Replica,
    store: Arc<MemoryStore>,
}

fn open(store: &Arc<MemoryStore>) -> Replica {
    Replica::builder().register::<Account>().threadless().open(store.clone()).unwrap()
}

impl World {
    /// A hub that takes four entries at once and no debts, and a device with entries of every fate.
    fn new() -> Self {
        let limits = Limits { batch_entries: 4, group_entries: 4, ..Limits::default() };
        let hub = Hub::builder().limits(limits).validate_entity::<Account>(|_, _, after| match after {
            Some(account) if account.money < 0 => Err("no debts".into()),
            _ => Ok(()),
        });
        let hub = hub.open(MemoryStore::new()).unwrap();
        let store = Arc::new(MemoryStore::new());
        let sender = open(&store);
        let new = |id: &str, money| Account { id: id.into(), money };
        let both = sender.transaction(|tx| {
            tx.create(new("a", ALL / 2))?;
            tx.create(new("b", ALL / 2))
        });
        both.unwrap().wait().unwrap();
        for (n, amount) in [20, 20, 20, -70, 30, 5, 60, -20].into_iter().enumerate() {
            transfer(&sender, amount).unwrap();
            if n % 3 == 0 {
                sender.create(new(&format!("other {n}"), 0)).unwrap().wait().unwrap();
            }
        }
        sender.create(new("refused", -1)).unwrap().wait().unwrap();
        sender.edit(&"refused".into(), |account: &mut Account| account.money = 1).unwrap().wait().unwrap();
        Self { hub, sender, store }
    }

    fn losing(&self, request: i64) -> Lossy {
        Lossy { hub: self.hub.transport("tester"), left: AtomicI64::new(request), breaks: false }
    }

    /// What became of every entry that the sender wrote.
    fn fates(&self) -> BTreeMap<u64, String> {
        let fate = |state: &LogState| match state {
            LogState::Rejected(rejection) => rejection.code.clone(),
            other => format!("{other:?}"),
        };
        let own = self.sender.log().unwrap();
        own.iter().filter_map(|line| line.number.map(|number| (number, fate(&line.state)))).collect()
    }
}

fn transfer(replica: &Replica, amount: i64) -> Result<(), Error> {
    let moved = replica.transaction(|tx| {
        tx.edit(&"a".into(), |account: &mut Account| account.money -= amount)?;
        tx.edit(&"b".into(), |account: &mut Account| account.money += amount)
    });
    moved?.wait()
}

/// Either both accounts are there with all the money, or neither is.
#[track_caller]
fn assert_whole(replica: &Replica) {
    let money = |id: &str| replica.get::<Account>(&id.into()).unwrap().map(|account| account.money);
    match (money("a"), money("b")) {
        (None, None) => {}
        (a, b) => assert_eq!(a.zip(b).map(|(a, b)| a + b), Some(ALL), "{a:?} {b:?}"),
    }
}

#[test]
fn a_reply_lost_after_any_verdict_doubles_and_loses_nothing() {
    let calm = World::new();
    block_on(calm.sender.sync(&calm.losing(-1))).unwrap();
    let fates = calm.fates();
    let count = |fate: &str| fates.values().filter(|other| *other == fate).count();
    assert!(count("Accepted") > 10 && count("invalid") > 1 && count("group") > 1 && count("gone") == 1, "{fates:?}");
    // One reply alone may not even end the sync.
    for (breaks, restarted) in [(false, false), (true, false), (true, true)] {
        for request in 0.. {
            let mut world = World::new();
            let way = Lossy { breaks, ..world.losing(request) };
            let synced = block_on(world.sender.sync(&way));
            let lost = way.has_lost();
            assert!(synced.is_ok() || lost, "{synced:?}");
            assert_whole(&world.sender);
            if restarted {
                world.store = Arc::new(world.store.copy());
                world.sender = open(&world.store);
            }
            block_on(world.sender.sync(&world.losing(-1))).unwrap();
            assert_whole(&world.sender);
            assert_eq!(world.fates(), fates, "the reply to request {request} was lost");
            assert_eq!(world.hub.head().seq, count("Accepted") as u64);
            assert_eq!(world.sender.rejected().len(), fates.len() - count("Accepted"));
            if !lost {
                assert!(request > 8, "there were only {request} requests");
                break;
            }
        }
    }
}

#[test]
fn a_transaction_is_whole_at_every_receiver_whatever_is_cut_off() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let mut receiver = open(&store);
    let mut one = SyncOptions::default();
    one.page = 1;
    let (mut steps, mut store) = (0, store);
    loop {
        // Each push of the sender may be all that arrives, and each page of the receiver.
        let sent = block_on(world.sender.sync(&world.losing(2 + steps % 3)));
        let received = block_on(receiver.sync_with(&world.losing(1 + steps % 2), one));
        assert_whole(&receiver);
        store = Arc::new(store.copy());
        receiver = open(&store);
        assert_whole(&receiver);
        steps += 1;
        let cursor = receiver.status().cursor;
        if sent.is_ok() && received.is_ok() && cursor == world.hub.head().seq && cursor > 0 {
            break;
        }
        assert!(steps < 200, "{sent:?} {received:?}");
    }
    assert!(steps > 8, "it arrived in {steps} steps: nothing was cut off");
    let shown =
        |replica: &Replica| -> Vec<Account> { replica.list().unwrap().map(|account| account.unwrap()).collect() };
    assert_eq!(shown(&receiver), shown(&world.sender));
}

#[test]
fn a_transaction_over_the_hubs_limit_is_refused_at_the_call() {
    let world = World::new();
    block_on(world.sender.sync(&world.losing(-1))).unwrap();
    let before = world.sender.log().unwrap().len();
    let five = world.sender.transaction(|tx| {
        (0..5).try_for_each(|n| tx.create(Account { id: format!("n{n}").as_str().into(), money: 0 }).map(drop))
    });
    assert_eq!(five.unwrap_err().code(), "too_large");
    assert_eq!(world.sender.log().unwrap().len(), before, "nothing was written");
}

#[test]
fn a_transaction_that_was_taken_at_the_call_is_what_the_hub_takes_and_not_much_less() {
    const BYTES: u64 = 8_000;
    let limits = Limits { batch_bytes: BYTES, entry_bytes: 2_000, ..Limits::default() };
    let hub = Hub::builder().limits(limits).open(MemoryStore::new()).unwrap();
    let (long, quoted) = ("k".repeat(64), "\"".repeat(64));
    for (length, device) in [(1, None), (30, Some("kitchen")), (200, Some(&*long)), (500, None), (2, Some(&*quoted))] {
        let builder = Replica::builder().register::<Account>().threadless();
        let builder = if let Some(device) = device { builder.device(device) } else { builder };
        let replica = builder.open(MemoryStore::new()).unwrap();
        block_on(replica.sync(&hub.transport("tester"))).unwrap();
        // Each is created and changed, so that half of the entries name others by names that are yet to come.
        let written = |count: usize| {
            replica.transaction(|tx| {
                (0..count).try_for_each(|n| {
                    let id = format!("{count}\"{n}{}", "x".repeat(length));
                    tx.create(Account { id: id.as_str().into(), money: 0 })?;
                    tx.edit(&id.as_str().into(), |account: &mut Account| account.money = 1)
                })
            })
        };
        let most = (1..).take_while(|count| written(*count).and_then(|commit| commit.wait()).is_ok()).last();
        let refused = written(most.unwrap() + 1).map(drop).unwrap_err();
        assert_eq!(refused.code(), "too_large", "{refused}");
        let report = block_on(replica.sync(&hub.transport("tester"))).unwrap();
        assert_eq!((report.rejected, report.pending), (0, 0), "what was acknowledged is set aside: {report:?}");
        const INTENT: usize = r#","intent":"00000000000000000000000000000000""#.len();
        let page = hub.pull(&PullRequest { limit: 1_000, ..PullRequest::default() }).unwrap();
        let last = page.entries.iter().rev().map(|(_, entry)| entry).take(2 * most.unwrap());
        let bytes: usize = last.map(|entry| entry.to_json(None).len() + INTENT).sum();
        assert!((BYTES * 7 / 10..=BYTES).contains(&(bytes as u64)), "{bytes} bytes with ids of {length}");
    }
}

#[test]
fn a_write_that_was_taken_at_the_call_is_what_the_hub_takes_whatever_its_device_is_called() {
    for device in ["a", "kitchen", &"k".repeat(64), &"\\".repeat(64)] {
        let hub = Hub::builder().open(MemoryStore::new()).unwrap();
        let builder = Replica::builder().register::<Account>().register::<Purse>().threadless().device(device);
        let replica = builder.open(MemoryStore::new()).unwrap();
        let purse = |bytes: usize| Purse { id: "p".into(), label: "x".repeat(bytes) };
        let takes = |bytes: usize| {
            let tried = replica.transaction(|tx| {
                tx.create(purse(bytes))?;
                Err::<(), _>(Error::Nested)
            });
            matches!(tried.map(drop), Err(Error::Nested))
        };
        let (mut most, mut too_many) = (1, 300 << 10);
        while most + 1 < too_many {
            let middle = (most + too_many) / 2;
            if takes(middle) { most = middle } else { too_many = middle }
        }
        replica.create(purse(most)).unwrap().wait().unwrap();
        let report = block_on(replica.sync(&hub.transport("tester"))).unwrap();
        assert_eq!(
            (report.uploaded, report.rejected),
            (1, 0),
            "{device}: {:?}",
            replica.rejected().iter().map(|aside| &aside.rejection).collect::<Vec<_>>()
        );
        let spared = Limits::default().entry_bytes - most as u64;
        assert!(spared < 1_000, "{device}: {most} bytes are taken, {spared} less than the hub takes");
    }
}

/// A way on which pages come without their last entries, and say that they reach as far.
struct Torn(InProcess);

impl Transport for Torn {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        self.0.hello(request)
    }
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.0.push(request)
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async {
            let mut page = self.0.pull(request).await?;
            let kept = page.entries.len().saturating_sub(2);
            page.entries.to_mut().truncate(kept);
            Ok(page)
        })
    }
    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        self.0.snapshot(request)
    }
    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        self.0.join(page)
    }
    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.0.live(since)
    }
}

#[test]
fn a_page_that_lacks_more_than_what_is_here_is_not_taken() {
    for own in [0, 1] {
        let world = World::new();
        let way = world.hub.transport("tester");
        block_on(world.sender.sync(&way)).unwrap();
        let receiver = open(&Arc::new(MemoryStore::new()));
        for n in 0..own {
            receiver.create(Account { id: format!("own {n}").as_str().into(), money: 0 }).unwrap().wait().unwrap();
        }
        let torn = block_on(receiver.sync(&Torn(way.clone())));
        assert!(matches!(&torn, Err(Error::Transport(TransportError::Nonsense { .. }))), "{torn:?}");
        block_on(receiver.sync(&way)).unwrap();
        block_on(world.sender.sync(&way)).unwrap();
        let shown =
            |replica: &Replica| replica.list::<Account>().unwrap().collect::<Result<Vec<_>, _>>().unwrap().len();
        assert_eq!(shown(&receiver), shown(&world.sender));
    }
}
