//! One call does half of what it should, or all of it, and says that the disk is full: in a file that is opened anew by
//! itself, and in one that is opened as a kill leaves it, what was acknowledged is there, and writing goes on.

use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::BackendError;
use sync_core::{Checkpoint, Store, StoreError};
use sync_redb::{RedbFile, RedbStore, StorageBackend};

use crate::bytes::Bytes;

/// What the one call does.
#[derive(Debug, Clone, Copy)]
enum Mischief {
    /// Half of a write or a read, nothing of a length; and it says that the disk is full.
    Half,
    /// All of it, and says that it failed.
    Whole,
}

#[derive(Debug, Clone)]
struct Torn {
    disk: Bytes,
    calls: Arc<AtomicU64>,
    at: Arc<AtomicU64>,
    mischief: Mischief,
}

impl Torn {
    fn new(mischief: Mischief) -> Self {
        let at = Arc::new(AtomicU64::new(u64::MAX));
        Self { disk: Bytes::new(vec![]), calls: Arc::default(), at, mischief }
    }

    fn is_it(&self) -> bool {
        self.calls.fetch_add(1, Ordering::SeqCst) == self.at.load(Ordering::SeqCst)
    }

    fn full() -> io::Error {
        ErrorKind::StorageFull.into()
    }
}

impl StorageBackend for Torn {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if !self.is_it() {
            return self.disk.read(offset, out);
        }
        let half = out.len() / 2;
        self.disk.read(offset, &mut out[..half])?;
        Err(ErrorKind::Interrupted.into())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !self.is_it() {
            return self.disk.set_len(len);
        }
        // Nothing leaves half of a length.
        if matches!(self.mischief, Mischief::Whole) {
            self.disk.set_len(len)?;
        }
        Err(Self::full())
    }

    fn sync_data(&self) -> io::Result<()> {
        if !self.is_it() {
            return self.disk.sync_data();
        }
        Err(Self::full())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.is_it() {
            return self.disk.write(offset, data);
        }
        let to = if matches!(self.mischief, Mischief::Half) { data.len() / 2 } else { data.len() };
        self.disk.write(offset, &data[..to])?;
        Err(Self::full())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}

/// Writes and reads; what was acknowledged, or what went wrong.
fn live(store: &RedbStore, acknowledged: &mut Vec<Vec<u8>>, rounds: usize) -> Result<(), StoreError> {
    for _ in 0..rounds {
        let n = acknowledged.len() as u64;
        let commit = vec![n as u8; 1 + 700 * (n as usize % 9)];
        store.append(n, &[&commit])?;
        acknowledged.push(commit);
        if n % 5 == 4 {
            let puts = vec![(b"k".to_vec(), n.to_be_bytes().to_vec())];
            store.checkpoint(&Checkpoint { covers: n, drop_before: 0, puts, drops: vec![] })?;
            store.reclaim()?;
        }
        store.get(b"k")?;
    }
    Ok(())
}

fn once(mischief: Mischief, at: u64) -> bool {
    let torn = Torn::new(mischief);
    torn.at.store(at, Ordering::SeqCst);
    let storage = torn.clone();
    let mut acknowledged = Vec::new();
    let file = match RedbFile::with_backends(move || Ok(storage.clone())) {
        Ok(file) => file,
        Err(error) => {
            assert!(["store_io", "store_damaged"].contains(&error.code()), "{mischief:?} {at}: {error:?}");
            return true;
        }
    };
    let first = file.space("").and_then(|store| live(&store, &mut acknowledged, 20));
    let met = torn.calls.load(Ordering::SeqCst) > at;
    if let Err(error) = &first {
        assert!(["store_io", "store_damaged"].contains(&error.code()), "{mischief:?} {at}: {error:?}");
    }
    let check = |how: &str, store: &RedbStore| {
        let rows = store.journal(0, usize::MAX).unwrap_or_else(|error| panic!("{mischief:?} {at} {how}: {error:?}"));
        let found: Vec<Vec<u8>> = rows.into_iter().map(|(_, commit)| commit).collect();
        assert!(found.starts_with(&acknowledged), "{mischief:?} {at} {how}: {} of {}", found.len(), acknowledged.len());
        assert!(found.len() <= acknowledged.len() + 1, "{mischief:?} {at} {how}");
        found
    };
    // By itself, as a hub has it; and as whoever starts again finds it, ended in order or not.
    let killed = Bytes::new(torn.disk.copy());
    if first.is_err() {
        let store = file.space("").unwrap_or_else(|error| panic!("{mischief:?} {at} anew: {error:?}"));
        let mut found = check("anew", &store);
        live(&store, &mut found, 3).unwrap_or_else(|error| panic!("{mischief:?} {at} goes on: {error:?}"));
    } else {
        check("still", &file.space("").expect("it is open"));
    }
    let opened = RedbFile::with_backend(killed).unwrap_or_else(|error| panic!("{mischief:?} {at} killed: {error:?}"));
    check("killed", &opened.space("").expect("it is open"));
    met
}

#[test]
fn whatever_one_call_does_nothing_acknowledged_is_lost() {
    for mischief in [Mischief::Half, Mischief::Whole] {
        let mut at = 0;
        while once(mischief, at) && at < 2_000 {
            at += 1;
        }
        println!("{mischief:?}: {at} calls");
        assert!(at > 100, "{mischief:?}: only {at} calls");
    }
}
