//! A set's elements whose type changed since they were written: what its user removes is gone, however it was spelled.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_core::{Id, MemoryStore, Replica, Syncable};

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    name: String,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    name: String,
    role: Option<String>,
}

/// The team as it was, and as it is.
#[derive(Syncable, Debug)]
#[sync(entity = "team")]
struct Before {
    #[sync(id)]
    id: Id<Before, String>,
    #[sync(merge = "set")]
    members: BTreeSet<Named>,
}

#[derive(Syncable, Debug)]
#[sync(entity = "team")]
struct Now {
    #[sync(id)]
    id: Id<Now, String>,
    #[sync(merge = "set")]
    members: BTreeSet<Member>,
}

fn named(names: &[&str]) -> BTreeSet<Named> {
    names.iter().map(|name| Named { name: (*name).to_owned() }).collect()
}

fn member(name: &str, role: Option<&str>) -> Member {
    Member { name: name.to_owned(), role: role.map(str::to_owned) }
}

/// A team that the older program made, opened by the newer one.
fn now(names: &[&str]) -> Replica {
    let store = Arc::new(MemoryStore::new());
    let before = Replica::builder().register::<Before>().threadless().open(store.clone()).unwrap();
    before.create(Before { id: "t".into(), members: named(names) }).unwrap().wait().unwrap();
    Replica::builder().register::<Now>().threadless().open(store.copy()).unwrap()
}

fn members(replica: &Replica) -> Vec<Member> {
    replica.get::<Now>(&"t".into()).unwrap().unwrap().members.into_iter().collect()
}

#[test]
fn what_is_removed_is_gone() {
    let team = now(&["ann", "bob"]);
    team.edit(&"t".into(), |team: &mut Now| team.members.remove(&member("bob", None))).unwrap().wait().unwrap();
    assert_eq!(members(&team), [member("ann", None)]);
    team.edit(&"t".into(), |team: &mut Now| team.members.clear()).unwrap().wait().unwrap();
    assert_eq!(members(&team), []);
}

#[test]
fn what_is_replaced_is_one_element() {
    let team = now(&["ann", "bob"]);
    let red = member("bob", Some("red"));
    team.edit(&"t".into(), |team: &mut Now| {
        team.members.remove(&member("bob", None));
        team.members.insert(red.clone());
    })
    .unwrap()
    .wait()
    .unwrap();
    assert_eq!(members(&team), [member("ann", None), red]);
}

#[test]
fn a_form_removes_it_too() {
    let team = now(&["ann", "bob"]);
    let mut form = team.draft::<Now>(&"t".into()).unwrap();
    form.members.clear();
    form.save().unwrap().wait().unwrap();
    assert_eq!(members(&team), []);
}

#[test]
fn what_the_older_program_does_not_know_of_goes_with_its_element() {
    let store = Arc::new(MemoryStore::new());
    let newer = Replica::builder().register::<Now>().threadless().open(store.clone()).unwrap();
    let members = [member("ann", Some("red")), member("ann", Some("blue")), member("bob", Some("red"))];
    newer.create(Now { id: "t".into(), members: members.into() }).unwrap().wait().unwrap();
    let older = Replica::builder().register::<Before>().threadless().open(store.copy()).unwrap();
    // To it, both are one element.
    let ann = Named { name: "ann".into() };
    older.edit(&"t".into(), |team: &mut Before| team.members.remove(&ann)).unwrap().wait().unwrap();
    assert_eq!(older.get::<Before>(&"t".into()).unwrap().unwrap().members, named(&["bob"]));
    // An edit of something else touches none.
    let untouched = older.edit(&"t".into(), |_: &mut Before| ()).unwrap();
    untouched.wait().unwrap();
    assert_eq!(older.unsynced().unwrap().len(), 2);
}
