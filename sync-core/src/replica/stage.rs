//! What a transaction has written so far: entries that nobody else sees yet.

use std::sync::Arc;

use smallvec::SmallVec;

use super::row::Row;
use super::{Transaction, size};
use crate::change::{self, Change, Changed, Respell};
use crate::clock::HybridClock;
use crate::entity::Fields;
use crate::error::Error;
use crate::model::entry::{Action, EntityKey, Entry, Group};
use crate::model::op::Op;
use crate::model::record::{Life, Record};
use crate::model::stamp::{Dot, Dots, Origin};
use crate::model::value::Value;
use crate::transport::Limits;
use crate::view;

/// What a transaction wrote to one entity.
#[derive(Default)]
pub(super) struct Staged {
    /// Which of its entries.
    entries: SmallVec<[usize; 2]>,
    /// What shows with the first `folded` of them; `None` until it is asked for.
    record: Option<Arc<Record>>,
    folded: usize,
}

/// What a transaction was before a call.
struct Before {
    entries: usize,
    bytes: u64,
    local: usize,
    forget: usize,
    next_local: u64,
    intent: Option<u128>,
    clock: HybridClock,
}

impl Transaction<'_> {
    /// A call that stands or falls as a whole: if it fails, what it staged until then is taken back, because the user's
    /// closure may go on.
    pub(super) fn whole<R>(&mut self, call: impl FnOnce(&mut Self) -> Result<R, Error>) -> Result<R, Error> {
        let before = Before {
            entries: self.entries.len(),
            bytes: self.bytes,
            local: self.local.len(),
            forget: self.forget.len(),
            next_local: self.next_local,
            intent: self.intent,
            clock: self.clock,
        };
        let result = call(self);
        if result.is_err() {
            self.take_back(before);
        }
        result
    }

    fn take_back(&mut self, before: Before) {
        let Before { entries, bytes, local, forget, next_local, intent, clock } = before;
        for entry in self.entries.drain(entries..) {
            let Some(staged) = self.staged.get_mut(&entry.key) else { continue };
            staged.entries.retain(|index| *index < entries);
            if staged.entries.is_empty() {
                self.staged.remove(&entry.key);
            } else if staged.folded > staged.entries.len() {
                // Nothing folds backwards: it is made anew when it is asked for.
                (staged.record, staged.folded) = (None, 0);
            }
        }
        self.local.truncate(local);
        self.forget.truncate(forget);
        (self.bytes, self.next_local, self.intent, self.clock) = (bytes, next_local, intent, clock);
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

    pub(super) fn staged_of(&self, key: &EntityKey) -> impl Iterator<Item = &Entry> {
        let staged = self.staged.get(key).map_or(&[][..], |staged| &staged.entries);
        staged.iter().map(|entry| &*self.entries[*entry])
    }

    pub(super) fn pending_removals(&self, key: &EntityKey, name: &str, element: &Value) -> Result<Dots, Error> {
        let mut dots = Dots::new();
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
        self.bytes += check_size(&entry, self.client_bytes, &self.limits)?;
        self.next_local += 1;
        self.staged.entry(entry.key.clone()).or_default().entries.push(self.entries.len());
        self.entries.push(Arc::new(entry));
        Ok(())
    }

    /// Fields that never leave the device, of an entity as this transaction shows it.
    pub(super) fn local_fields(&self, key: &EntityKey) -> Result<Fields, Error> {
        match self.local.iter().rev().find(|(staged, _)| staged == key) {
            Some((_, fields)) => Ok(fields.clone()),
            None => self.replica.local_fields(key),
        }
    }

    /// Fields that never leave the device are stored whole beside the entity: over what is there go those that changed.
    pub(super) fn stage_local(
        &mut self,
        key: EntityKey,
        change: &Change<'_>,
        respell: Respell<'_>,
    ) -> Result<(), Error> {
        let mut changed = change.fields(true).peekable();
        if changed.peek().is_some() {
            let mut fields = self.local_fields(&key)?;
            for Changed { field, was, is } in changed {
                match is {
                    Some(value) => {
                        let stored = || view::local_value(field, &fields).cloned();
                        let value = change::whole(field, stored, *was, value, respell);
                        fields.insert(field.name, value);
                    }
                    None => drop(fields.remove(field.name)),
                }
            }
            self.local.push((key, fields));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Option<Row>, Error> {
        if self.entries.is_empty() && self.local.is_empty() && self.forget.is_empty() {
            return Ok(None);
        }
        let count = self.entries.len() as u64;
        if count > self.limits.group_entries {
            let (what, max) = ("a transaction".to_owned(), self.limits.group_entries);
            return Err(Error::TooLarge { what, size: count, unit: "entries", max });
        }
        if self.bytes > self.limits.batch_bytes {
            let (what, max) = ("a transaction".to_owned(), self.limits.batch_bytes);
            return Err(Error::TooLarge { what, size: self.bytes, unit: "bytes", max });
        }
        if count > 1 {
            let group = Group { first: self.entries[0].dot().n, count };
            self.entries.iter_mut().for_each(|entry| Arc::make_mut(entry).group = Some(group));
        }
        Ok(Some(Row::Write { entries: self.entries, local: self.local, forget: self.forget }))
    }
}

/// What the hub would refuse for its size is refused at the call. Returns the bytes in JSON, at most.
pub(super) fn check_size(entry: &Entry, client_bytes: u64, limits: &Limits) -> Result<u64, Error> {
    let what = || format!("the write to {}", entry.key);
    for (_, op) in &entry.fields {
        let depth = size::depth(op);
        if depth > limits.depth {
            return Err(Error::TooLarge { what: what(), size: depth, unit: "levels of nesting", max: limits.depth });
        }
    }
    let size = size::once_numbered(entry, client_bytes);
    if size > limits.entry_bytes {
        return Err(Error::TooLarge { what: what(), size, unit: "bytes", max: limits.entry_bytes });
    }
    Ok(size)
}

/// A name that nothing else ever has: 80 random bits behind the time, so that those of one time stand together in the
/// hub's index, where looking for them and adding them is then cheap.
fn intent(time: u64, random: u128) -> u128 {
    const RANDOM_BITS: u32 = 80;
    let random = xxhash_rust::xxh3::xxh3_128(&random.to_le_bytes()) >> (128 - RANDOM_BITS);
    u128::from(time) << RANDOM_BITS | random
}
