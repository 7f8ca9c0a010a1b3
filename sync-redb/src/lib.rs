//! A [`Store`](sync_core::Store) in a [redb](https://docs.rs/redb) file: one file, no server, nothing to set up.
//!
//! ```
//! use sync_core::Store;
//! use sync_redb::{RedbFile, RedbStore};
//!
//! # let dir = tempfile::tempdir()?;
//! # let (notes, hub) = (dir.path().join("notes.redb"), dir.path().join("hub.redb"));
//! // A device keeps one space, in a file of its own.
//! let store = RedbStore::open(&notes)?;
//! store.append(0, &[b"a commit"])?;
//!
//! // A hub keeps many spaces in one file.
//! let file = RedbFile::open(&hub)?;
//! file.space("work")?.append(0, &[b"one", b"two"])?;
//! file.space("home")?.append(0, &[b"another"])?;
//! assert_eq!(file.spaces()?, ["home", "work"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//! - **Creation survives a kill at any moment**: the path names a complete file or none.
//! - **An append is one transaction with one sync to disk**; what returned is there after a loss of power.
//! - **A damaged file is found when it is opened**, as [`StoreError::Damaged`](sync_core::StoreError::Damaged): files of
//!   up to 64 MiB are read and checked as a whole (a millisecond a megabyte). redb trusts the pages of larger ones, and
//!   there the callers' own checksums find a changed row, and [`RedbFile::verify`] the rest. Where redb falls over
//!   damage, its panic is caught and is `Damaged` too (in programs that unwind).
//! - **After a failed write nothing more is written** until the file is opened anew, which [`RedbFile::space`] does; the
//!   stores that were given before go on reading, and refuse to write: whoever holds one takes another and reads anew.
//!
//! A file belongs to one process at a time; within it, clone the [`RedbFile`] or the [`RedbStore`].
//! A larger file that was not closed (the process was killed) is read as a whole too when it is opened next, which took
//! a third of a second for 285 MB; after a checkpoint with nothing appended behind it there is no need to.
//!
//! Reading order: `layout` (what is in the file), `store` (the contract over it), `file`, `view`, `create`, `room`,
//! `fault`.

mod create;
mod fault;
mod file;
mod layout;
mod room;
mod store;
mod view;

pub use file::RedbFile;
pub use redb::StorageBackend;
pub use store::RedbStore;
