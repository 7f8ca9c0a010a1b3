//! What was refused is written anew as it was, but for the values that are given others.

use std::sync::Arc;

use sync_core::{Error, Family, Fields, Hub, Id, MemoryStore, Replica, Syncable, Value};

use super::support::{Note, Set, builder, hub_on, note, run};

/// A type, and what became of it when its field was merged otherwise.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "game")]
struct Old {
    #[sync(id)]
    id: Id<Old, String>,
    score: i64,
}

#[derive(Syncable, Debug, Clone)]
#[sync(entity = "game")]
struct Game {
    #[sync(id)]
    id: Id<Game, String>,
    #[sync(merge = "max", default)]
    score: i64,
}

#[test]
fn what_an_entry_does_not_assign_is_no_value_to_mend() {
    type Mend = fn(&mut Fields);
    type Change = fn(&mut Note);
    let table: [(&str, Change, Mend, Option<&str>); 6] = [
        ("as it was", |note| note.title = "refused".into(), |_| (), None),
        ("another value", |note| note.title = "refused".into(), |f| f.insert("title", Value::from("U")), None),
        ("another field", |note| note.title = "refused".into(), |f| f.insert("body", Value::from("U")), Some("body")),
        ("a counter", |note| note.views += 7, |f| f.insert("views", Value::from(1_i64)), Some("views")),
        ("one taken out", |note| note.title = "refused".into(), |f| drop(f.remove("title")), Some("title")),
        ("a counter, as it was", |note| note.views += 7, |_| (), None),
    ];
    for (what, change, mend, at_fault) in table {
        let clock = Set::new();
        let is_fine = |_: &str, _: Option<&Note>, after: Option<&Note>| match after {
            Some(note) if note.title == "refused" || note.views == 7 => Err("not this".into()),
            _ => Ok(()),
        };
        let hub = Hub::builder().clock(Arc::new(clock.clone())).validate_entity::<Note>(is_fine);
        let hub = hub.open(MemoryStore::new()).unwrap();
        let replica = builder(&clock).open(MemoryStore::new()).unwrap();
        replica.create(note("n", "T")).unwrap().wait().unwrap();
        replica.edit(&"n".into(), change).unwrap().wait().unwrap();
        run(replica.sync(&hub.transport("ada"))).unwrap();
        let number = replica.rejected()[0].number;
        let found = match replica.resubmit(number, mend).map(drop) {
            Err(Error::Invalid { field, .. }) => field,
            anything => anything.map(|()| None).unwrap(),
        };
        assert_eq!(found.as_deref(), at_fault, "{what}");
        assert_eq!(replica.rejected().len(), usize::from(at_fault.is_some()), "{what}: it stays, or goes up");
    }
}

/// What a state had of it that another hub lacks is one entry.
#[test]
fn a_field_of_two_kinds_keeps_both_values() {
    type Mend = fn(&mut Fields);
    let table: [(Mend, i64, i64); 2] = [(|_| (), 5, 9), (|fields| fields.insert("score", Value::from(11_i64)), 5, 11)];
    for (mend, assigned, greatest) in table {
        let clock = Set::new();
        let store = Arc::new(MemoryStore::new());
        let hub = hub_on(MemoryStore::new(), &clock);
        let builder = || Replica::builder().clock(clock.clone()).threadless();
        let old = builder().register::<Old>().open(store.clone()).unwrap();
        old.create(Old { id: "g".into(), score: 5 }).unwrap().wait().unwrap();
        drop(old);
        let replica = builder().register::<Game>().open(store).unwrap();
        replica.edit(&"g".into(), |game: &mut Game| game.score = 9).unwrap().wait().unwrap();
        run(replica.sync(&hub.transport("ada"))).unwrap();
        run(replica.adopt_hub(&hub_on(MemoryStore::new(), &clock).transport("ada"))).unwrap();
        let aside = replica.rejected();
        assert_eq!(aside.len(), 1, "{aside:?}");
        replica.resubmit(aside[0].number, mend).unwrap().wait().unwrap();
        let record = replica.raw().record(&aside[0].entry.key).unwrap();
        let value = |family: &Family| {
            let register = record.get("score", family).unwrap();
            register.winner(family).unwrap().value.as_i128().unwrap()
        };
        assert_eq!([value(&Family::Assign), value(&Family::Max)], [assigned, greatest].map(i128::from));
    }
}
