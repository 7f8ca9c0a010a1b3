//! A device: everything that a replica does to its store, while another device writes and both sync.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use pollster::block_on;
use sync_core::replica::SyncOptions;
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
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
}

/// Single writes, writes that nobody waits for, transactions, syncs in small pages, deletes, checkpoints, compaction.
pub(crate) struct Device;

fn replica(store: impl Store + 'static, seed: u64) -> Result<Replica, Error> {
    let builder = Replica::builder().register::<Note>().clock(Ticking::new()).random(Counted::from(seed));
    builder.threadless().open(store)
}

fn hub(store: Arc<MemoryStore>) -> Hub {
    let builder = Hub::builder().name("home").clock(Arc::new(Ticking::new())).random(Arc::new(Counted::from(7)));
    builder.open(store).expect("a hub in memory opens")
}

fn seen(replica: &Replica) -> Result<String, String> {
    let mut seen = String::new();
    for note in replica.list::<Note>().map_err(told)? {
        let Note { id, title, tags, views } = note.map_err(told)?;
        seen += &format!("{} {title} {tags:?} {views}; ", id.key());
    }
    Ok(seen)
}

/// What a device does in the `n`th step of its life; whether it waited for it to be safe.
fn step(replica: &Replica, way: &dyn Transport, n: u64) -> Result<bool, Error> {
    let note = Id::from(format!("n{}", n / 10).as_str());
    let word = format!("w{n}");
    let edit = |note: &mut Note| {
        note.title.clone_from(&word);
        note.views += 1;
    };
    match n % 10 {
        0 => replica.create(Note { id: note, title: word, tags: BTreeSet::new(), views: 0 })?.wait().map(drop)?,
        1 => drop(replica.edit(&note, edit)?),
        2 => replica.edit(&note, |note| note.tags.insert(word)).map(drop)?,
        3 => {
            let both = replica.transaction(|tx| {
                tx.edit(&note, edit)?;
                tx.create(Note {
                    id: format!("t{n}").as_str().into(),
                    title: "t".into(),
                    tags: BTreeSet::new(),
                    views: 1,
                })
            });
            both?.wait().map(drop)?;
        }
        4 | 8 => block_on(replica.sync_with(way, small())).map(drop)?,
        5 => replica.delete(&note)?.wait()?,
        6 => replica.restore(&note)?.wait()?,
        7 => replica.checkpoint()?,
        _ if n % 20 == 9 => replica.compact()?,
        _ => replica.edit(&note, edit)?.wait()?,
    }
    Ok(!matches!(n % 10, 1 | 2))
}

fn small() -> SyncOptions {
    let mut options = SyncOptions::default();
    options.page = 2;
    options
}

impl Life for Device {
    fn live(disk: &Bytes, beside: &Arc<MemoryStore>, marks: &mut Vec<Mark>, steps: u64) -> Result<(), String> {
        let hub = hub(beside.clone());
        let other = replica(MemoryStore::new(), 2).map_err(told)?;
        let store = open(disk.clone())?;
        let note = |replica: &Replica, acknowledged: bool| -> Result<Mark, String> {
            let beside = Arc::new(beside.copy());
            Ok(Mark { steps: disk.steps(), acknowledged, state: seen(replica)?, beside })
        };
        // The file is there, and empty.
        marks.push(Mark { steps: disk.steps(), acknowledged: true, state: String::new(), beside: Arc::default() });
        let replica = replica(store, 1).map_err(told)?;
        marks.push(note(&replica, true)?);
        for n in 0..steps {
            if n % 10 == 4 {
                for n in [n, n + 1, n + 2] {
                    let written = Note {
                        id: format!("o{n}").as_str().into(),
                        title: "o".into(),
                        tags: BTreeSet::new(),
                        views: 0,
                    };
                    other.create(written).and_then(|commit| commit.wait()).map_err(told)?;
                }
                let _ = other.edit(&Id::from("n0"), |note: &mut Note| note.views += 100).map(drop);
                block_on(other.sync(&hub.transport("ada"))).map_err(told)?;
            }
            let way = Watched { way: hub.transport("ada"), look: &|| note(&replica, false), seen: Default::default() };
            let done = step(&replica, &way, n);
            // What came down page by page, while the sync was under way.
            marks.extend(way.seen.into_inner().expect("no panic"));
            marks.push(note(&replica, done.map_err(told)?)?);
        }
        Ok(())
    }

    fn find<B: StorageBackend>(disk: B, beside: &MemoryStore, thoroughly: bool) -> Result<String, String> {
        let replica = replica(open(disk)?, 3).map_err(told)?;
        let found = seen(&replica)?;
        if thoroughly {
            let verified = replica.verify().map_err(told)?;
            if !verified.is_sound() {
                return Err(format!("not sound: {verified:?}"));
            }
            goes_on(&replica, &hub(Arc::new(beside.copy())))?;
        }
        Ok(found)
    }

    fn read<B: StorageBackend>(disk: B) -> Result<String, String> {
        let replica = replica(open(disk)?, 3).map_err(told)?;
        let all: Result<Vec<_>, _> = replica.raw().list(None).collect();
        let (all, log) = (all.map_err(told)?, replica.log().map_err(told)?);
        let unsynced = replica.unsynced().map_err(told)?;
        Ok(format!("{} {all:?} {log:?} {:?} {:?}", seen(&replica)?, unsynced, replica.vector()))
    }
}

/// The device and its hub, which may have heard more of it than it knows, have the same afterwards, and all of it.
fn goes_on(replica: &Replica, hub: &Hub) -> Result<(), String> {
    let before = seen(replica)?;
    let more = Note { id: "more".into(), title: String::new(), tags: BTreeSet::new(), views: 0 };
    replica.create(more).and_then(|commit| commit.wait()).map_err(told)?;
    let way = hub.transport("ada");
    let report = block_on(replica.sync(&way)).map_err(|error| format!("the sync afterwards: {error}"))?;
    if report.forked || report.hub_restored || report.rejected + report.pending > 0 {
        return Err(format!("the sync afterwards: {report:?}"));
    }
    let fresh = self::replica(MemoryStore::new(), 4).map_err(told)?;
    block_on(fresh.sync(&way)).map_err(told)?;
    let (here, there) = (seen(replica)?, seen(&fresh)?);
    let gone = before.split("; ").map(|note| note.split(' ').next().unwrap_or_default());
    let gone: Vec<&str> = gone.filter(|id| id.starts_with('t') && !there.contains(&format!("{id} "))).collect();
    match here == there && gone.is_empty() {
        true => Ok(()),
        false => Err(format!("afterwards {gone:?} are gone, and the device has\n  {here}\nand a fresh one\n  {there}")),
    }
}

/// A way to the hub that looks at the device before each request: what is to be seen while a sync is under way.
struct Watched<'a> {
    way: InProcess,
    look: &'a (dyn Fn() -> Result<Mark, String> + Sync),
    seen: Mutex<Vec<Mark>>,
}

impl Watched<'_> {
    fn look(&self) -> &InProcess {
        // Marks are counted, also where a disk that fails let nothing be seen.
        let unseen = |why| Mark { steps: 0, acknowledged: false, state: why, beside: Arc::default() };
        self.seen.lock().expect("no panic").push((self.look)().unwrap_or_else(unseen));
        &self.way
    }
}

impl Transport for Watched<'_> {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        self.look().hello(request)
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.look().push(request)
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        self.look().pull(request)
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        self.look().snapshot(request)
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        self.look().join(page)
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.way.live(since)
    }
}
