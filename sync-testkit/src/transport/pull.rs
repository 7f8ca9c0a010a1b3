//! The log in pages.

use sync_core::transport::PullRequest;
use sync_core::{ClientId, Cursor, Digest, Dot, TransportError};

use super::entries::Author;
use super::{Connect, log, with};

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
