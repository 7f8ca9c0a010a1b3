//! One sync, where something changes between its phases, and what it says that it did.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use sync_core::transport::{Limits, PushReply, PushRequest};
use sync_core::{BoxFuture, Hub, InProcess, MemoryStore, Transport, TransportError};

use super::support::{Set, builder, hands_on, hub_on, note, notes, run};

/// A way on which something happens behind each push, whose reply may be lost by it.
struct Behind<F: Fn() -> bool + Send + Sync> {
    hub: InProcess,
    is_lost: F,
}

impl<F: Fn() -> bool + Send + Sync> Transport for Behind<F> {
    hands_on!(hello, pull, snapshot, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            let reply = self.hub.push(request).await?;
            if (self.is_lost)() {
                Err(TransportError::Offline { message: "the reply is lost".into() })
            } else {
                Ok(reply)
            }
        })
    }
}

#[test]
fn a_log_that_is_cut_while_a_device_pushes_comes_as_a_snapshot_in_the_same_sync() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let [device, other] = [(); 2].map(|()| builder(&clock).open(MemoryStore::new()).unwrap());
    for n in 0..3 {
        other.create(note(&format!("theirs {n}"), "T")).unwrap().wait().unwrap();
    }
    run(other.sync(&hub.transport("ada"))).unwrap();
    device.create(note("mine", "T")).unwrap().wait().unwrap();
    let cut = || {
        hub.compact(0).unwrap();
        false
    };
    let report = run(device.sync(&Behind { hub: hub.transport("ada"), is_lost: cut })).unwrap();
    assert!(report.bootstrapped);
    assert_eq!((report.uploaded, report.pending, notes(&device).len()), (1, 0, 4));
}

#[test]
fn each_sync_that_ends_is_noted_also_where_nothing_came() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    for n in 0..3 {
        if n == 0 {
            device.create(note("a", "T")).unwrap().wait().unwrap();
        }
        clock.0.fetch_add(1_000, Ordering::SeqCst);
        let now = clock.0.load(Ordering::SeqCst);
        let report = run(device.sync(&hub.transport("ada"))).unwrap();
        let status = device.status();
        assert_eq!((status.last_synced, status.uploaded, status.downloaded), (Some(now), report.uploaded, 0));
    }
    let reader = builder(&clock).open(MemoryStore::new()).unwrap();
    assert_eq!((run(reader.sync(&hub.transport("ada"))).unwrap().downloaded, reader.status().downloaded), (1, 1));
}

/// What the hub took in before it is adopted is no loss, and counts.
#[test]
fn what_was_accepted_and_not_told_is_settled_before_a_hub_is_adopted() {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock);
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    device.create(note("a", "T")).unwrap().wait().unwrap();
    run(device.sync(&Behind { hub: hub.transport("ada"), is_lost: || true })).unwrap_err();
    assert_eq!((hub.head().seq, device.status().pending), (1, 1));
    let report = run(device.adopt_hub(&hub.transport("ada"))).unwrap();
    assert_eq!((report.uploaded, report.rejected, report.pending), (1, 0, 0));
    assert_eq!((notes(&device).len(), device.rejected().len()), (1, 0));
}

/// The hub has it: it takes less only now.
#[test]
fn what_was_offered_is_not_refused_for_limits_that_came_later() {
    let clock = Set::new();
    let store = Arc::new(MemoryStore::new());
    let device = builder(&clock).open(MemoryStore::new()).unwrap();
    let open = |limits| {
        let builder = Hub::builder().name("hub").clock(Arc::new(clock.clone())).limits(limits);
        builder.open(Arc::clone(&store)).unwrap()
    };
    let hub = open(Limits::default());
    device.create(note("a", &"x".repeat(3_000))).unwrap().wait().unwrap();
    let losses = Mutex::new(1);
    let is_lost = || {
        let mut losses = losses.lock().unwrap();
        *losses -= 1;
        *losses == 0
    };
    run(device.sync(&Behind { hub: hub.transport("ada"), is_lost })).unwrap_err();
    drop(hub);
    let hub = open(Limits { batch_bytes: 2_000, entry_bytes: 1_000, ..Limits::default() });
    let report = run(device.sync(&hub.transport("ada"))).unwrap();
    assert_eq!((report.rejected, report.pending, report.forked), (0, 0, false));
    assert_eq!((notes(&device).len(), hub.head().seq), (1, 1));
}
