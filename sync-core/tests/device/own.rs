//! A field under a policy of the user's, beside programs that call it otherwise, do not know it, or merge it otherwise:
//! nothing that was acknowledged is lost on the way, and what each shows follows from what it knows.

use std::sync::Arc;

use sync_core::{Entity, Hub, Id, MemoryStore, Replica, Syncable};

use super::support::{APPEND, Set, run};

/// The first version of the program.
#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "diary")]
struct First {
    #[sync(id)]
    id: Id<First, String>,
    title: String,
    #[sync(merge = APPEND, default)]
    lines: Vec<String>,
}

/// One in which the lines have another name.
#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "diary")]
struct Renamed {
    #[sync(id)]
    id: Id<Renamed, String>,
    title: String,
    #[sync(merge = APPEND, default, rename = "rows", alias = "lines")]
    rows: Vec<String>,
}

/// One that does not know them.
#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "diary")]
struct Without {
    #[sync(id)]
    id: Id<Without, String>,
    title: String,
}

/// One that takes them for a value.
#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "diary")]
struct Assigned {
    #[sync(id)]
    id: Id<Assigned, String>,
    title: String,
    #[sync(default)]
    lines: Vec<String>,
}

struct World {
    hub: Hub,
    clock: Set,
}

impl World {
    fn new() -> Self {
        let clock = Set::new();
        let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(MemoryStore::new()).unwrap();
        Self { hub, clock }
    }

    fn device<T: Entity>(&self) -> Replica {
        Replica::builder().register::<T>().clock(self.clock.clone()).threadless().open(MemoryStore::new()).unwrap()
    }

    fn sync(&self, devices: &[&Replica]) {
        for device in devices {
            run(device.sync(&self.hub.transport("tester"))).unwrap();
            assert!(device.rejected().is_empty());
        }
    }
}

fn lines(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn shown<T: Entity<Key = String>>(device: &Replica) -> Option<T> {
    device.get::<T>(&"d".into()).unwrap()
}

fn edit<T: Entity<Key = String> + Clone>(device: &Replica, f: impl FnOnce(&mut T)) {
    device.edit(&"d".into(), f).unwrap().wait().unwrap();
}

fn begin(world: &World) -> Replica {
    let device = world.device::<First>();
    let diary = First { id: "d".into(), title: "diary".into(), lines: lines(&["one"]) };
    device.create(diary).unwrap().wait().unwrap();
    world.sync(&[&device]);
    device
}

#[test]
fn renamed_it_has_what_both_versions_added() {
    let world = World::new();
    let old = begin(&world);
    let (new, other) = (world.device::<Renamed>(), world.device::<Renamed>());
    world.sync(&[&new, &other]);
    assert_eq!(shown::<Renamed>(&new).unwrap().rows, ["one"]);
    edit::<Renamed>(&new, |diary| diary.rows.push("new's".into()));
    edit::<Renamed>(&other, |diary| diary.rows.push("other's".into()));
    edit::<First>(&old, |diary| diary.lines.push("old's".into()));
    world.sync(&[&new, &other, &old, &new, &other]);
    edit::<First>(&old, |diary| diary.lines.push("old's again".into()));
    world.sync(&[&old, &new, &other]);
    let rows = shown::<Renamed>(&new).unwrap().rows;
    assert_eq!(rows, shown::<Renamed>(&other).unwrap().rows);
    let mut sorted = rows.clone();
    sorted.sort();
    assert_eq!(sorted, ["new's", "old's", "old's again", "one", "other's"], "{rows:?}");
    // Nothing of it was replaced for the old version either.
    assert_eq!(shown::<First>(&old).unwrap().lines, ["one", "old's", "old's again"]);
    // One that comes later, by the state alone, shows the same.
    let late = world.device::<Renamed>();
    world.sync(&[&late]);
    assert_eq!(shown::<Renamed>(&late).unwrap().rows, rows);
    late.compact().unwrap();
    edit::<Renamed>(&late, |diary| diary.rows.push("late".into()));
    world.sync(&[&late, &new]);
    assert_eq!(shown::<Renamed>(&new).unwrap().rows.len(), rows.len() + 1);
}

#[test]
fn who_does_not_know_it_carries_it_through_everything() {
    let world = World::new();
    let old = begin(&world);
    let without = world.device::<Without>();
    world.sync(&[&without]);
    edit::<First>(&old, |diary| diary.lines.push("two".into()));
    let mut diary = shown::<Without>(&without).unwrap();
    diary.title = "put".into();
    without.put(diary).unwrap().wait().unwrap();
    world.sync(&[&without, &old]);
    assert_eq!(shown::<First>(&old).unwrap().lines, ["one", "two"]);
    world.sync(&[&without]);
    // Deleted and taken back by the one that cannot read it, compacted, and given to one that can.
    without.delete::<Without>(&"d".into()).unwrap().wait().unwrap();
    without.restore::<Without>(&"d".into()).unwrap().wait().unwrap();
    without.compact().unwrap();
    world.sync(&[&without, &old]);
    let fresh = world.device::<First>();
    world.sync(&[&fresh]);
    for device in [&old, &fresh] {
        let diary = shown::<First>(device).unwrap();
        assert_eq!((&*diary.title, diary.lines), ("put", lines(&["one", "two"])));
    }
}

/// The hub lost everything, and has it back from the one that cannot read it.
#[test]
fn who_does_not_know_it_gives_it_back() {
    let world = World::new();
    let old = begin(&world);
    edit::<First>(&old, |diary| diary.lines.push("two".into()));
    let without = world.device::<Without>();
    world.sync(&[&old, &without]);
    without.compact().unwrap();
    let emptied = World { hub: World::new().hub, clock: world.clock.clone() };
    emptied.sync(&[&without]);
    let fresh = emptied.device::<First>();
    emptied.sync(&[&fresh]);
    assert_eq!(shown::<First>(&fresh).unwrap().lines, ["one", "two"]);
    emptied.sync(&[&old, &fresh]);
    assert_eq!(shown::<First>(&fresh).unwrap().lines, ["one", "two"], "not twice");
}

/// Versions that disagree on how it merges: each goes on with its own, and neither takes away from the other.
#[test]
fn under_another_policy_neither_takes_from_the_other() {
    let world = World::new();
    let old = begin(&world);
    let new = world.device::<Assigned>();
    world.sync(&[&new]);
    edit::<Assigned>(&new, |diary| diary.lines = lines(&["assigned"]));
    edit::<First>(&old, |diary| diary.lines.push("two".into()));
    world.sync(&[&new, &old, &new]);
    edit::<First>(&old, |diary| diary.lines.push("three".into()));
    world.sync(&[&old, &new]);
    let (late_old, late_new) = (world.device::<First>(), world.device::<Assigned>());
    world.sync(&[&late_old, &late_new]);
    for device in [&old, &late_old] {
        assert_eq!(shown::<First>(device).unwrap().lines, ["one", "two", "three"]);
    }
    for device in [&new, &late_new] {
        assert_eq!(shown::<Assigned>(device).unwrap().lines, ["assigned"]);
        assert!(device.conflicts::<Assigned>().unwrap().is_empty());
    }
}

/// What a policy refuses is an error that says why, and nothing of the write is kept.
#[test]
fn a_change_that_cannot_be_made_changes_nothing() {
    let world = World::new();
    let old = begin(&world);
    let error = old.edit(&"d".into(), |diary: &mut First| (diary.title, diary.lines) = ("new".into(), Vec::new()));
    let error = error.unwrap_err();
    assert!(error.to_string().contains("lines"), "{error}");
    let diary = shown::<First>(&old).unwrap();
    assert_eq!((&*diary.title, diary.lines), ("diary", lines(&["one"])));
    assert_eq!(old.status().pending, 0);
}
