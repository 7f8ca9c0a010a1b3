//! How a replica reaches a hub: the contract that transports implement, and what travels.

pub mod compact;
mod epochs;
mod numbered;

pub use epochs::EpochStart;
pub(crate) use epochs::Epochs;
pub use numbered::Numbered;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use crate::model::codec::{self, Reader, Writer};
use crate::model::context::Known;
use crate::model::digest::{Digest, NotHex, hex};
use crate::model::entry::{EntityKey, Entry, client_is_valid, id_is_valid, type_is_valid};
use crate::model::record::Record;
use crate::model::stamp::{ClientId, Dot};

/// A future without a type of its own, so that traits with async methods stay object-safe.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A future without a type of its own, so that traits with async methods stay object-safe.
#[cfg(target_arch = "wasm32")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The way from a replica to one space of one hub.
///
/// This trait is for those who *implement* transports; programs hand one to [`Replica::sync`](crate::Replica::sync).
///
/// # Contract
/// - Each call is one request. Retrying inside is allowed: every request may be repeated.
/// - A reply is handed over as the hub gave it, or an error is; never a part of a reply.
/// - Dropping a future abandons the request; whether the hub carried it out is then unknown, and that is fine.
/// - No call blocks the thread that polls it.
///
/// `sync-testkit`'s `transport_tests!` tries all of it on your transport.
pub trait Transport: Send + Sync {
    /// Who the hub is, what it has, and what it knows of the clients that this replica ever was.
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>>;

    /// Offers entries; the hub answers with a verdict for each.
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>>;

    /// A page of the space's log.
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>>;

    /// A page of the space's snapshot.
    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>>;

    /// Offers a page of this replica's snapshot to a hub that lost data; done when the last page is taken.
    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>>;

    /// Waits until the log is longer than `since`, and says how long it is. May return early, with `since` itself.
    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>>;
}

/// What a replica says of itself at the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelloRequest {
    /// Every client id that this replica's file ever used, with what it knows of it.
    pub clients: Vec<(ClientId, Known)>,
    /// The furthest cursor that the replica was ever told.
    pub cursor: Cursor,
    /// The last of the hub's epochs of which the replica knows where it began.
    pub epoch: Epoch,
}

/// A position in a space's log, with the digest of the log up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The last entry's number in the log; 0 before the first.
    pub seq: u64,
    /// The digest of all entries up to it.
    pub digest: Digest,
    /// In which of the hub's runs that entry was logged.
    pub epoch: Epoch,
}

impl Cursor {
    /// The one of two that is further on.
    pub(crate) fn furthest(self, other: Self) -> Self {
        if other.seq > self.seq { other } else { self }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.seq);
        w.digest(self.digest);
        w.u64(self.epoch.0);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        Ok(Self { seq: r.u64()?, digest: r.digest()?, epoch: Epoch(r.u64()?) })
    }
}

/// One of a hub's runs: a random number that it draws when it first adds to a log after a start. A hub keeps where each
/// began, so that it can tell of a cursor in a part of the log that it no longer has whether that was its own: a hub that
/// was put back to an older state goes on in another epoch (the leader epochs of Kafka's KIP-101). 0 is none, or one that
/// nobody told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    /// As 16 hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = NotHex;
    fn from_str(text: &str) -> Result<Self, NotHex> {
        hex(text, 16).map(|bits| Epoch(bits as u64))
    }
}

/// Who a hub is and what it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The hub's name, for ever the same.
    pub hub: String,
    /// The space.
    pub space: String,
    /// On whose behalf the replica is connected.
    pub principal: String,
    /// The hub's clock in milliseconds since the Unix epoch.
    pub server_time: u64,
    /// The end of the log.
    pub head: Cursor,
    /// The first entry's number that the log still has; a replica behind it takes the snapshot.
    pub tail: u64,
    /// Whether the cursor that the replica showed is on the hub's log.
    pub on_chain: bool,
    /// What the hub takes.
    pub limits: Limits,
    /// The protocol versions that the hub speaks.
    pub protocols: Vec<u32>,
    /// What the hub knows of the clients that were named, in their order.
    pub clients: Vec<ClientStanding>,
    /// Whether this principal may offer a snapshot for joining.
    pub may_join: bool,
    /// Where the epochs of the log began: the one that the replica named and all since, or none if there are no others; all
    /// that are known if that one is not of this log.
    pub epochs: Vec<EpochStart>,
}

/// What a hub knows of one client of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientStanding {
    /// The client.
    pub client: ClientId,
    /// How many entries of it the hub has, and their digest.
    pub known: Known,
    /// The digest of as many entries as the replica named, where the hub has that many and still knows.
    pub digest_there: Option<Digest>,
}

/// What a hub takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most entries in one push.
    pub batch_entries: u64,
    /// The most bytes in one push, uncompressed.
    pub batch_bytes: u64,
    /// The most bytes of one entry in JSON.
    pub entry_bytes: u64,
    /// The most entries in one group.
    pub group_entries: u64,
    /// How deep values may be nested: 128 levels at most.
    pub depth: u64,
    /// How many milliseconds a stamp may be ahead of the hub's clock.
    pub drift: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_entries: 1_000,
            batch_bytes: 1 << 20,
            entry_bytes: 256 << 10,
            group_entries: 1_000,
            depth: 32,
            drift: 5 * 60 * 1_000,
        }
    }
}

/// Entries offered to a hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PushRequest {
    /// The entries in the order of their numbers.
    pub entries: Vec<Entry>,
    /// Which push it is.
    pub attempt: Attempt,
}

/// What a push says of itself beside its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attempt {
    /// Counts up with every push of a replica: a hub ignores one that is lower than it has seen.
    pub number: Option<u64>,
    /// The furthest cursor that the replica was ever told: a hub that lost it since the greeting takes nothing.
    pub told: Cursor,
}

impl From<Option<u64>> for Attempt {
    fn from(number: Option<u64>) -> Self {
        Self { number, ..Self::default() }
    }
}

/// A hub's answer to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushReply {
    /// One for each entry, in the same order.
    pub verdicts: Vec<(String, Verdict)>,
    /// The end of the log when it was decided, durable; the log's beginning if the hub does not say.
    pub head: Cursor,
    /// The hub's clock in milliseconds since the Unix epoch.
    pub server_time: u64,
}

/// What a hub decided about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is in the log, durably.
    Accepted {
        /// Where.
        seq: u64,
        /// Under which other name, if its intent was accepted before under that.
        known_as: Option<Dot>,
    },
    /// It will never be accepted as it is.
    Rejected(Rejection),
    /// Not decided: push it again.
    Again {
        /// Not before so many milliseconds have passed.
        after: Option<u64>,
        /// Why: `clock` if its stamp is too far ahead.
        code: Option<String>,
    },
}

/// Why an entry was not accepted.
///
/// The hub's own codes: `malformed`, `field` (a field's name or operation), `depth`, `entry_bytes`, `group` (another
/// entry of its transaction was refused), `forbidden` (not for clients), `gone` (none of the creates it stands on
/// lives), `id_reused` (of the article's clients), `invalid` (a validator's). Set aside by the replica
/// itself: `gone`, `diverged`, and `too_large` (what was written together is more than the hub takes at once).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// A stable name for programs.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
    /// The field at fault, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What part of the log a replica wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PullRequest {
    /// What it has.
    pub since: Cursor,
    /// The most entries in the page.
    pub limit: u64,
    /// Leaves out this client's entries up to this number: the replica has them.
    pub have: Option<Dot>,
    /// The furthest cursor that the replica was ever told, where it is further than `since`.
    pub told: Cursor,
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Entries with their numbers in the log, in order.
    pub entries: Numbered,
    /// What a replica has that has taken this page.
    pub cursor: Cursor,
    /// Whether there was more at the time.
    pub has_more: bool,
    /// The hub's clock in milliseconds since the Unix epoch.
    pub server_time: u64,
}

/// Which page of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotRequest {
    /// What the page before said; empty for the first.
    pub page: String,
}

/// A part of a snapshot: of a hub's, or of a replica's that is offered for joining.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotPage {
    /// Records in the order of their keys.
    pub records: Vec<(EntityKey, Record)>,
    /// What all the pages together contain.
    pub vector: Vec<(ClientId, Known)>,
    /// The position in the log from which a replica goes on after the last page.
    pub cursor: Cursor,
    /// Which accepted entries carried which intent, as far back as is known; for joining only.
    pub intents: Vec<(u128, Dot)>,
    /// Entries in the sequences of their clients, as far back as they are known; for joining only. They let the hub
    /// see that what other replicas have of these clients begins alike.
    pub links: Vec<Link>,
    /// Which page comes next; `None` after the last.
    pub next: Option<String>,
    /// How many records there are in all, if that is known. Of a snapshot that is offered for joining the last page says it.
    pub total: Option<u64>,
    /// Which transfer the page is part of, where a snapshot is offered for joining; empty where one is served.
    pub transfer: String,
}

impl SnapshotPage {
    /// Whether the entities and clients in it are called as some can be: keys of stores are made of these names, and the
    /// empty one is that of entries without a number.
    pub(crate) fn has_valid_names(&self) -> bool {
        let clients = self.vector.iter().map(|(client, _)| client);
        let dots = self.intents.iter().map(|(_, dot)| dot).chain(self.links.iter().map(|link| &link.dot));
        clients.chain(dots.map(|dot| &dot.client)).all(client_is_valid)
            && self.records.iter().all(|(key, _)| type_is_valid(&key.entity_type) && id_is_valid(&key.id))
    }
}

/// One entry in the sequence of its client's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub dot: Dot,
    /// Its hash.
    pub hash: Digest,
    /// The digest of its client's entries up to it.
    pub digest: Digest,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The hub was not reached, or did not answer in time. What was sent may or may not have arrived.
    #[error("the hub was not reached: {message}")]
    Offline {
        /// The reason in detail.
        message: String,
    },
    /// The hub asks to come back later.
    #[error("the hub is busy; it asks to come back in {} s", after.div_ceil(1_000))]
    Busy {
        /// In milliseconds.
        after: u64,
    },
    /// What answered does not speak the protocol.
    #[error("what answered is not a hub, or not one that this version understands: {message}")]
    Nonsense {
        /// What it said.
        message: String,
    },
    /// Not allowed.
    #[error("the hub does not allow it: {message}")]
    Denied {
        /// The hub's reason.
        message: String,
    },
    /// The request is over a limit of the hub, or the reply over one of the transport's: less at a time may get through.
    #[error("too much at once: {message}")]
    TooLarge {
        /// Which limit.
        message: String,
    },
    /// Hub and replica cannot both have the true log.
    #[error("the hub's log is not the one that this replica knows: {message}")]
    Diverged {
        /// Where they differ.
        message: String,
    },
    /// The hub has another entry under a number that this replica used.
    #[error("the hub has other entries of this client: the file was copied or put back ({message})")]
    Forked {
        /// Which.
        message: String,
    },
    /// The log no longer reaches back to the cursor: take the snapshot.
    #[error("the hub's log no longer reaches back to this replica's cursor")]
    Expired,
    /// A later attempt of the same client was seen before this one.
    #[error("a later attempt of this client was already answered")]
    Superseded,
    /// The hub itself failed.
    #[error("the hub failed: {message}")]
    Hub {
        /// What it said.
        message: String,
    },
}

impl TransportError {
    /// A stable name for programs; on the wire the problem's type.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Offline { .. } => "offline",
            Self::Busy { .. } => "busy",
            Self::Nonsense { .. } => "nonsense",
            Self::Denied { .. } => "denied",
            Self::TooLarge { .. } => "too_large",
            Self::Diverged { .. } => "diverged",
            Self::Forked { .. } => "forked",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
            Self::Hub { .. } => "hub",
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Offline { .. } | Self::Busy { .. } | Self::Hub { .. } | Self::Superseded)
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        (**self).hello(request)
    }
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        (**self).push(request)
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        (**self).pull(request)
    }
    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        (**self).snapshot(request)
    }
    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        (**self).join(page)
    }
    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        (**self).live(since)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.seq, self.digest)
    }
}
