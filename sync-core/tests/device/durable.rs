//! Whoever waits for a write is told that it is durable when it is, also where there was nothing to write, and goes on
//! after a store that was in use for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use sync_core::{Checkpoint, Error, Heads, KeyValue, MemoryStore, Position, Replica, Store, StoreError};

use super::support::{Note, Set, builder, note, run, title};

/// A store that appends, is full, is in use by another process, or appends and says another position than it should.
struct Moody {
    store: Arc<MemoryStore>,
    mood: Arc<AtomicU8>,
}

const WELL: u8 = 0;
const FULL: u8 = 1;
const LOCKED: u8 = 2;
const SAYS_TOO_LITTLE: u8 = 3;
const SAYS_TOO_MUCH: u8 = 4;

impl Store for Moody {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        match self.mood.load(Ordering::SeqCst) {
            FULL => Err(StoreError::io("the disk", "no space is left")),
            LOCKED => Err(StoreError::Locked { what: "the disk".into() }),
            SAYS_TOO_LITTLE => self.store.append(expected, commits).map(|last| last - 1),
            SAYS_TOO_MUCH => self.store.append(expected, commits).map(|last| last + 1),
            _ => self.store.append(expected, commits),
        }
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.store.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}

struct Device {
    store: Arc<MemoryStore>,
    mood: Arc<AtomicU8>,
    replica: Replica,
}

impl Device {
    fn new(is_threadless: bool) -> Self {
        let (store, mood) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU8::new(WELL)));
        let moody = Moody { store: store.clone(), mood: mood.clone() };
        let with_threads = Replica::builder().register::<Note>();
        let replica = if is_threadless { builder(&Set::new()) } else { with_threads }.open(moody).unwrap();
        Self { store, mood, replica }
    }

    fn be(&self, mood: u8) {
        self.mood.store(mood, Ordering::SeqCst);
    }

    fn put(&self, title: &str) -> Result<(), Error> {
        self.replica.put(note("n", title))?.wait().map(drop)
    }

    /// Waits until this would be there after the power went.
    fn comes_to_keep(&self, title: &str) {
        let begun = std::time::Instant::now();
        while self.kept().as_deref() != Some(title) {
            assert!(begun.elapsed().as_secs() < 20, "nobody writes it");
            std::thread::yield_now();
        }
    }

    /// What is there after the power went.
    fn kept(&self) -> Option<String> {
        title(&builder(&Set::new()).open(self.store.copy()).unwrap(), "n")
    }
}

#[test]
fn a_write_that_failed_and_is_tried_again_is_not_acknowledged_for_nothing() {
    let device = Device::new(false);
    device.put("before").unwrap();
    device.be(FULL);
    device.put("typed").unwrap_err();
    // It shows, so that there is nothing to write.
    assert_eq!(title(&device.replica, "n").as_deref(), Some("typed"));
    device.put("typed").unwrap_err();
    let edited = device.replica.edit(&"n".into(), |note: &mut Note| note.title = "typed".into());
    edited.and_then(|commit| commit.wait()).unwrap_err();
    assert_eq!(device.kept().as_deref(), Some("before"));
}

#[test]
fn what_another_wrote_just_before_is_durable_for_whoever_writes_the_same() {
    let device = Device::new(true);
    let first = device.replica.put(note("n", "typed")).unwrap();
    device.put("typed").unwrap();
    assert_eq!(device.kept().as_deref(), Some("typed"));
    drop(first);
    let edit = |title: &'static str| {
        device.replica.edit(&"n".into(), move |note: &mut Note| note.title = title.into()).unwrap()
    };
    drop(edit("better"));
    run(edit("better")).unwrap();
    assert_eq!(device.kept().as_deref(), Some("better"));
}

#[test]
fn a_store_that_was_in_use_for_a_moment_is_written_to_afterwards() {
    for is_threadless in [false, true] {
        let device = Device::new(is_threadless);
        device.put("one").unwrap();
        device.be(LOCKED);
        let error = device.put("two").unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert_eq!(device.kept().as_deref(), Some("one"));
        // Others are told the same, and so is who asks again.
        device.put("two").unwrap_err();
        device.put("three").unwrap_err();
        device.be(WELL);
        device.put("three").unwrap();
        assert_eq!(device.kept().as_deref(), Some("three"));
        assert_eq!(device.replica.unsynced().unwrap().len(), 3, "each write once");
    }
}

#[test]
fn what_was_put_off_is_written_later_although_nobody_waits_any_more() {
    let device = Device::new(false);
    device.be(LOCKED);
    device.put("one").unwrap_err();
    device.be(WELL);
    device.comes_to_keep("one");
}

#[test]
fn who_awaits_a_write_hears_of_a_store_in_use_too_and_what_nobody_waits_for_is_written_later() {
    let device = Device::new(false);
    device.be(LOCKED);
    let awaited = run(device.replica.put(note("n", "one")).unwrap());
    assert!(awaited.unwrap_err().is_retryable());
    drop(device.replica.put(note("n", "two")).unwrap());
    device.be(WELL);
    device.comes_to_keep("two");
}

#[test]
fn a_store_that_says_another_position_acknowledges_nothing_for_it() {
    for mood in [SAYS_TOO_LITTLE, SAYS_TOO_MUCH] {
        for is_threadless in [false, true] {
            let device = Device::new(is_threadless);
            device.be(mood);
            let (told, tells) = mpsc::channel();
            std::thread::spawn(move || {
                let _ = told.send(["one", "two"].map(|title| device.put(title).map_err(|error| error.code())));
            });
            let puts = tells.recv_timeout(Duration::from_secs(20)).expect("whoever waits is told something");
            assert_eq!(puts, [Err("store_damaged"); 2], "{mood}");
        }
    }
}
