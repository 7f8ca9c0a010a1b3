//! What a delete has seen, it has seen, whatever becomes of the writes that lay over it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::transport::{Limits, PushReply, PushRequest};
use sync_core::{BoxFuture, Hub, Id, InProcess, MemoryStore, Replica, Syncable, Transport, TransportError};

use super::support::{Set, hands_on, run};

#[derive(Syncable, Debug, Clone)]
struct Tally {
    #[sync(id)]
    id: Id<Tally, String>,
    #[sync(merge = "counter")]
    count: i64,
    #[sync(merge = "max")]
    best: i64,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    title: String,
}

type Change = fn(&mut Tally);

/// A hub that takes no tally of ten or more, and none that lost its tag.
fn hub(clock: &Set, limits: Limits) -> Hub {
    let is_fine = |_: &str, before: Option<&Tally>, after: Option<&Tally>| {
        let Some(after) = after else { return Ok(()) };
        let lost_tag = before.is_some_and(|before| before.tags.contains("x")) && !after.tags.contains("x");
        let is_over = after.count >= 10 || after.best >= 10 || after.title == "over" || after.tags.contains("over");
        if lost_tag || is_over { Err("not this".into()) } else { Ok(()) }
    };
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).limits(limits);
    hub.validate_entity::<Tally>(is_fine).open(MemoryStore::new()).unwrap()
}

fn open(clock: &Set) -> Replica {
    Replica::builder().register::<Tally>().clock(clock.clone()).threadless().open(MemoryStore::new()).unwrap()
}

/// A way that so many pushes find.
struct Short {
    hub: InProcess,
    left: AtomicU64,
}

impl Transport for Short {
    hands_on!(hello, pull, snapshot, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        let left = self.left.load(Ordering::SeqCst);
        self.left.store(left.saturating_sub(1), Ordering::SeqCst);
        if left > 0 {
            return self.hub.push(request);
        }
        Box::pin(async { Err(TransportError::Offline { message: "lost".into() }) })
    }
}

#[test]
fn what_shows_again_when_the_write_over_it_is_refused_was_seen_by_the_delete_behind_it() {
    let table: [(&str, Change, Change); 5] = [
        ("additions", |t| t.count += 1, |t| t.count += 10),
        ("maxima", |t| t.best = 1, |t| t.best = 10),
        ("a removal", |t| t.tags.extend(["x".to_owned()]), |t| t.tags.clear()),
        ("insertions", |t| t.tags.extend(["x".to_owned()]), |t| t.tags.extend(["over".to_owned()])),
        ("assignments", |t| t.title = "fine".into(), |t| t.title = "over".into()),
    ];
    for (what, fine, refused) in table {
        // All in one push, or one in each, the first of them accepted before the delete is made or not.
        for (batch_entries, is_known) in [(100, false), (1, false), (1, true)] {
            for refusals in 1..=2 {
                let clock = Set::new();
                let hub = hub(&clock, Limits { batch_entries, ..Limits::default() });
                let (replica, other) = (open(&clock), open(&clock));
                let sync = |replica: &Replica| run(replica.sync(&hub.transport("tester"))).unwrap();
                let id: Id<Tally, String> = "t".into();
                let tally = Tally { id: id.clone(), count: 0, best: 0, tags: BTreeSet::new(), title: "t".into() };
                replica.create(tally).unwrap().wait().unwrap();
                sync(&replica);
                replica.edit(&id, fine).unwrap().wait().unwrap();
                for _ in 0..refusals {
                    replica.edit(&id, refused).unwrap().wait().unwrap();
                }
                if is_known {
                    let way = Short { hub: hub.transport("tester"), left: AtomicU64::new(1) };
                    run(replica.sync(&way)).unwrap_err();
                }
                replica.delete::<Tally>(&id).unwrap().wait().unwrap();
                let report = sync(&replica);
                let uploaded = if is_known { 1 } else { 2 };
                assert_eq!(report.uploaded, uploaded, "{what}: what is fine, and the delete");
                sync(&other);
                for device in [&replica, &other] {
                    let listed = device.raw_conflicts(None).unwrap();
                    assert!(listed.is_empty(), "{what}, {batch_entries} a push: {listed:?}");
                    assert!(device.verify().unwrap().is_sound());
                }
            }
        }
    }
}
