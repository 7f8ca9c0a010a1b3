//! Entries up, verdicts back.

use sync_core::transport::{Attempt, HelloRequest, Limits};
use sync_core::{Cursor, Digest, Entry, Op, TransportError, Value, Verdict};

use super::entries::Author;
use super::{Connect, NOW, log, started_twice, with, with_hub, with_limits};

/// What is pushed is in the log as it was written, but for the intent, which is the hub's to keep.
pub fn entries_of_every_kind_arrive_as_they_are(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let entries = Author::new("a").every_kind();
        pair.accepted(&entries).await;
        let pushed: Vec<Entry> = entries.into_iter().map(|entry| Entry { intent: None, ..entry }).collect();
        let pulled = log(&pair, 1_000).await;
        for (pulled, pushed) in pulled.iter().zip(&pushed) {
            assert_eq!(pulled, pushed);
        }
        assert_eq!(pulled.len(), pushed.len());
        let record = pair.hub.record(&pushed[0].key).expect("the hub reads");
        assert!(record.is_some_and(|record| record.registers().count() == 9));
    });
}

/// Each entry has its verdict in its place: accepted, rejected with a reason, or not decided.
pub fn verdicts_come_in_the_order_of_the_entries(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let mut author = Author::new("a");
        let create = author.create("1", "one");
        let orphan = author.orphan(&create);
        let after = author.create("2", "two");
        let entries = [create, orphan, after];
        let reply = pair.push(None, &entries).await.expect("the hub answers");
        let ids: Vec<_> = reply.verdicts.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(ids, entries.each_ref().map(Entry::id));
        let [(_, first), (_, second), (_, third)] = &reply.verdicts[..] else { panic!("three verdicts") };
        assert_eq!(first, &Verdict::Accepted { seq: 1, known_as: None });
        assert!(matches!(second, Verdict::Rejected(rejection) if rejection.code == "gone"), "{second:?}");
        assert!(matches!(third, Verdict::Again { .. }), "{third:?}");
        let mut early = Author::new("b").create("3", "three");
        early.origin.time = NOW + Limits::default().drift + 1;
        let reply = pair.push(None, &[early]).await.expect("the hub answers");
        let clock = |verdict: &Verdict| matches!(verdict, Verdict::Again { code: Some(code), .. } if code == "clock");
        assert!(clock(&reply.verdicts[0].1), "{reply:?}");
    });
}

/// A request may be repeated: the same entries have the same places.
pub fn pushing_again_changes_nothing(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let entries = Author::new("a").every_kind();
        let first = pair.push(Some(1), &entries).await;
        for _ in 0..3 {
            assert_eq!(pair.push(Some(1), &entries).await, first);
        }
        assert_eq!(log(&pair, 1_000).await.len(), entries.len());
    });
}

/// The same intent under another name is accepted under the name that it has.
pub fn an_intent_is_accepted_once(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let [mut one, mut other] = ["a", "b"].map(|client| Author::new(client).create("1", "one"));
        (one.intent, other.intent) = (Some(1), Some(1));
        pair.accepted(std::slice::from_ref(&one)).await;
        let reply = pair.push(None, &[other]).await.expect("the hub answers");
        let known_as = Some(one.dot().clone());
        assert_eq!(reply.verdicts[0].1, Verdict::Accepted { seq: 1, known_as });
    });
}

/// What is wrong with an entry by itself, and where.
pub fn a_rejection_says_which_field(connect: &Connect<'_>) {
    with_limits(connect, Limits { depth: 2, ..Limits::default() }, async |pair| {
        let mut deep = Author::new("a").create("1", "one");
        deep.fields = vec![("a field: \u{e9}".into(), Op::Assign(Value::parse("[[[]]]").expect("it is JSON")))];
        let reply = pair.push(None, &[deep]).await.expect("the hub answers");
        let [(_, Verdict::Rejected(rejection))] = &reply.verdicts[..] else { panic!("{reply:?}") };
        assert_eq!((&*rejection.code, rejection.field.as_deref()), ("depth", Some("a field: \u{e9}")));
    });
}

/// A fork, a gap, a name that nobody has, an attempt that came too late.
pub fn refusals_of_a_whole_push_are_told_apart(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let mut author = Author::new("a");
        let create = author.create("1", "one");
        pair.push(Some(5), std::slice::from_ref(&create)).await.expect("the hub answers");
        let other = Author::new("a").create("1", "another");
        let forked = pair.push(Some(6), &[other]).await;
        assert!(matches!(forked, Err(TransportError::Forked { .. })), "{forked:?}");
        let _skipped = author.create("2", "two");
        let third = author.create("3", "three");
        let gap = pair.push(Some(6), &[third]).await;
        assert!(matches!(gap, Err(TransportError::Diverged { .. })), "{gap:?}");
        let stranger = Author::new("stranger").create("1", "one");
        let unknown = Author::new("b").update(&stranger, "seen nowhere");
        let unknown = pair.push(Some(6), &[unknown]).await;
        assert!(matches!(unknown, Err(TransportError::Diverged { .. })), "{unknown:?}");
        let late = pair.push(Some(4), &[create]).await;
        assert!(matches!(late, Err(TransportError::Superseded)), "{late:?}");
        assert_eq!(log(&pair, 10).await.len(), 1);
    });
}

/// A push shows what the replica was told: a hub that lost that since the greeting takes nothing.
pub fn nothing_is_taken_from_one_who_was_told_more(connect: &Connect<'_>) {
    with_hub(connect, started_twice, async |pair| {
        let hello = pair.hello(&HelloRequest::default()).await.expect("the hub answers");
        let [first, second] = hello.epochs[..] else { panic!("two epochs: {hello:?}") };
        let create = [Author::new("b").create("1", "one")];
        let beyond = Cursor { seq: hello.head.seq + 1, ..hello.head };
        let elsewhere = [(2, second), (5, first)];
        let elsewhere = elsewhere.map(|(seq, begun)| Cursor { seq, digest: Digest(7), epoch: begun.epoch });
        for told in elsewhere.into_iter().chain([beyond]) {
            let refused = pair.push(Attempt { number: None, told }, &create).await;
            assert!(matches!(refused, Err(TransportError::Diverged { .. })), "{told}: {refused:?}");
        }
        let reply = pair.push(Attempt { number: None, told: hello.head }, &create).await.expect("the hub answers");
        assert_eq!((reply.head.seq, reply.head.epoch), (hello.head.seq + 1, second.epoch));
    });
}

/// One entry more than the hub takes; one that is larger than it takes.
pub fn limits_are_told(connect: &Connect<'_>) {
    let limits = Limits { batch_entries: 3, entry_bytes: 2_000, ..Limits::default() };
    with_limits(connect, limits, async |pair| {
        let mut author = Author::new("a");
        let four: Vec<_> = (0..4).map(|i| author.create(&i.to_string(), "note")).collect();
        let refused = pair.push(None, &four).await;
        assert!(matches!(refused, Err(TransportError::TooLarge { .. })), "{refused:?}");
        pair.accepted(&four[..3]).await;
        let large = Author::new("b").create("large", &"x".repeat(2_000));
        let found =
            pair.subject.push(&sync_core::transport::PushRequest { entries: vec![large], ..Default::default() }).await;
        // Who reads it may refuse it before the hub does, in words of their own.
        let verdicts = found.expect("the hub answers").verdicts;
        assert!(matches!(&verdicts[..], [(_, Verdict::Rejected(_))]), "{verdicts:?}");
    });
}

/// An empty push is answered.
pub fn nothing_is_a_push_too(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let reply = pair.push(None, &[]).await.expect("the hub answers");
        assert_eq!((reply.verdicts.len(), reply.server_time), (0, NOW));
    });
}

/// As many entries as the hub takes, of about as many bytes.
pub fn a_push_may_be_as_large_as_the_hub_takes(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let limits = pair.hub.limits();
        let mut author = Author::new("a");
        let filler = "x".repeat((limits.batch_bytes / limits.batch_entries) as usize - 250);
        let entries: Vec<_> = (0..limits.batch_entries).map(|i| author.create(&i.to_string(), &filler)).collect();
        let bytes: usize = entries.iter().map(|entry| entry.to_json_with_intent().len()).sum();
        assert!(bytes as u64 <= limits.batch_bytes && bytes as u64 > limits.batch_bytes * 3 / 4);
        pair.accepted(&entries).await;
        let mut large = author.create("large", "");
        large.fields = vec![("title".into(), Op::Assign(Value::from("y".repeat(limits.entry_bytes as usize - 400))))];
        pair.accepted(&[large]).await;
        assert_eq!(log(&pair, 400).await.len() as u64, limits.batch_entries + 1);
    });
}
