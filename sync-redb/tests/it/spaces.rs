//! Many spaces in one file.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use sync_core::{Checkpoint, Store};
use sync_redb::{RedbFile, RedbStore};

#[test]
fn spaces_are_those_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.redb");
    let file = RedbFile::open(&path).unwrap();
    let stores = ["b", "", "a/ü", "b/c"].map(|name| file.space(name).unwrap());
    assert_eq!(file.spaces().unwrap(), Vec::<String>::new());
    for store in &stores {
        store.append(0, &[b"x"]).unwrap();
    }
    assert_eq!(file.spaces().unwrap(), ["", "a/ü", "b", "b/c"]);
    drop((file, stores));
    let file = RedbFile::open(&path).unwrap();
    assert_eq!(file.space("b").unwrap().heads().unwrap().last, 1);
    assert_eq!(file.space("never").unwrap().heads().unwrap().last, 0);
    assert!(file.verify().unwrap());
}

#[test]
fn a_thousand_small_spaces_are_a_small_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hub.redb");
    let file = RedbFile::open(&path).unwrap();
    for n in 0..1000 {
        file.space(&format!("space {n}")).unwrap().append(0, &[&[7; 100]]).unwrap();
    }
    file.close().unwrap();
    let bytes = fs::metadata(&path).unwrap().len();
    assert!(bytes < 1 << 20, "{bytes} bytes");
}

#[test]
fn reclaiming_shrinks_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.redb");
    let store = RedbStore::open(&path).unwrap();
    let commit = [7u8; 1000];
    store.append(0, &[commit.as_slice(); 3000]).unwrap();
    store.checkpoint(&Checkpoint { covers: 3000, drop_before: 2900, ..Checkpoint::default() }).unwrap();
    let before = fs::metadata(&path).unwrap().len();
    store.reclaim().unwrap();
    let after = fs::metadata(&path).unwrap().len();
    assert!(before > 3_000_000 && after < 500_000, "{before} bytes became {after}");
    assert_eq!(store.journal(0, usize::MAX).unwrap().len(), 101);
}

#[test]
fn one_space_is_reclaimed_while_others_are_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = RedbFile::open(dir.path().join("hub.redb")).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (file, done) = (&file, &done);
        let busy = ["a", "b"].map(|name| {
            scope.spawn(move || {
                let store = file.space(name).expect("the space opens");
                let mut last = 0;
                while !done.load(Ordering::SeqCst) {
                    last = store.append(last, &[&[7; 500]]).expect("a commit");
                    assert_eq!(store.journal(last, 2).expect("its row").len(), 1);
                }
                last
            })
        });
        for _ in 0..5 {
            let store = file.space("").expect("the space opens");
            let reclaimed = store.reclaim().and_then(|()| file.verify());
            done.fetch_or(reclaimed.is_err(), Ordering::SeqCst);
            assert!(reclaimed.expect("reclaimed and verified"));
        }
        done.store(true, Ordering::SeqCst);
        for (name, busy) in ["a", "b"].into_iter().zip(busy) {
            let last = busy.join().expect("a busy space");
            assert_eq!(file.space(name).expect("the space opens").heads().expect("its heads").last, last);
        }
    });
}

#[test]
fn handles_go_anywhere() {
    fn anywhere<T: Clone + Send + Sync + 'static>() {}
    anywhere::<RedbFile>();
    anywhere::<RedbStore>();
}
