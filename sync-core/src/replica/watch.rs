//! Watching the entities of a type.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use super::Replica;
use super::inbox::{Change, RawWatch};
use crate::entity::{Entity, Id};
use crate::model::entry::EntityKey;
use crate::view;

/// Tells the changes of one entity type. Dropped, it ends.
pub struct Watch<T> {
    raw: RawWatch,
    entity: PhantomData<fn() -> T>,
}

impl Replica {
    /// Watches the entities of one type.
    ///
    /// ```
    /// # use sync_core::{Change, Id, MemoryStore, Replica, Syncable};
    /// # #[derive(Syncable)] struct Tag { #[sync(id)] id: Id<Tag, String>, colour: String }
    /// # let replica = Replica::builder().register::<Tag>().open(MemoryStore::new())?;
    /// let watch = replica.watch::<Tag>();
    /// replica.create(Tag { id: "a".into(), colour: "red".into() })?.wait()?;
    /// assert_eq!(watch.try_next(), Some(Change::Changed("a".into())));
    /// assert_eq!(watch.try_next(), None);
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    pub fn watch<T: Entity>(&self) -> Watch<T> {
        let raw = self.inner.watchers.add(Some(T::SCHEMA.name));
        Watch { raw, entity: PhantomData }
    }
}

impl<T: Entity> Watch<T> {
    /// The next change, if there is one already.
    pub fn try_next(&self) -> Option<Change<Id<T, T::Key>>> {
        loop {
            if let Some(change) = typed(self.raw.try_next()?) {
                return Some(change);
            }
        }
    }

    /// Waits for the next change.
    pub async fn next(&self) -> Change<Id<T, T::Key>> {
        loop {
            if let Some(change) = typed(self.raw.next().await) {
                return change;
            }
        }
    }

    /// Blocks for the next change, at most so long.
    pub fn next_timeout(&self, timeout: Duration) -> Option<Change<Id<T, T::Key>>> {
        let until = Instant::now().checked_add(timeout);
        loop {
            if let Some(change) = typed(self.raw.next_until(until)?) {
                return Some(change);
            }
        }
    }
}

/// An id that does not fit the type's key cannot be told: `list` reports it.
fn typed<T: Entity>(change: Change<EntityKey>) -> Option<Change<Id<T, T::Key>>> {
    match change {
        Change::Changed(key) => view::id::<T>(&key).ok().map(Change::Changed),
        Change::Resync => Some(Change::Resync),
    }
}

impl<T> std::fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
