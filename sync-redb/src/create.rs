//! Making a file that is complete from the first moment on.
//!
//! redb makes a database in place: killed meanwhile, it leaves a file that can never be opened. So a new database is
//! made beside its place, synced, and renamed to its place once it is complete, without replacing what another process
//! may have put there in between.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, StorageBackend};
use tempfile::NamedTempFile;

use crate::fault::Fault;
use crate::layout;
use crate::room::Roomy;

/// redb would take a gigabyte.
const CACHE_BYTES: usize = 16 << 20;

/// Up to this size a file is read and checked as a whole when it is opened (a millisecond a megabyte). Larger ones are
/// only when they were not closed, or by `verify`.
const CHECKED_BYTES: u64 = 64 << 20;

/// How often to look again when files come and go under our hands.
const TRIES: usize = 5;

/// How to open or make a database that takes up `bytes` now.
fn builder(bytes: u64) -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder.set_check_integrity_on_open((1..=CHECKED_BYTES).contains(&bytes));
    builder
}

/// Opens the file, which is made if there is none.
pub(crate) fn open_or_make(path: &Path) -> Result<Database, Fault> {
    let mut tries = 1;
    loop {
        match open(path) {
            Err(fault) if is_missing(&fault) && tries < TRIES => make(path, tries == 1)?,
            other => return other,
        }
        tries += 1;
    }
}

/// Opens the database in a storage, or makes it there.
pub(crate) fn over(backend: impl StorageBackend) -> Result<Database, Fault> {
    let database = builder(backend.len()?).create_with_backend(backend)?;
    ready(&database)?;
    Ok(database)
}

/// Makes the tables, unless they are there.
fn ready(database: &Database) -> Result<(), Fault> {
    if !layout::is_ready(&database.begin_read()?)? {
        let txn = database.begin_write()?;
        layout::make(&txn)?;
        txn.commit()?;
    }
    Ok(())
}

/// Opens the file, which is there.
pub(crate) fn open(path: &Path) -> Result<Database, Fault> {
    // redb would make a database of it, in place; and the file may have held one.
    let file = File::options().read(true).write(true).open(path)?;
    let bytes = file.metadata()?.len();
    if bytes == 0 {
        let message = "the file is empty; remove it if it never held anything, and a new one is made";
        return Err(Fault::Damaged(message.into()));
    }
    let database = builder(bytes).create_with_backend(Roomy::file(file)?)?;
    ready(&database)?;
    // Always, because whoever made the file may have been killed before this.
    sync_directory(&beside(path)?.0)?;
    Ok(database)
}

/// Has the system read a file from the disk again. After a sync that failed it takes what it has in memory for written
/// (Rebello et al., "Can Applications Recover from fsync Failures?", 2020): read from there, a commit that failed would look
/// like one that is durable.
pub(crate) fn distrust_cache(path: &Path) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(file) = File::open(path) {
        // It is advice: where it is not taken, the file is opened as ever.
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = path;
}

fn is_missing(fault: &Fault) -> bool {
    match fault {
        Fault::Io(error) | Fault::Redb(redb::Error::Io(error)) => error.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

/// Puts a new database at the path, unless another process does so first.
fn make(path: &Path, sweep: bool) -> Result<(), Fault> {
    let (parent, prefix) = beside(path)?;
    if sweep {
        remove_leftovers(&parent, &prefix);
    }
    let new =
        tempfile::Builder::new().prefix(&prefix).tempfile_in(&parent).map_err(|error| in_words(error, &parent))?;
    fill(&new)?;
    Ok(put(new, path)?)
}

/// The name of a file that exists for a moment says nothing to people.
fn in_words(error: io::Error, parent: &Path) -> io::Error {
    match error.kind() {
        ErrorKind::NotFound => io::Error::new(error.kind(), format!("there is no folder {}", parent.display())),
        kind => match error.get_ref().and_then(|inner| inner.source()) {
            Some(system) => io::Error::new(kind, format!("no file can be made in {}: {system}", parent.display())),
            None => error,
        },
    }
}

fn fill(new: &NamedTempFile) -> Result<(), Fault> {
    // By its handle, not by its name, which another process may sweep away.
    let backend = FileBackend::new(new.as_file().try_clone()?)?;
    let database = builder(0).create_with_backend(backend)?;
    ready(&database)?;
    database.close()?;
    new.as_file().sync_all()?;
    Ok(())
}

/// Renames it to the path if nothing is there; something being there, or it having been swept away, is no error.
fn put(new: NamedTempFile, path: &Path) -> io::Result<()> {
    let Err(refused) = new.persist_noclobber(path) else { return Ok(()) };
    match refused.error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotFound => Ok(()),
        // A file system that has neither links nor a rename that refuses to replace (phones' shared storage).
        _ if !path.try_exists()? => refused.file.persist(path).map(drop).map_err(|refused| refused.error),
        _ => Ok(()),
    }
}

/// The directory, and how the names of new files for this path begin there.
fn beside(path: &Path) -> Result<(PathBuf, String), Fault> {
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((parent.to_owned(), format!(".{}.new-", name.to_string_lossy())))
}

/// Removes what killed processes left behind. Another process's, still at work, may be among it: that one finds its
/// file gone when it wants to rename it, and looks again.
fn remove_leftovers(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            // It only takes up space: failing to remove it is no reason not to open the store.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes the file's name survive a loss of power.
fn sync_directory(parent: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(()); // elsewhere directories cannot be opened as files
    }
    use ErrorKind as E;
    match File::open(parent).and_then(|directory| directory.sync_all()) {
        // Not every file system can, nor everyone.
        Err(error) if matches!(error.kind(), E::InvalidInput | E::Unsupported | E::PermissionDenied) => Ok(()),
        other => other,
    }
}
