//! A file that holds spaces.

use std::any::type_name;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, WriteTransaction};
use sync_core::StoreError;

use crate::fault::{Fault, Reopen, caught};
use crate::layout::{self, SpaceRow};
use crate::{RedbStore, create};

/// One file with any number of spaces. Clones share it; it is closed when the last of them and of their stores is
/// dropped, or by [`close`](Self::close).
#[derive(Clone)]
pub struct RedbFile(pub(crate) Arc<Shared>);

impl RedbFile {
    /// Opens the file, which is made if there is none, readable by its owner alone. Killed meanwhile, it leaves a
    /// complete file or none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if a process has it open, this one included; [`StoreError::Damaged`] if it is no database,
    /// an empty file, another program's, or damaged; [`StoreError::Newer`] if a newer version made it; and
    /// [`StoreError::Io`], also if the directory is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        Self::new(path.display().to_string(), || create::open_or_make(path))
    }

    /// Opens a database over any storage of bytes: a browser's, or one that fails on purpose. The storage sees to
    /// locks, and to being complete or empty when making the database in it was interrupted.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_backend<B: StorageBackend>(backend: B) -> Result<Self, StoreError> {
        Self::new(type_name::<B>().to_owned(), || {
            let database = create::builder(backend.len()?).create_with_backend(backend)?;
            create::ready(&database)?;
            Ok(database)
        })
    }

    fn new(what: String, open: impl FnOnce() -> Result<Database, Fault>) -> Result<Self, StoreError> {
        let database = caught(open).map_err(|fault| fault.about(&what))?;
        let database = RwLock::new(Some(database));
        Ok(Self(Arc::new(Shared { what, database, panicked: AtomicBool::new(false) })))
    }

    /// A space's store; the space is made when it is first written to.
    ///
    /// # Errors
    /// The file's.
    pub fn space(&self, name: &str) -> Result<RedbStore, StoreError> {
        RedbStore::of(self.clone(), name)
    }

    /// The names of the spaces that were ever written to, in the order of their bytes.
    ///
    /// # Errors
    /// The file's.
    pub fn spaces(&self) -> Result<Vec<String>, StoreError> {
        self.0.read(|txn| {
            let rows = txn.open_table(layout::SPACES)?;
            rows.iter()?.map(|row| Ok(row?.0.value().to_owned())).collect()
        })
    }

    /// Reads the whole file and compares all checksums, as opening does with files of up to 64 MiB, then what the
    /// spaces say of themselves with their rows. `true` if all is sound; `false` if redb found something and could mend
    /// it. Waits until no call is under way and keeps others waiting.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is damaged beyond that.
    pub fn verify(&self) -> Result<bool, StoreError> {
        let sound = self.0.exclusively(|database| Ok(database.check_integrity()?))?;
        self.0.read(|txn| {
            let (spaces, journal) = (txn.open_table(layout::SPACES)?, txn.open_table(layout::JOURNAL)?);
            for row in spaces.iter()? {
                let (name, bytes) = row?;
                SpaceRow::decode(name.value(), bytes.value())?.verify(&journal)?;
            }
            Ok(())
        })?;
        Ok(sound)
    }

    /// Gives dropped space back to the system. Waits until no call is under way and keeps others waiting.
    ///
    /// # Errors
    /// The file's.
    pub fn reclaim(&self) -> Result<(), StoreError> {
        self.0.exclusively(|database| Ok(database.compact()?)).map(drop)
    }

    /// Closes the file now, whoever still holds a clone; their calls fail from then on. Waits for those under way.
    ///
    /// # Errors
    /// The file's: it is closed all the same, and repaired when it is opened next.
    pub fn close(&self) -> Result<(), StoreError> {
        self.0.close().map_err(|fault| fault.about(&self.0.what))
    }
}

impl fmt::Debug for RedbFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedbFile").field(&self.0.what).finish()
    }
}

/// How a write is committed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One sync; killed behind it, the file is repaired when it is opened next.
    Quick,
    /// Two syncs; killed behind it, there is nothing to repair.
    Settled,
}

/// The open database. Every use of it goes through one of the four methods here.
pub(crate) struct Shared {
    what: String,
    /// Calls share it; what needs the database to itself takes it alone. Empty once closed.
    database: RwLock<Option<Database>>,
    /// redb fell over something: what it holds in memory is not to be trusted with writing.
    panicked: AtomicBool,
}

impl Shared {
    /// Looks at the state as of now; waits for no writer.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.shared(|database| look(&database.begin_read()?))
    }

    /// Makes a change, all of it or, if it ends in an error, nothing.
    pub(crate) fn write<T>(
        &self,
        kind: Kind,
        change: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.shared(|database| {
            self.check()?;
            let mut txn = database.begin_write()?;
            // Waiting for another writer may have been waiting for its failure.
            self.check()?;
            txn.set_quick_repair(kind == Kind::Settled);
            let value = change(&txn)?;
            txn.commit()?;
            Ok(value)
        })
    }

    fn shared<T>(&self, call: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        self.told(caught(|| call(database.as_ref().ok_or(Fault::Reopen(Reopen::Closed))?)))
    }

    fn exclusively<T>(&self, call: impl FnOnce(&mut Database) -> Result<T, Fault>) -> Result<T, StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        self.told(caught(|| {
            self.check()?;
            call(database.as_mut().ok_or(Fault::Reopen(Reopen::Closed))?)
        }))
    }

    fn close(&self) -> Result<(), Fault> {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        caught(|| Ok(database.map_or(Ok(()), Database::close)?))
    }

    fn told<T>(&self, done: Result<T, Fault>) -> Result<T, StoreError> {
        done.map_err(|fault| {
            if matches!(fault, Fault::Panicked(_)) {
                self.panicked.store(true, Ordering::SeqCst);
            }
            fault.about(&self.what)
        })
    }

    fn check(&self) -> Result<(), Fault> {
        if self.panicked.load(Ordering::SeqCst) { Err(Fault::Reopen(Reopen::Damage)) } else { Ok(()) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // redb writes when it closes, so it can fail or fall over damage; the next open repairs what it left.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_damage_and_ends_writing() {
        let file = RedbFile::with_backend(redb::backends::InMemoryBackend::new()).unwrap();
        let store = file.space("space").unwrap();
        sync_core::Store::append(&store, 0, &[b"one"]).unwrap();
        let told = file.0.write(Kind::Quick, |txn| {
            let _open = txn.open_table(layout::MAP)?;
            panic!("a page without sense");
            #[allow(unreachable_code)]
            Ok(())
        });
        let error = told.unwrap_err();
        assert_eq!(error.code(), "store_damaged");
        assert!(error.to_string().contains("a page without sense"), "{error}");
        let refused = sync_core::Store::append(&store, 1, &[b"two"]).unwrap_err();
        assert!(matches!(refused, StoreError::Io { .. }), "{refused:?}");
        assert_eq!(file.reclaim().unwrap_err().code(), "store_io");
        assert_eq!(sync_core::Store::heads(&store).unwrap().last, 1, "reading goes on");
        file.close().unwrap();
    }
}
