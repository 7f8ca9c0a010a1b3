//! What is said and returned when a command fails.

use std::io;
use std::process::ExitCode;

use serde::Serialize;
use sync_core::{Error, StoreError, TransportError, in_full};
use sync_http::client::BadAddress;

use crate::out::say;
use crate::paint::bad;
use crate::text::{count, cut, plain};

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The replica's, or its store's.
    #[error("{}", in_words(.0))]
    Core(#[from] Error),
    /// The command's own.
    #[error("{message}")]
    Own {
        /// A stable name for programs.
        code: &'static str,
        /// What happened, to what, and what to do.
        message: String,
    },
    /// The arguments do not go together.
    #[error("{message}")]
    Usage {
        /// What is wrong, and what to do.
        message: String,
    },
    /// The hub was not reached.
    #[error("{reason}; {}", kept(*pending))]
    Offline {
        /// How many entries wait for it.
        pending: u64,
        /// The reason in detail.
        reason: TransportError,
    },
    /// A file could not be read or written.
    #[error("{file}: {source}")]
    File {
        /// Its name.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Standard output could not be written to.
    #[error("the output could not be written: {0}")]
    Output(#[source] io::Error),
    /// Standard output could not be written to, behind what cannot be taken back.
    #[error("the output could not be written: {source}; {done}")]
    Unsaid {
        /// What was done all the same.
        done: String,
        /// The system's reason.
        source: io::Error,
    },
    /// It was said already.
    #[error("not all of it could be done")]
    Told,
}

/// A failure as programs read it.
#[derive(Serialize)]
struct FailureJson<'a> {
    code: &'a str,
    message: &'a str,
    retryable: bool,
}

impl Failure {
    pub(crate) fn own(code: &'static str, message: impl Into<String>) -> Self {
        Self::Own { code, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into() }
    }

    pub(crate) fn file(file: impl Into<String>, source: io::Error) -> Self {
        Self::File { file: file.into(), source }
    }

    /// Writes it to standard error.
    pub(crate) fn tell(&self, json: bool) {
        let message = self.to_string();
        match (self, json) {
            (Self::Told, _) => {}
            (_, false) => say(format_args!("{} {}", bad("error:"), plain(&message))),
            (_, true) => {
                let json = FailureJson { code: self.code(), message: &message, retryable: self.is_retryable() };
                match serde_json::to_string(&json) {
                    Ok(json) => say(json),
                    Err(_) => say(message),
                }
            }
        }
    }

    /// Whether whoever read the output went away, as `head` does: that is no failure.
    pub(crate) fn is_unheard(&self) -> bool {
        matches!(self, Self::Output(error) | Self::Unsaid { source: error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// 1 failed, 2 usage, 3 offline with pending work kept.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage { .. } => ExitCode::from(2),
            Self::Offline { pending: 1.., .. } => ExitCode::from(3),
            _ => ExitCode::FAILURE,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Core(error) => error.code(),
            Self::Own { code, .. } => code,
            Self::Usage { .. } => "usage",
            Self::Offline { reason, .. } => reason.code(),
            Self::File { .. } => "file",
            Self::Output(_) | Self::Unsaid { .. } => "output",
            Self::Told => "told",
        }
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Core(error) => error.is_retryable(),
            Self::Offline { .. } => true,
            _ => false,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<BadAddress> for Failure {
    fn from(error: BadAddress) -> Self {
        Self::usage(error.to_string())
    }
}

/// The library speaks of its functions; here the commands are what there is to do.
fn in_words(error: &Error) -> String {
    let id = |key: &sync_core::EntityKey| said(&key.id);
    match error {
        Error::NotFound { key } => {
            let (what, id) = (&key.entity_type, id(key));
            format!("there is no {what} {id:?}: `notes list --deleted` shows those that there are")
        }
        Error::Exists { key } => {
            let (what, id) = (&key.entity_type, id(key));
            format!("there is a {what} {id:?} already, or a deleted one: edit or restore it, or choose another id")
        }
        Error::Deleted { key } => {
            let (what, id) = (&key.entity_type, id(key));
            format!("the {what} {id:?} was deleted: `notes restore {id}` brings it back")
        }
        Error::WrongAccount { .. } => format!("{error}; or choose another file with --db"),
        Error::Diverged { message } => {
            format!(
                "these notes and the hub's have different histories ({message}): `notes sync --adopt` takes the hub's, and sets aside what only this device has"
            )
        }
        Error::HubLostData { message } => {
            format!(
                "the hub has lost what this device has ({message}), and takes nothing back from it: keep this file; `notes sync --adopt` takes the hub's state, and sets aside what it lacks"
            )
        }
        Error::Transport(denied @ TransportError::Denied { .. }) => {
            format!("{denied}; here that is --token T, or NOTES_TOKEN")
        }
        Error::NoSuchEntry { number } => format!("no change #{number} was refused: `notes refused` lists all"),
        other => in_full(other),
    }
}

/// An id as it is said: it may be of any length.
pub(crate) fn said(id: &str) -> String {
    cut(&plain(id), 60)
}

fn kept(pending: u64) -> String {
    match pending {
        0 => "nothing waits for it here".to_owned(),
        _ => format!("{} kept here, and `notes sync` sends what is kept", count(pending, "change")),
    }
}
