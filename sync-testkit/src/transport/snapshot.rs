//! The state in pages, down and up.

use std::collections::BTreeMap;

use sync_core::model::context::Known;
use sync_core::transport::{HelloRequest, Link, PushRequest, SnapshotPage};
use sync_core::{ClientId, Digest, Dot, Entry, TransportError, Verdict};

use super::entries::Author;
use super::{Connect, Pair, with};

/// Enough records for more than one page.
const RECORDS: usize = 700;

async fn fill(pair: &Pair) {
    let mut author = Author::new("a");
    pair.accepted(&author.every_kind()).await;
    let notes: Vec<_> = (0..RECORDS).map(|i| author.create(&format!("{i:04}"), "note")).collect();
    pair.accepted(&notes).await;
    pair.accepted(&Author::new("b:1 \u{e9}").every_kind()[..2]).await;
}

/// Every page as the hub made it, however far they go.
pub fn pages_make_up_the_state(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let empty = pair.snapshot("").await.expect("the hub answers");
        assert!(empty.records.is_empty() && empty.next.is_none());
        fill(&pair).await;
        let (mut next, mut records, mut pages) = (Some(String::new()), 0, 0);
        while let Some(page) = next {
            let page = pair.snapshot(&page).await.expect("the hub answers");
            pages += 1;
            records += page.records.len();
            next = page.next;
        }
        assert!(pages > 1 && records > RECORDS, "{records} records in {pages} pages");
    });
}

/// The hub is asked for what its pages named, whatever the characters; for the rest it answers with an error.
pub fn pages_that_were_never_named_are_refused(connect: &Connect<'_>) {
    with(connect, async |pair| {
        for page in ["x", " ", "a b&c=d#e?f%00+", "\u{e9}\u{1F600}", &"x".repeat(2_000)] {
            let refused = pair.snapshot(page).await;
            assert!(refused.is_err(), "{page:?}: {refused:?}");
        }
    });
}

/// A replica's snapshot arrives at a hub that lost its data as it was offered.
pub fn a_snapshot_is_offered_whole(connect: &Connect<'_>) {
    let mut records = BTreeMap::new();
    let mut last = SnapshotPage::default();
    with(connect, async |pair| {
        fill(&pair).await;
        let mut next = Some(String::new());
        while let Some(page) = next {
            last = pair.snapshot(&page).await.expect("the hub answers");
            records.extend(std::mem::take(&mut last.records));
            next = last.next.clone();
        }
    });
    let (mut pages, mut rest) = (Vec::new(), records.clone().into_iter().peekable());
    while rest.peek().is_some() {
        let records = rest.by_ref().take(RECORDS / 3).collect();
        pages.push(SnapshotPage { records, transfer: "a: 1&\u{e9}".into(), next: Some("on".into()), ..last.clone() });
    }
    if let Some(last) = pages.last_mut() {
        (last.next, last.total) = (None, Some(records.len() as u64));
        last.links = vec![Link { dot: Dot::new(ClientId::new("a"), 1), hash: Digest(1), digest: Digest(u128::MAX) }];
        last.intents = vec![(u128::MAX, Dot::new(ClientId::new("a"), 1)), (0, Dot::new(ClientId::new("a"), 2))];
    }
    with(connect, async |pair| {
        for page in &pages {
            pair.join(page).await.expect("the hub takes it");
        }
        for (key, record) in &records {
            let joined = pair.hub.record(key).expect("the hub reads");
            assert_eq!(joined.as_ref(), Some(record), "{key}");
        }
    });
}

/// With a snapshot the hub takes back what is known of single entries: it knows them again, proves what others have of
/// their clients, and takes no write twice.
pub fn what_is_offered_says_what_is_known_of_entries(connect: &Connect<'_>) {
    let mut author = Author::new("a: 1 \u{e9}");
    let entries = author.every_kind();
    let mut digest = Digest::EMPTY;
    let link = |entry: &Entry| {
        digest = digest.then(entry.hash());
        Link { dot: entry.dot().clone(), hash: entry.hash(), digest }
    };
    let links: Vec<Link> = entries.iter().map(link).collect();
    let intents = vec![(u128::MAX, links[0].dot.clone()), (1, links[1].dot.clone())];
    let mut page = SnapshotPage::default();
    with(connect, async |pair| {
        pair.accepted(&entries).await;
        page = pair.snapshot("").await.expect("the hub answers");
    });
    (page.intents, page.links) = (intents.clone(), links.clone());
    (page.total, page.transfer) = (Some(page.records.len() as u64), "a".into());
    with(connect, async |pair| {
        pair.join(&page).await.expect("the hub takes it");
        // From here on its log says on whose behalf that was, and its twin's does not say the same.
        let push = async |entries: &[Entry]| {
            let request = PushRequest { entries: entries.to_vec(), ..PushRequest::default() };
            let reply = pair.subject.push(&request).await.expect("the hub answers");
            reply.verdicts.into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>()
        };
        let shown = |link: &Link| (author.client(), Known { n: link.dot.n, digest: Digest(7) });
        let request = HelloRequest { clients: links.iter().map(shown).collect(), ..HelloRequest::default() };
        let hello = pair.subject.hello(&request).await.expect("the hub answers");
        let there: Vec<_> = hello.clients.iter().map(|standing| standing.digest_there).collect();
        assert_eq!(there, links.iter().map(|link| Some(link.digest)).collect::<Vec<_>>());
        let known = vec![Verdict::Accepted { seq: 1, known_as: None }; entries.len()];
        assert_eq!(push(&entries).await, known);
        for (at, (intent, dot)) in intents.iter().enumerate() {
            let mut again = Author::new(&format!("copy {at}")).create("again", "note");
            again.intent = Some(*intent);
            let known = Verdict::Accepted { seq: 1, known_as: Some(dot.clone()) };
            assert_eq!(push(&[again]).await, [known], "what is {dot} is offered once more");
        }
    });
}

/// The pages of one transfer are never taken for another's, which is told how long to wait at least.
pub fn transfers_are_told_apart(connect: &Connect<'_>) {
    with(connect, async |pair| {
        let page = |transfer: &str, next: Option<&str>| SnapshotPage {
            transfer: transfer.into(),
            next: next.map(str::to_owned),
            total: Some(0),
            ..SnapshotPage::default()
        };
        pair.join(&page("one", Some("on"))).await.expect("the hub takes it");
        let other = pair.join(&page("another", None)).await;
        assert!(matches!(other, Err(TransportError::Busy { after: 1_000.. })), "{other:?}");
        pair.join(&page("one", None)).await.expect("the hub takes it");
    });
}
