//! What a hub's operator allows beyond the rules that hold for all: checks on the merged state before and after.

use std::marker::PhantomData;

use super::prepared::reject;
use crate::entity::Entity;
use crate::error::in_full;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::transport::Rejection;
use crate::view;

/// A hub's own check of what is pushed.
///
/// Called while the hub decides, one change after the other: be quick, and do not call the hub.
pub trait Validate: Send + Sync {
    /// Whether the change may be made. Of a transaction it is asked once for each entity, with the state after all of it.
    ///
    /// # Errors
    /// The reason, with which the entry is rejected; its author's device keeps it, and can send it again as a new write.
    fn validate(&self, change: &Proposed<'_>) -> Result<(), Rejection>;
}

/// A change that waits to be allowed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Proposed<'a> {
    /// On whose behalf it was pushed.
    pub principal: &'a str,
    /// Which entity changes.
    pub key: &'a EntityKey,
    /// What it is; an empty record if it is not there.
    pub before: &'a Record,
    /// What it would become, merged with what others wrote.
    pub after: &'a Record,
}

/// A check of one entity type's values.
pub(super) struct Typed<T, F> {
    check: F,
    entity: PhantomData<fn() -> T>,
}

impl<T, F> Typed<T, F> {
    pub(super) fn new(check: F) -> Self {
        Self { check, entity: PhantomData }
    }
}

impl<T, F> Validate for Typed<T, F>
where
    T: Entity,
    F: Fn(&str, Option<&T>, Option<&T>) -> Result<(), String> + Send + Sync,
{
    fn validate(&self, change: &Proposed<'_>) -> Result<(), Rejection> {
        if *change.key.entity_type != *T::SCHEMA.name {
            return Ok(());
        }
        let entity = |record: &Record| record.is_alive().then(|| view::entity::<T>(change.key, record)).transpose();
        // What was stored before the type became what it is must not keep anyone from mending it.
        let before = entity(change.before).unwrap_or_default();
        let after = entity(change.after).map_err(|error| reject("invalid", in_full(&error), None))?;
        (self.check)(change.principal, before.as_ref(), after.as_ref())
            .map_err(|message| reject("invalid", message, None))
    }
}
