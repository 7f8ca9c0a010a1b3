//! A day of steady writing at a hub that cuts its log and purges by itself: its file, its memory and its descriptors
//! level off. In a process of its own, so that nothing else is measured. `SYNC_DAY_PUSHES` makes the day fuller: pushes
//! an hour, 40 without it.

#![allow(clippy::unwrap_used)] // A helper of a test that fails is a test that fails.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::transport::{HelloRequest, SnapshotRequest};
use sync_core::{Clock, Dot, Entry, Hub, Offer, Value, Verdict};
use sync_redb::RedbStore;

const HOUR: u64 = 3_600_000;
const HOURS: u64 = 24;
/// How many entries a push has, how many notes live, and how many entries the hub is told to keep.
const ENTRIES: u64 = 10;
const NOTES: usize = 100;
const KEEP: u64 = 500;

/// A clock that the test sets.
#[derive(Clone)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// One device that edits its notes in turn, and now and then deletes the oldest for a new one.
struct Device {
    n: u64,
    notes: VecDeque<Written>,
}

struct Written {
    id: u64,
    create: u64,
    title: u64,
}

fn dot(n: u64) -> String {
    format!("device-{n:016x}")
}

impl Device {
    fn entry(&mut self, now: u64) -> Entry {
        self.n += 1;
        let n = self.n;
        let text = format!("title {n}, as long as titles are");
        let (id, kind, rest) = if self.notes.len() < NOTES {
            self.notes.push_back(Written { id: n, create: n, title: n });
            (n, "create", format!(r#""payload":{{"title":"{text}"}}"#))
        } else if n.is_multiple_of(7) {
            let Written { id, create, title } = self.notes.pop_front().unwrap();
            (id, "delete", format!(r#""payload":null,"of":["{}"],"saw":["{}"]"#, dot(create), dot(title)))
        } else {
            let mut note = self.notes.pop_front().unwrap();
            let before = std::mem::replace(&mut note.title, n);
            let (id, create) = (note.id, note.create);
            self.notes.push_back(note);
            let replaces = format!(r#""replaces":{{"title":["{}"]}},"of":["{}"]"#, dot(before), dot(create));
            (id, "update", format!(r#""payload":{{"title":"{text}"}},{replaces}"#))
        };
        let action = format!(
            r#"{{"id":"{}","entityType":"note","entityId":"note-{id}","type":"{kind}",{rest},"clientId":"device","logicalTime":{now},"n":{n},"intent":"{:032x}"}}"#,
            dot(n),
            u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        );
        Entry::from_json(&Value::parse(&action).unwrap()).unwrap().entry
    }
}

/// What the hub took at the end of an hour.
#[derive(Debug)]
struct Hour {
    file: u64,
    memory: u64,
    descriptors: usize,
    log: u64,
    records: usize,
}

fn measure(hub: &Hub, file: &Path) -> Hour {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    let hello = hub.hello("ann", &HelloRequest::default()).unwrap();
    let (mut records, mut page) = (0, String::new());
    loop {
        let found = hub.snapshot(&SnapshotRequest { page }).unwrap();
        records += found.records.len();
        match found.next {
            Some(next) => page = next,
            None => break,
        }
    }
    Hour {
        file: std::fs::metadata(file).unwrap().len() >> 10,
        memory: memory.unwrap_or_default(),
        descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        log: hello.head.seq + 1 - hello.tail,
        records,
    }
}

#[test]
fn a_day_of_writing_levels_off() {
    let pushes = std::env::var("SYNC_DAY_PUSHES").map_or(40, |pushes| pushes.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("sync-day-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("hub.redb");
    let hands = Hands(Arc::new(AtomicU64::new(1_750_000_000_000)));
    let builder = Hub::builder().clock(Arc::new(hands.clone())).checkpoint_every(200);
    let builder = builder.keep_entries(KEEP).keep_for(12 * HOUR).purge_after(2 * HOUR);
    let hub = builder.clone().open(RedbStore::open(&file).unwrap()).unwrap();
    let mut device = Device { n: 0, notes: VecDeque::new() };
    let mut hours: Vec<Hour> = Vec::new();
    for _ in 0..HOURS {
        for push in 0..pushes {
            hands.0.fetch_add(HOUR / pushes, Ordering::SeqCst);
            let now = hands.now();
            let offers = (0..ENTRIES).map(|_| Offer::Entry(device.entry(now))).collect();
            let reply = hub.push("ann", None, offers).unwrap();
            assert!(reply.verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Accepted { .. })), "{reply:?}");
            if push % 5 == 0 {
                hub.maintain().unwrap();
            }
        }
        hours.push(measure(&hub, &file));
    }
    let (early, late) = hours[3..].split_at(HOURS as usize / 2);
    let most = |hours: &[Hour], of: fn(&Hour) -> u64| hours.iter().map(of).max().unwrap();
    assert!(most(late, |hour| hour.file) <= most(early, |hour| hour.file) * 11 / 10, "{hours:#?}");
    assert!(most(late, |hour| hour.memory) <= most(early, |hour| hour.memory) + (8 << 10), "{hours:#?}");
    assert_eq!(late.last().unwrap().descriptors, early[0].descriptors, "{hours:#?}");
    assert!(hours.iter().all(|hour| hour.log <= 2 * KEEP), "{hours:#?}");
    // What lives, and what was deleted within two hours and the time to the next look.
    let deleted = (pushes * ENTRIES / 7 + 1) as usize;
    assert!(late.iter().all(|hour| hour.records <= NOTES + 4 * deleted), "{hours:#?}");
    // What is left is what was last written.
    let head = hub.head();
    drop(hub);
    let hub = builder.open(RedbStore::open(&file).unwrap()).unwrap();
    assert_eq!(hub.head(), head);
    for note in &device.notes {
        let key = sync_core::EntityKey::new("note", format!("note-{}", note.id));
        let record = hub.record(&key).unwrap().unwrap();
        let title: Dot = dot(note.title).parse().unwrap();
        assert!(record.is_alive() && record.field_dots() == [title].into(), "{record:?}");
    }
    drop(hub);
    std::fs::remove_dir_all(folder).unwrap();
}
