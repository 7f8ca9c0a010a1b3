//! Watchers: whoever watches hears of every change that was published, or is told to read everything anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use shuttle::{future, thread};
use sync_core::EntityKey;

use crate::inbox::{Change, RawWatch, Watchers};
use crate::under_every_schedule;

fn key(entity_type: &str, number: u32) -> EntityKey {
    EntityKey::new(entity_type, number.to_string())
}

/// What is told until this many keys are known or everything has to be read anew.
fn heard(watch: &RawWatch, count: usize, next: impl Fn(&RawWatch) -> Change<EntityKey>) -> Option<BTreeSet<EntityKey>> {
    let mut keys = BTreeSet::new();
    while keys.len() < count {
        match next(watch) {
            Change::Changed(key) => keys.insert(key),
            Change::Resync => return None,
        };
    }
    Some(keys)
}

fn polled(watch: &RawWatch) -> Change<EntityKey> {
    future::block_on(watch.next())
}

fn blocked(watch: &RawWatch) -> Change<EntityKey> {
    watch.next_timeout(Duration::from_secs(3_600)).expect("an hour does not pass here")
}

/// Two writers, and two who watch: one of everything in async code, one of a type in blocking code. A wake-up that is
/// forgotten leaves a thread that waits for ever, which shuttle reports.
fn writers_and_watchers(resync: bool) {
    let watchers = Arc::new(Watchers::default());
    let (all, notes) = (watchers.add(None), watchers.add(Some("note")));
    let write = |from: u32| {
        let watchers = watchers.clone();
        thread::spawn(move || {
            watchers.publish(&[key("note", from), key("tag", from)]);
            watchers.publish(&[key("note", from + 1)]);
            if resync && from == 0 {
                watchers.resync();
            }
        })
    };
    let writers = [write(0), write(10)];
    let of_all = thread::spawn(move || heard(&all, 6, polled));
    let of_notes = thread::spawn(move || heard(&notes, 4, blocked));
    let numbers = [0, 1, 10, 11].map(|number| key("note", number));
    let of_notes = of_notes.join().expect("what watches notes ends");
    assert!(of_notes.is_none_or(|keys| keys == BTreeSet::from(numbers.clone())));
    let of_all = of_all.join().expect("what watches everything ends");
    let tags = [0, 10].map(|number| key("tag", number));
    assert!(of_all.is_none_or(|keys| keys == numbers.into_iter().chain(tags).collect()));
    writers.into_iter().for_each(|writer| writer.join().expect("a writer ends"));
}

#[test]
fn every_change_is_told() {
    under_every_schedule(|| writers_and_watchers(false));
}

#[test]
fn after_a_resync_nothing_before_it_is_missed() {
    under_every_schedule(|| writers_and_watchers(true));
}

#[test]
fn one_that_is_far_behind_is_told_to_read_anew_and_hears_what_comes_after() {
    under_every_schedule(|| {
        let watchers = Arc::new(Watchers::default());
        let watch = watchers.add(None);
        let theirs = watchers.clone();
        let writer = thread::spawn(move || {
            let many: Vec<EntityKey> = (0..2_000).map(|number| key("note", number)).collect();
            theirs.publish(&many);
        });
        assert_eq!(polled(&watch), Change::Resync);
        writer.join().expect("the writer ends");
        watchers.publish(&[key("note", 7)]);
        assert_eq!(polled(&watch), Change::Changed(key("note", 7)));
        assert_eq!(watch.try_next(), None);
    });
}

#[test]
fn one_that_ends_while_something_is_published_is_forgotten() {
    under_every_schedule(|| {
        let watchers = Arc::new(Watchers::default());
        let (ends, stays) = (watchers.add(None), watchers.add(None));
        let theirs = watchers.clone();
        let writer = thread::spawn(move || theirs.publish(&[key("note", 1)]));
        drop(ends);
        assert_eq!(polled(&stays), Change::Changed(key("note", 1)));
        writer.join().expect("the writer ends");
    });
}
