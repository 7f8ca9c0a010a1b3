//! What a program shows of a replica's standing: what is pending, what was refused, how the last sync went.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use serde::Serialize;

use super::Replica;
use super::cycle::Report;
use super::row::Account;
use crate::clock::Random;
use crate::entity::{Entity, Id};
use crate::error::Error;
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::{ClientId, VersionVector};
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
}

/// A replica's standing at one moment.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Status {
    /// The client id under which this replica issues entries.
    pub client: ClientId,
    /// What the running sync does.
    pub phase: Phase,
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

/// What the running or the last sync of this process did.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    pub(super) uploaded: u64,
    pub(super) downloaded: u64,
    pub(super) total: Option<u64>,
    /// For how many milliseconds the hub put off what was offered to it.
    pub(super) put_off: u64,
    last_error: Option<Error>,
    next_retry: Option<u64>,
    failures: u32,
}

impl Progress {
    pub(super) fn begin(&mut self) {
        self.phase = Phase::Greeting;
        self.uploaded = 0;
        self.downloaded = 0;
        self.total = None;
        self.put_off = 0;
        self.next_retry = None;
    }

    pub(super) fn end(&mut self, result: &Result<Report, Error>, now: u64, random: &dyn Random) {
        self.phase = Phase::Idle;
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
            pending: state.pending.len() as u64,
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
    /// assert_eq!(replica.status_of(&id).pending, 1);
    /// assert!(!replica.status_of(&id).is_safe()); // only this device has it
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    pub fn status_of<T: Entity>(&self, id: &Id<T, T::Key>) -> EntityStatus {
        self.status_of_key(&view::key(id))
    }

    pub(super) fn status_of_key(&self, key: &EntityKey) -> EntityStatus {
        let state = self.state();
        EntityStatus {
            pending: state.pending_of.get(key).map_or(0, |locals| locals.len() as u64),
            rejected: state.aside.values().filter(|aside| aside.entry.key == *key).count() as u64,
        }
    }

    /// The entries that the hub has not accepted yet, in the order in which they were written.
    pub fn unsynced(&self) -> Vec<Entry> {
        self.state().pending.values().map(|pending| (*pending.entry).clone()).collect()
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

    pub(super) fn progress(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.inner.status.lock().unwrap_or_else(PoisonError::into_inner));
        self.inner.status_changed.ring();
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
