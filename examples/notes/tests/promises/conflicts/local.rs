//! Devices and a hub in this process, for many histories.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pollster::block_on;
use serde_json::{Value, json};
use sync_core::hub::InProcess;
use sync_core::model::entry::LIFECYCLE;
use sync_core::replica::{Contender, Draft, RawConflict};
use sync_core::{Clock, Hub, Id, MemoryStore, Replica, Syncable};

use super::super::oracle::DELETED;
use super::{Change, NAMES, Party};

#[derive(Syncable, Debug)]
pub(super) struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    body: Option<String>,
    pinned: bool,
}

/// One clock for all, that goes on with every write.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) struct Device {
    name: &'static str,
    store: Arc<MemoryStore>,
    replica: Replica,
    hub: InProcess,
    clock: Hand,
}

impl Device {
    fn tick(&self) {
        self.clock.0.fetch_add(1, Ordering::Relaxed);
    }

    fn found(&self) -> Vec<RawConflict> {
        self.replica.conflicts::<Note>().unwrap().into_iter().map(|conflict| conflict.raw).collect()
    }
}

fn open(name: &str, store: &Arc<MemoryStore>, clock: &Hand) -> Replica {
    let builder = Replica::builder().register::<Note>().device(name).clock(clock.clone()).threadless();
    builder.open(store.clone()).unwrap()
}

fn change(note: &mut Note, change: Change<'_>) {
    match change {
        Change::Title(title) => note.title = title.to_owned(),
        Change::Body(body) => note.body = body.map(str::to_owned),
        Change::Pin(pinned) => note.pinned = pinned,
        Change::Delete | Change::Restore => unreachable!("no change of a field"),
    }
}

impl Party for Device {
    type Hub = Hub;
    type Draft = Draft<Note>;

    fn start() -> (Hub, [Self; 3]) {
        let clock = Hand(Arc::new(AtomicU64::new(1_800_000_000_000)));
        let hub = Hub::builder().clock(Arc::new(clock.clone())).open(MemoryStore::new()).unwrap();
        let devices = NAMES.map(|name| {
            let store = Arc::new(MemoryStore::new());
            let (replica, hub) = (open(name, &store, &clock), hub.transport("tester"));
            Device { name, store, replica, hub, clock: clock.clone() }
        });
        (hub, devices)
    }

    fn add(&self, note: &str, title: &str) {
        self.tick();
        let new = Note { id: note.into(), title: title.into(), body: None, pinned: false };
        self.replica.create(new).unwrap().wait().unwrap();
    }

    fn write(&self, note: &str, what: Change<'_>) {
        self.tick();
        let id = note.into();
        let written = match what {
            Change::Delete => self.replica.delete::<Note>(&id),
            Change::Restore => self.replica.restore::<Note>(&id),
            _ => self.replica.edit(&id, |note: &mut Note| change(note, what)),
        };
        written.unwrap().wait().unwrap();
    }

    fn open_draft(&self, note: &str) -> Option<Draft<Note>> {
        Some(self.replica.draft(&note.into()).unwrap())
    }

    fn save(&self, mut draft: Draft<Note>, what: Change<'_>) {
        self.tick();
        change(&mut draft, what);
        draft.save().unwrap().wait().unwrap();
    }

    fn resolve(&self, note: &str, field: &str, take: usize) {
        self.tick();
        let conflict = self.found().into_iter().find(|raw| &*raw.key.id == note && named(raw) == field).unwrap();
        let settled = match take {
            0 => self.replica.keep(&conflict),
            _ => self.replica.take(&conflict, take - 1),
        };
        settled.unwrap().wait().unwrap();
    }

    fn conflicts(&self) -> Vec<Value> {
        let side = |side: &Contender| json!({"author": side.author, "value": side.value, "time": side.time});
        let listed = self.found().into_iter().map(|raw| {
            let losers: Vec<Value> = raw.losers.iter().map(side).collect();
            json!({"id": *raw.key.id, "field": named(&raw), "winner": side(&raw.winner), "losers": losers})
        });
        listed.collect()
    }

    fn sync(&self) {
        let report = block_on(self.replica.sync(&self.hub)).unwrap();
        assert_eq!((report.pending, report.rejected), (0, 0));
    }

    fn tidy(&mut self) {
        self.replica.compact().unwrap();
        self.replica = open(self.name, &self.store, &self.clock);
    }

    fn shown(&self) -> String {
        let all = self.replica.raw().list(None).map(|entity| {
            let entity = entity.unwrap();
            format!("{:?} {:?}", entity, self.replica.raw().record(&entity.key).unwrap())
        });
        all.collect::<Vec<_>>().join("\n")
    }
}

fn named(raw: &RawConflict) -> &str {
    if raw.field == LIFECYCLE { DELETED } else { &raw.field }
}
