//! A disk that fails: what was acknowledged stays, nothing is written behind a failure, and opening again mends it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bytes::Bytes;
use sync_core::{
    Action, Checkpoint, ClientId, Dot, EntityKey, Entry, Heads, Hub, KeyValue, Offer, Op, Position, Spaces, Store,
    StoreError, Verdict,
};
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

/// What a hub does with one file for all of its spaces.
#[test]
fn a_space_that_is_opened_anew_after_a_failed_write_is_written_to() {
    for fuel in 0..12 {
        let disk = Bytes::new(vec![]);
        let storage = disk.clone();
        let file = RedbFile::with_backends(move || Ok(storage.clone())).unwrap();
        let [one, two] = ["one", "two"].map(|name| file.space(name).unwrap());
        one.append(0, &[b"1"]).unwrap();
        two.append(0, &[b"1"]).unwrap();
        disk.fail_after(fuel);
        let mut last = 1;
        let failed = loop {
            match one.append(last, &[b"more"]) {
                Ok(now) => last = now,
                Err(error) => break error,
            }
        };
        assert_eq!(failed.code(), "store_io");
        assert_eq!(two.append(1, &[b"2"]).expect_err("nothing is written after a failure").code(), "store_io");
        disk.fail_after(u64::MAX);
        assert_eq!(one.append(last, &[b"again"]).expect_err("it was not opened anew").code(), "store_io");

        let anew = file.space("one").unwrap();
        let found = anew.heads().unwrap().last;
        // What failed may have been carried out all the same.
        assert!(found == last || found == last + 1, "{found} after {last}");
        assert_eq!(anew.append(found, &[b"anew"]).unwrap(), found + 1);
        // Whoever holds another space of the file has to look again, too.
        for (store, last) in [(&one, found + 1), (&two, 1)] {
            assert_eq!(store.append(last, &[b"unseen"]).expect_err("it was given before").code(), "store_io");
            assert_eq!(store.checkpoint(&Checkpoint::default()).expect_err("nor this").code(), "store_io");
            assert_eq!(store.heads().unwrap().last, last, "reading goes on");
        }
        assert_eq!(file.space("two").unwrap().append(1, &[b"2"]).unwrap(), 2);
    }
}

#[test]
fn a_file_that_cannot_be_opened_anew_yet_is_tried_again() {
    let disk = Bytes::new(vec![]);
    let storage = disk.clone();
    let file = RedbFile::with_backends(move || Ok(storage.clone())).unwrap();
    let store = file.space("").unwrap();
    store.append(0, &[b"1"]).unwrap();
    disk.fail_after(0);
    store.append(1, &[b"2"]).unwrap_err();
    assert_eq!(file.space("").expect_err("the disk is gone").code(), "store_io");
    disk.fail_after(u64::MAX);
    assert_eq!(store.heads().expect_err("it is not open").code(), "store_io");
    let store = file.space("").unwrap();
    let last = store.heads().unwrap().last;
    store.append(last, &[b"more"]).unwrap();
    file.close().unwrap();
    assert_eq!(file.space("").expect_err("it was closed").code(), "store_io");
}

fn push(spaces: &Spaces, space: &str, n: u64) -> Result<u64, String> {
    let hub = spaces.get(space).map_err(|error| error.to_string())?;
    let entry = Entry {
        origin: sync_core::model::stamp::Origin { dot: Dot::new(ClientId::new("a"), n), time: n, author: None },
        foreign_id: None,
        key: EntityKey::new("note", n.to_string()),
        action: Action::Create,
        fields: vec![("title".into(), Op::Assign("one".into()))],
        replaces: Vec::new(),
        of: Vec::new().into(),
        saw: Vec::new().into(),
        group: None,
        unknown: None,
        intent: None,
    };
    let reply = hub.push("ada", None, vec![Offer::Entry(entry)]).map_err(|error| error.to_string())?;
    match reply.verdicts[0].1 {
        Verdict::Accepted { seq, .. } => Ok(seq),
        ref other => Err(format!("{other:?}")),
    }
}

#[test]
fn a_hub_with_one_file_for_all_goes_on_after_its_disk_was_full() {
    let disk = Bytes::new(vec![]);
    let storage = disk.clone();
    let file = RedbFile::with_backends(move || Ok(storage.clone())).unwrap();
    let spaces =
        Spaces::new(Hub::builder().name("home"), move |space| Ok(Arc::new(file.space(space)?) as Arc<dyn Store>));
    assert_eq!((push(&spaces, "one", 1), push(&spaces, "two", 1)), (Ok(1), Ok(1)));
    for n in 2..8 {
        // Fails at another call each time.
        disk.fail_after(n - 2);
        push(&spaces, "one", n).expect_err("the disk is full");
        disk.fail_after(u64::MAX);
        assert_eq!(push(&spaces, "one", n), Ok(n));
        push(&spaces, "two", n).expect_err("what it knew of the file may be wrong");
        assert_eq!(push(&spaces, "two", n), Ok(n));
        assert_eq!(push(&spaces, "one", n), Ok(n), "it was accepted");
    }
}

/// A file whose appends fail while the disk is full.
struct Full(RedbStore, Arc<AtomicBool>);

impl Store for Full {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.0.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(StoreError::io("the file", "no space left on device")),
            false => self.0.append(expected, commits),
        }
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.0.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        self.0.checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.0.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.0.reclaim()
    }
}

#[test]
fn a_hub_with_a_file_for_each_space_goes_on_after_its_disk_was_full() {
    let dir = tempfile::tempdir().unwrap();
    let (path, full) = (dir.path().to_owned(), Arc::new(AtomicBool::new(false)));
    let is_full = full.clone();
    let spaces = Spaces::new(Hub::builder().name("home"), move |space| {
        Ok(Arc::new(Full(RedbStore::open(path.join(space))?, is_full.clone())) as Arc<dyn Store>)
    });
    assert_eq!(push(&spaces, "one", 1), Ok(1));
    full.store(true, Ordering::SeqCst);
    push(&spaces, "one", 2).expect_err("the disk is full");
    full.store(false, Ordering::SeqCst);
    assert_eq!(push(&spaces, "one", 2), Ok(2));

    // Somebody still holds what failed, a live stream say.
    let held = spaces.get("one").unwrap();
    full.store(true, Ordering::SeqCst);
    push(&spaces, "one", 3).expect_err("the disk is full");
    full.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(spaces.get("one").expect_err("the file is open").code(), "store_locked");
    }
    drop(held);
    assert_eq!(push(&spaces, "one", 3), Ok(3));
}
