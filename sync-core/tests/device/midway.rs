//! Reads between the moment at which a checkpoint is in the store and the one at which the replica hears of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{Checkpoint, Heads, KeyValue, MemoryStore, Position, Replica, Store, StoreError};

use super::support::{Note, Set, builder, export, hub_on, import, note, notes, run};

/// How a checkpoint ends, as far as the replica is told.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Told,
    /// It is carried out, and an error comes back.
    DoneAndFailed,
    /// It is not carried out.
    Failed,
}

/// What another thread does meanwhile.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// A store in which something happens before a checkpoint returns.
pub(super) struct Midway {
    store: MemoryStore,
    end: Mutex<End>,
    /// How many checkpoints go well before one does not, if any.
    good: AtomicUsize,
    meanwhile: Mutex<Option<Meanwhile>>,
    /// What comes before a change, and how many changes come before that.
    before: Mutex<Option<(usize, Meanwhile)>>,
}

impl Midway {
    pub(super) fn new() -> Self {
        let (store, end) = (MemoryStore::new(), Mutex::new(End::Told));
        Self { store, end, meanwhile: Mutex::default(), before: Mutex::default(), good: AtomicUsize::new(usize::MAX) }
    }

    /// Does something after so many changes of the store, before the next one.
    pub(super) fn before_change(&self, changes: usize, deed: impl FnOnce() + Send + 'static) {
        *self.before.lock().unwrap() = Some((changes, Box::new(deed)));
    }

    /// Does something between the next checkpoint and whoever makes it hearing of it.
    pub(super) fn meanwhile(&self, deed: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(deed));
    }

    /// So many checkpoints go well, and then one does not.
    pub(super) fn fails_after(&self, good: usize) {
        self.good.store(good, Ordering::Relaxed);
    }

    fn change(&self) {
        let deed = {
            let mut before = self.before.lock().unwrap();
            match &mut *before {
                Some((0, _)) => before.take(),
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            }
        };
        deed.into_iter().for_each(|(_, deed)| deed());
    }
}

impl Store for Midway {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.change();
        self.store.append(expected, commits)
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.change();
        if self.good.fetch_sub(1, Ordering::Relaxed) == 0 {
            return Err(StoreError::io("the store", "it failed once"));
        }
        let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        if end != End::Failed {
            self.store.checkpoint(checkpoint)?;
        }
        if let Some(meanwhile) = self.meanwhile.lock().unwrap().take() {
            meanwhile();
        }
        if end == End::Told { Ok(()) } else { Err(StoreError::io("the store", "the line went dead")) }
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

/// How many views the one note has, read in one way or the other.
fn by_id(replica: &Replica) -> i64 {
    replica.get::<Note>(&"n".into()).unwrap().unwrap().views
}

fn by_list(replica: &Replica) -> i64 {
    notes(replica)[0].views
}

#[test]
fn what_a_checkpoint_took_in_counts_once_for_whoever_reads_at_that_moment() {
    for end in [End::Told, End::DoneAndFailed, End::Failed] {
        for read in [by_id, by_list] {
            let clock = Set::new();
            let hub = hub_on(MemoryStore::new(), &clock);
            let store = Arc::new(Midway::new());
            let open = || builder(&clock).open(store.clone()).unwrap();
            let (other, device) = (builder(&clock).open(MemoryStore::new()).unwrap(), open());
            other.create(note("n", "T")).unwrap().wait().unwrap();
            run(other.sync(&hub.transport("tester"))).unwrap();
            run(device.sync(&hub.transport("tester"))).unwrap();
            device.checkpoint().unwrap();
            drop(device);

            // The device gets an entry of a note whose record it has not read.
            other.edit::<Note, _>(&"n".into(), |note| note.views += 1).unwrap().wait().unwrap();
            run(other.sync(&hub.transport("tester"))).unwrap();
            let device = open();
            run(device.sync(&hub.transport("tester"))).unwrap();
            let (reader, seen) = (device.clone(), Arc::new(Mutex::new(None)));
            let sees = seen.clone();
            store.meanwhile(move || *sees.lock().unwrap() = Some(read(&reader)));
            *store.end.lock().unwrap() = end;
            assert_eq!(device.checkpoint().is_ok(), end != End::Failed, "{end:?}");
            assert_eq!(*seen.lock().unwrap(), Some(1), "{end:?}: read before the checkpoint returned");
            assert_eq!((by_id(&device), by_list(&device)), (1, 1), "{end:?}: after it");

            *store.end.lock().unwrap() = End::Told;
            other.edit::<Note, _>(&"n".into(), |note| note.views += 1).unwrap().wait().unwrap();
            run(other.sync(&hub.transport("tester"))).unwrap();
            run(device.sync(&hub.transport("tester"))).unwrap();
            device.checkpoint().unwrap();
            assert_eq!((by_id(&device), by_list(&device)), (2, 2), "{end:?}: after the next one");
            drop(device);
            assert_eq!(by_id(&open()), 2, "{end:?}: opened again");
        }
    }
}

#[test]
fn an_import_that_fails_at_any_step_leaves_what_was_there_or_what_comes() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let other = builder(&clock).open(MemoryStore::new()).unwrap();
    for id in ["a", "b", "c"] {
        other.create(note(id, "T")).unwrap().wait().unwrap();
    }
    run(other.sync(&hub.transport("tester"))).unwrap();
    let file = export(&other);
    for good in 0.. {
        let store = Arc::new(Midway::new());
        let device = builder(&clock).open(store.clone()).unwrap();
        store.fails_after(good);
        let imported = import(&device, file.clone());
        store.fails_after(usize::MAX);
        for device in [device, builder(&clock).open(store).unwrap()] {
            let shown = notes(&device).len();
            let expected = if device.cursor().seq == 0 { 0 } else { 3 };
            assert_eq!(shown, expected, "{good} went well: {imported:?}");
        }
        if imported.is_ok() {
            assert!(good > 2);
            return;
        }
    }
}

#[test]
fn a_checkpoint_of_another_replica_on_the_same_store_is_refused_and_nothing_counts_twice() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let store = Arc::new(MemoryStore::new());
    let views = |replica: &Replica| replica.get::<Note>(&"n".into()).unwrap().map(|note| note.views);
    let device = builder(&clock).open(store.clone()).unwrap();
    device.create(Note { views: 1, ..note("n", "T") }).unwrap().wait().unwrap();
    run(device.sync(&hub.transport("tester"))).unwrap();
    builder(&clock).open(store.clone()).unwrap().checkpoint().unwrap();
    assert_eq!(device.checkpoint().unwrap_err().code(), "store_moved");
    drop(device);
    let again = builder(&clock).open(store).unwrap();
    again.checkpoint().unwrap();
    assert_eq!(views(&again), Some(1));
}
