//! What a hub drops: the beginning of its log, and what was deleted long ago.

use std::sync::Arc;

use super::support::*;
use sync_core::transport::{Epoch, HelloRequest, PullRequest, SnapshotRequest};
use sync_core::{Action, Cursor, Digest, Entry, Hub, MemoryStore, Store};

fn cursors(hub: &Hub) -> Vec<Cursor> {
    let mut cursors = vec![Cursor::default()];
    for (seq, entry) in log(hub, 100) {
        let before = cursors[seq as usize - 1].digest;
        cursors.push(Cursor { seq, digest: before.then(entry.hash()), ..hub.head() });
    }
    cursors
}

fn hello(hub: &Hub, cursor: Cursor) -> sync_core::transport::Hello {
    hub.hello("ada", &HelloRequest { cursor, ..HelloRequest::default() }).unwrap()
}

#[test]
fn a_log_that_was_cut_serves_what_is_left_of_it() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    for round in 0..200 {
        let batch: Vec<Entry> = (0..round % 5 + 1).map(|n| a.create(&format!("{round}-{n}"), "one")).collect();
        hub.push("ada", Some(2 * round), offers(&batch)).unwrap();
        // A refusal leaves a row without entries in the journal.
        let gone = [Client { next: a.next, ..a.clone() }.update("never", &a.dot(1), "two")];
        assert_eq!(words(hub.push("ada", Some(2 * round + 1), offers(&gone))), "!gone");
    }
    let cursors = cursors(&hub);
    let head = hub.head();
    for keep in [1_000, 300, 299, 40, 0] {
        hub.compact(keep).unwrap();
        for hub in [&hub, &open(store.clone())] {
            let tail = hello(hub, Cursor::default()).tail;
            assert!(tail <= head.seq.saturating_sub(keep) + 1 && tail + keep + 5 > head.seq, "{keep}: {tail}");
            for cursor in &cursors {
                let expired = cursor.seq + 1 < tail;
                let wrong = Cursor { digest: Digest(7), ..*cursor };
                assert!(hello(hub, *cursor).on_chain, "{cursor}");
                assert_eq!(hello(hub, wrong).on_chain, expired, "{cursor} cannot be told any more");
                let pull = |since| hub.pull(&PullRequest { since, limit: 1, ..PullRequest::default() });
                match pull(*cursor) {
                    Ok(page) if !expired => {
                        assert_eq!(page.cursor, cursors[head.seq.min(cursor.seq + 1) as usize]);
                        assert_eq!(pull(wrong).unwrap_err().code(), "diverged");
                    }
                    page => assert_eq!(page.unwrap_err().code(), "expired", "{keep}: {cursor}"),
                }
            }
        }
    }
    assert_eq!(store.heads().unwrap().first, store.heads().unwrap().last + 1);
    // What can no longer be told from another entry of its name is no fork; and what comes goes on.
    let hub = open(store);
    let mut again = Client::new("a");
    assert_eq!(push_words(&hub, &[again.create("0-0", "one")]), "error diverged");
    assert_eq!(push_words(&hub, &[a.create("new", "one")]), (head.seq + 1).to_string());
    let page = hub.snapshot(&SnapshotRequest::default()).unwrap();
    assert_eq!((page.cursor, known(&hub, "a").n), (hub.head(), head.seq + 1));
}

#[test]
fn a_hub_that_is_told_to_keeps_its_log_short_by_itself() {
    let store = Arc::new(MemoryStore::new());
    let hub = builder().checkpoint_every(16).keep_entries(50).open(store.clone()).unwrap();
    let mut a = Client::new("a");
    for n in 1..=1_000 {
        assert_eq!(push_words(&hub, &[a.create(&n.to_string(), "one")]), n.to_string());
        let tail = hello(&hub, Cursor::default()).tail;
        assert!(n - tail < 120 && (n < 50 || n - tail >= 49), "{n}: {tail}");
    }
    assert_eq!(open(store).head(), hub.head());
    assert_eq!(title(&hub, "1").as_deref(), Some("one"));
}

#[test]
fn a_snapshot_that_is_overtaken_by_a_compaction_begins_anew() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let creates: Vec<Entry> = (0..700).map(|n| a.create(&format!("{n:04}"), "one")).collect();
    push(&hub, &creates).unwrap();
    let page = hub.snapshot(&SnapshotRequest::default()).unwrap().next.unwrap();
    push(&hub, &[a.create("x", "one")]).unwrap();
    hub.compact(0).unwrap();
    let error = hub.snapshot(&SnapshotRequest { page }).unwrap_err();
    assert_eq!(error.code(), "expired");
}

#[test]
fn what_was_deleted_is_purged_for_all_and_writes_to_it_are_gone() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let creates: Vec<Entry> = ["old", "late", "hidden", "alive"].iter().map(|id| a.create(id, "one")).collect();
    let dots: Vec<_> = creates.iter().map(|entry| entry.dot().clone()).collect();
    push(&hub, &creates).unwrap();
    let mut delete = |at: usize, id: &str| {
        let mut delete = a.delete(id, &dots[at]);
        delete.saw = [dots[at].clone()].into();
        delete
    };
    let (old, mut late, hidden) = (delete(0, "old"), delete(1, "late"), delete(2, "hidden"));
    let before = hidden.origin.time + 1;
    late.origin.time = before;
    push(&hub, &[old, late, hidden]).unwrap();
    push(&hub, &[b.update("hidden", &dots[2], "unseen")]).unwrap();
    assert_eq!(hub.purge(before).unwrap(), 1);
    assert_eq!(hub.purge(before).unwrap(), 0, "once");
    for hub in [&hub, &open(store)] {
        let there = |id: &str| hub.record(&key(id)).unwrap().is_some();
        assert_eq!(["old", "late", "hidden", "alive"].map(there), [false, true, true, true]);
        let purge = log(hub, 100).pop().unwrap().1;
        assert_eq!((purge.action, &purge.of[..]), (Action::Purge, &dots[..1]));
        assert_eq!(push_words(hub, &[b.clone().update("old", &dots[0], "two")]), "!gone");
        hub.checkpoint().unwrap();
        assert_eq!(push_words(hub, &[b.clone().update("old", &dots[0], "two")]), "!gone");
        let page = hub.snapshot(&SnapshotRequest::default()).unwrap();
        assert_eq!(page.records.len(), 3);
    }
    // The id may be used again.
    assert_eq!(push_words(&hub, &[b.create("old", "anew")]), "10");
    assert_eq!(title(&hub, "old").as_deref(), Some("anew"));
}

#[test]
fn a_purge_during_a_snapshot_is_in_it() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let ids: Vec<String> = (0..700).map(|n| format!("{n:04}")).collect();
    let creates: Vec<Entry> = ids.iter().map(|id| a.create(id, "one")).collect();
    push(&hub, &creates).unwrap();
    let mut delete = a.delete("0001", creates[1].dot());
    delete.saw = [creates[1].dot().clone()].into();
    push(&hub, &[delete]).unwrap();
    hub.checkpoint().unwrap();
    let first = hub.snapshot(&SnapshotRequest::default()).unwrap();
    assert_eq!(hub.purge(u64::MAX).unwrap(), 1);
    let second = hub.snapshot(&SnapshotRequest { page: first.next.unwrap() }).unwrap();
    let third = hub.snapshot(&SnapshotRequest { page: second.next.unwrap() }).unwrap();
    assert_eq!(third.next, None);
    assert_eq!(third.records.len(), 1);
    assert!(third.records[0].0 == key("0001") && third.records[0].1.is_empty(), "{third:?}");
}

#[test]
fn what_is_older_than_is_to_be_kept_goes_by_itself() {
    let hands = Hands::new();
    let hub =
        builder().clock(Arc::new(hands.clone())).checkpoint_every(8).keep_for(1_000).open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    for n in 1..=100 {
        hands.set(NOW + n * 100);
        assert_eq!(push_words(&hub, &[a.create(&n.to_string(), "one")]), n.to_string());
        hub.tend().unwrap();
        let tail = hello(&hub, Cursor::default()).tail;
        // Ten are young enough, and it is looked at after every eighth.
        assert!(n - tail < 25 && (n < 12 || n - tail >= 9), "{n}: {tail}");
    }
    // Nothing comes any more, and all grows old.
    assert!(hub.maintain().unwrap().dropped < 25);
    hands.set(NOW + 20_000);
    assert!(hub.maintain().unwrap().dropped > 0);
    assert_eq!(hello(&hub, Cursor::default()).tail, 101);
    assert_eq!(hub.maintain().unwrap(), sync_core::Maintained::default());
    assert_eq!(title(&hub, "1").as_deref(), Some("one"));
    assert_eq!(push_words(&hub, &[a.create("new", "one")]), "101");
    assert_eq!(pull(&hub, hub.head(), 10).entries.len(), 0);
}

#[test]
fn upkeep_purges_what_was_deleted_long_enough_ago() {
    let hands = Hands::new();
    let hub = builder().clock(Arc::new(hands.clone())).purge_after(600_000).open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    for id in ["old", "new"] {
        let create = a.create(id, "one");
        let mut delete = a.delete(id, create.dot());
        delete.saw = [create.dot().clone()].into();
        push(&hub, &[create, delete]).unwrap();
        hands.set(NOW + 500_000);
        a.time = NOW + 500_000;
    }
    assert_eq!(hub.maintain().unwrap().purged, 0);
    hands.set(NOW + 610_000);
    assert_eq!(hub.maintain().unwrap().purged, 1);
    let there = |id: &str| hub.record(&key(id)).unwrap().is_some();
    assert_eq!(["old", "new"].map(there), [false, true]);
    // All records are looked at only every so often.
    hands.set(NOW + 650_000);
    assert_eq!(hub.maintain().unwrap().purged, 0);
    hands.set(NOW + 1_200_000);
    assert_eq!(hub.maintain().unwrap().purged, 1);
}

#[test]
fn upkeep_goes_on_where_the_clock_was_ahead_and_is_not_any_more() {
    let hands = Hands::new();
    let hub = builder().clock(Arc::new(hands.clone())).purge_after(600_000).open(MemoryStore::new()).unwrap();
    hands.set(NOW + 31_536_000_000);
    assert_eq!(hub.maintain().unwrap().purged, 0);
    hands.set(NOW);
    let mut a = Client::new("a");
    let create = a.create("old", "one");
    let mut delete = a.delete("old", create.dot());
    delete.saw = [create.dot().clone()].into();
    push(&hub, &[create, delete]).unwrap();
    hands.set(NOW + 700_000);
    assert_eq!(hub.maintain().unwrap().purged, 1);
}

#[test]
fn a_batch_that_is_taken_whole_is_served_as_it_came() {
    use sync_core::transport::compact;
    let store = Arc::new(MemoryStore::new());
    let hub = builder().checkpoint_every(50).open(store.clone()).unwrap();
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    for round in 0..30 {
        // Large and small, with and without intents, refused in part and repeated.
        let mut intent = u128::from(round as u32) << 64;
        let mut entries: Vec<Entry> =
            (0..1 + round % 5 * 20).map(|n| a.create(&format!("{round}-{n}"), "one")).collect();
        for entry in &mut entries {
            intent += if round % 3 == 0 { 1 } else { 7 };
            entry.intent = (round % 4 != 0).then_some(intent);
        }
        let pushed = |entries: &[Entry]| {
            let request = sync_core::transport::PushRequest { entries: entries.to_vec(), ..Default::default() };
            hub.push_batch("ada", compact::read_push(&compact::push(&request), 1_000).unwrap()).unwrap()
        };
        let reply = pushed(&entries);
        assert_eq!(pushed(&entries).verdicts, reply.verdicts, "again");
        let create = b.create(&format!("b{round}"), "two");
        let gone = b.clone().update("never", &a.dot(1), "two");
        let reply = pushed(&[create, gone]);
        assert!(matches!(reply.verdicts[1].1, sync_core::Verdict::Rejected(_)), "{reply:?}");
    }
    for hub in [&hub, &open(store.clone())] {
        let whole = log(hub, 100);
        for have in [None, Some(a.dot(40)), Some(a.dot(a.next - 1)), Some(b.dot(3))] {
            for limit in [1, 7, 60, 1_000] {
                let (mut since, mut entries) = (Cursor::default(), Vec::new());
                loop {
                    let request = PullRequest { since, limit, have: have.clone(), ..PullRequest::default() };
                    let packed = hub.pull_packed(&request).unwrap();
                    let mut bytes = packed.encode();
                    bytes.extend(compact::PackedPage::encode_time(5));
                    let page = compact::read_page(&bytes).unwrap();
                    assert_eq!((page.cursor, page.has_more, page.server_time), (packed.cursor, packed.has_more, 5));
                    assert!(page.cursor.seq > since.seq || !page.has_more);
                    assert!(page.entries.len() as u64 <= limit);
                    entries.extend(page.entries);
                    since = page.cursor;
                    if !page.has_more {
                        break;
                    }
                }
                assert_eq!(since, hub.head());
                let has = |entry: &Entry| {
                    have.as_ref().is_some_and(|h| h.client == entry.dot().client && entry.dot().n <= h.n)
                };
                let wanted = whole.iter().filter(|(_, entry)| !has(entry));
                let wanted: Vec<_> = wanted.map(|(seq, entry)| (*seq, Arc::new(entry.clone()))).collect();
                assert_eq!(entries, wanted, "{have:?} {limit}");
            }
        }
    }
}

#[test]
fn intents_outlive_the_log() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let intended = |mut entry: Entry, intent| {
        entry.intent = Some(intent);
        entry
    };
    assert_eq!(push_words(&hub, &[intended(a.create("1", "one"), 77), intended(a.create("2", "two"), 78)]), "1 2");
    hub.compact(0).unwrap();
    assert_eq!(hello(&hub, Cursor::default()).tail, 3);
    let copy = [intended(b.create("2", "two"), 78)];
    for hub in [&hub, &open(store.clone())] {
        assert_eq!(push_words(hub, &copy), "2=a-0000000000000002");
    }
    assert_eq!(
        push_words(&open(store), &[intended(b.clone().create("3", "three"), 79)]),
        "error diverged",
        "b has no 1"
    );
}

/// The oldest go first, and all of them leave nothing behind.
#[test]
fn intents_do_not_outlive_it_for_ever() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    // No two of them count up: each is a run by itself. They go row by row, a thousand at a time.
    for first in (0..33_000).step_by(1_000) {
        let some = (first..first + 1_000).map(|n| Entry { intent: Some(2 * n), ..a.create(&n.to_string(), "one") });
        let reply = hub.push("ada", None, offers(&some.collect::<Vec<_>>()));
        assert!(reply.is_ok(), "{reply:?}");
    }
    // Those of the log, and an eighth as many beyond it; a few hundred at the least.
    for (keep, known) in [(16_384, 17_000 + 3_000), (0, 1_000)] {
        hub.compact(keep).unwrap();
        assert_eq!(store.range(b"i", b"j", usize::MAX).unwrap().len(), known, "kept: {keep}");
    }
    let mut copy = Client::new("b");
    let again = |n: u128, copy: &mut Client| [Entry { intent: Some(2 * n), ..copy.create(&n.to_string(), "one") }];
    assert_eq!(push_words(&open(store.clone()), &again(32_999, &mut copy)), "33000=a-00000000000080e8");
    assert_eq!(store.range(b"k", b"l", usize::MAX).unwrap().len(), 1);
}

#[test]
fn a_log_that_went_on_elsewhere_is_told_after_it_was_cut() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    let mut push_one = |hub: &Hub, id: &str| push(hub, &[a.create(id, "one")]).map(|_| hub.head()).unwrap();
    let shared: Vec<Cursor> = (0..5).map(|n| push_one(&hub, &format!("shared{n}"))).collect();
    let put_back = Arc::new(store.copy());
    let there: Vec<Cursor> = (0..5).map(|n| push_one(&hub, &format!("there{n}"))).collect();
    // Opened anew, it is the same log, and so it is for another hub that writes to the same store meanwhile.
    let (hub, beside) = (open(store.clone()), open(store));
    let went_on: Vec<Cursor> = (0..6).map(|n| push_one([&hub, &beside][n % 2], &format!("went on{n}"))).collect();

    let other = open(put_back.clone());
    let mut b = Client::new("b");
    for n in 0..20 {
        push(&other, &[b.create(&format!("here{n}"), "one")]).unwrap();
    }
    for hub in [&hub, &other] {
        hub.compact(0).unwrap();
    }
    let pull =
        |hub: &Hub, since| hub.pull(&PullRequest { since, limit: 1, ..PullRequest::default() }).unwrap_err().code();
    for other in [other, open(put_back)] {
        for cursor in &shared {
            assert!(hello(&other, *cursor).on_chain, "{cursor}");
            assert_eq!(pull(&other, *cursor), "expired");
        }
        for cursor in there.iter().chain(&went_on) {
            assert!(!hello(&other, *cursor).on_chain, "{cursor}");
            assert_eq!(pull(&other, *cursor), "diverged");
            let untold = Cursor { epoch: Epoch::default(), ..*cursor };
            assert!(hello(&other, untold).on_chain, "of what nobody told nothing can be said");
        }
    }
    for cursor in shared.iter().chain(&there).chain(&went_on) {
        assert!(hello(&hub, *cursor).on_chain, "{cursor}");
        let elsewhere = Cursor { epoch: Epoch(7), ..*cursor };
        assert_eq!(hello(&hub, elsewhere).on_chain, cursor.seq == hub.head().seq, "{cursor}");
    }
}
