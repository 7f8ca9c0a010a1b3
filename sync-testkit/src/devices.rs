//! A few devices and a hub in one process: for tests of a program that uses `sync-core`.

use std::future::Future;
use std::ops::{Deref, Index};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use sync_core::hub::InProcess;
use sync_core::replica::{ReplicaBuilder, Report};
use sync_core::transport::{
    BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{Entity, Error, Hub, MemoryStore, Replica, Transport, TransportError};

/// In how many rounds of everybody's syncs all must be quiet.
const ROUNDS: usize = 16;

/// Some devices of one user, and the hub where they meet.
///
/// ```
/// use sync_core::{Id, Syncable};
///
/// #[derive(Syncable, Debug, PartialEq)]
/// struct Note {
///     #[sync(id)]
///     id: Id<Note, String>,
///     title: String,
///     #[sync(merge = "counter")]
///     views: i64,
/// }
///
/// # fn main() -> Result<(), sync_core::Error> {
/// let devices = sync_testkit::devices(2).register::<Note>();
/// let (laptop, phone) = (&devices[0], &devices[1]);
/// let id = laptop.create(Note { id: "shopping".into(), title: "Shopping".into(), views: 0 })?.wait()?;
/// devices.settle();
/// phone.offline();
/// phone.edit(&id, |note| note.views += 1)?.wait()?;
/// laptop.edit(&id, |note| note.title = "Groceries".into())?.wait()?;
/// devices.settle();
/// assert_eq!(phone.get(&id)?, Some(Note { id, title: "Groceries".into(), views: 1 }));
/// # Ok(())
/// # }
/// ```
pub struct Devices {
    hub: Hub,
    types: Vec<fn(ReplicaBuilder) -> ReplicaBuilder>,
    all: Vec<Device>,
}

/// A device: a [`Replica`] in memory, and its way to the hub.
pub struct Device {
    replica: Replica,
    way: Way,
}

/// So many devices, each with nothing in it, online.
///
/// # Panics
/// If a store in memory cannot be opened.
pub fn devices(count: usize) -> Devices {
    let hub = Hub::builder().open(MemoryStore::new()).expect("a store in memory opens");
    let mut devices = Devices { hub, types: Vec::new(), all: Vec::new() };
    devices.begin(count);
    devices
}

impl Devices {
    /// With this type. Comes before anything is written: the devices begin anew.
    #[must_use]
    pub fn register<T: Entity>(mut self) -> Self {
        self.types.push(|builder| builder.register::<T>());
        self.begin(self.all.len());
        self
    }

    fn begin(&mut self, count: usize) {
        let device = |_| {
            let builder =
                self.types.iter().fold(Replica::builder().threadless(), |builder, register| register(builder));
            let replica = builder.open(MemoryStore::new()).expect("a store in memory opens");
            let way = Way { hub: self.hub.transport("user"), is_offline: Arc::default() };
            Device { replica, way }
        };
        self.all = (0..count).map(device).collect();
    }

    /// The hub where they meet.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.all.iter()
    }

    /// Everybody is online again, and syncs until nobody has anything new to tell or to hear.
    ///
    /// # Panics
    /// If a sync fails, or if there is no end to it.
    pub fn settle(&self) {
        self.all.iter().for_each(Device::online);
        for _ in 0..ROUNDS {
            let mut is_quiet = true;
            for (at, device) in self.all.iter().enumerate() {
                let report = device.sync_now().unwrap_or_else(|error| panic!("device {at} does not sync: {error}"));
                is_quiet &= report.uploaded + report.downloaded + report.rejected + report.pending == 0;
            }
            if is_quiet {
                return;
            }
        }
        panic!("after {ROUNDS} rounds of syncs there is still something to tell");
    }
}

impl Index<usize> for Devices {
    type Output = Device;
    fn index(&self, at: usize) -> &Device {
        &self.all[at]
    }
}

impl Device {
    /// It does not reach the hub from here on.
    pub fn offline(&self) {
        self.way.is_offline.store(true, Ordering::Relaxed);
    }

    /// It reaches the hub again.
    pub fn online(&self) {
        self.way.is_offline.store(false, Ordering::Relaxed);
    }

    /// One sync, and what it did.
    ///
    /// # Errors
    /// As [`Replica::sync`]; offline, that the hub was not reached.
    pub fn sync_now(&self) -> Result<Report, Error> {
        let mut sync = pin!(self.replica.sync(&self.way));
        loop {
            // Nothing in it waits: the hub is in this process, and nobody else syncs this replica.
            if let Poll::Ready(report) = sync.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return report;
            }
            std::thread::yield_now();
        }
    }
}

impl Deref for Device {
    type Target = Replica;
    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Devices").field("count", &self.all.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("way", &self.way).finish_non_exhaustive()
    }
}

/// The way to the hub, which can be cut.
#[derive(Debug, Clone)]
struct Way {
    hub: InProcess,
    is_offline: Arc<AtomicBool>,
}

impl Way {
    fn reach<'a, T>(&self, call: BoxFuture<'a, Result<T, TransportError>>) -> BoxFuture<'a, Result<T, TransportError>>
    where
        T: Send + 'a,
    {
        if self.is_offline.load(Ordering::Relaxed) {
            return Box::pin(async { Err(TransportError::Offline { message: "the device is offline".to_owned() }) });
        }
        call
    }
}

impl Transport for Way {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        self.reach(self.hub.hello(request))
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.reach(self.hub.push(request))
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        self.reach(self.hub.pull(request))
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        self.reach(self.hub.snapshot(request))
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        self.reach(self.hub.join(page))
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.reach(self.hub.live(since))
    }
}
