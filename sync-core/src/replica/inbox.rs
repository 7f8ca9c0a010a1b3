//! The inboxes of those who watch: what changed, told without ever holding up a writer.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::model::entry::EntityKey;
use crate::threads::{Condvar, Mutex, MutexGuard};

/// How many changed entities a watcher may be behind before it is told to read everything anew.
const BACKLOG: usize = 1_024;

/// How long one who waits without end waits at a time.
const A_WHILE: Duration = Duration::from_secs(3_600);

/// What a watcher is told. The state is current when it is told.
#[derive(Debug, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum Change<K> {
    /// This entity changed: written here or elsewhere, deleted, restored, accepted or refused.
    Changed(K),
    /// More changed than the watcher took in time: read everything anew.
    Resync,
}

/// Tells the changes of all entity types, or of one by its name.
pub struct RawWatch {
    inbox: Arc<Inbox>,
}

#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<Weak<Inbox>>>);

struct Inbox {
    entity_type: Option<String>,
    content: Mutex<Content>,
    arrived: Condvar,
}

#[derive(Default)]
struct Content {
    changed: BTreeSet<EntityKey>,
    overflowed: bool,
    wakers: Vec<Waker>,
}

impl Watchers {
    pub(crate) fn add(&self, entity_type: Option<&str>) -> RawWatch {
        let entity_type = entity_type.map(str::to_owned);
        let inbox = Arc::new(Inbox { entity_type, content: Mutex::default(), arrived: Condvar::new() });
        self.list().push(Arc::downgrade(&inbox));
        RawWatch { inbox }
    }

    pub(crate) fn publish(&self, changed: &[EntityKey]) {
        if changed.is_empty() {
            return;
        }
        let inboxes: Vec<Arc<Inbox>> = {
            let mut list = self.list();
            list.retain(|inbox| inbox.strong_count() > 0);
            list.iter().filter_map(Weak::upgrade).collect()
        };
        for inbox in inboxes {
            inbox.put(changed);
        }
    }

    /// Everything may have changed.
    pub(crate) fn resync(&self) {
        let inboxes: Vec<Arc<Inbox>> = self.list().iter().filter_map(Weak::upgrade).collect();
        for inbox in inboxes {
            let wakers = {
                let mut content = inbox.content();
                content.changed.clear();
                content.overflowed = true;
                std::mem::take(&mut content.wakers)
            };
            inbox.arrived.notify_all();
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Weak<Inbox>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    fn put(&self, changed: &[EntityKey]) {
        let wakers = {
            let mut content = self.content();
            let ours = |key: &&EntityKey| self.entity_type.as_deref().is_none_or(|name| *name == *key.entity_type);
            let mut any = false;
            for key in changed.iter().filter(ours) {
                any = true;
                if !content.overflowed {
                    content.changed.insert(key.clone());
                }
            }
            if content.changed.len() > BACKLOG {
                content.changed.clear();
                content.overflowed = true;
            }
            if any { std::mem::take(&mut content.wakers) } else { Vec::new() }
        };
        self.arrived.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn take(&mut self) -> Option<Change<EntityKey>> {
        if std::mem::take(&mut self.overflowed) {
            return Some(Change::Resync);
        }
        self.changed.pop_first().map(Change::Changed)
    }
}

impl RawWatch {
    /// The next change, if there is one already.
    pub fn try_next(&self) -> Option<Change<EntityKey>> {
        self.inbox.content().take()
    }

    /// Waits for the next change.
    pub async fn next(&self) -> Change<EntityKey> {
        poll_fn(|cx| {
            let mut content = self.inbox.content();
            match content.take() {
                Some(change) => Poll::Ready(change),
                None => {
                    content.wakers.push(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Blocks for the next change, at most so long.
    pub fn next_timeout(&self, timeout: Duration) -> Option<Change<EntityKey>> {
        self.next_until(Instant::now().checked_add(timeout))
    }

    /// The same until then; without end for `None`.
    pub(super) fn next_until(&self, until: Option<Instant>) -> Option<Change<EntityKey>> {
        let mut content = self.inbox.content();
        loop {
            if let Some(change) = content.take() {
                return Some(change);
            }
            let left = match until {
                Some(until) => until.checked_duration_since(Instant::now())?,
                None => A_WHILE,
            };
            content = self.inbox.arrived.wait_timeout(content, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl std::fmt::Debug for RawWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawWatch").finish_non_exhaustive()
    }
}
