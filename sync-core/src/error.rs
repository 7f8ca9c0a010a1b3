//! What can go wrong for a program that uses a replica.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::entity::FieldError;
use crate::model::entry::EntityKey;
use crate::store::StoreError;
use crate::transport::TransportError;

/// What went wrong, to what, and what to do.
///
/// What caused it is its `source()`, which its text leaves out; [`in_full`] is the text with all causes. As JSON:
/// `{"code", "message", "retryable"}`, with the message in full.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Storage failed.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The hub was not reached, or refused the request.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A value does not fit its type.
    #[error("{key} does not fit its type")]
    Field {
        /// Which entity.
        key: EntityKey,
        /// Which field, and why.
        source: FieldError,
    },
    /// There is no such entity.
    #[error("{key} does not exist: create it, or use `put`")]
    NotFound {
        /// Which.
        key: EntityKey,
    },
    /// There is one already.
    #[error("{key} exists already, deleted or not: use `edit`, `restore` or `put`")]
    Exists {
        /// Which.
        key: EntityKey,
    },
    /// The entity was deleted.
    #[error("{key} was deleted: restore it first")]
    Deleted {
        /// Which.
        key: EntityKey,
    },
    /// The write cannot be made as it is.
    #[error("{key}: {message}")]
    Invalid {
        /// Which entity.
        key: EntityKey,
        /// Which field, if one is at fault.
        field: Option<String>,
        /// What is wrong and what to do.
        message: String,
    },
    /// The write is over a limit of the hub, so that it could never be sent. Nothing was stored.
    #[error("{what} is too large: {size} {unit}, and the hub takes {max}; nothing was written")]
    TooLarge {
        /// What is.
        what: String,
        /// How large.
        size: u64,
        /// Of what.
        unit: &'static str,
        /// What is allowed.
        max: u64,
    },
    /// The entity type was not registered with the replica.
    #[error("the entity type `{entity_type}` is not registered: add `.register::<T>()` to the builder")]
    Unregistered {
        /// Which.
        entity_type: String,
    },
    /// A write inside another write's closure.
    #[error("a write was begun inside the closure of another write: return from that first, or use `transaction`")]
    Nested,
    /// The user's closure gave up; nothing was written.
    #[error("the transaction was given up")]
    Aborted(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The store belongs to another hub, space or principal. Nothing was sent.
    #[error("this replica belongs to {bound}, and this is {found}: connect to the former, or wipe the replica first")]
    WrongAccount {
        /// What the store is bound to.
        bound: String,
        /// What was met.
        found: String,
    },
    /// The hub has lost entries that this replica knows. Nothing was lost here.
    #[error(
        "the hub has lost data that this replica has ({message}); offer this replica's snapshot, or adopt the hub's state"
    )]
    HubLostData {
        /// What it lacks.
        message: String,
    },
    /// Hub and replica hold what cannot be proven to be one history. Nothing was changed.
    #[error(
        "this replica and the hub hold different histories ({message}); adopt the hub's state: what only this replica holds is set aside and listed"
    )]
    Diverged {
        /// Where they differ.
        message: String,
    },
    /// Entries that the hub never accepted would be lost.
    #[error(
        "{entries} entries were never accepted by the hub and would be lost: sync first, or wipe even what is unsynced"
    )]
    Unsynced {
        /// How many.
        entries: u64,
    },
    /// The replica was wiped while this was under way. Nothing more of it counts: what the replica holds now is not
    /// what this was about.
    #[error("the replica was wiped meanwhile: what it held is gone, and nothing of this came into what it is now")]
    Wiped,
    /// A snapshot's file cannot be written, or cannot be taken in. Nothing was changed.
    #[error("the snapshot's file cannot be used: {message}")]
    SnapshotFile {
        /// What is wrong with it.
        message: String,
    },
    /// There is no such entry among those set aside.
    #[error("no entry {number} is set aside")]
    NoSuchEntry {
        /// Its number on this device.
        number: u64,
    },
    /// The replica cannot be opened as it is configured.
    #[error("the replica cannot be opened: {message}")]
    Config {
        /// Why.
        message: String,
    },
}

impl Error {
    /// What a transaction's closure returns to give up: nothing is written then.
    ///
    /// ```
    /// # use sync_core::{Error, MemoryStore, Replica};
    /// # let replica = Replica::builder().open(MemoryStore::new())?;
    /// let given_up = replica.transaction::<()>(|_| Err(Error::aborted("not enough money")));
    /// assert_eq!(given_up.unwrap_err().code(), "aborted");
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    pub fn aborted(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Aborted(reason.into().into())
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Transport(error) => error.code(),
            Self::Field { .. } => "field",
            Self::NotFound { .. } => "not_found",
            Self::Exists { .. } => "exists",
            Self::Deleted { .. } => "deleted",
            Self::Invalid { .. } => "invalid",
            Self::TooLarge { .. } => "too_large",
            Self::Unregistered { .. } => "unregistered",
            Self::Nested => "nested",
            Self::Aborted(_) => "aborted",
            Self::WrongAccount { .. } => "wrong_account",
            Self::HubLostData { .. } => "hub_lost_data",
            Self::Diverged { .. } => "diverged",
            Self::Unsynced { .. } => "unsynced",
            Self::Wiped => "wiped",
            Self::SnapshotFile { .. } => "snapshot_file",
            Self::NoSuchEntry { .. } => "no_such_entry",
            Self::Config { .. } => "config",
        }
    }

    /// Whether the same call may succeed later without anything else being done.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Transport(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// Whether the hub was not reached: what is pending stays pending.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Transport(TransportError::Offline { .. } | TransportError::Busy { .. }))
    }
}

/// An error with all that caused it, each said once: what to show to people.
///
/// ```
/// use sync_core::{Error, StoreError};
///
/// let error = Error::from(StoreError::io("notes.redb", "no space left on the device"));
/// assert_eq!(error.to_string(), "notes.redb could not be read or written");
/// assert_eq!(sync_core::in_full(&error), "notes.redb could not be read or written: no space left on the device");
/// ```
pub fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        // Errors of others may say what caused them.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Error", 3)?;
        object.serialize_field("code", self.code())?;
        object.serialize_field("message", &in_full(self))?;
        object.serialize_field("retryable", &self.is_retryable())?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch::BatchError;
    use crate::model::codec::CodecError;
    use crate::model::json::NoEntry;
    use crate::model::value::ValueError;
    use crate::transport::compact::Refused;

    #[test]
    fn no_error_says_itself_what_its_source_says_and_in_full_all_of_it_is_said_once() {
        let key = EntityKey::new("note", "n");
        let value = || ValueError::Decode("CAUSE".into());
        let field = |source| Error::Field { key: key.clone(), source };
        let name = || "title".to_owned();
        let cases: Vec<Box<dyn std::error::Error>> = vec![
            Box::new(Error::from(StoreError::io("FILE", "CAUSE"))),
            Box::new(Error::from(StoreError::io("the checkpoint", Arc::new(StoreError::io("FILE", "CAUSE"))))),
            Box::new(Error::from(StoreError::Damaged { what: "FILE".into(), message: "CAUSE".into() })),
            Box::new(Error::from(TransportError::Offline { message: "CAUSE".into() })),
            Box::new(field(FieldError::Missing { field: "CAUSE".into() })),
            Box::new(field(FieldError::Encode { field: name(), source: value() })),
            Box::new(field(FieldError::Unreadable { field: name(), source: value() })),
            Box::new(field(FieldError::Decode { field: name(), source: value() })),
            Box::new(field(FieldError::Id { id: "n".into(), message: "CAUSE".into() })),
            Box::new(Error::aborted("CAUSE")),
            Box::new(Refused::Malformed(CodecError { expected: "CAUSE" })),
            Box::new(BatchError::Codec(CodecError { expected: "CAUSE" })),
            Box::new(NoEntry::Json(value())),
        ];
        for error in cases {
            let full = in_full(&*error);
            assert_eq!(full.matches("CAUSE").count(), 1, "{full}");
            let mut at = &*error as &dyn std::error::Error;
            while let Some(source) = at.source() {
                assert!(!at.to_string().contains(&source.to_string()), "{at} / {source}");
                at = source;
            }
        }
        let json = serde_json::to_string(&Error::from(StoreError::io("FILE", "CAUSE"))).unwrap();
        assert_eq!(
            json,
            r#"{"code":"store_io","message":"FILE could not be read or written: CAUSE","retryable":false}"#
        );
    }
}
