//! A storage of bytes that can be looked at, changed, and made to fail.

use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::BackendError;
use sync_redb::StorageBackend;

/// Clones share the bytes, as handles of one file do.
#[derive(Debug, Clone)]
pub(crate) struct Bytes {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Changes and syncs that still succeed.
    fuel: Arc<AtomicU64>,
}

impl Bytes {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: Arc::new(Mutex::new(bytes)), fuel: Arc::new(AtomicU64::new(u64::MAX)) }
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

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("no thread panics while it holds the bytes")
    }

    fn burn(&self) -> io::Result<()> {
        let left = self.fuel.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |fuel| fuel.checked_sub(1));
        left.map(drop).map_err(|_| io::Error::other("the disk is gone"))
    }
}

impl StorageBackend for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
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
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.burn()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.burn()?;
        let mut bytes = self.bytes();
        let place = usize::try_from(offset).ok().and_then(|at| bytes.get_mut(at..at.checked_add(data.len())?));
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}
