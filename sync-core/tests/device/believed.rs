//! Nothing that a hub says is believed unseen: of one that says what cannot be nothing is taken, and the next one gets
//! everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sync_core::transport::{Page, PullRequest, PushReply, PushRequest, Verdict};
use sync_core::{BoxFuture, Clock, Digest, Hub, InProcess, MemoryStore, Replica, Transport, TransportError};

use super::support::{Set, builder, hands_on, hub_on, note, notes, run};

/// A way on which answers are changed.
struct Changed {
    hub: InProcess,
    reply: fn(&mut PushReply),
    page: fn(&mut Page),
    /// How often something was pushed.
    pushes: AtomicUsize,
}

impl Changed {
    fn new(hub: &Hub) -> Self {
        Self { hub: hub.transport("ada"), reply: |_| (), page: |_| (), pushes: AtomicUsize::new(0) }
    }
}

impl Transport for Changed {
    hands_on!(hello, snapshot, join, live);
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
}

/// A device with notes that the hub has, and maybe as many that it has not; another one's are at the hub, too.
fn stage(clock: &Set, is_pending: bool) -> (Hub, Replica) {
    let hub = hub_on(MemoryStore::new(), clock);
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
