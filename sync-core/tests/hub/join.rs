//! Taking back what a hub lost: only what is proven to be one history, and nothing twice.

use std::sync::Arc;

use super::support::*;
use sync_core::transport::{Link, SnapshotPage, SnapshotRequest};
use sync_core::{ClientId, Digest, Dot, EntityKey, Entry, Hub, MemoryStore, Store};

/// What a replica that has these entries of another hub would offer, in one page.
fn offered(entries: &[Entry]) -> SnapshotPage {
    let other = open(MemoryStore::new());
    push(&other, entries).unwrap();
    let mut page = other.snapshot(&SnapshotRequest::default()).unwrap();
    assert_eq!(page.next, None);
    page.total = Some(page.records.len() as u64);
    page.intents = entries.iter().filter_map(|entry| Some((entry.intent?, entry.dot().clone()))).collect();
    page.transfer = "transfer".into();
    page
}

fn joined(hub: &Hub, page: &SnapshotPage) -> String {
    hub.join("ada", page).map_or_else(|error| error.code().to_owned(), |()| "joined".to_owned())
}

/// The last entry of these in the sequence of its client's entries, which are all here.
fn link(entries: &[Entry]) -> Link {
    let digest = entries.iter().fold(Digest::EMPTY, |digest, entry| digest.then(entry.hash()));
    let last = entries.last().unwrap();
    Link { dot: last.dot().clone(), hash: last.hash(), digest }
}

fn with_intent(mut entry: Entry, intent: u128) -> Entry {
    entry.intent = Some(intent);
    entry
}

#[test]
fn what_is_given_back_is_there_and_known_by_what_was_meant() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    let page = offered(&[with_intent(a.create("1", "one"), 77), with_intent(a.create("2", "two"), 79)]);
    assert_eq!(joined(&hub, &page), "joined");
    assert_eq!((title(&hub, "1").as_deref(), title(&hub, "2").as_deref()), (Some("one"), Some("two")));
    // A copy of the device brings the same under its own name, now, after a checkpoint, and to a hub that begins then.
    let copy = [with_intent(Client::new("b").create("1", "one"), 77)];
    assert_eq!(push_words(&hub, &copy), "1=a-0000000000000001");
    hub.checkpoint().unwrap();
    for hub in [&hub, &open(store)] {
        assert_eq!(push_words(hub, &copy), "1=a-0000000000000001");
    }
}

/// Of what was given back the hub has no entries, only their hashes and intents: it knows them again by these.
#[test]
fn what_is_given_back_is_known_again_when_its_device_sends_it() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let entries = [with_intent(a.create("1", "one"), 77), with_intent(a.create("2", "two"), 79)];
    let mut page = offered(&entries);
    page.links = vec![link(&entries[..1]), link(&entries)];
    assert_eq!(joined(&hub, &page), "joined");
    for _ in 0..2 {
        assert_eq!(push_words(&hub, &entries[..1]), "1");
        assert_eq!(push_words(&hub, &[with_intent(entries[0].clone(), 79)]), "error forked", "a copy wrote it");
        hub.checkpoint().unwrap();
    }
}

/// What was lost came again under another name meanwhile: joined, it would be there twice.
#[test]
fn what_was_accepted_under_another_name_is_not_taken_back() {
    for is_in_the_checkpoint in [false, true] {
        let hub = open(MemoryStore::new());
        push(&hub, &[with_intent(Client::new("b").create("1", "one"), 77)]).unwrap();
        if is_in_the_checkpoint {
            hub.checkpoint().unwrap();
        }
        let mut a = Client::new("a");
        assert_eq!(joined(&hub, &offered(&[with_intent(a.create("2", "two"), 77)])), "diverged");
        assert_eq!(title(&hub, "2"), None);
        let mut a = Client::new("a");
        assert_eq!(joined(&hub, &offered(&[with_intent(a.create("2", "two"), 78)])), "joined");
        assert_eq!(title(&hub, "2").as_deref(), Some("two"));
    }
}

#[test]
fn what_both_have_of_a_client_is_proven_to_begin_alike() {
    let mut a = Client::new("a");
    let entries = [a.create("1", "one"), a.create("2", "two"), a.create("3", "three")];
    let mut another = Client::new("a");
    let others = [another.create("1", "otherwise"), another.create("2", "two"), another.create("3", "three")];
    // How many of them the hub has, which ones are offered, and up to where a link is shown.
    let table: [(usize, &[Entry], Option<Link>, &str); 7] = [
        (2, &entries, Some(link(&entries[..2])), "joined"),
        (3, &entries, Some(link(&entries)), "joined"),
        (0, &entries, None, "joined"),
        (2, &entries, None, "diverged"),
        (2, &entries, Some(link(&entries[..1])), "diverged"),
        (2, &others, Some(link(&others[..2])), "diverged"),
        (3, &entries[..2], Some(link(&entries[..2])), "joined"),
    ];
    for (at, (has, offers, proof, expected)) in table.into_iter().enumerate() {
        for is_in_the_checkpoint in [false, true] {
            let hub = open(MemoryStore::new());
            push(&hub, &entries[..has]).unwrap();
            if is_in_the_checkpoint {
                hub.checkpoint().unwrap();
            }
            let mut page = offered(offers);
            page.links.clear();
            page.links.extend(proof.clone());
            assert_eq!(joined(&hub, &page), expected, "{at}, {is_in_the_checkpoint}");
            assert_eq!(title(&hub, "1").as_deref(), (has > 0 || expected == "joined").then_some("one"), "{at}");
            assert_eq!(known(&hub, "a").n, if expected == "joined" { 3 } else { has as u64 }, "{at}");
        }
    }
}

#[test]
fn a_part_of_a_snapshot_does_not_pass_for_the_whole() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let page = offered(&[a.create("1", "one"), a.create("2", "two")]);
    let short = SnapshotPage { records: page.records[..1].to_vec(), ..page.clone() };
    assert_eq!(joined(&hub, &short), "expired");
    assert_eq!(joined(&hub, &SnapshotPage { transfer: String::new(), ..page.clone() }), "nonsense");
    // Another one in between is asked to wait.
    let first = SnapshotPage { next: Some("more".into()), ..short };
    assert_eq!(joined(&hub, &first), "joined");
    assert_eq!(joined(&hub, &SnapshotPage { transfer: "another".into(), ..page.clone() }), "busy");
    assert_eq!(title(&hub, "1"), None, "not before all is there");
    assert_eq!(joined(&hub, &SnapshotPage { records: page.records[1..].to_vec(), ..page }), "joined");
    assert_eq!((title(&hub, "1").as_deref(), title(&hub, "2").as_deref()), (Some("one"), Some("two")));
}

/// A device offers it again with each of its syncs.
#[test]
fn what_is_not_taken_back_leaves_nothing_behind() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    push(&hub, &[with_intent(Client::new("b").create("1", "one"), 77)]).unwrap();
    hub.checkpoint().unwrap();
    let rows = || store.range(&[], &[], 10_000).unwrap().len();
    let before = rows();
    let mut a = Client::new("a");
    let page = offered(&[with_intent(a.create("2", "two"), 77), a.create("3", "three")]);
    let short = SnapshotPage { records: page.records[..1].to_vec(), ..page.clone() };
    for (page, expected) in [(&page, "diverged"), (&short, "expired"), (&page, "diverged")] {
        assert_eq!(joined(&hub, page), expected);
        assert_eq!(rows(), before, "{expected}");
    }
    assert_eq!((title(&hub, "1").as_deref(), title(&hub, "2")), (Some("one"), None));
}

/// The hub's clock was a year ahead when a device began, which is gone since.
#[test]
fn a_transfer_of_which_nothing_is_heard_makes_way_whatever_the_clock_said() {
    for (then, now) in [(NOW, NOW + 30_000), (NOW + 31_536_000_000, NOW), (u64::MAX, NOW)] {
        let hands = Hands::new();
        let hub = builder().clock(Arc::new(hands.clone())).open(MemoryStore::new()).unwrap();
        let page = offered(&[Client::new("a").create("1", "one")]);
        hands.set(then);
        let begun = SnapshotPage { next: Some("more".into()), transfer: "given up".into(), ..page.clone() };
        assert_eq!(joined(&hub, &begun), "joined");
        assert_eq!(joined(&hub, &page), "busy");
        hands.set(now);
        assert_eq!(joined(&hub, &page), "joined", "from {then} to {now}");
    }
}

#[test]
fn what_nobody_can_be_called_is_in_no_snapshot() {
    let hub = open(MemoryStore::new());
    let page = || offered(&[Client::new("a").create("1", "one")]);
    let known = page().vector[0].1;
    let dot = |client: &str| Dot::new(ClientId::new(client), 1);
    let changes: [&dyn Fn(&mut SnapshotPage); 7] = [
        &|page| page.vector.push((ClientId::new(""), known)),
        &|page| page.vector.push((ClientId::new("a\0"), known)),
        &|page| page.intents.push((7, dot("\n"))),
        &|page| page.links.push(Link { dot: dot(&"c".repeat(129)), ..link(&[Client::new("a").create("1", "one")]) }),
        &|page| page.records[0].0 = EntityKey::new("no\0te", "1"),
        &|page| page.records[0].0 = EntityKey::new("", "1"),
        &|page| page.records[0].0 = EntityKey::new("note", "1".repeat(513)),
    ];
    for change in changes {
        let mut page = page();
        change(&mut page);
        assert_eq!(joined(&hub, &page), "nonsense");
    }
    assert_eq!(joined(&hub, &page()), "joined");
}
