//! Serving the log.

use std::sync::Arc;

use super::support::*;
use sync_core::transport::{HelloRequest, PullRequest};
use sync_core::{ClientId, Cursor, Digest, Entry, Hub, Known, MemoryStore, Op, TransportError, Value};

fn filled(store: &Arc<MemoryStore>) -> (Hub, Vec<Entry>) {
    let hub = open(store.clone());
    let (mut a, mut b) = (Client::new("a"), Client::new("b"));
    let mut all = Vec::new();
    for round in 0..40 {
        let client = if round % 3 == 0 { &mut b } else { &mut a };
        let batch: Vec<Entry> = (0..=round % 4).map(|n| client.create(&format!("{round}-{n}"), "title")).collect();
        push(&hub, &batch).unwrap();
        all.extend(batch);
        if round == 20 {
            hub.checkpoint().unwrap();
        }
    }
    (hub, all)
}

#[test]
fn every_page_size_serves_the_same_log() {
    let store = Arc::new(MemoryStore::new());
    let (hub, all) = filled(&store);
    let fresh = open(store);
    for hub in [&hub, &fresh] {
        for limit in [1, 2, 3, 7, 50, 10_000] {
            let log = log(hub, limit);
            assert!(log.iter().map(|(seq, _)| *seq).eq(1..=all.len() as u64), "dense from 1");
            assert!(log.iter().map(|(_, entry)| entry).eq(&all));
        }
    }
}

#[test]
fn a_cursor_is_held_against_the_log() {
    let store = Arc::new(MemoryStore::new());
    let (hub, all) = filled(&store);
    let mut digest = Digest::EMPTY;
    let head = all.len() as u64;
    for hub in [&hub, &open(store)] {
        for seq in 0..=head {
            if seq > 0 {
                digest = digest.then(all[seq as usize - 1].hash());
            }
            let ask = |seq, digest| {
                hub.pull(&PullRequest {
                    since: Cursor { seq, digest, ..Cursor::default() },
                    limit: 1,
                    ..PullRequest::default()
                })
            };
            let page = ask(seq, digest).unwrap();
            assert_eq!(page.cursor.seq, (seq + 1).min(head));
            assert_eq!(ask(seq, Digest::EMPTY).unwrap(), page, "a digest that is not given is not checked");
            let wrong = ask(seq, Digest(1)).unwrap_err();
            assert_eq!(wrong.code(), "diverged");
            let on_chain = |digest| {
                let request =
                    HelloRequest { cursor: Cursor { seq, digest, ..Cursor::default() }, ..HelloRequest::default() };
                hub.hello("ada", &request).unwrap().on_chain
            };
            assert!(on_chain(digest));
            assert!(!on_chain(Digest(1)));
        }
        for seq in [head + 1, u64::MAX] {
            let beyond = Cursor { seq, digest, ..Cursor::default() };
            let error = hub.pull(&PullRequest { since: beyond, limit: 1, ..PullRequest::default() }).unwrap_err();
            assert!(matches!(error, TransportError::Diverged { .. }));
            assert!(!hub.hello("ada", &HelloRequest { cursor: beyond, ..HelloRequest::default() }).unwrap().on_chain);
        }
        digest = Digest::EMPTY;
    }
}

#[test]
fn what_a_client_has_is_left_out_and_the_cursor_goes_on() {
    let store = Arc::new(MemoryStore::new());
    let (hub, all) = filled(&store);
    let have = Client::new("a").dot(30);
    let mut cursor = Cursor::default();
    let mut served = Vec::new();
    loop {
        let page = hub
            .pull(&PullRequest { since: cursor, limit: 3, have: Some(have.clone()), ..PullRequest::default() })
            .unwrap();
        assert!(page.cursor.seq > cursor.seq);
        cursor = page.cursor;
        served.extend(page.entries.iter().map(|(_, entry)| Entry::clone(entry)));
        if !page.has_more {
            break;
        }
    }
    assert_eq!(cursor, hub.head());
    let left: Vec<Entry> =
        all.iter().filter(|e| e.dot().client != have.client || e.dot().n > have.n).cloned().collect();
    assert_eq!(served, left);
    // A log of nothing but what it has: a page without entries that goes on.
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    push(&hub, &[a.create("1", "one"), a.create("2", "two")]).unwrap();
    let page = hub
        .pull(&PullRequest { since: Cursor::default(), limit: 1, have: Some(a.dot(2)), ..PullRequest::default() })
        .unwrap();
    assert!(page.entries.is_empty());
    assert_eq!(page.cursor, hub.head());
    assert!(!page.has_more);
}

#[test]
fn hello_says_what_is_known_of_each_client() {
    let store = Arc::new(MemoryStore::new());
    let (hub, all) = filled(&store);
    let of_a: Vec<&Entry> = all.iter().filter(|entry| entry.dot().client.as_str() == "a").collect();
    let digest_of = |n: usize| of_a[..n].iter().fold(Digest::EMPTY, |digest, entry| digest.then(entry.hash()));
    let whole = Known { n: of_a.len() as u64, digest: digest_of(of_a.len()) };
    for hub in [&hub, &open(store)] {
        for n in 0..=of_a.len() + 1 {
            let theirs = Known { n: n as u64, digest: Digest::EMPTY };
            let clients = vec![(ClientId::new("never"), theirs), (ClientId::new("a"), theirs)];
            let hello = hub.hello("ada", &HelloRequest { clients, ..HelloRequest::default() }).unwrap();
            assert_eq!(hello.clients[0].known, Known::default());
            assert_eq!(hello.clients[0].digest_there, (n == 0).then_some(Digest::EMPTY));
            assert_eq!(hello.clients[1].known, whole);
            assert_eq!(hello.clients[1].digest_there, (n <= of_a.len()).then(|| digest_of(n)), "{n}");
        }
    }
    let hello = hub.hello("ada", &HelloRequest::default()).unwrap();
    assert_eq!((&hello.hub[..], &hello.space[..], &hello.principal[..]), ("hub", "default", "ada"));
    assert_eq!((hello.head, hello.tail, hello.server_time), (hub.head(), 1, NOW));
    assert!(hello.on_chain && hello.may_join);
}

#[test]
fn a_page_is_bounded_in_bytes_and_goes_on() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let wide = "x".repeat(200_000);
    for batch in 0..8 {
        let entries: Vec<Entry> = (0..5).map(|n| a.create(&format!("{batch}-{n}"), &wide)).collect();
        push(&hub, &entries).unwrap();
    }
    let page = pull(&hub, Cursor::default(), 10_000);
    assert!(page.has_more && page.entries.len() >= 5 && page.entries.len() < 10, "{}", page.entries.len());
    assert_eq!(log(&hub, 10_000).len(), 40);
}

#[test]
fn a_page_is_bounded_whatever_its_entries_are_made_of() {
    let long = "x".repeat(200 << 10);
    let made: [&dyn Fn(&mut Entry); 3] = [
        &|e| e.unknown = Some(Value::object([("later", Value::from(&*long))]).unwrap()),
        &|e| e.fields[0].1 = Op::Own { family: (&*long).into(), body: Value::null() },
        &|e| e.replaces = vec![((&*long).into(), Vec::new().into())],
    ];
    for make in made {
        let hub = open(MemoryStore::new());
        let mut ann = Client::new("a");
        for n in 0..30 {
            let mut entry = ann.create(&n.to_string(), "one");
            make(&mut entry);
            assert_ne!(push_words(&hub, &[entry]), "!entry_bytes");
        }
        let page = pull(&hub, Cursor::default(), 1_000);
        let bytes: usize = page.entries.iter().map(|(_, entry)| entry.to_json(None).len()).sum();
        assert!(page.has_more && bytes < 5 << 20, "{} entries of {bytes} bytes", page.entries.len());
    }
}

#[test]
fn a_fresh_hub_has_an_empty_log() {
    let hub = open(MemoryStore::new());
    let page = pull(&hub, Cursor::default(), 10);
    assert!(page.entries.is_empty() && !page.has_more);
    assert_eq!(page.cursor, Cursor::default());
    let wrong = PullRequest {
        since: Cursor { seq: 0, digest: Digest(1), ..Cursor::default() },
        limit: 1,
        ..PullRequest::default()
    };
    assert_eq!(hub.pull(&wrong).unwrap_err().code(), "diverged");
}

#[test]
fn rows_without_entries_do_not_hold_up_a_reader() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    for n in 0..3 {
        push(&hub, &[a.create(&n.to_string(), "one")]).unwrap();
        for attempt in 0..150 {
            let gone = [a.clone().update("never", &a.dot(1), "two")];
            assert_eq!(words(hub.push("ada", Some(n * 150 + attempt + 1), offers(&gone))), "!gone");
        }
    }
    let head = hub.head();
    for hub in [hub, open(store)] {
        assert_eq!(log(&hub, 1).len(), 3);
        assert_eq!(pull(&hub, head, 1).cursor, head);
    }
}
