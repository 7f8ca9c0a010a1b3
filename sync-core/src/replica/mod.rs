//! One device's copy of one space: what a program writes to and reads from, offline or not.

mod adopt;
mod aside;
mod blocks;
mod both;
mod builder;
mod chain;
mod checkpoint;
mod checkpointer;
mod cold;
mod conflict;
mod cycle;
mod download;
mod draft;
mod explain;
mod give_back;
mod greet;
mod inbox;
mod intents;
mod keep;
mod log;
mod lost;
mod meta;
mod names;
mod offer;
mod offload;
mod overlay;
mod pace;
mod pending;
mod portable;
mod purge;
mod query;
mod raw;
mod row;
mod seen;
mod session;
mod single_flight;
mod size;
mod snapshot_file;
mod stage;
mod state;
mod status;
mod table;
mod transaction;
mod upload;
mod verify;
mod watch;
mod wipe;
mod write;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;

pub use aside::SetAside;
pub use builder::ReplicaBuilder;
pub use conflict::{Conflict, Contender, RawConflict};
pub use cycle::{Report, SyncOptions};
pub use draft::Draft;
pub use explain::{Explanation, Part, Rule};
pub use inbox::{Change, RawWatch};
pub use keep::Keep;
pub use log::{LogEntry, LogState};
pub use portable::SnapshotSummary;
pub use query::Listing;
pub use raw::{RawEntity, RawReplica};
pub use row::Account;
pub use status::{EntityStatus, Phase, Progress, Status, StatusWatch};
pub use transaction::Transaction;
pub use verify::Verification;
pub use watch::Watch;

use crate::clock::{Clock, Random};
use crate::commit::Commit;
use crate::entity::{Entity, Id, Key, Schema};
use crate::error::Error;
use crate::journal::Journal;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use state::State;

/// One device's copy of one space.
///
/// Cheap to clone; all clones are the same replica. Every write is visible at once and durable when its
/// [`Commit`] resolves, offline or not; [`sync`](Replica::sync) exchanges it with a hub.
///
/// ```
/// use sync_core::{Entity, Id, MemoryStore, Replica, Syncable};
///
/// #[derive(Syncable, Debug, PartialEq)]
/// struct Note {
///     #[sync(id)]
///     id: Id<Note>,
///     title: String,
///     #[sync(merge = "counter")]
///     views: i64,
/// }
///
/// let replica = Replica::builder().register::<Note>().open(MemoryStore::new())?;
/// let id = replica.create(Note { id: replica.new_id(), title: "Shopping".into(), views: 0 })?.wait()?;
/// replica.edit(&id, |note| {
///     note.title = "Groceries".into(); // an assignment
///     note.views += 1; // a difference
/// })?.wait()?;
/// assert_eq!(replica.get(&id)?.map(|note| (note.title, note.views)), Some(("Groceries".into(), 1)));
/// # Ok::<(), sync_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Arc<Journal>,
    state: Mutex<State>,
    /// Never held by readers.
    writing: Mutex<()>,
    /// Who holds it.
    writer: Mutex<Option<ThreadId>>,
    schemas: BTreeMap<&'static str, &'static Schema>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    name: builder::ClientName,
    watchers: inbox::Watchers,
    syncing: single_flight::SingleFlight<Result<Report, Error>>,
    status: Mutex<status::Doings>,
    status_changed: status::Bell,
    checkpointer: Arc<checkpointer::Checkpointer>,
    checkpoint_after: usize,
    keep: Keep,
    #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
    flusher: Option<crate::journal::Flusher>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("client", &self.state().client).finish_non_exhaustive()
    }
}

impl Replica {
    /// Registers entity types and opens a store.
    pub fn builder() -> ReplicaBuilder {
        ReplicaBuilder::default()
    }

    /// A fresh id: a time-ordered UUID (version 7).
    pub fn new_id<T>(&self) -> Id<T> {
        let (time, bits) = (self.wall(), self.inner.random.bits());
        let random: [u8; 16] = bits.to_le_bytes();
        let random = random.first_chunk::<10>().expect("16 bytes have a first 10");
        Id::new(uuid::Builder::from_unix_timestamp_millis(time, random).into_uuid())
    }

    /// A fresh id for entities whose ids are texts.
    pub fn new_text_id<T>(&self) -> Id<T, String> {
        Id::new(self.new_id::<T>().key().to_text())
    }

    /// Brings an entity into being.
    ///
    /// # Errors
    /// [`Error::Exists`] if one of this id is known, deleted or not; [`Error::Field`] if a field cannot be stored;
    /// [`Error::TooLarge`]; [`Error::Store`].
    pub fn create<T: Entity>(&self, entity: T) -> Result<Commit<Id<T, T::Key>>, Error> {
        self.write(|tx| tx.create(entity))
    }

    /// Creates the entity, or edits the one of this id to equal it, as it is known here; a deleted one is restored.
    ///
    /// Of a counter that makes the sum what the entity says, and so takes back what others added and is here already;
    /// what they add without having seen it counts beside it. To add to a sum, use [`edit`](Self::edit).
    ///
    /// # Errors
    /// As [`create`](Self::create), but for [`Error::Exists`].
    pub fn put<T: Entity>(&self, entity: T) -> Result<Commit<Id<T, T::Key>>, Error> {
        self.write(|tx| tx.put(entity))
    }

    /// Changes an entity: what differs after the closure is the intent, and all that is logged. What the closure
    /// returns comes back through the commit.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Deleted`], [`Error::Field`] if the entity cannot be read or written,
    /// [`Error::Invalid`] if a field's policy refuses the change or the id was changed, [`Error::Nested`].
    pub fn edit<T: Entity, R>(&self, id: &Id<T, T::Key>, f: impl FnOnce(&mut T) -> R) -> Result<Commit<R>, Error> {
        self.write(|tx| tx.edit(id, f))
    }

    /// Deletes an entity. Deleting one that is deleted settles what was edited concurrently.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn delete<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<Commit<()>, Error> {
        self.write(|tx| tx.delete(id))
    }

    /// Takes back the deletes of an entity; its fields are as they were, with what was edited concurrently.
    ///
    /// # Errors
    /// [`Error::NotFound`]. Restoring one that is not deleted writes nothing.
    pub fn restore<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<Commit<()>, Error> {
        self.write(|tx| tx.restore(id))
    }

    /// Several writes that stand or fall together: on this device, at the hub, and on every device that receives
    /// them. An error returned from the closure writes nothing.
    ///
    /// ```
    /// # use sync_core::{Entity, Id, MemoryStore, Replica, Syncable};
    /// # #[derive(Syncable)] struct Account { #[sync(id)] id: Id<Account, String>, #[sync(merge = "counter")] money: i64 }
    /// # let replica = Replica::builder().register::<Account>().open(MemoryStore::new())?;
    /// let (from, to) = ("a".into(), "b".into());
    /// replica.create(Account { id: "a".into(), money: 10 })?.wait()?;
    /// replica.create(Account { id: "b".into(), money: 0 })?.wait()?;
    /// replica.transaction(|tx| {
    ///     tx.edit(&from, |a: &mut Account| a.money -= 5)?;
    ///     tx.edit(&to, |b: &mut Account| b.money += 5)
    /// })?.wait()?;
    /// assert_eq!(replica.get(&to)?.map(|b| b.money), Some(5));
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The closure's; [`Error::TooLarge`] for more entries than the hub takes in one group.
    pub fn transaction<R>(&self, f: impl FnOnce(&mut Transaction<'_>) -> Result<R, Error>) -> Result<Commit<R>, Error> {
        self.write(f)
    }

    /// The same by entity type name and JSON, for programs that cannot carry the types: bindings, scripts, wasm.
    pub fn raw(&self) -> RawReplica<'_> {
        RawReplica::new(self)
    }

    /// Appends whatever waits. Without the `system` feature's thread, this and waiting for commits are all that does.
    ///
    /// # Errors
    /// If storage failed.
    pub fn flush(&self) -> Result<(), Error> {
        self.inner.journal.flush()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under this lock would leave a state that does not follow from the journal: none of the code
        // under it is a user's, and none of it panics.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock as the hub would show it.
    fn wall(&self) -> u64 {
        let offset = self.state().offset;
        self.inner.clock.now().saturating_add_signed(offset)
    }

    fn schema(&self, entity_type: &str) -> Result<&'static Schema, Error> {
        let schema = self.inner.schemas.get(entity_type).copied();
        schema.ok_or_else(|| Error::Unregistered { entity_type: entity_type.to_owned() })
    }

    /// An entity's record as its accepted entries make it.
    fn accepted(&self, key: &EntityKey) -> Result<Arc<Record>, Error> {
        loop {
            let (generation, table) = {
                let mut state = self.state();
                if let Some(record) = state.records.peek(key) {
                    return Ok(record);
                }
                (state.records.generation(), state.table)
            };
            // Read without the lock: if a checkpoint comes in between, read again.
            let record = table.load(&**self.inner.journal.store(), key)?;
            self.settle_checkpoint()?;
            let mut state = self.state();
            state.records.give(key, generation, record);
            if let Some(record) = state.records.peek(key) {
                return Ok(record);
            }
        }
    }

    /// An entity's record with the pending entries over it.
    fn visible(&self, key: &EntityKey) -> Result<Arc<Record>, Error> {
        if let Some(kept) = self.state().kept(key) {
            return Ok(kept);
        }
        loop {
            let accepted = self.accepted(key)?;
            {
                let mut state = self.state();
                // A page may have been taken in between the two locks.
                if state.records.peek(key).is_none_or(|record| !Arc::ptr_eq(&record, &accepted)) {
                    continue;
                }
                if let Some(shown) = state.shown(key, &accepted) {
                    return Ok(shown);
                }
            }
            let read = self.cold_of(key)?;
            let mut state = self.state();
            let is_same = state.records.peek(key).is_some_and(|record| Arc::ptr_eq(&record, &accepted));
            if is_same && read.fits(&state) {
                return Ok(state.show(key, accepted, &read));
            }
        }
    }
}
