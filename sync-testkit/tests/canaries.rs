//! The kit for stores finds what it is for: a store that breaks the contract in one place fails the case for that place.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sync_core::{Checkpoint, Heads, Position, Store, StoreError};
use sync_testkit::store::{Fresh, Open, crash, durable, journal, map, random, threads};

type Case = fn(&Fresh<'_>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bug {
    None,
    IgnoresExpected,
    SaysNotWhereItEnds,
    EmptyAppendUnchecked,
    ReusesPositions,
    PageBehindFrom,
    IgnoresLimits,
    EndsPagesByBytes,
    DropsOneTooMany,
    FirstStaysOne,
    CutsLongBytes,
    CutsLongKeys,
    EmptyIsNone,
    SignedOrder,
    EndIncluded,
    PutsBeforeDrops,
    ForgetsCovers,
    CoversGoBack,
    ForgetsOnOpening,
    ReclaimsTooMuch,
    OneForAll,
    ChecksThenWrites,
    WritesInParts,
    CheckpointsACopy,
    AppendsToACopy,
    DropsCommitsLater,
    ReadsLate,
}

#[derive(Debug, Clone, Default)]
struct Tables {
    journal: BTreeMap<Position, Vec<u8>>,
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    heads: Heads,
}

/// A store like the reference one, but for its bug.
struct Broken {
    bug: Bug,
    tables: Mutex<Tables>,
    /// What readers see, if they are late.
    before: Mutex<Tables>,
}

impl Broken {
    fn new(bug: Bug) -> Arc<Self> {
        Arc::new(Self { bug, tables: Mutex::default(), before: Mutex::default() })
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    fn seen(&self) -> Tables {
        let tables = if self.is(Bug::ReadsLate) { &self.before } else { &self.tables };
        tables.lock().expect("no panics").clone()
    }

    /// One step of a change; a whole change has one, unless the bug is to make several of it.
    fn step<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        let mut tables = self.tables.lock().expect("no panics");
        *self.before.lock().expect("no panics") = tables.clone();
        let value = change(&mut tables);
        drop(tables);
        if self.is(Bug::WritesInParts) {
            thread::sleep(Duration::from_micros(300));
        }
        value
    }

    /// A change that is made to a copy, which then takes the place of what is there by then.
    fn swap<T>(&self, change: impl FnOnce(&mut Tables) -> T) -> T {
        let mut tables = self.seen();
        let value = change(&mut tables);
        thread::sleep(Duration::from_micros(50));
        self.step(|now| *now = tables);
        value
    }

    fn limit(&self, limit: usize) -> usize {
        if self.is(Bug::IgnoresLimits) { usize::MAX } else { limit }
    }

    /// A page that ends where it has many bytes, or no less than what it should have.
    fn page<K>(&self, rows: impl Iterator<Item = (K, Vec<u8>)>) -> Vec<(K, Vec<u8>)> {
        let mut left: usize = if self.is(Bug::EndsPagesByBytes) { 16 << 20 } else { usize::MAX };
        rows.take_while(|(_, bytes)| {
            let fits = left > 0;
            left = left.saturating_sub(bytes.len());
            fits
        })
        .collect()
    }

    fn cut(&self, bytes: &[u8]) -> Vec<u8> {
        let kept = if self.is(Bug::CutsLongBytes) { bytes.len().min(65_535) } else { bytes.len() };
        bytes[..kept].to_vec()
    }

    fn key(&self, key: &[u8]) -> Vec<u8> {
        let kept = if self.is(Bug::CutsLongKeys) { key.len().min(511) } else { key.len() };
        key[..kept].to_vec()
    }
}

impl Store for Broken {
    fn heads(&self) -> Result<Heads, StoreError> {
        let tables = self.seen();
        let mut last = tables.heads.last;
        if self.is(Bug::ReusesPositions) && tables.journal.is_empty() {
            last = 0;
        }
        let kept = tables.journal.keys().next().copied().unwrap_or(last + 1);
        let first = if self.is(Bug::FirstStaysOne) { 1 } else { kept };
        Ok(Heads { first, last, covers: tables.heads.covers })
    }

    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        if commits.is_empty() && self.is(Bug::EmptyAppendUnchecked) {
            return Ok(expected);
        }
        let end = |tables: &Tables| match tables.journal.is_empty() && self.is(Bug::ReusesPositions) {
            true => 0,
            false => tables.heads.last,
        };
        let check = |tables: &Tables| {
            let last = end(tables);
            let said = if self.is(Bug::SaysNotWhereItEnds) { 0 } else { last };
            if last == expected || self.is(Bug::IgnoresExpected) {
                Ok(last)
            } else {
                Err(StoreError::Moved { last: said })
            }
        };
        let add = |tables: &mut Tables, last: Position, commits: &[&[u8]]| {
            tables.heads.last = last + commits.len() as u64;
            tables.journal.extend((last + 1..).zip(commits.iter().map(|commit| self.cut(commit))));
            tables.heads.last
        };
        if self.is(Bug::ChecksThenWrites) {
            let last = check(&self.seen())?;
            thread::sleep(Duration::from_micros(50));
            return Ok(self.step(|tables| add(tables, last, commits)));
        }
        if self.is(Bug::WritesInParts) {
            let mut last = check(&self.seen())?;
            commits.iter().for_each(|commit| last = self.step(|tables| add(tables, last, &[commit])));
            return Ok(last);
        }
        let change = |tables: &mut Tables| check(tables).map(|last| add(tables, last, commits));
        if self.is(Bug::AppendsToACopy) { self.swap(change) } else { self.step(change) }
    }

    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        let from = if self.is(Bug::PageBehindFrom) { from.saturating_add(1) } else { from };
        let seen = self.seen();
        Ok(self.page(seen.journal.range(from..).take(self.limit(limit)).map(|(at, row)| (*at, row.clone()))))
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let heads = self.seen().heads;
        if heads.covers > checkpoint.covers && !self.is(Bug::CoversGoBack) {
            return Err(StoreError::Moved { last: heads.last });
        }
        let drops: Vec<_> = checkpoint.drops.iter().map(|key| self.key(key)).collect();
        let drop_keys = |tables: &mut Tables| tables.map.retain(|key, _| !drops.contains(key));
        let put_keys = |tables: &mut Tables| {
            let puts = checkpoint.puts.iter().map(|(key, bytes)| (self.key(key), self.cut(bytes)));
            tables.map.extend(puts);
        };
        let drop_commits = |tables: &mut Tables| {
            tables.heads.covers = checkpoint.covers;
            let before = checkpoint.drop_before.saturating_add(u64::from(self.is(Bug::DropsOneTooMany)));
            tables.journal.retain(|at, _| *at >= before);
        };
        match self.bug {
            Bug::WritesInParts => {
                self.step(drop_keys);
                checkpoint
                    .puts
                    .iter()
                    .for_each(|(key, bytes)| drop(self.step(|tables| tables.map.insert(key.clone(), bytes.clone()))));
                self.step(drop_commits);
            }
            Bug::PutsBeforeDrops => self.step(|tables| {
                put_keys(tables);
                drop_keys(tables);
                drop_commits(tables);
            }),
            Bug::DropsCommitsLater => {
                self.step(|tables| {
                    drop_keys(tables);
                    put_keys(tables);
                });
                thread::sleep(Duration::from_micros(50));
                self.step(drop_commits);
            }
            bug => {
                let change = |tables: &mut Tables| {
                    drop_keys(tables);
                    put_keys(tables);
                    drop_commits(tables);
                };
                if bug == Bug::CheckpointsACopy { self.swap(change) } else { self.step(change) }
            }
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.seen().map.get(&self.key(key)).cloned();
        Ok(found.filter(|bytes| !(self.is(Bug::EmptyIsNone) && bytes.is_empty())))
    }

    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let (from, to) = (&*self.key(from), &*self.key(to));
        let to_is_in = self.is(Bug::EndIncluded);
        let within = |key: &[u8]| key >= from && (to.is_empty() || key < to || to_is_in && key == to);
        let mut found: Vec<_> = self.seen().map.into_iter().filter(|(key, _)| within(key)).collect();
        if self.is(Bug::SignedOrder) {
            found.sort_by_key(|(key, _)| key.iter().map(|byte| *byte as i8).collect::<Vec<_>>());
        }
        found.truncate(self.limit(limit));
        Ok(self.page(found.into_iter()))
    }

    fn reclaim(&self) -> Result<(), StoreError> {
        if self.is(Bug::ReclaimsTooMuch) {
            self.step(|tables| tables.journal.pop_first());
        }
        Ok(())
    }
}

/// Whether the case finds the bug.
fn finds(case: Case, bug: Bug) -> bool {
    let one_for_all = Broken::new(bug);
    let fresh = || -> Open {
        let store = if bug == Bug::OneForAll { one_for_all.clone() } else { Broken::new(bug) };
        Box::new(move || {
            let mut tables = store.tables.lock().expect("no panics");
            match bug {
                Bug::ForgetsCovers => tables.heads.covers = 0,
                Bug::ForgetsOnOpening => drop(tables.journal.pop_last()),
                _ => {}
            }
            drop(tables);
            store.clone()
        })
    };
    catch_unwind(AssertUnwindSafe(|| case(&fresh))).is_err()
}

#[test]
fn each_bug_is_found_by_the_case_for_it() {
    let cases: [(Bug, Case); 33] = [
        (Bug::IgnoresExpected, journal::a_moved_journal_refuses),
        (Bug::IgnoresExpected, threads::one_append_wins_each_position),
        (Bug::SaysNotWhereItEnds, journal::a_moved_journal_refuses),
        (Bug::EmptyAppendUnchecked, journal::a_moved_journal_refuses),
        (Bug::ReusesPositions, journal::positions_are_never_reused),
        (Bug::PageBehindFrom, journal::pages_are_bounded),
        (Bug::IgnoresLimits, journal::pages_are_bounded),
        (Bug::IgnoresLimits, map::ranges_are_in_order_and_bounded),
        (Bug::EndsPagesByBytes, journal::pages_of_large_commits_are_whole),
        (Bug::EndsPagesByBytes, map::ranges_of_large_values_are_whole),
        (Bug::DropsOneTooMany, journal::old_commits_are_dropped),
        (Bug::FirstStaysOne, journal::old_commits_are_dropped),
        (Bug::CutsLongBytes, journal::commits_are_any_bytes),
        (Bug::CutsLongBytes, map::large_values_are_whole),
        (Bug::CutsLongKeys, map::the_longest_keys_are_told_apart),
        (Bug::EmptyIsNone, map::keys_and_values_are_any_bytes),
        (Bug::SignedOrder, map::ranges_are_in_order_and_bounded),
        (Bug::EndIncluded, map::ranges_are_in_order_and_bounded),
        (Bug::PutsBeforeDrops, map::drops_come_before_puts),
        (Bug::ForgetsCovers, map::a_checkpoint_covers),
        (Bug::CoversGoBack, map::a_checkpoint_never_goes_back),
        (Bug::ForgetsOnOpening, durable::opening_again_keeps_all),
        (Bug::ForgetsOnOpening, crash::a_device_keeps_what_it_acknowledged),
        (Bug::ForgetsOnOpening, crash::a_hub_keeps_what_it_accepted),
        (Bug::ReclaimsTooMuch, durable::reclaiming_keeps_all),
        (Bug::OneForAll, durable::stores_share_nothing),
        (Bug::OneForAll, random::behaves_like_memory),
        (Bug::ChecksThenWrites, threads::one_append_wins_each_position),
        (Bug::WritesInParts, threads::no_half_of_a_call_is_seen),
        (Bug::CheckpointsACopy, threads::appends_go_on_beside_checkpoints),
        (Bug::AppendsToACopy, threads::appends_go_on_beside_checkpoints),
        (Bug::DropsCommitsLater, threads::appends_go_on_beside_checkpoints),
        (Bug::ReadsLate, threads::what_returned_is_seen_by_others),
    ];
    let missed: Vec<_> = cases.iter().enumerate().filter(|(_, (bug, case))| !finds(*case, *bug)).collect();
    assert!(missed.is_empty(), "not found: {:?}", missed.iter().map(|(n, (bug, _))| (n, bug)).collect::<Vec<_>>());
    let false_alarm = cases.iter().position(|(_, case)| finds(*case, Bug::None));
    assert_eq!(false_alarm, None, "the case of this line fails without a bug");
}

#[test]
fn random_histories_find_every_bug_that_is_no_race() {
    for bug in [
        Bug::IgnoresExpected,
        Bug::SaysNotWhereItEnds,
        Bug::EmptyAppendUnchecked,
        Bug::ReusesPositions,
        Bug::PageBehindFrom,
        Bug::IgnoresLimits,
        Bug::DropsOneTooMany,
        Bug::FirstStaysOne,
        Bug::EmptyIsNone,
        Bug::SignedOrder,
        Bug::EndIncluded,
        Bug::PutsBeforeDrops,
        Bug::ForgetsCovers,
        Bug::CoversGoBack,
        Bug::ForgetsOnOpening,
        Bug::ReclaimsTooMuch,
    ] {
        assert!(finds(random::behaves_like_memory, bug), "{bug:?} is not found");
    }
}
