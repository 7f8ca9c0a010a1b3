//! A hub whose store another process has for a moment: it says so, and goes on afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sync_core::{Checkpoint, Heads, KeyValue, MemoryStore, Position, Store, StoreError};

use super::support::{Client, builder, push_words};

/// A store that another process may have for itself.
struct Shared {
    store: Arc<MemoryStore>,
    is_taken: Arc<AtomicBool>,
}

impl Shared {
    fn store(&self) -> Result<&MemoryStore, StoreError> {
        let is_taken = self.is_taken.load(Ordering::SeqCst);
        if is_taken { Err(StoreError::Locked { what: "the store".into() }) } else { Ok(&self.store) }
    }
}

impl Store for Shared {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.store()?.append(expected, commits)
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.store()?.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store()?.reclaim()
    }
}

#[test]
fn it_goes_on_when_the_store_is_free_again() {
    let (store, is_taken) = (Arc::new(MemoryStore::new()), Arc::new(AtomicBool::new(false)));
    let hub = builder().checkpoint_every(2).open(Shared { store: store.clone(), is_taken: is_taken.clone() }).unwrap();
    let mut a = Client::new("a");
    assert_eq!(push_words(&hub, &[a.create("x", "one")]), "1");
    let two = [a.create("y", "two"), a.create("z", "three"), a.create("u", "four")];
    is_taken.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(push_words(&hub, &two).starts_with("error"), "nothing is said before it is durable");
        assert!(!hub.has_failed());
    }
    is_taken.store(false, Ordering::SeqCst);
    assert_eq!(push_words(&hub, &two), "2 3 4");
    hub.tend().unwrap();
    // The same from a hub that is opened anew: each is there once.
    let again = builder().open(store).unwrap();
    assert_eq!(push_words(&again, &two), "2 3 4");
    assert_eq!(again.head(), hub.head());
}
