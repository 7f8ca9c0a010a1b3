//! Nothing that a hub says is believed unseen: of one that says what cannot be nothing is taken, and the next one gets
//! everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sync_core::transport::{Epoch, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest, Verdict};
use sync_core::{BoxFuture, Clock, Cursor, Digest, Hub, InProcess, MemoryStore, Replica, Transport, TransportError};

use super::support::{Set, builder, hands_on, hub_on, note, notes, run};

/// A way on which answers are changed.
struct Changed {
    hub: InProcess,
    reply: fn(&mut PushReply),
    page: fn(&mut Page),
    snapshot: fn(&SnapshotRequest, &mut SnapshotPage),
    /// How many pages of snapshots were asked for.
    snapshots: AtomicUsize,
    /// How often something was pushed.
    pushes: AtomicUsize,
}

impl Changed {
    fn new(hub: &Hub) -> Self {
        Self {
            hub: hub.transport("ada"),
            reply: |_| (),
            page: |_| (),
            snapshot: |_, _| (),
            snapshots: AtomicUsize::new(0),
            pushes: AtomicUsize::new(0),
        }
    }
}

impl Transport for Changed {
    hands_on!(hello, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            self.pushes.fetch_add(1, Ordering::SeqCst);
            let mut reply = self.hub.push(request).await?;
            (self.reply)(&mut reply);
            Ok(reply)
        })
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async {
            let mut page = self.hub.pull(request).await?;
            (self.page)(&mut page);
            Ok(page)
        })
    }
    /// The first page, whichever is asked for.
    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async {
            if self.snapshots.fetch_add(1, Ordering::SeqCst) > 100 {
                return Err(TransportError::Offline { message: "it would go on for ever".into() });
            }
            let mut page = self.hub.snapshot(&SnapshotRequest::default()).await?;
            (self.snapshot)(request, &mut page);
            Ok(page)
        })
    }
}

/// A device with notes that the hub has, and maybe as many that it has not; another one's are at the hub, too.
fn stage(clock: &Set, is_pending: bool) -> (Hub, Replica) {
    stage_at(hub_on(MemoryStore::new(), clock), clock, is_pending)
}

fn stage_at(hub: Hub, clock: &Set, is_pending: bool) -> (Hub, Replica) {
    let [device, other] = [(); 2].map(|()| builder(clock).open(MemoryStore::new()).unwrap());
    let write = |device: &Replica, whose: &str, notes: std::ops::Range<u64>| {
        for n in notes {
            device.create(note(&format!("{whose} {n}"), "T")).unwrap().wait().unwrap();
        }
    };
    write(&device, "mine", 0..3);
    run(device.sync(&hub.transport("ada"))).unwrap();
    write(&other, "theirs", 0..3);
    run(other.sync(&hub.transport("ada"))).unwrap();
    if is_pending {
        write(&device, "mine", 3..6);
    }
    (hub, device)
}

#[test]
fn verdicts_on_other_entries_are_not_taken() {
    let changes: [fn(&mut PushReply); 5] = [
        |reply| reply.verdicts.clear(),
        |reply| drop(reply.verdicts.pop()),
        |reply| reply.verdicts.swap(0, 1),
        |reply| reply.verdicts.push(reply.verdicts[2].clone()),
        |reply| reply.verdicts[2].0 = "another".into(),
    ];
    for reply in changes {
        let clock = Set::new();
        let (hub, device) = stage(&clock, true);
        let before = device.status().last_synced;
        clock.0.fetch_add(1_000, Ordering::SeqCst);
        let synced = run(device.sync(&Changed { reply, ..Changed::new(&hub) }));
        assert_eq!(synced.unwrap_err().code(), "nonsense");
        assert_eq!(device.status().last_synced, before);
        assert_eq!(device.status().pending, 3);
        let report = run(device.sync(&hub.transport("ada"))).unwrap();
        assert_eq!((report.uploaded, report.rejected, report.pending, report.forked), (3, 0, 0, false));
        assert_eq!(notes(&device).len(), 9);
    }
}

#[test]
fn a_page_that_cannot_be_is_not_taken() {
    type Change = fn(&mut Page);
    let changes: [(bool, Change); 10] = [
        (false, |page| page.entries.to_mut().swap(0, 1)),
        (true, |page| page.entries.to_mut().swap(0, 1)),
        (false, |page| page.entries.to_mut()[1].0 -= 1),
        (false, |page| page.entries.to_mut()[2].0 += 1),
        (false, |page| page.cursor.seq -= 1),
        (false, |page| (page.cursor.seq, page.entries) = (2, Vec::new().into())),
        (false, |page| (page.cursor.seq, page.entries, page.has_more) = (3, Vec::new().into(), true)),
        (false, |page| page.cursor.digest = Digest(7)),
        // More is missing than this device has of its own.
        (true, |page| page.cursor.seq += 4),
        // What is missing may be its own by their number, and is another's.
        (true, |page| drop(page.entries.to_mut().remove(0))),
    ];
    for (number, (is_pending, page)) in changes.into_iter().enumerate() {
        let clock = Set::new();
        let (hub, device) = stage(&clock, is_pending);
        let mine = if is_pending { 6 } else { 3 };
        let before = device.cursor();
        let synced = run(device.sync(&Changed { page, ..Changed::new(&hub) }));
        assert_eq!(synced.unwrap_err().code(), "nonsense", "{number}");
        assert_eq!((device.cursor(), notes(&device).len()), (before, mine), "{number}");
        run(device.sync(&hub.transport("ada"))).unwrap();
        assert_eq!(notes(&device).len(), mine + 3, "{number}");
    }
}

/// It may be for ever: what is pending stays so, and the sync ends.
#[test]
fn a_hub_that_decides_nothing_is_not_asked_for_ever() {
    fn again(reply: &mut PushReply, after: Option<u64>, code: Option<&str>) {
        for (_, verdict) in &mut reply.verdicts {
            *verdict = Verdict::Again { after, code: code.map(str::to_owned) };
        }
    }
    type Change = fn(&mut PushReply);
    let changes: [(Change, u64); 4] = [
        (|reply| again(reply, None, None), 0),
        (|reply| again(reply, Some(5_000), None), 5_000),
        (|reply| again(reply, None, Some("clock")), 0),
        (|reply| again(reply, Some(5_000), Some("clock")), 5_000),
    ];
    for (reply, after) in changes {
        let clock = Set::new();
        let hub = hub_on(MemoryStore::new(), &clock);
        let device = builder(&clock).open(Arc::new(MemoryStore::new())).unwrap();
        for n in 0..3 {
            device.create(note(&n.to_string(), "T")).unwrap().wait().unwrap();
        }
        let way = Changed { reply, ..Changed::new(&hub) };
        let report = run(device.sync(&way)).unwrap();
        assert_eq!((report.uploaded, report.rejected, report.pending), (0, 0, 3));
        assert!((2..30).contains(&way.pushes.load(Ordering::SeqCst)), "{:?} pushes", way.pushes);
        let retry = device.status().next_retry.unwrap();
        assert!(retry >= clock.now() + after, "a hub that names a time is obeyed");
        let report = run(device.sync(&hub.transport("ada"))).unwrap();
        assert_eq!((report.uploaded, report.pending, report.forked), (3, 0, false));
    }
}

/// How far it said that its log goes nobody can look up, and what comes from elsewhere may have been lost: it is given
/// back what it has, or is adopted. Nothing of either is lost.
#[test]
fn of_a_hub_that_said_its_log_goes_further_than_it_does_nothing_is_left_when_it_says_how_it_is() {
    const FAR: Cursor = Cursor { seq: u64::MAX, digest: Digest(7), epoch: Epoch(7) };
    type Reply = fn(&mut PushReply);
    type Change = fn(&mut Page);
    let changes: [(&str, Reply, Change); 4] = [
        ("further", |reply| reply.head.seq += 1_000, |_| ()),
        ("as far as can be", |reply| reply.head = FAR, |_| ()),
        ("further than its page", |_| (), |page| page.cursor.seq += 1),
        ("another log", |_| (), |page| page.cursor.digest = Digest(7)),
    ];
    for (what, reply, page) in changes {
        for may_join in [true, false] {
            let clock = Set::new();
            let store = Arc::new(MemoryStore::new());
            let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).allow_join(may_join);
            let (hub, device) = stage_at(hub.open(store).unwrap(), &clock, true);
            let _ = run(device.sync(&Changed { reply, page, ..Changed::new(&hub) }));
            let sync = || run(device.sync(&hub.transport("ada")));
            let synced = sync();
            let synced = match synced {
                Err(error) if !may_join => {
                    assert_eq!(error.code(), "hub_lost_data", "{what}");
                    run(device.adopt_hub(&hub.transport("ada")))
                }
                synced => synced,
            };
            let report = synced.unwrap();
            assert_eq!((report.pending, report.rejected), (0, 0), "{what}");
            assert_eq!((notes(&device).len(), device.rejected().len()), (9, 0), "{what}");
            let report = sync().unwrap();
            assert_eq!((report.hub_restored, report.bootstrapped, report.forked), (false, false, false), "{what}");
            let other = builder(&clock).open(MemoryStore::new()).unwrap();
            run(other.sync(&hub.transport("ada"))).unwrap();
            assert_eq!(notes(&other), notes(&device), "{what}");
        }
    }
}

/// What its pages lack cannot be told; that they do not end can.
#[test]
fn a_snapshot_that_goes_round_ends() {
    type Change = fn(&SnapshotRequest, &mut SnapshotPage);
    let changes: [Change; 4] = [
        |request, page| page.next = Some(request.page.clone()),
        |_, page| page.next = Some("a".into()),
        |request, page| page.next = Some(if request.page == "a" { "b".into() } else { "a".into() }),
        |request, page| page.next = Some(if request.page.len() < 9 { request.page.clone() + "a" } else { "aa".into() }),
    ];
    for (number, snapshot) in changes.into_iter().enumerate() {
        let clock = Set::new();
        let (hub, _) = stage(&clock, false);
        hub.compact(0).unwrap();
        let device = builder(&clock).open(MemoryStore::new()).unwrap();
        device.create(note("new", "T")).unwrap().wait().unwrap();
        let synced = run(device.sync(&Changed { snapshot, ..Changed::new(&hub) }));
        assert_eq!(synced.unwrap_err().code(), "nonsense", "{number}");
        assert_eq!((notes(&device).len(), device.status().pending), (1, 1), "{number}");
        run(device.sync(&hub.transport("ada"))).unwrap();
        assert_eq!((notes(&device).len(), device.status().pending), (7, 0), "{number}");
    }
}
