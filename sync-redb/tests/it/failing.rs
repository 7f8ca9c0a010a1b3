//! A disk that fails: what was acknowledged stays, nothing is written behind a failure, and opening again mends it.

use std::error::Error;

use crate::bytes::Bytes;
use sync_core::{Checkpoint, Store, StoreError};
use sync_redb::{RedbFile, RedbStore};

fn open(disk: &Bytes) -> RedbStore {
    RedbFile::with_backend(disk.clone()).and_then(|file| file.space("")).expect("the store opens")
}

fn commits(store: &RedbStore) -> Vec<Vec<u8>> {
    let rows = store.journal(0, usize::MAX).expect("the journal is read");
    rows.into_iter().map(|(_, commit)| commit).collect()
}

#[test]
fn a_disk_that_fails_at_any_call_loses_nothing_acknowledged() {
    let mut failures = 0;
    for fuel in 0..30 {
        let disk = Bytes::new(vec![]);
        let store = open(&disk);
        store.append(0, &[b"1", b"2"]).unwrap();
        disk.fail_after(fuel);
        let mut acknowledged = vec![b"1".to_vec(), b"2".to_vec()];
        for n in 3..8u64 {
            match store.append(n - 1, &[n.to_string().as_bytes()]) {
                Ok(_) => acknowledged.push(n.to_string().into_bytes()),
                Err(error) => {
                    failures += 1;
                    nothing_more_is_written(&store, n - 1, &acknowledged, &error);
                    break;
                }
            }
        }
        drop(store);
        disk.fail_after(u64::MAX);
        let store = open(&disk);
        let found = commits(&store);
        // The call that failed may have been carried out all the same, as a whole.
        assert!(found.starts_with(&acknowledged) && found.len() <= acknowledged.len() + 1, "{fuel}: {found:?}");
        store.append(found.len() as u64, &[b"more"]).unwrap();
    }
    assert!(failures > 10, "only {failures} appends failed");
}

fn nothing_more_is_written(store: &RedbStore, last: u64, acknowledged: &[Vec<u8>], error: &StoreError) {
    assert_eq!(error.code(), "store_io");
    assert!(!error.is_retryable());
    assert_eq!(error.source().expect("the disk's reason").to_string(), "the disk is gone");
    let again = store.append(last, &[b"again"]).expect_err("nothing is written after a failure");
    assert_eq!(again.code(), "store_io");
    let reason = again.source().expect("a reason").to_string();
    assert!(reason.contains("open it again"), "{reason}");
    assert_eq!(store.checkpoint(&Checkpoint::default()).expect_err("nor this").code(), "store_io");
    assert_eq!(store.reclaim().expect_err("nor this").code(), "store_io");
    assert_eq!(commits(store), acknowledged, "reading goes on");
}

#[test]
fn a_checkpoint_that_fails_changed_nothing_or_all() {
    let (mut before, mut after) = (0, 0);
    for fuel in 0..40 {
        let disk = Bytes::new(vec![]);
        let store = open(&disk);
        store.append(0, &[b"1", b"2", b"3"]).unwrap();
        let put = |covers, drop_before, bytes: &[u8]| {
            let puts = (0..20u8).map(|key| (vec![key], bytes.to_vec())).collect();
            store.checkpoint(&Checkpoint { covers, drop_before, puts, drops: vec![] })
        };
        put(1, 2, b"old").unwrap();
        disk.fail_after(fuel);
        let done = put(3, 4, b"new").is_ok();
        drop(store);
        disk.fail_after(u64::MAX);
        let store = open(&disk);
        let map = store.range(b"", b"", 100).unwrap();
        let heads = store.heads().unwrap();
        assert_eq!((map.len(), heads.last), (20, 3));
        if heads.covers == 3 {
            after += 1;
            assert!(map.iter().all(|(_, bytes)| bytes == b"new") && heads.first == 4);
        } else {
            before += 1;
            assert!(!done, "an acknowledged checkpoint is gone");
            assert!(map.iter().all(|(_, bytes)| bytes == b"old") && heads.first == 2 && heads.covers == 1);
        }
    }
    assert!(before > 3 && after > 3, "failed {before} times before it was done, {after} after");
}

#[test]
fn what_was_dropped_without_being_closed_is_all_there() {
    let disk = Bytes::new(vec![]);
    let store = open(&disk);
    store.append(0, &[b"1"]).unwrap();
    store.checkpoint(&Checkpoint { covers: 1, ..Checkpoint::default() }).unwrap();
    store.append(1, &[b"2", b"3"]).unwrap();
    // As a killed process leaves the file.
    let left = Bytes::new(disk.copy());
    let found = open(&left);
    assert_eq!(commits(&found), [b"1", b"2", b"3"]);
    assert_eq!(found.heads().unwrap().covers, 1);
    assert!(found.file().verify().unwrap());
}
