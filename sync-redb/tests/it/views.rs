//! What reads share between two writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use sync_core::{Checkpoint, Store, StoreError};
use sync_redb::RedbStore;

/// A writer's, over also where it fails: those who read until then would not end.
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whoever was told of a write, or has seen it, reads it, whatever others read and write meanwhile.
#[test]
fn what_was_told_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(dir.path().join("store.redb")).unwrap();
    let writers = AtomicUsize::new(2);
    let write = |key: &[u8]| {
        let _turn = Turn(&writers);
        let mut written = 0_u64;
        while written < 600 {
            let seen = store.heads().unwrap().last;
            match store.append(seen, &[b"row"]) {
                Ok(position) => {
                    assert!(store.heads().unwrap().last >= position);
                    written += 1;
                }
                Err(StoreError::Moved { last }) => assert!(store.heads().unwrap().last >= last),
                Err(error) => panic!("{error}"),
            }
            if written.is_multiple_of(8) {
                let covers = store.heads().unwrap().covers;
                let puts = vec![(key.to_vec(), written.to_le_bytes().to_vec())];
                store.checkpoint(&Checkpoint { covers, puts, ..Checkpoint::default() }).unwrap();
                assert_eq!(store.get(key).unwrap().unwrap(), written.to_le_bytes());
            }
        }
    };
    let read = || {
        let mut last = 0;
        while writers.load(Ordering::Relaxed) > 0 {
            let now = store.heads().unwrap().last;
            assert!(now >= last, "{now} was read after {last}");
            last = now;
        }
    };
    thread::scope(|scope| {
        for key in [b"a", b"b"] {
            scope.spawn(|| write(key));
            scope.spawn(read);
        }
    });
}

/// redb keeps what a view may read: one that is not let go of keeps a file growing.
#[test]
fn a_file_that_is_read_between_writes_does_not_grow_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let store = RedbStore::open(&path).unwrap();
    for n in 0..1_000 {
        store.append(n, &[&[7; 200]]).unwrap();
        store.get(b"key").unwrap();
        store.heads().unwrap();
        if n % 100 == 99 {
            let puts = (0..200_u32).map(|key| (key.to_le_bytes().to_vec(), vec![n as u8; 500])).collect();
            store.checkpoint(&Checkpoint { covers: n + 1, drop_before: n, puts, drops: Vec::new() }).unwrap();
        }
    }
    // Closing it would give back what is free at its end. It holds about 120 kB.
    let bytes = fs::metadata(path).unwrap().len();
    assert!(bytes < 2 << 20, "{bytes} bytes");
}
