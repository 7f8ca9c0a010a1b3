//! A process may end at any change of its store: bootstrap, upload, checkpoint, compaction, import and wipe.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::replica::Keep;
use sync_core::{Error, Hub, MemoryStore, Replica, Store};

use super::support::{Mortal, Note, Set, builder, export, hub_on, import, note, notes, run, title};

/// How many notes the hub has at first, and how many more the snapshot's file has.
const FIRST: usize = 300;
const MORE: usize = 40;

struct Stage {
    clock: Set,
    /// The hub at first, and later.
    before: MemoryStore,
    after: MemoryStore,
    /// What another device has of it later.
    file: Vec<u8>,
}

impl Stage {
    fn new() -> Self {
        let clock = Set::new();
        let store = Arc::new(MemoryStore::new());
        let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(store.clone()).unwrap();
        let transport = hub.transport("tester");
        let writer = builder(&clock).open(MemoryStore::new()).unwrap();
        let create = |prefix: &str, count: usize| {
            for n in 0..count {
                drop(writer.create(note(&format!("{prefix}{n:03}"), "by the writer")).unwrap());
                // What was pushed at once is cut at once.
                if n % 50 == 0 || n + 1 == count {
                    run(writer.sync(&transport)).unwrap();
                }
            }
        };
        create("first", FIRST);
        // A new device has to take the snapshot.
        hub.compact(1).unwrap();
        let before = store.copy();
        create("more", MORE);
        Self { clock, before, after: store.copy(), file: export(&writer) }
    }

    fn hub(&self, store: &MemoryStore) -> Hub {
        hub_on(store.copy(), &self.clock)
    }

    fn open(&self, store: impl Store + 'static) -> Result<Replica, Error> {
        builder(&self.clock).checkpoint_after(7).keep(Keep::Commits(3)).open(store)
    }

    /// What a device goes through. Every step may be done again. What was acknowledged is noted.
    fn live(&self, store: impl Store + 'static, after: &Hub, safe: &mut BTreeMap<String, String>) -> Result<(), Error> {
        let replica = self.open(store)?;
        let write = |safe: &mut BTreeMap<String, String>, id: String, title: &str| {
            replica.put(note(&id, title))?.wait()?;
            safe.insert(id, title.to_owned());
            Ok::<(), Error>(())
        };
        if title(&replica, "more000").is_none() {
            if title(&replica, "first000").is_none() {
                let report = run(replica.sync(&self.hub(&self.before).transport("tester")))?;
                assert!(report.bootstrapped || report.downloaded < 2, "{report:?}");
            }
            for n in 0..5 {
                write(safe, format!("own{n}"), "pending while the file is read")?;
            }
            replica.checkpoint()?;
            import(&replica, self.file.clone())?;
        }
        for n in 0..20 {
            write(safe, format!("first{n:03}"), "written by the device")?;
        }
        replica.compact()?;
        run(replica.sync(&after.transport("tester")))?;
        write(safe, "own5".into(), "written in the end")?;
        run(replica.sync(&after.transport("tester")))?;
        replica.compact()
    }

    fn check(&self, replica: &Replica, safe: &BTreeMap<String, String>) {
        for (id, kept) in safe {
            assert_eq!(title(replica, id).as_ref(), Some(kept), "{id} was acknowledged");
        }
        let all = notes(replica);
        let of = |prefix: &str| all.iter().filter(|note| note.id.key().starts_with(prefix)).count();
        assert!([0, FIRST].contains(&of("first")), "a snapshot shows when it is complete: {}", of("first"));
        assert!([0, MORE].contains(&of("more")), "a file shows when it was read to its end: {}", of("more"));
    }
}

#[test]
fn whatever_was_under_way_the_file_opens_and_the_work_goes_on() {
    let stage = Stage::new();
    let whole = |hub: &Hub| {
        let store = Arc::new(MemoryStore::new());
        stage.live(store.clone(), hub, &mut BTreeMap::new()).unwrap();
        notes(&stage.open(store).unwrap())
    };
    let expected: Vec<Note> = whole(&stage.hub(&stage.after));
    assert_eq!(expected.len(), FIRST + MORE + 6);
    let mut ends = 0;
    for left in 1.. {
        let mut survived = false;
        for is_done in [false, true] {
            let store = Arc::new(MemoryStore::new());
            let hub = stage.hub(&stage.after);
            let mut safe = BTreeMap::new();
            survived = stage.live(Mortal::new(store.clone(), left, is_done), &hub, &mut safe).is_ok();
            // Another process finds what is there.
            let replica = stage.open(store.clone()).unwrap_or_else(|error| panic!("after {left} changes: {error}"));
            stage.check(&replica, &safe);
            assert!(replica.verify().unwrap().is_sound(), "after {left} changes");
            drop(replica);
            stage.live(store.clone(), &hub, &mut safe).unwrap_or_else(|error| panic!("after {left} changes: {error}"));
            let replica = stage.open(store.clone()).unwrap();
            assert_eq!(notes(&replica), expected, "after {left} changes");
            assert_eq!((replica.status().pending, replica.status().rejected), (0, 0), "after {left} changes");
            assert!(replica.verify().unwrap().is_sound(), "after {left} changes");
            // What the interrupted left behind does not stay: records once, local fields of 26 notes, and a few rows.
            let rows = store.range(&[], &[], 10_000).unwrap().len();
            assert!(rows < expected.len() + 26 + 10, "{rows} rows after {left} changes");
        }
        if survived {
            break;
        }
        ends = left;
    }
    assert!(ends > 40, "{ends} changes of the store were cut off");
}

#[test]
fn a_replica_that_is_wiped_in_the_middle_of_a_snapshot_is_empty() {
    let stage = Stage::new();
    let hub = stage.hub(&stage.before);
    let transport = hub.transport("tester");
    for left in 1.. {
        let store = Arc::new(MemoryStore::new());
        let replica = stage.open(Mortal::new(store.clone(), left, true));
        if let Ok(replica) = replica
            && run(replica.sync(&transport)).is_ok()
        {
            break;
        }
        let replica = stage.open(store).unwrap();
        replica.wipe(true).unwrap();
        assert_eq!(notes(&replica), [], "after {left} changes");
        run(replica.sync(&transport)).unwrap();
        assert_eq!(notes(&replica).len(), FIRST);
    }
}
