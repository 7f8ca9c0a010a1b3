//! Who the hub is, and what it knows.

use sync_core::model::context::Known;
use sync_core::transport::{HelloRequest, Limits, PullRequest, SnapshotPage};
use sync_core::{ClientId, Cursor, Digest, MemoryStore, TransportError};

use super::entries::Author;
use super::{Connect, start, started_twice, with, with_hub};

/// The hub says its name, its limits, the end of its log; and of a cursor whether it is on it.
pub fn says_who_the_hub_is(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let hello = pair.hello(&HelloRequest::default()).await.expect("the hub answers");
        assert!(!hello.principal.is_empty(), "the hub says on whose behalf the replica is connected");
        assert!(hello.on_chain, "the empty log is a part of every log");
        pair.accepted(&Author::new("a").every_kind()).await;
        let head = pair.hello(&HelloRequest::default()).await.expect("the hub answers").head;
        let other = Cursor { digest: Digest(7), ..head };
        let beyond = Cursor { seq: head.seq + 1, ..head };
        for (cursor, expected) in [(head, true), (other, false), (beyond, false)] {
            let request = HelloRequest { cursor, ..HelloRequest::default() };
            let hello = pair.hello(&request).await.expect("the hub answers");
            assert_eq!(hello.on_chain, expected, "the hub at {head} says of {cursor}");
        }
    });
}

/// Names, limits and what is allowed, where they are not as they mostly are.
pub fn says_what_is_unlike_other_hubs(connect: &Connect<'_>) {
    const LIMITS: Limits = Limits {
        batch_entries: 11,
        batch_bytes: 70_000,
        entry_bytes: 7_000,
        group_entries: 5,
        depth: 9,
        drift: 3 << 53,
    };
    let unlike = || {
        let hub =
            start(1).name("\u{e9}\u{1F600} \"\\/\u{7f}").space("a space: 1 &\u{e9}").limits(LIMITS).allow_join(false);
        hub.open(MemoryStore::new()).expect("a hub in memory opens")
    };
    with_hub(connect, unlike, async |pair| {
        let hello = pair.hello(&HelloRequest::default()).await.expect("the hub answers");
        assert_eq!((hello.limits, hello.may_join), (LIMITS, false));
        let refused = pair.join(&SnapshotPage { transfer: "a".into(), ..SnapshotPage::default() }).await;
        assert!(matches!(refused, Err(TransportError::Denied { .. })), "{refused:?}");
    });
}

/// Where the epochs of the log began of which the replica does not know it. Of a cursor that the log does not reach back to
/// any more, its epoch alone tells whether it is on it.
pub fn says_where_the_epochs_began(connect: &Connect<'_>) {
    with_hub(connect, started_twice, async |pair| {
        let hello = pair.hello(&HelloRequest::default()).await.expect("the hub answers");
        let [first, second] = hello.epochs[..] else { panic!("two epochs: {hello:?}") };
        assert_eq!((first.after, second.after, hello.tail, hello.head.epoch), (0, 4, 7, second.epoch));
        let request = HelloRequest { epoch: second.epoch, ..HelloRequest::default() };
        assert_eq!(pair.hello(&request).await.expect("the hub answers").epochs, []);
        for (seq, begun, expected) in [(2, first, true), (2, second, false), (5, second, true), (5, first, false)] {
            let cursor = Cursor { seq, digest: Digest(7), epoch: begun.epoch };
            let hello = pair.hello(&HelloRequest { cursor, ..HelloRequest::default() }).await;
            let on_chain = hello.expect("the hub answers").on_chain;
            assert_eq!(on_chain, expected, "the hub of {:?} says of {cursor} in {}", [first, second], begun.epoch);
        }
    });
}

/// Of every client that is named the hub says what it has, in the same order.
pub fn says_what_the_hub_knows_of_clients(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let mut author = Author::new("a");
        pair.accepted(&[author.create("1", "one"), author.create("2", "two")]).await;
        let page = pair.pull(&PullRequest { since: Cursor::default(), limit: 1, ..PullRequest::default() }).await;
        let first = Digest::EMPTY.then(page.expect("the hub answers").entries[0].1.hash());
        let named = [(0, Digest::EMPTY), (1, first), (1, Digest(9)), (2, Digest(9)), (u64::MAX, Digest(9))];
        let mut clients: Vec<_> = named.map(|(n, digest)| (author.client(), Known { n, digest })).into();
        clients.push((ClientId::new("stranger"), Known::default()));
        let request = HelloRequest { clients, ..HelloRequest::default() };
        let hello = pair.hello(&request).await.expect("the hub answers");
        let there: Vec<_> = hello.clients.iter().map(|standing| standing.digest_there.is_some()).collect();
        assert_eq!(there, [true, true, true, true, false, true]);
    });
}

/// Client ids of other makers may be any text.
pub fn names_may_be_any_text(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let long = "x".repeat(ClientId::MAX_BYTES);
        let names = ["a:b:1", "a b", "a+b%20", "a&client=b", "#?/=", "\u{e9}\u{1F600}", "-", "\"\\", long.as_str()];
        for name in names {
            pair.accepted(&[Author::new(name).create(name, name)]).await;
        }
        let known = |name: &&str| (ClientId::new(*name), Known { n: 1, digest: Digest(u128::MAX) });
        let request = HelloRequest { clients: names.iter().map(known).collect(), ..HelloRequest::default() };
        let hello = pair.hello(&request).await.expect("the hub answers");
        assert!(hello.clients.iter().all(|standing| standing.known.n == 1), "{hello:?}");
    });
}
