//! What other hubs of a store, and other requests, do between two calls of the store within one.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::support::*;
use sync_core::transport::{Attempt, HelloRequest, SnapshotPage, SnapshotRequest};
use sync_core::{
    Checkpoint, Entry, Heads, Hub, Id, KeyValue, MemoryStore, Position, Replica, Store, StoreError, Syncable,
};

type Deed = Box<dyn FnOnce() + Send>;

/// A store in which something happens before one of its calls.
#[derive(Default)]
struct Between {
    store: Arc<MemoryStore>,
    append: Mutex<Option<Deed>>,
    /// After so many more of them.
    heads: Mutex<Option<(usize, Deed)>>,
    journal: Mutex<Option<Deed>>,
    checkpoint: Mutex<Option<Deed>>,
    /// After so many more of those that look for more than one row.
    range: Mutex<Option<(usize, Deed)>>,
}

fn before(call: &Mutex<Option<Deed>>) {
    let deed = call.lock().unwrap().take();
    deed.into_iter().for_each(|deed| deed());
}

fn before_one_of(calls: &Mutex<Option<(usize, Deed)>>) {
    let due = calls.lock().unwrap().take_if(|(left, _)| {
        let is_due = *left == 0;
        *left = left.saturating_sub(1);
        is_due
    });
    due.into_iter().for_each(|(_, deed)| deed());
}

fn set(call: &Mutex<Option<Deed>>, deed: impl FnOnce() + Send + 'static) {
    *call.lock().unwrap() = Some(Box::new(deed));
}

impl Store for Between {
    fn heads(&self) -> Result<Heads, StoreError> {
        before_one_of(&self.heads);
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        before(&self.append);
        self.store.append(expected, commits)
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        before(&self.journal);
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        before(&self.checkpoint);
        self.store.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        if limit > 1 {
            before_one_of(&self.range);
        }
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}

/// A snapshot that is given back.
fn given_back() -> SnapshotPage {
    let other = open(MemoryStore::new());
    push(&other, &[Client::new("b").create("2", "two")]).unwrap();
    let page = other.snapshot(&SnapshotRequest::default()).unwrap();
    SnapshotPage { total: Some(page.records.len() as u64), transfer: "transfer".into(), ..page }
}

#[test]
fn a_checkpoint_that_ends_behind_anothers_join_takes_nothing_in() {
    let store = Arc::new(Between::default());
    let (one, another) = (open(store.clone()), open(store.store.clone()));
    let create = Client::new("c").create("0", "zero");
    push(&one, std::slice::from_ref(&create)).unwrap();
    let edit = Entry {
        replaces: vec![("title".into(), [create.dot().clone()].into())],
        intent: Some(77),
        ..Client::new("u").update("0", create.dot(), "edited")
    };
    let (again, hub, shared) = (edit.clone(), one.clone(), store.store.clone());
    set(&store.checkpoint, move || {
        // A third hub joins a snapshot, up to just before the checkpoint behind that.
        let third = Arc::new(Between { store: shared, ..Between::default() });
        let (joining, page) = (open(third.clone()), given_back());
        let (say, hear) = mpsc::channel();
        thread::spawn(move || {
            let behind = third.clone();
            set(&third.append, move || {
                set(&behind.checkpoint, move || {
                    say.send(()).unwrap();
                    thread::park();
                });
            });
            joining.join("ada", &page)
        });
        hear.recv().unwrap();
        assert_eq!(push_words(&another, &[edit]), "3");
        hub.refresh().unwrap();
    });
    let _ = one.checkpoint();
    let _ = one.checkpoint();
    assert_eq!(title(&one, "0").as_deref(), Some("edited"));
    let fresh = open(store.store.clone());
    assert_eq!(title(&fresh, "0").as_deref(), Some("edited"), "what was acknowledged is there");
    assert_eq!(push_words(&fresh, &[again]), "3", "and known");
}

#[derive(Syncable, Debug, PartialEq)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
}

fn run<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}

/// A hub drops what it did not take back, and where that stood another one begins to take a snapshot.
#[test]
fn what_another_hub_takes_back_is_not_dropped_with_what_one_did_not_take() {
    let page = |entries: &[Entry]| {
        let other = open(MemoryStore::new());
        push(&other, entries).unwrap();
        let page = other.snapshot(&SnapshotRequest::default()).unwrap();
        SnapshotPage { total: Some(page.records.len() as u64), transfer: "transfer".into(), ..page }
    };
    let two = |client: &str| -> Vec<Entry> {
        let mut client = Client::new(client);
        ["1", "2"].into_iter().map(|id| client.create(id, "one")).collect()
    };
    let (whole, refused) = (page(&two("a")), page(&two("b")));
    let rest = SnapshotPage { records: whole.records[1..].to_vec(), ..whole.clone() };
    let first = SnapshotPage { records: whole.records[..1].to_vec(), next: Some("more".into()), ..whole };
    let short = SnapshotPage { total: Some(3), ..refused.clone() };
    // Of all places for a snapshot but one something is left.
    let store = Arc::new(MemoryStore::new());
    for _ in 0..254 {
        open(store.clone()).join("ada", &SnapshotPage { next: Some("more".into()), ..refused.clone() }).unwrap();
    }
    for calls in 0.. {
        let store = Arc::new(store.copy());
        let between = Arc::new(Between { store: store.clone(), ..Between::default() });
        let (one, another) = (open(between.clone()), open(store));
        let (hub, begun) = (another.clone(), first.clone());
        *between.range.lock().unwrap() = Some((calls, Box::new(move || hub.join("ada", &begun).unwrap())));
        assert_eq!(one.join("ada", &short).unwrap_err().code(), "expired");
        if between.range.lock().unwrap().is_some() {
            assert!(calls > 0, "something is dropped");
            break;
        }
        another.join("ada", &rest).unwrap();
        for id in ["1", "2"] {
            assert_eq!(title(&another, id).as_deref(), Some("one"), "{calls}");
        }
    }
}

#[test]
fn a_hub_whose_row_is_under_way_does_not_deny_what_another_told() {
    for may_join in [true, false] {
        let store = Arc::new(Between::default());
        let one = builder().allow_join(may_join).open(store.clone()).unwrap();
        let another = open(store.store.clone());
        push(&one, &[Client::new("a").create("1", "one")]).unwrap();
        let device = Replica::builder().register::<Note>().clock(Hands::new()).threadless();
        let device = device.open(MemoryStore::new()).unwrap();
        run(device.sync(&another.transport("ada"))).unwrap();
        device.create(Note { id: "x".into(), title: "t".into() }).unwrap().wait().unwrap();
        let (say, hear) = mpsc::channel();
        let hub = one.clone();
        set(&store.append, move || {
            assert_eq!(run(device.sync(&another.transport("ada"))).unwrap().uploaded, 1);
            thread::spawn(move || say.send(run(device.sync(&hub.transport("ada")))));
            // It looks while this one is not appended yet.
            thread::sleep(Duration::from_millis(100));
        });
        assert_eq!(push_words(&one, &[Client::new("z").create("3", "three")]), "3");
        let report = hear.recv_timeout(Duration::from_secs(10)).unwrap().unwrap();
        assert!(!report.hub_restored, "may join: {may_join}");
    }
}

/// Those who serve many at once ask for a hub's head where nothing may block.
#[test]
fn the_head_is_told_while_a_snapshot_is_joined() {
    fn asked(store: &Arc<Between>, hub: &Hub, left: usize) {
        let (next, hub) = (store.clone(), hub.clone());
        set(&store.checkpoint, move || {
            let (say, hear) = mpsc::channel();
            let asked_for = hub.clone();
            thread::spawn(move || {
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                let waits = std::pin::pin!(asked_for.wait_beyond(1)).poll(&mut context).is_pending();
                say.send((asked_for.head().seq, waits))
            });
            assert_eq!(hear.recv_timeout(Duration::from_secs(5)), Ok((1, true)), "{left}");
            if left > 0 {
                asked(&next, &hub, left - 1);
            }
        });
    }
    let store = Arc::new(Between::default());
    let hub = open(store.clone());
    push(&hub, &[Client::new("c").create("0", "zero")]).unwrap();
    hub.checkpoint().unwrap();
    // The page is put beside the records, then both are joined.
    asked(&store, &hub, 1);
    hub.join("ada", &given_back()).unwrap();
    assert!(store.checkpoint.lock().unwrap().is_none(), "it was asked twice");
    assert!(hub.head().seq > 1);
}

#[test]
fn a_page_of_a_snapshot_ends_where_another_was_joined() {
    let store = Arc::new(Between::default());
    let (one, another) = (open(store.clone()), open(store.store.clone()));
    let mut a = Client::new("a");
    let all: Vec<Entry> = (0..600).map(|n| a.create(&format!("{n:04}"), "one")).collect();
    push(&one, &all).unwrap();
    one.checkpoint().unwrap();
    let page = |token: String| SnapshotRequest { page: token };
    let first = one.snapshot(&page(String::new())).unwrap();
    push(&one, &[a.create("9", "one")]).unwrap();
    // What the log touched since is what comes last.
    let next = one.snapshot(&page(first.next.unwrap())).unwrap().next.unwrap();
    let joined = given_back();
    *store.heads.lock().unwrap() = Some((1, Box::new(move || another.join("ada", &joined).unwrap())));
    let (say, hear) = mpsc::channel();
    thread::spawn(move || say.send(one.snapshot(&page(next)).map(|page| page.next)));
    let answer = hear.recv_timeout(Duration::from_secs(10)).expect("an answer");
    assert_eq!(answer.unwrap_err().code(), "expired");
}

#[test]
fn a_log_that_is_cut_while_a_hub_reads_it_is_no_damage() {
    for keep in [0, 1] {
        let store = Arc::new(Between::default());
        let (one, another) = (open(store.clone()), open(store.store.clone()));
        let mut a = Client::new("a");
        for n in 0..3 {
            push(&another, &[a.create(&n.to_string(), "one")]).unwrap();
        }
        let (told, hub) = (another.head(), another.clone());
        set(&store.journal, move || hub.compact(keep).unwrap());
        let hello = one.hello("ada", &HelloRequest { cursor: told, ..HelloRequest::default() }).unwrap();
        assert_eq!((hello.head, hello.on_chain), (told, true), "keep: {keep}");
        for n in 3..6 {
            push(&another, &[a.create(&n.to_string(), "one")]).unwrap();
        }
        let opening = Arc::new(Between { store: store.store.clone(), ..Between::default() });
        let hub = another.clone();
        set(&opening.journal, move || hub.compact(keep).unwrap());
        assert_eq!(open(opening).head(), another.head(), "keep: {keep}");
    }
}

#[test]
fn who_asks_while_the_log_is_cut_is_not_told_that_it_is_another_one() {
    let store = Arc::new(MemoryStore::new());
    let another = open(store.clone());
    let mut a = Client::new("a");
    let mut cursors = Vec::new();
    for n in 0..6 {
        push(&another, &[a.create(&n.to_string(), "one")]).unwrap();
        cursors.push(another.head());
    }
    for (at, cursor) in cursors.into_iter().enumerate() {
        // A copy of its own for each, as it is cut.
        let copy = Arc::new(store.copy());
        let (cutting, between) = (open(copy.clone()), Arc::new(Between { store: copy, ..Between::default() }));
        let asked = open(between.clone());
        set(&between.journal, move || cutting.compact(0).unwrap());
        let hello = asked.hello("ada", &HelloRequest { cursor, ..HelloRequest::default() }).unwrap();
        assert!(hello.on_chain, "entry {} is on the log", at + 1);
    }
}

#[test]
fn a_join_gets_through_beside_those_who_push() {
    let hub = open(MemoryStore::new());
    push(&hub, &[Client::new("c").create("0", "zero")]).unwrap();
    let (say, hear) = mpsc::channel::<()>();
    let pushed = hub.clone();
    let pushing = thread::spawn(move || {
        let mut a = Client::new("a");
        for n in 0.. {
            push(&pushed, &[a.create(&format!("a{n}"), "one")]).unwrap();
            if hear.try_recv() != Err(mpsc::TryRecvError::Empty) {
                return;
            }
        }
    });
    for n in 0..20 {
        hub.join("ada", &SnapshotPage { transfer: n.to_string(), ..given_back() }).unwrap();
    }
    drop(say);
    pushing.join().unwrap();
}

#[test]
fn refusals_alone_come_into_a_checkpoint() {
    let store = Arc::new(MemoryStore::new());
    let hub = builder().checkpoint_every(8).open(store.clone()).unwrap();
    let mut early = Client::new("a").create("1", "one");
    early.origin.time = NOW + 3_600_000;
    for n in 1..=100 {
        let attempt = Attempt { number: Some(n), ..Attempt::default() };
        assert_eq!(words(hub.push("ada", attempt, offers(std::slice::from_ref(&early)))), "?clock");
        hub.tend().unwrap();
    }
    let Heads { last, covers, .. } = store.heads().unwrap();
    assert!(last > 100 && last - covers < 40, "{covers} of {last}");
}

#[test]
fn what_was_given_back_is_known_before_the_checkpoint_behind_it() {
    let store = Arc::new(Between::default());
    // Pushes to the hub itself wait until it is done; those to another one of its store do not.
    let (hub, another) = (open(store.clone()), open(store.store.clone()));
    let (say, hear) = mpsc::channel();
    let behind = store.clone();
    set(&store.append, move || {
        set(&behind.checkpoint, move || {
            let copy = Entry { intent: Some(77), ..Client::new("c").create("2", "two") };
            say.send(push_words(&another, &[copy])).unwrap();
        });
    });
    let page = SnapshotPage { intents: vec![(77, Client::new("b").create("2", "two").dot().clone())], ..given_back() };
    hub.join("ada", &page).unwrap();
    assert_eq!(hear.try_recv().unwrap(), "1=b-0000000000000001");
}
