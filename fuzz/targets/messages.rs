//! What travels: a hub takes any request, a device any reply, and neither falls over, nor passes on what others fall over.

use std::sync::Arc;

use sync_core::replica::RawEntity;
use sync_core::transport::compact::{self, PackedPage};
use sync_core::transport::{
    Hello, HelloRequest, Limits, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{BoxFuture, Cursor, Digest, Hub, MemoryStore, Transport, TransportError};
use sync_http::wire::{actions, article, hello, media, page, query, snapshot, sse};

use super::{choice, hub, hub_on, now, replica};

/// Any request. What the hub accepts, every reader reads.
pub(crate) fn request(data: &[u8]) {
    let Some((kind, body)) = choice(data) else { return };
    let limits = Limits::default();
    match kind % 6 {
        0 => {
            let Ok(pushed) = actions::read_push(body, &limits) else { return };
            taken(|hub| drop(hub.push("ada", pushed.attempt, pushed.offers.clone())));
        }
        1 => {
            let Ok(offers) = article::read_push(body, &limits, "note") else { return };
            taken(|hub| drop(hub.push_foreign("ada", offers.clone())));
        }
        2 => {
            let Ok(page) = snapshot::read_page(body) else { return };
            joined(&page);
        }
        3 => {
            let text = String::from_utf8_lossy(body);
            let _ = query::read_hello(&text).map(|request| hub().hello("ada", &request));
            let _ = query::read_pull(&text).map(|request| hub().pull(&request));
            let _ = query::read_since(&text);
            let _ = hub().snapshot(&query::read_snapshot(&text));
            let _ = (media::Media::of_content(Some(&text)), media::Media::for_accept(Some(&text)));
            let _ = (media::Coding::of_content(Some(&text)), media::Coding::for_accept(Some(&text)));
        }
        4 => {
            let Ok(pushed) = compact::read_push(body, limits.batch_entries) else { return };
            taken(|hub| drop(hub.push_batch("ada", pushed.clone())));
        }
        _ => {
            let Ok(page) = compact::read_snapshot(body) else { return };
            joined(&page);
        }
    }
}

/// A hub takes this, and once more: it was accepted or it was not.
fn taken(push: impl Fn(&Hub)) {
    let store = Arc::default();
    let hub = hub_on(&store);
    push(&hub);
    let before = hub.head();
    push(&hub);
    assert_eq!(hub.head(), before, "a push that is repeated is accepted twice");
    readable(&hub, &store);
}

fn joined(page: &SnapshotPage) {
    let store = Arc::default();
    let hub = hub_on(&store);
    let _ = hub.join("ada", page);
    readable(&hub, &store);
}

/// A device takes all that is in the hub, over the wire, and is sound; so does one of a hub that is opened on the same log,
/// and one that takes the state of a hub that cut its log. All show the same.
fn readable(hub: &Hub, store: &MemoryStore) {
    let all = PullRequest { since: Cursor::default(), limit: 10_000, ..PullRequest::default() };
    if let Ok(page) = hub.pull(&all) {
        let wire = page::page(&page);
        let read = page::read_page(wire.as_bytes()).unwrap_or_else(|error| panic!("{error}: {wire}"));
        assert_eq!(read, page, "{wire}");
        let _ = article::page(&page.entries.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>(), 1);
        let packed = hub.pull_packed(&all).expect("memory does not fail").encode();
        let packed = [packed, PackedPage::encode_time(page.server_time)].concat();
        assert_eq!(compact::read_page(&packed).as_ref(), Ok(&page));
    }
    let shown = shown_by(hub);
    let again = hub_on(&Arc::new(store.copy()));
    assert_eq!(shown_by(&again), shown, "a hub that is opened again shows something else");
    again.checkpoint().expect("memory does not fail");
    again.compact(0).expect("memory does not fail");
    assert_eq!(shown_by(&again), shown, "a hub's state shows something else than its log");
}

/// What a device shows that took all that this hub has.
fn shown_by(hub: &Hub) -> Vec<RawEntity> {
    let device = replica(1, MemoryStore::new()).expect("a replica in memory opens");
    now(device.sync(&OverTheWire(hub.transport("ben")))).expect("a device takes what the hub has");
    assert_eq!(device.cursor(), hub.head());
    let verified = device.verify().expect("memory does not fail");
    assert!(verified.is_sound(), "{verified:?}");
    device.raw().list(None).map(|entity| entity.expect("what is shown is read")).collect()
}

/// The hub in this process, but all that it says is written and read.
struct OverTheWire(sync_core::InProcess);

fn read<T>(read: Result<T, sync_http::wire::Unreadable>, text: &str) -> T {
    read.unwrap_or_else(|error| panic!("what a hub says cannot be read: {error}\n{text}"))
}

impl Transport for OverTheWire {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(async {
            let request = read(query::read_hello(&query::hello(request)), "a query");
            let text = hello::hello(&self.0.hello(&request).await?);
            Ok(read(hello::read_hello(text.as_bytes()), &text))
        })
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        self.0.push(request)
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async {
            let request = read(query::read_pull(&query::pull(request)), "a query");
            let text = page::page(&self.0.pull(&request).await?);
            Ok(read(page::read_page(text.as_bytes()), &text))
        })
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async {
            let text = snapshot::page(&self.0.snapshot(request).await?);
            Ok(read(snapshot::read_page(text.as_bytes()), &text))
        })
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        self.0.join(page)
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        self.0.live(since)
    }
}

/// Any reply: what can be read is written and read again alike, and a device that hears it stays sound.
pub(crate) fn response(data: &[u8]) {
    let Some((kind, body)) = choice(data) else { return };
    match kind % 5 {
        0 => {
            if let Ok(reply) = actions::read_reply(body) {
                let text = actions::reply(&reply);
                assert_eq!(actions::read_reply(text.as_bytes()).as_ref(), Ok(&reply), "{text}");
            }
        }
        1 => {
            if let Ok(hello) = hello::read_hello(body) {
                let text = hello::hello(&hello);
                assert_eq!(hello::read_hello(text.as_bytes()).as_ref(), Ok(&hello), "{text}");
            }
        }
        2 => {
            let Ok(page) = page::read_page(body) else { return };
            let text = page::page(&page);
            assert_eq!(page::read_page(text.as_bytes()).as_ref(), Ok(&page), "{text}");
            hears(Lying { page: Some(page), snapshot: None });
        }
        3 => {
            let Ok(page) = snapshot::read_page(body) else { return };
            let text = snapshot::page(&page);
            assert_eq!(snapshot::read_page(text.as_bytes()).as_ref(), Ok(&page), "{text}");
            hears(Lying { page: None, snapshot: Some(page) });
        }
        _ => {
            let mut events = sse::Events::default();
            let middle = body.len() / 2;
            let _ = events.read(&body[..middle]).and_then(|_| events.read(&body[middle..]));
        }
    }
}

/// A device that hears this is sound afterwards, whatever it made of it, and goes on.
fn hears(hub: Lying) {
    let device = replica(1, MemoryStore::new()).expect("a replica in memory opens");
    let _ = now(device.sync(&hub));
    for entity in device.raw().list(None) {
        let _ = entity.expect("what is shown is read");
    }
    let verified = device.verify().expect("memory does not fail");
    assert!(verified.is_sound(), "{verified:?}");
}

/// A hub that answers with these pages, whatever it is asked.
struct Lying {
    page: Option<Page>,
    snapshot: Option<SnapshotPage>,
}

impl Transport for Lying {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        let end = |cursor: Cursor| Cursor { seq: cursor.seq.max(1), ..cursor };
        let head = match (&self.page, &self.snapshot) {
            (Some(page), _) => page.cursor,
            (_, Some(page)) => end(page.cursor),
            _ => Cursor::default(),
        };
        // Behind the log's beginning a device takes the snapshot.
        let tail = if self.snapshot.is_some() { 2 } else { 1 };
        let hello = Hello {
            hub: "liar".into(),
            space: String::new(),
            principal: "ada".into(),
            server_time: super::NOW,
            head,
            tail,
            on_chain: true,
            limits: Limits::default(),
            protocols: vec![1],
            clients: request
                .clients
                .iter()
                .map(|(client, _)| sync_core::transport::ClientStanding {
                    client: client.clone(),
                    known: sync_core::Known::default(),
                    digest_there: None,
                })
                .collect(),
            may_join: false,
            epochs: Vec::new(),
        };
        Box::pin(async { Ok(hello) })
    }

    fn push<'a>(&'a self, _: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async { Err(TransportError::Expired) })
    }

    fn pull<'a>(&'a self, _: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        let page = self.page.clone().map(|page| Page { has_more: false, ..page });
        Box::pin(async { page.ok_or(TransportError::Expired) })
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        let page = self.snapshot.clone().filter(|_| request.page.is_empty());
        Box::pin(async { page.map(|page| SnapshotPage { next: None, ..page }).ok_or(TransportError::Expired) })
    }

    fn join<'a>(&'a self, _: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async { Err(TransportError::Expired) })
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        Box::pin(async move { Ok(since) })
    }
}

/// Any cursor and any page's name, shown to a hub with a log: it answers from its own log, or refuses.
pub(crate) fn cursor(data: &[u8]) {
    let Some((kind, rest)) = choice(data) else { return };
    let hub = hub();
    let entries: String = (1..=5).map(|n| entry(n) + if n < 5 { "," } else { "" }).collect();
    let pushed = actions::read_push(format!("{{\"actions\":[{entries}]}}").as_bytes(), &Limits::default());
    hub.push("ada", None, pushed.expect("a push").offers).expect("it is taken");
    if kind % 3 == 0 {
        hub.checkpoint().expect("memory does not fail");
        hub.compact(2).expect("memory does not fail");
    }
    let text = String::from_utf8_lossy(rest);
    let _ = text.parse::<Digest>();
    if let Ok(page) = hub.snapshot(&SnapshotRequest { page: text.clone().into_owned() }) {
        assert!(page.cursor.seq <= 5 && page.records.len() <= 5, "{page:?}");
    }
    if let Ok(request) = query::read_pull(&text)
        && let Ok(page) = hub.pull(&request)
    {
        let entries = page.entries.iter().map(|(seq, _)| *seq);
        assert!(entries.clone().all(|seq| seq > request.since.seq && seq <= 5), "{request:?}: {page:?}");
        assert!(page.cursor.seq <= 5, "{page:?}");
        if request.have.is_none() && request.since.seq < 5 && request.limit > 0 {
            assert!(entries.count() > 0, "{request:?}: nothing comes, in silence: {page:?}");
        }
    }
    if let Ok(request) = query::read_hello(&text) {
        let hello = hub.hello("ada", &request).expect("memory does not fail");
        assert_eq!(hello.clients.len(), request.clients.len());
    }
}

fn entry(n: u64) -> String {
    let time = super::NOW + n;
    format!(
        r#"{{"id":"a-{n:016x}","entityType":"note","entityId":"e{n}","type":"create","payload":{{"title":"t"}},"clientId":"a","logicalTime":{time},"n":{n}}}"#
    )
}
