//! A simulated device: a disk, a clock, and the production replica while it runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use sync_core::replica::{RawConflict, Report, SyncOptions};
use sync_core::{Entry, Error, MemoryStore, Replica};

use super::disk::{Disk, Trip};
use super::hands::{Dice, Hands};
use super::ledger::File;
use super::link::{Link, Reply};
use super::subject::{OpenForm, Subject};

/// A simulated device.
pub(super) struct Device {
    /// Its name in traces.
    pub(super) name: String,
    pub(super) space: usize,
    pub(super) disk: Disk,
    pub(super) clock: Hands,
    pub(super) dice: Arc<Dice>,
    /// Which version of the program it runs.
    pub(super) version: usize,
    pub(super) settings: Settings,
    pub(super) replica: Option<Replica>,
    pub(super) task: Option<Task>,
    pub(super) form: Option<Box<dyn OpenForm>>,
    /// A conflict that somebody looks at.
    pub(super) list: Option<RawConflict>,
    pub(super) file: File,
    pub(super) backup: Option<(MemoryStore, File)>,
    /// The step up to which it does not sync.
    pub(super) offline_until: usize,
    /// The step up to which requests (`true`) or replies (`false`) do not pass.
    pub(super) cut: Option<(bool, usize)>,
    /// What went wrong on its disk since it was last opened.
    pub(super) trouble: Option<Trip>,
    /// Whether that was counted.
    pub(super) is_counted: bool,
}

/// How the program on a device is built.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) checkpoint_after: usize,
    pub(super) pending_in_memory: usize,
    pub(super) page: u64,
}

type Running = Pin<Box<dyn Future<Output = Result<Report, Error>> + Send>>;

/// A sync under way.
pub(super) struct Task {
    running: Running,
    pub(super) link: Link,
    /// What a hub answered and is still on its way.
    pub(super) underway: Option<Reply>,
    /// Codes of failures that the world brought about.
    pub(super) excuses: Vec<&'static str>,
    /// Requests so far.
    pub(super) requests: u32,
    /// Whether it takes over the hub's state.
    pub(super) adopts: bool,
    /// With which space it exchanges.
    pub(super) space: usize,
    /// Whether the device was wiped since it began.
    pub(super) is_overtaken: bool,
}

impl Device {
    /// Opens the file, with the power back on.
    pub(super) fn open(&mut self, kinds: &[Arc<dyn Subject>]) -> Result<(), Error> {
        self.disk.restart();
        if self.trouble != Some(Trip::Full) {
            (self.trouble, self.is_counted) = (None, false);
        }
        let builder = Replica::builder().clock(self.clock.clone()).random(self.dice.clone()).threadless();
        let builder = kinds.iter().fold(builder, |builder, kind| kind.register(builder));
        let Settings { checkpoint_after, pending_in_memory, .. } = self.settings;
        let builder = builder.checkpoint_after(checkpoint_after).pending_in_memory(pending_in_memory);
        let replica = builder.open(self.disk.clone())?;
        self.disk.set_reader(Some(replica.clone()));
        self.replica = Some(replica);
        Ok(())
    }

    /// What the replica has pending, looked at without the disk failing.
    pub(super) fn unsynced(&self, replica: &Replica) -> Vec<Entry> {
        self.disk.watched(|| replica.unsynced()).expect("a disk that is watched does not fail")
    }

    /// The process ends: all that is not in the file is gone.
    pub(super) fn stop(&mut self) {
        self.task = None;
        self.form = None;
        self.list = None;
        self.disk.set_reader(None);
        self.replica = None;
    }

    /// Begins a sync.
    pub(super) fn begin(&mut self, replica: &Replica, adopts: bool) {
        let (link, replica) = (Link::default(), replica.clone());
        let transport = link.clone();
        let mut options = SyncOptions::default();
        options.page = self.settings.page;
        let running: Running = if adopts {
            Box::pin(async move { replica.adopt_hub(&transport).await })
        } else {
            Box::pin(async move { replica.sync_with(&transport, options).await })
        };
        let (underway, excuses, space) = (None, Vec::new(), self.space);
        self.task = Some(Task { running, link, underway, excuses, requests: 0, adopts, space, is_overtaken: false });
    }

    /// Lets the sync go on as far as it can.
    pub(super) fn poll(&mut self) -> Poll<Result<Report, Error>> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let polled = task.running.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Some(trip) = self.disk.take_tripped() {
            self.trouble = Some(trip);
        }
        polled
    }
}

impl Drop for Device {
    /// The disk and who reads from it know of each other.
    fn drop(&mut self) {
        self.stop();
    }
}
