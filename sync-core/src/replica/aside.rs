//! Entries that the hub refused: kept with the reason, to be written anew, or discarded.

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::names;
use super::row::Row;
use super::{Replica, Transaction};
use crate::commit::Commit;
use crate::entity::{Fields, Schema};
use crate::error::Error;
use crate::model::entry::{Action, Entry};
use crate::model::op::{Family, Op};
use crate::model::record::{Life, Record};
use crate::model::register::Register;
use crate::model::shared;
use crate::model::stamp::{Dot, Dots, Name};
use crate::model::value::Value;
use crate::transport::Rejection;

/// An entry that was refused: kept, with the reason, until it is discarded or written anew.
#[derive(Debug, Clone, PartialEq)]
pub struct SetAside {
    /// Its number on this device.
    pub number: u64,
    /// The entry, naming those without a number of their own by their numbers on this device.
    pub entry: Entry,
    /// Why it was refused.
    pub rejection: Rejection,
}

impl Replica {
    /// The entries that were refused.
    pub fn rejected(&self) -> Vec<SetAside> {
        let state = self.state();
        let aside = state.aside.iter().map(|(number, aside)| SetAside {
            number: *number,
            entry: (*aside.entry).clone(),
            rejection: aside.rejection.clone(),
        });
        aside.collect()
    }

    /// Writes an entry that was refused anew, over what shows now. `edit` is given the values that it assigns, and may
    /// give them others. What the entry did not write is none of them: that is for an [`edit`](Self::edit) of its own.
    /// The first one whose entity is gone has all that was here of it, and becomes a create; those after it go on from
    /// there. One whose entity was deleted restores it. A field that is written once, and has its value, keeps it.
    ///
    /// # Errors
    /// [`Error::NoSuchEntry`]; [`Error::Invalid`] if `edit` adds a field that the entry does not assign, or takes one
    /// out; [`Error::NotFound`] if there is no entity that it could change: another entry that was set aside makes it,
    /// and is to be written before; [`Error::TooLarge`]; [`Error::Store`]. It stays set aside then.
    pub fn resubmit(&self, number: u64, edit: impl FnOnce(&mut Fields)) -> Result<Commit<()>, Error> {
        let aside = self.state().aside.get(&number).map(|aside| aside.entry.clone());
        let mut entry = (*aside.ok_or(Error::NoSuchEntry { number })?).clone();
        if let Some(schema) = self.inner.schemas.get(&*entry.key.entity_type) {
            renamed(schema, &mut entry.fields);
        }
        mend(&mut entry, edit)?;
        self.write(|tx| {
            // Another thread may have sent it again since.
            if !self.state().aside.contains_key(&number) {
                return Err(Error::NoSuchEntry { number });
            }
            tx.forget.push(number);
            tx.write_anew(entry)
        })
    }

    /// Forgets an entry that was refused.
    ///
    /// # Errors
    /// [`Error::NoSuchEntry`].
    pub fn discard(&self, number: u64) -> Result<Commit<()>, Error> {
        let writing = self.between_writes()?;
        if !self.state().aside.contains_key(&number) {
            return Err(Error::NoSuchEntry { number });
        }
        let position = writing.commit(&Row::Forget(vec![number]))?;
        Ok(self.inner.journal.ticket(position, ()))
    }
}

impl Transaction<'_> {
    fn write_anew(&mut self, mut entry: Entry) -> Result<(), Error> {
        let beside = split_off_families(&mut entry.fields);
        if !beside.is_empty() {
            let mut rest = Entry::new(entry.origin.clone(), entry.key.clone(), Action::Update);
            rest.fields = beside;
            self.write_anew(entry)?;
            return self.write_anew(rest);
        }
        let record = self.visible(&entry.key)?;
        match (entry.action, record.life()) {
            (Action::Create, Life::Unborn) => {
                self.stage(entry.key, Action::Create, |anew| anew.fields = without_removals(entry.fields))
            }
            (Action::Create | Action::Update, life) if life != Life::Unborn => {
                if life != (Life::Alive { updated_at: super::query::updated_at(&record) }) {
                    self.restore_key(entry.key.clone())?;
                }
                let schema = self.replica.inner.schemas.get(&*entry.key.entity_type).copied();
                entry.fields.retain(|(name, op)| !is_written_already(&record, schema, name, op));
                if entry.fields.is_empty() {
                    return Ok(());
                }
                self.stage(entry.key.clone(), Action::Update, |anew| {
                    anew.of = record.grounds();
                    anew.replaces = over(&record, &entry, schema);
                    anew.fields = removing_what_shows(&record, entry.fields, schema);
                })
            }
            // It is gone as it is.
            (Action::Delete(_), Life::Unborn) => Ok(()),
            // A part of it would be no entity: another entry that was set aside has the rest.
            (_, Life::Unborn) => Err(Error::NotFound { key: entry.key }),
            (Action::Delete(policy), _) => self.stage(entry.key, Action::Delete(policy), |anew| {
                anew.of = record.grounds();
                anew.replaces = super::transaction::lifecycle(&record);
                anew.saw = record.field_dots();
            }),
            (_, _) => self.restore_key(entry.key),
        }
    }
}

/// Gives an entry the values that `edit` makes of those that it assigns.
fn mend(entry: &mut Entry, edit: impl FnOnce(&mut Fields)) -> Result<(), Error> {
    let mut assigned = Fields::new();
    for (name, op) in &entry.fields {
        if let Op::Assign(value) | Op::First(value) | Op::Max(value) | Op::Min(value) = op {
            assigned.insert(name.to_string(), value.clone());
        }
    }
    let mut mended = assigned.clone();
    edit(&mut mended);
    let other = mended.iter().find(|(name, _)| assigned.get(name).is_none());
    if let Some((name, _)) = other.or_else(|| assigned.iter().find(|(name, _)| mended.get(name).is_none())) {
        let names: Vec<&str> = assigned.iter().map(|(name, _)| name).collect();
        let message = match names[..] {
            [] => "the entry that was refused assigns nothing: what else is to change is an edit of its own".to_owned(),
            _ => format!("the entry that was refused assigns {}, no more and no less", names.join(", ")),
        };
        return Err(Error::Invalid { key: entry.key.clone(), field: Some(name.to_owned()), message });
    }
    for (name, op) in &mut entry.fields {
        let (Op::Assign(value) | Op::First(value) | Op::Max(value) | Op::Min(value)) = op else { continue };
        // What was set aside of a state may assign a field in several ways: only what was changed changes.
        let (was, is) = (assigned.get(name), mended.get(name));
        if let Some(is) = is.filter(|_| was == Some(&*value)) {
            *value = is.clone();
        }
    }
    Ok(())
}

/// An entry has one operation for a field. What was set aside of a state may have several, where versions of a type
/// disagree about what the field is: all but the first of each go.
fn split_off_families(fields: &mut Vec<(Name, Op)>) -> Vec<(Name, Op)> {
    let mut before: Option<Name> = None;
    let is_again = |(name, _): &mut (Name, Op)| before.replace(name.clone()).as_ref() == Some(name);
    fields.extract_if(.., is_again).collect()
}

/// Whether a field that is written once has its value.
fn is_written_already(record: &Record, schema: Option<&Schema>, name: &str, op: &Op) -> bool {
    let Op::First(value) = op else { return false };
    let names = names(schema, name);
    let written = names.iter().filter_map(|name| record.get(name, &Family::First));
    value.is_null() || written.flat_map(Register::siblings).any(|sibling| !sibling.value.is_null())
}

/// What assignments replace that are made over a record: all that shows of the field. Of operations that count beside each
/// other, only those that had replaced some.
fn over(record: &Record, entry: &Entry, schema: Option<&Schema>) -> Vec<(Name, Dots)> {
    // Two of its fields may be one that was renamed, and each replaces what shows under both names.
    let mut replaced: BTreeMap<Name, BTreeSet<Dot>> = BTreeMap::new();
    for (name, op) in &entry.fields {
        let (family, names) = (op.family(), names(schema, name));
        let is_over = match family {
            Family::Assign | Family::First => true,
            Family::Own(_) => names.iter().any(|known| !entry.replaced(known).is_empty()),
            _ => false,
        };
        for known in names.iter().filter(|_| is_over) {
            let siblings = record.get(known, &family).map_or(&[][..], Register::siblings);
            if !siblings.is_empty() {
                let dots = siblings.iter().map(|s| s.origin.dot.clone());
                replaced.entry(shared::name(known)).or_default().extend(dots);
            }
        }
    }
    replaced.into_iter().map(|(name, dots)| (name, dots.into_iter().collect())).collect()
}

/// Fields under the names that they have now.
fn renamed(schema: &Schema, fields: &mut [(Name, Op)]) {
    for at in 0..fields.len() {
        let now = schema.fields.iter().find(|field| field.aliases.contains(&&*fields[at].0)).map(|field| field.name);
        if let Some(now) = now.filter(|now| !fields.iter().any(|(name, _)| **name == **now)) {
            fields[at].0 = shared::name(now);
        }
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
}

/// The elements that are inserted into a set, and those that are removed, each with its insertions.
type InSet = (BTreeSet<Value>, BTreeMap<Value, Dots>);

/// What was removed may have been an element that was refused as well, or is another one now: what shows of it goes, under
/// whichever name of the field it was inserted.
fn removing_what_shows(record: &Record, fields: Vec<(Name, Op)>, schema: Option<&Schema>) -> Vec<(Name, Op)> {
    let mut sets: BTreeMap<Name, InSet> = BTreeMap::new();
    let (removing, mut again): (Vec<_>, Vec<_>) = fields.into_iter().partition(|(_, op)| matches!(op, Op::Set { .. }));
    for (name, op) in removing {
        let Op::Set { insert, remove } = op else { continue };
        // An entry has one operation under one name.
        let is_free = |known: &String| !again.iter().any(|(other, _)| **other == **known);
        for known in names(schema, &name).into_iter().filter(is_free) {
            let elements = record.get(&known, &Family::Set);
            let shown = remove.iter().filter_map(|(element, _)| {
                let insertions = elements?.insertions(element);
                let dots: Dots = insertions.iter().map(|(origin, _)| origin.dot.clone()).collect();
                (!dots.is_empty()).then(|| (element.clone(), dots))
            });
            let shown: Vec<(Value, Dots)> = shown.collect();
            if !shown.is_empty() {
                sets.entry(shared::name(&known)).or_default().1.extend(shown);
            }
        }
        sets.entry(name).or_default().0.extend(insert);
    }
    let sets = sets.into_iter().map(|(name, (insert, remove))| {
        (name, Op::Set { insert: insert.into_iter().collect(), remove: remove.into_iter().collect() })
    });
    again.extend(sets);
    // Entries name fields in order: read from JSON they would have another hash otherwise.
    again.sort_by(|(a, _), (b, _)| a.cmp(b));
    again
}

/// A create has nothing to remove.
fn without_removals(fields: Vec<(Name, Op)>) -> Vec<(Name, Op)> {
    let kept = fields.into_iter().map(|(name, op)| match op {
        Op::Set { insert, .. } => (name, Op::Set { insert, remove: Vec::new() }),
        op => (name, op),
    });
    kept.collect()
}
