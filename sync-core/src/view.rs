//! What shows: between records and the values of a schema's fields.

use std::collections::BTreeSet;

use smallvec::SmallVec;

use crate::entity::{Entity, Field, FieldError, Fields, Id, Key, Merge, Schema};
use crate::model::entry::EntityKey;
use crate::model::op::Family;
use crate::model::record::Record;
use crate::model::register::{Register, Sibling, rank};
use crate::model::shared;
use crate::model::value::Value;

impl Merge {
    /// The operation family in which the policy writes.
    pub fn family(&self) -> Family {
        match self {
            Merge::LastWriterWins => Family::Assign,
            Merge::First => Family::First,
            Merge::Max => Family::Max,
            Merge::Min => Family::Min,
            Merge::Counter => Family::Counter,
            Merge::Set => Family::Set,
            Merge::Own(policy) => Family::Own(format!("x:{}", policy.name()).into()),
        }
    }
}

/// The values of an entity's synced fields, as far as anything was written to them.
pub(crate) fn fields(schema: &Schema, record: &Record) -> Fields {
    let mut fields = Fields::with_capacity(schema.fields.len());
    for field in schema.fields.iter().filter(|field| !field.local) {
        if let Some(value) = value(field, record) {
            fields.insert(field.name, value);
        }
    }
    fields
}

/// The same where every field that was written has one value, assigned: these. `None` if the type says otherwise.
pub(crate) fn glanced(schema: &Schema, values: &[(&str, &str)]) -> Option<Fields> {
    let mut fields = Fields::with_capacity(schema.fields.len());
    for field in schema.fields.iter().filter(|field| !field.local) {
        let mut written = values.iter().filter(|(name, _)| names(field).any(|known| known == *name));
        match (field.merge, written.next(), written.next()) {
            (Merge::LastWriterWins, Some((_, value)), None) => fields.insert(field.name, Value::from_canonical(*value)),
            (Merge::LastWriterWins, None, _) => {}
            _ => return None,
        }
    }
    Some(fields)
}

/// The values of an entity's fields that never leave the device, out of all that is stored beside it.
pub(crate) fn local<'a>(schema: &'a Schema, stored: &'a Fields) -> impl Iterator<Item = (&'static str, &'a Value)> {
    // A field that was local once has its value there still, and shows what was synced.
    let fields = schema.fields.iter().filter(|field| field.local);
    fields.filter_map(|field| Some((field.name, local_value(field, stored)?)))
}

/// What is stored beside an entity for one of its fields.
pub(crate) fn local_value<'a>(field: &Field, stored: &'a Fields) -> Option<&'a Value> {
    names(field).find_map(|name| stored.get(name))
}

/// The values of an entity of a type that nobody declared: every register's, under its field's name.
pub(crate) fn untyped(record: &Record) -> Fields {
    let mut fields = Fields::new();
    for (name, family, register) in record.registers() {
        // Of a field whose policy was changed the first family in their order is shown.
        if fields.get(name).is_none()
            && let Some(value) = combined(&[register], family, None)
        {
            fields.insert(name.to_string(), value);
        }
    }
    fields
}

/// The entity that a record shows.
pub(crate) fn entity<T: Entity>(key: &EntityKey, record: &Record) -> Result<T, FieldError> {
    T::from_fields(id::<T>(key)?, &fields(T::SCHEMA, record))
}

pub(crate) fn id<T: Entity>(key: &EntityKey) -> Result<Id<T, T::Key>, FieldError> {
    key.id.parse()
}

pub(crate) fn key<T: Entity>(id: &Id<T, T::Key>) -> EntityKey {
    EntityKey::new(shared::name(T::SCHEMA.name), id.key().to_text())
}

pub(crate) fn value(field: &Field, record: &Record) -> Option<Value> {
    let family = field.merge.family();
    let registers: SmallVec<[&Register; 2]> = names(field).filter_map(|name| record.get(name, &family)).collect();
    combined(&registers, &family, Some(field.merge))
}

/// A field's name, then those that it had before.
pub(crate) fn names(field: &Field) -> impl Iterator<Item = &'static str> {
    std::iter::once(field.name).chain(field.aliases.iter().copied())
}

/// The value of one field, which may have registers under several names.
///
/// Of an empty set and a counter that nothing was added to no register remains: they are empty and zero.
fn combined(registers: &[&Register], family: &Family, merge: Option<Merge>) -> Option<Value> {
    match family {
        Family::Counter => {
            let sum = registers.iter().map(|r| r.sum()).fold(0, i128::saturating_add);
            Some(Value::from_canonical(sum.to_string()))
        }
        Family::Set => {
            let elements: BTreeSet<&Value> = registers.iter().flat_map(|r| r.elements()).collect();
            Some(Value::array(elements.into_iter().cloned()))
        }
        Family::Own(_) => {
            let mut operations: Vec<&Sibling> = registers.iter().flat_map(|r| r.siblings()).collect();
            operations.sort_by(|a, b| a.origin.cmp_stamp(&b.origin));
            let operations: Vec<&Value> = operations.into_iter().map(|s| &s.value).collect();
            match merge {
                Some(Merge::Own(policy)) => policy.value(&operations),
                _ => operations.last().map(|value| (*value).clone()),
            }
        }
        _ => match registers {
            [register] => register.winner(family).map(|winner| winner.value.clone()),
            _ => {
                let siblings = registers.iter().flat_map(|r| r.siblings());
                siblings.max_by(|a, b| rank(family, a, b)).map(|winner| winner.value.clone())
            }
        },
    }
}
