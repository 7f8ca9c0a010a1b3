//! The server beside its protocol: other servers, events, shutting down, what operators look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use sync_core::transport::{PullRequest, PushRequest};
use sync_core::{
    Checkpoint, Heads, Hub, KeyValue, MemoryStore, Position, Spaces, Store, StoreError, Transport, Verdict,
};
use sync_http::HttpTransport;
use sync_http::server::{HubService, RequestLimits, ServeOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::support::{Reply, Server, actions, create, hub, request};

const V1: &str = "Sync-Protocol: 1\r\n";

/// Reads from a stream until it holds this text.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let mut bytes = vec![0; 4_096];
    while !read.contains(text) {
        let some = timeout(Duration::from_secs(10), stream.read(&mut bytes)).await.expect("it comes").unwrap();
        assert!(some > 0, "the stream ended after {read:?}");
        read.push_str(&String::from_utf8_lossy(&bytes[..some]));
    }
    read
}

async fn live(server: &Server, query: &str, headers: &str) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(&request("GET", &format!("/sync/live{query}"), headers, b"")).await.unwrap();
    stream
}

#[tokio::test]
async fn events_tell_how_long_the_log_is() {
    let limits = RequestLimits { heartbeat: Duration::from_millis(50), live_streams: 4, ..RequestLimits::default() };
    let service = HubService::builder(Spaces::single(hub())).limits(limits).build();
    // A stream is no idle connection.
    let time = Duration::from_millis(300);
    let options = ServeOptions { header_time: time, idle_time: time, ..ServeOptions::default() };
    let server = Server::with_options(service, options).await;
    let mut waiting = live(&server, "?since=0", "").await;
    let head = until(&mut waiting, "\r\n\r\n").await.to_lowercase();
    assert!(head.contains("content-type: text/event-stream") && head.contains("cache-control: no-store"), "{head}");
    until(&mut waiting, ":\n\n").await;
    server.push(actions(&[create("a", 1), create("a", 2)])).await;
    assert!(until(&mut waiting, "data:").await.contains("id: 2\ndata: {\"cursor\":2}\n\n"));
    tokio::time::sleep(time * 3).await;
    server.push(actions(&[create("a", 3)])).await;
    until(&mut waiting, "id: 3\n").await;
    // One who knows of more than there is has to hear it.
    let mut beyond = live(&server, "?since=9", "").await;
    until(&mut beyond, "id: 3\n").await;
    // One who is behind is told at once; one who comes back says where it was.
    let mut behind = live(&server, "?since=1", "").await;
    until(&mut behind, "id: 3\n").await;
    let mut back = live(&server, "?since=0", "Last-Event-ID: 3\r\n").await;
    let heard = until(&mut back, ":\n\n").await;
    assert!(!heard.contains("id:"), "{heard}");
    // There is an end to how many there are, and places become free.
    let refused = server.ask("GET", "/sync/live?since=0", "", b"").await;
    assert_eq!((refused.status, refused.problem().as_str()), (503, "busy"));
    assert!(refused.header("retry-after").is_some());
    drop((waiting, beyond, behind));
    let mut text = String::new();
    for _ in 0..100 {
        text = String::from_utf8(server.ask("GET", "/metrics", "", b"").await.body).unwrap();
        if text.contains("sync_live_streams 1\n") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(text.contains("sync_live_streams 1\n"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_ends_the_rest() {
    let options = ServeOptions { grace: Duration::from_secs(5), ..ServeOptions::default() };
    let server = Server::with_options(HubService::for_hub(hub()), options).await;
    let mut events = live(&server, "?since=0", "").await;
    until(&mut events, ":\n\n").await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    until(&mut idle, "ok\n").await;
    // A request that is half sent when the shutdown comes.
    let mut under_way = server.connect().await;
    let whole = request("POST", "/sync/actions", V1, actions(&[create("a", 1)]).as_bytes());
    let (first, second) = whole.split_at(whole.len() - 10);
    under_way.write_all(first).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = server.address;
    let began = Instant::now();
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!stopping.is_finished());
    under_way.write_all(second).await.unwrap();
    let reply = Reply::read(&mut under_way).await;
    assert_eq!((reply.status, reply.json()["results"][0]["seq"].as_u64()), (200, Some(1)));
    stopping.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let mut bytes = Vec::new();
    events.read_to_end(&mut bytes).await.unwrap();
    assert!(String::from_utf8_lossy(&bytes).ends_with("0\r\n\r\n"), "the events end as they should");
    assert_eq!(idle.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let options = ServeOptions { grace: Duration::from_millis(200), ..ServeOptions::default() };
    let server = Server::with_options(HubService::for_hub(hub()), options).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"POST /sync/actions HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn it_can_be_mounted_in_axum() {
    let service = HubService::for_hub(hub());
    let app = axum::Router::new()
        .route("/", axum::routing::get(|| async { "an app of its own" }))
        .nest_service("/hub", service.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let closing = service.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move {
        drop(stopped.await);
        closing.close();
    };
    let running = tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(shutdown).await });
    let transport = HttpTransport::new(&format!("http://{address}/hub")).unwrap();
    let entry = sync_core::Entry::from_json(&sync_core::Value::parse(&create("a", 1)).unwrap()).unwrap().entry;
    let waiting = tokio::spawn(async move { transport.live(0).await.map(|head| (transport, head)) });
    let other = HttpTransport::new(&format!("http://{address}/hub/")).unwrap();
    let reply = other.push(&PushRequest { entries: vec![entry], ..Default::default() }).await.unwrap();
    assert_eq!(reply.verdicts[0].1, Verdict::Accepted { seq: 1, known_as: None });
    let (transport, head) = waiting.await.unwrap().unwrap();
    assert_eq!(head, 1);
    let request = PullRequest { since: sync_core::Cursor::default(), limit: 9, ..PullRequest::default() };
    assert_eq!(transport.pull(&request).await.unwrap().entries.len(), 1);
    // A live stream does not keep axum from shutting down.
    let still = tokio::spawn(async move { transport.live(1).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(()).unwrap();
    timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    assert_eq!(still.await.unwrap(), Ok(1));
}

#[tokio::test]
async fn operators_see_how_it_is() {
    let service = HubService::for_hub(hub());
    let server = Server::start(service.clone()).await;
    assert_eq!(server.ask("GET", "/readyz", "", b"").await.body, b"ready\n");
    server.push(actions(&[create("a", 1), create("b", 1).replace("create", "explode")])).await;
    server.ask("GET", "/sync/actions", V1, b"").await;
    server.ask("GET", "/nowhere", "", b"").await;
    let metrics = server.ask("GET", "/metrics", "", b"").await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    let text = String::from_utf8(metrics.body).unwrap();
    for line in [
        "sync_requests_total{endpoint=\"actions\",status=\"2xx\"} 2",
        "sync_requests_total{endpoint=\"none\",status=\"4xx\"} 1",
        "sync_entries_accepted_total 1",
        "sync_entries_rejected_total 1",
        "sync_entries_served_total 1",
        "# TYPE sync_connections gauge",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(server.ask("HEAD", "/healthz", "", b"").await.body.is_empty());
    service.close();
    assert_eq!(server.ask("GET", "/readyz", "", b"").await.status, 503);
    server.stop().await;
}

/// A store that fails, or keeps those waiting who look at it.
#[derive(Default)]
struct Stub {
    store: MemoryStore,
    fails: AtomicBool,
    shut: AtomicBool,
}

impl Store for Stub {
    fn heads(&self) -> Result<Heads, StoreError> {
        while self.shut.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.store.heads()
    }
    fn append(&self, expected: Position, commits: &[&[u8]]) -> Result<Position, StoreError> {
        match self.fails.load(SeqCst) {
            true => Err(StoreError::io("the disk", "it is full")),
            false => self.store.append(expected, commits),
        }
    }
    fn journal(&self, from: Position, limit: usize) -> Result<Vec<(Position, Vec<u8>)>, StoreError> {
        self.store.journal(from, limit)
    }
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        match self.fails.load(SeqCst) {
            true => Err(StoreError::io("the disk", "it is full")),
            false => self.store.checkpoint(checkpoint),
        }
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(key)
    }
    fn range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.store.range(from, to, limit)
    }
    fn reclaim(&self) -> Result<(), StoreError> {
        self.store.reclaim()
    }
}

#[tokio::test]
async fn one_whose_store_failed_is_not_ready_until_it_is_open_again() {
    let store = Arc::new(Stub::default());
    let single = Server::start(HubService::for_hub(Hub::builder().open(store.clone()).unwrap())).await;
    let body = actions(&[create("a", 1)]);
    assert_eq!(single.ask("GET", "/readyz", "", b"").await.status, 200);
    store.fails.store(true, SeqCst);
    assert_eq!(single.push(&body).await.status, 500);
    assert_eq!(single.ask("GET", "/readyz", "", b"").await.status, 503);
    store.fails.store(false, SeqCst);
    assert_eq!(single.ask("GET", "/readyz", "", b"").await.status, 503, "nobody opens it again");
    single.stop().await;

    let store = Arc::new(Stub::default());
    let kept = store.clone();
    let spaces = Spaces::new(Hub::builder().name("home"), move |space| match (space, kept.fails.load(SeqCst)) {
        ("team", true) => Err(StoreError::io("the disk", "it is full")),
        ("team", false) => Ok(kept.clone()),
        _ => Ok(Arc::new(MemoryStore::new())),
    });
    let server = Server::start(HubService::new(spaces)).await;
    let push = || server.ask("POST", "/spaces/team/sync/actions", V1, body.as_bytes());
    assert_eq!(server.ask("GET", "/spaces/team/sync/hello", V1, b"").await.status, 200);
    store.fails.store(true, SeqCst);
    assert_eq!(push().await.status, 500);
    for _ in 0..3 {
        let reply = server.ask("GET", "/readyz", "", b"").await;
        assert_eq!(reply.status, 503, "it cannot be opened");
        assert!(reply.json()["detail"].as_str().unwrap().contains("it is full"));
    }
    store.fails.store(false, SeqCst);
    // Nobody else asks for the space.
    assert_eq!(server.ask("GET", "/readyz", "", b"").await.status, 200);
    assert_eq!(push().await.status, 200);
    server.stop().await;
}

/// A full disk can be read and opened: only writing shows that it is full.
#[tokio::test]
async fn one_whose_disk_is_full_is_not_ready_until_it_takes_writes() {
    let store = Arc::new(Stub::default());
    let kept = store.clone();
    let spaces = Spaces::new(Hub::builder().name("home"), move |space| match space {
        "team" => Ok(kept.clone()),
        _ => Ok(Arc::new(MemoryStore::new())),
    });
    let server = Server::start(HubService::new(spaces)).await;
    let body = actions(&[create("a", 1)]);
    let push = || server.ask("POST", "/spaces/team/sync/actions", V1, body.as_bytes());
    let ready = || server.ask("GET", "/readyz", "", b"");
    assert_eq!(server.ask("GET", "/spaces/team/sync/hello", V1, b"").await.status, 200);
    store.fails.store(true, SeqCst);
    assert_eq!(push().await.status, 500);
    for _ in 0..3 {
        let reply = ready().await;
        assert_eq!(reply.status, 503, "nothing can be written");
        assert!(reply.json()["detail"].as_str().unwrap().contains("it is full"));
        assert_eq!(server.ask("GET", "/spaces/team/sync/hello", V1, b"").await.status, 200, "it is read all the same");
    }
    store.fails.store(false, SeqCst);
    let rows = store.range(b"", b"", usize::MAX).unwrap();
    assert_eq!(ready().await.status, 200);
    assert_eq!(store.range(b"", b"", usize::MAX).unwrap(), rows, "asking leaves nothing behind");
    assert_eq!(push().await.status, 200);
    assert_eq!(ready().await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_kept_page_is_compressed_where_nobody_is_kept_waiting() {
    let store = Arc::new(Stub::default());
    let hub = Hub::builder().open(store.clone()).unwrap();
    let limits = RequestLimits { calls: 1, ..RequestLimits::default() };
    let server = Server::start(HubService::builder(Spaces::single(hub)).limits(limits).build()).await;
    let many: Vec<_> = (1..=50).map(|n| create("a", n)).collect();
    server.push(actions(&many)).await;
    let ask = async |coding: &str| {
        let headers = format!("{V1}Accept-Encoding: {coding}\r\n");
        server.ask("GET", "/sync/actions?since=0&limit=20", &headers, b"").await.status
    };
    for coding in ["gzip", "zstd", "identity"] {
        assert_eq!(ask(coding).await, 200);
    }
    store.shut.store(true, SeqCst);
    let mut hello = server.connect().await;
    hello.write_all(&request("GET", "/sync/hello", V1, b"")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // All places for work that blocks are taken: what is kept as it is sent needs none.
    for coding in ["zstd", "identity"] {
        assert_eq!(timeout(Duration::from_secs(5), ask(coding)).await, Ok(200), "{coding}");
    }
    assert!(timeout(Duration::from_millis(300), ask("gzip")).await.is_err(), "it was compressed where others wait");
    store.shut.store(false, SeqCst);
    assert_eq!(ask("gzip").await, 200);
    assert_eq!(Reply::read(&mut hello).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn replies_are_compressed_for_those_who_can_read_it() {
    let server = Server::start(HubService::for_hub(hub())).await;
    let many: Vec<_> = (1..=50).map(|n| create("a", n)).collect();
    server.push(actions(&many)).await;
    let cases = [
        ("", None),
        ("gzip", Some("gzip")),
        ("br, gzip;q=0.1", Some("gzip")),
        ("zstd, gzip", Some("zstd")),
        ("br", None),
    ];
    for (accept, coding) in cases {
        let headers = format!("{V1}Accept-Encoding: {accept}\r\n");
        let reply = server.ask("GET", "/sync/actions", &headers, b"").await;
        assert_eq!((reply.status, reply.header("content-encoding")), (200, coding), "{accept}");
        assert_eq!(reply.body.len() < 3_000, coding.is_some());
        assert!(reply.header("vary").unwrap().contains("accept-encoding"));
    }
    // Not worth it.
    let reply = server.ask("GET", "/sync/hello", "Accept-Encoding: gzip\r\n", b"").await;
    assert_eq!(reply.header("content-encoding"), None);
    server.stop().await;
}

#[tokio::test]
async fn http2_is_spoken_by_prior_knowledge() {
    let server = Server::start(HubService::for_hub(hub())).await;
    let stream = server.connect().await;
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    for n in 1..=20 {
        let body = http_body_util::Full::new(bytes::Bytes::from(actions(&[create("a", n)])));
        let request = http::Request::post(format!("{}/sync/actions", server.url())).header("sync-protocol", "1");
        let response = sender.send_request(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
    }
    drop(sender);
    server.stop().await;
}

/// A page that was full is made once, and told from others by its end; one that was not is made anew.
#[tokio::test]
async fn full_pages_are_kept_and_can_be_asked_about() {
    let hub = hub();
    let server = Server::start(HubService::for_hub(hub.clone())).await;
    let push = |from: u64, to: u64| actions(&(from..=to).map(|n| create("a", n)).collect::<Vec<_>>());
    assert_eq!(server.push(push(1, 25)).await.status, 200);
    let get = |headers: &str| format!("Sync-Protocol: 1\r\n{headers}");
    let mut digests = Vec::new();
    for accept in
        ["", "Accept: application/vnd.sync.batch\r\n", "Accept-Encoding: zstd\r\n", "Accept-Encoding: gzip\r\n"]
    {
        let server = &server;
        let ask = |path: &'static str, more: &str| {
            let headers = get(&format!("{accept}{more}"));
            async move { server.ask("GET", path, &headers, b"").await }
        };
        let first = ask("/sync/actions?limit=10", "").await;
        let again = ask("/sync/actions?limit=10", "").await;
        assert_eq!((first.status, &first.body), (200, &again.body), "the clock stands still");
        let tag = first.header("etag").unwrap().to_owned();
        assert!(tag.starts_with("w/\"10@") && first.header("cache-control") == Some("private, no-cache"), "{tag}");
        let tag = tag.replace("w/", "W/");
        let same = ask("/sync/actions?limit=10", &format!("If-None-Match: \"x\", {tag}\r\n")).await;
        assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, first.header("etag")));
        let other = ask("/sync/actions?limit=10", "If-None-Match: \"x\"\r\n").await;
        assert_eq!((other.status, &other.body), (200, &first.body));
        // What is left out is not in the page, whoever asked before.
        let left = ask("/sync/actions?limit=10&have=a:7", "").await;
        assert_ne!(left.body, first.body);
        let all = ask("/sync/actions?limit=100", "").await;
        assert_eq!((all.header("etag"), all.header("cache-control")), (None, Some("no-store")));
        digests.push(tag);
    }
    assert!(digests.iter().all(|tag| *tag == digests[0]));
    // The log goes on, and the page that was not full with it.
    assert_eq!(server.push(push(26, 30)).await.status, 200);
    let all = server.ask("GET", "/sync/actions?limit=100", &get(""), b"").await.json();
    assert_eq!(all["newCursor"], 30);
    // It is cut, and what was kept is served no more.
    hub.compact(5).unwrap();
    let cut = server.ask("GET", "/sync/actions?limit=10", &get(""), b"").await;
    assert_eq!((cut.status, cut.problem().as_str()), (410, "expired"));
    server.stop().await;
}
