//! Times that are ahead of the clocks: what was written after them stays after them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::hub::InProcess;
use sync_core::transport::{BoxFuture, Page, PullRequest, PushReply, PushRequest};
use sync_core::{Change, Clock, Id, MemoryStore, Random, Replica, Syncable, Transport, TransportError};

use super::support::{Note, Set, builder, export, hands_on, hub_on, import, note, run, title};

const YEAR: u64 = 365 * 86_400_000;

#[derive(Syncable, Debug, Clone)]
#[sync(tombstone = "last_writer_wins")]
struct Memo {
    #[sync(id)]
    id: Id<Memo, String>,
    text: String,
}

fn memo(text: &str) -> Memo {
    Memo { id: "m".into(), text: text.into() }
}

fn turn(clocks: [&Set; 2], by: i64) {
    for clock in clocks {
        clock.0.fetch_add(by as u64, Ordering::Relaxed);
    }
}

#[test]
fn what_is_corrected_stays_after_what_it_had_seen() {
    // The hub's clock is ahead for a while, by less than it lets others be, or by years.
    for ahead in [120_000, YEAR] {
        let (there, here) = (Set::new(), Set::new());
        let hub = hub_on(MemoryStore::new(), &there);
        let open = || {
            let builder = Replica::builder().register::<Memo>().clock(here.clone()).threadless();
            builder.open(MemoryStore::new()).unwrap()
        };
        let sync = |replica: &Replica| run(replica.sync(&hub.transport("tester"))).unwrap();
        let (replica, other) = (open(), open());
        let id = Id::from("m");
        turn([&there, &here], ahead as i64);
        other.create(memo("a")).unwrap().wait().unwrap();
        sync(&other);
        other.edit(&id, |memo: &mut Memo| memo.text = "b".into()).unwrap().wait().unwrap();
        sync(&other);
        sync(&replica);
        replica.delete::<Memo>(&id).unwrap().wait().unwrap();
        let updated_at = || replica.raw().get("memo", "m").unwrap().unwrap().updated_at;
        let before = updated_at();
        // Then it is set right, and this device's clock is off by another while.
        turn([&there, &here], -(ahead as i64));
        turn([&here, &Set::new()], -5_000);
        assert_eq!(sync(&replica).clock_corrected, Some(5_000));
        sync(&other);
        for replica in [&replica, &other] {
            assert!(replica.get::<Memo>(&id).unwrap().is_none(), "deleted by who had seen all of it");
            assert!(replica.conflicts::<Memo>().unwrap().is_empty());
        }
        assert_eq!(updated_at(), before);
    }
}

#[test]
fn what_was_seen_of_a_state_that_is_gone_holds_up_nothing() {
    let (there, here) = (Set::new(), Set::new());
    let replica = builder(&here).open(MemoryStore::new()).unwrap();
    let other = builder(&here).open(MemoryStore::new()).unwrap();
    let before = hub_on(MemoryStore::new(), &there);
    turn([&there, &here], YEAR as i64);
    other.create(note("n", "of another year")).unwrap().wait().unwrap();
    run(other.sync(&before.transport("tester"))).unwrap();
    run(replica.sync(&before.transport("tester"))).unwrap();
    turn([&there, &here], -(YEAR as i64));
    // A hub of this name begins anew, and nothing is given back to it.
    let hub = hub_on(MemoryStore::new(), &there);
    run(replica.adopt_hub(&hub.transport("tester"))).unwrap();
    for at in 0..3 {
        let id = at.to_string();
        replica.create(note(&id, "t")).unwrap().wait().unwrap();
        replica.edit(&id.as_str().into(), |note: &mut Note| note.views = 1).unwrap().wait().unwrap();
        let report = run(replica.sync(&hub.transport("tester"))).unwrap();
        assert_eq!((report.uploaded, report.pending), (2, 0), "{at}");
        assert_eq!(title(&replica, &id).as_deref(), Some("t"));
    }
}

/// A hub of which nothing comes but its greeting, and what is pulled unless it is `mute`.
struct Deaf {
    hub: InProcess,
    is_mute: bool,
}

fn lost<T: Send + 'static>() -> BoxFuture<'static, Result<T, TransportError>> {
    Box::pin(async { Err(TransportError::Offline { message: "lost".into() }) })
}

impl Transport for Deaf {
    hands_on!(hello, snapshot, join, live);
    fn push<'a>(&'a self, _: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        lost()
    }
    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        if self.is_mute { lost() } else { self.hub.pull(request) }
    }
}

#[test]
fn a_corrected_time_is_told_and_is_the_same_wherever_it_shows() {
    let (there, here) = (Set::new(), Set::new());
    let hub = hub_on(MemoryStore::new(), &there);
    let replica = builder(&here).open(MemoryStore::new()).unwrap();
    turn([&here, &Set::new()], YEAR as i64);
    replica.create(note("n", "t")).unwrap().wait().unwrap();
    replica.edit(&"n".into(), |note: &mut Note| note.title = "u".into()).unwrap().wait().unwrap();
    let watch = replica.watch::<Note>();
    run(replica.sync(&Deaf { hub: hub.transport("tester"), is_mute: false })).unwrap_err();
    let times = || {
        let raw = replica.raw().get("note", "n").unwrap().unwrap();
        let why = replica.explain::<Note>(&"n".into(), "title").unwrap();
        let lines = replica.log().unwrap().into_iter().map(|line| line.entry.origin.time);
        let parts = why.parts.into_iter().chain(why.history).map(|part| part.time);
        let mut times: Vec<u64> = [raw.updated_at].into_iter().chain(lines).chain(parts).collect();
        times.dedup();
        times
    };
    assert_eq!(times(), [there.now()]);
    assert_eq!(watch.try_next(), Some(Change::Changed("n".into())));
    run(replica.sync(&hub.transport("tester"))).unwrap();
    assert_eq!(times(), [there.now()]);
}

#[test]
fn what_came_later_is_not_overtaken_by_what_is_corrected() {
    // The clock turns out to be a little behind, or ahead.
    for off in [-5_000, 5_000] {
        let (there, here, right) = (Set::new(), Set::new(), Set::new());
        let hub = hub_on(MemoryStore::new(), &there);
        let replica = builder(&here).open(MemoryStore::new()).unwrap();
        let other = builder(&right).open(MemoryStore::new()).unwrap();
        let retitle = |replica: &Replica, title: &str| {
            let title = title.to_owned();
            replica.edit(&"n".into(), |note: &mut Note| note.title = title).unwrap().wait().unwrap();
        };
        other.create(note("n", "t")).unwrap().wait().unwrap();
        for replica in [&other, &replica] {
            run(replica.sync(&hub.transport("tester"))).unwrap();
        }
        turn([&there, &right], 60_000);
        turn([&here, &Set::new()], 60_000);
        retitle(&replica, "earlier");
        turn([&there, &right], 60_000);
        turn([&here, &Set::new()], 60_000);
        retitle(&other, "later");
        run(other.sync(&hub.transport("tester"))).unwrap();
        let file = export(&other);
        import(&replica, file).unwrap();
        assert_eq!(title(&replica, "n").as_deref(), Some("later"));
        turn([&here, &Set::new()], off);
        assert_eq!(run(replica.sync(&hub.transport("tester"))).unwrap().clock_corrected, Some(-off));
        assert_eq!(title(&replica, "n").as_deref(), Some("later"));
    }
}

/// The least client ids there are.
struct Least(AtomicU64);

impl Random for Least {
    fn bits(&self) -> u128 {
        self.0.fetch_add(1, Ordering::Relaxed).into()
    }
}

#[test]
fn what_a_copy_wrote_after_what_it_had_seen_stays_after_it_under_its_new_name() {
    for is_pending in [true, false] {
        let clock = Set::new();
        let hub = hub_on(MemoryStore::new(), &clock);
        let store = Arc::new(MemoryStore::new());
        let first = builder(&clock).register::<Memo>().open(store.clone()).unwrap();
        let id = Id::from("m");
        first.create(memo("a")).unwrap().wait().unwrap();
        first.edit(&id, |memo: &mut Memo| memo.text = "b".into()).unwrap().wait().unwrap();
        run(first.sync(&hub.transport("tester"))).unwrap();
        let copied = builder(&clock).register::<Memo>().random(Least(AtomicU64::new(1)));
        let copy = copied.open(Arc::new(store.copy())).unwrap();
        first.create(note("n", "of the first alone")).unwrap().wait().unwrap();
        run(first.sync(&hub.transport("tester"))).unwrap();
        if !is_pending {
            // It finds that it is one, and hears no more.
            run(copy.sync(&Deaf { hub: hub.transport("tester"), is_mute: true })).unwrap_err();
        }
        copy.delete::<Memo>(&id).unwrap().wait().unwrap();
        assert_eq!(run(copy.sync(&hub.transport("tester"))).unwrap().forked, is_pending);
        assert!(copy.get::<Memo>(&id).unwrap().is_none(), "{is_pending}");
        assert!(copy.conflicts::<Memo>().unwrap().is_empty());
    }
}
