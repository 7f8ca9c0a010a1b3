//! What is refused at the call leaves nothing behind, and what comes while a row is made is in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sync_core::replica::{LogEntry, LogState, Transaction};
use sync_core::transport::{Limits, PullRequest};
use sync_core::{Clock, Entity, Error, Fields, Hub, Id, MemoryStore, Replica, Syncable, Value};

use super::support::{Note, Set, builder, hub_on, note, run};

#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "memo")]
struct Old {
    #[sync(id)]
    id: Id<Old, String>,
    title: String,
    #[sync(local)]
    width: u32,
}

#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "memo")]
struct Memo {
    #[sync(id)]
    id: Id<Memo, String>,
    #[sync(alias = "title", alias = "name")]
    heading: String,
    #[sync(merge = "first", default)]
    serial: Option<String>,
    #[sync(local, default)]
    scroll: u32,
}

fn memo(id: &str, serial: &str) -> Memo {
    Memo { id: id.into(), heading: "first".into(), serial: Some(serial.into()), scroll: 0 }
}

fn open<T: Entity>(store: Arc<MemoryStore>) -> Replica {
    Replica::builder().register::<T>().clock(Set::new()).threadless().open(store).unwrap()
}

fn fields(of: &[(&'static str, &str)]) -> Fields {
    let mut fields = Fields::new();
    of.iter().for_each(|(name, value)| fields.insert(*name, Value::from(*value)));
    fields
}

/// The field that is at fault.
fn at_fault<T: std::fmt::Debug>(refused: Result<T, Error>) -> String {
    match refused {
        Err(Error::Invalid { field: Some(field), .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_field_that_the_type_does_not_have_is_refused_by_name() {
    let store = Arc::new(MemoryStore::new());
    let old = open::<Old>(store.clone());
    old.create(Old { id: "m".into(), title: "of the old program".into(), width: 80 }).unwrap().wait().unwrap();
    drop(old);
    let replica = open::<Memo>(store);
    let raw = replica.raw();
    let wrong = fields(&[("heading", "x"), ("titel", "x")]);
    assert_eq!(at_fault(raw.edit("memo", "m", &wrong)), "titel");
    assert_eq!(at_fault(raw.create("memo", "n", &wrong)), "titel");
    assert_eq!(at_fault(raw.edit("memo", "m", &fields(&[("id", "x")]))), "id", "which is none of the fields");
    for both in [[("heading", "x"), ("title", "y")], [("name", "x"), ("title", "y")]] {
        assert_eq!(at_fault(raw.edit("memo", "m", &fields(&both))), "title");
        assert_eq!(at_fault(raw.create("memo", "n", &fields(&both))), "title");
    }
    assert_eq!(replica.status().pending, 1, "nothing of that was written");
    // What a field was called before is that field.
    raw.edit("memo", "m", &fields(&[("title", "by its former name")])).unwrap().wait().unwrap();
    raw.create("memo", "n", &fields(&[("name", "by one before that")])).unwrap().wait().unwrap();
    let headings: Vec<String> = replica.list::<Memo>().unwrap().map(|memo| memo.unwrap().heading).collect();
    assert_eq!(headings, ["by its former name", "by one before that"]);
    assert!(replica.conflicts::<Memo>().unwrap().is_empty());
    // Fields that never leave the device are fields too, and what is shown can be changed and given back as a whole.
    let mut scrolled = raw.get("memo", "m").unwrap().unwrap().fields;
    scrolled.insert("scroll", Value::from(7_i64));
    raw.edit("memo", "m", &scrolled).unwrap().wait().unwrap();
    assert_eq!(replica.get::<Memo>(&"m".into()).unwrap().unwrap().scroll, 7);
}

#[test]
fn a_call_that_failed_leaves_nothing_in_the_transaction() {
    let clock = Set::new();
    let limits = Limits { entry_bytes: 1_000, ..Limits::default() };
    let hub =
        Hub::builder().name("hub").clock(Arc::new(clock.clone())).limits(limits).open(MemoryStore::new()).unwrap();
    let replica = Replica::builder().register::<Memo>().clock(clock).threadless().open(MemoryStore::new()).unwrap();
    replica.create(memo("gone", "1")).unwrap().wait().unwrap();
    replica.create(memo("here", "1")).unwrap().wait().unwrap();
    replica.delete::<Memo>(&"gone".into()).unwrap().wait().unwrap();
    run(replica.sync(&hub.transport("tester"))).unwrap();
    let gone = Id::from("gone");
    let long = Memo { heading: "x".repeat(2_000), ..memo("gone", "1") };
    // One that its restore comes before, for what it is, and for its size; and of one that the transaction deleted.
    let fails = |tx: &mut Transaction<'_>| {
        assert_eq!(at_fault(tx.put(memo("gone", "2"))), "serial");
        assert_eq!(tx.put(long.clone()).unwrap_err().code(), "too_large");
        assert_eq!(tx.get::<Memo>(&gone).unwrap(), None, "as the transaction sees it");
        tx.delete::<Memo>(&"here".into()).unwrap();
        assert_eq!(at_fault(tx.put(memo("here", "2"))), "serial");
        assert_eq!(tx.get::<Memo>(&"here".into()).unwrap(), None);
        Ok(())
    };
    replica.transaction(fails).unwrap().wait().unwrap();
    assert!(replica.list::<Memo>().unwrap().next().is_none());
    assert_eq!(replica.status().pending, 1, "the delete that did not fail");
    // What comes after a call that failed goes on as if that had not been.
    let goes_on = |tx: &mut Transaction<'_>| {
        tx.create(memo("before", "1"))?;
        assert_eq!(at_fault(tx.put(memo("gone", "2"))), "serial");
        assert_eq!(at_fault(tx.put(memo("here", "2"))), "serial");
        tx.restore::<Memo>(&"here".into())?;
        tx.edit(&"here".into(), |memo: &mut Memo| memo.heading = "restored".into())
    };
    replica.transaction(goes_on).unwrap().wait().unwrap();
    let report = run(replica.sync(&hub.transport("tester"))).unwrap();
    assert_eq!((report.uploaded, report.rejected, report.pending), (4, 0, 0));
    let shown: Vec<(String, String)> =
        replica.list::<Memo>().unwrap().map(|memo| memo.unwrap()).map(|m| (m.id.to_string(), m.heading)).collect();
    assert_eq!(shown, [("before".into(), "first".into()), ("here".into(), "restored".into())]);
    assert!(replica.conflicts::<Memo>().unwrap().is_empty());
    assert!(replica.verify().unwrap().is_sound());
}

/// A clock that tells when it was looked at.
struct Watched {
    clock: Set,
    is_read: Arc<AtomicBool>,
}

impl Clock for Watched {
    fn now(&self) -> u64 {
        self.is_read.store(true, Ordering::Relaxed);
        self.clock.now()
    }
}

#[test]
fn what_is_written_while_a_clock_is_corrected_is_corrected_too() {
    const DAY: u64 = 86_400_000;
    let (slow, right) = (Set::new(), Set::new());
    let hub = hub_on(MemoryStore::new(), &right);
    let is_read = Arc::new(AtomicBool::new(false));
    let clock = Watched { clock: slow.clone(), is_read: is_read.clone() };
    let replica = builder(&slow).clock(clock).open(MemoryStore::new()).unwrap();
    // It knows its hub, so that a greeting has nothing else to write.
    run(replica.sync(&hub.transport("tester"))).unwrap();
    right.0.fetch_add(DAY, Ordering::Relaxed);
    replica.create(note("before", "t")).unwrap().wait().unwrap();
    let (other, transport) = (replica.clone(), hub.transport("tester"));
    let meanwhile = replica.transaction(|tx| {
        tx.create(note("meanwhile", "t"))?;
        is_read.store(false, Ordering::Relaxed);
        let sync = thread::spawn(move || run(other.sync(&transport)).unwrap());
        while !is_read.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        // It comes to where it has to wait. If it is slower than this, it does not come in between at all.
        thread::sleep(Duration::from_millis(100));
        Ok(sync)
    });
    let report = meanwhile.unwrap().wait().unwrap().join().unwrap();
    assert_eq!((report.uploaded, report.clock_corrected), (2, Some(DAY as i64)));
    for id in ["before", "meanwhile"] {
        let shown = replica.raw().get("note", id).unwrap().unwrap();
        assert_eq!(shown.updated_at, right.now(), "{id}");
    }
}

/// A hub that takes no notes of this title.
fn hub_without(title: &'static str, clock: &Set) -> Hub {
    let is_fine = move |_: &str, _: Option<&Note>, after: Option<&Note>| match after {
        Some(note) if note.title == title => Err("not this".into()),
        _ => Ok(()),
    };
    let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone()));
    hub.validate_entity::<Note>(is_fine).open(MemoryStore::new()).unwrap()
}

#[test]
fn with_a_refused_create_goes_any_number_of_edits() {
    const EDITS: u64 = 10_000;
    let refused = || {
        let clock = Set::new();
        let hub = hub_without("refused", &clock);
        let store = Arc::new(MemoryStore::new());
        let replica = builder(&clock).open(store.clone()).unwrap();
        replica.create(note("n", "refused")).unwrap().wait().unwrap();
        for edit in 0..EDITS {
            drop(replica.edit(&"n".into(), |note: &mut Note| note.title = edit.to_string()).unwrap());
        }
        let began = Instant::now();
        let report = run(replica.sync(&hub.transport("tester"))).unwrap();
        assert_eq!((report.rejected, report.pending), (EDITS + 1, 0));
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "they are not held against each other: {took:?}");
        drop(replica);
        assert_eq!(builder(&clock).open(store).unwrap().status().rejected, EDITS + 1);
    };
    // On a stack that a few hundred calls within each other would fill.
    thread::Builder::new().stack_size(384 << 10).spawn(refused).unwrap().join().unwrap();
}

#[test]
fn any_number_of_edits_of_one_entity_is_set_aside_in_time() {
    const EDITS: u64 = 10_000;
    for (why, code) in [("refused", "gone"), ("not in the snapshot", "gone"), ("another hub's state", "diverged")] {
        let clock = Set::new();
        let hub = hub_on(MemoryStore::new(), &clock);
        let open = || builder(&clock).open(MemoryStore::new()).unwrap();
        let (replica, other) = (open(), open());
        replica.create(note("n", "first")).unwrap().wait().unwrap();
        run(replica.sync(&hub.transport("tester"))).unwrap();
        run(other.sync(&hub.transport("tester"))).unwrap();
        other.delete::<Note>(&"n".into()).unwrap().wait().unwrap();
        run(other.sync(&hub.transport("tester"))).unwrap();
        assert_eq!(hub.purge(u64::MAX).unwrap(), 1);
        for edit in 0..EDITS {
            drop(replica.edit(&"n".into(), |note: &mut Note| note.title = edit.to_string()).unwrap());
        }
        let began = Instant::now();
        let report = match why {
            "refused" => run(replica.sync(&hub.transport("tester"))),
            "not in the snapshot" => {
                hub.compact(0).unwrap();
                run(replica.sync(&hub.transport("tester")))
            }
            _ => run(replica.adopt_hub(&hub_on(MemoryStore::new(), &clock).transport("tester"))),
        };
        let (report, took) = (report.unwrap(), began.elapsed());
        assert_eq!((report.rejected, report.pending), (EDITS, 0), "{why}");
        assert!(
            replica.rejected().iter().filter(|aside| aside.rejection.code == code).count() as u64 >= EDITS,
            "{why}"
        );
        assert!(took < Duration::from_secs(5), "{why}: they are not held against each other: {took:?}");
    }
}

#[test]
fn what_went_with_a_refused_entry_is_refused_in_the_log_when_it_is_forgotten_too() {
    let clock = Set::new();
    let hub = hub_without("refused", &clock);
    let replica = builder(&clock).open(MemoryStore::new()).unwrap();
    let id: Id<Note, String> = "n".into();
    let retitle = |tx: &mut Transaction<'_>| {
        tx.create(note("beside", "t"))?;
        tx.edit(&id, |note: &mut Note| note.title = "second".into())
    };
    replica.create(note("n", "refused")).unwrap().wait().unwrap();
    replica.edit(&id, |note: &mut Note| note.title = "first".into()).unwrap().wait().unwrap();
    replica.transaction(retitle).unwrap().wait().unwrap();
    run(replica.sync(&hub.transport("tester"))).unwrap();
    let codes = || -> Vec<String> {
        let code = |line: LogEntry| match line.state {
            LogState::Rejected(rejection) => rejection.code.to_string(),
            other => format!("{other:?}"),
        };
        replica.log().unwrap().into_iter().map(code).collect()
    };
    assert_eq!(codes()[1..], ["gone", "group", "gone"]);
    // The first of them is written anew, the others are let go of.
    let numbers: Vec<u64> = replica.rejected().iter().map(|aside| aside.number).collect();
    let mended = |fields: &mut Fields| fields.insert("title", Value::from("mended"));
    replica.resubmit(numbers[0], mended).unwrap().wait().unwrap();
    for number in &numbers[1..] {
        replica.discard(*number).unwrap().wait().unwrap();
    }
    assert_eq!(codes()[1..], ["gone", "group", "group", "Pending"]);
    let why = replica.explain(&id, "title").unwrap();
    assert_eq!((why.parts.len(), why.history.len()), (1, 0), "{why:?}");
    assert_eq!(replica.status().pending, 1);
}

#[test]
fn what_replaced_a_refused_write_replaced_what_that_had_replaced_in_the_log_and_in_explanations_too() {
    let clock = Set::new();
    let hub = hub_without("refused", &clock);
    let replica = builder(&clock).open(MemoryStore::new()).unwrap();
    let id: Id<Note, String> = "n".into();
    let retitle = |title: &str| drop(replica.edit(&id, |note: &mut Note| note.title = title.into()).unwrap());
    replica.create(note("n", "first")).unwrap().wait().unwrap();
    retitle("second");
    retitle("refused");
    retitle("third");
    run(replica.sync(&hub.transport("tester"))).unwrap();
    let why = replica.explain(&id, "title").unwrap();
    assert_eq!((why.parts.len(), why.history.len()), (1, 2), "{why:?}");
    assert_eq!(why.parts[0].replaced, [why.history[0].id.clone()], "{why:?}");
    let page = hub.pull(&PullRequest { limit: 9, ..PullRequest::default() }).unwrap();
    let accepted = replica.log().unwrap().into_iter().filter(|line| line.state == LogState::Accepted);
    for (line, (_, entry)) in accepted.zip(&page.entries) {
        assert_eq!((line.entry.dot(), &line.entry.replaces), (entry.dot(), &entry.replaces));
    }
}

#[test]
fn what_was_refused_stays_refused_in_the_log_when_a_snapshot_comes() {
    let clock = Set::new();
    let hub = hub_without("refused", &clock);
    let replica = builder(&clock).open(MemoryStore::new()).unwrap();
    replica.create(note("n", "refused")).unwrap().wait().unwrap();
    run(replica.sync(&hub.transport("tester"))).unwrap();
    // It takes the number under which the other had been offered.
    replica.create(note("m", "fine")).unwrap().wait().unwrap();
    run(replica.sync(&hub.transport("tester"))).unwrap();
    run(replica.adopt_hub(&hub.transport("tester"))).unwrap();
    let log = replica.log().unwrap();
    assert!(matches!(log[0].state, LogState::Rejected(_)), "{log:?}");
    assert_eq!(log[1].state, LogState::Accepted);
    assert_eq!(replica.rejected().len(), 1);
}
