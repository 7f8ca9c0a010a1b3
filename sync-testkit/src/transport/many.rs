//! Many requests at once, and requests that are given up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sync_core::Verdict;
use sync_core::transport::{Limits, PushRequest};
use tokio::time::timeout;

use super::entries::Author;
use super::{Connect, Pair, hub, run, with};

const CLIENTS: usize = 8;
const PUSHES: usize = 6;

/// Answers go to those who asked, and every entry has a place of its own.
pub fn requests_at_once_are_kept_apart(connect: &Connect<'_>) {
    run(async {
        let hub = hub(Limits::default());
        let subject = connect(hub.clone());
        let client = |client: usize| {
            let subject = Arc::clone(&subject);
            async move {
                let mut author = Author::new(&format!("client {client}"));
                let mut places = Vec::new();
                for push in 0..PUSHES {
                    let entries = [0, 1].map(|i| author.create(&format!("{client}/{push}/{i}"), "note"));
                    let request = PushRequest { entries: entries.to_vec(), attempt: Some(push as u64).into() };
                    let reply = subject.push(&request).await.expect("the hub answers");
                    for (entry, (id, verdict)) in entries.iter().zip(reply.verdicts) {
                        assert_eq!(id, entry.id(), "an answer to another's request");
                        let Verdict::Accepted { seq, .. } = verdict else { panic!("{id}: {verdict:?}") };
                        places.push(seq);
                    }
                }
                places
            }
        };
        let tasks: Vec<_> = (0..CLIENTS).map(|id| tokio::spawn(client(id))).collect();
        let mut places = BTreeSet::new();
        for task in tasks {
            for place in task.await.expect("a client ends") {
                assert!(places.insert(place), "two entries were given place {place}");
            }
        }
        let all = (CLIENTS * PUSHES * 2) as u64;
        assert_eq!((places.len() as u64, hub.head().seq), (all, all));
    });
}

/// Whether a request that was given up was carried out is not known; repeating it is always right.
pub fn a_request_that_is_given_up_is_no_harm(connect: &Connect<'_>) {
    with(connect, async |pair: Pair| {
        let mut author = Author::new("a");
        for n in 0..10 {
            let entries = vec![author.create(&n.to_string(), "note")];
            let request = PushRequest { entries: entries.clone(), ..Default::default() };
            let _ = timeout(Duration::from_micros(n * 150), pair.subject.push(&request)).await;
            pair.accepted(&entries).await;
        }
        assert_eq!(pair.hub.head().seq, 10);
    });
}
