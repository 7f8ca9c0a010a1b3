//! `application/problem+json` (RFC 9457): how a request's failure is told.

use serde::{Deserialize, Serialize};
use sync_core::TransportError;

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request failed, as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable name for programs.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What kind of failure this is, for people.
    #[serde(default)]
    pub title: String,
    /// The status of the reply.
    #[serde(default)]
    pub status: u16,
    /// What exactly went wrong and what to do.
    #[serde(default)]
    pub detail: String,
    /// For how many milliseconds the hub asks not to be asked again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<u64>,
}

/// Every problem there is: its name, its status, its title.
const KINDS: &[(&str, u16, &str)] = &[
    ("malformed", 400, "The request cannot be read"),
    ("protocol", 400, "The version of the protocol is not spoken here"),
    ("unauthenticated", 401, "A token is needed"),
    ("denied", 403, "Not allowed"),
    ("not_found", 404, "There is nothing at this address"),
    ("method", 405, "The method does not fit the address"),
    ("not_acceptable", 406, "There is no form of the reply that the request takes"),
    ("slow", 408, "The request took too long to arrive"),
    ("diverged", 409, "Hub and replica hold different logs"),
    ("forked", 409, "The hub has other entries under these numbers"),
    ("superseded", 409, "A later attempt was already answered"),
    ("expired", 410, "The log no longer reaches back that far"),
    ("too_large", 413, "The request is over a limit"),
    ("unsupported", 415, "The form of the request is not taken here"),
    ("hub", 500, "The hub failed"),
    ("busy", 503, "The hub is busy"),
];

impl Problem {
    /// A problem of one of the known kinds.
    pub fn new(kind: &str, detail: impl Into<String>) -> Self {
        let known = KINDS.iter().find(|(known, ..)| *known == kind);
        let (kind, status, title) = known.copied().unwrap_or(("hub", 500, "The hub failed"));
        Self { kind: kind.to_owned(), title: title.to_owned(), status, detail: detail.into(), after: None }
    }

    /// The hub asks to come back after so many milliseconds.
    pub fn busy(after: u64, detail: impl Into<String>) -> Self {
        Self { after: Some(after), ..Self::new("busy", detail) }
    }

    /// The problem in JSON.
    pub fn to_json(&self) -> String {
        super::to_json(self)
    }

    /// The error that this is to a client. `retry_after` is what the header of that name says, in milliseconds.
    ///
    /// Names are trusted only with the status that belongs to them, and statuses that others send too (a proxy's
    /// 410, a portal's 409) only with a name: none of them may make a replica drop what it has.
    pub fn to_error(&self, retry_after: Option<u64>) -> TransportError {
        let message = if self.detail.is_empty() { &self.title } else { &self.detail };
        let message = if message.is_empty() { format!("status {}", self.status) } else { clip(message) };
        let after = self.after.or(retry_after);
        match (self.kind.as_str(), self.status) {
            ("diverged", 409) => TransportError::Diverged { message },
            ("forked", 409) => TransportError::Forked { message },
            ("superseded", 409) => TransportError::Superseded,
            ("expired", 410) => TransportError::Expired,
            (_, 401 | 403) => TransportError::Denied { message },
            (_, 413) => TransportError::TooLarge { message },
            (_, 429 | 503) => TransportError::Busy { after: after.unwrap_or(1_000) },
            (_, 408 | 502 | 504) => TransportError::Offline { message },
            (_, 500..=599) => TransportError::Hub { message },
            // Where nothing else was said it is the status in words.
            (_, status) if message.starts_with(&status.to_string()) => TransportError::Nonsense { message },
            (_, status) => TransportError::Nonsense { message: format!("status {status}: {message}") },
        }
    }
}

impl From<TransportError> for Problem {
    fn from(error: TransportError) -> Self {
        let code = error.code();
        match error {
            TransportError::Busy { after } => Self::busy(after, error.to_string()),
            TransportError::Offline { message } => Self::busy(1_000, message),
            TransportError::Nonsense { message } => Self::new("malformed", message),
            TransportError::Denied { message }
            | TransportError::TooLarge { message }
            | TransportError::Diverged { message }
            | TransportError::Forked { message }
            | TransportError::Hub { message } => Self::new(code, message),
            other => Self::new(code, other.to_string()),
        }
    }
}

/// What another side said is shown to people: it is not to fill their screens.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
