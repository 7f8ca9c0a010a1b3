//! A file that holds spaces.

use std::any::type_name;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fmt, io};

use redb::{Database, ReadableTable, StorageBackend, WriteTransaction};
use sync_core::StoreError;

use crate::fault::{Fault, Reopen, caught};
use crate::layout::SpaceRow;
use crate::view::{Latest, View};
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
        let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // Never made: a file that was removed meanwhile would begin its positions once more.
        let again: Box<Open> = Box::new(move || {
            create::distrust_cache(&place);
            create::open(&place)
        });
        Self::new(path.display().to_string(), || create::open_or_make(path), Some(again))
    }

    /// Opens a database over any storage of bytes: a browser's, or one that fails on purpose. The storage sees to
    /// locks, and to being complete or empty when making the database in it was interrupted.
    ///
    /// redb takes the storage for itself, so after a failed write it cannot be opened anew here: nothing is written any
    /// more until the program makes another `RedbFile`. [`with_backends`](Self::with_backends) goes on by itself.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_backend<B: StorageBackend>(backend: B) -> Result<Self, StoreError> {
        Self::new(type_name::<B>().to_owned(), || create::over(backend), None)
    }

    /// As [`with_backend`](Self::with_backend), over a storage that `open` gives again after a failed write, once the one
    /// that it gave before was closed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_backends<B: StorageBackend>(
        open: impl Fn() -> io::Result<B> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let open = move || create::over(open()?);
        let first = caught(&open);
        Self::new(type_name::<B>().to_owned(), || first, Some(Box::new(open)))
    }

    fn new(
        what: String,
        open: impl FnOnce() -> Result<Database, Fault>,
        again: Option<Box<Open>>,
    ) -> Result<Self, StoreError> {
        let database = caught(open).map_err(|fault| fault.about(&what))?;
        let opened = RwLock::new(Opened { database: Ok(database), latest: Latest::default(), times: 1 });
        let (panicked, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self(Arc::new(Shared { what, again, opened, panicked, failed })))
    }

    /// A space's store; the space is made when it is first written to. After a failed write the file is opened anew here,
    /// and of the stores that were given before none writes any more.
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
        self.0.read(|view| {
            let rows = view.spaces()?;
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
        self.0.read(|view| {
            for row in view.spaces()?.iter()? {
                let (name, bytes) = row?;
                SpaceRow::decode(name.value(), bytes.value())?.verify(view.journal()?)?;
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

/// How the database is opened again.
type Open = dyn Fn() -> Result<Database, Fault> + Send + Sync;

/// The open database. Every use of it goes through one of the methods here.
pub(crate) struct Shared {
    what: String,
    again: Option<Box<Open>>,
    /// Calls share it; what needs the database to itself takes it alone.
    opened: RwLock<Opened>,
    /// redb fell over something: what it holds in memory is not to be trusted with writing.
    panicked: AtomicBool,
    /// The disk failed: nobody knows what reached it, so nothing is written until the database was opened anew. Set while
    /// `opened` is shared, taken back by the one who has it alone.
    failed: AtomicBool,
}

struct Opened {
    /// Or why it is not open.
    database: Result<Database, Reopen>,
    /// What reads look at.
    latest: Latest,
    /// How often it was opened. A store writes only to what was open when it was given: what its holder knows of the file
    /// may be wrong since.
    times: u64,
}

impl Shared {
    /// Looks at the state as of now; waits for no writer.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&View) -> Result<T, Fault>) -> Result<T, StoreError> {
        // Behind a failure redb reads only what it has in memory. The database is not opened anew for that: what failed may
        // be there after all, and who reads knows nothing of it.
        self.told(self.shared(|opened| look(&*opened.latest.view(opened.database()?)?)))
    }

    /// Makes a change, all of it or, if it ends in an error, nothing; for a store that was given when the database had
    /// been opened so many times.
    pub(crate) fn write<T>(
        &self,
        times: u64,
        kind: Kind,
        change: impl FnOnce(&WriteTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let written = self.shared(|opened| {
            if opened.times != times {
                return Err(Fault::Reopen(Reopen::FailedWrite));
            }
            self.check()?;
            let mut txn = opened.database()?.begin_write()?;
            // Waiting for another writer may have been waiting for its failure.
            self.check()?;
            // What this sees of that one's write, others who hear of it see too.
            opened.latest.forget();
            txn.set_quick_repair(kind == Kind::Settled);
            let value = change(&txn)?;
            let committed = txn.commit();
            opened.latest.forget();
            committed?;
            Ok(value)
        });
        self.told(written)
    }

    /// How often the database was opened, for a store that is about to be given. Opens it anew first if it failed.
    pub(crate) fn times(&self) -> Result<u64, StoreError> {
        if self.failed.load(Ordering::SeqCst) {
            return self.told(self.recover());
        }
        Ok(self.opened.read().unwrap_or_else(PoisonError::into_inner).times)
    }

    /// Opens the database anew if it failed and it is known how. Waits until no call is under way.
    fn recover(&self) -> Result<u64, Fault> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let is_closed = matches!(opened.database, Err(Reopen::Closed));
        let is_given_up = is_closed || self.panicked.load(Ordering::SeqCst);
        if let (true, false, Some(again)) = (self.failed.load(Ordering::SeqCst), is_given_up, &self.again) {
            // It can be open only once. What closing it fails with is what it failed with before.
            let before = std::mem::replace(&mut opened.database, Err(Reopen::FailedWrite));
            opened.latest.forget();
            let _ = caught(|| Ok(before.map(Database::close)));
            opened.times += 1;
            opened.database = Ok(caught(again)?);
            self.failed.store(false, Ordering::SeqCst);
        }
        Ok(opened.times)
    }

    fn shared<T>(&self, call: impl FnOnce(&Opened) -> Result<T, Fault>) -> Result<T, Fault> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        // Noted before the database may be opened anew: what failed is this one.
        self.noted(caught(|| call(&opened)))
    }

    fn exclusively<T>(&self, call: impl FnOnce(&mut Database) -> Result<T, Fault>) -> Result<T, StoreError> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let done = self.noted(caught(|| {
            self.check()?;
            opened.latest.forget();
            call(opened.database.as_mut().map_err(|why| Fault::Reopen(*why))?)
        }));
        self.told(done)
    }

    fn close(&self) -> Result<(), Fault> {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        let database = std::mem::replace(&mut opened.database, Err(Reopen::Closed));
        opened.latest.forget();
        caught(|| Ok(database.map_or(Ok(()), Database::close)?))
    }

    fn noted<T>(&self, done: Result<T, Fault>) -> Result<T, Fault> {
        match &done {
            Err(Fault::Panicked(_)) => self.panicked.store(true, Ordering::SeqCst),
            Err(Fault::Redb(redb::Error::Io(_) | redb::Error::PreviousIo)) => self.failed.store(true, Ordering::SeqCst),
            _ => {}
        }
        done
    }

    fn told<T>(&self, done: Result<T, Fault>) -> Result<T, StoreError> {
        done.map_err(|fault| fault.about(&self.what))
    }

    fn check(&self) -> Result<(), Fault> {
        match (self.panicked.load(Ordering::SeqCst), self.failed.load(Ordering::SeqCst)) {
            (true, _) => Err(Fault::Reopen(Reopen::Damage)),
            (false, true) => Err(Fault::Reopen(Reopen::FailedWrite)),
            (false, false) => Ok(()),
        }
    }
}

impl Opened {
    fn database(&self) -> Result<&Database, Fault> {
        self.database.as_ref().map_err(|why| Fault::Reopen(*why))
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
        let told = file.0.write(1, Kind::Quick, |txn| {
            let _open = txn.open_table(crate::layout::MAP)?;
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

    /// A disk cannot be made to fail below a path: what a failure leaves is set here.
    #[test]
    fn a_file_with_a_path_is_opened_anew_and_never_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.redb");
        let file = RedbFile::open(&path).unwrap();
        let before = file.space("space").unwrap();
        sync_core::Store::append(&before, 0, &[b"one"]).unwrap();
        file.0.failed.store(true, Ordering::SeqCst);
        assert_eq!(sync_core::Store::append(&before, 1, &[b"two"]).unwrap_err().code(), "store_io");
        let anew = file.space("space").unwrap();
        assert_eq!(sync_core::Store::append(&anew, 1, &[b"two"]).unwrap(), 2);
        assert_eq!(sync_core::Store::append(&before, 2, &[b"three"]).unwrap_err().code(), "store_io");

        file.0.failed.store(true, Ordering::SeqCst);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.space("space").unwrap_err().code(), "store_io");
        assert!(!path.exists());
    }
}
