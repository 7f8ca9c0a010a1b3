//! Many callers at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sync_core::{Checkpoint, Position, Store, StoreError};

use super::{Fresh, expect, ok, puts};

const WRITERS: u8 = 4;
const APPENDS: u8 = 25;

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
