//! Serving the state in pages, while it changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::support::*;
use sync_core::model::context::Context;
use sync_core::transport::{SnapshotPage, SnapshotRequest};
use sync_core::{
    Checkpoint, Cursor, EntityKey, Entry, Heads, Hub, KeyValue, MemoryStore, Position, Record, Snapshot, Store,
    StoreError, VersionVector, reconcile,
};

/// Takes all pages; `between` runs after each.
fn take(hub: &Hub, mut between: impl FnMut(usize)) -> (Snapshot, Cursor, usize) {
    let mut records: BTreeMap<EntityKey, Record> = BTreeMap::new();
    let (mut token, mut pages) = (String::new(), 0);
    loop {
        let page: SnapshotPage = hub.snapshot(&SnapshotRequest { page: token }).unwrap();
        pages += 1;
        records.extend(page.records);
        let Some(next) = page.next else {
            records.retain(|_, record| !record.is_empty());
            let vector: VersionVector = page.vector.into_iter().collect();
            return (Snapshot::new(records, Context::new(vector)), page.cursor, pages);
        };
        between(pages);
        token = next;
    }
}

/// The state that the log up to a cursor makes.
fn replayed(hub: &Hub, cursor: Cursor) -> Snapshot {
    let log = log(hub, 1_000);
    let entries: Vec<&Entry> = log.iter().filter(|(seq, _)| *seq <= cursor.seq).map(|(_, entry)| entry).collect();
    reconcile(Snapshot::default(), entries).unwrap()
}

#[test]
fn it_is_what_the_log_makes_with_the_checkpoint_anywhere() {
    for checkpoint in [None, Some(0), Some(3), Some(6)] {
        let hub = open(MemoryStore::new());
        let mut a = Client::new("a");
        for round in 0..6 {
            if checkpoint == Some(round) {
                hub.checkpoint().unwrap();
            }
            let create = a.create(&format!("{round}"), "one");
            let dot = create.dot().clone();
            let mut update = a.update(&format!("{round}"), &dot, "two");
            update.replaces = vec![("title".into(), [dot.clone()].into())];
            let delete = a.delete(&format!("{round}"), &dot);
            let again = a.update("0", &a.dot(1), "three");
            push(&hub, &[create, update, delete, again]).unwrap();
        }
        if checkpoint == Some(6) {
            hub.checkpoint().unwrap();
        }
        let (snapshot, cursor, pages) = take(&hub, |_| {});
        assert_eq!(pages, 1);
        assert_eq!(cursor, hub.head());
        assert_eq!(snapshot, replayed(&hub, cursor));
    }
}

#[test]
fn it_is_exact_although_everything_goes_on_meanwhile() {
    let store = Arc::new(MemoryStore::new());
    let hub = builder().checkpoint_every(700).open(store.clone()).unwrap();
    let other = builder().checkpoint_every(usize::MAX).open(store).unwrap();
    let mut a = Client::new("a");
    let creates: Vec<Entry> = (0..2_000).map(|n| a.create(&format!("{n:04}"), "one")).collect();
    for batch in creates.chunks(500) {
        push(&hub, batch).unwrap();
    }
    let mut b = Client::new("b");
    let mut counter = 0_u64;
    let (snapshot, cursor, pages) = take(&hub, |page| {
        if page > 12 {
            return;
        }
        // Behind the page, in front of it, new ones at both ends; now and then a checkpoint falls in between.
        let mut batch = Vec::new();
        for at in (page..2_000).step_by(if page == 4 { 3 } else { 97 }) {
            counter += 1;
            batch.push(b.update(&format!("{at:04}"), creates[at].dot(), &counter.to_string()));
        }
        batch.push(b.create(&format!("0000-{page}"), "new"));
        batch.push(b.create(&format!("9999-{page}"), "new"));
        for (at, batch) in batch.chunks(40).enumerate() {
            push(if at % 2 == 0 { &hub } else { &other }, batch).unwrap();
        }
        if page % 3 == 0 {
            hub.checkpoint().unwrap();
        }
    });
    assert!(pages >= 6, "{pages}");
    assert_eq!(snapshot, replayed(&hub, cursor));
    assert_eq!(cursor, hub.head());
}

/// What a client takes at once is bounded.
#[test]
fn a_page_ends_in_time_where_what_was_touched_is_large() {
    let hub = builder().checkpoint_every(16).open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    let large = "x".repeat(200 << 10);
    let small: Vec<Entry> = (0..600).map(|n| a.create(&format!("small {n:03}"), "one")).collect();
    push(&hub, &small).unwrap();
    let bytes = |page: &SnapshotPage| page.records.iter().map(|(_, record)| record.encode().len()).sum::<usize>();
    let (mut snapshot, mut page) = (BTreeMap::new(), String::new());
    for made in 0.. {
        let got = hub.snapshot(&SnapshotRequest { page }).unwrap();
        assert!(bytes(&got) < 5 << 20, "page {made} has {} bytes", bytes(&got));
        snapshot.extend(got.records);
        if made == 0 {
            for n in 0..60 {
                push(&hub, &[a.create(&format!("large {n:03}"), &large)]).unwrap();
            }
        }
        let Some(next) = got.next else {
            assert!(made > 3, "{made} pages");
            assert_eq!(got.cursor, hub.head());
            break;
        };
        page = next;
    }
    assert_eq!(snapshot.len(), 660);
}

#[test]
fn a_page_that_was_never_named_is_expired() {
    let hub = open(MemoryStore::new());
    push(&hub, &[Client::new("a").create("1", "one")]).unwrap();
    let head = hub.head();
    let other = format!("t.1.{:032x}.5", 5);
    let good = format!("t.{}.{}.{}", head.seq, head.digest, head.epoch);
    let greatest = format!("t.{}.0.0", u64::MAX);
    for token in [
        "x",
        "r",
        &greatest[..],
        "r.1",
        "t.9.0",
        "t.9.0.0",
        &other[..],
        &format!("{good}.more"),
        &format!("r.1.{}.0.zz.00", head.digest),
    ] {
        let error = hub.snapshot(&SnapshotRequest { page: token.to_owned() }).unwrap_err();
        assert_eq!(error.code(), "expired", "{token}");
    }
    let page = hub.snapshot(&SnapshotRequest { page: good }).unwrap();
    assert_eq!((page.records.len(), page.cursor, page.next), (0, head, None));
}

/// A store that counts the bytes of what is read of its map in ranges.
struct Weighing {
    store: MemoryStore,
    read: Arc<AtomicUsize>,
}

impl Store for Weighing {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        self.store.append(expected, commits)
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
        let rows = self.store.range(from, to, limit)?;
        self.read.fetch_add(rows.iter().map(|(_, bytes)| bytes.len()).sum(), Ordering::SeqCst);
        Ok(rows)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}

#[test]
fn no_more_is_read_for_a_page_than_is_in_it_by_much() {
    let read = Arc::new(AtomicUsize::new(0));
    let hub = open(Weighing { store: MemoryStore::new(), read: read.clone() });
    let mut a = Client::new("a");
    let large = "x".repeat(200 << 10);
    for n in 0..120 {
        push(&hub, &[a.create(&format!("{n:04}"), if n < 100 { &large } else { "small" })]).unwrap();
    }
    hub.checkpoint().unwrap();
    read.store(0, Ordering::SeqCst);
    let mut most = 0;
    let mut look = || most = most.max(read.swap(0, Ordering::SeqCst));
    let (snapshot, cursor, pages) = take(&hub, |_| look());
    look();
    assert_eq!(snapshot, replayed(&hub, cursor));
    assert!(pages > 3, "{pages}");
    assert!(most < 12 << 20, "{most} bytes were read for a page");
}
