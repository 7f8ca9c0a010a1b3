//! While the hub decides about a push, the next one is made ready, and the verdicts of the one before are taken.

use std::sync::{Arc, Mutex};

use sync_core::transport::{Limits, Page, PullRequest, PushReply, PushRequest, Verdict};
use sync_core::{BoxFuture, Hub, InProcess, MemoryStore, Replica, Store, Transport, TransportError};

use super::support::{Set, builder, hands_on, look_twice, note, run};

const BATCH: u64 = 10;

/// A way on which the answer to a push arrives after something became durable on the device, or after a long time.
struct Slow {
    hub: InProcess,
    store: Arc<MemoryStore>,
    replica: Replica,
    /// Of each push, whether something became durable meanwhile, and what was pending when the answer arrived.
    seen: Mutex<Vec<(bool, u64)>>,
    /// How far each push, and then each pull, says that the log was told to go.
    told: Mutex<Vec<u64>>,
}

impl Slow {
    async fn deliver(&self, request: &PushRequest) -> Result<PushReply, TransportError> {
        self.told.lock().unwrap().push(request.attempt.told.seq);
        let begin = self.store.heads().unwrap().last;
        let reply = self.hub.push(request).await;
        let mut grew = false;
        for _ in 0..100 {
            look_twice().await;
            grew = self.store.heads().unwrap().last > begin;
            if grew {
                break;
            }
        }
        self.seen.lock().unwrap().push((grew, self.replica.status().pending));
        reply
    }
}

impl Transport for Slow {
    hands_on!(hello, snapshot, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(self.deliver(request))
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        self.told.lock().unwrap().push(request.told.seq);
        self.hub.pull(request)
    }
}

#[test]
fn the_device_is_not_idle_while_the_hub_decides() {
    let clock = Set::new();
    let limits = Limits { batch_entries: BATCH, group_entries: BATCH, ..Limits::default() };
    let hub = Hub::builder().clock(Arc::new(clock.clone())).limits(limits).open(MemoryStore::new()).unwrap();
    let store = Arc::new(MemoryStore::new());
    let replica = builder(&clock).open(store.clone()).unwrap();
    drop(replica.create(note("first", "a note")).unwrap());
    run(replica.sync(&hub.transport("ada"))).unwrap();
    for n in 0..3 * BATCH {
        drop(replica.create(note(&n.to_string(), "a note")).unwrap());
    }
    let (seen, told) = Default::default();
    let slow = Slow { hub: hub.transport("ada"), store: store.clone(), replica: replica.clone(), seen, told };
    let report = run(replica.sync(&slow)).unwrap();
    assert_eq!((report.uploaded, report.pending), (3 * BATCH, 0));
    let expected = [(true, 3 * BATCH), (true, 2 * BATCH), (false, BATCH)];
    assert_eq!(*slow.seen.lock().unwrap(), expected, "offers, and the verdicts of the push before");
    // Each says what the one before was told: the hub may be put back at any moment.
    assert_eq!(*slow.told.lock().unwrap(), [1, 1 + BATCH, 1 + 2 * BATCH, 1 + 3 * BATCH]);
    drop(slow);
    let durable = store.heads().unwrap().last;
    drop(replica);
    assert_eq!(store.heads().unwrap().last, durable, "what was told is durable");
    assert_eq!(builder(&clock).open(store).unwrap().status().pending, 0);
}

/// A hub that decides about so many entries of each push, and of the others says when to ask again.
struct Halting {
    hub: InProcess,
    decides: fn(usize) -> usize,
    pushes: Mutex<usize>,
}

impl Halting {
    async fn deliver(&self, request: &PushRequest) -> Result<PushReply, TransportError> {
        let number = {
            let mut pushes = self.pushes.lock().unwrap();
            *pushes += 1;
            *pushes
        };
        let mut decided = request.clone();
        decided.entries.truncate((self.decides)(number));
        let mut reply = self.hub.push(&decided).await?;
        let rest = request.entries.iter().skip(decided.entries.len());
        reply.verdicts.extend(rest.map(|entry| (entry.id(), Verdict::Again { after: Some(1), code: None })));
        Ok(reply)
    }
}

impl Transport for Halting {
    hands_on!(hello, pull, snapshot, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(self.deliver(request))
    }
}

/// What was made ready behind them has other numbers then; and whoever gets on, however slowly, is not given up.
#[test]
fn what_is_put_off_goes_up_in_the_same_sync() {
    let decides: [fn(usize) -> usize; 2] = [|_| 1, |push| if push == 1 { 0 } else { usize::MAX }];
    for decides in decides {
        let clock = Set::new();
        let limits = Limits { batch_entries: BATCH, group_entries: BATCH, ..Limits::default() };
        let hub = Hub::builder().clock(Arc::new(clock.clone())).limits(limits).open(MemoryStore::new()).unwrap();
        let replica = builder(&clock).open(MemoryStore::new()).unwrap();
        run(replica.sync(&hub.transport("ada"))).unwrap();
        for n in 0..2 * BATCH {
            drop(replica.create(note(&n.to_string(), "a note")).unwrap());
        }
        let halting = Halting { hub: hub.transport("ada"), decides, pushes: Mutex::default() };
        let report = run(replica.sync(&halting)).unwrap();
        assert_eq!((report.uploaded, report.pending, report.forked), (2 * BATCH, 0, false));
        assert_eq!(hub.head().seq, 2 * BATCH);
    }
}
