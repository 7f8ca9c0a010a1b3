//! The conflict ledger: values that lost to a writer who had not seen them.

use serde::Serialize;

use super::query::Scan;
use super::transaction::{is_settled, lifecycle};
use super::{Replica, Transaction};
use crate::commit::Commit;
use crate::entity::{Entity, Id, Schema};
use crate::error::Error;
use crate::model::conflict::{self, Losing};
use crate::model::entry::{Action, EntityKey, LIFECYCLE};
use crate::model::op::{Family, Op};
use crate::model::record::{Life, Record};
use crate::model::register::{Register, Sibling};
use crate::model::stamp::{ClientId, Dot, Dots};
use crate::model::value::Value;
use crate::view;

/// One value in a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contender {
    /// Who wrote it.
    pub author: ClientId,
    /// When, in milliseconds since the Unix epoch by the hybrid logical clock.
    pub time: u64,
    /// What; `null` for a delete or a restore. [`Value::decode`] reads it as the field's type.
    pub value: Value,
    /// Whether it is a delete.
    pub is_delete: bool,
    /// Whether the hub has it.
    pub accepted: bool,
    /// The entry that wrote it.
    #[serde(skip)]
    pub dot: Dot,
}

/// A field in which a value lost to a writer who had not seen it. Nothing is lost: `take` or `keep` settles it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawConflict {
    /// Which entity.
    pub key: EntityKey,
    /// Which field, by the name that it has now; [`LIFECYCLE`] where a delete and what was written around it disagree.
    pub field: String,
    /// The value that shows.
    pub winner: Contender,
    /// Those that lost, the one that would win next first.
    pub losers: Vec<Contender>,
    pub(crate) family: Family,
    /// The writes that whoever was shown this has seen: of the field; of a delete all of the entity's.
    pub(crate) seen: Dots,
}

/// A conflict in an entity of type `T`.
pub struct Conflict<T: Entity> {
    /// Which entity.
    pub id: Id<T, T::Key>,
    /// Field, winner and losers.
    pub raw: RawConflict,
}

impl<T: Entity> std::fmt::Debug for Conflict<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conflict").field("id", &self.id).field("raw", &self.raw).finish()
    }
}

impl Replica {
    /// Every conflict in the entities of one type. A value that someone overwrote who had seen it is none; one that
    /// lost to a writer who had not is always listed, on every replica alike, until a write that has seen both.
    ///
    /// # Errors
    /// [`Error::Unregistered`], [`Error::Store`], [`Error::Field`] for an id that does not fit.
    pub fn conflicts<T: Entity>(&self) -> Result<Vec<Conflict<T>>, Error> {
        self.schema(T::SCHEMA.name)?;
        let typed = |raw: RawConflict| {
            let id = view::id::<T>(&raw.key);
            let id = id.map_err(|source| Error::Field { key: raw.key.clone(), source })?;
            Ok(Conflict { id, raw })
        };
        // Conflicts of fields that the type does not have are for the program that has them.
        let is_ours =
            |raw: &RawConflict| raw.field == LIFECYCLE || T::SCHEMA.fields.iter().any(|field| field.name == raw.field);
        self.raw_conflicts(Some(T::SCHEMA.name))?.into_iter().filter(is_ours).map(typed).collect()
    }

    /// Every conflict, of one type or of all.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn raw_conflicts(&self, entity_type: Option<&str>) -> Result<Vec<RawConflict>, Error> {
        let mut found = Vec::new();
        let own = self.state().client.clone();
        for item in Scan::new(self, entity_type) {
            let (key, record) = item?;
            let schema = self.inner.schemas.get(&*key.entity_type).copied();
            for losing in conflict::of(&record, |field| names(schema, field)) {
                let seen = seen(&record, &losing, schema);
                found.push(raw(&key, losing, seen, &own));
            }
        }
        Ok(found)
    }

    /// Settles a conflict with the value of one of its losers.
    ///
    /// # Errors
    /// As [`edit`](Self::edit); [`Error::Invalid`] if there is no such loser.
    pub fn take(&self, conflict: &RawConflict, loser: usize) -> Result<Commit<()>, Error> {
        match conflict.losers.get(loser) {
            Some(contender) => self.resolve(conflict, contender),
            None => {
                let message =
                    format!("the conflict has {} losers, and there is no number {loser}", conflict.losers.len());
                Err(Error::Invalid { key: conflict.key.clone(), field: Some(conflict.field.clone()), message })
            }
        }
    }

    /// Settles a conflict with the value that shows.
    ///
    /// # Errors
    /// As [`edit`](Self::edit).
    pub fn keep(&self, conflict: &RawConflict) -> Result<Commit<()>, Error> {
        self.resolve(conflict, &conflict.winner)
    }

    fn resolve(&self, conflict: &RawConflict, chosen: &Contender) -> Result<Commit<()>, Error> {
        let schema = self.inner.schemas.get(&*conflict.key.entity_type).copied();
        self.write(|tx| tx.resolve(schema, conflict, chosen))
    }
}

impl Transaction<'_> {
    /// An ordinary write that has seen the winner and the losers, and nothing that came since.
    fn resolve(&mut self, schema: Option<&Schema>, conflict: &RawConflict, chosen: &Contender) -> Result<(), Error> {
        let key = conflict.key.clone();
        let own: Vec<ClientId> = {
            let state = self.replica.state();
            state.former.iter().chain([&state.client]).cloned().collect()
        };
        // What had no number when it was listed may have one by now.
        let had_local = conflict.seen.iter().any(Dot::is_local);
        let may_be_listed = |dot: &Dot, author: &ClientId| had_local && !dot.is_local() && own.contains(author);
        if conflict.field == LIFECYCLE {
            let is_seen = |dot: &Dot| conflict.seen.contains(dot) || may_be_listed(dot, &dot.client);
            return self.resolve_life(schema, key, chosen.is_delete, is_seen);
        }
        let record = self.alive(&key)?;
        let value = chosen.value.clone();
        let op = match &conflict.family {
            Family::First => Op::First(value),
            _ => Op::Assign(value),
        };
        // Its value and its author are what they were.
        let is_listed = |sibling: &Sibling| {
            let (dot, value) = (&sibling.origin.dot, &sibling.value);
            let mut listed = std::iter::once(&conflict.winner).chain(&conflict.losers);
            conflict.seen.contains(dot)
                || (may_be_listed(dot, sibling.origin.author()) && listed.any(|listed| listed.value == *value))
        };
        let is_seen = |sibling: &&Sibling| is_listed(sibling);
        let mut replaces = Vec::new();
        for name in names(schema, &conflict.field) {
            let siblings = record.get(&name, &conflict.family).map_or(&[][..], |register| register.siblings());
            let seen: Dots = siblings.iter().filter(is_seen).map(|s| s.origin.dot.clone()).collect();
            if !seen.is_empty() {
                replaces.push((name.into(), seen));
            }
        }
        // Entries name fields in order: read from JSON they would have another hash otherwise.
        replaces.sort();
        self.stage(key, Action::Update, |entry| {
            entry.of = record.grounds();
            entry.fields = vec![(conflict.field.as_str().into(), op)];
            entry.replaces = replaces;
        })
    }
}

impl Transaction<'_> {
    /// Of a delete and what it hid the delete is kept by deleting again, the other by restoring.
    fn resolve_life(
        &mut self,
        schema: Option<&Schema>,
        key: EntityKey,
        deletes: bool,
        is_seen: impl Fn(&Dot) -> bool,
    ) -> Result<(), Error> {
        let record = self.visible(&key)?;
        let (mut replaces, mut saw) = (lifecycle(&record), record.field_dots());
        let action = match (deletes, schema, record.life()) {
            (_, _, Life::Unborn) => return Err(Error::NotFound { key }),
            (true, None, _) => return Err(Error::Unregistered { entity_type: key.entity_type.to_string() }),
            (true, _, Life::Deleted { .. }) if is_settled(&record) => return Ok(()),
            (false, _, _) if record.lifecycle().iter().all(|write| write.delete.is_none()) => return Ok(()),
            (true, Some(schema), life) => {
                // What a delete has seen that is replaced has been seen.
                let unseen = if matches!(life, Life::Deleted { .. }) { record.hidden_writes() } else { saw.clone() };
                saw.retain(|dot| is_seen(dot) || unseen.binary_search(dot).is_err());
                Action::Delete(schema.tombstone)
            }
            (false, _, _) => {
                saw.clear();
                Action::Restore
            }
        };
        replaces.iter_mut().for_each(|(_, dots)| dots.retain(|dot| is_seen(dot)));
        replaces.retain(|(_, dots)| !dots.is_empty());
        self.stage(key, action, |entry| {
            entry.of = record.grounds();
            entry.replaces = replaces;
            entry.saw = saw;
        })
    }
}

/// The writes that whoever is shown a conflict sees with it.
fn seen(record: &Record, losing: &Losing, schema: Option<&Schema>) -> Dots {
    if *losing.field == *LIFECYCLE {
        let lifecycle = record.lifecycle().iter().map(|write| write.origin.dot.clone());
        return lifecycle.chain(record.field_dots()).collect();
    }
    let names = names(schema, &losing.field);
    let registers = names.iter().filter_map(|name| record.get(name, &losing.family));
    registers.flat_map(Register::siblings).map(|sibling| sibling.origin.dot.clone()).collect()
}

/// All names of the field that has this name or had it, the one that it has now first.
pub(super) fn names(schema: Option<&Schema>, name: &str) -> Vec<String> {
    let fields = schema.map_or(&[][..], |schema| schema.fields);
    match fields.iter().find(|field| field.name == name || field.aliases.contains(&name)) {
        Some(field) => std::iter::once(field.name).chain(field.aliases.iter().copied()).map(str::to_owned).collect(),
        None => vec![name.to_owned()],
    }
}

fn raw(key: &EntityKey, losing: Losing, seen: Dots, own: &ClientId) -> RawConflict {
    let contender = |write: conflict::Write| Contender {
        author: if write.origin.dot.is_local() { own.clone() } else { write.origin.author().clone() },
        time: write.origin.time,
        value: write.value,
        is_delete: write.is_delete,
        accepted: !write.origin.dot.is_local(),
        dot: write.origin.dot,
    };
    RawConflict {
        key: key.clone(),
        field: losing.field.to_string(),
        winner: contender(losing.winner),
        losers: losing.losers.into_iter().map(contender).collect(),
        family: losing.family,
        seen,
    }
}
