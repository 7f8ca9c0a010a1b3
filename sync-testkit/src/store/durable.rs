//! What stays when the store is opened again, or reclaims space.

use sync_core::{Checkpoint, Heads, Store};

use super::{Fresh, append, expect, ok, puts, row};

/// Everything that returned `Ok` is there after opening again.
pub fn opening_again_keeps_all(fresh: &Fresh<'_>) {
    let open = fresh();
    for n in 0..5u8 {
        let store = open();
        append(&*store, &[&[n], &[n, n]]);
        let checkpoint = Checkpoint { covers: u64::from(n), ..puts(&[(&[n], &[n])]) };
        ok("checkpoint", store.checkpoint(&checkpoint));
    }
    let store = open();
    expect("the heads", ok("heads", store.heads()), Heads { first: 1, last: 10, covers: 4 });
    let rows: Vec<_> =
        (0..5u8).flat_map(|n| [row(2 * u64::from(n) + 1, &[n]), row(2 * u64::from(n) + 2, &[n, n])]).collect();
    expect("the journal", ok("journal", store.journal(0, 100)), rows);
    let map: Vec<_> = (0..5u8).map(|n| (vec![n], vec![n])).collect();
    expect("the map", ok("range", store.range(b"", b"", 100)), map);
}

/// Reclaiming changes nothing that can be seen, then or after opening again, and the store goes on.
pub fn reclaiming_keeps_all(fresh: &Fresh<'_>) {
    let open = fresh();
    let store = open();
    ok("reclaim", store.reclaim());
    for n in 0..20u8 {
        append(&*store, &[&[n; 20_000]]);
        let mut checkpoint = puts(&[(&[n], &[n; 20_000])]);
        checkpoint.covers = u64::from(n) + 1;
        if n == 19 {
            checkpoint.drop_before = 19;
            checkpoint.drops = (0..18).map(|n| vec![n]).collect();
        }
        ok("checkpoint", store.checkpoint(&checkpoint));
    }
    let look = |store: &dyn Store| {
        let heads = ok("heads", store.heads());
        (heads, ok("journal", store.journal(0, 100)), ok("range", store.range(b"", b"", 100)))
    };
    let before = look(&*store);
    assert_eq!((before.1.len(), before.2.len()), (2, 2), "two rows of each should be left");
    ok("reclaim", store.reclaim());
    assert!(look(&*store) == before, "reclaiming changed what is stored");
    drop(store);
    let store = open();
    assert!(look(&*store) == before, "what was reclaimed opened changed");
    expect("the next append", ok("append", store.append(20, &[b"next"])), 21);
}

/// A fresh place is empty, whatever was written elsewhere: the stores of one backend do not see each other.
pub fn stores_share_nothing(fresh: &Fresh<'_>) {
    let (one, other) = (fresh(), fresh());
    let (one, other) = (one(), other());
    append(&*one, &[b"one's"]);
    ok("checkpoint", one.checkpoint(&Checkpoint { covers: 1, ..puts(&[(b"k", b"one's")]) }));
    expect("the other's heads", ok("heads", other.heads()), Heads { first: 1, last: 0, covers: 0 });
    expect("the other's journal", ok("journal", other.journal(0, 10)), vec![]);
    append(&*other, &[b"1", b"2", b"3"]);
    ok(
        "checkpoint",
        other.checkpoint(&Checkpoint { covers: 3, drop_before: 4, drops: vec![b"k".to_vec()], puts: vec![] }),
    );
    expect("one's heads", ok("heads", one.heads()), Heads { first: 1, last: 1, covers: 1 });
    expect("one's journal", ok("journal", one.journal(0, 10)), vec![row(1, b"one's")]);
    expect("one's map", ok("range", one.range(b"", b"", 10)), vec![(b"k".to_vec(), b"one's".to_vec())]);
}
