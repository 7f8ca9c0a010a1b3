//! Conflicts are settled as they were listed, whatever their writes and their fields are called by then.

use std::sync::atomic::Ordering;

use sync_core::replica::{Conflict, RawConflict};
use sync_core::{MemoryStore, Replica};

use super::support::{Note, Set, builder, hub_on, note, run, title};

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
