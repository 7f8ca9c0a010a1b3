//! Devices that sync over the transport while requests are lost, replies are lost, requests arrive twice, late and out
//! of order, replies arrive torn, and syncs are given up. In the end all have everything, once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sync_core::replica::SyncOptions;
use sync_core::transport::{
    Hello, HelloRequest, Limits, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{BoxFuture, Id, MemoryStore, Replica, Syncable, Transport, TransportError};

use super::{Connect, hub, run};
use crate::rng::Rng;

const ROUNDS: usize = 60;

#[derive(Syncable, Debug)]
struct Item {
    #[sync(id)]
    id: Id<Item, String>,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    count: i64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answered,
    Lost,
    ReplyLost,
    Twice,
    /// An earlier push arrives once more, after this one was answered.
    EarlierAgain,
    Torn,
}

/// A way through a network that is bad while `rng` says so.
struct Bad {
    way: Arc<dyn Transport>,
    rng: Mutex<Rng>,
    pushed: Mutex<Vec<PushRequest>>,
    is_calm: bool,
}

fn offline(message: &str) -> TransportError {
    TransportError::Offline { message: message.into() }
}

impl Bad {
    fn fate(&self) -> Fate {
        let roll = self.rng.lock().expect("no test panics with it").below(12);
        match roll {
            _ if self.is_calm => Fate::Answered,
            0 => Fate::Lost,
            1 => Fate::ReplyLost,
            2 => Fate::Twice,
            3 => Fate::EarlierAgain,
            4 => Fate::Torn,
            _ => Fate::Answered,
        }
    }

    async fn ask<T, F: Future<Output = Result<T, TransportError>>>(
        &self,
        fate: Fate,
        ask: impl Fn() -> F,
    ) -> Result<T, TransportError> {
        match fate {
            Fate::Lost => return Err(offline("lost on the way")),
            Fate::ReplyLost => {
                let _ = ask().await;
                return Err(offline("the reply was lost"));
            }
            Fate::Torn => {
                let _ = ask().await;
                return Err(TransportError::Nonsense { message: "the reply ended in the middle".into() });
            }
            Fate::Twice => drop(ask().await),
            Fate::Answered | Fate::EarlierAgain => {}
        }
        ask().await
    }
}

impl Transport for Bad {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(self.ask(self.fate(), || self.way.hello(request)))
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            let fate = self.fate();
            let reply = self.ask(fate, || self.way.push(request)).await?;
            let earlier = {
                let mut pushed = self.pushed.lock().expect("no test panics with it");
                pushed.push(request.clone());
                let at = self.rng.lock().expect("no test panics with it").below(pushed.len());
                pushed[at].clone()
            };
            if matches!(fate, Fate::EarlierAgain) {
                let _ = self.way.push(&earlier).await;
            }
            Ok(reply)
        })
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(self.ask(self.fate(), || self.way.pull(request)))
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(self.ask(self.fate(), || self.way.snapshot(request)))
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(self.ask(self.fate(), || self.way.join(page)))
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.way.live(since)
    }
}

fn write(replica: &Replica, rng: &mut Rng, written: &mut (BTreeSet<String>, i64)) {
    let shared: Id<Item, String> = "shared".into();
    if replica.get(&shared).expect("memory does not fail").is_none() {
        let item = Item { id: shared.clone(), tags: BTreeSet::new(), count: 0 };
        replica.put(item).and_then(|commit| commit.wait()).expect("it is written");
    }
    let tag = format!("{}", rng.below(1_000_000));
    let adds = 1 + rng.below(3) as i64;
    let edited = replica.edit(&shared, |item| {
        item.tags.insert(tag.clone());
        item.count += adds;
    });
    edited.and_then(|commit| commit.wait()).expect("it is written");
    written.0.insert(tag);
    written.1 += adds;
}

/// Whatever becomes of requests and replies: in the end every device has every write, once.
pub fn devices_agree_over_a_bad_network(connect: &Connect<'_>) {
    run(async {
        let hub = hub(Limits { batch_entries: 7, ..Limits::default() });
        let way = |seed: u64, is_calm| Bad {
            way: connect(hub.clone()),
            rng: Mutex::new(Rng::new(seed)),
            pushed: Mutex::default(),
            is_calm,
        };
        let mut rng = Rng::new(1);
        let mut written = (BTreeSet::new(), 0);
        let device = |_| {
            let builder = Replica::builder().register::<Item>().threadless();
            builder.open(MemoryStore::new()).expect("a replica in memory opens")
        };
        let devices: Vec<Replica> = (0..3).map(device).collect();
        let ways: Vec<Bad> = (0..3).map(|seed| way(seed, false)).collect();
        let mut failed = 0;
        for _ in 0..ROUNDS {
            let at = rng.below(3);
            for _ in 0..rng.below(4) {
                write(&devices[at], &mut rng, &mut written);
            }
            let mut options = SyncOptions::default();
            options.page = 1 + rng.below(5) as u64;
            let sync = devices[at].sync_with(&ways[at], options);
            // Now and then it is given up.
            let time = if rng.below(8) == 0 { Duration::from_micros(rng.below(3_000) as u64) } else { super::PATIENCE };
            failed += u64::from(!matches!(tokio::time::timeout(time, sync).await, Ok(Ok(_))));
        }
        assert!(failed > ROUNDS as u64 / 10, "only {failed} syncs failed: nothing was tried");
        let calm = way(9, true);
        for device in devices.iter().chain(&devices) {
            let report = device.sync(&calm).await.expect("the network is good again");
            assert_eq!((report.pending, report.rejected, report.forked), (0, 0, false), "{report:?}");
        }
        for device in &devices {
            let item = device.get::<Item>(&"shared".into()).expect("memory does not fail").expect("it was written");
            assert_eq!((item.tags, item.count), written, "a device has something else than was written");
            assert_eq!(device.cursor(), hub.head());
        }
    });
}
