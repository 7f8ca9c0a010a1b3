//! Pending entries name each other by their numbers on this device, long after some of them were accepted or refused.

use std::sync::Arc;

use sync_core::{Hub, MemoryStore};

use super::support::{Note, Set, builder, note, run};

/// Entries of a few notes, most of them accepted, some refused, offered a few at a time, with a process that ends in
/// between: what a later one names is what became of the earlier one, wherever it was read from.
#[test]
fn later_entries_name_what_became_of_earlier_ones() {
    let clock = Set::new();
    let limits = sync_core::transport::Limits { batch_entries: 7, ..Default::default() };
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).limits(limits);
    let hub = hub.validate_entity(|_, _: Option<&Note>, note: Option<&Note>| match note {
        Some(note) if note.title.starts_with("refused") => Err("not this one".into()),
        _ => Ok(()),
    });
    let hub = hub.open(MemoryStore::new()).unwrap();
    let transport = hub.transport("tester");
    let store = Arc::new(MemoryStore::new());
    let open = || builder(&clock).checkpoint_after(5).open(store.clone()).unwrap();
    let mut replica = open();
    for id in ["a", "b", "c"] {
        replica.create(note(id, "first")).unwrap().wait().unwrap();
    }
    for n in 0..60 {
        let id = ["a", "b", "c"][n % 3].into();
        let title = if n % 5 == 3 { format!("refused {n}") } else { format!("title {n}") };
        replica
            .edit::<Note, _>(&id, |note| {
                note.title = title;
                note.views += 1;
            })
            .unwrap()
            .wait()
            .unwrap();
        if n == 30 {
            drop(replica);
            replica = open();
        }
    }
    let draft = replica.draft::<Note>(&"a".into()).unwrap();
    let report = run(replica.sync(&transport)).unwrap();
    assert_eq!((report.uploaded, report.rejected, report.pending), (51, 12, 0));
    drop(draft);
    // Nobody wrote unaware of anybody: nothing is a conflict, neither here nor elsewhere.
    let other = builder(&clock).open(MemoryStore::new()).unwrap();
    run(other.sync(&transport)).unwrap();
    for device in [&replica, &other] {
        assert_eq!(device.conflicts::<Note>().unwrap().len(), 0);
        let shown = ["a", "b", "c"].map(|id| device.get::<Note>(&id.into()).unwrap().unwrap());
        assert_eq!(shown.each_ref().map(|note| &*note.title), ["title 57", "title 55", "title 59"]);
        assert_eq!(shown.each_ref().map(|note| note.views).iter().sum::<i64>(), 48);
        assert!(device.verify().unwrap().is_sound());
    }
}
