//! Building a hub.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use super::Hub;
use super::compact::Retention;
use super::inner::{Inner, PATIENCE, Settings, is_moved};
use super::load::load;
use super::row::{Content, Row};
use super::rows::Rows;
use super::state::State;
use super::validate::{Typed, Validate};
use super::watch::Watchers;
use crate::clock::{Clock, Random};
use crate::entity::Entity;
use crate::error::Error;
use crate::journal::Journal;
use crate::model::stamp::{ClientId, Name};
use crate::model::value::MAX_DEPTH;
use crate::store::{Store, StoreError};
use crate::transport::{Epoch, Limits};

/// How a [`Hub`] is built.
#[derive(Clone)]
pub struct HubBuilder {
    name: Option<String>,
    named_after: Option<String>,
    space: Option<String>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    limits: Limits,
    default_type: Name,
    allow_join: bool,
    validators: Vec<Arc<dyn Validate>>,
    checkpoint_every: usize,
    retention: Retention,
}

impl HubBuilder {
    pub(super) fn new() -> Self {
        #[cfg(all(feature = "system", not(target_arch = "wasm32")))]
        let given = Self {
            clock: Some(Arc::new(crate::clock::SystemClock)),
            random: Some(Arc::new(crate::clock::SystemRandom)),
            ..Self::bare()
        };
        #[cfg(not(all(feature = "system", not(target_arch = "wasm32"))))]
        let given = Self::bare();
        given
    }

    fn bare() -> Self {
        Self {
            name: None,
            named_after: None,
            space: None,
            clock: None,
            random: None,
            limits: Limits::default(),
            default_type: "note".into(),
            allow_join: true,
            validators: Vec::new(),
            checkpoint_every: 16_384,
            retention: Retention::default(),
        }
    }

    /// The hub's name, for ever the same; without it one is made when the store is first opened.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Has a new store named after its place, a path say, instead of at random. So a hub whose store was lost, and
    /// that begins anew at the same place, is the same hub to its replicas, and they give it back what they have.
    #[must_use]
    pub fn named_after(mut self, place: &str) -> Self {
        self.named_after = Some(format!("{:032x}", xxhash_rust::xxh3::xxh3_128(place.as_bytes())));
        self
    }

    /// The space's name; `default` without it.
    #[must_use]
    pub fn space(mut self, space: impl Into<String>) -> Self {
        self.space = Some(space.into());
        self
    }

    /// The wall clock; the system's without it.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The source of randomness; the system's without it.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// What the hub takes.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The entity type of the article's dialect, which names none.
    #[must_use]
    pub fn default_type(mut self, entity_type: impl Into<Name>) -> Self {
        self.default_type = entity_type.into();
        self
    }

    /// Whether replicas may offer their snapshots to this hub after it lost data; they may without it.
    #[must_use]
    pub fn allow_join(mut self, allowed: bool) -> Self {
        self.allow_join = allowed;
        self
    }

    /// A check of what is pushed, beyond the rules that hold for all. Several are asked in turn.
    #[must_use]
    pub fn validate(mut self, validator: Arc<dyn Validate>) -> Self {
        self.validators.push(validator);
        self
    }

    /// A check of one entity type's values, given who pushes, what the entity is (`None` if it is not there) and
    /// what it would become (`None` if it is deleted). What does not fit the type is rejected without being asked for.
    #[must_use]
    pub fn validate_entity<T: Entity>(
        self,
        check: impl Fn(&str, Option<&T>, Option<&T>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.validate(Arc::new(Typed::<T, _>::new(check)))
    }

    /// After how many accepted entries a checkpoint is made: memory and the time to open follow it. 16,384 without it.
    /// One is made earlier where entries are large, of half a MiB as they are kept, or records are.
    #[must_use]
    pub fn checkpoint_every(mut self, entries: usize) -> Self {
        self.checkpoint_every = entries.max(1);
        self
    }

    /// Has the hub drop from its log, after checkpoints, all but about the last so many entries. Without it and
    /// [`keep_for`](Self::keep_for) the log is kept whole.
    #[must_use]
    pub fn keep_entries(mut self, entries: u64) -> Self {
        self.retention.entries = Some(entries);
        self
    }

    /// Has the hub drop from its log what was accepted longer ago than so many milliseconds, and after
    /// [`keep_entries`](Self::keep_entries) what that says as well. A device that was away for longer takes the state as
    /// a snapshot and keeps what it wrote meanwhile; one of the article's dialect cannot, and is told (410).
    #[must_use]
    pub fn keep_for(mut self, millis: u64) -> Self {
        self.retention.age = Some(millis);
        self
    }

    /// Has [`Hub::maintain`] purge what was deleted longer ago than so many milliseconds. Without it, what was deleted
    /// can be restored for ever.
    #[must_use]
    pub fn purge_after(mut self, millis: u64) -> Self {
        self.retention.deleted = Some(millis);
        self
    }

    /// Opens the hub of a store, or makes it if the store is empty.
    ///
    /// # Errors
    /// If the store cannot be read or is damaged; [`Error::Config`] if it belongs to a hub or space of another
    /// name, a clock or randomness is missing, or nothing could be synced within the limits.
    pub fn open(self, store: impl Store + 'static) -> Result<Hub, Error> {
        let missing = |what: &str| Error::Config { message: format!("the hub needs {what}: give the builder one") };
        check(&self.limits)?;
        let clock = self.clock.ok_or_else(|| missing("a clock"))?;
        let random = self.random.ok_or_else(|| missing("randomness"))?;
        let store: Arc<dyn Store> = Arc::new(store);
        let made = self.named_after.unwrap_or_else(|| format!("{:032x}", random.bits()));
        let state = open(&*store, clock.now(), &made, self.name.as_deref(), self.space.as_deref())?;
        let inner = Inner {
            name: state.name.clone(),
            space: state.space.clone(),
            own: ClientId::from_random(random.bits()),
            epoch: Epoch(((random.bits() >> 64) as u64).max(1)),
            journal: Journal::new(store, state.position),
            durable: Mutex::new(state.durable),
            state: Mutex::new(state),
            rows: Rows::default(),
            tail_seen: AtomicU64::new(0),
            watchers: Watchers::default(),
            checkpointing: Mutex::new(()),
            is_joining: AtomicBool::new(false),
            transfer: Mutex::new(None),
            upkeep: Mutex::default(),
            settings: Settings {
                clock,
                limits: self.limits,
                default_type: self.default_type,
                allow_join: self.allow_join,
                validators: self.validators,
                checkpoint_every: self.checkpoint_every,
                retention: self.retention,
            },
        };
        let has_joined = {
            let state = inner.state();
            !(state.joined_intents.is_empty() && state.joined_places.is_empty())
        };
        if has_joined {
            // It was stopped between joining a snapshot and the checkpoint that lets its entries be found by name.
            inner.checkpoint()?;
        }
        Ok(Hub { inner: Arc::new(inner) })
    }
}

/// The state of the store, which is given its name first if it has none.
fn open(store: &dyn Store, now: u64, made: &str, name: Option<&str>, space: Option<&str>) -> Result<State, Error> {
    for _ in 0..PATIENCE {
        let state = load(store)?;
        if state.position > 0 {
            same("hub", &state.name, name)?;
            same("space", &state.space, space)?;
            return Ok(state);
        }
        let name = name.unwrap_or(made).to_owned();
        let content = Content::Named { name, space: space.unwrap_or("default").to_owned() };
        let row = Row::new(now, state.head, Epoch::default(), content)?.encode();
        let row = crate::seal::seal(&1_u64.to_be_bytes(), &row);
        match store.append(0, &[&row]).map_err(Error::from) {
            Ok(_) => {}
            // Another process opened it at the same time.
            Err(error) if is_moved(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Moved { last: 0 }.into())
}

/// Whether devices can sync within these limits.
fn check(limits: &Limits) -> Result<(), Error> {
    let Limits { batch_entries, batch_bytes, entry_bytes, group_entries, depth, drift: _ } = *limits;
    let each = [
        ("batch_entries", batch_entries),
        ("batch_bytes", batch_bytes),
        ("entry_bytes", entry_bytes),
        ("group_entries", group_entries),
    ];
    let message = match each.into_iter().find(|(_, most)| *most == 0) {
        Some((name, _)) => format!("the limit `{name}` is 0, so nothing could be pushed to the hub: give it more"),
        // What is deeper no device can read.
        None if depth > MAX_DEPTH as u64 => {
            format!("the limit `depth` is {depth}, and values have at most {MAX_DEPTH} levels: give the hub no more")
        }
        None => return Ok(()),
    };
    Err(Error::Config { message })
}

fn same(what: &str, stored: &str, asked: Option<&str>) -> Result<(), Error> {
    match asked {
        Some(asked) if asked != stored => {
            let message = format!("the store belongs to {what} `{stored}`, not `{asked}`");
            Err(Error::Config { message })
        }
        _ => Ok(()),
    }
}

impl std::fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubBuilder").field("name", &self.name).field("space", &self.space).finish_non_exhaustive()
    }
}
