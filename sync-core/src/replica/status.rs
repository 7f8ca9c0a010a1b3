//! What a program shows of a replica's standing: what is pending, what was refused, how the last sync went.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};

use serde::Serialize;

use super::Replica;
use super::cycle::Report;
use super::row::Account;
use super::state::State;
use crate::clock::Random;
use crate::entity::{Entity, Id};
use crate::error::Error;
use crate::model::context::VersionVector;
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::ClientId;
use crate::transport::{Cursor, TransportError};
use crate::view;

/// Where a sync is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// None is under way.
    #[default]
    Idle,
    /// It asks who the hub is.
    Greeting,
    /// It offers entries.
    Uploading,
    /// It takes entries.
    Downloading,
    /// It takes the hub's snapshot.
    Bootstrapping,
    /// The journal is cut, and space given back.
    Compacting,
    /// A snapshot is written to a file.
    Exporting,
    /// A snapshot is read from a file.
    Importing,
    /// Everything is checked.
    Verifying,
}

/// How far something is that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Progress {
    /// How much is done: entries, records or rows, as the [`Phase`] says; steps of a compaction.
    pub done: u64,
    /// Of how much, if that is known.
    pub total: Option<u64>,
}

/// A replica's standing at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// The client id under which this replica issues entries.
    pub client: ClientId,
    /// What is being done that takes long.
    pub phase: Phase,
    /// How far that is.
    pub progress: Progress,
    /// Entries that the hub has not accepted yet.
    pub pending: u64,
    /// Entries that were refused and set aside.
    pub rejected: u64,
    /// Entries uploaded by the running or the last sync.
    pub uploaded: u64,
    /// Entries downloaded by the running or the last sync.
    pub downloaded: u64,
    /// How long the hub's log was when the sync began.
    pub total: Option<u64>,
    /// How much of the hub's log is here.
    pub cursor: u64,
    /// When the last sync succeeded, in milliseconds since the Unix epoch.
    pub last_synced: Option<u64>,
    /// Why the last sync failed; `None` if it succeeded.
    pub last_error: Option<Error>,
    /// When to sync again, in milliseconds since the Unix epoch by this device's clock, where the last sync failed for
    /// a reason that may pass, or the hub put something off. Later after every failure, and never at the same time on
    /// all devices; a hub that names a time is obeyed. Nothing syncs by itself: that is for the program to do.
    pub next_retry: Option<u64>,
    /// Whether this replica ever met its hub.
    pub first_sync_done: bool,
    /// By how many milliseconds this device's clock is behind the hub's.
    pub clock_offset: i64,
    /// The hub, space and principal that the replica belongs to.
    #[serde(skip)]
    pub account: Option<Account>,
}

/// How safe one entity is: nothing pending and nothing refused means that the hub has all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct EntityStatus {
    /// Its entries that the hub has not accepted yet.
    pub pending: u64,
    /// Its entries that were refused and set aside.
    pub rejected: u64,
}

impl EntityStatus {
    /// Whether the hub has all that was written to it here.
    pub fn is_safe(&self) -> bool {
        self.pending == 0 && self.rejected == 0
    }
}

/// The longest wait before the first retry, and before any: it doubles with every failure.
const RETRY: (u64, u64) = (1_000, 60_000);

/// What the running or the last sync of this process did, and what else is under way.
#[derive(Debug, Default)]
pub(super) struct Doings {
    phase: Phase,
    /// How far it is, where the state does not say it.
    pub(super) work: Progress,
    pub(super) uploaded: u64,
    pub(super) downloaded: u64,
    pub(super) total: Option<u64>,
    /// For how many milliseconds the hub put off what was offered to it.
    pub(super) put_off: u64,
    last_error: Option<Error>,
    next_retry: Option<u64>,
    failures: u32,
}

impl Doings {
    pub(super) fn begin(&mut self) {
        self.enter(Phase::Greeting);
        self.uploaded = 0;
        self.downloaded = 0;
        self.total = None;
        self.put_off = 0;
        self.next_retry = None;
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.work = Progress::default();
    }

    /// So many records of the hub's snapshot are here.
    pub(super) fn snapshot(&mut self, done: u64, total: Option<u64>) {
        self.phase = Phase::Bootstrapping;
        self.work = Progress { done, total: total.filter(|total| *total >= done).or(self.work.total) };
    }

    /// The replica was wiped: what was shown was another's. What is under way still is.
    pub(super) fn forget(&mut self) {
        *self = Self { phase: self.phase, work: self.work, ..Self::default() };
    }

    fn progress(&self, state: &State) -> Progress {
        match self.phase {
            Phase::Uploading => {
                let total = Some(self.uploaded + state.pending.len());
                Progress { done: self.uploaded, total }
            }
            // What this sync sent up has grown the hub's log beyond what it was.
            Phase::Downloading => {
                let done = state.cursor.seq;
                Progress { done, total: self.total.filter(|total| *total >= done) }
            }
            _ => self.work,
        }
    }

    pub(super) fn end(&mut self, result: &Result<Report, Error>, now: u64, random: &dyn Random) {
        self.enter(Phase::Idle);
        if matches!(result, Err(Error::Wiped)) {
            return self.forget();
        }
        self.last_error = result.as_ref().err().cloned();
        let least = match result {
            Ok(report) if report.pending > 0 => Some(self.put_off),
            Err(Error::Transport(TransportError::Busy { after })) => Some(*after),
            Err(error) if error.is_retryable() => Some(0),
            _ => None,
        };
        self.failures = if result.is_ok() { 0 } else { self.failures.saturating_add(1) };
        self.next_retry = least.map(|least| now.saturating_add(least).saturating_add(self.pause(random)));
    }

    /// Half a step, and anything up to a whole one more, so that devices that failed together do not return together.
    fn pause(&self, random: &dyn Random) -> u64 {
        let (first, most) = RETRY;
        let step = (first << self.failures.saturating_sub(1).min(16)).min(most);
        step / 2 + (random.bits() % u128::from(step)) as u64
    }
}

impl Replica {
    /// The replica's standing now.
    pub fn status(&self) -> Status {
        let progress = self.inner.status.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.state();
        Status {
            client: state.client.clone(),
            phase: progress.phase,
            progress: progress.progress(&state),
            pending: state.pending.len(),
            rejected: state.aside.len() as u64,
            uploaded: progress.uploaded,
            downloaded: progress.downloaded,
            total: progress.total,
            cursor: state.cursor.seq,
            last_synced: state.last_synced,
            last_error: progress.last_error.clone(),
            next_retry: progress.next_retry,
            first_sync_done: state.account.is_some(),
            clock_offset: state.offset,
            account: state.account.clone(),
        }
    }

    /// The part of the hub's log that is here, with its digest.
    pub fn cursor(&self) -> Cursor {
        self.state().cursor
    }

    /// Which accepted entries are here: of each client how many, and their digest. Two replicas of one space with equal
    /// vectors and nothing pending show the same.
    pub fn vector(&self) -> VersionVector {
        self.state().vector.clone()
    }

    /// How safe one entity is: whether the hub has all that was written to it here. [`watch`](Self::watch) tells when
    /// to ask again. `O(entries set aside)`.
    ///
    /// ```
    /// # use sync_core::{Id, MemoryStore, Replica, Syncable};
    /// # #[derive(Syncable)] struct Tag { #[sync(id)] id: Id<Tag, String>, colour: String }
    /// # let replica = Replica::builder().register::<Tag>().open(MemoryStore::new())?;
    /// let id = replica.create(Tag { id: "a".into(), colour: "red".into() })?.wait()?;
    /// assert_eq!(replica.status_of(&id)?.pending, 1);
    /// assert!(!replica.status_of(&id)?.is_safe()); // only this device has it
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn status_of<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<EntityStatus, Error> {
        self.status_of_key(&view::key(id))
    }

    pub(super) fn status_of_key(&self, key: &EntityKey) -> Result<EntityStatus, Error> {
        loop {
            let read = self.cold_of(key)?;
            let state = self.state();
            if read.fits(&state) {
                let pending = state.over(key, &read).count() as u64;
                let rejected = state.aside.values().filter(|aside| aside.entry.key == *key).count() as u64;
                return Ok(EntityStatus { pending, rejected });
            }
        }
    }

    /// The entries that the hub has not accepted yet, in the order in which they were written: all of them, in memory.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn unsynced(&self) -> Result<Vec<Entry>, Error> {
        Ok(self.all_pending()?.into_iter().map(|(_, entry)| Arc::unwrap_or_clone(entry)).collect())
    }

    /// Watches the replica's standing.
    ///
    /// ```
    /// # use sync_core::{Id, MemoryStore, Replica, Syncable};
    /// # #[derive(Syncable)] struct Tag { #[sync(id)] id: Id<Tag, String>, colour: String }
    /// # let replica = Replica::builder().register::<Tag>().open(MemoryStore::new())?;
    /// let mut watch = replica.watch_status();
    /// replica.create(Tag { id: "a".into(), colour: "red".into() })?.wait()?;
    /// assert_eq!(watch.try_next().map(|status| status.pending), Some(1));
    /// assert!(watch.try_next().is_none());
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    pub fn watch_status(&self) -> StatusWatch {
        StatusWatch { seen: self.inner.status_changed.rung(), replica: self.clone() }
    }

    /// Shows what is done until the result is dropped; a sync under way shows again then.
    pub(super) fn working(&self, phase: Phase) -> Working {
        let mut before = Phase::Idle;
        self.progress(|status| {
            before = status.phase;
            status.enter(phase);
        });
        Working { replica: self.clone(), before }
    }

    pub(super) fn progress(&self, change: impl FnOnce(&mut Doings)) {
        change(&mut self.inner.status.lock().unwrap_or_else(PoisonError::into_inner));
        self.inner.status_changed.ring();
    }
}

/// Something that takes long.
pub(super) struct Working {
    replica: Replica,
    before: Phase,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.replica.progress(|status| status.enter(self.before));
    }
}

/// Tells a replica's standing whenever it changed. Changes that were not looked at in time are told as one.
#[derive(Debug)]
pub struct StatusWatch {
    replica: Replica,
    seen: u64,
}

impl StatusWatch {
    /// The standing, if it changed since it was told last.
    pub fn try_next(&mut self) -> Option<Status> {
        let rung = self.replica.inner.status_changed.rung();
        let changed = rung != self.seen;
        self.seen = rung;
        changed.then(|| self.replica.status())
    }

    /// Waits until the standing changes.
    pub async fn next(&mut self) -> Status {
        self.seen = self.replica.inner.status_changed.beyond(self.seen).await;
        self.replica.status()
    }
}

/// Counts changes, and wakes those who wait for the next one.
#[derive(Default)]
pub(super) struct Bell(Mutex<(u64, Vec<Waker>)>);

impl Bell {
    pub(super) fn ring(&self) {
        let wakers = {
            let mut bell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            bell.0 += 1;
            std::mem::take(&mut bell.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn rung(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    async fn beyond(&self, seen: u64) -> u64 {
        poll_fn(|cx| {
            let mut bell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if bell.0 != seen {
                return Poll::Ready(bell.0);
            }
            bell.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
