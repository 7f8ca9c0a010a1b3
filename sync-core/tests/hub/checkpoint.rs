//! Checkpoints: when they are made, what they keep, and what they leave to others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::support::*;
use sync_core::transport::{HelloRequest, PullRequest};
use sync_core::{
    Action, Checkpoint, Cursor, Digest, Entry, Family, Heads, Hub, MemoryStore, Op, Position, Store, StoreError,
};

type Hook = Box<dyn FnOnce() + Send>;

/// A store that counts its calls, and does something before one of them.
#[derive(Default, Clone)]
struct Watched {
    store: Arc<MemoryStore>,
    calls: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    before: Arc<Mutex<Option<(&'static str, u64, Hook)>>>,
}

impl Watched {
    fn count(&self, call: &'static str) -> u64 {
        self.calls.lock().unwrap().get(call).copied().unwrap_or_default()
    }

    /// Runs `hook` before the `nth` next call of this name.
    fn before(&self, call: &'static str, nth: u64, hook: impl FnOnce() + Send + 'static) {
        *self.before.lock().unwrap() = Some((call, self.count(call) + nth, Box::new(hook)));
    }

    fn call(&self, call: &'static str) -> &MemoryStore {
        let count = {
            let mut calls = self.calls.lock().unwrap();
            let count = calls.entry(call).or_default();
            *count += 1;
            *count
        };
        let due = self.before.lock().unwrap().take_if(|(name, at, _)| *name == call && *at == count);
        if let Some((_, _, hook)) = due {
            hook();
        }
        &self.store
    }
}

impl Store for Watched {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.call("heads").heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.call("append").append(expected, commits)
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.call("journal").journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.call("checkpoint").checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(if key[0] == b'r' { "record" } else { "get" }).get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.call("range").range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}

fn add(client: &mut Client, id: &str, create: &Entry) -> Entry {
    let mut add = client.entry(Action::Update, id);
    add.of = [create.dot().clone()].into();
    add.fields = vec![("views".into(), Op::Add(1))];
    add
}

fn views(hub: &Hub, id: &str) -> i128 {
    hub.record(&key(id)).unwrap().unwrap().get("views", &Family::Counter).unwrap().sum()
}

#[test]
fn one_is_made_every_so_many_entries_and_memory_starts_anew() {
    let store = Watched::default();
    let hub = builder().checkpoint_every(10).open(store.clone()).unwrap();
    let mut a = Client::new("a");
    let ranges = store.count("range");
    for n in 0..100 {
        assert_eq!(push_words(&hub, &[a.create(&n.to_string(), "one")]), (n + 1).to_string());
        hub.tend().unwrap();
    }
    assert_eq!(store.count("checkpoint"), 10);
    assert_eq!(store.count("range"), ranges, "nothing was read anew");
    let rows = store.count("journal");
    let again = open(store.clone());
    assert_eq!(store.count("journal"), rows + 1, "opening reads the tail alone, and it is empty");
    assert_eq!(again.head(), hub.head());
    assert_eq!(hub.checkpoint().map_err(|e| e.to_string()), Ok(()));
    assert_eq!(store.count("checkpoint"), 10, "there was nothing to take in");
}

#[test]
fn pushes_make_one_themselves_where_nobody_does_behind_them() {
    let store = Watched::default();
    let hub = builder().checkpoint_every(10).open(store.clone()).unwrap();
    let mut a = Client::new("a");
    for n in 0..100 {
        assert_eq!(push_words(&hub, &[a.create(&n.to_string(), "one")]), (n + 1).to_string());
        assert_eq!(store.count("checkpoint"), (n + 1) / 13, "when there are a quarter more");
    }
}

#[test]
fn it_keeps_the_greatest_stamp() {
    let store = Arc::new(MemoryStore::new());
    let hands = Hands::new();
    let hub = builder().clock(Arc::new(hands.clone())).open(store.clone()).unwrap();
    let mut a = Client::new("a");
    assert_eq!(push_words(&hub, &[a.create("1", "one")]), "1");
    hub.checkpoint().unwrap();
    hands.set(0);
    let hub = builder().clock(Arc::new(hands)).open(store).unwrap();
    assert_eq!(push_words(&hub, &[a.create("2", "two")]), "2", "one step after the greatest accepted");
    a.time += 1;
    assert_eq!(push_words(&hub, &[a.create("3", "three")]), "?clock");
}

#[test]
fn another_hubs_checkpoint_in_the_middle_of_one_is_left_alone() {
    for nth in 1..=3 {
        let store = Watched::default();
        let (one, two) = (open(store.clone()), open(store.clone()));
        let (mut a, mut b) = (Client::new("a"), Client::new("b"));
        let creates: Vec<Entry> = ["x", "y", "z"].iter().map(|id| a.create(id, "one")).collect();
        push(&one, &creates).unwrap();
        one.checkpoint().unwrap();
        let ids = ["x", "y", "z"];
        let adds: Vec<Entry> = ids.iter().zip(&creates).map(|(id, create)| add(&mut a, id, create)).collect();
        push(&one, &adds).unwrap();
        let before = two.clone();
        store.before("record", nth, move || before.checkpoint().unwrap());
        one.checkpoint().unwrap();
        for hub in [&one, &two, &open(store.clone())] {
            assert_eq!(ids.map(|id| views(hub, id)), [1, 1, 1], "{nth}: counted once");
        }
        push(&two, &[add(&mut b, "y", &creates[1])]).unwrap();
        one.checkpoint().unwrap();
        for hub in [&one, &two, &open(store)] {
            assert_eq!(ids.map(|id| views(hub, id)), [1, 2, 1]);
        }
    }
}

#[test]
fn a_decision_holds_against_a_checkpoint_that_comes_while_it_is_read_for() {
    // Before every call that a push of a known entry and of one that needs a record makes.
    for call in ["heads", "record", "get", "append"] {
        for nth in 1..=3 {
            for own in [false, true] {
                // The thread that appends cannot wait for itself.
                if own && call == "append" {
                    continue;
                }
                let store = Watched::default();
                let (one, two) = (open(store.clone()), open(store.clone()));
                let mut a = Client::new("a");
                let create = a.create("x", "one");
                push(&one, std::slice::from_ref(&create)).unwrap();
                one.checkpoint().unwrap();
                let first = add(&mut a, "x", &create);
                push(&one, std::slice::from_ref(&first)).unwrap();
                let other = if own { one.clone() } else { two.clone() };
                store.before(call, nth, move || {
                    other.checkpoint().unwrap();
                });
                let second = add(&mut a, "x", &create);
                assert_eq!(push_words(&one, &[create.clone(), first, second]), "1 2 3", "{call} {nth} {own}");
                assert_eq!(views(&one, "x"), 2, "{call} {nth} {own}");
                assert_eq!(views(&open(store), "x"), 2);
            }
        }
    }
}

#[test]
fn what_another_hub_accepts_in_the_middle_of_a_decision_is_decided_upon() {
    for call in ["heads", "record", "get", "append"] {
        for nth in 1..=2 {
            let store = Watched::default();
            let (one, two) = (open(store.clone()), open(store.clone()));
            let (mut a, mut b) = (Client::new("a"), Client::new("b"));
            let create = a.create("x", "one");
            push(&one, std::slice::from_ref(&create)).unwrap();
            one.checkpoint().unwrap();
            let mut update = add(&mut a, "x", &create);
            update.intent = Some(9);
            let mut same = add(&mut b, "x", &create);
            same.intent = Some(9);
            let theirs = std::slice::from_ref(&same).to_vec();
            store.before(call, nth, move || assert_eq!(push_words(&two, &theirs), "2"));
            let words = push_words(&one, &[update]);
            // Where the hook ran, the intent was accepted already; where it did not, there was no such call.
            let ran = store.before.lock().unwrap().take().is_none();
            assert_eq!(words, if ran { "2=b-0000000000000001" } else { "2" }, "{call} {nth}");
            assert_eq!(views(&one, "x"), 1);
        }
    }
}

#[test]
fn a_record_that_leaves_memory_while_it_is_needed_is_read_again() {
    let store = Watched::default();
    let hub = open(store.clone());
    let mut a = Client::new("a");
    let create = a.create("x", "one");
    push(&hub, std::slice::from_ref(&create)).unwrap();
    hub.checkpoint().unwrap();
    assert!(hub.record(&key("x")).unwrap().is_some(), "it is in memory now");
    let crowd = hub.clone();
    store.before("heads", 1, move || {
        for n in 0..5_000 {
            assert!(crowd.record(&key(&n.to_string())).unwrap().is_none());
        }
    });
    assert_eq!(push_words(&hub, &[add(&mut a, "x", &create)]), "2");
}

#[test]
fn nothing_is_served_before_it_is_durable() {
    let store = Watched::default();
    let hub = open(store.clone());
    let other = hub.clone();
    store.before("append", 1, move || {
        assert!(pull(&other, Cursor::default(), 9).entries.is_empty());
        assert_eq!(other.head(), Cursor::default());
    });
    assert_eq!(push_words(&hub, &[Client::new("a").create("x", "one")]), "1");
    assert_eq!(pull(&hub, Cursor::default(), 9).entries.len(), 1);
}

#[test]
fn compacting_leaves_what_the_checkpoint_does_not_cover() {
    let store = Watched::default();
    let hub = open(store.clone());
    let mut a = Client::new("a");
    assert_eq!(push_words(&hub, &[a.create("x", "one")]), "1");
    let (other, late) = (hub.clone(), [a.clone().create("y", "two")]);
    let gone = offers(&[a.update("never", &a.dot(1), "two")]);
    store.before("journal", 1, move || assert_eq!(words(other.push("ada", Some(9), gone)), "!gone"));
    hub.compact(0).unwrap();
    assert_eq!(words(open(store).push("ada", Some(8), offers(&late))), "error superseded");
}

#[test]
fn a_page_is_right_or_expired_while_the_log_is_cut() {
    let cases = (1..=9).flat_map(|nth| [(nth, 0, 0), (nth, 7, 5), (nth, 20, 5), (nth, 20, 0)]);
    for (nth, since, keep) in cases {
        let store = Watched::default();
        let mut a = Client::new("a");
        let hub = open(store.clone());
        for n in 0..30 {
            push(&hub, &[a.create(&n.to_string(), "one")]).unwrap();
        }
        let whole = log(&hub, 100);
        // It has nothing of the log in memory.
        let hub = open(store.clone());
        hub.checkpoint().unwrap();
        let hub = open(store.clone());
        let other = hub.clone();
        store.before("journal", nth, move || other.compact(keep).unwrap());
        let request = PullRequest {
            since: Cursor { seq: since, digest: Digest::EMPTY, ..Cursor::default() },
            limit: 100,
            ..PullRequest::default()
        };
        match hub.pull(&request) {
            Ok(page) => {
                let entries = page.entries.iter().map(|(seq, entry)| (*seq, Entry::clone(entry)));
                assert!(entries.eq(whole[since as usize..].iter().cloned()), "{nth} {since}");
                assert_eq!(page.cursor, hub.head());
            }
            Err(error) => assert_eq!(error.code(), "expired", "{nth} {since}"),
        }
    }
}

/// A hello of 64 KiB names a client many hundred times: each read a row, of up to megabytes.
#[test]
fn a_row_is_read_once_however_many_of_its_entries_a_hello_asks_about() {
    let store = Watched::default();
    let hub = builder().open(store.clone()).unwrap();
    let mut a = Client::new("a");
    for _ in 0..4 {
        let entries: Vec<Entry> = (0..50).map(|n| a.create(&n.to_string(), "one")).collect();
        push(&hub, &entries).unwrap();
    }
    hub.checkpoint().unwrap();
    let hub = open(store.clone());
    let asked =
        |n: u64| (sync_core::ClientId::new("a"), sync_core::Known { n: n * 77 % 199 + 1, digest: Digest::EMPTY });
    let request = HelloRequest { clients: (0..150).map(asked).collect(), ..HelloRequest::default() };
    let rows = store.count("journal");
    let hello = hub.hello("ada", &request).unwrap();
    assert!(hello.clients.len() == 150 && hello.clients.iter().all(|standing| standing.digest_there.is_some()));
    let read = store.count("journal") - rows;
    assert!(read <= 8, "{read} rows were read for the entries of 4");
}
