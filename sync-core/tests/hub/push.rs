//! What a hub answers to pushes of numbered entries.

use std::sync::Arc;

use super::support::*;
use sync_core::transport::Rejection;
use sync_core::{Action, ClientId, Dot, Dots, Entry, MemoryStore, Offer, Op, Value, Verdict};

#[test]
fn accepts_in_order_and_numbers_densely() {
    let hub = open(MemoryStore::new());
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    assert_eq!(push_words(&hub, &[a.create("x", "one"), a.create("y", "two")]), "1 2");
    let create = a.dot(1);
    assert_eq!(push_words(&hub, &[b.update("x", &create, "three")]), "3");
    assert_eq!(hub.head().seq, 3);
    assert_eq!(title(&hub, "x").as_deref(), Some("three"));
    let ids: Vec<String> = log(&hub, 2).iter().map(|(seq, entry)| format!("{seq} {}", entry.id())).collect();
    assert_eq!(ids, ["1 a-0000000000000001", "2 a-0000000000000002", "3 b-0000000000000001"]);
}

#[test]
fn a_lost_reply_is_harmless_also_after_checkpoints_and_restarts() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let mut a = Client::new("a");
    let entries = [a.create("x", "one"), a.create("y", "two"), a.create("z", "three")];
    assert_eq!(push_words(&open(store.clone()), &entries[..2]), "1 2");
    assert_eq!(push_words(&open(store.clone()), &entries), "1 2 3");
    open(store.clone()).checkpoint().unwrap();
    assert_eq!(push_words(&open(store.clone()), &entries), "1 2 3");
    assert_eq!(open(store).head().seq, 3);
}

#[test]
fn an_attempt_of_zero_is_as_none() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    for seq in ["1", "2"] {
        assert_eq!(words(hub.push("ada", Some(0), offers(&[a.create("x", "one")]))), seq);
    }
}

#[test]
fn an_entry_stands_on_a_create_of_its_own_entity() {
    struct Anything;
    impl sync_core::Validate for Anything {
        fn validate(&self, _: &sync_core::hub::Proposed<'_>) -> Result<(), Rejection> {
            Ok(())
        }
    }
    // With a validator the hub looks at whole records, without at the creates alone.
    for hub in [builder(), builder().validate(std::sync::Arc::new(Anything))] {
        let hub = hub.open(MemoryStore::new()).unwrap();
        let mut a = Client::new("a");
        assert_eq!(push_words(&hub, &[a.create("x", "one"), a.create("y", "two")]), "1 2");
        let other = a.update("x", &a.dot(2), "three");
        assert_eq!(push_words(&hub, &[other]), "!gone");
        a.next -= 1;
        let nothing = Entry { of: Vec::new().into(), ..a.update("x", &a.dot(2), "three") };
        assert_eq!(push_words(&hub, &[nothing]), "!gone");
        a.next -= 1;
        assert_eq!(push_words(&hub, &[a.update("x", &a.dot(1), "three")]), "3");
    }
}

#[test]
fn the_offers_order_does_not_matter_and_repetitions_are_taken_once() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let (one, two) = (a.create("x", "one"), a.create("y", "two"));
    assert_eq!(push_words(&hub, &[two.clone(), one.clone(), two]), "2 1 2");
    assert_eq!(hub.head().seq, 2);
}

#[test]
fn another_entry_of_the_same_name_is_a_fork() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let mut a = Client::new("a");
    let mut copy = a.clone();
    let hub = open(store.clone());
    assert_eq!(push_words(&hub, &[a.create("x", "one")]), "1");
    let forked = [copy.create("x", "other"), copy.create("y", "more")];
    assert_eq!(push_words(&hub, &forked), "error forked");
    hub.checkpoint().unwrap();
    assert_eq!(push_words(&hub, &forked), "error forked");
    assert_eq!(push_words(&open(store), &forked), "error forked");
    assert_eq!(hub.head().seq, 1);
    // Within one push too.
    let mut b = Client::new("b");
    let mut copy = b.clone();
    assert_eq!(push_words(&hub, &[b.create("x", "one"), copy.create("x", "other")]), "error forked");
}

#[test]
fn the_same_content_that_was_meant_twice_is_a_fork() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let mut a = Client::new("a");
    let one = Entry { intent: Some(7), ..a.create("x", "one") };
    let other = Entry { intent: Some(8), ..one.clone() };
    let unsaid = Entry { intent: None, ..one.clone() };
    assert_eq!(push_words(&open(store.clone()), &[one.clone(), other.clone()]), "error forked");
    assert_eq!(push_words(&open(store.clone()), std::slice::from_ref(&one)), "1");
    let answers =
        |hub: &sync_core::Hub| [&one, &other, &unsaid].map(|entry| push_words(hub, std::slice::from_ref(entry)));
    assert_eq!(answers(&open(store.clone())), ["1", "error forked", "1"]);
    open(store.clone()).checkpoint().unwrap();
    assert_eq!(answers(&open(store)), ["1", "error forked", "1"]);
    // Nothing is known of what the first one meant that came without an intent.
    let hub = open(MemoryStore::new());
    assert_eq!(push_words(&hub, std::slice::from_ref(&unsaid)), "1");
    assert_eq!(answers(&hub), ["1"; 3]);
}

#[test]
fn skipped_numbers_and_unknown_names_are_diverged_and_take_nothing() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let one = a.create("x", "one");
    let _lost = a.create("y", "two");
    let three = a.create("z", "three");
    assert_eq!(push_words(&hub, &[one.clone(), three]), "error diverged");
    assert_eq!(hub.head().seq, 0);
    let mut b = Client::new("b");
    let mut naming = b.create("x", "one");
    for names in [Client::new("never").dot(1), b.dot(2), b.dot(1)] {
        naming.saw = [names].into();
        assert_eq!(push_words(&hub, &[one.clone(), naming.clone()]), "error diverged");
    }
    assert_eq!(hub.head().seq, 0);
    // What stands earlier in the same push may be named.
    let create = b.create("w", "w");
    let update = b.update("w", &b.dot(b.next - 1), "v");
    let shifted = |mut entry: sync_core::Entry| {
        entry.origin.dot.n -= 1;
        entry.of.iter_mut().for_each(|dot| dot.n -= 1);
        entry
    };
    assert_eq!(push_words(&hub, &[shifted(create), shifted(update)]), "1 2");
}

#[test]
fn behind_the_first_not_accepted_only_the_invalid_is_decided() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let one = a.create("1", "one");
    let gone = a.update("never", &a.dot(1), "two");
    let fine = a.create("3", "three");
    let mut invalid = a.create("4", "four");
    invalid.action = Action::Purge;
    let also_gone = a.update("never", &a.dot(1), "five");
    let push = [one, gone, fine, invalid, also_gone];
    assert_eq!(push_words(&hub, &push), "1 !gone ? !forbidden ?");
    // Those that were set aside keep no number: the rest moves up.
    let mut rest = vec![push[2].clone(), push[4].clone()];
    rest[0].origin.dot.n = 2;
    rest[1].origin.dot.n = 3;
    assert_eq!(push_words(&hub, &rest), "2 !gone");
    assert_eq!(known(&hub, "a").n, 2);
}

#[test]
fn what_could_not_be_read_gets_its_verdict_in_its_place() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let (one, two, three) = (a.create("1", "one"), a.create("2", "two"), a.create("3", "three"));
    let unread = |id: String| {
        let rejection = Rejection { code: "malformed".into(), message: "`payload` is missing".into(), field: None };
        Offer::Malformed { id, rejection }
    };
    for id in [two.id(), "?".to_owned(), String::new()] {
        let push = vec![Offer::Entry(one.clone()), unread(id.clone()), Offer::Entry(three.clone())];
        let reply = hub.push("ada", None, push).unwrap();
        assert_eq!(reply.verdicts[1].0, id);
        assert_eq!(words(Ok(reply)), "1 !malformed ?");
    }
    assert_eq!(words(hub.push("ada", None, vec![unread("?".into())])), "!malformed");
    assert_eq!(words(hub.push("ada", None, vec![unread("?".into()), Offer::Entry(two)])), "!malformed 2");
    assert_eq!(hub.head().seq, 2);
}

/// An operation on a set.
fn set(insert: &[&str], remove: &[&str]) -> Op {
    let remove = remove.iter().map(|element| (Value::from(*element), Dots::new()));
    Op::Set { insert: insert.iter().copied().map(Value::from).collect(), remove: remove.collect() }
}

#[test]
fn what_is_wrong_with_an_entry_by_itself_is_rejected_with_the_member() {
    let hub = builder().limits(small_limits()).open(MemoryStore::new()).unwrap();
    let deep = Value::parse("[[[[1]]]]").unwrap();
    let wide = Value::from("x".repeat(600));
    type Break = Box<dyn Fn(&mut sync_core::Entry)>;
    let table: Vec<(&str, &str, Break)> = vec![
        ("forbidden", "type", Box::new(|e| e.action = Action::Purge)),
        ("malformed", "of", Box::new(|e| e.of = [e.origin.dot.clone()].into())),
        ("malformed", "payload", Box::new(|e| e.action = Action::Restore)),
        ("malformed", "payload", Box::new(|e| e.fields.push(e.fields[0].clone()))),
        ("malformed", "$f", Box::new(|e| e.fields[0].0 = "$f".into())),
        ("malformed", "", Box::new(|e| e.fields[0].0 = "".into())),
        ("malformed", "replaces", Box::new(|e| e.replaces = vec![("$deleted".into(), Dots::new())])),
        (
            "malformed",
            "replaces",
            Box::new(|e| e.replaces = vec![("b".into(), Dots::new()), ("a".into(), Dots::new())]),
        ),
        (
            "malformed",
            "replaces",
            Box::new(|e| e.replaces = vec![("a".into(), Dots::new()), ("a".into(), Dots::new())]),
        ),
        ("malformed", "title", Box::new(|e| e.fields = vec![("title".into(), set(&["b", "a"], &[]))])),
        ("malformed", "title", Box::new(|e| e.fields = vec![("title".into(), set(&["a", "a"], &[]))])),
        ("malformed", "title", Box::new(|e| e.fields = vec![("title".into(), set(&[], &["a", "a"]))])),
        ("malformed", "logicalTime", Box::new(|e| e.origin.time = u64::MAX)),
        ("malformed", "entityType", Box::new(|e| e.key.entity_type = "no\0te".into())),
        ("malformed", "entityType", Box::new(|e| e.key.entity_type = "".into())),
        ("malformed", "entityId", Box::new(|e| e.key.id = "".into())),
        ("malformed", "entityId", Box::new(|e| e.key.id = "x".repeat(513).into())),
        ("malformed", "n", Box::new(|e| e.origin.dot.n = 0)),
        ("malformed", "n", Box::new(|e| e.foreign_id = Some("id".into()))),
        ("malformed", "group", Box::new(|e| e.group = Some(sync_core::Group { first: 2, count: 2 }))),
        ("malformed", "group", Box::new(|e| e.group = Some(sync_core::Group { first: 1, count: 2 }))),
        ("malformed", "group", Box::new(|e| e.group = Some(sync_core::Group { first: 1, count: 4 }))),
        ("malformed", "group", Box::new(|e| e.group = Some(sync_core::Group { first: 1, count: u64::MAX }))),
        ("depth", "title", Box::new(move |e| e.fields[0].1 = Op::Assign(deep.clone()))),
        ("entry_bytes", "", Box::new(move |e| e.fields[0].1 = Op::Assign(wide.clone()))),
        ("entry_bytes", "", Box::new(|e| e.key.id = "\u{1}".repeat(100).into())),
    ];
    for (at, (code, field, break_it)) in table.iter().enumerate() {
        let mut entry = Client::new("a").create("x", "one");
        break_it(&mut entry);
        let reply = push(&hub, &[entry]).unwrap();
        let Verdict::Rejected(rejection) = &reply.verdicts[0].1 else { panic!("{at}: {reply:?}") };
        assert_eq!(
            (&rejection.code[..], rejection.field.as_deref().unwrap_or("")),
            (*code, *field),
            "{at}: {rejection:?}"
        );
    }
    assert_eq!(hub.head().seq, 0);
    let mut a = Client::new("a");
    let many: Vec<_> = (0..9).map(|n| a.create(&n.to_string(), "many")).collect();
    assert_eq!(push_words(&hub, &many), "error too_large");
}

#[test]
fn a_stamp_too_far_ahead_is_decided_later() {
    let hands = Hands::new();
    let limits = small_limits();
    let hub = builder().limits(limits).clock(std::sync::Arc::new(hands.clone())).open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    a.time = NOW + limits.drift - 1;
    let (at_the_edge, beyond, mut behind) = (a.create("1", "one"), a.create("2", "two"), a.create("3", "three"));
    behind.origin.time = NOW;
    assert_eq!(push_words(&hub, &[at_the_edge.clone(), beyond.clone(), behind.clone()]), "1 ?clock ?");
    hands.set(NOW + 1);
    assert_eq!(push_words(&hub, &[at_the_edge, beyond, behind]), "1 2 3");
    // The greatest accepted stamp may be followed by the next one, and no drift is added to it.
    hands.set(0);
    let mut b = Client::new("b");
    b.time = NOW + limits.drift + 1;
    assert_eq!(push_words(&hub, &[b.create("4", "four")]), "4");
    b.time += 1;
    assert_eq!(push_words(&hub, &[b.create("5", "five")]), "?clock");
}

#[test]
fn a_lower_attempt_is_superseded() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    let one = [a.create("1", "one")];
    assert_eq!(words(hub.push("ada", Some(5), offers(&one))), "1");
    assert_eq!(words(hub.push("ada", Some(5), offers(&one))), "1", "the same request once more");
    assert_eq!(words(hub.push("ada", Some(4), offers(&one))), "error superseded");
    // A refusal counts as well, at every hub of the store and after a restart.
    let gone = [a.update("never", &a.dot(1), "two")];
    assert_eq!(words(hub.push("ada", Some(9), offers(&gone))), "!gone");
    let late = [Client { next: 2, ..a.clone() }.create("2", "two")];
    assert_eq!(words(hub.push("ada", Some(8), offers(&late))), "error superseded");
    assert_eq!(words(open(store.clone()).push("ada", Some(8), offers(&late))), "error superseded");
    hub.checkpoint().unwrap();
    assert_eq!(words(open(store).push("ada", Some(8), offers(&late))), "error superseded");
    assert_eq!(words(hub.push("ada", Some(9), offers(&late))), "?", "what it did not accept then was refused");
    assert_eq!(words(hub.push("ada", Some(10), offers(&late))), "2");
}

#[test]
fn a_client_belongs_to_whoever_pushed_first() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    assert_eq!(push_words(&hub, &[a.create("1", "one")]), "1");
    let two = [a.create("2", "two")];
    assert_eq!(words(hub.push("eve", None, offers(&two))), "error denied");
    hub.checkpoint().unwrap();
    assert_eq!(words(open(store).push("eve", None, offers(&two))), "error denied");
    assert_eq!(push_words(&hub, &two), "2");
}

#[test]
fn an_intent_is_accepted_once() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let mut one = a.create("1", "one");
    one.intent = Some(77);
    assert_eq!(push_words(&hub, &[one.clone()]), "1");
    assert_eq!(log(&hub, 9)[0].1.intent, None, "an intent travels up only");
    let mut again = b.create("1", "one");
    again.intent = Some(77);
    let mut bad = b.create("2", "two");
    bad.action = Action::Purge;
    let push = [again, b.create("3", "three"), bad];
    for hub in [&hub, &open(store.clone())] {
        assert_eq!(push_words(hub, &push), "1=a-0000000000000001 ? ?", "it ends the batch");
    }
    hub.checkpoint().unwrap();
    for hub in [&hub, &open(store)] {
        assert_eq!(push_words(hub, &push), "1=a-0000000000000001 ? ?");
    }
    assert_eq!(push_words(&hub, &[one]), "1", "the same dot is no other name");
    assert_eq!(known(&hub, "b").n, 0, "it took no number");
}

#[test]
fn a_write_needs_a_create_that_lives() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let (create, other) = (a.create("x", "one"), a.create("y", "two"));
    assert_eq!(push_words(&hub, &[create, other]), "1 2");
    let mut none = a.update("x", &a.dot(1), "three");
    none.of.clear();
    assert_eq!(push_words(&hub, &[none]), "!gone");
    a.next -= 1;
    for of in [a.dot(2), Client::new("a").dot(3)] {
        let mut entry = a.clone().update("x", &of, "three");
        entry.of = [of.clone()].into();
        let expected = if of == a.dot(3) { "error diverged" } else { "!gone" };
        assert_eq!(push_words(&hub, &[entry]), expected, "{of} is no create of it");
    }
    let mut restore = a.clone().entry(Action::Restore, "never");
    restore.of = [a.dot(1)].into();
    assert_eq!(push_words(&hub, &[restore]), "!gone");
    let deleted = [a.delete("x", &a.dot(1))];
    assert_eq!(push_words(&hub, &deleted), "3");
    assert_eq!(push_words(&hub, &[a.update("x", &a.dot(1), "four")]), "4", "a deleted entity is still there");
    // Two of which one lives will do.
    let mut both = a.update("x", &a.dot(1), "five");
    both.of.push(a.dot(2));
    assert_eq!(push_words(&hub, &[both]), "5");
}

#[test]
fn all_that_a_copy_brings_again_is_known_at_once_up_to_what_is_new() {
    let hub = open(MemoryStore::new());
    let intended = |entry: Entry, intent: u128| Entry { intent: Some(intent), ..entry };
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let brought: Vec<Entry> = (1..=4).map(|n| intended(a.create(&n.to_string(), "brought"), n)).collect();
    assert_eq!(push_words(&hub, &brought), "1 2 3 4");
    // As the other copy has them: with a write of its own between the third and the fourth.
    let copy: Vec<Entry> = [1, 2, 3, 9, 4].iter().map(|n| intended(b.create(&n.to_string(), "brought"), *n)).collect();
    let known = "1=a-0000000000000001 2=a-0000000000000002 3=a-0000000000000003";
    assert_eq!(push_words(&hub, &copy), format!("{known} ? ?"), "what follows what is new waits for it");
}

#[test]
fn the_greatest_intents_are_intents() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut ann = Client::new("a");
    let mut entries = [ann.create("1", "one"), ann.create("2", "two"), ann.create("3", "three")];
    for (entry, intent) in entries.iter_mut().zip([u128::MAX - 1, u128::MAX, u128::MAX - 7]) {
        entry.intent = Some(intent);
    }
    assert_eq!(push_words(&hub, &entries), "1 2 3");
    let other = open(store);
    assert_eq!(log(&other, 10), log(&hub, 10));
    let mut copy = Client { id: ClientId::new("b"), ..ann };
    copy.next = 1;
    let mut again = copy.create("2", "two");
    again.intent = Some(u128::MAX);
    assert_eq!(push_words(&other, &[again]), "2=a-0000000000000002");
}

#[test]
fn no_entry_is_number_0_of_a_client() {
    let hub = open(MemoryStore::new());
    let mut ann = Client::new("a");
    let create = ann.create("1", "one");
    let dot = create.dot().clone();
    assert_eq!(push_words(&hub, &[create]), "1");
    let nobody = Dot::new(ClientId::new("nobody"), 0);
    let naming: [&dyn Fn(&mut Entry); 4] = [
        &|e| e.replaces = vec![("title".into(), vec![dot.clone(), nobody.clone()].into())],
        &|e| e.of.push(nobody.clone()),
        &|e| e.saw.push(ann.dot(0)),
        &|e| {
            let remove = vec![("x".into(), [nobody.clone()].into())];
            e.fields = vec![("tags".into(), Op::Set { insert: Vec::new(), remove })];
        },
    ];
    for name in naming {
        let mut update = ann.clone().update("1", &dot, "two");
        name(&mut update);
        assert_eq!(push_words(&hub, &[update]), "!malformed");
    }
}
