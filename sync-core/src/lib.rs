//! Local-first entities that sync: put `#[derive(Syncable)]` on a struct, and it is written durably on this device at
//! once, offline or not; it reaches every other device through a hub; and edits that did not know of each other merge
//! field by field, without anything that anyone typed being lost in silence.
//!
//! ```
//! use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//!
//! #[derive(Syncable)]
//! struct Note {
//!     #[sync(id)]
//!     id: Id<Note>,
//!     title: String,
//!     #[sync(merge = "counter")]
//!     views: i64,
//! }
//!
//! let replica = Replica::builder().register::<Note>().open(MemoryStore::new())?; // or a file: `sync_redb::RedbStore`
//! let id = replica.create(Note { id: replica.new_id(), title: "Shopping".into(), views: 0 })?.wait()?; // `.await`
//! replica.edit(&id, |note| note.views += 1)?.wait()?; // what differs is what is logged
//!
//! let hub = Hub::builder().open(MemoryStore::new())?; // or far away: `sync_http::HttpTransport`
//! let report = pollster::block_on(replica.sync(&hub.transport("ada")))?;
//! assert_eq!((report.uploaded, report.pending), (2, 0));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Where to read on
//! - **To use it:** the [guide] tells every rule with an example; [`Syncable`](macro@Syncable) describes every
//!   attribute; [`Replica`] is what a program writes to and reads from; [`Error`] says what may go wrong.
//! - **To run a hub:** [`Hub`] and [`Spaces`]; `sync_http` serves them.
//! - **To extend it:** a [`Policy`] says how one field merges, a [`Store`] where bytes are kept, a [`Transport`] how a hub
//!   is reached, [`Clock`] and [`Random`] where time and randomness come from. `sync-testkit` tries yours.
//! - **To understand it:** the [`model`] is what everything means, and pure: [`reconcile`] folds entries into a
//!   [`Snapshot`]. Read it first, then [`replica`] or [`hub`], then [`store`]; the repository's `ARCHITECTURE.md` has the
//!   map.
//!
//! # Features
//! `derive` (on by default) is the derive macro. `system` (on by default) is the system's clock, randomness and threads;
//! without it the builders are given a [`Clock`] and a [`Random`], and whoever waits for a commit writes it. Nothing here
//! needs an async runtime.

// The generated code of the derive names this crate from the outside, also within it.
#[allow(unused_extern_crates)]
extern crate self as sync_core;

// What a program reads first, and then in reading order.
pub mod guide;

pub mod entity;
mod error;

pub mod model;

mod commit;
mod hashed;
mod journal;
pub mod memory;
mod records;
mod seal;
pub mod store;
mod threads;

pub mod transport;

mod change;
pub mod clock;
pub mod replica;
mod unread;
mod view;

pub mod hub;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use clock::{Clock, Random};
#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
pub use clock::{SystemClock, SystemRandom};
pub use commit::Commit;
pub use entity::{Entity, Field, FieldError, Fields, Id, Key, Merge, Schema, Tombstone};
pub use error::{Error, in_full};
pub use hub::{Hub, HubBuilder, InProcess, Maintained, Offer, Spaces, Validate};
pub use memory::MemoryStore;
pub use model::context::{Forked, Known, VersionVector};
pub use model::digest::Digest;
pub use model::entry::{Action, EntityKey, Entry, Group};
pub use model::op::{Family, Op};
pub use model::policy::{Policy, Written};
pub use model::record::{Life, Record};
pub use model::snapshot::{Snapshot, reconcile, reconcile_batches};
pub use model::stamp::{ClientId, Dot, Dots, Stamp};
pub use model::value::{Value, ValueError};
pub use replica::{Change, Replica};
pub use store::{Checkpoint, Heads, KeyValue, Position, Store, StoreError};
#[cfg(feature = "derive")]
pub use sync_derive::Syncable;
pub use transport::{BoxFuture, Cursor, Transport, TransportError, Verdict};
pub use uuid::Uuid;
