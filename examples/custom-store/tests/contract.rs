//! The example keeps the contract.

use std::fs;
use std::sync::Arc;

use custom_store::SqliteStore;
use rusqlite::Connection;
use sync_core::{Checkpoint, Store, StoreError};

sync_testkit::store_tests!(sqlite, || {
    let dir = tempfile::tempdir().unwrap();
    move || -> Arc<dyn Store> { Arc::new(SqliteStore::open(dir.path().join("store.sqlite")).unwrap()) }
});

#[test]
fn two_connections_share_one_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let (one, other) = (SqliteStore::open_shared(&path).unwrap(), SqliteStore::open_shared(&path).unwrap());
    one.append(0, &[b"one's"]).unwrap();
    assert!(matches!(other.append(0, &[b"other's"]), Err(StoreError::Moved { last: 1 })));
    other.append(1, &[b"other's"]).unwrap();
    assert_eq!(one.journal(0, 10).unwrap().len(), 2);
}

#[test]
fn a_device_has_its_file_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    for other in [SqliteStore::open(&path), SqliteStore::open_shared(&path)] {
        assert!(matches!(other.unwrap_err(), StoreError::Locked { .. }));
    }
    store.append(0, &[b"one"]).unwrap();
    drop(store);
    let shared = SqliteStore::open_shared(&path).unwrap();
    assert_eq!(shared.heads().unwrap().last, 1);
    assert!(matches!(SqliteStore::open(&path).unwrap_err(), StoreError::Locked { .. }));
}

#[test]
fn what_it_cannot_open_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    fs::write(&path, "no database, but long enough to have room for the header of one, which has a hundred bytes")
        .unwrap();
    assert_eq!(SqliteStore::open(&path).unwrap_err().code(), "store_damaged");
    let path = dir.path().join("newer");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Newer { found: 9, known: 1, .. })));
    assert_eq!(SqliteStore::open(dir.path().join("nowhere").join("file")).unwrap_err().code(), "store_io");
}

#[test]
fn reclaiming_shrinks_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    let commit = [7u8; 1000];
    store.append(0, &[commit.as_slice(); 1000]).unwrap();
    store.checkpoint(&Checkpoint { covers: 1000, drop_before: 1001, ..Checkpoint::default() }).unwrap();
    store.reclaim().unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 100_000);
    assert_eq!(store.heads().unwrap().last, 1000);
}
