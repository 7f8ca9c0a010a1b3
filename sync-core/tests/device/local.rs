//! Fields that never leave the device.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sync_core::replica::Rule;
use sync_core::{Fields, Hub, Id, MemoryStore, Replica, Syncable, Value};

use super::midway::Midway;
use super::support::{Set, builder, note, run, title};

#[derive(Syncable, Debug, PartialEq, Clone)]
struct View {
    #[sync(id)]
    id: Id<View, String>,
    title: String,
    #[sync(local, default)]
    scroll: u32,
    #[sync(local, default)]
    zoom: u32,
}

/// The same once its zoom is synced, and its scroll has another name.
#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "view")]
struct Shared {
    #[sync(id)]
    id: Id<Shared, String>,
    title: String,
    #[sync(local, default, alias = "scroll")]
    line: u32,
    #[sync(default)]
    zoom: u32,
}

fn view(scroll: u32, zoom: u32) -> View {
    View { id: "v".into(), title: "T".into(), scroll, zoom }
}

fn open() -> Replica {
    let replica = Replica::builder().register::<View>().threadless().open(MemoryStore::new()).unwrap();
    replica.create(view(1, 1)).unwrap().wait().unwrap();
    replica
}

fn shown(replica: &Replica) -> (u32, u32) {
    let view = replica.get::<View>(&"v".into()).unwrap().unwrap();
    (view.scroll, view.zoom)
}

#[test]
fn a_put_within_a_transaction_sets_what_the_transaction_had_changed() {
    let replica = open();
    let written = replica.transaction(|tx| {
        tx.edit(&"v".into(), |view: &mut View| view.scroll = 7)?;
        tx.put(view(1, 1))?;
        tx.edit(&"v".into(), |view: &mut View| view.title = "U".into())
    });
    written.unwrap().wait().unwrap();
    assert_eq!(shown(&replica), (1, 1));
}

#[test]
fn a_draft_changes_only_what_was_changed_in_it() {
    for stored in [false, true] {
        let replica = open();
        let mut draft = replica.draft::<View>(&"v".into()).unwrap();
        draft.scroll = 7;
        replica.edit(&"v".into(), |view: &mut View| view.zoom = 9).unwrap().wait().unwrap();
        if stored {
            replica.checkpoint().unwrap();
        }
        draft.save().unwrap().wait().unwrap();
        assert_eq!(shown(&replica), (7, 9));
    }
}

#[test]
fn those_of_a_wiped_replica_do_not_show_where_it_could_not_give_back_their_space() {
    let clock = Set::new();
    for good in 1.. {
        let store = Arc::new(Midway::new());
        let replica = builder(&clock).open(store.clone()).unwrap();
        replica.create(super::support::Note { scroll: 99, ..note("n", "of the old user") }).unwrap().wait().unwrap();
        replica.checkpoint().unwrap();
        store.fails_after(good);
        let wiped = replica.wipe(true);
        store.fails_after(usize::MAX);
        if wiped.is_ok() {
            assert!(good > 2, "{good}");
            return;
        }
        // As far as it is wiped.
        if title(&replica, "n").is_none() {
            let mut fields = Fields::new();
            fields.insert("title", Value::from("of the new user"));
            replica.raw().create("note", "n", &fields).unwrap().wait().unwrap();
        }
        let is_new = |replica: &Replica| {
            let shown = replica.raw().get("note", "n").unwrap().unwrap();
            let is_new = shown.fields.get("title") == Some(&Value::from("of the new user"));
            let logged = replica.log().unwrap().iter().any(|line| format!("{line:?}").contains("of the old user"));
            assert_eq!((shown.fields.get("scroll").is_none(), logged), (is_new, !is_new), "{good}");
            is_new
        };
        let before = is_new(&replica);
        drop(replica);
        assert_eq!(is_new(&builder(&clock).open(store).unwrap()), before);
    }
}

#[test]
fn they_are_kept_through_checkpoints() {
    let clock = Set::new();
    let store = Arc::new(Midway::new());
    let replica = builder(&clock).open(store.clone()).unwrap();
    replica.create(note("n", "T")).unwrap().wait().unwrap();
    replica.edit(&"n".into(), |note: &mut super::support::Note| note.scroll = 3).unwrap().wait().unwrap();
    replica.checkpoint().unwrap();
    clock.0.fetch_add(1, Ordering::Relaxed);
    replica.edit(&"n".into(), |note: &mut super::support::Note| note.title = "U".into()).unwrap().wait().unwrap();
    let again = builder(&clock).open(store).unwrap();
    assert_eq!(again.get::<super::support::Note>(&"n".into()).unwrap().map(|note| note.scroll), Some(3));
}

#[test]
fn one_that_is_synced_since_shows_what_was_synced() {
    for stored in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let before = Replica::builder().register::<View>().threadless().open(store.clone()).unwrap();
        before.create(view(3, 4)).unwrap().wait().unwrap();
        if stored {
            before.checkpoint().unwrap();
        }
        let replica = Replica::builder().register::<Shared>().threadless().open(store.copy()).unwrap();
        let shown = || {
            let shared = replica.get::<Shared>(&"v".into()).unwrap().unwrap();
            let raw = replica.raw().get("view", "v").unwrap().unwrap().fields;
            let raw = ["line", "zoom"].map(|name| raw.get(name).and_then(Value::as_i64));
            assert_eq!(replica.list::<Shared>().unwrap().next().unwrap().unwrap(), shared);
            (shared.line, shared.zoom, raw)
        };
        assert_eq!(shown(), (3, 0, [Some(3), None]));
        replica.edit(&"v".into(), |shared: &mut Shared| shared.zoom = 9).unwrap().wait().unwrap();
        assert_eq!(shown(), (3, 9, [Some(3), Some(9)]));
        let mut shared = replica.get::<Shared>(&"v".into()).unwrap().unwrap();
        (shared.line, shared.zoom) = (5, 4);
        replica.put(shared).unwrap().wait().unwrap();
        assert_eq!(shown(), (5, 4, [Some(5), Some(4)]));
        let mut fields = Fields::new();
        fields.insert("zoom", Value::from(4_i64));
        replica.raw().edit("view", "v", &fields).unwrap().wait().unwrap();
        assert_eq!(replica.unsynced().unwrap().len(), 3, "nothing was changed");
        let again = Replica::builder().register::<View>().threadless().open(store.copy()).unwrap();
        assert_eq!(
            again.get::<View>(&"v".into()).unwrap().unwrap().zoom,
            4,
            "put back, it shows what was typed into it"
        );
    }
}

#[test]
fn those_of_an_entity_that_was_refused_and_given_up_are_not_another_ones() {
    let hub = Hub::builder().validate_entity(|_, _: Option<&View>, view: Option<&View>| match view {
        Some(view) if view.title == "T" => Err("not this one".into()),
        _ => Ok(()),
    });
    let hub = hub.open(MemoryStore::new()).unwrap().transport("tester");
    for stored in [false, true] {
        let replica = open();
        run(replica.sync(&hub)).unwrap();
        replica.discard(replica.rejected()[0].number).unwrap().wait().unwrap();
        if stored {
            replica.checkpoint().unwrap();
        }
        let mut fields = Fields::new();
        fields.insert("title", Value::from("U"));
        replica.raw().create("view", "v", &fields).unwrap().wait().unwrap();
        assert_eq!(shown(&replica), (0, 0), "stored: {stored}");
    }
}

#[test]
fn a_field_that_never_leaves_the_device_is_explained_as_one() {
    let (clock, store) = (Set::new(), MemoryStore::new());
    let replica = Replica::builder().register::<View>().clock(clock).threadless().open(store).unwrap();
    let mut fields = Fields::new();
    fields.insert("title", Value::from("T"));
    fields.insert("scroll", Value::from(7_i64));
    replica.raw().create("view", "v", &fields).unwrap().wait().unwrap();
    let explained = |field: &str| replica.explain::<View>(&"v".into(), field).unwrap();
    for (field, rule) in [("scroll", Rule::Local), ("zoom", Rule::Default), ("title", Rule::OnlyWrite)] {
        assert_eq!(explained(field).rule, rule, "{field}");
    }
    assert!(explained("scroll").parts.is_empty() && explained("scroll").history.is_empty());
}
