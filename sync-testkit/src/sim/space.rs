//! A simulated space: the hub's processes, their disk, and what an outsider reads in the log.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::hub::{Proposed, Validate};
use sync_core::transport::compact::{self, PackedPage};
use sync_core::transport::{Limits, Page, PullRequest, Rejection, SnapshotPage, SnapshotRequest};
use sync_core::{ClientId, Cursor, Dot, Entry, Error, Hub, Life, MemoryStore, TransportError, VersionVector};

use super::chronicle::{Chronicle, Standing};
use super::disk::{Disk, Trip};
use super::hands::{Dice, Hands};
use super::link::{Reply, Request};
use super::trace;

/// On whose behalf honest devices sync.
pub(super) const HONEST: &str = "ada";

/// A simulated space.
pub(super) struct Space {
    pub(super) name: String,
    pub(super) disk: Disk,
    pub(super) clock: Hands,
    pub(super) dice: Arc<Dice>,
    pub(super) mood: Arc<Mood>,
    pub(super) settings: Settings,
    /// The processes that serve it; none while it is down.
    pub(super) hubs: Vec<Hub>,
    pub(super) observer: Option<Arc<Observer>>,
    /// What it accepted, as the observer read it.
    pub(super) chronicle: Chronicle,
    pub(super) foreign: BTreeSet<(ClientId, Arc<str>)>,
    /// Requests that are still on their way, with the device that sent each and how many it had sent before.
    pub(super) strays: Vec<Stray>,
    pub(super) trouble: Option<Trip>,
    /// What happened on its disk and was not counted yet.
    pub(super) tripped: Option<Trip>,
    /// How many requests arrived that may each leave one row in the journal.
    pub(super) rows: u64,
    /// A copy of the store, and what was in it.
    pub(super) backup: Option<(MemoryStore, Standing)>,
    /// A snapshot's file that a device wrote.
    pub(super) file: Option<Vec<u8>>,
    /// How often it lost data.
    pub(super) losses: u32,
    /// The client ids of devices that keep to the rules.
    pub(super) honest: BTreeSet<ClientId>,
    /// Creates that were purged.
    pub(super) purged: BTreeSet<Dot>,
    /// The greatest logical time that it ever accepted.
    pub(super) greatest: u64,
}

/// How a space's hub is built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) limits: Limits,
    pub(super) checkpoint_every: usize,
    /// Whether it has a validator.
    pub(super) judges: bool,
    /// Whether replicas may give back what it lost.
    pub(super) allows_join: bool,
    /// How many entries of the log are kept; `None` keeps all.
    pub(super) keep_entries: Option<u64>,
}

/// A request that its sender gave up, and that arrives all the same.
pub(super) struct Stray {
    pub(super) request: Request,
    pub(super) is_copy: bool,
}

/// What a hub refuses at the moment; 0 refuses nothing.
#[derive(Default)]
pub(super) struct Mood(AtomicU64);

/// The mood in which a hub refuses everything.
pub(super) const REFUSES_ALL: u64 = u64::MAX;

impl Mood {
    pub(super) fn set(&self, mood: u64) {
        self.0.store(mood, Ordering::Relaxed);
    }
}

impl Validate for Mood {
    fn validate(&self, change: &Proposed<'_>) -> Result<(), Rejection> {
        let mood = self.0.load(Ordering::Relaxed);
        if mood == 0 {
            return Ok(());
        }
        let (kind, time) = match change.after.life() {
            Life::Unborn => (0, 0),
            Life::Alive { updated_at } => (1, updated_at),
            Life::Deleted { updated_at } => (2, updated_at),
        };
        let hash = trace::mix(trace::mix_word(trace::mix_word(mood, kind), time), change.key.id.as_bytes());
        if hash % 5 < 2 || mood == REFUSES_ALL {
            let message = "the hub is in no mood for this".to_owned();
            return Err(Rejection { code: "mood".into(), message, field: None });
        }
        Ok(())
    }
}

impl Space {
    pub(super) fn new(name: &str, disk: Disk, clock: Hands, dice: Arc<Dice>, settings: Settings) -> Self {
        Self {
            name: name.to_owned(),
            disk,
            clock,
            dice,
            mood: Arc::default(),
            settings,
            hubs: Vec::new(),
            observer: None,
            chronicle: Chronicle::default(),
            foreign: BTreeSet::new(),
            strays: Vec::new(),
            trouble: None,
            tripped: None,
            rows: 0,
            backup: None,
            file: None,
            losses: 0,
            honest: BTreeSet::new(),
            purged: BTreeSet::new(),
            greatest: 0,
        }
    }

    /// Starts a process of the hub, with the power back on.
    pub(super) fn start(&mut self) -> Result<(), Error> {
        self.disk.restart();
        let mut builder = Hub::builder().name("hub").space(self.name.clone()).limits(self.settings.limits);
        builder = builder.clock(Arc::new(self.clock.clone())).random(self.dice.clone());
        builder = builder.checkpoint_every(self.settings.checkpoint_every).allow_join(self.settings.allows_join);
        if let Some(keep) = self.settings.keep_entries {
            builder = builder.keep_entries(keep);
        }
        if self.settings.judges {
            builder = builder.validate(self.mood.clone());
        }
        self.hubs.push(builder.open(self.disk.clone())?);
        if self.observer.is_none() {
            let hub = Hub::builder().clock(Arc::new(self.clock.clone())).random(Arc::new(Dice::new(7)));
            let hub = hub.open(self.disk.image().clone())?;
            let seen = Seen { cursor: self.chronicle.now.cursor, news: Vec::new() };
            self.observer = Some(Arc::new(Observer { hub, seen: Mutex::new(seen) }));
        }
        Ok(())
    }

    /// Every process ends.
    pub(super) fn stop(&mut self) {
        self.disk.dismiss();
        self.hubs.clear();
    }

    /// Carries out a request at one of the processes.
    pub(super) fn serve(&mut self, which: usize, principal: &str, request: &Request) -> Result<Reply, TransportError> {
        let Some(hub) = self.hubs.get(which % self.hubs.len().max(1)) else {
            return Err(TransportError::Offline { message: "the hub is down".to_owned() });
        };
        self.rows += leaves_rows(request);
        let served = carry_out(hub, principal, request);
        if let Some(trip) = self.disk.take_tripped() {
            self.tripped = Some(trip);
        }
        if self.disk.is_dead() {
            self.stop();
            return Err(TransportError::Offline { message: "the hub lost power".to_owned() });
        }
        served
    }

    /// What the log holds beyond what was read before.
    pub(super) fn news(&self) -> Vec<Result<News, TransportError>> {
        let Some(observer) = &self.observer else { return Vec::new() };
        observer.look();
        std::mem::take(&mut observer.seen().news)
    }

    /// The store is another one from here on, and it holds this.
    pub(super) fn replace(&mut self, image: MemoryStore, standing: Standing) {
        self.stop();
        self.observer = None;
        self.disk = Disk::new(image);
        self.chronicle.now = standing;
        (self.trouble, self.tripped) = (None, None);
        self.losses += 1;
    }

    /// Which entries the hub says that it has.
    pub(super) fn vector(&self) -> Result<VersionVector, TransportError> {
        let Some(hub) = self.hubs.first() else { return Ok(VersionVector::default()) };
        Ok(snapshot(hub)?.vector.into_iter().collect())
    }
}

/// Reads what is durable in a space, and nothing else.
pub(super) struct Observer {
    hub: Hub,
    seen: Mutex<Seen>,
}

struct Seen {
    cursor: Cursor,
    news: Vec<Result<News, TransportError>>,
}

/// What came into a log.
pub(super) enum News {
    Entries(Vec<Numbered>, Cursor),
    /// It began anew there, with a joined state, or its beginning was cut off before anybody read it.
    Anew(Cursor, VersionVector),
}

impl Observer {
    /// Reads on; what it reads is kept until somebody asks for it.
    pub(super) fn look(&self) {
        let mut seen = self.seen();
        let since = seen.cursor;
        let read = match self.hub.pull(&PullRequest { since, limit: 10_000, ..PullRequest::default() }) {
            Ok(page) => Ok(News::Entries(page.entries.into_iter().collect(), page.cursor)),
            Err(TransportError::Expired) => {
                snapshot(&self.hub).map(|page| News::Anew(page.cursor, page.vector.into_iter().collect()))
            }
            Err(error) => Err(error),
        };
        if let Ok(News::Entries(_, cursor) | News::Anew(cursor, _)) = &read {
            seen.cursor = *cursor;
        }
        seen.news.push(read);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Space {
    /// The disk and who acts at it know of each other.
    fn drop(&mut self) {
        self.stop();
    }
}

/// How many rows a request may leave in the journal.
pub(super) fn leaves_rows(request: &Request) -> u64 {
    u64::from(matches!(request, Request::Push(_) | Request::Join(_)))
}

/// Carries out a request, and what it leaves to be done.
pub(super) fn carry_out(hub: &Hub, principal: &str, request: &Request) -> Result<Reply, TransportError> {
    match request {
        Request::Hello(hello) => hub.hello(principal, hello).map(Reply::Hello),
        Request::Push(push) => {
            let offers = push.entries.iter().cloned().map(sync_core::Offer::Entry).collect();
            let reply = hub.push(principal, push.attempt, offers);
            let _ = hub.tend();
            reply.map(Reply::Push)
        }
        // Devices speak both forms of the protocol, and keep pages that came in batches as they came.
        Request::Pull(pull) if pull.since.seq % 2 == 1 => hub.pull(pull).map(|page| Reply::Pull(packed(&page))),
        Request::Pull(pull) => hub.pull(pull).map(Reply::Pull),
        Request::Snapshot(snapshot) => hub.snapshot(snapshot).map(|page| Reply::Snapshot(Box::new(page))),
        Request::Join(page) => hub.join(principal, page).map(|()| Reply::Join),
    }
}

/// A page as it arrives in the compact form.
fn packed(page: &Page) -> Page {
    let mut bytes = PackedPage::of(page).encode();
    bytes.extend(PackedPage::encode_time(page.server_time));
    compact::read_page(&bytes).expect("what a hub wrote can be read")
}

/// An entry with its place in the log.
pub(super) type Numbered = (u64, Arc<Entry>);

/// The last page of a hub's snapshot.
fn snapshot(hub: &Hub) -> Result<SnapshotPage, TransportError> {
    let mut page = hub.snapshot(&SnapshotRequest::default())?;
    while let Some(next) = page.next {
        page = hub.snapshot(&SnapshotRequest { page: next })?;
    }
    Ok(page)
}
