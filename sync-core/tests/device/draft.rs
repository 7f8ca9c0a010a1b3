//! A form that stays open: it is saved again and again, also after it could not be.

use std::collections::BTreeSet;

use sync_core::{Id, MemoryStore, Replica, Syncable};

use super::support::{Note, Set, builder, hub_on, note, run};

fn open(clock: &Set) -> Replica {
    builder(clock).open(MemoryStore::new()).unwrap()
}

fn show(replica: &Replica) -> Note {
    replica.get::<Note>(&"n".into()).unwrap().unwrap()
}

#[test]
fn each_save_writes_what_was_changed_since_the_last_one() {
    let replica = open(&Set::new());
    replica.create(note("n", "first")).unwrap().wait().unwrap();
    let mut draft = replica.draft::<Note>(&"n".into()).unwrap();
    for views in 1..4 {
        (draft.views, draft.scroll) = (views, views as u32);
        draft.save().unwrap().wait().unwrap();
        draft.save().unwrap().wait().unwrap();
        assert_eq!(show(&replica), Note { views, scroll: views as u32, ..note("n", "first") });
    }
    draft.title = "second".into();
    draft.save().unwrap().wait().unwrap();
    draft.title = "third".into();
    draft.save().unwrap().wait().unwrap();
    assert_eq!((&*show(&replica).title, replica.conflicts::<Note>().unwrap().len()), ("third", 0));
    assert_eq!(replica.status().pending, 6);
}

#[test]
fn what_came_between_two_saves_is_seen_by_neither() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock).transport("tester");
    let (a, b) = (open(&clock), open(&clock));
    a.create(note("n", "first")).unwrap().wait().unwrap();
    let sync = |replica: &Replica| run(replica.sync(&hub)).unwrap();
    sync(&a);
    sync(&b);
    let mut draft = a.draft::<Note>(&"n".into()).unwrap();
    draft.title = "of the form".into();
    draft.save().unwrap().wait().unwrap();
    sync(&a);
    sync(&b);
    b.edit::<Note, _>(&"n".into(), |note| note.title = "of another".into()).unwrap().wait().unwrap();
    sync(&b);
    sync(&a);
    draft.title = "of the form, again".into();
    draft.save().unwrap().wait().unwrap();
    let report = (sync(&a), sync(&b)).0;
    assert_eq!((report.rejected, report.pending), (0, 0));
    let conflicts = b.conflicts::<Note>().unwrap();
    let values = |at: usize| conflicts[at].raw.losers.iter().map(|loser| loser.value.as_str()).collect::<Vec<_>>();
    // What it wrote itself it has seen, numbered since or not.
    assert_eq!((conflicts.len(), values(0).len()), (1, 1), "{conflicts:?}");
    let all = [values(0)[0], conflicts[0].raw.winner.value.as_str()];
    assert!(all.contains(&"\"of another\"") && all.contains(&"\"of the form, again\""), "{all:?}");
}

#[test]
fn a_form_that_could_not_be_saved_is_mended_and_saved() {
    let replica = open(&Set::new());
    replica.create(note("n", "first")).unwrap().wait().unwrap();
    let mut draft = replica.draft::<Note>(&"n".into()).unwrap();
    draft.title = "x".repeat(1 << 20);
    assert_eq!(draft.save().unwrap_err().code(), "too_large");
    assert_eq!(draft.title.len(), 1 << 20, "nobody has to type it again");
    draft.title.truncate(5);
    draft.save().unwrap().wait().unwrap();
    assert_eq!(show(&replica).title, "xxxxx");
}

#[derive(Syncable, Debug)]
struct Team {
    #[sync(id)]
    id: Id<Team, String>,
    #[sync(merge = "set")]
    members: BTreeSet<String>,
}

#[test]
fn removing_what_was_refused_meanwhile_says_nothing() {
    let clock = Set::new();
    let hub = sync_core::Hub::builder().clock(std::sync::Arc::new(clock.clone()));
    let hub = hub.validate_entity::<Team>(|_, _, after| match after {
        Some(team) if team.members.contains("bob") => Err("anybody else".into()),
        _ => Ok(()),
    });
    let hub = hub.open(MemoryStore::new()).unwrap().transport("tester");
    let replica = Replica::builder().clock(clock).register::<Team>().open(MemoryStore::new()).unwrap();
    replica.create(Team { id: "t".into(), members: BTreeSet::new() }).unwrap().wait().unwrap();
    run(replica.sync(&hub)).unwrap();
    replica.edit::<Team, _>(&"t".into(), |team| team.members.insert("bob".into())).unwrap().wait().unwrap();
    let mut draft = replica.draft::<Team>(&"t".into()).unwrap();
    assert_eq!(run(replica.sync(&hub)).unwrap().rejected, 1);
    draft.members.clear();
    draft.save().unwrap().wait().unwrap();
    assert_eq!(replica.status().pending, 0);
    draft.members.insert("ann".into());
    draft.save().unwrap().wait().unwrap();
    assert_eq!(run(replica.sync(&hub)).unwrap().rejected, 0);
    assert_eq!(replica.get::<Team>(&"t".into()).unwrap().unwrap().members, BTreeSet::from(["ann".to_owned()]));
}
