//! A disk that loses power or fails at a chosen operation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::{Checkpoint, EntityKey, Heads, MemoryStore, Position, Replica, Store, StoreError};

/// What happens at the operation that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trip {
    /// The power goes: the operation was not carried out, and nothing is any more.
    PowerBefore,
    /// The power goes: the operation was carried out, and nobody hears of it.
    PowerAfter,
    /// The operation fails once and changes nothing.
    Error,
    /// The operation fails once, and was carried out all the same.
    ErrorAfter,
    /// There is no space left: writes fail until somebody makes room.
    Full,
}

/// A [`MemoryStore`] on a disk that can fail. What is in the image survives.
#[derive(Clone)]
pub(super) struct Disk {
    image: Arc<MemoryStore>,
    fuse: Arc<Mutex<Fuse>>,
    /// Who reads something between a checkpoint and its reply, as another thread may.
    reader: Arc<Mutex<Option<Replica>>>,
    guest: Arc<Mutex<Option<Guest>>>,
}

/// What somebody else does between two operations, and after how many of them.
type Guest = (usize, Box<dyn FnOnce() + Send>);

#[derive(Default)]
struct Fuse {
    /// How many more operations go well, and what happens then.
    armed: Option<(u32, Trip)>,
    /// What happened since this was last taken.
    tripped: Option<Trip>,
    is_dead: bool,
    is_full: bool,
    /// The simulator looks: nothing fails, nothing counts.
    is_watched: bool,
    /// A running hash of all that was appended.
    written: u64,
}

impl Disk {
    pub(super) fn new(image: MemoryStore) -> Self {
        Self { image: Arc::new(image), fuse: Arc::default(), reader: Arc::default(), guest: Arc::default() }
    }

    /// What survives the loss of power now.
    pub(super) fn image(&self) -> &Arc<MemoryStore> {
        &self.image
    }

    pub(super) fn copy(&self) -> MemoryStore {
        self.image.copy()
    }

    /// Has something happen after `left` more operations: reads count only where a read can fail by itself.
    pub(super) fn arm(&self, left: u32, trip: Trip) {
        self.fuse().armed = Some((left, trip));
    }

    /// What happened since this was last asked.
    pub(super) fn take_tripped(&self) -> Option<Trip> {
        self.fuse().tripped.take()
    }

    pub(super) fn is_dead(&self) -> bool {
        self.fuse().is_dead
    }

    /// Everything works again.
    pub(super) fn heal(&self) {
        let mut fuse = self.fuse();
        *fuse = Fuse { written: fuse.written, ..Fuse::default() };
    }

    /// Power and space are back; what is armed stays.
    pub(super) fn restart(&self) {
        self.fuse().is_dead = false;
    }

    /// Looks without anything failing.
    pub(super) fn watched<R>(&self, look: impl FnOnce() -> R) -> R {
        let before = std::mem::replace(&mut self.fuse().is_watched, true);
        let seen = look();
        self.fuse().is_watched = before;
        seen
    }

    /// Has this replica read from time to time before it hears that a checkpoint was carried out.
    pub(super) fn set_reader(&self, reader: Option<Replica>) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    /// Has somebody else act between two operations, after so many of them.
    pub(super) fn expect(&self, after: usize, guest: impl FnOnce() + Send + 'static) {
        *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = Some((after, Box::new(guest)));
    }

    /// Whoever was expected and did not come does not come any more.
    pub(super) fn dismiss(&self) {
        *self.guest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn let_in(&self) {
        let guest = match &mut *self.guest.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((left @ 1.., _)) => {
                *left -= 1;
                None
            }
            expected => expected.take(),
        };
        if let Some((_, act)) = guest {
            act();
        }
    }

    /// Reads one of the records that a checkpoint puts, every third time.
    fn read_midway(&self, checkpoint: &Checkpoint) {
        let chance = checkpoint.covers;
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let keys: Vec<EntityKey> = checkpoint.puts.iter().filter_map(|(place, _)| key_of(place)).collect();
        if let (Some(reader), 0, false) = (reader, chance % 3, keys.is_empty()) {
            let key = &keys[chance as usize / 3 % keys.len()];
            // What it shows is looked at after the step.
            let _ = self.watched(|| reader.raw().record(key));
        }
    }

    /// A hash of all that was ever appended through this disk.
    pub(super) fn written(&self) -> u64 {
        self.fuse().written
    }

    fn fuse(&self) -> MutexGuard<'_, Fuse> {
        self.fuse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operate<T>(
        &self,
        writes: bool,
        carry_out: impl Fn(&MemoryStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.fuse().is_watched {
            self.let_in();
        }
        let trip = {
            let mut fuse = self.fuse();
            if fuse.is_watched {
                None
            } else if fuse.is_dead {
                return Err(failed("the power is off"));
            } else if fuse.is_full && writes {
                return Err(failed("no space is left"));
            } else {
                fuse.burn(writes)
            }
        };
        match trip {
            None => carry_out(&self.image),
            Some(Trip::PowerBefore) => Err(failed("the power went")),
            Some(Trip::PowerAfter) => carry_out(&self.image).and(Err(failed("the power went"))),
            Some(Trip::Error) => Err(failed("an I/O error")),
            Some(Trip::ErrorAfter) => carry_out(&self.image).and(Err(failed("an I/O error"))),
            Some(Trip::Full) => Err(failed("no space is left")),
        }
    }
}

impl Fuse {
    /// Counts an operation; what happens to it, if anything.
    fn burn(&mut self, writes: bool) -> Option<Trip> {
        let (left, trip) = self.armed?;
        let counts = writes || trip == Trip::Error;
        if !counts {
            return None;
        }
        if left > 0 {
            self.armed = Some((left - 1, trip));
            return None;
        }
        self.armed = None;
        self.tripped = Some(trip);
        self.is_dead = matches!(trip, Trip::PowerBefore | Trip::PowerAfter);
        self.is_full = trip == Trip::Full;
        Some(trip)
    }
}

/// The entity whose record has this place in a replica's map.
fn key_of(place: &[u8]) -> Option<EntityKey> {
    let [b'r', _table, name @ ..] = place else { return None };
    let (entity_type, id) = std::str::from_utf8(name).ok()?.split_once('\0')?;
    Some(EntityKey::new(entity_type, id))
}

fn failed(message: &str) -> StoreError {
    StoreError::io("the simulated disk", message)
}

impl Store for Disk {
    fn heads(&self) -> Result<Heads, StoreError> {
        self.operate(false, |image| image.heads())
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        let last = self.operate(!commits.is_empty(), |image| image.append(expected, commits))?;
        let mut fuse = self.fuse();
        for commit in commits {
            fuse.written = super::trace::mix(fuse.written, commit);
        }
        Ok(last)
    }

    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.operate(false, |image| image.journal(from, limit))
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let done = self.operate(true, |image| image.checkpoint(checkpoint));
        if !self.is_dead() {
            self.read_midway(checkpoint);
        }
        done
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.operate(false, |image| image.get(key))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        self.operate(false, |image| image.range(from, to, limit))
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        self.operate(true, |image| image.reclaim())
    }
}
