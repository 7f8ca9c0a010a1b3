//! Transactions: accepted or refused whole, never split by a page.

use std::sync::Arc;

use super::support::*;
use sync_core::transport::{PullRequest, Rejection};
use sync_core::{Action, Cursor, Group, MemoryStore, Offer};

#[test]
fn a_complete_group_is_accepted_whole() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let one = a.create("1", "one");
    let group = a.group(&["2", "3"]);
    let five = a.create("4", "four");
    let push = [vec![one], group, vec![five]].concat();
    assert_eq!(push_words(&hub, &push), "1 2 3 4");
    assert_eq!(push_words(&hub, &push), "1 2 3 4", "and again after a lost reply");
    assert_eq!(push_words(&hub, &push[1..2]), "2", "also a part of it");
}

#[test]
fn an_incomplete_group_is_malformed_and_nothing_of_it_is_taken() {
    let table: [(&str, fn(&mut Vec<sync_core::Entry>)); 6] = [
        ("!malformed", |group| drop(group.pop())),
        ("!malformed !malformed", |group| group[1].group = None),
        ("!malformed !malformed", |group| group[1].group = Some(Group { first: 1, count: 3 })),
        ("!malformed !malformed", |group| group[1].group = Some(Group { first: 2, count: 1 })),
        ("!malformed !malformed", |group| group.iter_mut().for_each(|e| e.group = Some(Group { first: 1, count: 3 }))),
        // The first says it stands alone; the second that it belongs to the first.
        ("1 !malformed", |group| group[0].group = Some(Group { first: 1, count: 1 })),
    ];
    for (at, (expected, break_it)) in table.into_iter().enumerate() {
        let hub = open(MemoryStore::new());
        let mut group = Client::new("a").group(&["1", "2"]);
        break_it(&mut group);
        let words = push_words(&hub, &group);
        assert_eq!(words, expected, "{at}");
    }
}

#[test]
fn a_group_without_its_own_entry_is_that_entry_s_fault_alone() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let (one, mut two) = (a.create("1", "one"), a.create("2", "two"));
    two.group = Some(Group { first: 1, count: 1 });
    assert_eq!(push_words(&hub, &[one, two]), "1 !malformed");
    // What cannot be read belongs to the group of the next entry, if that group begins there.
    let mut b = Client::new("b");
    let (one, mut two) = (b.create("1", "one"), b.create("2", "two"));
    two.group = Some(Group { first: 2, count: 1 });
    let rejection = Rejection { code: "malformed".into(), message: "no".into(), field: None };
    let offers = vec![Offer::Malformed { id: one.id(), rejection }, Offer::Entry(two)];
    assert_eq!(words(hub.push("ada", None, offers)), "!malformed ?");
}

#[test]
fn the_culprit_gets_its_reason_and_the_rest_of_the_group_another() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let mut group = a.group(&["1", "2", "3"]);
    group[1].action = Action::Purge;
    let after = a.create("4", "four");
    let push = [group, vec![after]].concat();
    assert_eq!(push_words(&hub, &push), "!group !forbidden !group ?");
    // By the state, too; and what was staged for the group is forgotten.
    let mut a = Client::new("a");
    let mut group = a.group(&["1", "2", "3"]);
    group[2] = {
        a.next -= 1;
        a.update("1", &a.dot(2), "title")
    };
    group[2].group = group[0].group;
    assert_eq!(push_words(&hub, &group), "!group !group !gone");
    assert_eq!(hub.head().seq, 0);
    // One that cannot be read, wherever it stands.
    for at in 0..3 {
        let group = Client::new("b").group(&["1", "2", "3"]);
        let mut offers = offers(&group);
        let rejection = Rejection { code: "malformed".into(), message: "no".into(), field: None };
        offers[at] = Offer::Malformed { id: group[at].id(), rejection };
        let mut expected = ["!group"; 3];
        expected[at] = "!malformed";
        assert_eq!(words(hub.push("ada", None, offers)), expected.join(" "));
    }
}

#[test]
fn a_group_behind_what_was_not_accepted_waits_whole() {
    let limits = small_limits();
    let hub = builder().limits(limits).open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    let gone = a.update("never", &a.dot(1), "one");
    let mut gone = gone;
    gone.of.clear();
    let group = a.group(&["1", "2"]);
    assert_eq!(push_words(&hub, &[vec![gone], group].concat()), "!gone ? ?");
    let mut b = Client::new("b");
    let mut group = b.group(&["1", "2"]);
    group[1].origin.time = NOW + limits.drift + 1;
    assert_eq!(push_words(&hub, &[group, vec![b.create("3", "three")]].concat()), "?clock ?clock ?");
    assert_eq!(hub.head().seq, 0);
}

#[test]
fn a_group_whose_intents_were_accepted_is_known_whole() {
    let hub = open(MemoryStore::new());
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let with_intents = |mut group: Vec<sync_core::Entry>, from: u128| {
        group.iter_mut().zip(from..).for_each(|(entry, intent)| entry.intent = Some(intent));
        group
    };
    let group = with_intents(a.group(&["1", "2"]), 7);
    assert_eq!(push_words(&hub, &group), "1 2");
    let copy = with_intents(b.group(&["1", "2"]), 7);
    let push = [copy, vec![b.create("3", "three")]].concat();
    assert_eq!(push_words(&hub, &push), "1=a-0000000000000001 2=a-0000000000000002 ?");
    let torn = with_intents(Client::new("c").group(&["1", "2"]), 8);
    assert_eq!(push_words(&hub, &torn), "!group !group", "a part was known, and a part was not");
}

#[test]
fn a_page_never_splits_a_group() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    let one = a.create("1", "one");
    let group = a.group(&["2", "3", "4"]);
    let five = a.create("5", "five");
    assert_eq!(push_words(&hub, &[vec![one], group, vec![five]].concat()), "1 2 3 4 5");
    for hub in [hub, open(store)] {
        let ends = |limit| {
            let mut ends = Vec::new();
            let mut cursor = Cursor::default();
            while cursor.seq < 5 {
                cursor = hub.pull(&PullRequest { since: cursor, limit, ..PullRequest::default() }).unwrap().cursor;
                ends.push(cursor.seq);
            }
            ends
        };
        assert_eq!(ends(1), [1, 4, 5]);
        assert_eq!(ends(2), [4, 5]);
        assert_eq!(ends(4), [4, 5]);
        assert_eq!(ends(0), [1, 4, 5], "no limit is none below one");
        assert_eq!(ends(u64::MAX), [5]);
    }
}
