//! What lives on a disk: a bare store, a device, a hub. Each says what it acknowledged, and what it finds on a disk that
//! it left behind.

mod device;
mod hub;
mod store;

pub(crate) use device::Device;
pub(crate) use hub::HubAtHome;
pub(crate) use store::Bare;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::{Clock, MemoryStore, Random};
use sync_redb::{RedbFile, RedbStore, StorageBackend};

use crate::bytes::Bytes;

/// A life on a disk: the same each time, as far as the disk lets it.
pub(crate) trait Life {
    /// Lives for so many steps or until something fails, and notes what was to be seen on the way. What it syncs with, if
    /// it does, keeps its own in `beside`, where nothing fails.
    fn live(disk: &Bytes, beside: &Arc<MemoryStore>, marks: &mut Vec<Mark>, steps: u64) -> Result<(), String>;

    /// What is on a disk that it left, or what is wrong with it. `thoroughly`: everything is verified, and life goes on
    /// with what was in `beside` at the time.
    fn find<B: StorageBackend>(disk: B, beside: &MemoryStore, thoroughly: bool) -> Result<String, String>;

    /// Everything that can be read there.
    fn read<B: StorageBackend>(disk: B) -> Result<String, String>;
}

/// A moment of a life.
#[derive(Clone)]
pub(crate) struct Mark {
    /// How many steps the disk had made.
    pub(crate) steps: usize,
    /// Whether somebody was told that it is safe.
    pub(crate) acknowledged: bool,
    /// What was to be seen.
    pub(crate) state: String,
    /// The other side's store at the time.
    pub(crate) beside: Arc<MemoryStore>,
}

/// The states that may be found after `steps` of the disk: from the last one acknowledged to the one in the making.
pub(crate) fn possible(marks: &[Mark], steps: usize) -> &[Mark] {
    let made = marks.partition_point(|mark| mark.steps <= steps);
    let first = marks[..made].iter().rposition(|mark| mark.acknowledged).unwrap_or(0);
    &marks[first..marks.len().min(made + 1)]
}

/// What is wrong with a disk on which one of these states has to be.
pub(crate) fn judge<L: Life>(
    disk: impl StorageBackend,
    possible: &[Mark],
    beside: &MemoryStore,
    thoroughly: bool,
) -> Result<(), String> {
    let found = L::find(disk, beside, thoroughly)?;
    if possible.iter().any(|mark| mark.state == found) {
        return Ok(());
    }
    let acknowledged = possible.first().map_or("nothing", |mark| &mark.state);
    Err(format!("acknowledged was\n  {acknowledged}\nand found is\n  {found}"))
}

/// A disk with a new file on it, as `RedbFile::open` puts it in its place.
pub(crate) fn new_file() -> Vec<u8> {
    let made = Bytes::new(vec![]);
    drop(RedbFile::with_backend(made.clone()).expect("a new file"));
    made.copy()
}

fn open(disk: impl StorageBackend) -> Result<RedbStore, String> {
    RedbFile::with_backend(disk).and_then(|file| file.space("")).map_err(told)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// When a life begins.
const NOON: u64 = 1_700_000_000_000;

/// A clock that goes on by a second whenever it is looked at.
#[derive(Debug)]
struct Ticking(AtomicU64);

impl Ticking {
    fn new() -> Self {
        Self(AtomicU64::new(NOON))
    }
}

impl Clock for Ticking {
    fn now(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

/// Numbers that are random enough, and the same each time.
#[derive(Debug)]
struct Counted(AtomicU64);

impl Counted {
    fn from(seed: u64) -> Self {
        Self(AtomicU64::new(seed << 32))
    }
}

impl Random for Counted {
    fn bits(&self) -> u128 {
        let mut state = self.0.fetch_add(1, Ordering::Relaxed);
        u128::from(crate::bytes::random(&mut state)) << 64 | u128::from(crate::bytes::random(&mut state))
    }
}
