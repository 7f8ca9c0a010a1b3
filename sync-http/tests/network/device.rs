//! A device: it writes, syncs, crashes, and keeps account of what it was told is safe.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_core::replica::SyncOptions;
use sync_core::{Error, Id, MemoryStore, Replica, Syncable};
use sync_http::HttpTransport;
use sync_http::client::HyperClient;

use crate::random::{Chance, Wall};
use crate::wires::Connector;

#[derive(Syncable, Debug)]
pub(crate) struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
}

/// What all devices count and tag.
const SHARED: [&str; 3] = ["a", "b", "c"];

/// What a device was told is safe.
#[derive(Debug, Default, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) notes: BTreeSet<String>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) views: i64,
}

/// What outlives the device's process, and what the test sees of it.
#[derive(Clone)]
pub(crate) struct Device {
    number: u64,
    chance: Chance,
    store: Arc<MemoryStore>,
    running: Arc<Mutex<Option<Replica>>>,
    acknowledged: Arc<Mutex<Acknowledged>>,
    /// Everybody writes until this is set.
    calm: Arc<AtomicBool>,
    syncs: Arc<Mutex<Syncs>>,
    forgets: bool,
}

/// How the syncs ended.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Syncs {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) uploaded: u64,
    pub(crate) bootstrapped: u64,
}

impl Device {
    pub(crate) fn new(number: u64, seed: u64, calm: Arc<AtomicBool>, forgets: bool) -> Self {
        Self {
            number,
            chance: Chance::new(seed << 8 | number),
            store: Arc::default(),
            running: Arc::default(),
            acknowledged: Arc::default(),
            calm,
            syncs: Arc::default(),
            forgets,
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("device{}", self.number)
    }

    pub(crate) fn acknowledged(&self) -> Acknowledged {
        self.acknowledged.lock().unwrap().clone()
    }

    pub(crate) fn syncs(&self) -> Syncs {
        *self.syncs.lock().unwrap()
    }

    /// The process: from its start until it is killed.
    pub(crate) async fn live(self) -> turmoil::Result {
        let replica = Replica::builder().register::<Note>().random(self.chance.clone()).threadless();
        let skew = [0, 0, 90_000, -90_000][self.number as usize % 4];
        let replica = replica.clock(Wall(skew)).checkpoint_after(8).open(self.store.clone())?;
        *self.running.lock().unwrap() = Some(replica.clone());
        let way = HttpTransport::builder("http://hub:80")
            .client(HyperClient::with_connector(Connector))
            .random(Arc::new(self.chance.clone()))
            .timeout(Duration::from_millis(800))
            .retries(1)
            .backoff(Duration::from_millis(40), Duration::from_millis(200))
            .build()?;
        loop {
            if !self.calm.load(Ordering::Relaxed) {
                for _ in 0..self.chance.below(4) {
                    self.write(&replica)?;
                }
            }
            if self.chance.below(3) > 0 || self.calm.load(Ordering::Relaxed) {
                self.sync(&replica, &way).await?;
            }
            if self.chance.once_in(6) {
                replica.compact()?;
            }
            tokio::time::sleep(Duration::from_millis(20 + self.chance.below(200))).await;
        }
    }

    async fn sync(&self, replica: &Replica, way: &HttpTransport) -> Result<(), Error> {
        let mut options = SyncOptions::default();
        options.page = 1 + self.chance.below(20);
        let ended = replica.sync_with(way, options).await;
        let mut syncs = self.syncs.lock().unwrap();
        match ended {
            Ok(report) => {
                assert!(!report.forked && !report.hub_restored && report.rejected == 0, "{report:?}");
                syncs.done += 1;
                syncs.uploaded += report.uploaded;
                syncs.bootstrapped += u64::from(report.bootstrapped);
                Ok(())
            }
            Err(Error::Transport(error)) if error.is_retryable() => {
                syncs.failed += 1;
                Ok(())
            }
            // Nothing else may come of a bad network.
            Err(error) => Err(error),
        }
    }

    fn write(&self, replica: &Replica) -> Result<(), Error> {
        let shared = SHARED[self.chance.below(3) as usize];
        let word = format!("{}-{:x}", self.number, self.chance.next() as u32);
        let mut told = self.acknowledged.lock().unwrap();
        if replica.get::<Note>(&shared.into())?.is_none() {
            replica.put(Note { id: shared.into(), title: word.clone(), tags: BTreeSet::new(), views: 0 })?.wait()?;
        }
        match self.chance.below(4) {
            0 => {
                let note = Note { id: word.as_str().into(), title: String::new(), tags: BTreeSet::new(), views: 0 };
                replica.create(note)?.wait()?;
                told.notes.insert(word);
            }
            1 => {
                if !(self.forgets && self.chance.once_in(2)) {
                    replica.edit(&shared.into(), |note: &mut Note| note.views += 1)?.wait()?;
                }
                told.views += 1;
            }
            2 => {
                replica.edit(&shared.into(), |note: &mut Note| note.tags.insert(word.clone()))?.wait()?;
                told.tags.insert(word);
            }
            _ => replica.edit(&shared.into(), |note: &mut Note| note.title = word)?.wait()?,
        }
        Ok(())
    }

    /// Whether nothing of it is on its way any more; what it shows.
    pub(crate) fn at_rest(&self) -> Option<Shown> {
        let running = self.running.lock().unwrap();
        let replica = running.as_ref()?;
        if replica.status().pending > 0 {
            return None;
        }
        Some(Shown::of(replica))
    }
}

/// What a device shows.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Shown {
    pub(crate) notes: BTreeSet<String>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) views: i64,
    pub(crate) whole: String,
}

impl Shown {
    fn of(replica: &Replica) -> Self {
        let mut shown = Self::default();
        for note in replica.list::<Note>().expect("the type is registered") {
            let note = note.expect("what is stored can be read");
            shown.whole += &format!("{note:?}\n");
            shown.notes.insert(note.id.key().clone());
            shown.tags.extend(note.tags);
            shown.views += note.views;
        }
        shown
    }
}
