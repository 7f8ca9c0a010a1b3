//! What is kept, and what shows meanwhile.

use super::{two_ours, two_theirs};
use crate::ours;

/// Compaction deletes what was uploaded, and the state is replayed from nothing.
#[test]
fn fault_04_compaction_loses_the_state() {
    let (mut a, _, mut server) = two_theirs();
    for n in 0..10 {
        a.now += 1;
        a.create(&n.to_string(), "note");
    }
    a.sync(&mut server);
    assert_eq!(a.titles().len(), 10);
    let now = a.now;
    a.wal.compact(now);
    a.sync(&mut server);
    assert_eq!(a.titles().len(), 0);

    let (a, b, _hub) = two_ours();
    for n in 0..10 {
        a.create(&n.to_string(), "note");
    }
    a.sync();
    a.delete("3");
    a.sync();
    let before = a.records();
    a.replica.compact().unwrap();
    a.sync();
    assert_eq!((a.titles().len(), a.records()), (9, before));
    b.sync();
    assert_eq!(b.records(), a.records());
    assert!(a.replica.verify().unwrap().is_sound());
}

/// Publishing replaces the whole view: what was written during a sync is gone from it until the next one.
#[test]
fn fault_12_publishing_wipes_what_was_written_meanwhile() {
    let (mut a, _, mut server) = two_theirs();
    a.create("n", "before");
    a.sync_while(&mut server, |a| {
        a.now += 1;
        a.create("m", "written during the sync");
        assert_eq!(a.titles().len(), 2);
    });
    assert_eq!(a.titles(), ["before"]);

    let (a, b, hub) = two_ours();
    b.create("o", "from b");
    b.sync();
    a.create("n", "before");
    let replica = a.replica.clone();
    let meanwhile = ours::Meanwhile::new(&hub, move |phase| {
        // While it is uploading, and while it is downloading.
        let note = ours::Note { id: format!("m-{phase}").as_str().into(), title: phase.into(), body: None };
        replica.create(note).unwrap().wait().unwrap();
    });
    ours::run(a.replica.sync(&meanwhile)).unwrap();
    assert_eq!(a.titles(), ["pull", "push", "before", "from b"]);
    a.sync();
    b.sync();
    assert_eq!(b.records(), a.records());
}
