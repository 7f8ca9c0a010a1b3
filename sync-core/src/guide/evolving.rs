//! Types that change while devices with old versions of the program go on syncing.
//!
//! Names are what counts: every device that ever stored an entity knows it by its type's stored name and its fields'
//! stored names. All attributes are described at [`Syncable`](macro@crate::Syncable).
//!
//! # Adding a field
//! Entities that were stored before do not have it. It is read as its `default`, or as `None` if it is an `Option`;
//! otherwise reading is an error that names the field. An old program leaves alone what it does not know: its edits never
//! mention the new field, and what others wrote to it is kept.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica};
//! mod old {
//!     # use sync_core::{Id, Syncable};
//!     #[derive(Syncable)]
//!     pub struct Note {
//!         #[sync(id)]
//!         pub id: Id<Note, String>,
//!         pub title: String,
//!     }
//! }
//! mod new {
//!     # use sync_core::{Id, Syncable};
//!     #[derive(Syncable)]
//!     pub struct Note {
//!         #[sync(id)]
//!         pub id: Id<Note, String>,
//!         pub title: String,
//!         #[sync(default)]
//!         pub pinned: bool,
//!     }
//! }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let phone = Replica::builder().register::<old::Note>().open(MemoryStore::new())?;
//! # let laptop = Replica::builder().register::<new::Note>().open(MemoryStore::new())?;
//! phone.create(old::Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! block_on(phone.sync(&hub))?;
//! block_on(laptop.sync(&hub))?;
//! let id = "n".into();
//! laptop.edit(&id, |note: &mut new::Note| {
//!     assert!(!note.pinned); // the default
//!     note.pinned = true;
//! })?.wait()?;
//! block_on(laptop.sync(&hub))?;
//!
//! block_on(phone.sync(&hub))?;
//! phone.edit(&"n".into(), |note: &mut old::Note| note.title = "Groceries".into())?.wait()?;
//! block_on(phone.sync(&hub))?;
//! block_on(laptop.sync(&hub))?;
//! let note = laptop.get::<new::Note>(&id)?.unwrap();
//! assert_eq!((&*note.title, note.pinned), ("Groceries", true));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! A struct *in* a field is one value, and of two that write it at the same time one wins. But an old program that changes
//! it keeps the members that it does not know, at every level, in the elements of lists too: those that stay as they are
//! wherever they go, and one that is changed, if as many are there as before.
//!
//! ```
//! # use sync_core::{MemoryStore, Replica};
//! # use std::sync::Arc;
//! mod old {
//!     # use serde::{Deserialize, Serialize};
//!     # use sync_core::{Id, Syncable};
//!     #[derive(Serialize, Deserialize)]
//!     pub struct Step { pub text: String }
//!     #[derive(Syncable)]
//!     pub struct Plan {
//!         #[sync(id)]
//!         pub id: Id<Plan, String>,
//!         pub steps: Vec<Step>,
//!     }
//! }
//! mod new {
//!     # use serde::{Deserialize, Serialize};
//!     # use sync_core::{Id, Syncable};
//!     #[derive(Serialize, Deserialize, PartialEq, Debug)]
//!     pub struct Step { pub text: String, #[serde(default)] pub done: bool }
//!     #[derive(Syncable)]
//!     pub struct Plan {
//!         #[sync(id)]
//!         pub id: Id<Plan, String>,
//!         pub steps: Vec<Step>,
//!     }
//! }
//! # let store = Arc::new(MemoryStore::new());
//! # let later = Replica::builder().register::<new::Plan>().open(store.clone())?;
//! later.create(new::Plan { id: "p".into(), steps: vec![new::Step { text: "pack".into(), done: true }] })?.wait()?;
//! # drop(later);
//! # let before = Replica::builder().register::<old::Plan>().open(store.clone())?;
//! before.edit(&"p".into(), |plan: &mut old::Plan| plan.steps.push(old::Step { text: "go".into() }))?.wait()?;
//! # drop(before);
//! # let later = Replica::builder().register::<new::Plan>().open(store)?;
//! let steps = later.get::<new::Plan>(&"p".into())?.unwrap().steps;
//! assert_eq!(steps[0], new::Step { text: "pack".into(), done: true });
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! A changed element of a `set` is another element: what the old program does not know of it goes with the one before.
//!
//! The same holds for whole types: entities of a type that is not registered are kept, synced, and shown once it is.
//!
//! # Renaming
//! In Rust alone: keep the stored name, with `#[sync(rename = "title")]` on a field or `#[sync(entity = "note")]` on the
//! struct. Old and new programs then understand each other fully.
//!
//! In the store too: read the former name with `alias`. Both names are one field from then on, with one value and one
//! list of conflicts, and a write replaces what it saw under either. But a program that does not know the new name sees
//! only what was written under the old one, and after the new program's first edit of the field nothing is left there: it
//! is absent to the old program, which can read the entity only if the field is an `Option` or has a `default`. So give it
//! one a version before, on the devices and on a hub whose `validate_entity` reads the type, or rename when all of them can
//! be updated at once.
//!
//! ```
//! # use sync_core::{Fields, Id, MemoryStore, Replica, Syncable, Value};
//! #[derive(Syncable)]
//! #[sync(entity = "note")] // the struct had another name once
//! struct Memo {
//!     #[sync(id)]
//!     id: Id<Memo, String>,
//!     #[sync(alias = "title")]
//!     headline: String,
//! }
//! # let store = std::sync::Arc::new(MemoryStore::new());
//! # mod old { use sync_core::{Id, Syncable}; #[derive(Syncable)] pub struct Note { #[sync(id)] pub id: Id<Note, String>, pub title: String } }
//! # let before = Replica::builder().register::<old::Note>().open(store.clone())?;
//! # before.create(old::Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! # drop(before);
//! let replica = Replica::builder().register::<Memo>().open(store)?; // a file of the version before
//! let id = "n".into();
//! assert_eq!(replica.get::<Memo>(&id)?.unwrap().headline, "Shopping");
//! replica.edit(&id, |memo: &mut Memo| memo.headline = "Groceries".into())?.wait()?;
//! assert_eq!(replica.get::<Memo>(&id)?.unwrap().headline, "Groceries");
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Retiring a field
//! Remove it from the struct. What was written stays where it is and goes on syncing; a program that still has the field
//! shows it. But what the new program creates lacks the field, and an old one can read that only if it has a default: give
//! it one a version before. Do not give its name to a field that means something else.
//!
//! # Fields that stay at home
//! `#[sync(local)]` is stored on this device and never sent; `#[sync(skip)]` is not stored at all.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! #[derive(Syncable)]
//! struct Note {
//!     #[sync(id)]
//!     id: Id<Note, String>,
//!     title: String,
//!     #[sync(local, default)]
//!     scrolled_to: u32,
//!     #[sync(skip)]
//!     words: Option<usize>,
//! }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let device = || Replica::builder().register::<Note>().open(MemoryStore::new());
//! # let (phone, laptop) = (device()?, device()?);
//! let note = Note { id: "n".into(), title: "Shopping".into(), scrolled_to: 7, words: Some(1) };
//! let id = phone.create(note)?.wait()?;
//! block_on(phone.sync(&hub))?;
//! block_on(laptop.sync(&hub))?;
//! let (here, there) = (phone.get(&id)?.unwrap(), laptop.get(&id)?.unwrap());
//! assert_eq!((here.scrolled_to, here.words), (7, None));
//! assert_eq!((there.scrolled_to, there.words), (0, None));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! The two are kept apart: a field that becomes `local`, or ceases to be, does not show what was typed into it before,
//! until the attribute is put back. Give it a new name instead, and copy the value.
//!
//! # Another policy, or another type
//! Operations say themselves what they are, so a field whose `merge` changed has another register: programs of both
//! versions go on syncing, and each sees what was written under its own policy. The former value is not carried over.
//! Give the field a new name instead, and copy the value once, where that makes sense.
//!
//! A type that reads what the former one wrote (`u32` to `u64`, a new variant of an enum) can simply be changed. Where an
//! old program meets a value that it cannot read, reading that entity is an error that names the field, in its place in a
//! list; nothing is lost, and syncing goes on.
