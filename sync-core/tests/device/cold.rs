//! What was written offline waits on the disk, not in memory, and is there like anything else.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use sync_core::{Hub, MemoryStore, Replica, Store};

use super::midway::Midway;
use super::support::{Note, Set, builder, hub_on, note, notes, run, title};

struct Stage {
    clock: Set,
    hub: Hub,
    store: Arc<MemoryStore>,
}

impl Stage {
    fn new() -> Self {
        let clock = Set::new();
        Self { hub: hub_on(MemoryStore::new(), &clock), clock, store: Arc::new(MemoryStore::new()) }
    }

    /// Few pending entries are kept in memory, and few commits come between two checkpoints.
    fn open(&self) -> Replica {
        builder(&self.clock).checkpoint_after(5).pending_in_memory(8).open(self.store.clone()).unwrap()
    }

    fn sync(&self, replica: &Replica) -> sync_core::replica::Report {
        run(replica.sync(&self.hub.transport("tester"))).unwrap()
    }

    /// Of what was pending nothing stays in the map.
    fn check_nothing_is_left(&self, replica: &Replica) {
        replica.checkpoint().unwrap();
        let left = self.store.range(b"p", b"r", usize::MAX).unwrap();
        assert!(
            left.is_empty(),
            "{:?}",
            left.iter().map(|(place, _)| place.escape_ascii().to_string()).collect::<Vec<_>>()
        );
    }

    /// Thirty notes, edited ten times each in turns, a few of them in transactions; nothing is sent.
    fn write(&self) -> Replica {
        let mut replica = self.open();
        for n in 0..30 {
            replica.create(note(&id(n), "first")).unwrap().wait().unwrap();
        }
        for round in 0..10 {
            for n in (0..30).step_by(3) {
                replica.edit::<Note, _>(&key(n), |note| edit(note, round)).unwrap().wait().unwrap();
                let both = |tx: &mut sync_core::replica::Transaction<'_>| {
                    tx.edit::<Note, _>(&key(n + 1), |note| edit(note, round))?;
                    tx.edit::<Note, _>(&key(n + 2), |note| edit(note, round))
                };
                replica.transaction(both).unwrap().wait().unwrap();
            }
            if round % 4 == 2 {
                drop(replica);
                replica = self.open();
            }
        }
        replica
    }
}

fn id(n: usize) -> String {
    // An id may be the beginning of another one, and have any character.
    ["a", "a\0", "a\0b", "ab", "\u{1}", "z"][n % 6].to_owned() + &"x".repeat(n / 6)
}

fn key(n: usize) -> sync_core::Id<Note, String> {
    id(n).as_str().into()
}

fn edit(note: &mut Note, round: i64) {
    note.title = format!("title {round}");
    note.views += 1;
}

fn check(replica: &Replica) {
    let all = notes(replica);
    assert_eq!(all.len(), 30);
    let mut ids: Vec<&str> = all.iter().map(|note| &**note.id.key()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 30);
    assert!(ids.is_sorted());
    for note in &all {
        assert_eq!((&*note.title, note.views), ("title 9", 10), "{:?}", note.id);
    }
    for n in 0..30 {
        assert_eq!(title(replica, &id(n)).as_deref(), Some("title 9"), "{n}");
    }
}

#[test]
fn what_waits_on_the_disk_shows_and_is_sent() {
    for reopen in [false, true] {
        let stage = Stage::new();
        let mut replica = stage.write();
        if reopen {
            drop(replica);
            replica = stage.open();
        }
        check(&replica);
        assert_eq!(replica.status().pending, 330);
        assert_eq!(replica.unsynced().unwrap().len(), 330);
        for n in 0..30 {
            let key = sync_core::EntityKey::new("note", id(n));
            assert_eq!(replica.raw().status_of(&key).unwrap().pending, 11, "{n}");
        }
        assert!(replica.verify().unwrap().is_sound());
        let report = stage.sync(&replica);
        assert_eq!((report.uploaded, report.pending, report.rejected), (330, 0, 0));
        check(&replica);
        let other = builder(&stage.clock).open(MemoryStore::new()).unwrap();
        stage.sync(&other);
        check(&other);
        assert!(replica.conflicts::<Note>().unwrap().is_empty());
        assert_eq!(replica.vector(), other.vector());
        assert!(replica.verify().unwrap().is_sound());
        stage.check_nothing_is_left(&replica);
    }
}

#[test]
fn writes_go_on_over_what_waits_on_the_disk() {
    let stage = Stage::new();
    let replica = stage.write();
    for n in 0..30 {
        replica.edit::<Note, _>(&key(n), |note| note.views += 100).unwrap().wait().unwrap();
    }
    replica.delete::<Note>(&key(0)).unwrap().wait().unwrap();
    assert_eq!(notes(&replica).len(), 29);
    stage.sync(&replica);
    let other = builder(&stage.clock).open(MemoryStore::new()).unwrap();
    stage.sync(&other);
    assert_eq!(notes(&replica), notes(&other));
    assert!(notes(&other).iter().all(|note| note.views == 110 && note.title == "title 9"));
}

#[test]
fn a_clock_that_was_off_and_a_copied_file_find_all_of_it() {
    let stage = Stage::new();
    let ahead = Set::new();
    ahead.0.fetch_add(86_400_000_000, std::sync::atomic::Ordering::Relaxed);
    let stage = Stage { clock: ahead, ..stage };
    let replica = stage.write();
    drop(replica);
    let copy = Arc::new(stage.store.copy());
    let replica = stage.open();
    let report = stage.sync(&replica);
    assert!(report.clock_corrected.is_some());
    assert_eq!((report.uploaded, report.rejected), (330, 0));
    check(&replica);
    // The copy has the same entries pending: they count once.
    let copied = builder(&stage.clock).checkpoint_after(5).pending_in_memory(8).open(copy).unwrap();
    copied.edit::<Note, _>(&key(3), |note| note.views += 1_000).unwrap().wait().unwrap();
    for _ in 0..100 {
        // What the hub has already it says one by one.
        if stage.sync(&copied).pending == 0 {
            break;
        }
    }
    stage.sync(&replica);
    stage.check_nothing_is_left(&replica);
    assert_eq!(notes(&copied), notes(&replica));
    assert_eq!(replica.get::<Note>(&key(3)).unwrap().unwrap().views, 1_010);
}

#[test]
fn one_that_is_refused_among_many_takes_its_place() {
    let clock = Set::new();
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone()));
    let hub = hub.validate_entity(|_, _: Option<&Note>, note: Option<&Note>| match note {
        Some(note) if note.title == "title 4" => Err("not this one".into()),
        _ => Ok(()),
    });
    let stage = Stage { hub: hub.open(MemoryStore::new()).unwrap(), ..Stage { clock, ..Stage::new() } };
    let replica = stage.write();
    let report = stage.sync(&replica);
    assert_eq!((report.uploaded, report.pending, report.rejected), (300, 0, 30));
    let other = builder(&stage.clock).open(MemoryStore::new()).unwrap();
    stage.sync(&other);
    for device in [&replica, &other] {
        assert!(notes(device).iter().all(|note| (&*note.title, note.views) == ("title 9", 9)));
        assert!(device.conflicts::<Note>().unwrap().is_empty());
    }
    stage.check_nothing_is_left(&replica);
}

#[test]
fn what_is_offered_while_a_checkpoint_ends_is_offered_once() {
    let stage = Stage::new();
    let store = Arc::new(Midway::new());
    let replica = builder(&stage.clock).checkpoint_after(1 << 20).pending_in_memory(8).open(store.clone()).unwrap();
    stage.sync(&replica);
    for n in 0..100 {
        replica.create(note(&id(n), "first")).unwrap().wait().unwrap();
    }
    // Somebody writes for a while: a sync waits, and a checkpoint does not.
    let (writes, syncs) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let writer = std::thread::spawn({
        let (replica, begun, may_end) = (replica.clone(), writes.clone(), syncs.clone());
        move || {
            let nothing = replica.transaction(|_| {
                begun.wait();
                may_end.wait();
                Ok(())
            });
            nothing.unwrap().wait().unwrap();
        }
    });
    writes.wait();
    let syncing = Arc::new(std::sync::Mutex::new(None));
    store.meanwhile({
        let (replica, hub, syncing) = (replica.clone(), stage.hub.transport("tester"), syncing.clone());
        move || {
            *syncing.lock().unwrap() = Some(std::thread::spawn(move || run(replica.sync(&hub)).unwrap()));
            // It comes as far as it can.
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    replica.checkpoint().unwrap();
    syncs.wait();
    writer.join().unwrap();
    let report = syncing.lock().unwrap().take().unwrap().join().unwrap();
    assert_eq!((report.uploaded, report.forked, report.rejected), (100, false, 0));
}
