//! Where bytes are kept: the contract that storage backends implement.

use std::fmt;

/// A position in a store's journal: 1 for the first commit ever appended, 0 for "before all".
pub type Position = u64;

/// A key of a store's map, with its bytes.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// A journal and a map of ordered bytes, durable, nothing typed. One per space; it serves devices and hubs alike.
///
/// This trait is for those who *implement* storage: programs use [`Replica`](crate::Replica) and
/// [`Hub`](crate::Hub). All methods block. What is stored is opaque: the caller has put a version and a
/// checksum into every row.
///
/// # Contract
/// - A call that returned `Ok` survives the loss of power. A call that returned an error changed nothing or
///   all of it, and the caller will reopen before it writes again if [`StoreError::is_retryable`] says no.
/// - `append` and `checkpoint` are atomic: after a crash all of one call is there or nothing of it.
/// - Positions are dense, from 1, and never reused, not even when rows were dropped.
/// - A [`Replica`](crate::Replica) has its store for itself: a backend that others could open as well says
///   [`StoreError::Locked`] to them. [`Hub`](crate::Hub)s may share one.
/// - Many threads may call at once; reads see every call that returned before they began, and no half of any.
///
/// `sync-testkit`'s `store_tests!` tries all of it on your backend.
///
/// ```
/// use sync_core::{MemoryStore, Store};
///
/// let store = MemoryStore::new();
/// assert_eq!(store.append(0, &[b"one", b"two"])?, 2);
/// store.checkpoint(&sync_core::Checkpoint { covers: 2, drop_before: 2, puts: vec![(b"k".to_vec(), b"v".to_vec())], drops: vec![] })?;
/// assert_eq!(store.get(b"k")?.as_deref(), Some(&b"v"[..]));
/// assert_eq!(store.journal(0, 10)?, [(2, b"two".to_vec())]);
/// # Ok::<(), sync_core::StoreError>(())
/// ```
pub trait Store: Send + Sync {
    /// Where the journal begins and ends, and what the last checkpoint covers.
    ///
    /// # Errors
    /// The backend's.
    fn heads(&self) -> Result<Heads, StoreError>;

    /// Appends these commits after `expected`, the journal's last position, and returns the new last one.
    /// Durable when it returns; one sync to disk however many commits. Without any, the end is compared, no more.
    ///
    /// # Errors
    /// [`StoreError::Moved`] if the journal does not end at `expected` (another process appended): nothing was written.
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError>;

    /// Up to `limit` commits from `from` on (inclusive), in order; those that were dropped are skipped. Fewer than
    /// `limit` mean that there are no more, however many bytes they have.
    ///
    /// # Errors
    /// The backend's.
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError>;

    /// Changes the map and remembers which position it now covers, in one step.
    ///
    /// # Errors
    /// [`StoreError::Moved`] if the map covers more already (another process made a later checkpoint); the backend's.
    /// Nothing was changed then.
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError>;

    /// A key's bytes.
    ///
    /// # Errors
    /// The backend's.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `limit` keys with their bytes, in the order of the keys' bytes: from `from` (inclusive) up to
    /// `to` (exclusive; empty means to the end, and one that is not behind `from` gives nothing). Fewer than `limit` mean
    /// that there are no more, however many bytes they have: callers stop there.
    ///
    /// # Errors
    /// The backend's.
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError>;

    /// Gives dropped space back to the system where the backend can; may take long. Never called while
    /// another call is under way through the same [`Replica`](crate::Replica) or [`Hub`](crate::Hub).
    ///
    /// # Errors
    /// The backend's.
    fn reclaim(&self) -> Result<(), StoreError>;
}

/// The ends of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heads {
    /// The first position still kept; `last + 1` if none is.
    pub first: Position,
    /// The last position ever appended; 0 if none was.
    pub last: Position,
    /// What the last checkpoint covers; 0 if there was none.
    pub covers: Position,
}

/// One atomic change of the map, with the journal position that it brings the map to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The map now contains the effect of the journal up to this position.
    pub covers: Position,
    /// Commits before this position are dropped (0 or 1 keeps all, one behind the end drops all).
    pub drop_before: Position,
    /// Keys to put, one after the other: the last put of a key counts.
    pub puts: Vec<KeyValue>,
    /// Keys to drop; carried out before the puts.
    pub drops: Vec<Vec<u8>>,
}

/// What went wrong in a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The journal did not end where the caller thought: another process appended.
    #[error(
        "the journal ends at {last}, not where expected: another process wrote to it; read what it wrote and try again"
    )]
    Moved {
        /// Where it ends.
        last: Position,
    },
    /// Another process has the file open.
    #[error("{what} is in use by another process: close that one first")]
    Locked {
        /// Which file or database.
        what: String,
    },
    /// The file is no database of this kind, or a damaged one.
    #[error("{what} is damaged or not a database: {message}")]
    Damaged {
        /// Which file, table or row.
        what: String,
        /// What is wrong with it.
        message: String,
    },
    /// The file was laid out by a newer version of the library.
    #[error(
        "{what} was written by a newer version: its layout is {found}, this program knows up to {known}; update it"
    )]
    Newer {
        /// Which file or database.
        what: String,
        /// The layout that it has.
        found: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// Reading or writing failed.
    #[error("{what} could not be read or written")]
    Io {
        /// Which file or database.
        what: String,
        /// The system's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// An I/O error of `what`.
    pub fn io(what: impl fmt::Display, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Io { what: what.to_string(), source: source.into() }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Moved { .. } => "store_moved",
            Self::Locked { .. } => "store_locked",
            Self::Damaged { .. } => "store_damaged",
            Self::Newer { .. } => "store_newer",
            Self::Io { .. } => "store_io",
        }
    }

    /// Whether the same call may succeed later without anything being reopened.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Moved { .. } | Self::Locked { .. })
    }
}

impl<S: Store + ?Sized> Store for std::sync::Arc<S> {
    fn heads(&self) -> Result<Heads, StoreError> {
        (**self).heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        (**self).append(expected, commits)
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        (**self).journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        (**self).checkpoint(checkpoint)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        (**self).range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        (**self).reclaim()
    }
}
