//! What was refused, or kept of a state that was given up, is written anew: all of it, once, over what others wrote.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sync_core::hub::InProcess;
use sync_core::replica::Report;
use sync_core::transport::{BoxFuture, Cursor, PullRequest, PushReply, PushRequest};
use sync_core::{Fields, Hub, Id, MemoryStore, Replica, Store, Syncable, Transport, TransportError, Value};

use super::support::{APPEND, Set, hands_on, run};

#[derive(Syncable, Debug, PartialEq, Clone)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    body: String,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
    #[sync(merge = APPEND)]
    lines: Vec<String>,
    #[sync(merge = "first", default)]
    serial: Option<String>,
}

/// An entity of nothing but its id.
#[derive(Syncable, Debug, PartialEq, Clone)]
struct Star {
    #[sync(id)]
    id: Id<Star, String>,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
}

fn note(id: &str, title: &str) -> Note {
    let (tags, lines) = (["x".to_owned()].into(), vec!["one".into()]);
    Note { id: id.into(), title: title.into(), body: "a long body".into(), tags, views: 0, lines, serial: None }
}

struct World {
    hub: Hub,
    store: Arc<MemoryStore>,
    clock: Set,
}

fn hub_on(store: &Arc<MemoryStore>, clock: &Set) -> Hub {
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone()));
    let hub = hub.validate_entity(|_, _: Option<&Note>, note: Option<&Note>| match note {
        Some(note) if note.title == "bad" => Err("not this one".into()),
        _ => Ok(()),
    });
    hub.open(store.clone()).unwrap()
}

impl World {
    fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::new()), Set::new());
        Self { hub: hub_on(&store, &clock), store, clock }
    }

    /// The world, and two devices that have a note.
    fn with_note() -> (Self, Replica, Replica) {
        let world = Self::new();
        let (a, b) = (world.device(), world.device());
        a.create(note("n", "first")).unwrap().wait().unwrap();
        world.sync(&a);
        world.sync(&b);
        (world, a, b)
    }

    fn device(&self) -> Replica {
        let builder = Replica::builder().register::<Note>().register::<Star>();
        builder.clock(self.clock.clone()).threadless().open(MemoryStore::new()).unwrap()
    }

    fn sync(&self, device: &Replica) -> Report {
        run(device.sync(&self.hub.transport("tester"))).unwrap()
    }

    /// The note is deleted by one device, which another may hear of, and purged.
    fn purge(&self, a: &Replica, b: Option<&Replica>) {
        a.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
        self.sync(a);
        b.map(|b| self.sync(b));
        let now = self.clock.0.fetch_add(1_000, Ordering::Relaxed);
        assert_eq!(self.hub.purge(now + 500).unwrap(), 1);
    }

    /// The hub goes on from an older state, and does not take back what it lost.
    fn put_back(&mut self, store: MemoryStore) {
        self.store = Arc::new(store);
        self.hub = hub_on(&self.store, &self.clock);
    }

    fn adopt(&self, device: &Replica) {
        run(device.adopt_hub(&self.hub.transport("tester"))).unwrap();
    }
}

fn get(device: &Replica) -> Option<Note> {
    device.get::<Note>(&"n".into()).unwrap()
}

fn edit(device: &Replica, f: impl FnOnce(&mut Note)) {
    device.edit(&"n".into(), f).unwrap().wait().unwrap();
}

/// All that was set aside is written anew, in its order, mended.
fn write_all_anew(device: &Replica) -> usize {
    let asides = device.rejected();
    for aside in &asides {
        let mend = |fields: &mut Fields| {
            if fields.get("title") == Some(&Value::from("bad")) {
                fields.insert("title", Value::from("good"));
            }
        };
        device.resubmit(aside.number, mend).unwrap().wait().unwrap();
    }
    asides.len()
}

#[test]
fn what_was_written_to_a_purged_entity_makes_all_of_it_again_each_write_once() {
    for is_away_for_long in [false, true] {
        let (world, a, b) = World::with_note();
        world.purge(&a, None);
        if is_away_for_long {
            world.hub.compact(0).unwrap();
        }
        for n in [1, 10] {
            edit(&b, |note| {
                note.title = format!("written offline, {n}");
                note.views += n;
                note.lines.push(n.to_string());
            });
        }
        assert_eq!(world.sync(&b).rejected, 2, "away for long: {is_away_for_long}");
        assert_eq!(b.resubmit(b.rejected()[1].number, |_| ()).unwrap_err().code(), "not_found", "a part is no note");
        assert_eq!(write_all_anew(&b), 2);
        world.sync(&b);
        world.sync(&a);
        let again = get(&a).unwrap();
        assert_eq!((&*again.title, again.views), ("written offline, 10", 11));
        assert_eq!((&*again.body, again.lines.len(), again.tags.len()), ("a long body", 3, 1));
        assert_eq!(Some(again), get(&b));
    }
}

#[test]
fn the_first_write_alone_is_a_whole_entity() {
    let (world, a, b) = World::with_note();
    world.purge(&a, None);
    edit(&b, |note| note.title = "one".into());
    edit(&b, |note| note.title = "two".into());
    world.sync(&b);
    b.resubmit(b.rejected()[0].number, |_| ()).unwrap().wait().unwrap();
    world.sync(&b);
    world.sync(&a);
    let again = get(&a).unwrap();
    assert_eq!((&*again.title, &*again.body), ("one", "a long body"));
}

#[test]
fn what_is_put_over_a_purged_tombstone_is_kept_with_its_transaction() {
    let (world, a, b) = World::with_note();
    world.purge(&a, Some(&b));
    b.put(note("n", "put")).unwrap().wait().unwrap();
    world.sync(&b);
    assert!(write_all_anew(&b) > 1);
    assert_eq!(get(&b).map(|note| (note.title, note.body)), Some(("put".into(), "a long body".into())));
}

/// Loses pushes.
struct Cut {
    hub: InProcess,
}

impl Transport for Cut {
    hands_on!(hello, pull, snapshot, join, live);
    fn push<'a>(&'a self, _: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async { Err(TransportError::Offline { message: "cut".into() }) })
    }
}

#[test]
fn a_purge_waits_for_what_was_offered_to_be_decided() {
    let (world, a, b) = World::with_note();
    world.purge(&a, Some(&b));
    b.restore::<Note>(&"n".into()).unwrap().wait().unwrap();
    run(b.sync(&Cut { hub: world.hub.transport("tester") })).unwrap_err();
    assert_eq!(get(&b).map(|note| note.body), Some("a long body".into()), "it shows as long as nothing is decided");
    assert_eq!(world.sync(&b).rejected, 1);
    assert_eq!(write_all_anew(&b), 1);
    assert_eq!(get(&b).map(|note| note.body), Some("a long body".into()));
}

#[test]
fn what_is_written_anew_leaves_what_others_wrote_beside_it() {
    let (world, a, b) = World::with_note();
    edit(&b, |note| {
        note.lines.push("two".into());
        note.serial = Some("of b".into());
    });
    world.sync(&b);
    edit(&a, |note| {
        note.title = "bad".into();
        note.lines.push("three".into());
        note.serial = Some("of a".into());
    });
    assert_eq!(world.sync(&a).rejected, 1);
    assert_eq!(write_all_anew(&a), 1);
    world.sync(&a);
    world.sync(&b);
    let both = get(&b).unwrap();
    assert_eq!((&*both.title, both.lines), ("good", vec!["one".to_owned(), "two".into(), "three".into()]));
    assert_eq!(both.serial.as_deref(), Some("of b"), "what is written once stays");
}

#[test]
fn what_a_hub_lost_is_listed_as_it_was_and_no_more_than_that() {
    let (mut world, a, b) = World::with_note();
    let backup = world.store.copy();
    a.create(Star { id: "s".into(), tags: BTreeSet::new() }).unwrap().wait().unwrap();
    edit(&a, |note| {
        note.views += 2;
        note.tags.clear();
        note.lines.push("two".into());
    });
    edit(&a, |note| note.lines.push("three".into()));
    world.sync(&a);
    world.put_back(backup);
    edit(&b, |note| note.views += 10);
    world.sync(&b);
    world.adopt(&a);
    write_all_anew(&a);
    let mut again = get(&a).unwrap();
    again.lines.sort();
    assert_eq!((again.views, again.tags.len()), (12, 0), "an addition of its own, and a removal");
    assert_eq!(again.lines, ["one", "three", "two"]);
    assert!(a.get::<Star>(&"s".into()).unwrap().is_some(), "an id alone is something");
}

#[test]
fn a_create_that_is_written_anew_does_not_empty_what_is_written_once() {
    let mut world = World::new();
    let (a, b, backup) = (world.device(), world.device(), world.store.copy());
    a.create(note("n", "of a")).unwrap().wait().unwrap();
    world.sync(&a);
    world.put_back(backup);
    b.create(Note { serial: Some("of b".into()), ..note("n", "of b") }).unwrap().wait().unwrap();
    world.sync(&b);
    world.adopt(&a);
    write_all_anew(&a);
    assert_eq!(get(&a).unwrap().serial.as_deref(), Some("of b"));
}

#[derive(Syncable, Debug, Clone)]
#[sync(entity = "memo")]
struct Before {
    #[sync(id)]
    id: Id<Before, String>,
    title: String,
}

#[derive(Syncable, Debug, Clone)]
#[sync(entity = "memo")]
struct Since {
    #[sync(id)]
    id: Id<Since, String>,
    #[sync(alias = "title")]
    heading: String,
}

#[test]
fn a_field_that_was_renamed_since_is_written_anew_under_its_new_name() {
    let clock = Set::new();
    let hub = Hub::builder().validate_entity(|_, _: Option<&Before>, memo: Option<&Before>| match memo {
        Some(memo) if memo.title == "bad" => Err("not this one".into()),
        _ => Ok(()),
    });
    let hub = hub.clock(Arc::new(clock.clone())).open(MemoryStore::new()).unwrap();
    let store = Arc::new(MemoryStore::new());
    let builder = || Replica::builder().clock(clock.clone()).threadless();
    let before = builder().register::<Before>().open(store.clone()).unwrap();
    before.create(Before { id: "m".into(), title: "first".into() }).unwrap().wait().unwrap();
    before.edit(&"m".into(), |memo: &mut Before| memo.title = "bad".into()).unwrap().wait().unwrap();
    run(before.sync(&hub.transport("tester"))).unwrap();
    drop(before);
    let since = builder().register::<Since>().open(store).unwrap();
    since.edit(&"m".into(), |memo: &mut Since| memo.heading = "second".into()).unwrap().wait().unwrap();
    let number = since.rejected()[0].number;
    since.resubmit(number, |fields| fields.insert("heading", Value::from("third"))).unwrap().wait().unwrap();
    assert_eq!(since.get::<Since>(&"m".into()).unwrap().unwrap().heading, "third");
    assert_eq!(since.conflicts::<Since>().unwrap().len(), 0);
}

#[test]
fn what_was_written_under_both_names_of_a_field_replaces_what_shows_once() {
    let clock = Set::new();
    let hub = Hub::builder().clock(Arc::new(clock.clone())).open(MemoryStore::new()).unwrap();
    let builder = || Replica::builder().clock(clock.clone()).threadless();
    let sync = |replica: &Replica| run(replica.sync(&hub.transport("tester"))).unwrap();
    let other = builder().register::<Since>().open(MemoryStore::new()).unwrap();
    other.create(Since { id: "m".into(), heading: "one".into() }).unwrap().wait().unwrap();
    sync(&other);
    let store = Arc::new(MemoryStore::new());
    let before = builder().register::<Before>().open(store.clone()).unwrap();
    sync(&before);
    before.put(Before { id: "m".into(), title: "two".into() }).unwrap().wait().unwrap();
    other.delete::<Since>(&"m".into()).unwrap().wait().unwrap();
    sync(&other);
    assert_eq!(hub.purge(u64::MAX).unwrap(), 1);
    sync(&before);
    before.create(Before { id: "m".into(), title: "three".into() }).unwrap().wait().unwrap();
    drop(before);
    let since = builder().register::<Since>().open(store).unwrap();
    since.resubmit(since.rejected()[0].number, |_| ()).unwrap().wait().unwrap();
    assert_eq!(sync(&since).uploaded, 2);
    let request = PullRequest { since: Cursor::default(), limit: 100, have: None, told: Cursor::default() };
    let page = run(hub.transport("tester").pull(&request)).unwrap();
    let (_, last) = page.entries.iter().last().unwrap();
    assert_eq!(last.fields.len(), 2, "{last:?}");
    assert!(page.entries.iter().all(|(_, entry)| entry.is_canonical()), "{last:?}");
}

#[derive(Syncable, Debug)]
#[sync(entity = "list")]
struct Labelled {
    #[sync(id)]
    id: Id<Labelled, String>,
    #[sync(merge = "set")]
    labels: BTreeSet<String>,
}

#[derive(Syncable, Debug)]
#[sync(entity = "list")]
struct Tagged {
    #[sync(id)]
    id: Id<Tagged, String>,
    #[sync(merge = "set", alias = "labels")]
    tags: BTreeSet<String>,
}

#[test]
fn what_was_removed_of_a_field_that_was_renamed_since_is_removed_anew_under_each_of_its_names() {
    let words = |words: &[&str]| -> BTreeSet<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    for by_the_older in [false, true] {
        let clock = Set::new();
        let hub = Hub::builder().validate_entity(|_, _: Option<&Tagged>, list: Option<&Tagged>| match list {
            Some(list) if !list.tags.contains("keep") => Err("keep is kept".into()),
            _ => Ok(()),
        });
        let hub = hub.clock(Arc::new(clock.clone())).open(MemoryStore::new()).unwrap();
        let store = Arc::new(MemoryStore::new());
        let builder = || Replica::builder().clock(clock.clone()).threadless();
        let sync = |replica: &Replica| run(replica.sync(&hub.transport("tester"))).unwrap();
        let before = builder().register::<Labelled>().open(store.clone()).unwrap();
        before.create(Labelled { id: "l".into(), labels: words(&["keep", "a"]) }).unwrap().wait().unwrap();
        sync(&before);
        if by_the_older {
            let edit = |list: &mut Labelled| list.labels = words(&["b"]);
            before.edit(&"l".into(), edit).unwrap().wait().unwrap();
            sync(&before);
        }
        drop(before);
        let since = builder().register::<Tagged>().open(store).unwrap();
        let edit = |tags: BTreeSet<String>| {
            since.edit(&"l".into(), |list: &mut Tagged| list.tags = tags).unwrap().wait().unwrap();
        };
        let shown = || since.get::<Tagged>(&"l".into()).unwrap().unwrap().tags;
        edit(words(&["keep", "a", "c"]));
        sync(&since);
        if !by_the_older {
            edit(words(&["b"]));
            sync(&since);
        }
        assert_eq!((shown(), since.rejected().len()), (words(&["keep", "a", "c"]), 1));
        since.resubmit(since.rejected()[0].number, |_| ()).unwrap().wait().unwrap();
        let left = if by_the_older { words(&["b", "c"]) } else { words(&["b"]) };
        assert_eq!(shown(), left, "by the older: {by_the_older}");
    }
}

/// A store whose next checkpoint fails that covers more than the one before.
struct Full {
    store: MemoryStore,
    is_full: AtomicBool,
}

impl Store for Full {
    fn heads(&self) -> Result<sync_core::Heads, sync_core::StoreError> {
        self.store.heads()
    }
    fn append(&self, expected: u64, commits: &[&[u8]]) -> Result<u64, sync_core::StoreError> {
        self.store.append(expected, commits)
    }
    fn journal(&self, from: u64, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, sync_core::StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &sync_core::Checkpoint) -> Result<(), sync_core::StoreError> {
        let is_new = checkpoint.covers > self.store.heads()?.covers;
        if is_new && self.is_full.swap(false, Ordering::Relaxed) {
            return Err(sync_core::StoreError::io("the store", "it is full for a moment"));
        }
        self.store.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, sync_core::StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<sync_core::KeyValue>, sync_core::StoreError> {
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), sync_core::StoreError> {
        self.store.reclaim()
    }
}

#[test]
fn who_watches_hears_of_a_snapshot_also_where_the_checkpoint_behind_it_fails() {
    let (world, _, _) = World::with_note();
    world.hub.compact(0).unwrap();
    let store = Full { store: MemoryStore::new(), is_full: AtomicBool::new(true) };
    let device = Replica::builder().register::<Note>().clock(world.clock.clone()).threadless().open(store).unwrap();
    let watch = device.watch::<Note>();
    run(device.sync(&world.hub.transport("tester"))).unwrap_err();
    assert!(get(&device).is_some());
    assert!(watch.try_next().is_some(), "what shows was told of");
}
