//! Writing and reading, offline or not.
//!
//! # A write is visible at once, and safe when its commit resolves
//! Every write returns a [`Commit`](crate::Commit). What was written shows in every read from then on; it is durable
//! once the commit resolves: `.wait()?` in ordinary code, `.await?` in async code. Writes that wait at the same time
//! share one sync to disk.
//!
//! ```
//! # use sync_core::{Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! let commit = phone.create(Note { id: "n".into(), title: "Shopping".into() })?;
//! let id = Id::<Note, _>::from("n");
//! assert!(phone.get(&id)?.is_some()); // visible
//! commit.wait()?; // durable
//! assert_eq!(phone.status().pending, 1); // and not at the hub yet
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! A write that cannot be made is an error of the call, not of the commit, and writes nothing:
//! [`Error`](crate::Error) says what happened, to which entity, and what to do. A commit fails only if storage does; the
//! replica then takes no further writes until it is opened again, because nobody knows what reached the disk.
//!
//! # What differs is what is logged
//! [`edit`](crate::Replica::edit) compares the entity before the closure with the one after it. A changed field becomes
//! an operation, of the kind that its policy says: an assignment, an added element, a difference. A field that did not
//! change is not mentioned, and so cannot overwrite what somebody else does to it meanwhile.
//!
//! ```
//! # use std::collections::BTreeSet;
//! # use sync_core::{Id, MemoryStore, Op, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String, body: Option<String>,
//! #     #[sync(merge = "set")] tags: BTreeSet<String>, #[sync(merge = "counter")] views: i64 }
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into(), body: None, tags: [].into(), views: 3 })?.wait()?;
//! phone.edit(&id, |note| {
//!     note.title = "Groceries".into();
//!     note.tags.insert("home".into());
//!     note.views += 1;
//! })?.wait()?;
//! let logged: Vec<String> = phone.unsynced()?[1].fields.iter().map(|(name, op)| format!("{name} {}", op.to_json())).collect();
//! assert_eq!(logged, [r#"tags {"$insert":["home"]}"#, r#"title "Groceries""#, r#"views {"$add":1}"#]);
//!
//! // An edit that changes nothing writes nothing.
//! phone.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
//! assert_eq!(phone.unsynced()?.len(), 2);
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! The closure may return something, which comes back through the commit. It may not write to the replica: that is
//! [`Error::Nested`](crate::Error::Nested), not a deadlock.
//!
//! [`put`](crate::Replica::put) is for data that comes from elsewhere, an import say: it creates the entity, or edits
//! the one that is there to equal it. So it makes a counter's sum what the data says; to add to one, use `edit`.
//!
//! # Several writes that stand or fall together
//! What a [`transaction`](crate::Replica::transaction) writes is one commit on this device, is accepted or refused
//! whole by the hub, and becomes visible at once wherever it arrives. An error that leaves the closure writes nothing.
//!
//! ```
//! # use std::sync::Arc;
//! # use sync_core::{Error, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Debug)] struct TooLittleMoney;
//! # impl std::fmt::Display for TooLittleMoney { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("too little money") } }
//! # impl std::error::Error for TooLittleMoney {}
//! # #[derive(Syncable)] struct Account { #[sync(id)] id: Id<Account, String>, #[sync(merge = "counter")] money: i64 }
//! # let phone = Replica::builder().register::<Account>().open(MemoryStore::new())?;
//! # let (from, to) = ("a".into(), "b".into());
//! # phone.create(Account { id: "a".into(), money: 10 })?.wait()?;
//! # phone.create(Account { id: "b".into(), money: 0 })?.wait()?;
//! phone.transaction(|tx| {
//!     tx.edit(&from, |account: &mut Account| account.money -= 5)?;
//!     tx.edit(&to, |account: &mut Account| account.money += 5)
//! })?.wait()?;
//!
//! let given_up = phone.transaction(|tx| {
//!     tx.edit(&from, |account: &mut Account| account.money -= 100)?;
//!     match tx.get(&from)? {
//!         Some(account) if account.money < 0 => Err(Error::Aborted(Arc::new(TooLittleMoney))),
//!         _ => Ok(()),
//!     }
//! });
//! assert_eq!(given_up.unwrap_err().code(), "aborted");
//! assert_eq!(phone.get(&from)?.map(|account| account.money), Some(5));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! It holds together *what is written*, no more: another device that did not know of it may take from the same account
//! at the same time. What must be checked against everybody's writes is for the hub to check (see
//! [refusals](super::syncing#what-a-hub-refuses)).
//!
//! # Forms: a draft replaces only what it showed
//! A form may be open for minutes, while syncs go on beneath it. A [`Draft`](crate::replica::Draft) remembers what it
//! showed when it was opened. Saved, it overwrites that and nothing else; what arrived meanwhile in a field that it
//! changes becomes a visible conflict. It can be saved again and again, each time with what was changed since; where a save
//! fails, it stays as it is, to be mended and saved.
//!
//! ```
//! # use sync_core::{Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String, body: Option<String> }
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into(), body: None })?.wait()?;
//! let mut draft = phone.draft(&id)?;
//! draft.title = "Groceries".into(); // typed into the form, slowly
//! phone.edit(&id, |note| note.title = "Shopping list".into())?.wait()?; // by a sync, or in another window
//! draft.save()?.wait()?;
//!
//! let conflict = &phone.conflicts::<Note>()?[0].raw;
//! assert_eq!(conflict.winner.value.as_str(), r#""Groceries""#);
//! assert_eq!(conflict.losers[0].value.as_str(), r#""Shopping list""#);
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Reading and watching
//! [`get`](crate::Replica::get) reads one entity, [`list`](crate::Replica::list) all of a type in the order of their
//! ids, page by page from the store. [`watch`](crate::Replica::watch) tells which entities changed, whether they were
//! written here or came down; it never holds up a writer, and says [`Resync`](crate::Change::Resync) to a reader that
//! fell too far behind.
//!
//! ```
//! # use sync_core::{Change, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! let watch = phone.watch::<Note>();
//! phone.create(Note { id: "b".into(), title: "Second".into() })?.wait()?;
//! phone.create(Note { id: "a".into(), title: "First".into() })?.wait()?;
//! let titles: Result<Vec<String>, _> = phone.list::<Note>()?.map(|note| note.map(|note| note.title)).collect();
//! assert_eq!(titles?, ["First", "Second"]);
//! assert_eq!(watch.try_next(), Some(Change::Changed("a".into())));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! Programs that cannot carry the types (bindings, scripts) do all of this by type name and JSON:
//! [`Replica::raw`](crate::Replica::raw).
