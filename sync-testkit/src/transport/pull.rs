//! The log in pages.

use sync_core::transport::{HelloRequest, PullRequest};
use sync_core::{ClientId, Cursor, Digest, Dot, TransportError};

use super::entries::Author;
use super::{Connect, log, started_twice, with, with_hub};

/// Pages of any length make up the same log; an empty log is one too.
pub fn pages_make_up_the_log(connect: &Connect<'_>) {
    with(connect, async |pair| {
        assert!(log(&pair, 10).await.is_empty());
        let mut author = Author::new("a");
        pair.accepted(&author.every_kind()).await;
        pair.accepted(&author.group(&["1", "2", "3"])).await;
        pair.accepted(&Author::new("b").every_kind()).await;
        let whole = log(&pair, u64::MAX).await;
        for limit in [0, 1, 2, 3, 7, 1_000] {
            assert_eq!(log(&pair, limit).await, whole, "in pages of {limit}");
        }
    });
}

/// The replica's own entries are left out as far as it says, and the cursor goes on all the same.
pub fn what_the_replica_has_is_left_out(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let names = ["a:1 b&c", "b"];
        let mut authors = names.map(Author::new);
        for round in 0..4 {
            for author in &mut authors {
                let id = format!("{}{round}", author.client());
                pair.accepted(&[author.create(&id, "note")]).await;
            }
        }
        for n in [0, 2, 4, u64::MAX] {
            let have = Some(Dot::new(ClientId::new(names[0]), n));
            let page =
                pair.pull(&PullRequest { since: Cursor::default(), limit: 100, have, ..PullRequest::default() }).await;
            let page = page.expect("the hub answers");
            assert_eq!((page.entries.len() as u64, page.cursor.seq), (8 - n.min(4), 8));
        }
    });
}

/// Nothing is served to one who read another log.
pub fn a_cursor_of_another_log_is_refused(connect: &Connect<'_>) {
    with(connect, async |pair| {
        pair.accepted(&Author::new("a").every_kind()).await;
        let cursors = [(2, Digest(7)), (1_000, Digest(7)), (u64::MAX, Digest::EMPTY), (0, Digest(u128::MAX))];
        for (seq, digest) in cursors {
            let since = Cursor { seq, digest, ..Cursor::default() };
            let refused = pair.pull(&PullRequest { since, limit: 1, ..PullRequest::default() }).await;
            assert!(matches!(refused, Err(TransportError::Diverged { .. })), "{since}: {refused:?}");
        }
    });
}

/// Nor to one who was told of what the hub has lost. Who only has less than the log still begins with takes the snapshot.
pub fn nothing_is_served_to_one_who_was_told_more(connect: &Connect<'_>) {
    with_hub(connect, started_twice, async |pair| {
        let hello = pair.hello(&HelloRequest::default()).await.expect("the hub answers");
        let [first, second] = hello.epochs[..] else { panic!("two epochs: {hello:?}") };
        let at = |seq, epoch| Cursor { seq, digest: Digest(7), epoch };
        let since = |since| PullRequest { since, limit: 1, ..PullRequest::default() };
        let expired = pair.pull(&since(at(2, first.epoch))).await;
        assert_eq!(expired, Err(TransportError::Expired));
        let told = |told| PullRequest { told, ..since(hello.head) };
        let beyond = Cursor { seq: hello.head.seq + 1, ..hello.head };
        for request in [since(at(2, second.epoch)), told(at(2, second.epoch)), told(at(5, first.epoch)), told(beyond)] {
            let refused = pair.pull(&request).await;
            assert!(matches!(refused, Err(TransportError::Diverged { .. })), "{request:?}: {refused:?}");
        }
        let page = pair.pull(&told(hello.head)).await.expect("the hub answers");
        assert_eq!(page.cursor, hello.head);
    });
}
