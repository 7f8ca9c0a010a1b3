//! Transactions: from changes of values to entries.

use std::sync::Arc;

use super::Replica;
use super::stage::Staged;
use crate::change::{self, Change, Refused, Respell, Writes};
use crate::clock::HybridClock;
use crate::entity::{Entity, FieldError, Fields, Id, Merge, Schema};
use crate::error::Error;
use crate::model::entry::{Action, EntityKey, Entry, LIFECYCLE, Map};
use crate::model::record::{Life, Record};
use crate::model::stamp::{Dots, Name};
use crate::model::value::Value;
use crate::transport::Limits;
use crate::view;

/// Several writes that stand or fall together. Reads through it see what it wrote. A call that failed wrote nothing: the
/// closure may go on without it.
pub struct Transaction<'a> {
    pub(super) replica: &'a Replica,
    pub(super) entries: Vec<Arc<Entry>>,
    /// Their bytes in JSON.
    pub(super) bytes: u64,
    /// The entries of each entity.
    pub(super) staged: Map<Staged>,
    pub(super) local: Vec<(EntityKey, Fields)>,
    pub(super) forget: Vec<u64>,
    pub(super) next_local: u64,
    /// Of its first entry.
    pub(super) intent: Option<u128>,
    pub(super) clock: HybridClock,
    pub(super) wall: u64,
    pub(super) limits: Limits,
    /// How many bytes a client's id takes in JSON, at most.
    pub(super) client_bytes: u64,
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl<'a> Transaction<'a> {
    pub(super) fn begin(replica: &'a Replica) -> Self {
        let wall = replica.wall();
        let state = replica.state();
        let (next_local, clock, limits) = (state.next_local, state.clock, state.limits);
        let client_bytes = replica.inner.name.most_bytes(&state.client);
        Self {
            replica,
            entries: Vec::new(),
            bytes: 0,
            staged: Map::default(),
            local: Vec::new(),
            forget: Vec::new(),
            next_local,
            intent: None,
            clock,
            wall,
            limits,
            client_bytes,
        }
    }

    /// As [`Replica::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create<T: Entity>(&mut self, entity: T) -> Result<Id<T, T::Key>, Error> {
        let key = view::key(entity.id());
        let fields = written(&entity, &key)?;
        check_readable::<T>(&key, &fields, &Change::between(T::SCHEMA, &Fields::new(), &fields))?;
        let schema = self.replica.schema(T::SCHEMA.name)?;
        self.whole(|tx| tx.create_fields(schema, key, &fields))?;
        Ok(entity.id().clone())
    }

    /// As [`Replica::put`].
    ///
    /// # Errors
    /// As there.
    pub fn put<T: Entity>(&mut self, entity: T) -> Result<Id<T, T::Key>, Error> {
        let key = view::key(entity.id());
        let after = written(&entity, &key)?;
        check_readable::<T>(&key, &after, &Change::between(T::SCHEMA, &Fields::new(), &after))?;
        let schema = self.replica.schema(T::SCHEMA.name)?;
        let shown = |stored: &Fields| T::from_fields(entity.id().clone(), stored)?.to_fields();
        let respell = change::respell(&entity, &after);
        self.whole(|tx| tx.put_fields(schema, key, &after, &shown, &respell))?;
        Ok(entity.id().clone())
    }

    /// As [`Replica::edit`].
    ///
    /// # Errors
    /// As there.
    pub fn edit<T: Entity, R>(&mut self, id: &Id<T, T::Key>, f: impl FnOnce(&mut T) -> R) -> Result<R, Error> {
        let key = view::key(id);
        let schema = self.replica.schema(T::SCHEMA.name)?;
        let record = self.alive(&key)?;
        let mut entity: T = self.entity(&key, &record)?;
        // What the type makes of the stored values is what the user sees: only what differs from that is a change.
        let before = written(&entity, &key)?;
        let result = f(&mut entity);
        if entity.id() != id {
            let message = "the closure changed the entity's id: create another entity instead".to_owned();
            return Err(Error::Invalid { key, field: None, message });
        }
        let after = written(&entity, &key)?;
        let change = Change::between(schema, &before, &after);
        check_readable::<T>(&key, &after, &change)?;
        let respell = change::respell(&entity, &before);
        self.whole(|tx| tx.update_fields(key, &record, &change, &respell))?;
        Ok(result)
    }

    /// As [`Replica::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete<T: Entity>(&mut self, id: &Id<T, T::Key>) -> Result<(), Error> {
        let schema = self.replica.schema(T::SCHEMA.name)?;
        self.whole(|tx| tx.delete_key(schema, view::key(id)))
    }

    /// As [`Replica::restore`].
    ///
    /// # Errors
    /// As there.
    pub fn restore<T: Entity>(&mut self, id: &Id<T, T::Key>) -> Result<(), Error> {
        self.whole(|tx| tx.restore_key(view::key(id)))
    }

    /// As [`Replica::get`], with what this transaction wrote.
    ///
    /// # Errors
    /// As there.
    pub fn get<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<Option<T>, Error> {
        let key = view::key(id);
        let mut record = self.replica.visible(&key)?;
        for entry in self.staged_of(&key) {
            Arc::make_mut(&mut record).apply_in_order(entry);
        }
        if record.is_alive() { self.entity(&key, &record).map(Some) } else { Ok(None) }
    }

    fn entity<T: Entity>(&self, key: &EntityKey, record: &Record) -> Result<T, Error> {
        let staged = self.local.iter().rev().find(|(local, _)| local == key).map(|(_, fields)| fields);
        self.replica.entity(key, record, staged)
    }

    pub(super) fn create_fields(&mut self, schema: &Schema, key: EntityKey, fields: &Fields) -> Result<(), Error> {
        if key.id.is_empty() || key.id.len() > EntityKey::MAX_ID_BYTES {
            let message =
                format!("an id has 1 to {} bytes, and this one has {}", EntityKey::MAX_ID_BYTES, key.id.len());
            let shown: String = key.id.chars().take(40).collect();
            return Err(Error::Invalid { key: EntityKey::new(key.entity_type, shown), field: None, message });
        }
        if self.visible(&key)?.life() != Life::Unborn {
            return Err(Error::Exists { key });
        }
        let writes = change::create(schema, fields).map_err(|refused| invalid(&key, refused))?;
        // What stands there is of one that was refused or purged.
        let has_local = schema.fields.iter().any(|field| field.local);
        if has_local && self.local_fields(&key)?.iter().next().is_some() {
            self.local.push((key.clone(), Fields::new()));
        }
        self.stage(key.clone(), Action::Create, |entry| entry.fields = writes.fields)?;
        self.stage_local(key, &Change::between(schema, &Fields::new(), fields), &|_, _| None)
    }

    /// `shown` gives stored fields as the type writes them, if it can read them all.
    fn put_fields(
        &mut self,
        schema: &Schema,
        key: EntityKey,
        after: &Fields,
        shown: &dyn Fn(&Fields) -> Result<Fields, FieldError>,
        respell: Respell<'_>,
    ) -> Result<(), Error> {
        let record = self.visible(&key)?;
        match record.life() {
            Life::Unborn => return self.create_fields(schema, key, after),
            Life::Deleted { .. } => self.restore_key(key.clone())?,
            Life::Alive { .. } => {}
        }
        let mut before = view::fields(schema, &record);
        for (name, value) in view::local(schema, &self.local_fields(&key)?) {
            before.insert(name, value.clone());
        }
        // One field that cannot be read makes no difference of the others.
        let (mut readable, mut unreadable) = (before.clone(), Vec::new());
        let shown = loop {
            let field = match shown(&readable) {
                Ok(shown) => break shown,
                Err(FieldError::Missing { field } | FieldError::Decode { field, .. }) => field,
                Err(_) => break Fields::new(),
            };
            match after.get(&field) {
                Some(new) if !unreadable.contains(&field) => readable.insert(field.clone(), new.clone()),
                _ => break Fields::new(),
            }
            unreadable.push(field);
        };
        // What the type does not read of a value is no difference to it, nor is a default. A sum beyond what it holds is.
        for field in schema.fields.iter().filter(|field| !matches!(field.merge, Merge::Counter)) {
            if let Some(value) = shown.get(field.name).filter(|_| !unreadable.iter().any(|name| name == field.name)) {
                before.insert(field.name, value.clone());
            }
        }
        self.update_fields(key, &record, &Change::between(schema, &before, after), respell)
    }

    pub(super) fn update_fields(
        &mut self,
        key: EntityKey,
        record: &Record,
        change: &Change<'_>,
        respell: Respell<'_>,
    ) -> Result<(), Error> {
        let mut failed = None;
        let removals = |name: &str, element: &Value| {
            self.pending_removals(&key, name, element).unwrap_or_else(|error| {
                failed = Some(error);
                Dots::new()
            })
        };
        let writes = change::update(record, change, respell, removals);
        if let Some(error) = failed {
            return Err(error);
        }
        let writes: Writes = writes.map_err(|refused| invalid(&key, refused))?;
        if !writes.is_empty() {
            let of = record.grounds();
            self.stage(key.clone(), Action::Update, |entry| {
                entry.fields = writes.fields;
                entry.replaces = writes.replaces;
                entry.of = of;
            })?;
        }
        self.stage_local(key, change, respell)
    }

    pub(super) fn delete_key(&mut self, schema: &Schema, key: EntityKey) -> Result<(), Error> {
        let record = self.visible(&key)?;
        match record.life() {
            Life::Unborn => return Err(Error::NotFound { key }),
            Life::Deleted { .. } if is_settled(&record) => return Ok(()),
            _ => {}
        }
        self.stage(key, Action::Delete(schema.tombstone), |entry| {
            entry.of = record.grounds();
            entry.replaces = lifecycle(&record);
            entry.saw = record.field_dots();
        })
    }

    pub(super) fn restore_key(&mut self, key: EntityKey) -> Result<(), Error> {
        let record = self.visible(&key)?;
        if record.life() == Life::Unborn {
            return Err(Error::NotFound { key });
        }
        if record.lifecycle().iter().all(|write| write.delete.is_none()) {
            return Ok(());
        }
        self.stage(key, Action::Restore, |entry| {
            entry.of = record.grounds();
            entry.replaces = lifecycle(&record);
        })
    }
}

/// What an entity writes.
pub(super) fn written<T: Entity>(entity: &T, key: &EntityKey) -> Result<Fields, Error> {
    entity.to_fields().map_err(|source| Error::Field { key: key.clone(), source })
}

/// What a type could not read again would be acknowledged, and on every device, and shown on none.
pub(super) fn check_readable<T: Entity>(key: &EntityKey, fields: &Fields, change: &Change<'_>) -> Result<(), Error> {
    if change.is_faithful() {
        return Ok(());
    }
    let wrong = |source| Error::Field { key: key.clone(), source };
    match view::id::<T>(key).and_then(|id| T::from_fields(id, fields)) {
        Ok(_) => Ok(()),
        Err(FieldError::Decode { field, source }) => Err(wrong(FieldError::Unreadable { field, source })),
        Err(other) => Err(wrong(other)),
    }
}

/// Whether nothing stands against an entity's delete: no write that it hides, and no restore of someone who had not seen it.
pub(super) fn is_settled(record: &Record) -> bool {
    record.hidden_writes().is_empty() && record.lifecycle().iter().all(|write| write.delete.is_some())
}

pub(super) fn lifecycle(record: &Record) -> Vec<(Name, Dots)> {
    let dots: Dots = record.lifecycle().iter().map(|write| write.origin.dot.clone()).collect();
    if dots.is_empty() { Vec::new() } else { vec![(LIFECYCLE.into(), dots)] }
}

pub(super) fn invalid(key: &EntityKey, refused: Refused) -> Error {
    Error::Invalid { key: key.clone(), field: Some(refused.field), message: refused.message }
}
