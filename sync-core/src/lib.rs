//! Local-first entities that sync.
extern crate self as sync_core;

pub mod entity;
pub mod memory;
pub mod model;
pub mod store;

pub use entity::{Entity, Field, FieldError, Fields, Id, Key, Merge, Schema, Tombstone};
pub use memory::MemoryStore;
pub use model::policy::{Policy, Written};
pub use model::value::{Value, ValueError};
pub use store::{Checkpoint, Heads, Position, Store, StoreError};
#[cfg(feature = "derive")]
pub use sync_derive::Syncable;
pub use uuid::Uuid;
