//! The hub: where the replicas of one space meet.
//!
//! A hub orders what replicas offer into one log, decides what it takes (`admit`, `foreign`), and serves the
//! log in pages (`pull`) and the state that it makes (`snapshot`). All it knows is in its [`Store`](crate::Store);
//! in memory it holds what was accepted since the last checkpoint. Several hubs may share one store: each finds out
//! at its next append, and before every refusal, that another one was faster, and decides anew.
//!
//! Read in this order: `batch`, `row`, `state`, `facts`, `draft`, `lane`, `admit`, `foreign`, `push`,
//! `checkpoint`, `load`, `read`, `pull`, `snapshot`.

mod admit;
mod batch;
mod builder;
mod checkpoint;
mod compact;
mod draft;
mod facts;
mod foreign;
mod hello;
mod in_process;
mod index;
mod inner;
mod join;
mod lane;
mod load;
mod page_token;
mod prepared;
mod pull;
mod purge;
mod push;
mod read;
mod row;
mod rows;
mod snapshot;
mod spaces;
mod state;
mod tail;
mod validate;
mod watch;

use std::sync::Arc;

pub use builder::HubBuilder;
pub use compact::Maintained;
pub use in_process::InProcess;
pub use spaces::Spaces;
pub use validate::{Proposed, Validate};
pub use watch::HeadChanged;

use push::Offered;

use crate::error::Error;
use crate::model::entry::{EntityKey, Entry};
use crate::model::record::Record;
use crate::model::stamp::ClientId;
use crate::store::StoreError;
use crate::transport::compact::{PackedPage, Pushed};
use crate::transport::{
    Attempt, Cursor, Hello, HelloRequest, Limits, Page, PullRequest, PushReply, Rejection, SnapshotPage,
    SnapshotRequest, TransportError,
};

/// Where the replicas of one space meet. Handles are cheap to clone and share; all methods block.
///
/// ```
/// use sync_core::{Hub, MemoryStore};
///
/// let hub = Hub::builder().name("home").open(MemoryStore::new())?;
/// let transport = hub.transport("ada"); // what replicas in the same process sync through
/// assert_eq!(hub.head().seq, 0);
/// # drop(transport);
/// # Ok::<(), sync_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    inner: Arc<inner::Inner>,
}

/// One action of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are entries, and each would be an allocation more")]
pub enum Offer {
    /// An entry.
    Entry(Entry),
    /// What could not be read as one, so that it gets its verdict in its place.
    Malformed {
        /// Its id, as far as it could be read.
        id: String,
        /// What is wrong with it.
        rejection: Rejection,
    },
}

impl Hub {
    /// How a hub is built.
    pub fn builder() -> HubBuilder {
        HubBuilder::new()
    }

    /// Who the hub is, what it has, and what it knows of the clients that a replica ever was.
    ///
    /// A cursor is on the chain if the log has that entry and the digest up to it agrees. Of one from before the
    /// log's beginning that cannot be told any more: its replica takes the state, and compares what that contains.
    ///
    /// # Errors
    /// If the store fails.
    pub fn hello(&self, principal: &str, request: &HelloRequest) -> Result<Hello, TransportError> {
        self.inner.hello(principal, request)
    }

    /// Decides what a client offers, in the order of its numbers: a prefix is accepted, durably, and of the rest
    /// only what is invalid by itself is rejected.
    ///
    /// # Errors
    /// [`TransportError::Forked`] if it has another entry under one of the numbers, [`TransportError::Diverged`]
    /// if numbers are skipped, entries named that it never had, or if the log is not the one that the replica was
    /// told of, [`TransportError::Superseded`] if a later attempt was seen, [`TransportError::Denied`] if the client
    /// belongs to another principal, [`TransportError::TooLarge`] if it is too much at once; of all of these nothing was taken in.
    /// [`TransportError::Hub`] if the store fails, and [`TransportError::Busy`]: then a retry tells.
    pub fn push(
        &self,
        principal: &str,
        attempt: impl Into<Attempt>,
        offers: Vec<Offer>,
    ) -> Result<PushReply, TransportError> {
        self.inner.push(principal, attempt.into(), Offered { offers, batch: None, is_foreign: false })
    }

    /// Decides what a client offers in a batch: as [`push`](Self::push). A batch that is taken whole is kept as it came.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_batch(&self, principal: &str, pushed: Pushed) -> Result<PushReply, TransportError> {
        let Pushed { entries, attempt, batch } = pushed;
        let offers = entries.into_iter().map(Offer::Entry).collect();
        self.inner.push(principal, attempt, Offered { offers, batch: Some(batch), is_foreign: false })
    }

    /// Decides what a client of the article's dialect offers: entries without numbers, each for itself. What is
    /// accepted gets a name of the hub's own, and replaces what is stamped lower and in the log already.
    ///
    /// Verdicts come in the order of the offers. An entry is known by its author and its id: offered again it is
    /// accepted again, whatever else was accepted meanwhile.
    ///
    /// # Errors
    /// [`TransportError::TooLarge`], [`TransportError::Hub`] and [`TransportError::Busy`] as of [`push`](Self::push).
    pub fn push_foreign(&self, principal: &str, offers: Vec<Offer>) -> Result<PushReply, TransportError> {
        self.inner.push(principal, Attempt::default(), Offered { offers, batch: None, is_foreign: true })
    }

    /// A page of the log: of what is durable only. It never splits a transaction, and may therefore be longer
    /// than asked for; one from which everything was left out goes on all the same.
    ///
    /// # Errors
    /// [`TransportError::Diverged`] if the cursor is not on this log, [`TransportError::Expired`] if the log
    /// does not reach back to it; [`TransportError::Hub`] if the store fails.
    pub fn pull(&self, request: &PullRequest) -> Result<Page, TransportError> {
        self.inner.pull(request)
    }

    /// As [`pull`](Self::pull), for the compact form: what was accepted together is handed on as it is kept, unread.
    /// Such a page may be shorter than asked for.
    ///
    /// # Errors
    /// As [`pull`](Self::pull).
    pub fn pull_packed(&self, request: &PullRequest) -> Result<PackedPage, TransportError> {
        self.inner.pull_packed(request)
    }

    /// Whether a page that begins behind entry number `since` is still served, as far as this process noticed: it looks at
    /// no store, and never blocks. A full page stays as it is for ever; who kept one may hand it out for as long as this
    /// says so.
    pub fn serves_from(&self, since: u64) -> bool {
        since + 1 >= self.inner.tail_seen.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// A page of the state. Take them one after the other until one has no `next`; a later page may bring an
    /// entity once more: the record that comes last counts, and an empty one says that nothing is left of it.
    /// Only the last page's `cursor` and `vector` count, and they are exact.
    ///
    /// # Errors
    /// [`TransportError::Expired`] if the log no longer reaches back to where the first page was made, or the
    /// page was never named: begin with the first one. [`TransportError::Hub`] if the store fails.
    pub fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError> {
        self.inner.snapshot(request)
    }

    /// Takes a page of a replica's snapshot, after this hub lost data; with the last page the two are joined, in
    /// one step of the log. Nothing changes before that.
    ///
    /// # Errors
    /// [`TransportError::Denied`] if this hub does not take snapshots; [`TransportError::Busy`] while another is
    /// being taken; [`TransportError::Diverged`] if one entry's name is seen to have two contents, and nothing was
    /// changed; [`TransportError::Expired`] if pages before this one are not here: begin with the first.
    pub fn join(&self, principal: &str, page: &SnapshotPage) -> Result<(), TransportError> {
        self.inner.join(principal, page)
    }

    /// Drops from the log all but its last `keep` entries, and gives the space back. The records contain what is
    /// dropped; a replica whose cursor is older takes them as a snapshot. With the entries goes what was known of
    /// each one, so that a push older than that cannot be recognised any more.
    ///
    /// # Errors
    /// If the store fails; what was dropped until then is dropped.
    pub fn compact(&self, keep: u64) -> Result<(), Error> {
        self.inner.compact(keep)
    }

    /// A round of upkeep, as the builder's [`keep_entries`](HubBuilder::keep_entries), [`keep_for`](HubBuilder::keep_for)
    /// and [`purge_after`](HubBuilder::purge_after) ask for it: what was deleted long ago is purged, the log is cut, and
    /// space is given back once much was dropped. Call it every minute or so, where nothing else may wait for it; a call
    /// that finds nothing to do costs next to nothing. `sync-http`'s server does so by itself.
    ///
    /// # Errors
    /// If the store fails; what was done until then is done.
    pub fn maintain(&self) -> Result<Maintained, Error> {
        self.inner.maintain()
    }

    /// Drops entities that were deleted before `before`, a time in milliseconds since the Unix epoch, for good and
    /// everywhere: by entries in the log, so that every replica drops the same. How many there were. What a device
    /// wrote to one of them offline is refused as `gone`, and stays on that device. An entity whose delete hides an
    /// edit that nobody settled is kept.
    ///
    /// # Errors
    /// If the store fails.
    pub fn purge(&self, before: u64) -> Result<u64, Error> {
        self.inner.purge(before)
    }

    /// The durable end of the log, as this process knows it. Never blocks.
    pub fn head(&self) -> Cursor {
        *self.inner.durable()
    }

    /// Reads what other hubs of the same store wrote, wakes those who wait for it, and returns the log's durable
    /// end. Every request does so by itself; call it when something else says that the store changed.
    ///
    /// # Errors
    /// If the store fails.
    pub fn refresh(&self) -> Result<Cursor, Error> {
        let (state, _) = self.inner.settled()?;
        Ok(state.durable)
    }

    /// Resolves when the log is durably longer than `since`.
    pub fn wait_beyond(&self, since: u64) -> HeadChanged {
        HeadChanged::new(self.clone(), since)
    }

    /// A transport for replicas in the same process, on behalf of this principal.
    pub fn transport(&self, principal: impl Into<String>) -> InProcess {
        InProcess::new(self.clone(), principal.into())
    }

    /// An entity's record: everything accepted about it; `None` if nothing is left of it.
    ///
    /// # Errors
    /// If the store fails.
    pub fn record(&self, key: &EntityKey) -> Result<Option<Record>, Error> {
        self.inner.record(key)
    }

    /// Folds what was accepted into the store's map, as happens by itself every so many entries.
    ///
    /// # Errors
    /// If the store fails; nothing is lost then.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.inner.checkpoint()
    }

    /// Makes the checkpoint that is due, if one is, and cuts the log as far as it is not to be kept: what pushes leave to be
    /// done. For whoever serves a hub, behind an answer, as [`InProcess`] and sync-http do: nobody waits for it there.
    /// Pushes wait for it, or do it themselves, when a quarter more waits for it.
    ///
    /// # Errors
    /// If the store fails; nothing is lost then, and the next time it is tried again.
    pub fn tend(&self) -> Result<(), StoreError> {
        self.inner.tend()
    }

    /// Whether the store failed, so that nothing more is accepted until it is opened again.
    pub fn has_failed(&self) -> bool {
        self.inner.journal.failure().is_some_and(|error| !error.is_retryable())
    }

    /// What the hub takes.
    pub fn limits(&self) -> Limits {
        self.inner.settings.limits
    }

    /// The client id under which the hub numbers entries for those who do not; a fresh one whenever it is opened.
    pub fn client(&self) -> &ClientId {
        &self.inner.own
    }

    /// The hub's name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The space's name.
    pub fn space(&self) -> &str {
        &self.inner.space
    }

    /// The entity type of the article's dialect.
    pub fn default_type(&self) -> &str {
        &self.inner.settings.default_type
    }

    /// The hub's clock: milliseconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        self.inner.now()
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("name", &self.inner.name).field("space", &self.inner.space).finish_non_exhaustive()
    }
}
