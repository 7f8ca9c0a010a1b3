//! Structs within fields that a later version of the program added members to: an older one keeps what it does not read.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_core::{Fields, Id, MemoryStore, Replica, Syncable, Value};

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    text: String,
}

/// What an older program knows of a plan.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "plan")]
struct Plan {
    #[sync(id)]
    id: Id<Plan, String>,
    title: String,
    place: Step,
    steps: Vec<Step>,
    #[sync(default)]
    by_day: BTreeMap<String, Step>,
}

/// A type that reads a member by two names, and writes one of them.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Renamed {
    #[serde(alias = "text")]
    words: String,
}

#[derive(Syncable, Debug, Clone)]
#[sync(entity = "plan")]
struct Other {
    #[sync(id)]
    id: Id<Other, String>,
    place: Renamed,
}

/// A plan that a later program wrote, as an older one opens it.
fn opened() -> (Arc<MemoryStore>, Replica) {
    let store = Arc::new(MemoryStore::new());
    let replica = Replica::builder().register::<Plan>().threadless().open(store.clone()).unwrap();
    let mut fields = Fields::new();
    for (name, text) in [
        ("title", r#""t""#),
        ("place", r#"{"floor":3,"text":"here"}"#),
        ("steps", r#"[{"done":true,"text":"one"},{"done":false,"text":"two"}]"#),
        ("by_day", r#"{"mo":{"hour":9,"text":"swim"},"tu":{"hour":10,"text":"run"}}"#),
    ] {
        fields.insert(name, Value::parse(text).unwrap());
    }
    replica.raw().create("plan", "p", &fields).unwrap().wait().unwrap();
    (store, replica)
}

fn stored(replica: &Replica, field: &str) -> String {
    replica.raw().get("plan", "p").unwrap().unwrap().fields.get(field).unwrap().to_string()
}

#[test]
fn an_edit_keeps_what_its_program_does_not_read() {
    let (store, replica) = opened();
    let edit = |change: fn(&mut Plan)| {
        replica.edit(&"p".into(), change).unwrap().wait().unwrap();
    };
    edit(|plan| plan.place.text = "there".into());
    assert_eq!(stored(&replica, "place"), r#"{"floor":3,"text":"there"}"#);
    edit(|plan| plan.steps.insert(0, Step { text: "zero".into() }));
    edit(|plan| plan.steps.swap(1, 2));
    assert_eq!(
        stored(&replica, "steps"),
        r#"[{"text":"zero"},{"done":false,"text":"two"},{"done":true,"text":"one"}]"#
    );
    edit(|plan| {
        plan.by_day.remove("tu");
        plan.by_day.get_mut("mo").unwrap().text = "rest".into();
        plan.by_day.insert("we".into(), Step { text: "run".into() });
    });
    assert_eq!(stored(&replica, "by_day"), r#"{"mo":{"hour":9,"text":"rest"},"we":{"text":"run"}}"#);
    let mut draft = replica.draft::<Plan>(&"p".into()).unwrap();
    draft.place.text = "draft".into();
    draft.save().unwrap().wait().unwrap();
    assert_eq!(stored(&replica, "place"), r#"{"floor":3,"text":"draft"}"#);
    drop(replica);
    let replica = Replica::builder().register::<Other>().threadless().open(store).unwrap();
    assert_eq!(stored(&replica, "place"), r#"{"floor":3,"text":"draft"}"#);
    // It would read both names for one: what it wrote stands alone.
    replica.edit(&"p".into(), |other: &mut Other| other.place.words = "words".into()).unwrap().wait().unwrap();
    assert_eq!(stored(&replica, "place"), r#"{"words":"words"}"#);
    assert_eq!(replica.get::<Other>(&"p".into()).unwrap().unwrap().place.words, "words");
}

#[test]
fn what_is_put_as_it_was_got_changes_nothing_that_its_program_does_not_read() {
    let (_, replica) = opened();
    let written = replica.log().unwrap().len();
    let mut plan: Plan = replica.get(&"p".into()).unwrap().unwrap();
    replica.put(plan.clone()).unwrap().wait().unwrap();
    assert_eq!(replica.log().unwrap().len(), written, "nothing was changed");
    plan.steps[1].text = "second".into();
    replica.put(plan.clone()).unwrap().wait().unwrap();
    assert_eq!(stored(&replica, "steps"), r#"[{"done":true,"text":"one"},{"done":false,"text":"second"}]"#);
    assert_eq!(stored(&replica, "place"), r#"{"floor":3,"text":"here"}"#);
    assert_eq!(replica.get::<Plan>(&"p".into()).unwrap().unwrap().steps, plan.steps);
}

/// What an older program knows of a list.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "list")]
struct List {
    #[sync(id)]
    id: Id<List, String>,
    #[sync(merge = "set")]
    steps: BTreeSet<Step>,
    #[sync(merge = "first", default)]
    origin: Option<Step>,
}

#[test]
fn elements_and_first_values_that_are_put_as_they_were_got_stay_too() {
    let replica = Replica::builder().register::<List>().threadless().open(MemoryStore::new()).unwrap();
    let mut fields = Fields::new();
    for (name, text) in [
        ("steps", r#"[{"done":true,"text":"one"},{"done":false,"text":"two"}]"#),
        ("origin", r#"{"floor":3,"text":"here"}"#),
    ] {
        fields.insert(name, Value::parse(text).unwrap());
    }
    replica.raw().create("list", "l", &fields).unwrap().wait().unwrap();
    let stored = |field: &str| replica.raw().get("list", "l").unwrap().unwrap().fields.get(field).unwrap().to_string();
    let mut list: List = replica.get(&"l".into()).unwrap().unwrap();
    replica.put(list.clone()).unwrap().wait().unwrap();
    assert_eq!(replica.log().unwrap().len(), 1, "nothing was changed");
    list.steps.remove(&Step { text: "two".into() });
    list.steps.insert(Step { text: "three".into() });
    replica.put(list).unwrap().wait().unwrap();
    assert_eq!(stored("steps"), r#"[{"done":true,"text":"one"},{"text":"three"}]"#);
    assert_eq!(stored("origin"), r#"{"floor":3,"text":"here"}"#);
}

/// What an older program knows of a sheet.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "sheet")]
struct Sheet {
    #[sync(id)]
    id: Id<Sheet, String>,
    title: String,
    #[sync(local)]
    mark: Step,
}

#[test]
fn fields_that_never_leave_the_device_keep_it_too() {
    let replica = Replica::builder().register::<Sheet>().threadless().open(MemoryStore::new()).unwrap();
    let mut fields = Fields::new();
    for (name, text) in [("title", r#""t""#), ("mark", r#"{"page":3,"text":"here"}"#)] {
        fields.insert(name, Value::parse(text).unwrap());
    }
    replica.raw().create("sheet", "s", &fields).unwrap().wait().unwrap();
    let mark = || replica.raw().get("sheet", "s").unwrap().unwrap().fields.get("mark").unwrap().to_string();
    let mut sheet: Sheet = replica.get(&"s".into()).unwrap().unwrap();
    replica.put(sheet.clone()).unwrap().wait().unwrap();
    assert_eq!(mark(), r#"{"page":3,"text":"here"}"#);
    replica.edit(&"s".into(), |sheet: &mut Sheet| sheet.mark.text = "there".into()).unwrap().wait().unwrap();
    assert_eq!(mark(), r#"{"page":3,"text":"there"}"#);
    sheet.mark.text = "put".into();
    replica.put(sheet).unwrap().wait().unwrap();
    assert_eq!(mark(), r#"{"page":3,"text":"put"}"#);
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
enum Mood {
    Calm,
    Glad,
}

/// What a program knows of a day: of its mood not every variant, and more fields than the one before it wrote.
#[derive(Syncable, Debug, Clone, PartialEq)]
#[sync(entity = "day")]
struct Day {
    #[sync(id)]
    id: Id<Day, String>,
    place: Step,
    mood: Mood,
    title: String,
    #[sync(default)]
    starred: bool,
    #[sync(merge = "first", default)]
    author: String,
    #[sync(merge = "max", default)]
    best: u32,
    #[sync(local, default)]
    scroll: u32,
}

fn day(title: Option<&str>, mood: &str) -> Replica {
    let replica = Replica::builder().register::<Day>().threadless().open(MemoryStore::new()).unwrap();
    let mut fields = Fields::new();
    fields.insert("place", Value::parse(r#"{"floor":3,"text":"here"}"#).unwrap());
    fields.insert("mood", Value::from(mood));
    if let Some(title) = title {
        fields.insert("title", Value::from(title));
    }
    replica.raw().create("day", "d", &fields).unwrap().wait().unwrap();
    replica
}

/// The fields that the last write sets.
fn written(replica: &Replica) -> Vec<String> {
    let entry = replica.log().unwrap().pop().unwrap().entry;
    entry.fields.iter().map(|(name, op)| format!("{name} {}", op.to_json())).collect()
}

#[test]
fn what_is_put_as_it_was_got_writes_no_default() {
    let replica = day(Some("t"), "Calm");
    let day: Day = replica.get(&"d".into()).unwrap().unwrap();
    replica.put(day.clone()).unwrap().wait().unwrap();
    assert_eq!(replica.log().unwrap().len(), 1, "nothing was changed");
    replica.put(Day { starred: true, ..day.clone() }).unwrap().wait().unwrap();
    assert_eq!(written(&replica), ["starred true"]);
    replica.edit(&"d".into(), |day: &mut Day| day.author = "ann".into()).unwrap().wait().unwrap();
    assert_eq!(replica.get::<Day>(&"d".into()).unwrap().unwrap().author, "ann");
}

#[test]
fn what_is_put_over_a_field_that_cannot_be_read_changes_no_other_one() {
    for (title, mood) in [(Some("t"), "Sad"), (None, "Calm"), (None, "Sad")] {
        let replica = day(title, mood);
        assert!(replica.get::<Day>(&"d".into()).is_err());
        let day = Day {
            id: "d".into(),
            place: Step { text: "here".into() },
            mood: Mood::Calm,
            title: "t".into(),
            starred: false,
            author: String::new(),
            best: 0,
            scroll: 0,
        };
        replica.put(day.clone()).unwrap().wait().unwrap();
        assert_eq!(replica.get(&"d".into()).unwrap(), Some(day));
        let mood = (mood == "Sad").then_some(r#"mood "Calm""#);
        let title = title.is_none().then_some(r#"title "t""#);
        assert_eq!(written(&replica), mood.into_iter().chain(title).collect::<Vec<_>>());
    }
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Party {
    guests: HashSet<String>,
    text: String,
}

/// What an older program knows of an evening.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "evening")]
struct Evening {
    #[sync(id)]
    id: Id<Evening, String>,
    party: Party,
}

/// A hash set is written in another order each time it was read.
#[test]
fn what_stands_beside_a_hash_set_stays() {
    for _ in 0..20 {
        let replica = Replica::builder().register::<Evening>().threadless().open(MemoryStore::new()).unwrap();
        let mut fields = Fields::new();
        let party = r#"{"at":20,"guests":["ann","bob","cleo","dan"],"text":"dance"}"#;
        fields.insert("party", Value::parse(party).unwrap());
        replica.raw().create("evening", "e", &fields).unwrap().wait().unwrap();
        let party = || {
            let party = replica.raw().get("evening", "e").unwrap().unwrap().fields.get("party").unwrap().clone();
            assert_eq!(party.object_members().unwrap()[0], ("at".to_owned(), Value::from(20_i64)));
            party.decode::<Party>().unwrap()
        };
        assert_eq!(party().guests.len(), 4);
        let edit = |change: fn(&mut Party)| {
            replica.edit(&"e".into(), |evening: &mut Evening| change(&mut evening.party)).unwrap().wait().unwrap();
        };
        edit(|party| party.text = "sing".into());
        assert_eq!((party().text.as_str(), party().guests.len()), ("sing", 4));
        edit(|party| {
            party.guests.remove("bob");
            party.guests.insert("eve".into());
        });
        assert_eq!(party().guests, ["ann", "cleo", "dan", "eve"].map(str::to_owned).into());
    }
}
