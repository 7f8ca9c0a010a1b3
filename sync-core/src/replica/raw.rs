//! The same replica by entity type name and JSON.

use super::inbox::RawWatch;
use super::query::{Scan, updated_at};
use super::status::EntityStatus;
use super::transaction::invalid;
use super::{Replica, Transaction};
use crate::change::{self, Change};
use crate::commit::Commit;
use crate::entity::Fields;
use crate::error::Error;
use crate::model::entry::EntityKey;
use crate::model::record::{Life, Record};
use crate::view;

/// A replica by entity type name and JSON: for bindings, scripts and wasm, which cannot carry the types.
///
/// ```
/// # use sync_core::{Fields, Id, MemoryStore, Replica, Syncable, Value};
/// # #[derive(Syncable)] struct Tag { #[sync(id)] id: Id<Tag, String>, colour: String }
/// # let replica = Replica::builder().register::<Tag>().open(MemoryStore::new())?;
/// let mut fields = Fields::new();
/// fields.insert("colour", Value::from("red"));
/// replica.raw().create("tag", "a", &fields)?.wait()?;
/// fields.insert("colour", Value::from("blue"));
/// replica.raw().edit("tag", "a", &fields)?.wait()?;
/// let tag = replica.raw().get("tag", "a")?.unwrap();
/// assert_eq!(tag.fields.get("colour"), Some(&Value::from("blue")));
/// # Ok::<(), sync_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RawReplica<'a> {
    replica: &'a Replica,
}

/// An entity by its fields.
#[derive(Debug, Clone, PartialEq)]
pub struct RawEntity {
    /// Which entity.
    pub key: EntityKey,
    /// Its fields' values; of a registered type those that the type has, else all.
    pub fields: Fields,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The logical time of the last create, update or restore; of a deleted one, of the last delete. In milliseconds.
    pub updated_at: u64,
}

impl<'a> RawReplica<'a> {
    pub(super) fn new(replica: &'a Replica) -> Self {
        Self { replica }
    }

    /// As [`Replica::create`]. A field may be given by a name that it had before (an alias).
    ///
    /// Fields may be left out. Which of them have a default only the type knows, not its schema: without one that has
    /// none, the entity cannot be read as its type ([`Error::Field`]) until [`edit`](Self::edit) sets that. Nor is it
    /// asked whether the type can read the values that are given.
    ///
    /// # Errors
    /// As there; the type must be registered. [`Error::Invalid`] for what is no field of it, and for a field that is
    /// given by two of its names.
    pub fn create(&self, entity_type: &str, id: &str, fields: &Fields) -> Result<Commit<()>, Error> {
        let schema = self.replica.schema(entity_type)?;
        let key = EntityKey::new(entity_type, id);
        let fields = change::named(schema, fields).map_err(|refused| invalid(&key, refused))?;
        self.replica.write(|tx| tx.create_fields(schema, key, &fields))
    }

    /// Sets these fields, as [`Replica::edit`] would; the others stay. A field may be given by a name that it had before.
    ///
    /// # Errors
    /// As there; the type must be registered. [`Error::Invalid`] too for what is no field of it, and for a field that is
    /// given by two of its names.
    pub fn edit(&self, entity_type: &str, id: &str, changes: &Fields) -> Result<Commit<()>, Error> {
        let schema = self.replica.schema(entity_type)?;
        let key = EntityKey::new(entity_type, id);
        let changes = change::named(schema, changes).map_err(|refused| invalid(&key, refused))?;
        self.replica.write(|tx: &mut Transaction<'_>| {
            let record = tx.alive(&key)?;
            let mut before = view::fields(schema, &record);
            for (name, value) in view::local(schema, &tx.local_fields(&key)?) {
                before.insert(name, value.clone());
            }
            let mut after = before.clone();
            for (name, value) in changes.iter() {
                after.insert(name.to_owned(), value.clone());
            }
            tx.update_fields(key, &record, &Change::between(schema, &before, &after), &|_, _| None)
        })
    }

    /// As [`Replica::delete`].
    ///
    /// # Errors
    /// As there; the type must be registered.
    pub fn delete(&self, entity_type: &str, id: &str) -> Result<Commit<()>, Error> {
        let schema = self.replica.schema(entity_type)?;
        self.replica.write(|tx| tx.delete_key(schema, EntityKey::new(entity_type, id)))
    }

    /// As [`Replica::restore`].
    ///
    /// # Errors
    /// As there; the type must be registered.
    pub fn restore(&self, entity_type: &str, id: &str) -> Result<Commit<()>, Error> {
        self.replica.schema(entity_type)?;
        self.replica.write(|tx| tx.restore_key(EntityKey::new(entity_type, id)))
    }

    /// An entity, also a deleted one; of types that were not registered too.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn get(&self, entity_type: &str, id: &str) -> Result<Option<RawEntity>, Error> {
        let key = EntityKey::new(entity_type, id);
        let record = self.record(&key)?;
        Ok(self.shown(key, &record)?.filter(|_| record.life() != Life::Unborn))
    }

    /// All entities of a type, deleted ones among them, in the order of their ids; of all types for `None`.
    pub fn list(&self, entity_type: Option<&str>) -> impl Iterator<Item = Result<RawEntity, Error>> + use<'a> {
        let raw = *self;
        Scan::new(self.replica, entity_type).filter_map(move |item| match item {
            Ok((key, record)) => raw.shown(key, &record).transpose(),
            Err(error) => Some(Err(error)),
        })
    }

    /// An entity's visible record: every sibling of every register.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn record(&self, key: &EntityKey) -> Result<Record, Error> {
        self.replica.visible(key).map(|record| (*record).clone())
    }

    /// How safe an entity is: as [`Replica::status_of`].
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn status_of(&self, key: &EntityKey) -> Result<EntityStatus, Error> {
        self.replica.status_of_key(key)
    }

    /// Watches all types, or one.
    pub fn watch(&self, entity_type: Option<&str>) -> RawWatch {
        self.replica.inner.watchers.add(entity_type)
    }

    fn shown(&self, key: EntityKey, record: &Record) -> Result<Option<RawEntity>, Error> {
        let deleted = match record.life() {
            Life::Unborn => return Ok(None),
            Life::Alive { .. } => false,
            Life::Deleted { .. } => true,
        };
        let schema = self.replica.inner.schemas.get(&*key.entity_type);
        let mut fields = schema.map_or_else(|| view::untyped(record), |schema| view::fields(schema, record));
        let stored = self.replica.local_fields(&key)?;
        match schema {
            // What the type had once may still be stored: what is shown is what `edit` takes.
            Some(schema) => view::local(schema, &stored).for_each(|(name, value)| fields.insert(name, value.clone())),
            None => stored.iter().for_each(|(name, value)| fields.insert(name.to_owned(), value.clone())),
        }
        Ok(Some(RawEntity { key, fields, deleted, updated_at: updated_at(record) }))
    }
}
