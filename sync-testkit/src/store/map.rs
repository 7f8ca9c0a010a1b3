//! The map: any bytes, in order, changed in one step.

use sync_core::{Checkpoint, EntityKey, Heads, StoreError};

use super::{Fresh, append, expect, large, ok, puts};

/// The most bytes of a key: a letter, eight bytes of a number, the name of an entity's type, a zero byte, the entity's id.
const LONGEST_KEY: usize = 1 + 8 + 128 + 1 + EntityKey::MAX_ID_BYTES;

/// Keys and values may be empty, long, and hold every byte.
pub fn keys_and_values_are_any_bytes(fresh: &Fresh<'_>) {
    let open = fresh();
    let store = open();
    let every: Vec<u8> = (0..=255).rev().collect();
    let long = [0xff; 500];
    let rows: [(&[u8], &[u8]); 7] = [
        (b"", b"under the empty key"),
        (&[0], &[0]),
        (&[0, 0], b"nul nul"),
        (b"empty", b""),
        (&[0xff], &[0xff; 3]),
        (&long, b"under a long key"),
        (&every, &every),
    ];
    ok("checkpoint", store.checkpoint(&puts(&rows)));
    drop(store);
    let store = open();
    for (key, bytes) in rows {
        expect(&format!("get({key:?})"), ok("get", store.get(key)), Some(bytes.to_vec()));
    }
    for key in [&[0u8, 0, 0] as &[u8], b"empt", b"empty\0", &[0xff, 0xff], &long[1..]] {
        expect(&format!("get({key:?}), which was never put"), ok("get", store.get(key)), None);
    }
}

/// Keys are as long as an entity's name makes them, and of two such ones all bytes count. A page begins right behind one.
pub fn the_longest_keys_are_told_apart(fresh: &Fresh<'_>) {
    let open = fresh();
    let store = open();
    let key = |last: u8| [&[b'x'; LONGEST_KEY - 1][..], &[last]].concat();
    let [a, b, c] = [b'a', b'b', b'c'].map(key);
    ok("checkpoint", store.checkpoint(&puts(&[(&a, b"a's"), (&b, b"b's")])));
    drop(store);
    let store = open();
    let of_b = vec![(b.clone(), b"b's".to_vec())];
    let behind_a = [&a[..], &[0]].concat();
    expect("the bytes of a long key", ok("get", store.get(&a)), Some(b"a's".to_vec()));
    expect("the bytes of another", ok("get", store.get(&b)), Some(b"b's".to_vec()));
    expect("those of one that was never put", ok("get", store.get(&c)), None);
    expect("the rows behind a long key", ok("range", store.range(&behind_a, b"", 9)), of_b.clone());
    expect("the rows from one up to another", ok("range", store.range(&b, &c, 9)), of_b.clone());
    ok("checkpoint", store.checkpoint(&Checkpoint { drops: vec![a], ..Checkpoint::default() }));
    expect("the map after one was dropped", ok("range", store.range(b"", b"", 9)), of_b);
}

/// A value of a mebibyte comes back whole, from `get` and `range`, and can be replaced by a small one.
pub fn large_values_are_whole(fresh: &Fresh<'_>) {
    let store = fresh()();
    let large: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    ok("checkpoint", store.checkpoint(&puts(&[(b"a", b"before"), (b"b", &large), (b"c", b"behind")])));
    assert!(ok("get", store.get(b"b")).as_ref() == Some(&large), "get returned a mebibyte changed");
    let rows = ok("range", store.range(b"b", b"", 1));
    assert!(rows == [(b"b".to_vec(), large)], "range returned a mebibyte changed");
    ok("checkpoint", store.checkpoint(&puts(&[(b"b", b"small")])));
    expect("a large value, replaced", ok("get", store.get(b"b")), Some(b"small".to_vec()));
}

/// Ranges are in the order of the bytes, take in `from` and leave out `to`, and stop at the limit.
pub fn ranges_are_in_order_and_bounded(fresh: &Fresh<'_>) {
    let store = fresh()();
    // As bytes are ordered; text, signed numbers and lengths are ordered otherwise.
    let keys: [&[u8]; 10] = [b"", &[0], &[0, 0], &[1, 0xff], b"A", b"a", b"a\0", b"aa", &[0x80], &[0xff, 0xff]];
    let rows: Vec<(&[u8], &[u8])> = keys.iter().rev().map(|key| (*key, *key)).collect();
    ok("checkpoint", store.checkpoint(&puts(&rows)));
    let range = |from: &[u8], to: &[u8], limit| {
        let found = ok("range", store.range(from, to, limit));
        assert!(found.iter().all(|(key, bytes)| key == bytes), "range gave a key the bytes of another");
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    let all = usize::MAX;
    for (from, to, limit, expected) in [
        (b"" as &[u8], b"" as &[u8], all, &keys[..]),
        (b"a", b"", all, &keys[5..]),
        (b"a", b"b", all, &keys[5..8]),
        (b"a", b"aa", all, &keys[5..7]),
        (b"", b"a", all, &keys[..5]),
        (b"B", b"Z", all, &[]),
        (b"a\0", b"", 2, &keys[6..8]),
        (b"", b"a", 2, &keys[..2]),
        (b"", b"", 0, &[]),
        (b"a", b"a", all, &[]),
        (b"b", b"a", all, &[]),
        (&[0xff, 0xff, 0], b"", all, &[]),
    ] {
        let name = format!("the keys of range({from:?}, {to:?}, {limit})");
        expect(&name, range(from, to, limit), expected.iter().map(|key| key.to_vec()).collect());
    }
}

/// A checkpoint drops first: a key that it drops and puts is there afterwards. Of two puts of a key the later counts.
pub fn drops_come_before_puts(fresh: &Fresh<'_>) {
    let store = fresh()();
    ok("checkpoint", store.checkpoint(&puts(&[(b"gone", b"1"), (b"kept", b"1"), (b"replaced", b"1")])));
    let mut change = puts(&[(b"replaced", b"2"), (b"twice", b"1"), (b"twice", b"2")]);
    change.drops = vec![b"gone".to_vec(), b"replaced".to_vec(), b"never there".to_vec()];
    ok("checkpoint", store.checkpoint(&change));
    let row = |key: &[u8], bytes: &[u8]| (key.to_vec(), bytes.to_vec());
    let expected = vec![row(b"kept", b"1"), row(b"replaced", b"2"), row(b"twice", b"2")];
    expect("the map", ok("range", store.range(b"", b"", 10)), expected);
    expect("a dropped key", ok("get", store.get(b"gone")), None);
}

/// A range has as many rows as it may, however large they are: who gets fewer takes them for the last.
pub fn ranges_of_large_values_are_whole(fresh: &Fresh<'_>) {
    let store = fresh()();
    let rows: Vec<_> = (0u8..).map(|key| vec![key]).zip(large()).collect();
    for some in rows.chunks(12) {
        ok("checkpoint", store.checkpoint(&Checkpoint { puts: some.to_vec(), ..Checkpoint::default() }));
    }
    for limit in [rows.len() - 1, rows.len(), usize::MAX] {
        let found = ok("range", store.range(b"", b"", limit));
        let name = format!("how many of {} large values range(.., {limit}) has", rows.len());
        expect(&name, found.len(), limit.min(rows.len()));
        assert!(found == rows[..found.len()], "large values came back changed");
    }
}

/// What a checkpoint covers is remembered; map and journal do not touch each other.
pub fn a_checkpoint_covers(fresh: &Fresh<'_>) {
    let open = fresh();
    let store = open();
    append(&*store, &[b"1", b"2", b"3"]);
    let checkpoint = Checkpoint { covers: 2, drop_before: 2, ..puts(&[(b"k", b"v")]) };
    ok("checkpoint", store.checkpoint(&checkpoint));
    let heads = Heads { first: 2, last: 3, covers: 2 };
    expect("heads after a checkpoint", ok("heads", store.heads()), heads);
    append(&*store, &[b"4"]);
    expect("a key after an append", ok("get", store.get(b"k")), Some(b"v".to_vec()));
    drop(store);
    let store = open();
    expect("heads after opening again", ok("heads", store.heads()), Heads { last: 4, ..heads });
    ok("checkpoint", store.checkpoint(&Checkpoint { covers: 4, ..Checkpoint::default() }));
    expect("heads after the next", ok("heads", store.heads()), Heads { first: 2, last: 4, covers: 4 });
    expect("a key that it did not name", ok("get", store.get(b"k")), Some(b"v".to_vec()));
}

/// Of two processes that make checkpoints the slower one must not undo what the faster one said.
pub fn a_checkpoint_never_goes_back(fresh: &Fresh<'_>) {
    let store = fresh()();
    append(&*store, &[b"1", b"2", b"3"]);
    ok("checkpoint", store.checkpoint(&Checkpoint { covers: 3, ..puts(&[(b"k", b"new")]) }));
    let late = store.checkpoint(&Checkpoint { covers: 2, ..puts(&[(b"k", b"old")]) });
    assert!(matches!(late, Err(StoreError::Moved { last: 3 })), "a checkpoint that covers less: {late:?}");
    expect("what it covers", ok("heads", store.heads()).covers, 3);
    expect("a key", ok("get", store.get(b"k")), Some(b"new".to_vec()));
    ok("one that covers as much", store.checkpoint(&Checkpoint { covers: 3, ..puts(&[(b"k", b"newer")]) }));
}
