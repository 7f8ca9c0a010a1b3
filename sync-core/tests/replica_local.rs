//! One replica on its own: writes, reads, restarts.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_core::model::entry::Action;
use sync_core::replica::{LogState, Rule};
use sync_core::{Change, Error, FieldError, Id, MemoryStore, Op, Replica, Syncable, Value};

#[derive(Syncable, Debug, PartialEq, Clone)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    body: Option<String>,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
    #[sync(merge = "max")]
    best: i64,
    #[sync(merge = "first")]
    author: Option<String>,
    #[sync(local, default)]
    scroll: u32,
}

fn note(id: &str, title: &str) -> Note {
    Note {
        id: id.into(),
        title: title.into(),
        body: None,
        tags: BTreeSet::new(),
        views: 0,
        best: 0,
        author: None,
        scroll: 0,
    }
}

fn open(store: &Arc<MemoryStore>) -> Replica {
    Replica::builder().register::<Note>().open(store.clone()).unwrap()
}

fn fresh() -> (Arc<MemoryStore>, Replica) {
    let store = Arc::new(MemoryStore::new());
    let replica = open(&store);
    (store, replica)
}

fn last_entry(replica: &Replica) -> sync_core::Entry {
    replica.log().unwrap().pop().unwrap().entry
}

#[test]
fn what_is_written_is_there_and_stays_there_over_restarts_and_checkpoints() {
    let (store, replica) = fresh();
    let id = replica.create(note("n", "Shopping")).unwrap().wait().unwrap();
    replica
        .edit(&id, |n| {
            n.title = "Groceries".into();
            n.tags.insert("home".into());
            n.views += 2;
            n.best = 7;
            n.author = Some("Ana".into());
            n.scroll = 40;
        })
        .unwrap()
        .wait()
        .unwrap();
    let expected = replica.get(&id).unwrap().unwrap();
    assert_eq!((expected.views, expected.best, expected.scroll), (2, 7, 40));
    for round in 0..3 {
        let again = open(&Arc::new(store.copy()));
        assert_eq!(again.get(&id).unwrap(), Some(expected.clone()), "round {round}");
        assert_eq!(again.unsynced().unwrap().len(), 2);
        if round == 0 {
            replica.checkpoint().unwrap();
        } else {
            replica.compact().unwrap();
        }
    }
    assert!(replica.verify().unwrap().is_sound());
}

#[test]
fn an_edit_logs_what_differs_and_names_what_it_replaces() {
    let (_, replica) = fresh();
    let id = replica.create(note("n", "a")).unwrap().wait().unwrap();
    replica.edit(&id, |n| n.tags.extend(["x".into(), "y".into()])).unwrap().wait().unwrap();
    let inserted = last_entry(&replica);
    assert!(inserted.replaces.is_empty());
    replica
        .edit(&id, |n| {
            n.tags.remove("x");
            n.title = "b".into();
            n.best = -3; // lower than it was: the maximum contains it already
        })
        .unwrap()
        .wait()
        .unwrap();
    let entry = last_entry(&replica);
    let fields: Vec<&str> = entry.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(fields, ["tags", "title"]);
    let removed = Op::Set { insert: vec![], remove: vec![(Value::from("x"), [inserted.dot().clone()].into())] };
    assert_eq!(entry.fields[0].1, removed);
    assert_eq!(entry.replaced("title").len(), 1, "the create's title");
    assert_eq!(entry.of.len(), 1);
    let unchanged = replica.edit(&id, |n| n.title.len()).unwrap();
    assert_eq!(unchanged.wait().unwrap(), 1);
    assert_eq!(last_entry(&replica), entry, "nothing differed, nothing was logged");
}

#[test]
fn mistakes_are_errors_that_write_nothing() {
    let (_, replica) = fresh();
    let id = replica.create(note("n", "a")).unwrap().wait().unwrap();
    let code = |result: Result<(), Error>| result.unwrap_err().code();
    assert_eq!(code(replica.create(note("n", "b")).map(drop)), "exists");
    assert_eq!(code(replica.edit(&"absent".into(), |_: &mut Note| ()).map(drop)), "not_found");
    assert_eq!(code(replica.delete::<Note>(&"absent".into()).map(drop)), "not_found");
    assert_eq!(code(replica.create(note("", "b")).map(drop)), "invalid");
    assert_eq!(code(replica.create(note(&"i".repeat(1 << 20), "b")).map(drop)), "invalid");
    assert_eq!(code(replica.create(note("big", &"x".repeat(300 << 10))).map(drop)), "too_large");
    assert_eq!(code(replica.edit(&id, |n: &mut Note| n.id = "other".into()).map(drop)), "invalid");
    let inner = replica.clone();
    let nested = replica.edit(&id, |_: &mut Note| inner.delete::<Note>(&"n".into()).map(drop)).unwrap();
    assert_eq!(code(nested.wait().unwrap()), "nested");
    replica.edit(&id, |n| n.author = Some("Ana".into())).unwrap().wait().unwrap();
    assert_eq!(code(replica.edit(&id, |n| n.author = Some("Ben".into())).map(drop)), "invalid");
    replica.delete(&id).unwrap().wait().unwrap();
    assert_eq!(code(replica.edit(&id, |_: &mut Note| ()).map(drop)), "deleted");
    assert_eq!(code(replica.create(note("n", "again")).map(drop)), "exists");
    assert_eq!(replica.log().unwrap().len(), 3, "create, author, delete");

    #[derive(Syncable)]
    struct Other {
        #[sync(id)]
        id: Id<Other>,
    }
    assert_eq!(code(replica.create(Other { id: replica.new_id() }).map(drop)), "unregistered");
}

#[test]
fn deleting_and_restoring_keep_the_fields() {
    let (_, replica) = fresh();
    let id = replica.create(note("n", "a")).unwrap().wait().unwrap();
    replica.delete(&id).unwrap().wait().unwrap();
    assert_eq!(replica.get(&id).unwrap(), None);
    assert_eq!(replica.list::<Note>().unwrap().count(), 0);
    let deleted: Vec<bool> = replica.raw().list(None).map(|e| e.unwrap().deleted).collect();
    assert_eq!(deleted, [true]);
    replica.delete(&id).unwrap().wait().unwrap();
    assert_eq!(replica.log().unwrap().len(), 2, "deleting again settles nothing here");
    replica.restore(&id).unwrap().wait().unwrap();
    assert_eq!(replica.get(&id).unwrap().unwrap().title, "a");
    replica.put(note("n", "put")).unwrap().wait().unwrap();
    assert_eq!(replica.get(&id).unwrap().unwrap().title, "put");
    replica.delete(&id).unwrap().wait().unwrap();
    replica.put(note("n", "back")).unwrap().wait().unwrap();
    assert_eq!(replica.get(&id).unwrap().unwrap().title, "back");
}

#[test]
fn a_set_that_was_emptied_is_not_explained_as_one_that_nobody_wrote() {
    let (_, replica) = fresh();
    let id = replica.create(Note { tags: ["home".to_owned()].into(), ..note("n", "a") }).unwrap().wait().unwrap();
    replica.edit(&id, |note: &mut Note| note.tags.clear()).unwrap().wait().unwrap();
    let why = replica.explain::<Note>(&id, "tags").unwrap();
    assert_eq!((why.rule, why.parts.len(), why.history.len()), (Rule::Elements, 0, 2));
}

#[test]
fn a_transaction_is_a_group_and_an_error_in_it_writes_nothing() {
    let (store, replica) = fresh();
    let failed = replica.transaction(|tx| {
        tx.create(note("a", "1"))?;
        tx.create(note("a", "2"))
    });
    assert_eq!(failed.unwrap_err().code(), "exists");
    assert!(replica.log().unwrap().is_empty());
    let done = replica.transaction(|tx| {
        tx.create(note("a", "1"))?;
        tx.edit(&"a".into(), |n: &mut Note| n.title = "2".into())?;
        assert_eq!(tx.get::<Note>(&"a".into())?.map(|n| n.title), Some("2".into()));
        tx.create(note("b", "3"))
    });
    assert_eq!(done.unwrap().wait().unwrap(), "b".into());
    let groups: Vec<_> = replica.log().unwrap().iter().map(|line| line.entry.group).collect();
    assert!(groups.iter().all(|g| g.is_some_and(|g| g.first == 1 && g.count == 3)), "{groups:?}");
    assert_eq!(open(&store).get::<Note>(&"a".into()).unwrap().unwrap().title, "2");
}

#[test]
fn listing_pages_through_checkpoint_and_memory_alike() {
    let (store, replica) = fresh();
    for n in 0..700 {
        drop(replica.create(note(&format!("{n:04}"), "x")).unwrap());
    }
    replica.delete::<Note>(&"0300".into()).unwrap().wait().unwrap();
    let ids = |replica: &Replica| -> Vec<String> {
        replica.list::<Note>().unwrap().map(|n| n.unwrap().id.to_string()).collect()
    };
    let expected: Vec<String> = (0..700).filter(|n| *n != 300).map(|n| format!("{n:04}")).collect();
    assert_eq!(ids(&replica), expected);
    replica.checkpoint().unwrap();
    replica.create(note("0300a", "y")).unwrap().wait().unwrap();
    assert_eq!(ids(&open(&Arc::new(store.copy()))).len(), 700);
    let after = replica.list::<Note>().unwrap().after(&"0698".into());
    let after: Vec<String> = after.map(|n| n.unwrap().id.to_string()).collect();
    assert_eq!(after, ["0699"]);
}

#[test]
fn a_slow_watcher_is_told_to_read_anew_and_holds_up_nobody() {
    let (_, replica) = fresh();
    let watch = replica.watch::<Note>();
    let id = replica.create(note("n", "a")).unwrap().wait().unwrap();
    assert_eq!(watch.try_next(), Some(Change::Changed(id)));
    for n in 0..3_000 {
        drop(replica.create(note(&n.to_string(), "x")).unwrap());
    }
    assert_eq!(watch.try_next(), Some(Change::Resync));
}

#[test]
fn who_waits_for_a_change_however_long_is_told_of_it() {
    let (_, replica) = fresh();
    let (watch, raw) = (replica.watch::<Note>(), replica.raw().watch(None));
    let waits = std::thread::spawn(move || {
        let told = watch.next_timeout(Duration::MAX);
        (told, raw.next_timeout(Duration::MAX).is_some())
    });
    replica.create(note("n", "a")).unwrap().wait().unwrap();
    assert_eq!(waits.join().unwrap(), (Some(Change::Changed("n".into())), true));
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
enum Mood {
    Calm,
    #[serde(other)]
    Unknown,
}

#[derive(Syncable)]
#[sync(entity = "day")]
struct DayOfOne {
    #[sync(id)]
    id: Id<DayOfOne, String>,
    text: String,
    mood: String,
    counts: HashMap<String, u32>,
    ratio: f64,
    extra: serde_json::Value,
}

#[derive(Syncable)]
#[sync(entity = "day")]
struct DayOfTwo {
    #[sync(id)]
    id: Id<DayOfTwo, String>,
    text: String,
    mood: Mood,
    counts: HashMap<String, u32>,
    ratio: f64,
    extra: serde_json::Value,
    #[sync(default)]
    weather: String,
}

#[test]
fn an_edit_by_a_newer_type_invents_nothing() {
    let store = Arc::new(MemoryStore::new());
    let one = Replica::builder().register::<DayOfOne>().open(store.clone()).unwrap();
    let counts = (0..50).map(|n| (format!("key {n}"), n)).collect();
    // What features of serde_json spell otherwise: the order of members, and numbers.
    let extra: serde_json::Value =
        serde_json::from_str(r#"{"z":1.0,"a":[10000000000000000,0.1,{"y":-0.0,"b":2}]}"#).unwrap();
    let day = DayOfOne { id: "d".into(), text: "a".into(), mood: "Stormy".into(), counts, ratio: 0.1 + 0.2, extra };
    one.create(day).unwrap().wait().unwrap();
    drop(one);
    let two = Replica::builder().register::<DayOfTwo>().open(store.clone()).unwrap();
    let edit = two.edit(&"d".into(), |day: &mut DayOfTwo| {
        assert_eq!((&day.mood, &*day.weather), (&Mood::Unknown, ""));
        day.text = "b".into();
    });
    edit.unwrap().wait().unwrap();
    let line = two.log().unwrap().pop().unwrap();
    assert_eq!((line.entry.action, line.state), (Action::Update, LogState::Pending));
    assert_eq!(line.entry.fields, [("text".into(), Op::Assign(Value::from("b")))]);
    drop(two);
    let one = Replica::builder().register::<DayOfOne>().open(store).unwrap();
    let day: DayOfOne = one.get(&"d".into()).unwrap().unwrap();
    assert_eq!((&*day.text, &*day.mood, day.counts.len(), day.ratio), ("b", "Stormy", 50, 0.1 + 0.2));
    assert_eq!(day.extra["a"][2]["b"], 2);
}

#[test]
fn an_entity_that_no_longer_decodes_hides_no_other() {
    let store = Arc::new(MemoryStore::new());
    let one = Replica::builder().register::<DayOfOne>().open(store.clone()).unwrap();
    for id in ["a", "b"] {
        let (counts, extra) = (HashMap::new(), serde_json::Value::Null);
        let day = DayOfOne { id: id.into(), text: "x".into(), mood: "Calm".into(), counts, ratio: 1.0, extra };
        one.create(day).unwrap().wait().unwrap();
    }
    let mut fields = sync_core::Fields::new();
    fields.insert("text", Value::from(7_i64));
    one.raw().edit("day", "a", &fields).unwrap().wait().unwrap();
    let listed: Vec<Result<DayOfOne, Error>> = one.list().unwrap().collect();
    assert_eq!(listed[0].as_ref().err().map(Error::code), Some("field"));
    assert_eq!(listed[1].as_ref().unwrap().id, "b".into());
    // What cannot be read as the type can be mended by name.
    fields.insert("text", Value::from("mended"));
    one.raw().edit("day", "a", &fields).unwrap().wait().unwrap();
    assert!(one.list::<DayOfOne>().unwrap().all(|day| day.is_ok()));
}

#[test]
fn a_wiped_replica_is_a_new_one_and_keeps_what_was_never_sent_unless_told() {
    let (store, replica) = fresh();
    for n in 0..5 {
        replica.create(note(&n.to_string(), "x")).unwrap().wait().unwrap();
    }
    replica.checkpoint().unwrap();
    assert_eq!(replica.wipe(false).unwrap_err().code(), "unsynced");
    assert_eq!(replica.list::<Note>().unwrap().count(), 5);
    let before = replica.status().client;
    replica.wipe(true).unwrap();
    replica.create(note("new", "y")).unwrap().wait().unwrap();
    for replica in [replica, open(&Arc::new(store.copy()))] {
        assert_ne!(replica.status().client, before);
        assert_eq!((replica.list::<Note>().unwrap().count(), replica.unsynced().unwrap().len()), (1, 1));
        assert!(replica.verify().unwrap().is_sound());
    }
}

#[derive(Syncable, Debug)]
struct City {
    #[sync(id)]
    id: Id<City, u64>,
}

/// Another program may have written any text for an id. Where it was read as the number 5, `get` looked for another entity.
#[test]
fn an_id_in_another_spelling_is_an_error_in_its_place() {
    let replica = Replica::builder().register::<City>().open(MemoryStore::new()).unwrap();
    let watches = [replica.watch::<City>(), replica.watch::<City>()];
    for id in ["+5", "05", "5"] {
        replica.raw().create("city", id, &sync_core::Fields::new()).unwrap().wait().unwrap();
    }
    let listed: Vec<_> = replica.list::<City>().unwrap().map(|city| city.map(|city| *city.id.key())).collect();
    let listed: Vec<_> = listed.into_iter().map(|city| city.map_err(|error| error.code())).collect();
    assert_eq!(listed, [Err("field"), Err("field"), Ok(5)]);
    assert!(replica.get::<City>(&Id::new(5)).unwrap().is_some());
    // Nor does it hide a change behind it from those who take what there is and stop.
    assert_eq!(watches[0].try_next(), Some(Change::Changed(Id::new(5))));
    assert_eq!(watches[1].next_timeout(Duration::ZERO), Some(Change::Changed(Id::new(5))));
    assert_eq!(watches[1].next_timeout(Duration::ZERO), None);
}

const NAME: &str = match str::from_utf8(&[b'n'; 129]) {
    Ok(name) => name,
    Err(_) => "",
};

/// A type whose schema somebody wrote by hand.
struct Named<const LENGTH: usize>(Id<Self, String>);

impl<const LENGTH: usize> sync_core::Entity for Named<LENGTH> {
    type Key = String;
    const SCHEMA: &'static sync_core::Schema =
        &sync_core::Schema { name: NAME.split_at(LENGTH).0, fields: &[], tombstone: sync_core::Tombstone::DeleteWins };
    fn id(&self) -> &Id<Self, String> {
        &self.0
    }
    fn to_fields(&self) -> Result<sync_core::Fields, sync_core::FieldError> {
        Ok(sync_core::Fields::new())
    }
    fn from_fields(id: Id<Self, String>, _: &sync_core::Fields) -> Result<Self, sync_core::FieldError> {
        Ok(Self(id))
    }
}

#[test]
fn a_type_with_a_name_that_no_hub_takes_is_refused_when_the_replica_is_opened() {
    let hub = sync_core::Hub::builder().open(MemoryStore::new()).unwrap().transport("tester");
    let replica = Replica::builder().register::<Named<128>>().open(MemoryStore::new()).unwrap();
    replica.create(Named::<128>("n".into())).unwrap().wait().unwrap();
    let report = pollster::block_on(replica.sync(&hub)).unwrap();
    assert_eq!((report.uploaded, report.rejected), (1, 0));
    for builder in [Replica::builder().register::<Named<129>>(), Replica::builder().register::<Named<0>>()] {
        assert_eq!(builder.open(MemoryStore::new()).unwrap_err().code(), "config");
    }
}

/// serde reads the fields of such an enum through a buffer that has no integers of 128 bits.
#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(tag = "kind")]
enum Amount {
    None,
    Some { cents: i128 },
}

#[derive(Syncable, Debug)]
struct Bill {
    #[sync(id)]
    id: Id<Bill, String>,
    amount: Amount,
}

/// It would be acknowledged, and on every device, and nobody could read it.
#[test]
fn what_a_type_does_not_read_again_is_not_written() {
    let replica = Replica::builder().register::<Bill>().open(MemoryStore::new()).unwrap();
    let (none, some) = (Amount::None, Amount::Some { cents: 5 });
    let bill = |id: &str, amount: &Amount| Bill { id: id.into(), amount: amount.clone() };
    replica.create(bill("a", &none)).unwrap().wait().unwrap();
    let mut draft = replica.draft::<Bill>(&"a".into()).unwrap();
    draft.amount = some.clone();
    let refused = [
        replica.create(bill("b", &some)).unwrap_err(),
        replica.put(bill("a", &some)).unwrap_err(),
        replica.edit(&"a".into(), |bill: &mut Bill| bill.amount = some).unwrap_err(),
        draft.save().unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(&error, Error::Field { source: FieldError::Unreadable { .. }, .. }), "{error:?}");
    }
    assert_eq!(replica.unsynced().unwrap().len(), 1);
}
