//! The rules, told to those who build on them, each with an example that runs.
//!
//! 1. [`writing`]: writing offline, what an edit logs, transactions, forms that stay open for a while, reading.
//! 2. [`merging`]: what becomes of edits that did not know of each other, field by field; conflicts; deletes.
//! 3. [`syncing`]: a hub's refusals, wrong clocks, copied files, hubs that lost data, accounts.
//! 4. [`evolving`]: adding, renaming and retiring fields while old versions of the program go on syncing.
//!
//! # The picture
//! ```text
//!     phone                                  hub                                laptop
//!  ┌───────────────┐   push: entries   ┌──────────────┐   pull: entries   ┌───────────────┐
//!  │ journal       │ ────────────────▶ │ one log a    │ ────────────────▶ │ journal       │
//!  │   ▼ folded    │ ◀──────────────── │ space, in    │                   │   ▼ folded    │
//!  │ records ─▶ app│   a verdict each  │ one order    │                   │ records ─▶ app│
//!  └───────────────┘                   └──────────────┘                   └───────────────┘
//! ```
//! A device writes *entries*: what its user wanted ("the title becomes *Groceries*"), and which earlier writes they had
//! seen there. They are durable on the device first, and go to a hub when there is one. The hub puts the entries of all
//! devices of a *space* into one log and hands it out. Whoever has the same entries shows the same state: the order in
//! which they came, and how often, does not matter.
//!
//! # One whole program
//! The later examples leave out what stands at the beginning of this one: the type, a hub in the same process, and two
//! devices in memory.
//!
//! ```
//! use std::collections::BTreeSet;
//! use pollster::block_on; // any executor will do
//! use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//!
//! #[derive(Syncable, Debug, PartialEq)]
//! struct Note {
//!     #[sync(id)]
//!     id: Id<Note, String>,
//!     title: String,
//!     body: Option<String>,
//!     #[sync(merge = "set", default)]
//!     tags: BTreeSet<String>,
//!     #[sync(merge = "counter", default)]
//!     views: i64,
//! }
//!
//! fn note(id: &str, title: &str) -> Note {
//!     Note { id: id.into(), title: title.into(), body: None, tags: BTreeSet::new(), views: 0 }
//! }
//!
//! let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! let phone = Replica::builder().register::<Note>().device("phone").open(MemoryStore::new())?;
//! let laptop = Replica::builder().register::<Note>().device("laptop").open(MemoryStore::new())?;
//!
//! let id = phone.create(note("n", "Shopping"))?.wait()?;
//! block_on(phone.sync(&hub))?;
//! block_on(laptop.sync(&hub))?;
//! assert_eq!(laptop.get(&id)?, Some(note("n", "Shopping")));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! Elsewhere the store is a file (`sync_redb::RedbStore`) and the way to the hub is HTTP (`sync_http::HttpTransport`);
//! nothing else changes.

pub mod evolving;
pub mod merging;
pub mod syncing;
pub mod writing;
