//! Local-first entities that sync.
// The generated code of the derive names this crate from the outside, also within it.
#[allow(unused_extern_crates)]
extern crate self as sync_core;

pub mod clock;
pub mod entity;
pub mod guide;
mod error;
pub mod hub;
mod journal;
mod records;
pub mod replica;
mod seal;
pub mod transport;
pub mod memory;
pub mod model;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod store;
mod view;

pub use clock::{Clock, Random};
#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
pub use clock::{SystemClock, SystemRandom};
pub use entity::{Entity, Field, FieldError, Fields, Id, Key, Merge, Schema, Tombstone};
pub use error::Error;
pub use hub::{Hub, HubBuilder, InProcess, Offer, Spaces, Validate};
pub use journal::Commit;
pub use memory::MemoryStore;
pub use model::entry::{Action, Entry, EntityKey, Group};
pub use model::op::{Family, Op};
pub use model::record::{Life, Record};
pub use model::snapshot::{Snapshot, reconcile};
pub use model::stamp::{ClientId, Digest, Dot, Forked, Known, Stamp, VersionVector};
pub use model::policy::{Policy, Written};
pub use model::value::{Value, ValueError};
pub use replica::{Change, Replica}; pub use store::{Checkpoint, Heads, Position, Store, StoreError};
#[cfg(feature = "derive")]
pub use sync_derive::Syncable;
pub use transport::{BoxFuture, Cursor, Transport, TransportError, Verdict};
pub use uuid::Uuid;
