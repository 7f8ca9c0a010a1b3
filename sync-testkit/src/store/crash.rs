//! A whole device, and a whole hub, on the store, whose calls fail one after the other, carried out or not. What was
//! acknowledged is there when the store is opened again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sync_core::{
    Checkpoint, Error, Heads, Hub, Id, MemoryStore, Position, Replica, Store, StoreError, Syncable, Transport,
};

use super::Fresh;

#[derive(Syncable, Debug)]
struct Item {
    #[sync(id)]
    id: Id<Item, String>,
    name: String,
    #[sync(merge = "counter")]
    count: i64,
}

/// A store whose `n`th call fails; all behind it too, as after a crash.
struct Failing {
    store: Arc<dyn Store>,
    left: AtomicU64,
    carried_out: bool,
}

impl Failing {
    fn call<T>(&self, call: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(1)));
        let crashed = || StoreError::io("the store of a test", "it crashes here");
        match left.unwrap_or(0) {
            0 => Err(crashed()),
            1 if self.carried_out => call(&*self.store).and_then(|_| Err(crashed())),
            1 => Err(crashed()),
            _ => call(&*self.store),
        }
    }
}

impl Store for Failing {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.call(|store| store.heads())
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.call(|store| store.append(expected, commits))
    }

    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.call(|store| store.journal(from, limit))
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.call(|store| store.checkpoint(checkpoint))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.call(|store| store.get(key))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.call(|store| store.range(from, to, limit))
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        self.call(|store| store.reclaim())
    }
}

/// Has something live on a store that crashes at each of its calls in turn, before it and after it, and looks at what
/// is there when the store is opened again.
fn at_every_call(
    fresh: &Fresh<'_>,
    live: impl Fn(Arc<dyn Store>, &Mutex<BTreeSet<String>>) -> Result<(), Error>,
    look: impl Fn(Arc<dyn Store>) -> Result<BTreeSet<String>, Error>,
) {
    let mut crashes = 0;
    for carried_out in [false, true] {
        for n in 1..500 {
            let open = fresh();
            let acknowledged = Mutex::default();
            let failing = Failing { store: open(), left: AtomicU64::new(n), carried_out };
            let lived = live(Arc::new(failing), &acknowledged);
            let found = look(open()).unwrap_or_else(|error| panic!("opened again after a crash at call {n}: {error}"));
            let acknowledged = acknowledged.into_inner().expect("no thread panics with it");
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "a crash at call {n}, carried out: {carried_out}: {lost:?} were acknowledged");
            if lived.is_ok() {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes > 20, "only {crashes} calls were made");
}

fn replica(store: impl Store + 'static) -> Result<Replica, Error> {
    Replica::builder().register::<Item>().threadless().open(store)
}

fn sync(replica: &Replica, way: &dyn Transport) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime is made");
    runtime.block_on(replica.sync(way)).map(drop)
}

fn item(id: &str) -> Item {
    Item { id: id.into(), name: "item".into(), count: 1 }
}

fn items(replica: &Replica) -> Result<BTreeSet<String>, Error> {
    replica.list::<Item>()?.map(|item| item.map(|item| format!("{} {}", item.id.key(), item.count))).collect()
}

/// A device that writes, syncs, makes checkpoints and compacts keeps what it acknowledged.
pub fn a_device_keeps_what_it_acknowledged(fresh: &Fresh<'_>) {
    let live = |store: Arc<dyn Store>, acknowledged: &Mutex<BTreeSet<String>>| {
        let note = |text: String| {
            acknowledged.lock().expect("no thread panics with it").insert(text);
        };
        let hub = Hub::builder().open(MemoryStore::new())?;
        let replica = replica(store)?;
        for n in 0..4 {
            let id = format!("item {n}");
            replica.create(item(&id))?.wait()?;
            if n % 2 == 0 {
                let other = format!("other {n}");
                let both = replica.transaction(|tx| {
                    tx.create(item(&other))?;
                    tx.edit(&id.as_str().into(), |item: &mut Item| item.count += 1)
                });
                both?.wait()?;
                note(format!("{other} 1"));
                note(format!("{id} 2"));
            } else {
                note(format!("{id} 1"));
            }
            match n {
                0 | 2 => sync(&replica, &hub.transport("ada"))?,
                1 => replica.checkpoint()?,
                _ => replica.compact()?,
            }
        }
        Ok(())
    };
    at_every_call(fresh, live, |store| {
        let replica = replica(store)?;
        // It goes on.
        replica.put(item("last"))?.wait()?;
        items(&replica)
    });
}

/// A hub that takes pushes, makes checkpoints and compacts keeps what it accepted.
pub fn a_hub_keeps_what_it_accepted(fresh: &Fresh<'_>) {
    let live = |store: Arc<dyn Store>, acknowledged: &Mutex<BTreeSet<String>>| {
        let hub = Hub::builder().open(store)?;
        let devices = [replica(MemoryStore::new())?, replica(MemoryStore::new())?];
        for n in 0..6 {
            let (device, id) = (&devices[n % 2], format!("item {n}"));
            device.create(item(&id))?.wait()?;
            sync(device, &hub.transport("ada"))?;
            if device.status().pending == 0 {
                acknowledged.lock().expect("no thread panics with it").insert(format!("{id} 1"));
            }
            match n {
                2 => hub.checkpoint()?,
                4 => hub.compact(2)?,
                _ => {}
            }
        }
        Ok(())
    };
    at_every_call(fresh, live, |store| {
        let hub = Hub::builder().open(store)?;
        let device = replica(MemoryStore::new())?;
        device.create(item("last"))?.wait()?;
        sync(&device, &hub.transport("ada"))?;
        items(&device)
    });
}
