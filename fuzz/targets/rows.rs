//! What is stored: rows whose checksums fit and whose content is anything, as another version or a bug may have left
//! them. They are read or refused; nothing falls over, nothing is shown that cannot be read.

use sync_core::{Checkpoint, Hub, Id, MemoryStore, Replica, Store};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::model::Everything;
use super::{choice, hub_builder, now, replica};

/// The first byte says whose store it is; then come changes: which row, where in it, and what is written there.
pub(crate) fn row(data: &[u8]) {
    let Some((whose, changes)) = choice(data) else { return };
    let store = if whose % 2 == 0 { device() } else { hub() };
    let store = changed(&store, changes);
    if whose % 2 == 0 {
        let Ok(replica) = replica(1, store) else { return };
        for entity in replica.raw().list(None).take(100) {
            let _ = entity;
        }
        let _ = replica.list::<Everything>().map(|all| all.take(100).for_each(drop));
        let _ = (replica.log(), replica.rejected(), replica.unsynced(), replica.verify());
        let _ = write(&replica, "new");
    } else {
        let Ok(hub) = hub_builder().open(store) else { return };
        let _ = use_hub(&hub);
        let _ = (hub.checkpoint(), hub.compact(1), hub.purge(u64::MAX));
        let _ = use_hub(&hub);
    }
}

fn use_hub(hub: &Hub) -> Result<(), sync_core::Error> {
    let device = replica(9, MemoryStore::new())?;
    write(&device, "other")?;
    now(device.sync(&hub.transport("ada")))?;
    Ok(())
}

fn write(replica: &Replica, id: &str) -> Result<(), sync_core::Error> {
    let mut fields = sync_core::Fields::new();
    for (name, text) in [
        ("text", "\"t\""),
        ("maybe", "null"),
        ("number", "1"),
        ("small", "1"),
        ("real", "0.5"),
        ("yes", "true"),
        ("list", "[1]"),
        ("map", "{}"),
        ("tags", "[\"a\"]"),
        ("views", "1"),
        ("best", "1"),
        ("origin", "\"o\""),
        ("pair", "[\"p\",null]"),
    ] {
        fields.insert(name, sync_core::Value::parse(text).expect("JSON"));
    }
    replica.raw().create("everything", id, &fields)?.wait()?;
    replica.edit(&Id::from(id), |all: &mut Everything| all.clone_from(&all.clone()))?.wait()
}

/// A device that wrote, synced, wrote, and made a checkpoint on the way.
fn device() -> MemoryStore {
    let store = std::sync::Arc::new(MemoryStore::new());
    let device = replica(1, store.clone()).expect("it opens");
    write(&device, "a").expect("it is written");
    now(device.sync(&super::hub().transport("ada"))).expect("it syncs");
    device.checkpoint().expect("memory does not fail");
    write(&device, "b").expect("it is written");
    store.copy()
}

fn hub() -> MemoryStore {
    let store = std::sync::Arc::new(MemoryStore::new());
    let hub = hub_builder().open(store.clone()).expect("it opens");
    for (n, id) in (1..).zip(["a", "b", "c"]) {
        let device = replica(n, MemoryStore::new()).expect("it opens");
        write(&device, id).expect("it is written");
        now(device.sync(&hub.transport("ada"))).expect("it syncs");
        if n == 2 {
            hub.checkpoint().expect("memory does not fail");
        }
    }
    store.copy()
}

/// The store with its rows changed and sealed anew.
fn changed(store: &MemoryStore, changes: &[u8]) -> MemoryStore {
    let heads = store.heads().expect("memory does not fail");
    let mut journal = store.journal(0, usize::MAX).expect("memory does not fail");
    let mut map = store.range(b"", b"", usize::MAX).expect("memory does not fail");
    let rows = journal.len() + map.len();
    for change in changes.chunks(4) {
        let &[which, place, new, how] = change else { break };
        let which = usize::from(which) % rows;
        let (key, row) = match which.checked_sub(journal.len()) {
            None => (journal[which].0.to_be_bytes().to_vec(), &mut journal[which].1),
            Some(at) => (map[at].0.clone(), &mut map[at].1),
        };
        let Some(body) = row.len().checked_sub(9).filter(|body| *body > 0) else { continue };
        let at = 1 + usize::from(place) % body;
        match how % 4 {
            0 => row[at] = new,
            1 => row.insert(at, new),
            2 => drop(row.remove(at)),
            _ => row.truncate(at + 8),
        }
        let body = row.len() - 8;
        let sum = xxh3_64_with_seed(&row[..body], xxh3_64_with_seed(&key, 0));
        row[body..].copy_from_slice(&sum.to_le_bytes());
    }
    let changed = MemoryStore::new();
    // The journal begins where it did.
    let first = journal.first().map_or(heads.last, |(at, _)| at - 1);
    let fill: Vec<&[u8]> = (0..first).map(|_| &b""[..]).collect();
    let rows: Vec<&[u8]> = fill.into_iter().chain(journal.iter().map(|(_, row)| row.as_slice())).collect();
    changed.append(0, &rows).expect("memory does not fail");
    let checkpoint = Checkpoint { covers: heads.covers, drop_before: first + 1, puts: map, drops: vec![] };
    changed.checkpoint(&checkpoint).expect("memory does not fail");
    changed
}
