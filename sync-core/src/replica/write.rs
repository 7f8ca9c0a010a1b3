//! Writing: from a change of a value to entries in the queue.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::ThreadId;

use super::row::Row;
use super::{Inner, Replica, size};
use crate::clock::HybridClock;
use crate::entity::{Entity, FieldError, Fields, Id, Schema};
use crate::error::Error;
use crate::journal::Commit;
use crate::model::entry::{Action, EntityKey, Entry, Group, LIFECYCLE};
use crate::model::op::Op;
use crate::model::record::{Life, Record};
use crate::model::stamp::{Dot, Origin};
use crate::model::value::Value;
use crate::transport::Limits;
use crate::view::{self, Refused, Writes};

/// Several writes that stand or fall together. Reads through it see what it wrote.
pub struct Transaction<'a> {
    replica: &'a Replica,
    entries: Vec<Entry>,
    /// Their bytes in JSON.
    bytes: u64,
    /// The entries of each entity.
    staged: HashMap<EntityKey, Staged>,
    local: Vec<(EntityKey, Fields)>,
    pub(super) forget: Vec<u64>,
    next_local: u64,
    /// Of its first entry.
    intent: Option<u128>,
    clock: HybridClock,
    wall: u64,
    limits: Limits,
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// What a transaction wrote to one entity.
#[derive(Default)]
struct Staged {
    /// Which of its entries.
    entries: Vec<usize>,
    /// What shows with the first `folded` of them; `None` until it is asked for.
    record: Option<Arc<Record>>,
    folded: usize,
}

/// The right to write, held by one thread at a time.
struct Writing<'a> {
    inner: &'a Inner,
    _lock: MutexGuard<'a, ()>,
}

impl<'a> Writing<'a> {
    fn begin(inner: &'a Inner) -> Result<Self, Error> {
        let this: ThreadId = std::thread::current().id();
        if *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) == Some(this) {
            return Err(Error::Nested);
        }
        // A panic in a user's closure leaves nothing behind: its entries were not queued.
        let lock = inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(this);
        Ok(Self { inner, _lock: lock })
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        *self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Replica {
    pub(super) fn write<R>(
        &self,
        f: impl FnOnce(&mut Transaction<'_>) -> Result<R, Error>,
    ) -> Result<Commit<R>, Error> {
        let _writing = Writing::begin(&self.inner)?;
        let mut tx = Transaction::begin(self);
        let result = f(&mut tx)?;
        let Some(row) = tx.finish()? else { return Ok(Commit::nothing(result)) };
        let position = self.commit(&row)?;
        self.checkpoint_if_due();
        Ok(self.inner.journal.ticket(position, result))
    }

    /// Rows that are no writes of the user's, but must not come between what a write reads and what it queues.
    pub(super) fn commit_between_writes(&self, row: &Row) -> Result<crate::store::Position, Error> {
        self.bring_in_for(row)?;
        let _writing = Writing::begin(&self.inner)?;
        self.commit(row)
    }
}

impl<'a> Transaction<'a> {
    fn begin(replica: &'a Replica) -> Self {
        let wall = replica.wall();
        let state = replica.state();
        let (next_local, clock, limits) = (state.next_local, state.clock, state.limits);
        Self {
            replica,
            entries: Vec::new(),
            bytes: 0,
            staged: HashMap::new(),
            local: Vec::new(),
            forget: Vec::new(),
            next_local,
            intent: None,
            clock,
            wall,
            limits,
        }
    }

    /// As [`Replica::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create<T: Entity>(&mut self, entity: T) -> Result<Id<T, T::Key>, Error> {
        let key = view::key(entity.id());
        let fields = entity.to_fields().map_err(|source| Error::Field { key: key.clone(), source })?;
        self.create_fields(self.replica.schema(T::SCHEMA.name)?, key, &fields)?;
        Ok(entity.id().clone())
    }

    /// As [`Replica::put`].
    ///
    /// # Errors
    /// As there.
    pub fn put<T: Entity>(&mut self, entity: T) -> Result<Id<T, T::Key>, Error> {
        let key = view::key(entity.id());
        let after = entity.to_fields().map_err(|source| Error::Field { key: key.clone(), source })?;
        self.put_fields(self.replica.schema(T::SCHEMA.name)?, key, &after)?;
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
        let wrong = |source: FieldError| Error::Field { key: key.clone(), source };
        let mut entity: T = self.entity(&key, &record)?;
        // What the type makes of the stored values is what the user sees: only what differs from that is a change.
        let before = entity.to_fields().map_err(wrong)?;
        let result = f(&mut entity);
        if entity.id() != id {
            let message = "the closure changed the entity's id: create another entity instead".to_owned();
            return Err(Error::Invalid { key, field: None, message });
        }
        let after = entity.to_fields().map_err(wrong)?;
        self.update_fields(schema, key, &record, &before, &after)?;
        Ok(result)
    }

    /// As [`Replica::delete`].
    ///
    /// # Errors
    /// As there.
    pub fn delete<T: Entity>(&mut self, id: &Id<T, T::Key>) -> Result<(), Error> {
        self.delete_key(self.replica.schema(T::SCHEMA.name)?, view::key(id))
    }

    /// As [`Replica::restore`].
    ///
    /// # Errors
    /// As there.
    pub fn restore<T: Entity>(&mut self, id: &Id<T, T::Key>) -> Result<(), Error> {
        self.restore_key(view::key(id))
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
        let writes = view::create(schema, fields).map_err(|refused| invalid(&key, refused))?;
        self.stage(key.clone(), Action::Create, |entry| entry.fields = writes.fields)?;
        self.stage_local(schema, key, &Fields::new(), fields);
        Ok(())
    }

    pub(super) fn put_fields(&mut self, schema: &Schema, key: EntityKey, after: &Fields) -> Result<(), Error> {
        let record = self.visible(&key)?;
        match record.life() {
            Life::Unborn => return self.create_fields(schema, key, after),
            Life::Deleted { .. } => self.restore_key(key.clone())?,
            Life::Alive { .. } => {}
        }
        let mut before = view::fields(schema, &record);
        for (name, value) in self.replica.local_fields(&key)?.iter() {
            before.insert(name.to_owned(), value.clone());
        }
        self.update_fields(schema, key, &record, &before, after)
    }

    pub(super) fn update_fields(
        &mut self,
        schema: &Schema,
        key: EntityKey,
        record: &Record,
        before: &Fields,
        after: &Fields,
    ) -> Result<(), Error> {
        let mut failed = None;
        let removals = |name: &str, element: &Value| {
            self.pending_removals(&key, name, element).unwrap_or_else(|error| {
                failed = Some(error);
                Vec::new()
            })
        };
        let writes = view::update(schema, record, before, after, removals);
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
        self.stage_local(schema, key, before, after);
        Ok(())
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

    /// Has the staged entries name what pending entries, which were seen some time ago, have become since. What is not
    /// here any more, because a hub's state was taken over meanwhile, is left out.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is nothing left that they could stand on.
    pub(super) fn rename(&mut self) -> Result<(), Error> {
        {
            let state = self.replica.state();
            for entry in &mut self.entries {
                state.names.rename(entry);
                entry.map_named(|dots| dots.retain(|dot| state.has(dot)));
                entry.replaces.retain(|(_, dots)| !dots.is_empty());
            }
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.of.is_empty()) {
            entry.of = self.replica.visible(&entry.key)?.grounds();
            if entry.of.is_empty() {
                return Err(Error::NotFound { key: entry.key.clone() });
            }
        }
        self.bytes = self.entries.iter().map(size::of_json).sum();
        Ok(())
    }

    pub(super) fn alive(&mut self, key: &EntityKey) -> Result<Arc<Record>, Error> {
        let record = self.visible(key)?;
        match record.life() {
            Life::Alive { .. } => Ok(record),
            Life::Unborn => Err(Error::NotFound { key: key.clone() }),
            Life::Deleted { .. } => Err(Error::Deleted { key: key.clone() }),
        }
    }

    /// What the replica shows, and over it what this transaction wrote.
    pub(super) fn visible(&mut self, key: &EntityKey) -> Result<Arc<Record>, Error> {
        // Nothing else changes what shows while a transaction is open.
        let Some(staged) = self.staged.get_mut(key) else { return self.replica.visible(key) };
        let record = match &mut staged.record {
            Some(record) => record,
            none => none.insert(self.replica.visible(key)?),
        };
        for entry in &staged.entries[staged.folded..] {
            Arc::make_mut(record).apply_in_order(&self.entries[*entry]);
        }
        staged.folded = staged.entries.len();
        Ok(record.clone())
    }

    fn staged_of(&self, key: &EntityKey) -> impl Iterator<Item = &Entry> {
        let staged = self.staged.get(key).map_or(&[][..], |staged| &staged.entries);
        staged.iter().map(|entry| &self.entries[*entry])
    }

    fn pending_removals(&self, key: &EntityKey, name: &str, element: &Value) -> Result<Vec<Dot>, Error> {
        let mut dots = Vec::new();
        let mut note = |entry: &Entry| {
            let fields = entry.fields.iter().filter(|(field, _)| &**field == name);
            let removes = fields.filter_map(|(_, op)| match op {
                Op::Set { remove, .. } => Some(remove),
                _ => None,
            });
            let removes = removes.flatten().filter(|(removed, _)| removed == element);
            dots.extend(removes.flat_map(|(_, dots)| dots.iter().cloned()));
        };
        loop {
            let read = self.replica.cold_of(key)?;
            let state = self.replica.state();
            if read.fits(&state) {
                state.over(key, &read).for_each(|entry| note(&entry));
                break;
            }
        }
        self.staged_of(key).for_each(note);
        Ok(dots)
    }

    pub(super) fn stage(&mut self, key: EntityKey, action: Action, fill: impl FnOnce(&mut Entry)) -> Result<(), Error> {
        let origin = Origin { dot: Dot::local(self.next_local), time: self.clock.tick(self.wall), author: None };
        let mut entry = Entry::new(origin, key, action);
        fill(&mut entry);
        // Those of one transaction count up: together they are one row of the hub's index.
        let first = *self.intent.get_or_insert_with(|| intent(entry.origin.time, self.replica.inner.random.bits()));
        entry.intent = Some(first.wrapping_add(self.entries.len() as u128));
        self.bytes += check_size(&entry, &self.limits)?;
        self.next_local += 1;
        self.staged.entry(entry.key.clone()).or_default().entries.push(self.entries.len());
        self.entries.push(entry);
        Ok(())
    }

    /// Fields that never leave the device: stored whole beside the entity.
    fn stage_local(&mut self, schema: &Schema, key: EntityKey, before: &Fields, after: &Fields) {
        let names = || schema.fields.iter().filter(|field| field.local).map(|field| field.name);
        if names().all(|name| before.get(name) == after.get(name)) {
            return;
        }
        let mut fields = Fields::new();
        for name in names() {
            if let Some(value) = after.get(name) {
                fields.insert(name, value.clone());
            }
        }
        self.local.push((key, fields));
    }

    fn finish(mut self) -> Result<Option<Row>, Error> {
        if self.entries.is_empty() && self.local.is_empty() && self.forget.is_empty() {
            return Ok(None);
        }
        let count = self.entries.len() as u64;
        if count > self.limits.group_entries {
            let (what, max) = ("a transaction".to_owned(), self.limits.group_entries);
            return Err(Error::TooLarge { what, size: count, unit: "entries", max });
        }
        if count > 1 {
            let bytes = self.bytes + count * 64;
            if bytes > self.limits.batch_bytes {
                let (what, max) = ("a transaction".to_owned(), self.limits.batch_bytes);
                return Err(Error::TooLarge { what, size: bytes, unit: "bytes", max });
            }
            let group = Group { first: self.entries[0].dot().n, count };
            self.entries.iter_mut().for_each(|entry| entry.group = Some(group));
        }
        let entries = self.entries.into_iter().map(Arc::new).collect();
        Ok(Some(Row::Write { entries, local: self.local, forget: self.forget }))
    }
}

/// Whether nothing stands against an entity's delete: no write that it hides, and no restore of someone who had not seen it.
fn is_settled(record: &Record) -> bool {
    record.hidden_writes().is_empty() && record.lifecycle().iter().all(|write| write.delete.is_some())
}

pub(super) fn lifecycle(record: &Record) -> Vec<(Arc<str>, Vec<Dot>)> {
    let dots: Vec<Dot> = record.lifecycle().iter().map(|write| write.origin.dot.clone()).collect();
    if dots.is_empty() { Vec::new() } else { vec![(LIFECYCLE.into(), dots)] }
}

fn invalid(key: &EntityKey, refused: Refused) -> Error {
    Error::Invalid { key: key.clone(), field: Some(refused.field), message: refused.message }
}

/// What the hub would refuse for its size is refused at the call. Returns the bytes in JSON.
fn check_size(entry: &Entry, limits: &Limits) -> Result<u64, Error> {
    let what = || format!("the write to {}", entry.key);
    for (_, op) in &entry.fields {
        let depth = size::depth(op);
        if depth > limits.depth {
            return Err(Error::TooLarge { what: what(), size: depth, unit: "levels of nesting", max: limits.depth });
        }
    }
    // Numbered, its ids are longer by what a client id and a number take.
    let ids = entry.named().count() as u64 + 4;
    let bytes = size::of_json(entry);
    let size = bytes + ids * 56;
    if size > limits.entry_bytes {
        return Err(Error::TooLarge { what: what(), size, unit: "bytes", max: limits.entry_bytes });
    }
    Ok(bytes)
}

/// A name that nothing else ever has: 80 random bits behind the time, so that those of one time stand together in the
/// hub's index, where looking for them and adding them is then cheap.
fn intent(time: u64, random: u128) -> u128 {
    const RANDOM_BITS: u32 = 80;
    let random = xxhash_rust::xxh3::xxh3_128(&random.to_le_bytes()) >> (128 - RANDOM_BITS);
    u128::from(time) << RANDOM_BITS | random
}
