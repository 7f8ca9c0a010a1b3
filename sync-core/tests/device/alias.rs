//! A field that was renamed: conflicts in it are listed once, under the name that it has now.

use sync_core::{Entity, MemoryStore, Replica};

use super::support::{New, Old, Set, hub_on, run};

fn open<T: Entity>(clock: &Set) -> Replica {
    Replica::builder().register::<T>().clock(clock.clone()).threadless().open(MemoryStore::new()).unwrap()
}

#[test]
fn a_conflict_is_listed_once_whatever_its_field_was_called() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let sync = |replica: &Replica| {
        run(replica.sync(&hub.transport("tester"))).unwrap();
    };
    let (old, new, other) = (open::<Old>(&clock), open::<New>(&clock), open::<New>(&clock));
    old.create(Old { id: "m".into(), title: "first".into(), body: "first".into() }).unwrap().wait().unwrap();
    [&old, &new, &other].into_iter().for_each(sync);
    let edit = |memo: &mut Old| (memo.title, memo.body) = ("old's".into(), "old's".into());
    old.edit(&"m".into(), edit).unwrap().wait().unwrap();
    for (replica, text) in [(&new, "new's"), (&other, "other's")] {
        let edit = |memo: &mut New| (memo.heading, memo.body) = (text.into(), text.into());
        replica.edit(&"m".into(), edit).unwrap().wait().unwrap();
    }
    [&old, &new, &other, &old, &new].into_iter().for_each(sync);
    for replica in [&new, &other] {
        let conflicts = replica.conflicts::<New>().unwrap();
        let found: Vec<(&str, usize)> =
            conflicts.iter().map(|conflict| (&*conflict.raw.field, conflict.raw.losers.len())).collect();
        assert_eq!(found, [("body", 2), ("heading", 2)]);
    }
}
