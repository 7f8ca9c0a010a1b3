//! Many callers at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sync_core::{Checkpoint, Heads, KeyValue, Position, Store, StoreError};

use super::{Fresh, expect, ok, puts, row};

const WRITERS: u8 = 4;
const APPENDS: u8 = 25;

const CHECKPOINTS: u64 = 40;
/// After how many appends there is a pause: who never paused could keep a store whose lock is not fair for itself.
const AT_ONCE: u64 = 16;
const PAUSE: Duration = Duration::from_micros(50);
/// The last key that every one of these checkpoints puts: enough that it takes a moment.
const LAST_KEY: u8 = 199;

/// Appends race: each position is won by one of them, and no winner's commit is lost.
pub fn one_append_wins_each_position(fresh: &Fresh<'_>) {
    let store = fresh()();
    let won = thread::scope(|scope| {
        let racers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let store = &store;
                    move || race(&**store, writer)
                })
            })
            .collect();
        racers.into_iter().flat_map(|racer| racer.join().expect("a racer ends")).collect::<Vec<_>>()
    });
    let rows = ok("journal", store.journal(0, usize::MAX));
    let winners: BTreeMap<Position, Vec<u8>> = won.iter().cloned().collect();
    expect("positions won, each by one append", winners.len(), won.len());
    expect("the journal, by who was told to have won", rows, winners.into_iter().collect());
}

/// Appends again and again, where the store says that the journal ends; what it was told to have won.
fn race(store: &dyn Store, writer: u8) -> Vec<(Position, Vec<u8>)> {
    let mut won = Vec::new();
    let mut last = 0;
    for n in 0..APPENDS {
        let commit = vec![writer, n];
        loop {
            match store.append(last, &[&commit]) {
                Ok(position) => {
                    assert_eq!(position, last + 1, "the append after {last} was given {position}");
                    won.push((position, commit));
                    last = position;
                    break;
                }
                Err(StoreError::Moved { last: moved }) => {
                    assert!(moved > last, "Moved says that the journal ends at {moved}, but it had reached {last}");
                    last = moved;
                }
                // Another connection is writing.
                Err(StoreError::Locked { .. }) => thread::yield_now(),
                Err(error) => panic!("`append` failed in a race: {error} ({error:?})"),
            }
        }
    }
    won
}

/// While one thread appends three commits a time and puts two keys a checkpoint, others see all of a call or nothing.
pub fn no_half_of_a_call_is_seen(fresh: &Fresh<'_>) {
    let store = fresh()();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        look(&*store)
                    }
                })
            })
            .collect();
        let writing = Done(&done);
        for n in 0..40u64 {
            let bytes = n.to_be_bytes();
            ok("append", store.append(3 * n, &[&bytes, &bytes, &bytes]));
            let checkpoint = Checkpoint { covers: 3 * n, ..puts(&[(b"a", &bytes), (b"b", &bytes)]) };
            ok("checkpoint", store.checkpoint(&checkpoint));
        }
        drop(writing);
        for reader in readers {
            reader.join().expect("a reader saw half of a call");
        }
    });
    look(&*store);
}

/// Lets the readers end, also when the writer fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn look(store: &dyn Store) {
    let before = ok("heads", store.heads());
    assert_eq!(before.last % 3, 0, "three commits were appended at once, and {} are seen", before.last);
    assert_eq!(before.covers % 3, 0, "a checkpoint is seen that covers {}", before.covers);
    let rows = ok("journal", store.journal(1, usize::MAX));
    assert_eq!(rows.len() % 3, 0, "three commits were appended at once, and {} are seen", rows.len());
    assert!(rows.len() as u64 >= before.last, "{} commits are seen after {} were", rows.len(), before.last);
    assert!(rows.iter().zip(1..).all(|((at, _), n)| *at == n), "positions with a hole are seen");
    let map = ok("range", store.range(b"", b"", 10));
    assert!(map.windows(2).all(|pair| pair[0].1 == pair[1].1), "half of a checkpoint is seen: {map:?}");
    let after = ok("heads", store.heads());
    assert!(after.last >= before.last && after.covers >= before.covers, "the heads went back: {before:?}, {after:?}");
}

/// What every device does: one thread makes checkpoints while another appends. Neither undoes what the other was told is
/// done, then or after opening again, and a third sees all of a checkpoint or nothing.
pub fn appends_go_on_beside_checkpoints(fresh: &Fresh<'_>) {
    let open = fresh();
    let store = open();
    ok("checkpoint", store.checkpoint(&nth_checkpoint(0)));
    let beside = Beside::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !beside.is_over() {
                look_beside(&*store);
            }
        });
        let appender = scope.spawn(|| beside.append(&*store));
        let checkpoints = scope.spawn(|| beside.make_checkpoints(&*store));
        appender.join().expect("what is appended beside a checkpoint is kept");
        checkpoints.join().expect("a checkpoint beside appends is kept");
        reader.join().expect("a reader saw half of a call");
    });
    let last = beside.appended.load(Ordering::SeqCst);
    let all_is_there = |store: &dyn Store| {
        expect("the heads", ok("heads", store.heads()), Heads { first: CHECKPOINTS, last, covers: CHECKPOINTS });
        expect("the journal", ok("journal", store.journal(0, usize::MAX)), (CHECKPOINTS..=last).map(nth_row).collect());
        expect("the map", ok("range", store.range(b"", b"", usize::MAX)), nth_map(CHECKPOINTS));
    };
    all_is_there(&*store);
    drop(store);
    all_is_there(&*open());
}

/// How far the appends and the checkpoints that go on beside each other have come.
#[derive(Default)]
struct Beside {
    appended: AtomicU64,
    over: AtomicBool,
}

impl Beside {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Appends for as long as checkpoints are made.
    fn append(&self, store: &dyn Store) {
        let _over = Done(&self.over);
        let mut last = 0;
        while !self.is_over() {
            let (next, commit) = nth_row(last + 1);
            match when_free(|| store.append(last, &[&commit])) {
                Ok(position) => expect("the position of an append", position, next),
                Err(StoreError::Moved { last: moved }) => {
                    panic!("{last} commits were acknowledged, and nobody else appends, but Moved says {moved}")
                }
                Err(error) => panic!("`append` failed beside a checkpoint: {error} ({error:?})"),
            }
            expect("the journal's end after an append", ok("heads", store.heads()).last, next);
            expect("what was just appended", ok("journal", store.journal(next, 2)), vec![nth_row(next)]);
            last = next;
            self.appended.store(last, Ordering::SeqCst);
            if last.is_multiple_of(AT_ONCE) {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Each covers one commit more, and drops those before that.
    fn make_checkpoints(&self, store: &dyn Store) {
        let _over = Done(&self.over);
        let is_kept = |n: u64| {
            let heads = ok("heads", store.heads());
            expect("the heads after a checkpoint", heads, Heads { first: n.max(1), covers: n, ..heads });
            expect("the map after a checkpoint", ok("range", store.range(b"", b"", usize::MAX)), nth_map(n));
        };
        let mut before = 0;
        for n in 1..=CHECKPOINTS {
            while self.appended.load(Ordering::SeqCst) == before {
                if self.is_over() {
                    return;
                }
                thread::yield_now();
            }
            // What was appended beside the last one has returned.
            is_kept(n - 1);
            ok("checkpoint", when_free(|| store.checkpoint(&nth_checkpoint(n))));
            before = self.appended.load(Ordering::SeqCst);
            is_kept(n);
        }
    }
}

/// Calls again while another connection is writing.
fn when_free<T>(call: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    loop {
        match call() {
            Err(StoreError::Locked { .. }) => thread::yield_now(),
            done => return done,
        }
    }
}

fn nth_row(n: Position) -> (Position, Vec<u8>) {
    row(n, &n.to_be_bytes())
}

fn nth_checkpoint(n: u64) -> Checkpoint {
    let drops = n.checked_sub(1).map(nth_key).into_iter().collect();
    Checkpoint { covers: n, drop_before: n, puts: nth_map(n), drops }
}

/// The map after that checkpoint: some keys that each puts, and one that the next one drops.
fn nth_map(n: u64) -> Vec<KeyValue> {
    let keys = (0..=LAST_KEY).map(|key| vec![key]).chain([nth_key(n)]);
    keys.map(|key| (key, n.to_be_bytes().to_vec())).collect()
}

fn nth_key(n: u64) -> Vec<u8> {
    [&[LAST_KEY + 1][..], &n.to_be_bytes()].concat()
}

/// Whatever is read, of the journal or of the map, is of one checkpoint, and nothing is of an earlier one than what was
/// read before.
fn look_beside(store: &dyn Store) {
    let nth = |bytes: Option<&Vec<u8>>| {
        let n = bytes.and_then(|bytes| bytes.as_slice().try_into().ok());
        u64::from_be_bytes(n.expect("a key that every checkpoint puts has its number"))
    };
    let get = |key| nth(ok("get", store.get(&[key])).as_ref());
    let heads = ok("heads", store.heads());
    let map = ok("range", store.range(b"", b"", usize::MAX));
    let of_map = nth(map.first().map(|(_, bytes)| bytes));
    expect("the map beside a checkpoint", map, nth_map(of_map));
    let rows = ok("journal", store.journal(0, 10));
    let first = rows.first().map_or(1, |(position, _)| *position);
    expect("the journal beside a checkpoint", &rows, &(first..).map(nth_row).take(rows.len()).collect());
    let (last, other) = (get(LAST_KEY), get(0));
    let after = ok("heads", store.heads());
    for heads in [heads, after] {
        expect("the first position of what covers as much", heads.first, heads.covers.max(1));
    }
    let seen = [heads.covers, of_map, first, last, other, after.covers].map(|n| n.max(1));
    assert!(seen.is_sorted(), "checkpoints, in the order in which something of them was seen: {seen:?}");
}

/// What one thread was told is done, another sees.
pub fn what_returned_is_seen_by_others(fresh: &Fresh<'_>) {
    let store = fresh()();
    let store = &*store;
    for n in 1..=15u64 {
        ok("append", store.append(n - 1, &[b"commit"]));
        elsewhere(|| {
            expect("the heads after an append", ok("heads", store.heads()).last, n);
            expect("its rows", ok("journal", store.journal(n, 2)).len(), 1);
        });
        let bytes = n.to_be_bytes();
        ok("checkpoint", store.checkpoint(&Checkpoint { covers: n, ..puts(&[(b"n", &bytes)]) }));
        elsewhere(|| {
            expect("what a checkpoint covers", ok("heads", store.heads()).covers, n);
            expect("its key", ok("get", store.get(b"n")), Some(bytes.to_vec()));
        });
    }
}

/// Looks from another thread.
fn elsewhere(look: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(look).join().expect("another thread did not see what had returned"));
}
