//! What becomes of edits that did not know of each other.
//!
//! # Field by field
//! Two devices that change different fields of one entity both keep their change.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String, body: Option<String> }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let device = || Replica::builder().register::<Note>().open(MemoryStore::new());
//! # let (phone, laptop) = (device()?, device()?);
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into(), body: None })?.wait()?;
//! # block_on(phone.sync(&hub))?; block_on(laptop.sync(&hub))?;
//! phone.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
//! laptop.edit(&id, |note| note.body = Some("bread".into()))?.wait()?;
//! for device in [&phone, &laptop, &phone] {
//!     block_on(device.sync(&hub))?;
//! }
//! for device in [&phone, &laptop] {
//!     let note = device.get(&id)?.unwrap();
//!     assert_eq!((&*note.title, note.body.as_deref()), ("Groceries", Some("bread")));
//! }
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # One field: what wins, and why
//! Every write names the writes of that field that its author saw, and replaces those.
//!
//! - **Who had seen the other wins**, whatever any clock says. That is an ordinary overwrite, and no conflict.
//! - **Of those who had not seen each other the later one wins**: the greater *stamp*, which is the time in milliseconds,
//!   then the client id, then the entry's number. The same one wins on every device. The others are kept beside it, and
//!   each whose value differs is a **conflict**.
//!
//! The times come from a hybrid logical clock: the wall clock, but never before what was seen. So a stamp decides only
//! between two who could not know better.
//!
//! # Conflicts are listed, and one call settles them
//! [`conflicts`](crate::Replica::conflicts) lists every value that lost to a writer who had not seen it, on every device
//! alike. [`take`](crate::Replica::take) settles one with a value that lost, [`keep`](crate::Replica::keep) with the one
//! that shows, and any edit of the field that has seen them all settles it too. Nothing expires: a conflict that nobody
//! looks at stays, and does no harm.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable, replica::Rule};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let device = |name| Replica::builder().register::<Note>().device(name).open(MemoryStore::new());
//! # let (phone, laptop) = (device("phone")?, device("laptop")?);
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! # block_on(phone.sync(&hub))?; block_on(laptop.sync(&hub))?;
//! phone.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
//! # std::thread::sleep(std::time::Duration::from_millis(2));
//! laptop.edit(&id, |note| note.title = "Errands".into())?.wait()?; // later, and unaware
//! for device in [&phone, &laptop, &phone] {
//!     block_on(device.sync(&hub))?;
//! }
//! assert_eq!(phone.get(&id)?.unwrap().title, "Errands");
//! assert_eq!(phone.explain(&id, "title")?.rule, Rule::LatestStamp);
//!
//! let conflict = phone.conflicts::<Note>()?.remove(0).raw;
//! assert_eq!(conflict.field, "title");
//! assert!(conflict.winner.author.as_str().starts_with("laptop-"));
//! assert_eq!(conflict.losers[0].value.decode::<String>().unwrap(), "Groceries");
//!
//! phone.take(&conflict, 0)?.wait()?; // the first of the losers after all
//! for device in [&phone, &laptop] {
//!     block_on(device.sync(&hub))?;
//!     assert_eq!(device.get(&id)?.unwrap().title, "Groceries");
//!     assert!(device.conflicts::<Note>()?.is_empty());
//! }
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! [`explain`](crate::Replica::explain) says of any field which entry it comes from, under which rule, over which others,
//! and what was replaced before, as far as the log on this device reaches back.
//!
//! # Fields that merge every write
//! For some fields "the later one" is not what anybody meant. Their policy is declared once, in the derive:
//!
//! | `merge =` | what is logged | two writers unaware of each other leave |
//! |---|---|---|
//! | `"set"` | elements inserted, and insertions removed | all that was inserted; a removal removes the insertions that its author saw, so an insertion that it did not see stays |
//! | `"counter"` | the difference to what was shown | the sum; where that is beyond what the field's type holds (-1 of a `u32`), the nearest that it holds is shown, and the sum stays what it is |
//! | `"max"`, `"min"` | the value | the greatest, the least; a value that does not raise (lower) it, given to `put` too, writes nothing; a default, which nobody wrote, is no bound. What is compared is what is stored, so its type is [`Ordered`](crate::entity::Ordered) |
//! | `"first"` | the value | the first; once written it cannot be changed, and trying is an error of the call |
//!
//! The first three kinds have no losers and so no conflicts; of `"first"`, a later value that differs is one.
//!
//! ```
//! # use std::collections::BTreeSet;
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! #[derive(Syncable)]
//! struct Game {
//!     #[sync(id)]
//!     id: Id<Game, String>,
//!     #[sync(merge = "set")]
//!     players: BTreeSet<String>,
//!     #[sync(merge = "counter")]
//!     coins: i64,
//!     #[sync(merge = "max")]
//!     best: u32,
//!     #[sync(merge = "first")]
//!     host: Option<String>,
//! }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let device = || Replica::builder().register::<Game>().open(MemoryStore::new());
//! # let (phone, laptop) = (device()?, device()?);
//! # let game = Game { id: "g".into(), players: ["ada".into(), "bob".into()].into(), coins: 10, best: 0, host: None };
//! # let id = phone.create(game)?.wait()?;
//! # block_on(phone.sync(&hub))?; block_on(laptop.sync(&hub))?;
//! phone.edit(&id, |game| {
//!     game.players.remove("bob");
//!     game.coins += 5;
//!     game.best = 70;
//!     game.host = Some("ada".into());
//! })?.wait()?;
//! laptop.edit(&id, |game| {
//!     game.players.insert("cleo".into());
//!     game.coins -= 1;
//!     game.best = 50;
//! })?.wait()?;
//! for device in [&phone, &laptop, &phone] {
//!     block_on(device.sync(&hub))?;
//! }
//! let game = laptop.get(&id)?.unwrap();
//! assert_eq!(game.players, BTreeSet::from(["ada".to_owned(), "cleo".to_owned()]));
//! assert_eq!((game.coins, game.best, game.host.as_deref()), (14, 70, Some("ada")));
//! assert_eq!(laptop.edit(&id, |game| game.host = None).unwrap_err().code(), "invalid"); // written once
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Deletes, and taking them back
//! A delete leaves the fields where they are, so [`restore`](crate::Replica::restore) brings the entity back as it was.
//! What happens when one device deletes what another edits, each unaware, is for the type to say:
//!
//! - `tombstone = "delete_wins"`, the default: it stays deleted, and the edit that the delete hides is listed as a
//!   conflict of the field `$deleted`. Deleting again settles it, and so does restoring, which shows the edit.
//! - `tombstone = "last_writer_wins"`: it is alive again while an update is stamped later than every delete; the delete
//!   is then listed instead.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! #[derive(Syncable)]
//! #[sync(tombstone = "last_writer_wins")]
//! struct Task {
//!     #[sync(id)]
//!     id: Id<Task, String>,
//!     title: String,
//! }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let device = || Replica::builder().register::<Note>().register::<Task>().open(MemoryStore::new());
//! # let (phone, laptop) = (device()?, device()?);
//! # let note = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! # let task = phone.create(Task { id: "t".into(), title: "Shop".into() })?.wait()?;
//! # block_on(phone.sync(&hub))?; block_on(laptop.sync(&hub))?;
//! phone.delete(&note)?.wait()?;
//! phone.delete(&task)?.wait()?;
//! # std::thread::sleep(std::time::Duration::from_millis(2));
//! laptop.edit(&note, |note| note.title = "Groceries".into())?.wait()?; // later, and unaware
//! laptop.edit(&task, |task| task.title = "Shop for food".into())?.wait()?;
//! for device in [&phone, &laptop, &phone] {
//!     block_on(device.sync(&hub))?;
//! }
//! assert!(phone.get(&task)?.is_some()); // the edit was the later one
//!
//! assert!(laptop.get(&note)?.is_none()); // the delete wins, and hides the edit in sight of all
//! let conflict = laptop.conflicts::<Note>()?.remove(0).raw;
//! assert_eq!((&*conflict.field, conflict.losers[0].value.as_str()), ("$deleted", r#""Groceries""#));
//!
//! laptop.restore(&note)?.wait()?;
//! assert_eq!(laptop.get(&note)?.unwrap().title, "Groceries");
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # The same id, created twice
//! [`create`](crate::Replica::create) of an id that is known here is an error, also if it is deleted. Two devices that
//! create one id unaware of each other have made one entity: the earlier create gives the values, the other's that differ
//! are conflicts, and sets, counters, maxima and minima join both. With ids that come from the thing itself (a date, a
//! name) that is what one wants; otherwise ids are random ([`new_id`](crate::Replica::new_id)) and never meet.
//!
//! # A policy of one's own
//! Where none of these fits, implement [`Policy`](crate::Policy): what an edit logs, what it absorbs, and what shows. It
//! is about thirty lines; the repository's `examples/custom-policy` is a journal that lines are only added to, and
//! `sync_testkit::policy_laws!` checks the laws that every policy has to keep. Such fields have no conflicts of their own:
//! whatever should be seen of several operations, the policy shows.
