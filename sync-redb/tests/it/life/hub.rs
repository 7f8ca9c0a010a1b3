//! A hub: everything that it does to its store, while two devices write and sync.

use std::sync::{Arc, Mutex};

use pollster::block_on;
use sync_core::transport::{
    Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{
    BoxFuture, Error, Hub, Id, InProcess, MemoryStore, Replica, Store, Syncable, Transport, TransportError,
};
use sync_redb::StorageBackend;

use super::{Counted, Life, Mark, Ticking, open, told};
use crate::bytes::Bytes;

#[derive(Syncable, Debug)]
struct Score {
    #[sync(id)]
    id: Id<Score, String>,
    name: String,
    #[sync(merge = "counter")]
    points: i64,
}

/// Pushes of two devices, refused ones among them, checkpoints, purges and compactions.
pub(crate) struct HubAtHome;

fn hub(store: impl Store + 'static, seed: u64) -> Result<Hub, Error> {
    let builder = Hub::builder().clock(Arc::new(Ticking::new())).random(Arc::new(Counted::from(seed)));
    builder.checkpoint_every(1_000_000).open(store)
}

fn replica(seed: u64) -> Result<Replica, Error> {
    let builder = Replica::builder().register::<Score>().clock(Ticking::new()).random(Counted::from(seed));
    builder.threadless().open(MemoryStore::new())
}

/// The log's end names all that is in it; the name is said to devices that have synced.
fn seen(hub: &Hub) -> String {
    format!("{} {}", hub.name(), hub.head())
}

fn write(replica: &Replica, n: u64) -> Result<(), Error> {
    let id = format!("s{}", n / 4);
    let id = id.as_str();
    match n % 4 {
        0 => replica.put(Score { id: id.into(), name: format!("{n}"), points: 1 })?.wait().map(drop),
        1 | 2 => match replica.edit(&id.into(), |score: &mut Score| score.points += 1) {
            Ok(commit) => commit.wait(),
            // The other device may have deleted it.
            Err(_) => Ok(()),
        },
        _ => match replica.delete::<Score>(&id.into()) {
            Ok(commit) => commit.wait(),
            Err(_) => Ok(()),
        },
    }
}

impl Life for HubAtHome {
    fn live(disk: &Bytes, _: &Arc<MemoryStore>, marks: &mut Vec<Mark>, steps: u64) -> Result<(), String> {
        let store = open(disk.clone())?;
        marks.push(Mark { steps: disk.steps(), acknowledged: true, state: "nothing".into(), beside: Arc::default() });
        let hub = hub(store, 1).map_err(told)?;
        let seen = Mutex::new(Vec::new());
        let note = || seen.lock().expect("no panic").push(mark(disk, &hub));
        note();
        let devices = [replica(2).map_err(told)?, replica(3).map_err(told)?];
        let lived = (0..steps).try_for_each(|n| {
            let device = &devices[n as usize / 3 % 2];
            write(device, n).map_err(told)?;
            match n % 8 {
                7 => hub.checkpoint().map_err(told)?,
                5 if n > 8 => drop(hub.purge(u64::MAX).map_err(told)?),
                6 if n > 8 => hub.compact(8).map_err(told)?,
                _ => {
                    let way = Answered { way: hub.transport("ada"), note: &note };
                    block_on(device.sync(&way)).map_err(told)?;
                }
            }
            note();
            Ok(())
        });
        drop(devices);
        marks.extend(seen.into_inner().expect("no panic"));
        lived
    }

    fn find<B: StorageBackend>(disk: B, _: &MemoryStore, thoroughly: bool) -> Result<String, String> {
        let store = open(disk)?;
        if store.heads().map_err(told)?.last == 0 {
            return Ok("nothing".into());
        }
        let hub = hub(store, 4).map_err(told)?;
        let found = seen(&hub);
        if thoroughly {
            whole(&hub)?;
            let device = replica(5).map_err(told)?;
            for n in [100, 101] {
                write(&device, n).map_err(told)?;
            }
            let report = block_on(device.sync(&hub.transport("ada"))).map_err(told)?;
            if report.pending + report.rejected > 0 {
                return Err(format!("a device afterwards: {report:?}"));
            }
            hub.checkpoint().map_err(told)?;
        }
        Ok(found)
    }

    fn read<B: StorageBackend>(disk: B) -> Result<String, String> {
        let hub = hub(open(disk)?, 4).map_err(told)?;
        let fresh = replica(6).map_err(told)?;
        block_on(fresh.sync(&hub.transport("ada"))).map_err(told)?;
        let all: Result<Vec<_>, _> = fresh.raw().list(None).collect();
        Ok(format!("{} {} {:?}", seen(&hub), fresh.cursor(), all.map_err(told)?))
    }
}

fn mark(disk: &Bytes, hub: &Hub) -> Mark {
    Mark { steps: disk.steps(), acknowledged: true, state: seen(hub), beside: Arc::default() }
}

/// The log's pages, from its beginning or from the snapshot, end at its head.
fn whole(hub: &Hub) -> Result<(), String> {
    let fresh = replica(6).map_err(told)?;
    block_on(fresh.sync(&hub.transport("ada"))).map_err(told)?;
    let verified = fresh.verify().map_err(told)?;
    match fresh.cursor() == hub.head() && verified.is_sound() {
        true => Ok(()),
        false => Err(format!("a fresh device comes to {}, the log to {}: {verified:?}", fresh.cursor(), hub.head())),
    }
}

/// A way to the hub that notes what the hub is at after each answer.
struct Answered<'a> {
    way: InProcess,
    note: &'a (dyn Fn() + Sync),
}

impl Transport for Answered<'_> {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        self.way.hello(request)
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            let reply = self.way.push(request).await;
            if reply.is_ok() {
                (self.note)();
            }
            reply
        })
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        self.way.pull(request)
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        self.way.snapshot(request)
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        self.way.join(page)
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.way.live(since)
    }
}
