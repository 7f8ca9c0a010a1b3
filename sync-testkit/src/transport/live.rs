//! Waiting for the log to grow.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::entries::Author;
use super::{Connect, Pair, with};

/// Asks again until the log is as long as this: a transport may return early.
async fn reached(pair: &Pair, since: u64, length: u64) -> u64 {
    loop {
        let head = pair.subject.live(since).await.expect("the hub answers");
        if head >= length {
            return head;
        }
        tokio::task::yield_now().await;
    }
}

/// One who waits hears of what others push.
pub fn wakes_when_the_log_grows(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let mut author = Author::new("a");
        for n in 1..=3 {
            let grown = reached(&pair, n - 1, n);
            let push = async {
                sleep(Duration::from_millis(30)).await;
                pair.accepted(&[author.create(&n.to_string(), "note")]).await;
            };
            assert_eq!(tokio::join!(grown, push).0, n);
        }
    });
}

/// One who is behind need not wait.
pub fn answers_at_once_one_who_is_behind(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let entries = Author::new("a").every_kind();
        pair.accepted(&entries).await;
        for since in [0, 1, entries.len() as u64 - 1] {
            let head = timeout(Duration::from_secs(3), reached(&pair, since, entries.len() as u64)).await;
            let head = head.expect("there is nothing to wait for");
            assert_eq!(head, entries.len() as u64, "beyond {since}");
        }
    });
}

/// Waiting is abandoned at any time, and meanwhile everything else goes on.
pub fn waits_without_keeping_others_waiting(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let mut author = Author::new("a");
        let many: Vec<_> = (0..20).map(|_| pair.subject.live(1_000)).collect();
        let waiting = async {
            for live in many {
                // Early is allowed; longer than the log is, it never is.
                if let Ok(live) = timeout(Duration::from_millis(10), live).await {
                    assert!(live.is_ok_and(|head| head <= 1_000));
                }
            }
        };
        let pushing = async {
            for n in 0..10 {
                pair.accepted(&[author.create(&n.to_string(), "note")]).await;
            }
        };
        tokio::join!(waiting, pushing);
    });
}
