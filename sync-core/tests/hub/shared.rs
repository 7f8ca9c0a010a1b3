//! Several hubs over one store, restarts between any two steps, and stores that fail.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use super::support::*;
use sync_core::transport::HelloRequest;
use sync_core::{
    Action, Checkpoint, Cursor, Digest, Dot, Entry, Heads, Hub, MemoryStore, Position, Store, StoreError,
    TransportError, Verdict,
};

/// Pushes until it is accepted.
fn insist(hub: &Hub, entries: &[Entry], is_foreign: bool) -> Vec<u64> {
    loop {
        let reply = match is_foreign {
            true => hub.push_foreign("ada", offers(entries)),
            false => push(hub, entries),
        };
        match reply {
            Ok(reply) => {
                let seq = |(_, verdict): (String, Verdict)| match verdict {
                    Verdict::Accepted { seq, known_as: None } => seq,
                    other => panic!("{other:?}"),
                };
                return reply.verdicts.into_iter().map(seq).collect();
            }
            Err(TransportError::Busy { .. }) => thread::yield_now(),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn hubs_of_one_store_race_without_a_gap_or_a_loss() {
    let store = Arc::new(MemoryStore::new());
    let hubs: Vec<Hub> = (0..2).map(|_| builder().checkpoint_every(64).open(store.clone()).unwrap()).collect();
    let start = Arc::new(Barrier::new(6));
    let writers: Vec<_> = (0..6)
        .map(|at| {
            let (hubs, start) = (hubs.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                let mut acked: BTreeMap<u64, String> = BTreeMap::new();
                let mut client = Client::new(&format!("client-{at}"));
                for round in 0..60 {
                    let id = format!("{at}-{round}");
                    // A third of the threads goes from hub to hub; each pushes again what was accepted already.
                    let hub = &hubs[if at < 2 { round % 2 } else { at % 2 }];
                    let entries = if at % 3 == 2 {
                        let phone = client.id.as_str().to_owned();
                        vec![foreign(&phone, &id, Action::Create, &id, NOW, &[("title", "one")])]
                    } else {
                        client.group(&[&id, &format!("{id}-b")])
                    };
                    let seqs = insist(hub, &entries, at % 3 == 2);
                    assert_eq!(insist(&hubs[round % 2], &entries, at % 3 == 2), seqs, "accepted again");
                    acked.extend(seqs.into_iter().zip(entries.iter().map(Entry::id)));
                    let head = hub.hello("ada", &HelloRequest::default()).unwrap().head;
                    assert!(pull(hub, Cursor::default(), 1).cursor.seq <= head.seq.max(1));
                }
                acked
            })
        })
        .collect();
    let acked: BTreeMap<u64, String> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
    assert_eq!(acked.len(), 4 * 60 * 2 + 2 * 60);
    let fresh = open(store);
    for hub in hubs.iter().chain([&fresh]) {
        hub.refresh().unwrap();
        let log = log(hub, 100);
        assert!(log.iter().map(|(seq, _)| *seq).eq(1..=acked.len() as u64), "dense");
        assert!(log.iter().all(|(seq, entry)| acked[seq] == entry.id()), "where it was said to be");
        let mut next: HashMap<_, u64> = HashMap::new();
        for (_, entry) in &log {
            let n = next.entry(entry.dot().client.clone()).or_insert(0);
            *n += 1;
            assert_eq!(entry.dot().n, *n, "each client's numbers without a gap");
        }
        for (_, entry) in &log {
            assert!(hub.record(&entry.key).unwrap().unwrap().is_alive());
        }
    }
}

#[test]
fn hubs_take_turns_with_checkpoints_in_between() {
    let store = Arc::new(MemoryStore::new());
    let mut hubs: Vec<Hub> = (0..3).map(|_| open(store.clone())).collect();
    let mut a = Client::new("a");
    let create = a.create("x", "one");
    assert_eq!(push_words(&hubs[0], std::slice::from_ref(&create)), "1");
    let mut dots: Vec<Dot> = Vec::new();
    for round in 0..60_usize {
        let hub = &hubs[round % 3];
        let mut add = a.entry(Action::Update, "x");
        add.of = [create.dot().clone()].into();
        add.fields = vec![("views".into(), sync_core::Op::Add(1))];
        dots.push(add.dot().clone());
        assert_eq!(push_words(hub, &[add]), (round + 2).to_string());
        match round % 7 {
            1 => hubs[(round + 1) % 3].checkpoint().unwrap(),
            3 => hub.checkpoint().unwrap(),
            5 => hubs[(round + 2) % 3] = open(store.clone()),
            _ => {}
        }
        // Counted once each, whoever folded it and whoever asks.
        for hub in &hubs {
            let record = hub.record(&key("x")).unwrap().unwrap();
            let views = record.get("views", &sync_core::Family::Counter).unwrap();
            assert_eq!(views.sum(), round as i128 + 1);
        }
    }
}

#[test]
fn a_hub_answers_for_what_another_one_accepted() {
    let store = Arc::new(MemoryStore::new());
    let (one, two) = (open(store.clone()), open(store));
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let create = a.create("x", "one");
    assert_eq!(push_words(&one, std::slice::from_ref(&create)), "1");
    // A cursor beyond what it knew, a name it never saw, a number that seems skipped: it looks before it refuses.
    assert_eq!(pull(&two, one.head(), 1).cursor, one.head());
    assert_eq!(push_words(&one, &[a.create("y", "two")]), "2");
    assert_eq!(push_words(&two, &[b.update("x", create.dot(), "three")]), "3");
    assert_eq!(push_words(&one, &[b.create("z", "four")]), "4");
    assert_eq!(push_words(&two, &[b.create("w", "five")]), "5");
    let mut fork = Client::new("a");
    assert_eq!(push_words(&two, &[fork.create("x", "other")]), "error forked");
    assert_eq!(one.refresh().unwrap(), two.head());
}

#[test]
fn two_that_open_an_empty_store_at_once_are_one_hub() {
    for _ in 0..50 {
        let store = Arc::new(MemoryStore::new());
        let start = Arc::new(Barrier::new(2));
        let open = |store: Arc<MemoryStore>, start: Arc<Barrier>| {
            thread::spawn(move || {
                start.wait();
                Hub::builder().random(Arc::new(Counting)).open(store).unwrap().name().to_owned()
            })
        };
        let (one, two) = (open(store.clone(), start.clone()), open(store, start));
        assert_eq!(one.join().unwrap(), two.join().unwrap());
    }
}

/// A store whose writes fail from a moment on, done or not.
pub(crate) struct Failing {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) left: AtomicUsize,
    pub(crate) write_first: bool,
}

impl Failing {
    fn strike(&self) -> bool {
        let left = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err()
    }
}

impl Store for Failing {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        if !self.strike() {
            return self.store.append(expected, commits);
        }
        if self.write_first {
            self.store.append(expected, commits)?;
        }
        Err(StoreError::io("the disk", "it broke"))
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        if self.strike() && !self.write_first {
            return Err(StoreError::io("the disk", "it broke"));
        }
        self.store.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn a_crash_at_any_write_loses_nothing_that_was_accepted() {
    for write_first in [false, true] {
        for left in 0..40 {
            let store = Arc::new(MemoryStore::new());
            open(store.clone());
            let failing = Failing { store: store.clone(), left: AtomicUsize::new(left), write_first };
            let hub = builder().checkpoint_every(5).open(failing).unwrap();
            let mut a = Client::new("a");
            let (mut acked, mut all, mut served) = (Vec::new(), Vec::new(), Vec::new());
            for round in 0..16 {
                let phone = foreign("p", &round.to_string(), Action::Create, &format!("p{round}"), NOW, &[]);
                let batch = a.group(&[&format!("{round}"), &format!("{round}-b")]);
                all.push((batch.clone(), phone.clone()));
                let (one, two) = (push(&hub, &batch), hub.push_foreign("ada", offers(&[phone])));
                match (one, two) {
                    (Ok(one), Ok(two)) => {
                        acked.push(words(Ok(one)) + " " + &words(Ok(two)));
                        served = log(&hub, 3);
                        assert_eq!(served.len(), acked.len() * 3);
                    }
                    (Err(error), _) | (_, Err(error)) => {
                        assert_eq!(error.code(), "hub");
                        assert!(error.to_string().contains("it broke"), "{error}");
                        assert_eq!(push(&hub, &batch).unwrap_err().code(), "hub", "until it is opened again");
                        let durable = hub.head().seq as usize;
                        assert!([0, 2].contains(&(durable - served.len())), "what failed is not told to anyone");
                        break;
                    }
                }
            }
            let again = open(store);
            let survived = log(&again, 3);
            assert!(survived.starts_with(&served), "{left}");
            for (round, (batch, phone)) in all.iter().enumerate() {
                let words = push_words(&again, batch)
                    + " "
                    + &words(again.push_foreign("ada", offers(std::slice::from_ref(phone))));
                if let Some(before) = acked.get(round) {
                    assert_eq!(*before, words, "{left}");
                }
            }
            assert!(log(&again, 5).iter().map(|(seq, _)| *seq).eq(1..=3 * all.len() as u64));
        }
    }
}

#[test]
fn a_damaged_store_is_an_error_and_no_panic() {
    struct Torn(MemoryStore, Position, bool);
    impl Store for Torn {
        fn heads(&self) -> Result<Heads, StoreError> {
            self.0.heads()
        }
        fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
            self.0.append(expected, commits)
        }
        fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
            let mut rows = self.0.journal(from, limit)?;
            if self.2 {
                rows.retain(|(position, _)| *position != self.1);
            }
            for (position, row) in rows.iter_mut().filter(|(position, _)| *position == self.1) {
                let at = (*position as usize * 7) % row.len();
                row[at] ^= 4;
            }
            Ok(rows)
        }
        fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
            self.0.checkpoint(checkpoint)
        }
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.get(key)
        }
        fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
            self.0.range(from, to, limit)
        }
        fn reclaim(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    for n in 0..5 {
        push(&hub, &[a.create(&n.to_string(), "one")]).unwrap();
    }
    for is_missing in [false, true] {
        for position in 1..=4 {
            let error = builder().open(Torn(store.copy(), position, is_missing)).unwrap_err();
            assert_eq!(error.code(), "store_damaged", "{position} {is_missing}");
        }
    }
    // Behind a checkpoint it is met when it is served.
    hub.checkpoint().unwrap();
    let hub = builder().open(Torn(store.copy(), 3, false)).unwrap();
    let since = Cursor { seq: 0, digest: Digest::EMPTY, ..Cursor::default() };
    let request = sync_core::transport::PullRequest { since, limit: 9, ..Default::default() };
    assert_eq!(hub.pull(&request).unwrap_err().code(), "hub");
}
