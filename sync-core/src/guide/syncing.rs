//! Exchanging entries with a hub, and all that can go wrong on the way.
//!
//! # One sync
//! [`sync`](crate::Replica::sync) asks who the hub is, uploads what is pending, and downloads what others wrote. Call it
//! whenever you like: at the start, after writes, when the network comes back. A call during another joins that one;
//! dropping its future loses nothing; doing it again is harmless. Nothing else ever talks to the network.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! match block_on(phone.sync(&hub)) {
//!     Ok(report) => assert_eq!((report.uploaded, report.pending), (1, 0)),
//!     Err(error) if error.is_offline() => {} // what is pending stays pending
//!     Err(error) => return Err(error),
//! }
//! assert_eq!(phone.status().last_error.map(|error| error.to_string()), None);
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # What to show people
//! [`status`](crate::Replica::status) says where a replica stands: how much is pending and how much was refused, what the
//! running sync does, when the last one succeeded or why it did not, and when to try again.
//! [`watch_status`](crate::Replica::watch_status) tells it at every change. [`status_of`](crate::Replica::status_of)
//! answers for one entity: is this note safe on the hub?
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! let id = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! let mut watch = phone.watch_status();
//! assert!(!phone.status_of(&id)?.is_safe());
//!
//! block_on(phone.sync(&hub))?;
//! assert!(phone.status_of(&id)?.is_safe());
//! let status = watch.try_next().unwrap(); // changes that were not looked at are told as one
//! assert_eq!((status.pending, status.uploaded, status.first_sync_done), (0, 1, true));
//! assert!(status.last_synced.is_some() && status.next_retry.is_none());
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! To sync as soon as others write, wait in [`Transport::live`](crate::Transport::live), which returns when the hub's log
//! grew. Every [`Error`](crate::Error) has a stable [`code`](crate::Error::code), says whether trying again may help
//! ([`is_retryable`](crate::Error::is_retryable)), and serialises, for programs that show it elsewhere.
//!
//! # What a hub refuses
//! A hub decides about every entry by itself: *accepted* (in the log, durably), *rejected* with a reason, or *again*: not
//! decided yet. A rejected entry holds up no other one, in either direction. It is set aside on the device that wrote it,
//! with the reason; its effect leaves what shows; and it can be sent again as a new write, mended or not.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable, Value};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! let hub = Hub::builder()
//!     .validate_entity::<Note>(|_who, _before, after| match after {
//!         Some(note) if note.title.len() > 20 => Err("a title has at most 20 bytes".into()),
//!         _ => Ok(()),
//!     })
//!     .open(MemoryStore::new())?
//!     .transport("ada");
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! phone.edit(&id, |note| note.title = "Shopping for the long weekend".into())?.wait()?;
//! phone.create(Note { id: "m".into(), title: "Another".into() })?.wait()?;
//! let report = block_on(phone.sync(&hub))?;
//! assert_eq!((report.uploaded, report.rejected, report.pending), (2, 1, 0));
//! assert_eq!(phone.get(&id)?.unwrap().title, "Shopping");
//!
//! let refused = phone.rejected().remove(0);
//! assert_eq!(refused.rejection.message, "a title has at most 20 bytes");
//! phone.resubmit(refused.number, |fields| fields.insert("title", Value::from("Weekend")))?.wait()?;
//! block_on(phone.sync(&hub))?;
//! assert_eq!((phone.get(&id)?.unwrap().title, phone.rejected().len()), ("Weekend".into(), 0));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! [`discard`](crate::Replica::discard) gives one up instead. With a refused create go the edits that stand on it, each
//! set aside too; of a transaction one refused entry takes the others with it.
//!
//! # Clocks that are wrong
//! A device's clock may be years off. It can write all the same: what it wrote and never offered is stamped anew, in
//! order, when the first hub tells it the time. So a fast clock wins nothing, and a slow one loses nothing. The hub admits
//! no stamp further ahead than its limit (five minutes unless it is told otherwise), which keeps one device from dragging
//! everyone's clock along.
//!
//! ```
//! # use std::sync::atomic::{AtomicU64, Ordering};
//! # use std::sync::Arc;
//! # use pollster::block_on;
//! # use sync_core::{Clock, Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # static NOW: AtomicU64 = AtomicU64::new(1_800_000_000_000);
//! # #[derive(Clone)] struct Fast(u64);
//! # impl Clock for Fast { fn now(&self) -> u64 { NOW.load(Ordering::SeqCst) + self.0 } }
//! # let a_minute_passes = || NOW.fetch_add(60_000, Ordering::SeqCst);
//! # let hub = Hub::builder().clock(Arc::new(Fast(0))).open(MemoryStore::new())?.transport("ada");
//! # let device = |fast| Replica::builder().register::<Note>().clock(Fast(fast)).open(MemoryStore::new());
//! const DAY: u64 = 24 * 3_600_000;
//! let (fast, right) = (device(DAY)?, device(0)?);
//! let id = fast.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! let report = block_on(fast.sync(&hub))?;
//! assert_eq!((report.clock_corrected, report.uploaded), (Some(-(DAY as i64)), 1));
//!
//! block_on(right.sync(&hub))?;
//! fast.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
//! a_minute_passes();
//! right.edit(&id, |note| note.title = "Errands".into())?.wait()?; // really the later one
//! for device in [&fast, &right, &fast] {
//!     block_on(device.sync(&hub))?;
//! }
//! assert_eq!(fast.get(&id)?.unwrap().title, "Errands");
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Files that were copied or put back
//! A copied file (a cloned machine, a backup put back) has the client id of the first and would issue other entries under
//! the same numbers. The hub and the replica see it by content, never by guessing: the copy goes on under a client id of
//! its own, sends again what was never accepted, and says so. What both copies held when they parted counts once. A file
//! in which nothing was written yet is another client each time it is opened: images of whole machines can be copied.
//!
//! ```
//! # use std::sync::Arc;
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Page { #[sync(id)] id: Id<Page, String>, #[sync(merge = "counter")] views: i64 }
//! # let hub = Hub::builder().open(MemoryStore::new())?.transport("ada");
//! # let open = |store: Arc<MemoryStore>| Replica::builder().register::<Page>().open(store);
//! let file = Arc::new(MemoryStore::new());
//! let phone = open(file.clone())?;
//! let id = phone.create(Page { id: "p".into(), views: 0 })?.wait()?;
//! phone.edit(&id, |page| page.views += 1)?.wait()?;
//!
//! let copy = open(Arc::new(file.copy()))?; // before anything was synced
//! phone.edit(&id, |page| page.views += 10)?.wait()?;
//! copy.edit(&id, |page| page.views += 100)?.wait()?;
//! block_on(phone.sync(&hub))?;
//! let report = block_on(copy.sync(&hub))?;
//! assert!(report.forked);
//! block_on(phone.sync(&hub))?;
//! assert_eq!((phone.get(&id)?.unwrap().views, copy.get(&id)?.unwrap().views), (111, 111));
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Hubs that lost data
//! A hub that was put back from an old backup has forgotten what replicas know that it accepted. A replica notices before
//! it sends anything, and gives back what it holds: the hub joins that with its own state, and the other replicas take it
//! from there. So a hub can be rebuilt from its replicas, even from nothing, if it keeps its name.
//!
//! ```
//! # use std::sync::Arc;
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! let disk = Arc::new(MemoryStore::new());
//! let hub = Hub::builder().open(disk.clone())?.transport("ada");
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! block_on(phone.sync(&hub))?;
//! let backup = Arc::new(disk.copy());
//! phone.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
//! block_on(phone.sync(&hub))?; // accepted, and then the disk dies
//!
//! let hub = Hub::builder().open(backup)?.transport("ada");
//! assert!(block_on(phone.sync(&hub))?.hub_restored);
//! # let laptop = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! block_on(laptop.sync(&hub))?;
//! assert_eq!(laptop.get(&id)?.unwrap().title, "Groceries");
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! To give back is a right of its own, which a hub may withhold
//! ([`allow_join`](crate::HubBuilder::allow_join)). Then the sync is [`Error::HubLostData`](crate::Error::HubLostData),
//! and nothing changes. Where hub and replica hold what cannot be proven to be one history, it is
//! [`Error::Diverged`](crate::Error::Diverged): nothing is ever guessed. The way out of both is
//! [`adopt_hub`](crate::Replica::adopt_hub): the hub's state becomes this replica's, and what only this replica held,
//! pending or once accepted, is set aside with its values, to be listed and sent again.
//!
//! ```
//! # use std::sync::Arc;
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let disk = Arc::new(MemoryStore::new());
//! # let hub = Hub::builder().open(disk.clone())?.transport("ada");
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! # block_on(phone.sync(&hub))?;
//! # let backup = Arc::new(disk.copy());
//! # phone.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
//! # block_on(phone.sync(&hub))?;
//! let hub = Hub::builder().allow_join(false).open(backup)?.transport("ada");
//! assert_eq!(block_on(phone.sync(&hub)).unwrap_err().code(), "hub_lost_data");
//! assert_eq!(phone.get(&id)?.unwrap().title, "Groceries");
//!
//! block_on(phone.adopt_hub(&hub))?;
//! assert_eq!(phone.get(&id)?.unwrap().title, "Shopping");
//! for lost in phone.rejected() {
//!     phone.resubmit(lost.number, |_| ())?.wait()?;
//! }
//! block_on(phone.sync(&hub))?;
//! assert_eq!(phone.get(&id)?.unwrap().title, "Groceries");
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # One replica, one account
//! The first sync binds a store to the hub, the space and the principal that it met. At anything else a sync is
//! [`Error::WrongAccount`](crate::Error::WrongAccount), and nothing is sent. To log out, [`wipe`](crate::Replica::wipe): it
//! refuses while anything is unsynced ([`unsynced`](crate::Replica::unsynced) lists it) or set aside, unless it is told
//! to drop that too. The store then belongs to nobody. It waits for no network: a sync that is under way ends with
//! [`Error::Wiped`](crate::Error::Wiped), and nothing that it asked for comes into what the store is then.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let hub = Hub::builder().open(MemoryStore::new())?;
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! block_on(phone.sync(&hub.transport("ada")))?;
//! phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! assert_eq!(block_on(phone.sync(&hub.transport("bob"))).unwrap_err().code(), "wrong_account");
//! assert_eq!(hub.head().seq, 0); // nothing was sent
//!
//! assert_eq!(phone.wipe(false).unwrap_err().code(), "unsynced");
//! block_on(phone.sync(&hub.transport("ada")))?;
//! phone.wipe(false)?; // ada logs out
//! assert_eq!(block_on(phone.sync(&hub.transport("bob")))?.downloaded, 1);
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! # Keeping the file small, and trusting it
//! The journal is brought into the records by itself every few thousand entries, and then opening replays only the rest.
//! [`compact`](crate::Replica::compact) also drops from the journal what is settled and gives the space back; what is
//! pending, set aside or in conflict is kept. [`verify`](crate::Replica::verify) reads every row, checks every checksum,
//! and folds all records again as far as the journal reaches back.
//!
//! ```
//! # use sync_core::{Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let phone = Replica::builder().register::<Note>().open(MemoryStore::new())?;
//! # phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! phone.compact()?;
//! assert!(phone.verify()?.is_sound());
//! assert_eq!(phone.status().pending, 1);
//! # Ok::<(), sync_core::Error>(())
//! ```
//!
//! A hub keeps its whole log, and every tombstone, until it is told otherwise. [`Hub::compact`](crate::Hub::compact) drops
//! old entries, which the records contain; a device whose cursor is older takes the records instead.
//! [`Hub::purge`](crate::Hub::purge) drops what was deleted before a given time, at every device alike. What somebody wrote
//! offline to an entity that is gone is refused, stays on their device, and sent again makes the entity anew: the first
//! such write has with it all that was still there, and those after it go on from there. Both happen by themselves where
//! the builder says what to keep ([`keep_entries`](crate::HubBuilder::keep_entries),
//! [`keep_for`](crate::HubBuilder::keep_for), [`purge_after`](crate::HubBuilder::purge_after)) and
//! [`Hub::maintain`](crate::Hub::maintain) is called now and then, as `sync-http`'s server does.
//!
//! ```
//! # use pollster::block_on;
//! # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
//! # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
//! # let hub = Hub::builder().open(MemoryStore::new())?;
//! # let way = hub.transport("ada");
//! # let device = || Replica::builder().register::<Note>().open(MemoryStore::new());
//! # let (phone, laptop) = (device()?, device()?);
//! # let id = phone.create(Note { id: "n".into(), title: "Shopping".into() })?.wait()?;
//! # block_on(phone.sync(&way))?; block_on(laptop.sync(&way))?;
//! phone.delete(&id)?.wait()?;
//! block_on(phone.sync(&way))?;
//! laptop.edit(&id, |note| note.title = "Groceries".into())?.wait()?; // offline, and unaware
//! assert_eq!(hub.purge(u64::MAX)?, 1); // far too soon
//! hub.compact(0)?;
//!
//! assert_eq!(block_on(laptop.sync(&way))?.rejected, 1);
//! let refused = laptop.rejected().remove(0);
//! assert_eq!(refused.rejection.code, "gone");
//! laptop.resubmit(refused.number, |_| ())?.wait()?;
//! block_on(laptop.sync(&way))?;
//! block_on(phone.sync(&way))?;
//! assert_eq!(phone.get(&id)?.unwrap().title, "Groceries");
//! # Ok::<(), sync_core::Error>(())
//! ```
