//! Damaged bytes end in errors when the file is opened; what can be opened reads as it was written.

use crate::bytes::{Bytes, random};
use sync_core::{Checkpoint, Heads, Store, StoreError};
use sync_redb::{RedbFile, RedbStore};

type Pairs<K> = Vec<(K, Vec<u8>)>;

/// Everything that can be read of a store.
#[derive(Debug, PartialEq)]
struct Whole {
    heads: Heads,
    journal: Pairs<u64>,
    map: Pairs<Vec<u8>>,
    got: Vec<Option<Vec<u8>>>,
}

const KEYS: u16 = 150;
const FLIPS: u32 = 200;

fn open(bytes: Vec<u8>) -> Result<RedbStore, StoreError> {
    RedbFile::with_backend(Bytes::new(bytes))?.space("some space")
}

fn key(n: u16) -> Vec<u8> {
    [b"key".as_slice(), &n.to_be_bytes()].concat()
}

fn read(store: &RedbStore) -> Result<Whole, StoreError> {
    Ok(Whole {
        heads: store.heads()?,
        journal: store.journal(0, usize::MAX)?,
        map: store.range(b"", b"", usize::MAX)?,
        got: (0..KEYS).step_by(10).map(|n| store.get(&key(n))).collect::<Result<_, _>>()?,
    })
}

fn write(store: &RedbStore) -> Result<(), StoreError> {
    let last = store.heads()?.last;
    store.append(last, &[b"more", b"and more"])?;
    let drops = (0..KEYS).step_by(2).map(key).collect();
    store.checkpoint(&Checkpoint { covers: last, drop_before: 30, puts: vec![(key(7), vec![7; 300])], drops })?;
    store.reclaim()
}

/// A closed file with a hundred commits and as many keys, some of each replaced or dropped.
fn written() -> (Vec<u8>, Whole) {
    let disk = Bytes::new(vec![]);
    let store = RedbFile::with_backend(disk.clone()).and_then(|file| file.space("some space")).expect("it opens");
    for n in 0..100u8 {
        store.append(u64::from(n), &[&[n; 90]]).expect("a commit");
    }
    let puts = (0..KEYS).map(|n| (key(n), vec![n as u8; 60])).collect();
    let checkpoint = Checkpoint { covers: 90, drop_before: 20, puts, drops: vec![] };
    store.checkpoint(&checkpoint).expect("a checkpoint");
    let whole = read(&store).expect("all is read");
    drop(store);
    (disk.copy(), whole)
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    let (bytes, whole) = written();
    // Most of a small file is empty.
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let (mut found, mut state) = (0, 1);
    for _ in 0..FLIPS {
        let bit = used[random(&mut state) as usize % used.len()] * 8 + random(&mut state) as usize % 8;
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match open(flipped) {
            Err(StoreError::Damaged { .. }) => found += 1,
            Err(error) => panic!("bit {bit}: {error:?}"),
            Ok(store) => {
                let read = read(&store).unwrap_or_else(|error| panic!("bit {bit}: {error:?}"));
                assert!(read == whole, "bit {bit}: opened, but reads otherwise");
                write(&store).unwrap_or_else(|error| panic!("bit {bit}: {error:?}"));
                assert!(store.file().verify().unwrap(), "bit {bit}: not sound after writing");
            }
        }
    }
    assert!(found > FLIPS / 5, "only {found} of {FLIPS} found damaged");
}

#[test]
fn damage_while_it_is_open_is_found_by_verify() {
    let (bytes, _) = written();
    let disk = Bytes::new(bytes.clone());
    let store = RedbFile::with_backend(disk.clone()).and_then(|file| file.space("some space")).unwrap();
    assert!(store.file().verify().unwrap());
    let row = bytes.windows(90).position(|row| row == [77; 90]).expect("the commit's bytes");
    disk.flip(row + 5);
    assert_eq!(store.file().verify().unwrap_err().code(), "store_damaged");
    assert!(store.append(100, &[b"more"]).is_err(), "a damaged file is written to");
}

#[test]
fn a_file_cut_short_is_damaged() {
    let (bytes, _) = written();
    for kept in (1..20).map(|n| bytes.len() * n / 20) {
        let error = open(bytes[..kept].to_vec());
        assert!(matches!(error, Err(StoreError::Damaged { .. })), "{kept} of {} bytes: {error:?}", bytes.len());
    }
}
