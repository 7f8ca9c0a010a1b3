//! Pages that come in batches, as the compact form carries them: a device keeps them as they came.

use std::sync::Arc;

use sync_core::transport::compact::{self, PackedPage};
use sync_core::transport::{
    BoxFuture, Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{Hub, InProcess, MemoryStore, Replica, Store, Transport, TransportError};

use super::support::{Set, builder, hub_on, note, notes, run};

/// The hub, spoken to in the compact form.
struct Packed {
    hub: Hub,
    way: InProcess,
    change: fn(&mut Page),
}

impl Packed {
    fn new(hub: &Hub, change: fn(&mut Page)) -> Self {
        Self { hub: hub.clone(), way: hub.transport("ada"), change }
    }
}

impl Transport for Packed {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        self.way.hello(request)
    }
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            let pushed = compact::read_push(&compact::push(request), 1_000).unwrap();
            self.hub.push_batch("ada", pushed)
        })
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async {
            let mut bytes = self.hub.pull_packed(request)?.encode();
            bytes.extend(PackedPage::encode_time(5));
            let mut page = compact::read_page(&bytes).unwrap();
            (self.change)(&mut page);
            Ok(page)
        })
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

/// A hub to which so many notes came at a time.
fn filled(sizes: &[usize], clock: &Set) -> Hub {
    let hub = hub_on(MemoryStore::new(), clock);
    let writer = builder(clock).open(MemoryStore::new()).unwrap();
    for (at, size) in sizes.iter().enumerate() {
        for n in 0..*size {
            writer.create(note(&format!("{at}-{n}"), &format!("{n} of {size}"))).unwrap().wait().unwrap();
        }
        run(writer.sync(&Packed::new(&hub, |_| {}))).unwrap();
    }
    hub
}

/// What is in the journal.
fn journal(store: &MemoryStore) -> usize {
    store.journal(0, 1_000).unwrap().iter().map(|(_, row)| row.len()).sum()
}

#[test]
fn what_comes_in_batches_is_kept_as_it_came() {
    let clock = Set::new();
    // One batch, several, and many so small that the hub makes one of them.
    for sizes in [&[40][..], &[40, 30, 50], &[1; 60]] {
        let hub = filled(sizes, &clock);
        let device = |way: &dyn Transport| {
            let store = Arc::new(MemoryStore::new());
            let replica = builder(&clock).open(store.clone()).unwrap();
            run(replica.sync(way)).unwrap();
            (store, replica)
        };
        let (plain, as_entries) = device(&hub.transport("ada"));
        let (packed, as_batches) = device(&Packed::new(&hub, |_| {}));
        let all = notes(&as_entries);
        assert_eq!((all.len(), &notes(&as_batches)), (sizes.iter().sum(), &all));
        drop(as_batches);
        let again = builder(&clock).open(packed.clone()).unwrap();
        assert_eq!(notes(&again), all, "opened again");
        assert_eq!(again.log().unwrap(), as_entries.log().unwrap());
        let (plain, packed) = (journal(&plain), journal(&packed));
        assert!(packed < plain + plain / 3, "{sizes:?}: {packed} bytes, {plain} where they came as entries");
        assert_eq!(packed == plain, sizes.len() != 3, "{sizes:?}: {packed}, {plain}");
    }
}

#[test]
fn what_was_changed_on_the_way_is_not_kept_as_it_came() {
    let clock = Set::new();
    let hub = filled(&[], &clock);
    let store = Arc::new(MemoryStore::new());
    let replica = builder(&clock).open(store.clone()).unwrap();
    let writer = builder(&clock).open(MemoryStore::new()).unwrap();
    for (device, name, count) in [(&replica, "own", 15), (&writer, "other", 20)] {
        for n in 0..count {
            device.create(note(&format!("{name} {n}"), "one")).unwrap().wait().unwrap();
        }
        run(device.sync(&hub.transport("ada"))).unwrap();
    }
    // As a way that hands over less than it got: the cursor says that the rest was left out, as what is here would be.
    let less = Packed::new(&hub, |page| page.entries.to_mut().truncate(5));
    run(replica.sync(&less)).unwrap();
    let shown = notes(&replica);
    assert_eq!(shown.len(), 15 + 5);
    drop(replica);
    let again: Replica = builder(&clock).open(store).unwrap();
    assert_eq!(notes(&again), shown, "opened again");
}
