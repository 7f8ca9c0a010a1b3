//! What the derived code does, read through `Entity` alone.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod cases;
mod fields;
mod generics;
mod hygiene;
mod ids;
mod schema;
mod serde_attributes;
mod with;

use sync_core::{Entity, Fields, Value};

/// Stored fields as a log would hold them.
fn fields(stored: &[(&'static str, &str)]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in stored {
        fields.insert(*name, Value::parse(value).unwrap());
    }
    fields
}

/// What an entity stores, in the order of the names.
fn stored<E: Entity>(entity: &E) -> Vec<(String, String)> {
    let fields = entity.to_fields().unwrap();
    fields.iter().map(|(name, value)| (name.to_owned(), value.as_str().to_owned())).collect()
}

/// The names of the stored fields, in the order of the struct.
fn names<E: Entity>() -> Vec<&'static str> {
    E::SCHEMA.fields.iter().map(|field| field.name).collect()
}

/// The other names that a field is read by.
fn aliases<E: Entity>(name: &str) -> &'static [&'static str] {
    E::SCHEMA.fields.iter().find(|field| field.name == name).unwrap().aliases
}
