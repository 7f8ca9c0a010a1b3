//! Conflicts are settled as they were listed, whatever their writes and their fields are called by then.

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
