//! Group commit: whoever waits appends for all.

use std::sync::Arc;

use shuttle::sync::Mutex;
use shuttle::{future, thread};
use sync_core::store::{Checkpoint, Heads, Position, Store, StoreError};

use crate::journal::Journal;
use crate::under_every_schedule;

/// A store that notes what is appended, and whose appends take time; from the one with this number on they fail.
struct Noted {
    rows: Mutex<Vec<Vec<u8>>>,
    appends: Mutex<u32>,
    fails_from: u32,
}

impl Noted {
    fn new(fails_from: u32) -> Arc<Self> {
        Arc::new(Self { rows: Mutex::new(Vec::new()), appends: Mutex::new(0), fails_from })
    }

    fn rows(&self) -> Vec<Vec<u8>> {
        self.rows.lock().unwrap().clone()
    }
}

impl Store for Noted {
    fn heads(&self) -> Result<Heads, StoreError> {
        Ok(Heads { first: 1, last: self.rows().len() as u64, covers: 0 })
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        let number = {
            let mut appends = self.appends.lock().unwrap();
            *appends += 1;
            *appends
        };
        if number > self.fails_from {
            assert!(number == self.fails_from + 1, "something is appended behind a failure");
            return Err(StoreError::io("the store", "it fails"));
        }
        thread::yield_now();
        let mut rows = self.rows.lock().unwrap();
        assert_eq!(rows.len() as u64, expected, "an append does not go on where the one before ended");
        rows.extend(commits.iter().map(|commit| commit.to_vec()));
        Ok(rows.len() as u64)
    }

    fn journal(&self, _: Position, _: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        Ok(Vec::new())
    }

    fn checkpoint(&self, _: &Checkpoint) -> Result<(), StoreError> {
        Ok(())
    }

    fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn range(&self, _: &[u8], _: &[u8], _: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        Ok(Vec::new())
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Writers that each write twice and wait; what they are told, with where their commits stand.
fn writers(journal: &Arc<Journal>, count: u8) -> Vec<(Position, u8, bool)> {
    let write = |writer: u8| {
        let journal = journal.clone();
        move || {
            let mut told = Vec::new();
            for n in 0..2 {
                let body = writer * 10 + n;
                let Ok(position) = journal.push(&[body]) else { break };
                told.push((position, body, journal.ticket(position, ()).wait().is_ok()));
            }
            told
        }
    };
    let threads: Vec<_> = (0..count).map(|writer| thread::spawn(write(writer))).collect();
    threads.into_iter().flat_map(|thread| thread.join().expect("a writer ends")).collect()
}

#[test]
fn what_was_waited_for_stands_where_it_was_queued() {
    under_every_schedule(|| {
        let store = Noted::new(u32::MAX);
        let journal = Journal::new(store.clone(), 0);
        let told = writers(&journal, 3);
        let rows = store.rows();
        assert_eq!((told.len(), rows.len(), journal.durable()), (6, 6, 6));
        assert!(told.iter().all(|(at, body, is_safe)| *is_safe && rows[*at as usize - 1] == [*body]));
    });
}

#[test]
fn after_a_failure_everyone_hears_of_it_and_nothing_is_appended() {
    under_every_schedule(|| {
        let store = Noted::new(1);
        let journal = Journal::new(store.clone(), 0);
        let told = writers(&journal, 3);
        let rows = store.rows();
        for (at, body, is_safe) in told {
            assert_eq!(is_safe, rows.get(at as usize - 1).is_some_and(|row| *row == [body]));
        }
        assert!(journal.push(b"more").is_err() && journal.failure().is_some());
    });
}

#[test]
fn a_commit_that_nobody_waits_for_becomes_durable() {
    under_every_schedule(|| {
        let store = Noted::new(u32::MAX);
        let journal = Journal::new(store.clone(), 0);
        let flusher = journal.spawn_flusher();
        let position = journal.push(b"dropped").unwrap();
        drop(journal.ticket(position, ()));
        let waited = writers(&journal, 1);
        assert!(waited.iter().all(|(_, _, is_safe)| *is_safe));
        // The last handle waits for the thread, and the thread for what is queued.
        let position = journal.push(b"last").unwrap();
        drop(journal.ticket(position, ()));
        drop(flusher);
        assert_eq!(store.rows().len(), 4);
    });
}

#[test]
fn a_future_is_woken_when_its_commit_is_durable() {
    under_every_schedule(|| {
        let store = Noted::new(u32::MAX);
        let journal = Journal::new(store.clone(), 0);
        let flusher = journal.spawn_flusher();
        let others = journal.clone();
        let other = thread::spawn(move || writers(&others, 1));
        for n in 0..2 {
            let position = journal.push(&[n]).unwrap();
            future::block_on(journal.ticket(position, ())).unwrap();
            assert!(store.rows().len() as u64 >= position);
        }
        assert!(other.join().unwrap().iter().all(|(_, _, is_safe)| *is_safe));
        drop(flusher);
    });
}

#[test]
fn a_future_hears_of_a_failure() {
    under_every_schedule(|| {
        let journal = Journal::new(Noted::new(0), 0);
        let flusher = journal.spawn_flusher();
        let position = journal.push(b"lost").unwrap();
        assert!(future::block_on(journal.ticket(position, ())).is_err());
        drop(flusher);
    });
}

#[test]
fn who_waits_for_what_a_restart_forgot_is_told() {
    under_every_schedule(|| {
        let store = Noted::new(u32::MAX);
        let journal = Journal::new(store.clone(), 0);
        let (restarts, position) = (journal.restarts(), journal.push(b"one").unwrap());
        let waiting = journal.clone();
        let waiter = thread::spawn(move || waiting.wait_in(restarts, position).is_ok());
        // As a hub does that finds another one's rows in the store.
        let last = store.rows().len() as u64;
        if journal.durable() == last {
            journal.restart(store.rows().len() as u64);
        }
        let was_safe = waiter.join().unwrap();
        assert!(!was_safe || store.rows() == [b"one".to_vec()]);
    });
}
