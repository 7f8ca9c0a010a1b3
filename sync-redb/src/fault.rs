//! What may go wrong below the contract, and what the caller is told about it.

use std::any::Any;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sync_core::{Position, StoreError};

/// An error that does not know yet which file it is about.
#[derive(Debug)]
pub(crate) enum Fault {
    /// redb's, of whichever call.
    Redb(redb::Error),
    /// The file system's, outside redb.
    Io(std::io::Error),
    /// The journal ends elsewhere.
    Moved { last: Position },
    /// A row of ours is not as we wrote it.
    Damaged(String),
    /// redb panicked, as it may over a damaged page.
    Panicked(String),
    /// A layout from the future.
    Newer { found: u32, known: u32 },
    /// An earlier call failed in a way that forbids writing.
    Reopen(Reopen),
}

/// Why nothing more is written, or read.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(crate) enum Reopen {
    #[error("an earlier write failed, so nothing more is written: close the store and open it again")]
    FailedWrite,
    #[error("damage was found in it earlier, so nothing more is written: close the store, open it again and verify it")]
    Damage,
    #[error("it was closed: open it again")]
    Closed,
}

impl Fault {
    /// The error as the caller sees it, about `what`.
    pub(crate) fn about(self, what: &str) -> StoreError {
        let what = what.to_owned();
        match self {
            Self::Moved { last } => StoreError::Moved { last },
            Self::Damaged(message) => StoreError::Damaged { what, message },
            Self::Panicked(text) => {
                StoreError::Damaged { what, message: format!("redb stopped at something that makes no sense ({text})") }
            }
            Self::Newer { found, known } => StoreError::Newer { what, found, known },
            Self::Reopen(why) => StoreError::io(what, why),
            Self::Io(error) => StoreError::io(what, error),
            Self::Redb(error) => about_redb(error, what),
        }
    }
}

fn about_redb(error: redb::Error, what: String) -> StoreError {
    use redb::Error as E;
    match error {
        E::DatabaseAlreadyOpen | E::LockProtocolMismatch => StoreError::Locked { what },
        E::PreviousIo => Fault::Reopen(Reopen::FailedWrite).about(&what),
        E::DatabaseClosed => Fault::Reopen(Reopen::Closed).about(&what),
        // What redb says of a file that is none of its own, or that ends before its last page.
        E::Io(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            StoreError::Damaged { what, message: error.to_string() }
        }
        E::Io(error) => StoreError::io(what, error),
        E::Corrupted(message) => StoreError::Damaged { what, message },
        E::UpgradeRequired(_)
        | E::TableTypeMismatch { .. }
        | E::TypeDefinitionChanged { .. }
        | E::TableIsMultimap(_)
        | E::TableIsNotMultimap(_)
        | E::TableDoesNotExist(_)
        | E::TransactionPoisoned
        | E::LockPoisoned(_) => StoreError::Damaged { what, message: error.to_string() },
        other => StoreError::io(what, other),
    }
}

/// Runs `call`, turning a panic of redb's over a damaged page into an error: the one place where that is done.
///
/// redb is made for being unwound through: a transaction dropped by a panic is rolled back or repaired at the next
/// open. Nothing of ours outlives the closure half changed.
pub(crate) fn caught<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(Fault::Panicked(text_of(&*panic))))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}

from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError, CompactionError);

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
