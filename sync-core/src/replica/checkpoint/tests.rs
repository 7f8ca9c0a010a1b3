//! Pending entries and the map: whatever is written, offered and decided before, while and after a checkpoint is made, and
//! however that ends, they are all there, in memory or in the map, and found.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::cold::Cold;
use super::super::pending::Pending;
use super::super::row::{Decision, Row};
use super::super::{blocks, cold, meta};
use super::*;
use crate::memory::MemoryStore;
use crate::model::context::Known;
use crate::model::digest::Digest;
use crate::model::entry::{Action, Entry, Group};
use crate::model::op::Op;
use crate::model::stamp::{ClientId, Dot, Origin};
use crate::model::value::Value;
use crate::store::Store;
use crate::transport::{Cursor, Rejection};

/// How many pending entries are in front, in most processes.
const FRONT: usize = 6;
const FRONTS: [usize; 4] = [FRONT, FRONT, 2, 17];

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

struct Device {
    store: MemoryStore,
    journal: Vec<Row>,
    state: State,
    /// A checkpoint under way, and what it changes in the map.
    underway: Option<(Arc<Written>, Checkpoint)>,
    /// What is pending: of which entity, and under which number it was offered.
    expected: BTreeMap<u64, (EntityKey, Option<u64>)>,
}

/// An entry that everything stands on.
fn ground() -> Dot {
    Dot::new(ClientId::new("other"), 1)
}

fn new_state() -> State {
    let mut state = State::new(ClientId::new("this"));
    state.vector.set(ground().client, Known { n: 1, digest: Digest(1) });
    state.pending.cold.front = FRONT;
    state
}

impl Device {
    fn new() -> Self {
        let (store, state) = (MemoryStore::new(), new_state());
        Self { store, journal: Vec::new(), state, underway: None, expected: BTreeMap::new() }
    }

    fn commit(&mut self, row: Row) {
        cold::bring_in_for(&mut self.state, &self.store, &row).unwrap();
        self.state.apply(&row);
        self.journal.push(row);
    }

    fn write(&mut self, random: &mut Random) {
        let count = [1, 1, 1, 2, 5, 40][random.below(6) as usize];
        let first = self.state.next_local;
        let entry = |local: u64| {
            let key = EntityKey::new("note", ["a", "a\0", "ab", "b", "c", "d"][random.below(6) as usize]);
            let origin = Origin { dot: Dot::local(local), time: local, author: None };
            let mut entry = Entry::new(origin, key, Action::Update);
            entry.of = [ground()].into();
            entry.group = (count > 1).then_some(Group { first, count });
            Arc::new(entry)
        };
        let entries: Vec<Arc<Entry>> = (first..first + count).map(entry).collect();
        self.expected.extend(entries.iter().map(|entry| (entry.dot().n, (entry.key.clone(), None))));
        self.commit(Row::Write { entries, local: Vec::new(), forget: Vec::new() });
    }

    /// The first transactions are offered.
    fn offer(&mut self, random: &mut Random) {
        let front = self.state.pending.cold.front;
        while self.state.pending.front(0).count() < front && !self.state.pending.cold.range.is_empty() {
            let page = cold::read_page(&self.store, &self.state.pending.cold.range, front).unwrap();
            self.state.pending.take_page(page);
        }
        let (mut numbers, mut end, most) = (Vec::new(), 0, 1 + random.below(12));
        for (local, pending) in self.state.pending.front(0) {
            if local >= end && numbers.len() as u64 >= most {
                break;
            }
            end = pending.entry.group.map_or(local + 1, |group| group.first + group.count);
            numbers.push((local, self.state.accepted + 1 + numbers.len() as u64));
        }
        assert!(numbers.last().is_none_or(|(last, _)| last + 1 == end), "a transaction is offered whole: {numbers:?}");
        for (local, n) in &numbers {
            self.expected.get_mut(local).unwrap().1 = Some(*n);
        }
        self.commit(Row::Offer { attempt: self.state.attempt + 1, numbers });
    }

    /// What was offered is decided: all of it accepted, or the first transaction refused, and the others undecided.
    fn decide(&mut self, random: &mut Random) {
        let offered: Vec<u64> = self.state.pending.offered().map(|(_, local)| local).collect();
        let is_refused = random.below(4) == 0;
        let refused = offered.first().and_then(|local| self.state.group_of(*local)).map(|g| g.first..g.first + g.count);
        let refused = refused.or(offered.first().map(|local| *local..local + 1)).unwrap_or(0..0);
        let decision = |local: &u64| match (is_refused, refused.contains(local)) {
            (false, _) => Decision::Accepted,
            (true, false) => Decision::Again,
            (true, true) => Decision::Rejected(Rejection { code: "no".into(), message: String::new(), field: None }),
        };
        let decisions: Vec<(u64, Decision)> = offered.iter().map(|local| (*local, decision(local))).collect();
        for (local, decision) in &decisions {
            match decision {
                Decision::Again => self.expected.get_mut(local).unwrap().1 = None,
                _ => drop(self.expected.remove(local)),
            }
        }
        self.commit(Row::Verdicts { decisions, gone: Vec::new(), told: Cursor::default() });
    }

    fn begin_checkpoint(&mut self) {
        let position = self.journal.len() as u64;
        if self.underway.is_some() || position == self.state.covers {
            return;
        }
        let written = self.state.freeze(Mark { position, ..Mark::default() });
        let mut checkpoint = Checkpoint { covers: position, puts: written.small.clone(), ..Checkpoint::default() };
        written.put_undecided(&self.store, &mut checkpoint).unwrap();
        self.underway = Some((written, checkpoint));
    }

    /// It was carried out, and the store says so or gives an error; or it was not.
    fn end_checkpoint(&mut self, random: &mut Random) {
        let Some((written, checkpoint)) = self.underway.take() else { return };
        if random.below(3) == 0 {
            self.state.doubt(&written);
            self.state.give_back(&written);
        } else {
            self.store.checkpoint(&checkpoint).unwrap();
            self.state.take_in(&written);
        }
    }

    /// The process ended, and another one opens the file, which keeps so many in front.
    fn reopen(&mut self, front: usize) {
        self.underway = None;
        let covers = self.store.heads().unwrap().covers;
        self.state = meta::load(&self.store, Some(front)).unwrap().unwrap_or_else(new_state);
        self.state.pending.cold.front = front;
        self.state.covers = covers;
        for row in &self.journal[covers as usize..] {
            cold::bring_in_for(&mut self.state, &self.store, row).unwrap();
            self.state.apply(row);
        }
    }

    fn check(&self) {
        let Cold { range, runs, count, .. } = &self.state.pending.cold;
        let read = match range.is_empty() {
            true => Vec::new(),
            false => blocks::read(&self.store, range.clone(), usize::MAX).unwrap().0,
        };
        let read: Vec<_> = read.into_iter().flat_map(|block| block.entries).collect();
        assert_eq!(read.len() as u64, *count, "what is not in memory is counted");
        let state = |(local, pending): (u64, &Pending)| (local, (pending.entry.key.clone(), pending.offered));
        let mut all: BTreeMap<_, _> = self.state.pending.iter().map(state).collect();
        all.extend(read.iter().map(|(local, pending)| state((*local, pending))));
        assert_eq!(all, self.expected);
        self.check_index(runs, range, &read);
    }

    fn check_index(&self, runs: &[Range<u64>], range: &Range<u64>, read: &[(u64, Pending)]) {
        let of = |key: &EntityKey| -> Vec<u64> {
            read.iter().filter(|(_, p)| p.entry.key == *key).map(|(local, _)| *local).collect()
        };
        let keys: BTreeSet<EntityKey> = read.iter().map(|(_, pending)| pending.entry.key.clone()).collect();
        for key in &keys {
            let found = blocks::entries_of(&self.store, runs, key, range).unwrap();
            assert_eq!(found.into_keys().collect::<Vec<u64>>(), of(key), "what is of {key:?}");
        }
        assert_eq!(blocks::entities(&self.store, runs, range, None, None, None).unwrap(), keys);
        let note = EntityKey::new("note", "a\0");
        let behind: BTreeSet<EntityKey> = keys.into_iter().filter(|key| *key > note).collect();
        assert_eq!(blocks::entities(&self.store, runs, range, Some(&note), Some("note"), None).unwrap(), behind);
    }
}

#[test]
fn whatever_comes_in_between_nothing_pending_is_lost_or_comes_back() {
    let mut left_memory = 0;
    for seed in 0..400 {
        let (mut random, mut device) = (Random(seed), Device::new());
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..120 {
                match random.below(20) {
                    0..7 => device.write(&mut random),
                    7..10 => device.offer(&mut random),
                    10..13 => device.decide(&mut random),
                    13..16 => device.begin_checkpoint(),
                    16..19 => device.end_checkpoint(&mut random),
                    _ => device.reopen(FRONTS[random.below(4) as usize]),
                }
                device.check();
                left_memory += u64::from(device.state.pending.cold.count > 0);
            }
            while !device.expected.is_empty() {
                device.offer(&mut random);
                device.decide(&mut random);
                device.check();
            }
            device.underway = None;
            device.reopen(FRONT);
            device.begin_checkpoint();
            let (written, checkpoint) = device.underway.take().unwrap();
            device.store.checkpoint(&checkpoint).unwrap();
            device.state.take_in(&written);
            assert_eq!(device.store.range(b"p", b"r", 9).unwrap(), [], "nothing stays in the map");
        }));
        assert!(outcome.is_ok(), "seed {seed}");
    }
    assert!(left_memory > 10_000, "of 48,000 steps only at {left_memory} something was not in memory");
}

#[test]
fn what_was_in_memory_by_a_larger_front_is_found_when_it_leaves() {
    let mut device = Device::new();
    device.state.pending.cold.front = 70;
    let write = |device: &mut Device, locals: Range<u64>| {
        let group = Group { first: locals.start, count: locals.end - locals.start };
        let entry = |local: u64| {
            let origin = Origin { dot: Dot::local(local), time: local, author: None };
            let mut entry = Entry::new(origin, EntityKey::new("note", local.to_string()), Action::Update);
            entry.of = [ground()].into();
            entry.group = (group.count > 1).then_some(group);
            Arc::new(entry)
        };
        let entries: Vec<Arc<Entry>> = locals.map(entry).collect();
        device.expected.extend(entries.iter().map(|entry| (entry.dot().n, (entry.key.clone(), None))));
        device.commit(Row::Write { entries, local: Vec::new(), forget: Vec::new() });
    };
    let checkpoint = |device: &mut Device| {
        device.begin_checkpoint();
        let (written, checkpoint) = device.underway.take().unwrap();
        device.store.checkpoint(&checkpoint).unwrap();
        device.state.take_in(&written);
        device.check();
    };
    for local in 1..72 {
        write(&mut device, local..local + 1);
        checkpoint(&mut device);
    }
    // A page that begins within the smaller front ends behind the whole of this transaction, which is all that left.
    write(&mut device, 72..147);
    checkpoint(&mut device);
    assert_eq!(device.state.pending.cold.range, 72..147);
    device.reopen(64);
    device.check();
    device.commit(Row::Synced(1));
    checkpoint(&mut device);
    assert!(device.state.pending.cold.range.start < 72, "what left is more than before");
}

/// An entry written here, with a value of so many bytes.
fn of_bytes(local: u64, bytes: usize) -> Arc<Entry> {
    let origin = Origin { dot: Dot::local(local), time: local, author: None };
    let mut entry = Entry::new(origin, EntityKey::new("note", local.to_string()), Action::Update);
    entry.of = [ground()].into();
    entry.fields = vec![("text".into(), Op::Assign(Value::from("x".repeat(bytes).as_str())))];
    Arc::new(entry)
}

#[test]
fn heavy_entries_leave_memory_where_as_many_light_ones_stay() {
    for (bytes, leave) in [(100, false), (4_096, true)] {
        let mut device = Device::new();
        device.state.pending.cold.front = 512;
        let entries: Vec<Arc<Entry>> = (1..201).map(|local| of_bytes(local, bytes)).collect();
        device.expected.extend(entries.iter().map(|entry| (entry.dot().n, (entry.key.clone(), None))));
        let rows = entries.into_iter().map(|entry| Row::Write { entries: vec![entry], local: vec![], forget: vec![] });
        rows.for_each(|row| device.commit(row));
        device.begin_checkpoint();
        let (written, checkpoint) = device.underway.take().unwrap();
        device.store.checkpoint(&checkpoint).unwrap();
        device.state.take_in(&written);
        assert_eq!(!device.state.pending.cold.range.is_empty(), leave, "{bytes} bytes each");
        device.check();
        // What comes back is as little.
        device.reopen(512);
        assert_eq!(device.state.pending.resident() < 200, leave, "{bytes} bytes each");
        device.check();
    }
}

#[test]
fn what_is_not_stored_weighs_what_it_does() {
    let mut device = Device::new();
    for (local, bytes) in [(1, 10), (2, 10), (3, 10), (4, 300)] {
        device.commit(Row::Write { entries: vec![of_bytes(local, bytes)], local: vec![], forget: vec![] });
    }
    assert_eq!(device.state.pending.unstored_weight(), 5, "three of one and one of two");
}
