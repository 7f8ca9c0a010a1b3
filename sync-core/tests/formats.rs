//! What is written today, as numbers: files and messages of one version are read by the next ones. Where a number here
//! changes, a form changed: give it a version of its own, keep reading the one before, and say so in CHANGELOG.md.
#![allow(clippy::unwrap_used, reason = "a failed test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sync_core::model::batch::encode_batch;
use sync_core::transport::PullRequest;
use sync_core::{Clock, Cursor, Hub, Id, MemoryStore, Random, Replica, Store, Syncable, Uuid};
use xxhash_rust::xxh3::xxh3_128;

const WRITTEN: &str = "\
the first device's store: d219b297c6626bcf221447c5ac2cbe4c of 4916 bytes
the second device's store: b85dfa0c4d2cc8289997b593eafdbf0a of 3427 bytes
the hub's store: 20dd613037117d98a46a4d7e0589663b of 3526 bytes
a batch: cd5b77b8798bea93dc2456aa10ed18f7 of 513 bytes
entries in JSON: b1fc97719ad0497a112d64d34b55054d of 4162 bytes
their hashes: 8b5477b8fa050f17204102a0fe001fc0 of 330 bytes
a snapshot as a file: ce1680968fb042cb4dd7cccbaa29b734 of 1047 bytes
";

#[derive(Syncable, Debug, Clone)]
struct Thing {
    #[sync(id)]
    id: Id<Thing>,
    title: String,
    done: bool,
    tags: Vec<String>,
    #[sync(merge = "set")]
    labels: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
    #[sync(merge = "max")]
    best: u64,
    #[sync(merge = "first")]
    author: Option<String>,
    #[sync(local, default)]
    scroll: u32,
}

#[derive(Syncable, Debug, Clone)]
#[sync(tombstone = "last_writer_wins")]
struct Row {
    #[sync(id)]
    id: Id<Row, String>,
    cell: i64,
}

/// It stands still.
#[derive(Clone)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> u64 {
        1_800_000_000_000
    }
}

/// Counts, so that every run draws the same.
struct Counting(AtomicU64);

impl Random for Counting {
    fn bits(&self) -> u128 {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        xxh3_128(&n.to_le_bytes())
    }
}

/// A file in memory.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl io::Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All that is in a store, its journal and its map.
fn dump(store: &dyn Store) -> Vec<u8> {
    let journal = store.journal(0, usize::MAX).unwrap();
    let map = store.range(&[], &[], usize::MAX).unwrap();
    let journal = journal.into_iter().flat_map(|(position, row)| [position.to_le_bytes().to_vec(), row]);
    journal.chain(map.into_iter().flat_map(|(key, row)| [key, row])).flatten().collect()
}

/// Two devices and a hub on which every kind of row comes about, and what each wrote.
struct Stage {
    stores: [Arc<MemoryStore>; 3],
    hub: Hub,
    one: Replica,
    two: Replica,
}

impl Stage {
    fn new() -> Self {
        let stores = [(); 3].map(|()| Arc::new(MemoryStore::new()));
        let open = |at: usize, name: &str| {
            let builder =
                Replica::builder().register::<Thing>().register::<Row>().device(name).clock(Noon).pending_in_memory(1);
            let builder = builder.random(Counting(AtomicU64::new(at as u64 * 1_000))).threadless();
            builder.open(stores[at].clone()).unwrap()
        };
        let (one, two) = (open(0, "one"), open(1, "two"));
        let hub = Hub::builder().name("hub").clock(Arc::new(Noon)).random(Arc::new(Counting(9_000.into())));
        let hub = hub.open(stores[2].clone()).unwrap();
        let stage = Self { stores, hub, one, two };
        stage.write();
        stage
    }

    fn sync(&self) {
        for replica in [&self.one, &self.two, &self.one] {
            pollster::block_on(replica.sync(&self.hub.transport("ada"))).unwrap();
        }
    }

    fn write(&self) {
        let Self { one, two, .. } = self;
        let id = Id::new(Uuid::from_u128(0x0123_4567_89ab_7def_8123_4567_89ab_cdef));
        let thing = Thing {
            id,
            title: "Größe \"1\"\n".into(),
            done: false,
            tags: vec!["a".into(), "b,c".into()],
            labels: BTreeSet::from(["x".into(), "1".into()]),
            views: -3,
            best: 7,
            author: None,
            scroll: 5,
        };
        one.create(thing).unwrap().wait().unwrap();
        let rows = |tx: &mut sync_core::replica::Transaction<'_>| {
            for n in 0..3 {
                tx.create(Row { id: Id::new(format!("row {n}")), cell: n << 40 })?;
            }
            Ok(())
        };
        one.transaction(rows).unwrap().wait().unwrap();
        self.sync();
        one.checkpoint().unwrap();
        self.hub.checkpoint().unwrap();
        // Both at once: a conflict, a removal, an update against a delete of either policy.
        let edit = |replica: &Replica, title: &str| {
            let change = |thing: &mut Thing| {
                thing.title = title.into();
                thing.views += 2;
                thing.best += title.len() as u64;
                thing.author.get_or_insert_with(|| title.to_owned());
                thing.labels.remove("1");
                thing.labels.remove("x");
                thing.labels.insert(title.into());
                thing.scroll += 1;
            };
            replica.edit(&id, change).unwrap().wait().unwrap();
        };
        edit(one, "one");
        edit(two, "the other");
        let row = |n: u64| Id::<Row, String>::new(format!("row {n}"));
        one.delete(&row(1)).unwrap().wait().unwrap();
        two.edit(&row(1), |row| row.cell += 1).unwrap().wait().unwrap();
        two.delete(&row(2)).unwrap().wait().unwrap();
        self.sync();
        two.restore(&row(2)).unwrap().wait().unwrap();
        self.sync();
        two.delete(&id).unwrap().wait().unwrap();
        two.checkpoint().unwrap();
        self.hub.checkpoint().unwrap();
        // Pending, in the map and behind it, and so many in it that some leave memory.
        for cell in 10..15 {
            one.edit(&row(0), |row| row.cell = cell).unwrap().wait().unwrap();
            one.checkpoint().unwrap();
        }
        assert!(self.stores[0].range(b"q", b"r", 1).unwrap().len() == 1, "there is an index");
        one.edit(&row(0), |row| row.cell = 2).unwrap().wait().unwrap();
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:032x} of {} bytes", xxh3_128(bytes), bytes.len())
}

#[test]
fn what_is_written_stays_as_it_is() {
    let stage = Stage::new();
    let [one, two, hub] = stage.stores.each_ref().map(|store| dump(&**store));
    let page =
        stage.hub.pull(&PullRequest { since: Cursor::default(), limit: 1_000, ..PullRequest::default() }).unwrap();
    let entries = || page.entries.iter().map(|(_, entry)| &**entry);
    let json: String = page.entries.iter().map(|(seq, entry)| entry.to_json(Some(*seq)) + "\n").collect();
    let mut hashes = String::new();
    entries().for_each(|entry| write!(hashes, "{:032x} ", entry.hash().0).unwrap());
    let file = File::default();
    pollster::block_on(stage.one.export_snapshot(file.clone())).unwrap();
    let snapshot = file.0.lock().unwrap().clone();
    let found = [
        ("the first device's store", digest(&one)),
        ("the second device's store", digest(&two)),
        ("the hub's store", digest(&hub)),
        ("a batch", digest(&encode_batch(entries()))),
        ("entries in JSON", digest(json.as_bytes())),
        ("their hashes", digest(hashes.as_bytes())),
        ("a snapshot as a file", digest(&snapshot)),
    ];
    let found: String = found.iter().map(|(what, digest)| format!("{what}: {digest}\n")).collect();
    assert_eq!(found, WRITTEN, "see what this test is for, above");
}
