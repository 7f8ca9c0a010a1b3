//! A [`Store`] over SQLite, as a user of the framework would write one: a store of your own is about this long.
//!
//! # How to write a store
//! 1. **A place for each half.** A store is a journal of numbered commits and a map of ordered bytes, nothing typed: two
//!    tables, and one row for what must outlive the rows of both (`last` and `covers`). Keys have up to 650 bytes.
//! 2. **`append` is a comparison and an insert in one transaction.** The transaction takes the write lock *first*
//!    (`BEGIN IMMEDIATE`), so that of two writers who expect the same position one wins and the other is told
//!    [`StoreError::Moved`]. It is on disk when it returns: WAL mode alone would not sync, hence `synchronous = FULL`.
//! 3. **`checkpoint` is one transaction**: keys dropped, keys put, old commits dropped, what it covers.
//! 4. **Errors say what they mean.** "Somebody else is writing" is [`StoreError::Locked`], which callers try again; a
//!    file that is none of ours is [`StoreError::Damaged`]; all else is [`StoreError::Io`].
//! 5. **A device has its store for itself.** [`SqliteStore::open`] keeps everybody else out; hubs that share a log open
//!    it with [`SqliteStore::open_shared`].
//! 6. **Run the kit**, which tries all of it, a named test a case, and random histories:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use custom_store::SqliteStore;
//! # use sync_core::Store;
//! sync_testkit::store_tests!(sqlite, || {
//!     let dir = tempfile::tempdir().unwrap();
//!     move || -> Arc<dyn Store> { Arc::new(SqliteStore::open(dir.path().join("store.sqlite")).unwrap()) }
//! });
//! ```
//!
//! Everything else is not a store's concern: what the bytes mean, their checksums, syncing, merging.
//!
//! # Using it
//! ```
//! use custom_store::SqliteStore;
//! use sync_core::Store;
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("notes.sqlite");
//! let store = SqliteStore::open(&path)?;
//! assert_eq!(store.append(0, &[b"one", b"two"])?, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params};
use sync_core::{Checkpoint, Heads, Position, Store, StoreError};

const LAYOUT: u32 = 1;

const TABLES: &str = "
    CREATE TABLE journal (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE map (key BLOB PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE heads (last INTEGER NOT NULL, covers INTEGER NOT NULL);
    INSERT INTO heads VALUES (0, 0);
    PRAGMA user_version = 1;
";

/// A journal and a map in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: String,
    connection: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the file, which is made if there is none, for itself alone: what a replica needs.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if it is open elsewhere, [`StoreError::Damaged`] if it is no SQLite file,
    /// [`StoreError::Newer`] if a newer version made it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_as(path.as_ref(), "EXCLUSIVE")
    }

    /// Opens the file so that other processes may have it open as well: for hubs that share a log.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`StoreError::Locked`] if another process has it for itself.
    pub fn open_shared(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let store = Self::open_as(path.as_ref(), "NORMAL")?;
        // Others write as well, one after the other.
        store.read(|connection| connection.busy_timeout(Duration::from_secs(10)))?;
        Ok(store)
    }

    fn open_as(path: &Path, locking: &str) -> Result<Self, StoreError> {
        let what = path.display().to_string();
        let connection = Self::connect(path, locking).map_err(|error| told(&what, error))?;
        let store = Self { path: what, connection: Mutex::new(connection) };
        match store.write(prepare)? {
            LAYOUT => Ok(store),
            found => Err(StoreError::Newer { what: store.path, found, known: LAYOUT }),
        }
    }

    fn connect(path: &Path, locking: &str) -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_millis(200))?;
        // Set before the first look at the file, which takes the lock and keeps it.
        connection.pragma_update(None, "locking_mode", locking)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Without it, WAL mode forgets commits when power is lost.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(connection)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupted was rolled back when it was dropped.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, look: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        look(&self.connection()).map_err(|error| told(&self.path, error))
    }

    /// All of the change or nothing of it, on disk when it returns.
    fn write<T>(&self, change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let changed = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        changed.map_err(|error| told(&self.path, error))
    }
}

/// Makes the tables if they are not there, and says which layout is.
fn prepare(transaction: &Transaction<'_>) -> rusqlite::Result<u32> {
    let layout = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if layout == 0 {
        transaction.execute_batch(TABLES)?;
        return Ok(LAYOUT);
    }
    Ok(layout)
}

fn told(path: &str, error: rusqlite::Error) -> StoreError {
    let what = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { what },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Damaged { what, message: error.to_string() }
        }
        _ => StoreError::io(what, error),
    }
}

/// SQLite's integers are signed; no journal is that long, and no page.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn last(connection: &Connection) -> rusqlite::Result<Position> {
    connection.query_row("SELECT last FROM heads", [], |row| row.get(0))
}

impl Store for SqliteStore {
    fn heads(&self) -> Result<Heads, StoreError> {
        let sql = "SELECT coalesce((SELECT min(position) FROM journal), last + 1), last, covers FROM heads";
        self.read(|connection| {
            connection
                .query_row(sql, [], |row| Ok(Heads { first: row.get(0)?, last: row.get(1)?, covers: row.get(2)? }))
        })
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        let appended = self.write(|transaction| {
            let mut last = last(transaction)?;
            if last != expected || commits.is_empty() {
                return Ok(if last == expected { Ok(last) } else { Err(StoreError::Moved { last }) });
            }
            let mut insert = transaction.prepare_cached("INSERT INTO journal VALUES (?1, ?2)")?;
            for commit in commits {
                last += 1;
                insert.execute(params![last, commit])?;
            }
            transaction.execute("UPDATE heads SET last = ?1", [last])?;
            Ok(Ok(last))
        });
        appended?
    }

    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        let sql = "SELECT position, bytes FROM journal WHERE position >= ?1 ORDER BY position LIMIT ?2";
        self.read(|connection| {
            let mut select = connection.prepare_cached(sql)?;
            select.query_map([int(from), int(limit as u64)], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let changed = self.write(|transaction| {
            let covers: u64 = transaction.query_row("SELECT covers FROM heads", [], |row| row.get(0))?;
            if covers > checkpoint.covers {
                return Ok(Err(StoreError::Moved { last: last(transaction)? }));
            }
            let mut delete = transaction.prepare_cached("DELETE FROM map WHERE key = ?1")?;
            for key in &checkpoint.drops {
                delete.execute([key])?;
            }
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO map VALUES (?1, ?2)")?;
            for (key, bytes) in &checkpoint.puts {
                insert.execute([key, bytes])?;
            }
            transaction.execute("DELETE FROM journal WHERE position < ?1", [int(checkpoint.drop_before)])?;
            transaction.execute("UPDATE heads SET covers = ?1", [int(checkpoint.covers)])?;
            Ok(Ok(()))
        });
        changed?
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            let mut select = connection.prepare_cached("SELECT bytes FROM map WHERE key = ?1")?;
            select.query_row([key], |row| row.get(0)).optional()
        })
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        // SQLite orders blobs by their bytes, as the contract asks for.
        let sql = match to {
            [] => "SELECT key, bytes FROM map WHERE key >= ?1 AND ?2 = ?2 ORDER BY key LIMIT ?3",
            _ => "SELECT key, bytes FROM map WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        };
        self.read(|connection| {
            let mut select = connection.prepare_cached(sql)?;
            select.query_map(params![from, to, int(limit as u64)], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        self.read(|connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }
}
