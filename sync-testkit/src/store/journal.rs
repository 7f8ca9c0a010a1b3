//! The journal: dense positions, pages, dropped rows.

use sync_core::{Checkpoint, Heads, StoreError};

use super::{Fresh, append, expect, large, ok, row};

/// Nothing is there, and nothing is made up.
pub fn a_new_store_is_empty(fresh: &Fresh<'_>) {
    let store = fresh()();
    expect("the heads of an empty store", ok("heads", store.heads()), Heads { first: 1, last: 0, covers: 0 });
    expect("an empty journal", ok("journal", store.journal(0, 10)), vec![]);
    expect("an empty map's key", ok("get", store.get(b"key")), None);
    expect("an empty map's range", ok("range", store.range(b"", b"", 10)), vec![]);
}

/// Positions count from 1 without a gap, however the commits come.
pub fn positions_are_dense(fresh: &Fresh<'_>) {
    let store = fresh()();
    expect("the first append's last position", ok("append", store.append(0, &[b"one"])), 1);
    expect("three more", ok("append", store.append(1, &[b"two", b"three", b"four"])), 4);
    expect("one more", ok("append", store.append(4, &[b"five"])), 5);
    expect("the heads", ok("heads", store.heads()), Heads { first: 1, last: 5, covers: 0 });
    let rows = vec![row(1, b"one"), row(2, b"two"), row(3, b"three"), row(4, b"four"), row(5, b"five")];
    expect("the journal", ok("journal", store.journal(1, 10)), rows);
}

/// An append that expects another end says where the journal ends, and writes nothing.
pub fn a_moved_journal_refuses(fresh: &Fresh<'_>) {
    let store = fresh()();
    append(&*store, &[b"one", b"two"]);
    for expected in [0, 1, 3, u64::MAX] {
        for commits in [&[b"more" as &[u8]] as &[_], &[]] {
            match store.append(expected, commits) {
                Err(error @ StoreError::Moved { last: 2 }) => assert!(error.is_retryable()),
                other => panic!("append({expected}) to a journal that ends at 2 should be Moved, was {other:?}"),
            }
        }
    }
    expect("the heads", ok("heads", store.heads()), Heads { first: 1, last: 2, covers: 0 });
    expect("the journal", ok("journal", store.journal(0, 10)), vec![row(1, b"one"), row(2, b"two")]);
    expect("an append at the end", ok("append", store.append(2, &[b"three"])), 3);
}

/// No commits: the end is compared, nothing else happens.
pub fn an_empty_append_only_checks(fresh: &Fresh<'_>) {
    let store = fresh()();
    expect("nothing appended to nothing", ok("append", store.append(0, &[])), 0);
    append(&*store, &[b"one"]);
    expect("nothing appended", ok("append", store.append(1, &[])), 1);
    expect("the heads", ok("heads", store.heads()), Heads { first: 1, last: 1, covers: 0 });
}

/// A page begins at its position, goes on in order, and ends at the limit.
pub fn pages_are_bounded(fresh: &Fresh<'_>) {
    let store = fresh()();
    let bytes: Vec<[u8; 1]> = (1..=20).map(|n| [n]).collect();
    let commits: Vec<&[u8]> = bytes.iter().map(|commit| commit.as_slice()).collect();
    append(&*store, &commits);
    let rows = |from: u64, to: u64| (from..=to).map(|n| row(n, &[n as u8])).collect::<Vec<_>>();
    for (from, limit, page) in [
        (0, 5, rows(1, 5)),
        (1, 5, rows(1, 5)),
        (6, 5, rows(6, 10)),
        (19, 5, rows(19, 20)),
        (20, 1, rows(20, 20)),
        (21, 5, vec![]),
        (u64::MAX, 5, vec![]),
        (3, 0, vec![]),
        (0, usize::MAX, rows(1, 20)),
    ] {
        expect(&format!("journal({from}, {limit}) of 20"), ok("journal", store.journal(from, limit)), page);
    }
}

/// A page has as many commits as it may, however large they are: who gets fewer takes them for the last.
pub fn pages_of_large_commits_are_whole(fresh: &Fresh<'_>) {
    let store = fresh()();
    let commits = large();
    for some in commits.chunks(12) {
        append(&*store, &some.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    for limit in [commits.len() - 1, commits.len(), usize::MAX] {
        let rows = ok("journal", store.journal(1, limit));
        let name = format!("how many of {} large commits journal(1, {limit}) has", commits.len());
        expect(&name, rows.len(), limit.min(commits.len()));
        assert!(rows.iter().map(|(_, bytes)| bytes).eq(&commits[..rows.len()]), "large commits came back changed");
    }
}

/// Commits come back as they went in: empty ones, every byte, a mebibyte.
pub fn commits_are_any_bytes(fresh: &Fresh<'_>) {
    let open = fresh();
    let store = open();
    let every: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let commits: [&[u8]; 5] = [b"", &[0], &[0xff; 9], &every, &large];
    append(&*store, &commits);
    drop(store);
    let rows = ok("journal", open().journal(0, 10));
    assert_eq!(rows.len(), commits.len(), "not as many commits as were appended");
    for ((at, found), commit) in rows.iter().zip(commits) {
        assert!(found == commit, "commit {at} of {} bytes came back changed, with {}", commit.len(), found.len());
    }
}

/// A checkpoint drops what is before its position, never what is there or behind.
pub fn old_commits_are_dropped(fresh: &Fresh<'_>) {
    let store = fresh()();
    append(&*store, &[b"1", b"2", b"3", b"4", b"5"]);
    let drop_before = |position| {
        let checkpoint = Checkpoint { covers: 5, drop_before: position, ..Checkpoint::default() };
        ok("checkpoint", store.checkpoint(&checkpoint));
        ok("heads", store.heads())
    };
    let heads = |first| Heads { first, last: 5, covers: 5 };
    expect("heads after drop_before 0", drop_before(0), heads(1));
    expect("heads after drop_before 1", drop_before(1), heads(1));
    expect("heads after drop_before 4", drop_before(4), heads(4));
    expect("the journal after drop_before 4", ok("journal", store.journal(0, 10)), vec![row(4, b"4"), row(5, b"5")]);
    expect("a page from before it", ok("journal", store.journal(2, 1)), vec![row(4, b"4")]);
    expect("heads after drop_before 2, which brings nothing back", drop_before(2), heads(4));
    expect("heads after drop_before 6", drop_before(6), heads(6));
    expect("the journal after all was dropped", ok("journal", store.journal(0, 10)), vec![]);
    expect("heads after drop_before far behind the end", drop_before(u64::MAX), heads(6));
}

/// A position names one commit for ever, even if all rows were dropped meanwhile, and the store opened again.
pub fn positions_are_never_reused(fresh: &Fresh<'_>) {
    let open = fresh();
    for round in 0..3 {
        let store = open();
        let end = 3 * round;
        let heads = Heads { first: end + 1, last: end, covers: end };
        expect("heads when all was dropped", ok("heads", store.heads()), heads);
        expect("the next append", ok("append", store.append(end, &[b"a", b"b", b"c"])), end + 3);
        expect("its rows", ok("journal", store.journal(0, 1)), vec![row(end + 1, b"a")]);
        let all = Checkpoint { covers: end + 3, drop_before: end + 4, ..Checkpoint::default() };
        ok("checkpoint", store.checkpoint(&all));
    }
}
