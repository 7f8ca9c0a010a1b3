//! How long one durable write waits while a checkpoint is made of much: on a device that downloaded it, and at a hub that
//! accepted it. What was acknowledged meanwhile is there after opening again.
//!
//! `PAUSE_ENTRIES` is how many entries the checkpoint takes in, eight to a note.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollster::block_on;
use sync_core::{Entry, Hub, Id, MemoryStore, Offer, Replica, Syncable, Value, Verdict};
use sync_redb::RedbStore;

use crate::number;

#[derive(Syncable, Debug)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    body: String,
}

const PER_NOTE: u64 = 8;

/// Has a device write so many entries and bring them to the hub.
fn fill(hub: &Hub, entries: u64) {
    let writer = Replica::builder().register::<Note>().open(MemoryStore::new()).expect("it opens");
    let notes = entries / PER_NOTE;
    let numbers: Vec<u64> = (0..notes * PER_NOTE).collect();
    for some in numbers.chunks(100) {
        let written = writer.transaction(|tx| {
            for n in some {
                let (id, round) = (Id::from(format!("note-{:06}", n % notes).as_str()), n / notes);
                let title = format!("Note {n} as of round {round}");
                match round {
                    0 => drop(tx.create(Note { id, title, body: "ka lo mi ne ru sa to vi ".repeat(8) })?),
                    _ => tx.edit(&id, |note: &mut Note| note.title = title)?,
                }
            }
            Ok(())
        });
        drop(written.expect("it is written"));
    }
    block_on(writer.sync(&hub.transport("ana"))).expect("it reaches the hub");
}

/// How long each write took from when the checkpoint began until it ended: how many, the longest, and the 99th of 100.
struct Waits(Vec<Duration>);

impl Waits {
    fn beside(work: impl FnOnce() + Send, mut write: impl FnMut(u64)) -> (Self, Duration) {
        let (is_done, mut waits) = (AtomicBool::new(false), Vec::new());
        let took = std::thread::scope(|scope| {
            let at_work = scope.spawn(|| {
                let begin = Instant::now();
                work();
                is_done.store(true, Ordering::SeqCst);
                begin.elapsed()
            });
            for n in 0.. {
                let (begin, was_done) = (Instant::now(), is_done.load(Ordering::SeqCst));
                write(n);
                waits.push(begin.elapsed());
                if was_done {
                    break;
                }
            }
            at_work.join().expect("it does not panic")
        });
        waits.sort_unstable();
        (Self(waits), took)
    }

    fn tell(&self, who: &str, entries: u64, took: Duration) {
        let (count, at) = (self.0.len(), |of: usize| self.0[self.0.len() * of / 100]);
        let (half, most, last) = (at(50), at(99), self.0[self.0.len() - 1]);
        println!("{who}, {entries} entries: {took:?}; {count} writes, p50 {half:?}, p99 {most:?}, longest {last:?}");
    }
}

#[test]
fn a_device_writes_beside_its_checkpoint() {
    let entries = number("PAUSE_ENTRIES", 1_024);
    let hub = Hub::builder().open(MemoryStore::new()).expect("it opens");
    fill(&hub, entries);
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        let store = RedbStore::open(folder.path().join("device.redb")).expect("it opens");
        Replica::builder().register::<Note>().checkpoint_after(usize::MAX).open(store).expect("it opens")
    };
    let device = open();
    block_on(device.sync(&hub.transport("bob"))).expect("it downloads");
    let id = Id::from("note-000000");
    let mut written = String::new();
    let edit = |n| {
        written = format!("edit {n}");
        let commit = device.edit(&id, |note: &mut Note| note.title.clone_from(&written));
        commit.and_then(sync_core::Commit::wait).expect("it is written");
    };
    let (waits, took) = Waits::beside(|| device.checkpoint().expect("it is made"), edit);
    waits.tell("a device", entries, took);
    drop(device);
    assert_eq!(open().get::<Note>(&id).expect("it reads").expect("it is there").title, written);
}

#[test]
fn a_hub_accepts_beside_its_checkpoint() {
    let entries = number("PAUSE_ENTRIES", 1_024);
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        let store = RedbStore::open(folder.path().join("hub.redb")).expect("it opens");
        Hub::builder().checkpoint_every(usize::MAX).open(store).expect("it opens")
    };
    let hub = open();
    fill(&hub, entries);
    let before = hub.head().seq;
    let mut written = 0;
    let push = |n: u64| {
        let n = n + 1;
        let action = format!(
            r#"{{"id":"single-{n:016x}","entityType":"note","entityId":"single-{n}","type":"create","payload":{{"title":"t"}},"clientId":"single","logicalTime":1,"n":{n},"intent":"{n:032x}"}}"#
        );
        let entry = Entry::from_json(&Value::parse(&action).expect("it is JSON")).expect("it is an entry").entry;
        let reply = hub.push("bob", None, vec![Offer::Entry(entry)]).expect("it is answered");
        assert!(matches!(reply.verdicts[0].1, Verdict::Accepted { .. }), "{reply:?}");
        written = n;
    };
    let (waits, took) = Waits::beside(|| hub.checkpoint().expect("it is made"), push);
    waits.tell("a hub", entries, took);
    drop(hub);
    assert_eq!(open().head().seq, before + written);
}
