//! What a *set* of entries means, computed the slow and obvious way.
//!
//! Written apart from the model: nothing here folds, joins, prunes or remembers. Every answer is a search
//! through all entries, straight from the rules in words. Comparing replicas only with each other would find
//! them all equally wrong; this is what they are compared with.

mod facts;
mod form;
mod value;

pub use facts::Facts;
pub use form::{EntityForm, FieldForm, difference, forms_of};

use std::collections::BTreeMap;

use sync_core::{EntityKey, Entry};

/// Every entity's form that these entries make, in whatever order they are given.
pub fn oracle<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<EntityKey, EntityForm> {
    let facts = Facts::new(entries);
    let keys: std::collections::BTreeSet<&EntityKey> = facts.entries().map(|entry| &entry.key).collect();
    let forms = keys.into_iter().map(|key| (key.clone(), facts.entity(key)));
    forms.filter(|(_, form)| !form.is_empty()).collect()
}
