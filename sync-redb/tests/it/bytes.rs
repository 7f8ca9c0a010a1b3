//! A storage of bytes that can be looked at, changed, and made to fail.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::BackendError;
use sync_redb::StorageBackend;

/// What was done to the bytes.
#[derive(Debug, Clone)]
pub(crate) enum Done {
    Length(usize),
    Write(usize, Vec<u8>),
    Sync,
}

impl Done {
    pub(crate) fn carry_out(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(len) => bytes.resize(*len, 0),
            Self::Write(at, data) => {
                bytes.resize(bytes.len().max(at + data.len()), 0);
                bytes[*at..at + data.len()].copy_from_slice(data);
            }
            Self::Sync => {}
        }
    }
}

/// Clones share the bytes, as handles of one file do.
#[derive(Debug, Clone)]
pub(crate) struct Bytes {
    log: Arc<Mutex<Vec<Done>>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Changes and syncs that still succeed.
    fuel: Arc<AtomicU64>,
    /// Calls of all kinds so far, and which of them fails, once.
    calls: Arc<AtomicU64>,
    failing: Arc<AtomicU64>,
}

impl Bytes {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let never = || Arc::new(AtomicU64::new(u64::MAX));
        Self {
            log: Arc::default(),
            bytes: Arc::new(Mutex::new(bytes)),
            fuel: never(),
            calls: Arc::default(),
            failing: never(),
        }
    }

    pub(crate) fn copy(&self) -> Vec<u8> {
        self.bytes().clone()
    }

    pub(crate) fn flip(&self, at: usize) {
        self.bytes()[at] ^= 1;
    }

    /// Lets this many more changes and syncs succeed.
    pub(crate) fn fail_after(&self, calls: u64) {
        self.fuel.store(calls, Ordering::SeqCst);
    }

    /// Lets the `n`th call from the beginning fail, a read too, and no other.
    pub(crate) fn fail_once(&self, n: u64) {
        self.failing.store(n, Ordering::SeqCst);
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many steps there are in the log.
    pub(crate) fn steps(&self) -> usize {
        self.log.lock().expect("no thread panics while it holds the log").len()
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("no thread panics while it holds the bytes")
    }

    /// Everything that was done so far.
    pub(crate) fn log(&self) -> Vec<Done> {
        self.log.lock().expect("no thread panics while it holds the log").clone()
    }

    fn note(&self, done: Done) {
        self.log.lock().expect("no thread panics while it holds the log").push(done);
    }

    fn count(&self) -> io::Result<()> {
        let fails = self.calls.fetch_add(1, Ordering::SeqCst) == self.failing.load(Ordering::SeqCst);
        if fails { Err(io::Error::other("an I/O error")) } else { Ok(()) }
    }

    fn burn(&self) -> io::Result<()> {
        self.count()?;
        let left = self.fuel.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |fuel| fuel.checked_sub(1));
        left.map(drop).map_err(|_| io::Error::other("the disk is gone"))
    }
}

impl StorageBackend for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.count()?;
        let bytes = self.bytes();
        let found = usize::try_from(offset).ok().and_then(|at| bytes.get(at..at.checked_add(out.len())?));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.burn()?;
        // A damaged length must not take the machine's memory.
        if len > 1 << 28 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes().resize(len as usize, 0);
        self.note(Done::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.burn()?;
        self.note(Done::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.burn()?;
        let mut bytes = self.bytes();
        let place = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at..at.checked_add(data.len())?));
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        self.note(Done::Write(offset as usize, data.to_vec()));
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}

/// SplitMix64.
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
