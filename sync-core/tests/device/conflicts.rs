//! Conflicts are settled as they were listed, whatever their writes and their fields are called by then.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sync_core::replica::{Conflict, Part, RawConflict, Rule};
use sync_core::{Entity, Hub, MemoryStore, Replica};

use super::support::{New, Note, Old, Set, builder, hub_on, note, run, title};

fn open<T: Entity>(store: Arc<MemoryStore>, clock: &Set) -> Replica {
    Replica::builder().register::<T>().clock(clock.clone()).threadless().open(store).unwrap()
}

fn old_memo(replica: &Replica) {
    replica.create(Old { id: "m".into(), title: "first".into(), body: "first".into() }).unwrap().wait().unwrap();
}

fn edit(replica: &Replica, change: impl FnOnce(&mut New)) {
    replica.edit(&"m".into(), change).unwrap().wait().unwrap();
}

/// A change of a note that a form showed before it was changed otherwise; what is listed then.
fn listed(replica: &Replica, otherwise: impl FnOnce()) -> RawConflict {
    let mut draft = replica.draft::<Note>(&"n".into()).unwrap();
    otherwise();
    draft.title = "from the form".into();
    draft.save().unwrap().wait().unwrap();
    replica.conflicts().unwrap().pop().map(|conflict: Conflict<Note>| conflict.raw).unwrap()
}

#[test]
fn a_delete_that_is_kept_stays_whatever_it_is_called_by_then() {
    for is_synced in [false, true] {
        let clock = Set::new();
        let hub = hub_on(MemoryStore::new(), &clock);
        let replica = builder(&clock).open(MemoryStore::new()).unwrap();
        let sync = || run(replica.sync(&hub.transport("tester"))).unwrap();
        replica.create(note("n", "first")).unwrap().wait().unwrap();
        sync();
        let conflict = listed(&replica, || replica.delete::<Note>(&"n".into()).unwrap().wait().unwrap());
        assert!(conflict.winner.is_delete && !conflict.losers[0].is_delete);
        if is_synced {
            sync();
        }
        replica.keep(&conflict).unwrap().wait().unwrap();
        assert_eq!(title(&replica, "n"), None, "synced: {is_synced}");
        assert!(replica.conflicts::<Note>().unwrap().is_empty());
    }
}

/// A clock that is put right gives what is pending another time, too.
#[test]
fn what_was_listed_is_settled_whatever_it_is_called_by_then() {
    for (is_synced, is_wrong) in [(false, false), (true, false), (true, true)] {
        for (takes, chosen) in [(false, "from the form"), (true, "meanwhile")] {
            let (clock, own_clock) = (Set::new(), Set::new());
            let hub = hub_on(MemoryStore::new(), &clock);
            let [replica, other] = [&own_clock, &clock].map(|clock| builder(clock).open(MemoryStore::new()).unwrap());
            let sync = |replica: &Replica| run(replica.sync(&hub.transport("tester"))).unwrap();
            replica.create(note("n", "first")).unwrap().wait().unwrap();
            sync(&replica);
            if is_wrong {
                own_clock.0.fetch_add(86_400_000, Ordering::Relaxed);
            }
            let rename = |note: &mut Note| note.title = "meanwhile".into();
            let conflict = listed(&replica, || replica.edit(&"n".into(), rename).unwrap().wait().unwrap());
            if is_synced {
                sync(&replica);
            }
            let settled = if takes { replica.take(&conflict, 0) } else { replica.keep(&conflict) };
            settled.unwrap().wait().unwrap();
            sync(&replica);
            sync(&other);
            for device in [&replica, &other] {
                let left = device.conflicts::<Note>().unwrap().len();
                let shown = (title(device, "n"), left);
                assert_eq!(shown, (Some(chosen.to_owned()), 0), "synced: {is_synced}, wrong clock: {is_wrong}");
            }
        }
    }
}

#[test]
fn a_choice_replaces_nothing_that_came_since() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let [replica, other] = [(); 2].map(|()| builder(&clock).open(MemoryStore::new()).unwrap());
    let sync = |replica: &Replica| run(replica.sync(&hub.transport("tester"))).unwrap();
    replica.create(note("n", "first")).unwrap().wait().unwrap();
    let rename = |title: &'static str| move |note: &mut Note| note.title = title.into();
    let conflict = listed(&replica, || replica.edit(&"n".into(), rename("meanwhile")).unwrap().wait().unwrap());
    sync(&replica);
    sync(&other);
    other.edit(&"n".into(), rename("elsewhere")).unwrap().wait().unwrap();
    sync(&other);
    sync(&replica);
    replica.keep(&conflict).unwrap().wait().unwrap();
    let left = replica.conflicts::<Note>().unwrap().remove(0).raw;
    let values: Vec<&str> = std::iter::once(&left.winner).chain(&left.losers).map(|side| side.value.as_str()).collect();
    assert_eq!(values, ["\"from the form\"", "\"elsewhere\""]);
}

/// Three devices of one hub that have a note, and ways to sync and to change its title.
fn three(clock: &Set) -> (Hub, [Replica; 3]) {
    let hub = hub_on(MemoryStore::new(), clock);
    let devices = [(); 3].map(|()| builder(clock).open(MemoryStore::new()).unwrap());
    devices[0].create(note("n", "first")).unwrap().wait().unwrap();
    sync_all(&hub, &devices);
    (hub, devices)
}

fn sync_all<'a>(hub: &Hub, devices: impl IntoIterator<Item = &'a Replica>) {
    for device in devices {
        run(device.sync(&hub.transport("tester"))).unwrap();
    }
}

fn retitle(replica: &Replica, clock: &Set, title: &'static str) {
    clock.0.fetch_add(1, Ordering::Relaxed);
    replica.edit(&"n".into(), move |note: &mut Note| note.title = title.into()).unwrap().wait().unwrap();
}

fn lists(replica: &Replica) -> Option<RawConflict> {
    replica.conflicts::<Note>().unwrap().pop().map(|conflict| conflict.raw)
}

fn sides(conflict: &RawConflict) -> (&str, Vec<&str>) {
    (conflict.winner.value.as_str(), conflict.losers.iter().map(|side| side.value.as_str()).collect())
}

#[test]
fn a_choice_does_not_replace_what_another_chose_since_though_it_is_the_value_that_showed() {
    let clock = Set::new();
    let (hub, [a, b, c]) = three(&clock);
    retitle(&a, &clock, "a's");
    retitle(&b, &clock, "b's");
    sync_all(&hub, [&a, &b, &c, &a]);
    let old = lists(&a).unwrap();
    clock.0.fetch_add(1, Ordering::Relaxed);
    c.keep(&lists(&c).unwrap()).unwrap().wait().unwrap();
    sync_all(&hub, [&c, &a]);
    clock.0.fetch_add(1, Ordering::Relaxed);
    a.take(&old, 0).unwrap().wait().unwrap();
    sync_all(&hub, [&a, &b, &c]);
    for device in [&a, &b, &c] {
        assert_eq!(sides(&lists(device).unwrap()), ("\"a's\"", vec!["\"b's\""]));
    }
}

#[test]
fn a_delete_that_is_kept_has_seen_only_what_was_listed() {
    let clock = Set::new();
    let (hub, [a, b, c]) = three(&clock);
    a.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
    retitle(&b, &clock, "b's");
    retitle(&c, &clock, "c's");
    sync_all(&hub, [&a, &b, &a]);
    let old = lists(&a).unwrap();
    assert_eq!(sides(&old), ("null", vec!["\"b's\""]));
    sync_all(&hub, [&c, &a]);
    a.keep(&old).unwrap().wait().unwrap();
    sync_all(&hub, [&a, &b, &c]);
    for device in [&a, &b, &c] {
        assert_eq!(sides(&lists(device).unwrap()), ("null", vec!["\"c's\""]));
        assert_eq!(title(device, "n"), None);
    }
    a.keep(&lists(&a).unwrap()).unwrap().wait().unwrap();
    assert_eq!(lists(&a), None);
}

#[test]
fn neither_choice_replaces_what_another_chose_since() {
    for keeps in [true, false] {
        let clock = Set::new();
        let (hub, [a, b, c]) = three(&clock);
        a.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
        retitle(&b, &clock, "b's");
        sync_all(&hub, [&a, &b, &a, &c]);
        let old = lists(&a).unwrap();
        clock.0.fetch_add(1, Ordering::Relaxed);
        let other = lists(&c).unwrap();
        if keeps { c.take(&other, 0) } else { c.keep(&other) }.unwrap().wait().unwrap();
        sync_all(&hub, [&c, &a]);
        assert_eq!((lists(&a), title(&a, "n").is_some()), (None, keeps));
        clock.0.fetch_add(1, Ordering::Relaxed);
        if keeps { a.keep(&old) } else { a.take(&old, 0) }.unwrap().wait().unwrap();
        sync_all(&hub, [&a, &b, &c]);
        for device in [&a, &b, &c] {
            let conflict = lists(device).unwrap();
            assert_eq!((conflict.winner.is_delete, conflict.losers[0].is_delete), (true, false), "keeps: {keeps}");
        }
    }
}

#[test]
fn a_conflict_under_a_former_name_alone_is_listed_on_every_replica_alike() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let sync = |replica: &Replica| {
        run(replica.sync(&hub.transport("tester"))).unwrap();
    };
    let store = || Arc::new(MemoryStore::new());
    let (one, two, new) = (open::<Old>(store(), &clock), open::<Old>(store(), &clock), open::<New>(store(), &clock));
    old_memo(&one);
    [&one, &two].into_iter().for_each(sync);
    for (replica, text) in [(&one, "one's"), (&two, "two's")] {
        let edit = |memo: &mut Old| (memo.title, memo.body) = (text.into(), text.into());
        replica.edit(&"m".into(), edit).unwrap().wait().unwrap();
    }
    [&one, &two, &one, &new].into_iter().for_each(sync);
    let fields = |found: Vec<RawConflict>| found.into_iter().map(|raw| raw.field).collect::<Vec<String>>();
    let typed = new.conflicts::<New>().unwrap().into_iter().map(|conflict| conflict.raw).collect();
    assert_eq!(fields(one.raw_conflicts(None).unwrap()), ["body", "title"]);
    assert_eq!(fields(new.raw_conflicts(None).unwrap()), ["body", "heading"]);
    assert_eq!(fields(typed), ["body", "heading"]);
    for conflict in new.conflicts::<New>().unwrap() {
        new.take(&conflict.raw, 0).unwrap().wait().unwrap();
    }
    assert!(new.conflicts::<New>().unwrap().is_empty());
    let memo = new.get::<New>(&"m".into()).unwrap().unwrap();
    assert_eq!(memo.heading, memo.body);
}

/// A memo written by the program before, where the hub has it; and its file in the hands of the new program.
fn renamed(clock: &Set) -> (Hub, Replica) {
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone()));
    let hub = hub.validate_entity(|_, _: Option<&New>, memo: Option<&New>| match memo {
        Some(memo) if memo.heading.starts_with("refused") => Err("not this one".into()),
        _ => Ok(()),
    });
    let hub = hub.open(MemoryStore::new()).unwrap();
    let store = Arc::new(MemoryStore::new());
    let old = open::<Old>(store.clone(), clock);
    old_memo(&old);
    run(old.sync(&hub.transport("tester"))).unwrap();
    drop(old);
    (hub, open::<New>(store, clock))
}

#[test]
fn what_is_written_over_a_refused_write_of_a_renamed_field_replaces_what_that_had_hidden() {
    let clock = Set::new();
    for case in ["edit", "edits", "both fields", "draft"] {
        let (hub, new) = renamed(&clock);
        let mut draft = None;
        match case {
            "both fields" => {
                edit(&new, |memo| (memo.heading, memo.body) = ("refused".into(), "refused".into()));
                edit(&new, |memo| (memo.heading, memo.body) = ("second".into(), "second".into()));
            }
            "draft" => {
                edit(&new, |memo| memo.heading = "refused".into());
                draft = Some(new.draft::<New>(&"m".into()).unwrap());
            }
            _ => {
                edit(&new, |memo| memo.heading = "refused".into());
                if case == "edits" {
                    edit(&new, |memo| memo.heading = "refused too".into());
                }
                edit(&new, |memo| memo.heading = "second".into());
            }
        }
        let report = run(new.sync(&hub.transport("tester"))).unwrap();
        assert!(report.rejected > 0, "{case}");
        if let Some(mut draft) = draft {
            draft.heading = "second".into();
            draft.save().unwrap().wait().unwrap();
            run(new.sync(&hub.transport("tester"))).unwrap();
        }
        assert_eq!(new.get::<New>(&"m".into()).unwrap().unwrap().heading, "second", "{case}");
        assert_eq!(new.conflicts::<New>().unwrap().len(), 0, "{case}");
    }
}

/// Of two fields that were refused one was written anew: the other shows what it showed before.
#[test]
fn what_a_refused_write_had_hidden_in_another_field_shows_again() {
    let (hub, new) = renamed(&Set::new());
    edit(&new, |memo| (memo.heading, memo.body) = ("refused".into(), "refused".into()));
    let mut draft = new.draft::<New>(&"m".into()).unwrap();
    run(new.sync(&hub.transport("tester"))).unwrap();
    draft.body = "second".into();
    draft.save().unwrap().wait().unwrap();
    run(new.sync(&hub.transport("tester"))).unwrap();
    let memo = new.get::<New>(&"m".into()).unwrap().unwrap();
    assert_eq!((&*memo.heading, &*memo.body), ("first", "second"));
    assert_eq!(new.conflicts::<New>().unwrap().len(), 0);
}

#[test]
fn a_renamed_field_is_explained_with_what_was_written_under_its_former_name() {
    let (_hub, new) = renamed(&Set::new());
    let explain = || new.explain::<New>(&"m".into(), "heading").unwrap();
    let first = explain();
    assert_eq!((first.rule, first.parts[0].value.as_str()), (Rule::OnlyWrite, "\"first\""));
    edit(&new, |memo| memo.heading = "second".into());
    let second = explain();
    let values = |parts: &[Part]| parts.iter().map(|p| p.value.to_string()).collect::<Vec<_>>();
    assert_eq!((second.rule, values(&second.parts)), (Rule::OnlyWrite, vec!["\"second\"".to_owned()]));
    assert_eq!(values(&second.history), ["\"first\""]);
    assert_eq!(second.parts[0].replaced, [first.parts[0].id.clone()]);
}
