//! Reading: one entity, or all of a type in pages.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use super::Replica;
use super::cold::Read;
use crate::entity::{Entity, Fields, Id};
use crate::error::Error;
use crate::model::codec::Reader;
use crate::model::entry::EntityKey;
use crate::model::record::{Glance, Life, Record};
use crate::records::Stored;
use crate::seal;
use crate::store::StoreError;
use crate::view;

/// How many records are read at a time.
const PAGE: usize = 256;

impl Replica {
    /// An entity, if it is there and not deleted. Reads memory, or one row of the store.
    ///
    /// # Errors
    /// [`Error::Field`] if what is stored does not fit the type; [`Error::Store`].
    pub fn get<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<Option<T>, Error> {
        self.schema(T::SCHEMA.name)?;
        let key = view::key(id);
        let record = self.visible(&key)?;
        if record.is_alive() { self.entity(&key, &record, None).map(Some) } else { Ok(None) }
    }

    /// All entities of a type that are there, in the order of their ids' texts. One that cannot be read is an error
    /// in its place; the others follow. Pages from the store: memory does not follow the number of entities.
    ///
    /// ```
    /// # use sync_core::{Id, MemoryStore, Replica, Syncable};
    /// # #[derive(Syncable)] struct Tag { #[sync(id)] id: Id<Tag, String>, colour: String }
    /// # let replica = Replica::builder().register::<Tag>().open(MemoryStore::new())?;
    /// replica.create(Tag { id: "b".into(), colour: "blue".into() })?.wait()?;
    /// replica.create(Tag { id: "a".into(), colour: "red".into() })?.wait()?;
    /// let colours: Result<Vec<String>, _> = replica.list::<Tag>()?.map(|tag| tag.map(|tag| tag.colour)).collect();
    /// assert_eq!(colours?, ["red", "blue"]);
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unregistered`].
    pub fn list<T: Entity>(&self) -> Result<Listing<T>, Error> {
        self.schema(T::SCHEMA.name)?;
        Ok(Listing { scan: Scan::new(self, Some(T::SCHEMA.name)), entity: PhantomData })
    }

    /// The entity that a record shows, with the fields that never leave the device.
    pub(super) fn entity<T: Entity>(
        &self,
        key: &EntityKey,
        record: &Record,
        local: Option<&Fields>,
    ) -> Result<T, Error> {
        self.typed(key, view::fields(T::SCHEMA, record), local)
    }

    /// The entity of these fields, with those that never leave the device.
    fn typed<T: Entity>(&self, key: &EntityKey, mut fields: Fields, local: Option<&Fields>) -> Result<T, Error> {
        let wrong = |source| Error::Field { key: key.clone(), source };
        if T::SCHEMA.fields.iter().any(|field| field.local) {
            let stored = self.local_fields(key)?;
            for (name, value) in view::local(T::SCHEMA, local.unwrap_or(&stored)) {
                fields.insert(name, value.clone());
            }
        }
        T::from_fields(view::id::<T>(key).map_err(wrong)?, &fields).map_err(wrong)
    }

    /// The fields of an entity that never leave the device.
    pub(super) fn local_fields(&self, key: &EntityKey) -> Result<Fields, Error> {
        {
            let state = self.state();
            if let Some(fields) = state.local.get(key) {
                return Ok(fields.clone());
            }
            // What the map has is of what the replica was before.
            if state.wiped {
                return Ok(Fields::new());
            }
        }
        let place = local_place(key);
        match self.inner.journal.store().get(&place)? {
            None => Ok(Fields::new()),
            Some(row) => {
                let body = seal::open(&place, &row)?;
                let fields = super::row::read_fields(&mut Reader::plain(body));
                Ok(fields.map_err(|error| seal::unreadable(&place, &error))?)
            }
        }
    }
}

/// Where the fields of an entity that never leave the device are kept.
pub(super) fn local_place(key: &EntityKey) -> Vec<u8> {
    [b"l", key.entity_type.as_bytes(), b"\0", key.id.as_bytes()].concat()
}

/// Iterates over all entities of a type.
pub struct Listing<T> {
    scan: Scan,
    entity: PhantomData<fn() -> T>,
}

impl<T> std::fmt::Debug for Listing<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listing").finish_non_exhaustive()
    }
}

impl<T: Entity> Listing<T> {
    /// Begins after this id: for pages of a program's own.
    #[must_use]
    pub fn after(mut self, id: &Id<T, T::Key>) -> Self {
        self.scan.begin_after(view::key(id));
        self
    }
}

impl<T: Entity> Listing<T> {
    /// The entity, if it is there.
    fn entity(&self, key: &EntityKey, shown: &Shown) -> Result<Option<T>, Error> {
        let replica = &self.scan.replica;
        let record = match shown {
            Shown::Record(record) => record.clone(),
            Shown::Stored(stored) => {
                match stored.glance()? {
                    Glance::Gone => return Ok(None),
                    Glance::Plain(values) => {
                        if let Some(fields) = view::glanced(T::SCHEMA, &values) {
                            return replica.typed(key, fields, None).map(Some);
                        }
                    }
                    Glance::Unclear => {}
                }
                Arc::new(stored.record()?)
            }
        };
        if record.is_alive() { replica.entity(key, &record, None).map(Some) } else { Ok(None) }
    }
}

impl<T: Entity> Iterator for Listing<T> {
    type Item = Result<T, Error>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entity = match self.scan.next_shown()? {
                Ok((key, shown)) => self.entity(&key, &shown),
                Err(error) => Err(error),
            };
            if let Some(entity) = entity.transpose() {
                return Some(entity);
            }
        }
    }
}

/// A visible record.
enum Shown {
    Record(Arc<Record>),
    /// All there is of it is its row.
    Stored(Stored),
}

/// Visible records in the order of their keys.
pub(super) struct Scan {
    replica: Replica,
    entity_type: Option<String>,
    after: Option<EntityKey>,
    page: VecDeque<Result<(EntityKey, Shown), Error>>,
    done: bool,
    /// Whether pending entries lie over the records.
    overlay: bool,
}

impl Scan {
    pub(super) fn new(replica: &Replica, entity_type: Option<&str>) -> Self {
        let entity_type = entity_type.map(str::to_owned);
        Self { replica: replica.clone(), entity_type, after: None, page: VecDeque::new(), done: false, overlay: true }
    }

    /// Records as their accepted entries alone make them.
    pub(super) fn accepted(replica: &Replica, entity_type: Option<&str>) -> Self {
        Self { overlay: false, ..Self::new(replica, entity_type) }
    }

    pub(super) fn begin_after(&mut self, key: EntityKey) {
        self.after = Some(key);
    }

    /// Reads a page of the checkpoint, and merges what memory has of the same range.
    fn read(&mut self) -> Result<(), Error> {
        let store = self.replica.inner.journal.store().clone();
        loop {
            let (generation, table, turn) = {
                let state = self.replica.state();
                (state.records.generation(), state.table, state.pending.cold.turn)
            };
            let rows = table.scan_rows(&*store, self.entity_type.as_deref(), self.after.as_ref(), PAGE)?;
            let last = if rows.len() == PAGE { rows.last().map(|(key, _)| key.clone()) } else { None };
            let mut cold = std::collections::BTreeMap::new();
            if self.overlay {
                let of_type = self.entity_type.as_deref();
                for key in self.replica.cold_keys(self.after.as_ref(), of_type, last.as_ref())? {
                    let read = self.replica.cold_of(&key)?;
                    cold.insert(key, read);
                }
            }
            self.replica.settle_checkpoint()?;
            let mut state = self.replica.state();
            let is_same = state.pending.cold.turn == turn && cold.values().all(|read| read.fits(&state));
            if !is_same || state.records.generation() != generation || state.table != table {
                continue;
            }
            let mut keys: Vec<(EntityKey, Option<Result<Stored, StoreError>>)> =
                rows.into_iter().map(|(key, row)| (key, Some(row))).collect();
            let stored = keys.len();
            let in_memory = self.in_memory(&mut state, last.as_ref()).into_iter();
            keys.extend(in_memory.chain(cold.keys().cloned()).map(|key| (key, None)));
            if keys.len() > stored {
                // Of a key that is there twice the row comes first.
                keys.sort_by(|a, b| a.0.cmp(&b.0));
                keys.dedup_by(|later, first| later.0 == first.0);
            }
            let none = Read::default();
            for (key, row) in keys {
                let shown = self.shown(&mut state, &key, row, cold.get(&key).unwrap_or(&none));
                self.page.push_back(shown.map(|shown| (key, shown)));
            }
            self.done = last.is_none();
            self.after = last;
            return Ok(());
        }
    }

    /// What is visible of an entity that has this row, or none.
    fn shown(
        &self,
        state: &mut super::State,
        key: &EntityKey,
        row: Option<Result<Stored, StoreError>>,
        read: &Read,
    ) -> Result<Shown, Error> {
        let is_under = self.overlay && (state.pending.of(key).len() > 0 || !read.entries.is_empty());
        let accepted = match (state.records.peek(key), row) {
            (Some(record), _) => record,
            (None, Some(stored)) if !is_under && state.records.is_settled(key) => return Ok(Shown::Stored(stored?)),
            (None, Some(stored)) => state.records.with_tail(key, stored?.record()?),
            (None, None) => state.records.with_tail(key, Record::default()),
        };
        Ok(Shown::Record(if self.overlay { state.overlaid(key, accepted, read) } else { accepted }))
    }

    /// The keys of the range that memory knows something of.
    fn in_memory(&self, state: &mut super::State, last: Option<&EntityKey>) -> Vec<EntityKey> {
        let of_type = |key: &&EntityKey| self.entity_type.as_deref().is_none_or(|name| name == &*key.entity_type);
        let from = match (&self.after, &self.entity_type) {
            (Some(after), _) => Bound::Excluded(after.clone()),
            (None, Some(name)) => Bound::Included(EntityKey::new(name.as_str(), "")),
            (None, None) => Bound::Unbounded,
        };
        let to = last.map_or(Bound::Unbounded, |last| Bound::Included(last.clone()));
        let range = (from, to);
        let pending = state.pending.entities(range.clone()).take_while(of_type);
        state.records.touched_within(range).take_while(of_type).chain(pending).cloned().collect()
    }
}

impl Iterator for Scan {
    type Item = Result<(EntityKey, Arc<Record>), Error>;
    fn next(&mut self) -> Option<Self::Item> {
        let shown = self.next_shown()?;
        Some(shown.and_then(|(key, shown)| {
            let record = match shown {
                Shown::Record(record) => record,
                Shown::Stored(stored) => Arc::new(stored.record()?),
            };
            Ok((key, record))
        }))
    }
}

impl Scan {
    fn next_shown(&mut self) -> Option<Result<(EntityKey, Shown), Error>> {
        loop {
            if let Some(item) = self.page.pop_front() {
                return Some(item);
            }
            if self.done {
                return None;
            }
            if let Err(error) = self.read() {
                self.done = true;
                return Some(Err(error));
            }
        }
    }
}

/// The life of a record as the wire's `updatedAt` shows it.
pub(super) fn updated_at(record: &Record) -> u64 {
    match record.life() {
        Life::Unborn => 0,
        Life::Alive { updated_at } | Life::Deleted { updated_at } => updated_at,
    }
}
