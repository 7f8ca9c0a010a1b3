//! What is written: from values that changed to the operations that carry the change.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::entity::{Entity, Field, Fields, Merge, Schema};
use crate::model::op::{Family, Op};
use crate::model::policy::Written;
use crate::model::record::Record;
use crate::model::register::Register;
use crate::model::shared;
use crate::model::stamp::{Dots, Name};
use crate::model::value::{Kind, Value};
use crate::unread;
use crate::view::{self, names};

/// A field's stored value as a type writes it once it has read it.
pub(crate) type Respell<'a> = &'a dyn Fn(&Field, &Value) -> Option<Value>;

/// The same for the type of an entity.
pub(crate) fn respell<T: Entity>(entity: &T, fields: &Fields) -> impl Fn(&Field, &Value) -> Option<Value> {
    move |field, stored| {
        let mut alone = fields.clone();
        alone.insert(field.name, stored.clone());
        let read = T::from_fields(entity.id().clone(), &alone).ok()?;
        read.to_fields().ok()?.get(field.name).cloned()
    }
}

/// The fields that an entity's values differ in: what differs is the intent.
pub(crate) struct Change<'a>(SmallVec<[Changed<'a>; 4]>);

/// One field of them, with what it was and what it is.
pub(crate) struct Changed<'a> {
    pub(crate) field: &'static Field,
    pub(crate) was: Option<&'a Value>,
    pub(crate) is: Option<&'a Value>,
}

impl<'a> Change<'a> {
    /// What became of values of this schema.
    pub(crate) fn between(schema: &Schema, before: &'a Fields, after: &'a Fields) -> Self {
        let fields = schema.fields.iter();
        let both = fields.map(|field| Changed { field, was: before.get(field.name), is: after.get(field.name) });
        Self(both.filter(|changed| changed.was != changed.is).collect())
    }

    /// Those that never leave the device, or those that do.
    pub(crate) fn fields(&self, local: bool) -> impl Iterator<Item = &Changed<'a>> {
        self.0.iter().filter(move |changed| changed.field.local == local)
    }

    /// Whether what it is now is known to be read again by the type that wrote it.
    pub(crate) fn is_faithful(&self) -> bool {
        self.0.iter().all(|changed| changed.field.faithful)
    }
}

/// What an entry writes: operations by field, and what they replace.
#[derive(Debug)]
pub(crate) struct Writes {
    pub(crate) fields: Vec<(Name, Op)>,
    pub(crate) replaces: Vec<(Name, Dots)>,
}

/// A field's change that cannot be made.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) field: String,
    pub(crate) message: String,
}

/// Values that were given by name, under the names that the fields have now.
pub(crate) fn named(schema: &Schema, given: &Fields) -> Result<Fields, Refused> {
    let mut fields = Fields::with_capacity(schema.fields.len());
    for (name, value) in given.iter() {
        let refused = |message: String| Refused { field: name.to_owned(), message };
        let Some(field) = schema.fields.iter().find(|field| names(field).any(|known| known == name)) else {
            let known: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
            return Err(refused(format!("`{}` has no field `{name}`: it has {}", schema.name, known.join(", "))));
        };
        if fields.get(field.name).is_some() {
            return Err(refused(format!("`{}` is given by two of its names: give one of them", field.name)));
        }
        fields.insert(field.name, value.clone());
    }
    Ok(fields)
}

/// The operations of a create: one for every synced field.
pub(crate) fn create(schema: &Schema, fields: &Fields) -> Result<Writes, Refused> {
    let mut writes = Writes::of(schema.fields.len());
    for field in schema.fields.iter().filter(|field| !field.local) {
        let Some(value) = fields.get(field.name) else { continue };
        let op = match field.merge {
            Merge::LastWriterWins => Op::Assign(value.clone()),
            Merge::First => Op::First(value.clone()),
            // No value is no bound: as the least of all values it would be the minimum for ever.
            Merge::Max | Merge::Min if value.is_null() => continue,
            Merge::Max => Op::Max(value.clone()),
            Merge::Min => Op::Min(value.clone()),
            Merge::Counter => Op::Add(delta(field, None, value)?),
            Merge::Set => Op::Set { insert: elements(field, value)?.into_iter().collect(), remove: Vec::new() },
            Merge::Own(policy) => match policy.diff(None, value) {
                Ok(Some(Written { operation, .. })) => own(field, operation),
                Ok(None) => continue,
                Err(message) => return Err(Refused { field: field.name.into(), message }),
            },
        };
        writes.fields.push((shared::name(field.name), op));
    }
    writes.sort();
    Ok(writes)
}

/// The operations that carry a change of the visible record.
///
/// `respell` gives a stored value as the type writes it, if the type can read it. `removals` gives the insertions that
/// pending removals of an element name: a later removal names them too, so that it holds if the earlier one is refused.
pub(crate) fn update(
    record: &Record,
    change: &Change<'_>,
    respell: Respell<'_>,
    mut removals: impl FnMut(&str, &Value) -> Dots,
) -> Result<Writes, Refused> {
    let mut writes = Writes::of(change.0.len());
    for Changed { field, was, is } in change.fields(false) {
        let (was, Some(value)) = (*was, *is) else { continue };
        // What was shown may be a default, which nobody wrote.
        let is_written = || view::value(field, record).is_some_and(|written| !written.is_null());
        match field.merge {
            Merge::LastWriterWins => {
                let value = whole(field, || view::value(field, record), was, value, respell);
                writes.assign(field, record, Op::Assign(value));
            }
            Merge::First if is_written() => {
                let message = format!("`{}` is written once and has its value already", field.name);
                return Err(Refused { field: field.name.into(), message });
            }
            Merge::First => writes.assign(field, record, Op::First(value.clone())),
            Merge::Max | Merge::Min if value.is_null() => {}
            Merge::Max if was.is_none_or(|was| was.is_null() || was < value) || !is_written() => {
                writes.op(field.name, Op::Max(value.clone()))
            }
            Merge::Min if was.is_none_or(|was| was.is_null() || was > value) || !is_written() => {
                writes.op(field.name, Op::Min(value.clone()))
            }
            // A value that does not raise a maximum is one that the maximum contains already.
            Merge::Max | Merge::Min => {}
            Merge::Counter => writes.op(field.name, Op::Add(delta(field, was, value)?)),
            Merge::Set => writes.set(field, record, (was, value), respell, &mut removals)?,
            Merge::Own(policy) => match policy.diff(was, value) {
                Ok(Some(Written { operation, absorbs: true })) => writes.assign(field, record, own(field, operation)),
                Ok(Some(Written { operation, absorbs: false })) => writes.op(field.name, own(field, operation)),
                Ok(None) => {}
                Err(message) => return Err(Refused { field: field.name.into(), message }),
            },
        }
    }
    writes.sort();
    Ok(writes)
}

/// A new value for a field, with what the type does not read of the one that is stored.
pub(crate) fn whole(
    field: &Field,
    stored: impl FnOnce() -> Option<Value>,
    was: Option<&Value>,
    new: &Value,
    respell: Respell<'_>,
) -> Value {
    // Only what has parts can have some that are not read.
    let has_parts = matches!(new.kind(), Kind::Array | Kind::Object);
    let (Some(stored), Some(was)) = (has_parts.then(stored).flatten(), was) else { return new.clone() };
    let whole = unread::keep(&stored, was, new);
    // A type may take it for something else, such as another name of a member: then what it wrote stands alone.
    let is_read_alike = || respell(field, &whole).is_some_and(|read| unread::are_alike(&read, new));
    if whole != *new && is_read_alike() { whole } else { new.clone() }
}

impl Writes {
    /// Nothing yet, with room for so many fields.
    fn of(fields: usize) -> Self {
        Self { fields: Vec::with_capacity(fields), replaces: Vec::with_capacity(fields) }
    }

    fn op(&mut self, name: &'static str, op: Op) {
        self.fields.push((shared::name(name), op));
    }

    /// An operation that replaces all siblings that are there.
    fn assign(&mut self, field: &Field, record: &Record, op: Op) {
        let family = op.family();
        for name in names(field) {
            self.replace(name, record.get(name, &family));
        }
        self.op(field.name, op);
    }

    fn replace(&mut self, name: &str, register: Option<&Register>) {
        let dots: Dots = register.into_iter().flat_map(Register::siblings).map(|s| s.origin.dot.clone()).collect();
        if !dots.is_empty() {
            self.replaces.push((shared::name(name), dots));
        }
    }

    fn set(
        &mut self,
        field: &Field,
        record: &Record,
        (was, is): (Option<&Value>, &Value),
        respell: Respell<'_>,
        removals: &mut impl FnMut(&str, &Value) -> Dots,
    ) -> Result<(), Refused> {
        let was = was.map_or(Ok(BTreeSet::new()), |was| elements(field, was))?;
        let is = elements(field, is)?;
        let insert: Vec<Value> = is.difference(&was).cloned().collect();
        let gone: BTreeSet<&Value> = was.difference(&is).collect();
        for name in names(field) {
            let stored = record.get(name, &Family::Set).into_iter().flat_map(|register| register.elements());
            // Another version of the type may have spelled it otherwise.
            let respelled = |stored: &Value| {
                let alone = respell(field, &Value::array([stored.clone()]))?;
                alone.array_elements()?.into_iter().next()
            };
            let is_gone =
                |stored: &&Value| !was.contains(*stored) && respelled(stored).is_some_and(|it| gone.contains(&it));
            let otherwise: Vec<&Value> = if gone.is_empty() { Vec::new() } else { stored.filter(is_gone).collect() };
            let mut remove = Vec::new();
            for element in gone.iter().copied().chain(otherwise) {
                let insertions = record.get(name, &Family::Set).map_or(&[][..], |r| r.insertions(element));
                let mut dots: Dots = insertions.iter().map(|(origin, _)| origin.dot.clone()).collect();
                dots.extend(removals(name, element));
                dots.sort();
                dots.dedup();
                if !dots.is_empty() {
                    remove.push((element.clone(), dots));
                }
            }
            remove.sort();
            let insert = if name == field.name { insert.clone() } else { Vec::new() };
            if !insert.is_empty() || !remove.is_empty() {
                self.fields.push((shared::name(name), Op::Set { insert, remove }));
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.fields.sort_by(|a, b| a.0.cmp(&b.0));
        self.replaces.sort();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.replaces.is_empty()
    }
}

/// The operation that makes the value of a field anew which merges by a policy of the user's; `None` if it is another
/// field, or the policy has none.
pub(crate) fn own_anew(schema: &Schema, name: &str, record: &Record) -> Option<Op> {
    let field = schema.fields.iter().find(|field| field.name == name)?;
    let Merge::Own(policy) = field.merge else { return None };
    let written = policy.diff(None, &view::value(field, record)?).ok()??;
    Some(own(field, written.operation))
}

fn own(field: &Field, body: Value) -> Op {
    match field.merge.family() {
        Family::Own(family) => Op::Own { family, body },
        _ => Op::Assign(body),
    }
}

fn delta(field: &Field, was: Option<&Value>, is: &Value) -> Result<i64, Refused> {
    let refused = |message: String| Refused { field: field.name.into(), message };
    let number =
        |value: &Value| value.as_i128().ok_or_else(|| refused(format!("a counter is an integer, not {value}")));
    let was = was.map_or(Ok(0), number)?;
    let delta = number(is)?.checked_sub(was).and_then(|delta| i64::try_from(delta).ok());
    delta.ok_or_else(|| refused("a counter changes by at most 2^63 at a time".into()))
}

fn elements(field: &Field, value: &Value) -> Result<BTreeSet<Value>, Refused> {
    match value.array_elements() {
        Some(elements) => Ok(elements.into_iter().collect()),
        None => {
            Err(Refused { field: field.name.into(), message: format!("a set is stored as an array, not as {value}") })
        }
    }
}
