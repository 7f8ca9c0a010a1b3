//! Opening a replica.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::row::Row;
use super::state::State;
use super::{Inner, Keep, Replica, cold, inbox, meta, single_flight, size, status};
use crate::clock::{Clock, Random};
use crate::entity::{Entity, Schema};
use crate::error::Error;
use crate::journal::Journal;
use crate::model::entry::{EntityKey, type_is_valid};
use crate::model::stamp::ClientId;
use crate::seal;
use crate::store::{Store, StoreError};

/// After how many entries the records' checkpoint is brought up to date.
const CHECKPOINT_AFTER: usize = 4_096;

/// How many journal rows are read at a time on opening.
const REPLAY: usize = 256;

/// Registers entity types and opens a store.
#[derive(Default)]
pub struct ReplicaBuilder {
    schemas: BTreeMap<&'static str, &'static Schema>,
    twice: Option<&'static str>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    device: Option<String>,
    checkpoint_after: Option<usize>,
    keep: Keep,
    pending_in_memory: Option<usize>,
    threadless: bool,
}

impl std::fmt::Debug for ReplicaBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplicaBuilder").field("types", &self.schemas.keys()).finish_non_exhaustive()
    }
}

impl ReplicaBuilder {
    /// Makes an entity type known. Entities of other types are kept, synced and shown by [`Replica::raw`].
    #[must_use]
    pub fn register<T: Entity>(mut self) -> Self {
        if self.schemas.insert(T::SCHEMA.name, T::SCHEMA).is_some() {
            self.twice = Some(T::SCHEMA.name);
        }
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Other randomness than the system's.
    #[must_use]
    pub fn random(mut self, random: impl Random + 'static) -> Self {
        self.random = Some(Arc::new(random));
        self
    }

    /// What people call this device: the client ids that are made from now on begin with it, so that every replica
    /// can show who wrote what. One that the store has already keeps its name.
    ///
    /// ```
    /// # use sync_core::{MemoryStore, Replica};
    /// let replica = Replica::builder().device("kitchen").open(MemoryStore::new())?;
    /// assert!(replica.status().client.as_str().starts_with("kitchen-"));
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    #[must_use]
    pub fn device(mut self, name: impl Into<String>) -> Self {
        self.device = Some(name.into());
        self
    }

    /// After how many accepted entries the checkpoint is brought up to date; opening replays about as many. One with more than
    /// 128 bytes of values counts as several, so that memory is bounded too.
    ///
    /// A sync lets 16 times as many come together. Where the disk is slower than what comes in, syncs and writes wait for
    /// the checkpoint that is under way once there are 64 times as many in memory.
    #[must_use]
    pub fn checkpoint_after(mut self, entries: usize) -> Self {
        self.checkpoint_after = Some(entries.max(1));
        self
    }

    /// About how many pending entries are kept in memory, of those that a checkpoint has; 8192 unless told. One with more than
    /// 128 bytes of values counts as several. The others are
    /// read when they are needed, so that memory and opening do not follow what was written offline.
    #[must_use]
    pub fn pending_in_memory(mut self, entries: usize) -> Self {
        self.pending_in_memory = Some(entries.max(1));
        self
    }

    /// How much of its journal the replica keeps; 64 MiB unless told.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Starts no threads: whoever waits for a commit appends it, and checkpoints are made by whoever is due.
    /// For simulation, and where there are no threads.
    #[must_use]
    pub fn threadless(mut self) -> Self {
        self.threadless = true;
        self
    }

    /// Opens the replica that the store holds, or makes one. Replays what the last checkpoint lacks. The store is this
    /// replica's alone: one that another brings forward as well fails with [`StoreError::Moved`].
    ///
    /// # Errors
    /// [`Error::Store`] if the store cannot be read or is damaged; [`Error::Config`] if a type was registered twice, or has
    /// a name that no hub takes, if the device's name is no name, or there is neither the `system` feature nor a clock and
    /// randomness given.
    pub fn open(self, store: impl Store + 'static) -> Result<Replica, Error> {
        self.open_shared(Arc::new(store))
    }

    fn open_shared(self, store: Arc<dyn Store>) -> Result<Replica, Error> {
        if let Some(name) = self.twice {
            let message = format!(
                "`{name}` was registered twice: once is enough, and of two types one needs another #[sync(entity = \"...\")]"
            );
            return Err(Error::Config { message });
        }
        // The derive sees to it; a schema may be written by hand.
        if let Some(name) = self.schemas.keys().find(|name| !type_is_valid(name)) {
            let most = EntityKey::MAX_TYPE_BYTES;
            let message = format!(
                "an entity type's name has 1 to {most} bytes and no control characters, or no hub takes it: {name:?}"
            );
            return Err(Error::Config { message });
        }
        let missing = |what: &str| Error::Config {
            message: format!("there is no {what}: give one, or use the feature `system`"),
        };
        let clock = self.clock.or_else(system_clock).ok_or_else(|| missing("clock"))?;
        let random = self.random.or_else(system_random).ok_or_else(|| missing("randomness"))?;
        let name = ClientName::new(self.device)?;
        let Replayed { mut state, last, bytes, fresh } =
            replay(&*store, self.pending_in_memory, || name.fresh(&*random, None))?;
        let journal = Journal::counting(store, last, state.marks.bytes() + bytes);
        if fresh {
            let row = Row::Client(state.client.clone());
            let position = journal.push(&row.encode())?;
            journal.wait(position)?;
        } else if state.is_pristine() {
            // The file may have been copied before anything was written, with an image of a whole device say: then each
            // copy is another client from the beginning. It is durable with the first write, and nobody waits for it.
            let row = Row::Client(name.fresh(&*random, Some(&state.client)));
            journal.push(&row.encode())?;
            state.apply(&row);
        }
        #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
        let flusher = (!self.threadless).then(|| journal.spawn_flusher());
        let inner = Inner {
            journal,
            state: Mutex::new(state),
            writing: Mutex::new(()),
            writer: Mutex::new(None),
            schemas: self.schemas,
            clock,
            random,
            name,
            watchers: inbox::Watchers::default(),
            syncing: single_flight::SingleFlight::default(),
            status: Mutex::new(status::Doings::default()),
            status_changed: status::Bell::default(),
            checkpointer: Arc::default(),
            checkpoint_after: self.checkpoint_after.unwrap_or(CHECKPOINT_AFTER),
            keep: self.keep,
            #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
            flusher,
        };
        let replica = Replica { inner: Arc::new(inner) };
        replica.sweep_leftovers()?;
        if replica.state().wiped {
            // The process ended before the wipe did. What it leaves does not show; if it cannot go now, it goes later.
            let _ = replica.compact();
        }
        Ok(replica)
    }
}

/// How the client ids of a replica are made.
pub(super) struct ClientName(Option<String>);

impl ClientName {
    /// The most bytes of a device's name: with the random part the id stays well below what a client id may have.
    const MAX_BYTES: usize = 64;

    fn new(device: Option<String>) -> Result<Self, Error> {
        let is_name =
            |name: &String| (1..=Self::MAX_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        match device {
            Some(name) if !is_name(&name) => {
                let message = format!("a device's name has 1 to {} bytes and no control characters", Self::MAX_BYTES);
                Err(Error::Config { message })
            }
            device => Ok(Self(device)),
        }
    }

    /// A client id that nobody has; after another one, of the same device.
    pub(super) fn fresh(&self, random: &dyn Random, before: Option<&ClientId>) -> ClientId {
        let id = ClientId::from_random(random.bits());
        match self.of_device(before) {
            Some(name) => ClientId::new(format!("{name}-{id}")),
            None => id,
        }
    }

    fn of_device<'a>(&'a self, before: Option<&'a ClientId>) -> Option<&'a str> {
        let before = before.and_then(|before| before.as_str().rsplit_once('-')).map(|(name, _)| name);
        self.0.as_deref().or(before)
    }

    /// The most bytes that this client's id takes within a text in JSON, or that of a [fresh](Self::fresh) one after it.
    pub(super) fn most_bytes(&self, client: &ClientId) -> u64 {
        const RANDOM: usize = 32;
        let within = |text: &str| size::of_text(text) - 2;
        let fresh = RANDOM + self.of_device(Some(client)).map_or(0, |name| within(name) + 1);
        within(client.as_str()).max(fresh) as u64
    }
}

/// The state that a store holds.
struct Replayed {
    state: State,
    /// Where the journal ends.
    last: u64,
    /// Of the rows behind the checkpoint.
    bytes: u64,
    /// Whether there was nothing in it.
    fresh: bool,
}

fn replay(store: &dyn Store, front: Option<usize>, client: impl FnOnce() -> ClientId) -> Result<Replayed, Error> {
    let heads = store.heads()?;
    let loaded = meta::load(store, front)?;
    let fresh = loaded.is_none() && heads.last == 0;
    let mut state = match loaded {
        Some(state) => state,
        None if heads.first <= 1 => {
            let mut state = State::new(client());
            state.pending.cold.front = front.unwrap_or(state.pending.cold.front);
            state
        }
        None => {
            let message = "its journal begins after its first commit, and there is no checkpoint".to_owned();
            return Err(StoreError::Damaged { what: "the store".into(), message }.into());
        }
    };
    let (mut next, mut read) = (heads.covers + 1, 0);
    while next <= heads.last {
        let rows = store.journal(next, REPLAY)?;
        for (position, bytes) in &rows {
            if *position != next {
                let message = format!("commit {next} is missing");
                return Err(StoreError::Damaged { what: "the journal".into(), message }.into());
            }
            read += bytes.len() as u64;
            let row = read_row(*position, bytes)?;
            match &row {
                // The very first row names the client; a later one makes the replica another.
                Row::Client(client) if *position == 1 => state.client = client.clone(),
                row => {
                    cold::bring_in_for(&mut state, store, row)?;
                    state.apply(row);
                }
            }
            next += 1;
        }
        if rows.is_empty() {
            let message = format!("commits {next} to {} are missing", heads.last);
            return Err(StoreError::Damaged { what: "the journal".into(), message }.into());
        }
    }
    state.changed.clear();
    state.covers = heads.covers;
    Ok(Replayed { state, last: heads.last, bytes: read, fresh })
}

/// A row of the journal.
pub(super) fn read_row(position: u64, bytes: &[u8]) -> Result<Row, StoreError> {
    let place = position.to_be_bytes();
    let body = seal::open(&place, bytes)?;
    Row::decode(body).map_err(|error| seal::unreadable(&place, &error))
}

#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
fn system_clock() -> Option<Arc<dyn Clock>> {
    Some(Arc::new(crate::clock::SystemClock))
}

#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
fn system_random() -> Option<Arc<dyn Random>> {
    Some(Arc::new(crate::clock::SystemRandom))
}

#[cfg(not(all(feature = "system", not(target_arch = "wasm32"))))]
fn system_clock() -> Option<Arc<dyn Clock>> {
    None
}

#[cfg(not(all(feature = "system", not(target_arch = "wasm32"))))]
fn system_random() -> Option<Arc<dyn Random>> {
    None
}
