//! The journal is history: how much of it stays is the program's to say, and changes nothing that shows.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sync_core::replica::Keep;
use sync_core::{MemoryStore, Store};

use super::support::{Set, builder, hub_on, note, notes, run};

/// How many commits remain after fifty days of two notes a day, each synced, and a hundred entries pending at the end.
fn left(keep: Keep) -> u64 {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock).transport("tester");
    let store = Arc::new(MemoryStore::new());
    let open = || builder(&clock).checkpoint_after(4).keep(keep).open(store.clone()).unwrap();
    let mut replica = open();
    for day in 0..50 {
        clock.0.fetch_add(86_400_000, Ordering::Relaxed);
        for n in 0..2 {
            replica.create(note(&format!("{day:02}-{n}"), "a title")).unwrap().wait().unwrap();
        }
        run(replica.sync(&hub)).unwrap();
        if day % 10 == 5 {
            drop(replica);
            replica = open();
        }
    }
    for n in 0..100 {
        replica.create(note(&format!("pending-{n:02}"), "a title")).unwrap().wait().unwrap();
    }
    replica.checkpoint().unwrap();
    drop(replica);
    let replica = open();
    assert_eq!((notes(&replica).len(), replica.status().pending), (200, 100));
    run(replica.sync(&hub)).unwrap();
    assert_eq!((notes(&replica).len(), replica.status().pending), (200, 0));
    assert!(replica.verify().unwrap().is_sound());
    let heads = store.heads().unwrap();
    heads.last + 1 - heads.first
}

#[test]
fn a_policy_bounds_the_journal_and_nothing_else() {
    let all = left(Keep::Everything);
    assert!(all > 300, "{all}");
    assert_eq!(left(Keep::default()), all, "64 MiB are more than this");
    assert_eq!(left(Keep::Age(Duration::from_secs(86_400 * 1_000))), all);
    let commits = left(Keep::Commits(20));
    assert!((1..=60).contains(&commits), "{commits}");
    let days = left(Keep::Age(Duration::from_secs(86_400 * 10)));
    assert!(days < all * 2 / 3, "{days} of {all}: those of ten days, and what was pending");
    let bytes = left(Keep::Bytes(2_000));
    assert!((1..60).contains(&bytes), "{bytes}");
}
