//! The client against servers that follow a script: busy ones, broken ones, hostile ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use sync_core::transport::{HelloRequest, PullRequest, PushRequest, SnapshotRequest};
use sync_core::{BoxFuture, Cursor, Entry, MemoryStore, Offer, Op, Replica, Transport, TransportError, Value};
use sync_http::HttpTransport;
use sync_http::client::{HttpBody, HttpClient, HttpTransportBuilder};
use sync_http::server::HubService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Server, create, hub};

/// A server that answers the nth connection with the nth text, and the last one from then on.
pub(crate) struct Script {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Script {
    pub(crate) async fn start(replies: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let n = counter.fetch_add(1, Ordering::SeqCst);
                let reply = replies[n.min(replies.len() - 1)].clone();
                tokio::spawn(async move {
                    let mut bytes = vec![0; 64 << 10];
                    let _ = stream.read(&mut bytes).await;
                    let _ = stream.write_all(&reply).await;
                    // An unfinished reply stays unfinished for as long as the client has patience.
                    if reply.ends_with(b"...") {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { url, asked }
    }

    pub(crate) fn transport(&self) -> HttpTransportBuilder {
        HttpTransport::builder(&self.url)
            .backoff(Duration::from_millis(1), Duration::from_secs(2))
            .timeout(Duration::from_millis(500))
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(crate) fn reply(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status} S\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json(body: &str) -> Vec<u8> {
    reply(200, "Content-Type: application/json\r\n", body)
}

fn problem(status: u16, kind: &str, headers: &str) -> Vec<u8> {
    let body = format!(r#"{{"type":"{kind}","title":"t","status":{status},"detail":"because"}}"#);
    reply(status, &format!("Content-Type: application/problem+json\r\n{headers}"), body)
}

fn hello() -> Vec<u8> {
    let hub = hub();
    json(&sync_http::wire::hello::hello(&hub.hello("ann", &HelloRequest::default()).unwrap()))
}

pub(crate) async fn say_hello(transport: &HttpTransport) -> Result<sync_core::transport::Hello, TransportError> {
    Transport::hello(transport, &HelloRequest::default()).await
}

#[tokio::test]
async fn what_may_pass_is_tried_again_a_few_times() {
    let busy = reply(503, "Content-Type: application/problem+json\r\n", r#"{"type":"busy","after":5}"#);
    // What a reply's own status says counts, and not the one that is written in it.
    let torn = reply(503, "Content-Type: application/problem+json\r\n", r#"{"type":"about:blank","status":403}"#);
    for failing in
        [busy, torn, reply(502, "", ""), reply(500, "", "oops"), b"HTTP/1.1 ".to_vec(), b"nonsense\r\n\r\n".to_vec()]
    {
        let script = Script::start(vec![failing.clone(), failing, hello()]).await;
        let transport = script.transport().build().unwrap();
        assert!(say_hello(&transport).await.is_ok());
        assert_eq!(script.asked(), 3);
    }
    let script = Script::start(vec![reply(500, "", "")]).await;
    let failed = say_hello(&script.transport().retries(3).build().unwrap()).await;
    assert!(matches!(failed, Err(TransportError::Hub { .. })), "{failed:?}");
    assert_eq!(script.asked(), 4);
}

#[tokio::test]
async fn a_hub_that_names_a_time_is_obeyed() {
    let script = Script::start(vec![problem(503, "busy", "Retry-After: 1\r\n"), hello()]).await;
    let began = Instant::now();
    assert!(say_hello(&script.transport().build().unwrap()).await.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(1));
    let script = Script::start(vec![reply(429, "Retry-After: 60\r\n", ""), hello()]).await;
    let refused = say_hello(&script.transport().build().unwrap()).await;
    assert_eq!(refused, Err(TransportError::Busy { after: 60_000 }));
    assert_eq!(script.asked(), 1);
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() {
    let denied = |message: &str| TransportError::Denied { message: message.into() };
    let because = || "because".to_owned();
    let cases = [
        (problem(401, "unauthenticated", ""), denied("because")),
        (problem(403, "denied", ""), denied("because")),
        (problem(409, "diverged", ""), TransportError::Diverged { message: because() }),
        (problem(409, "forked", ""), TransportError::Forked { message: because() }),
        (problem(409, "superseded", ""), TransportError::Superseded),
        (problem(410, "expired", ""), TransportError::Expired),
        (problem(413, "too_large", ""), TransportError::TooLarge { message: because() }),
    ];
    for (reply, expected) in cases {
        let script = Script::start(vec![reply]).await;
        assert_eq!(say_hello(&script.transport().build().unwrap()).await, Err(expected));
        assert_eq!(script.asked(), 1);
    }
}

#[tokio::test]
async fn nonsense_is_called_so() {
    let cases = [
        reply(200, "Content-Type: text/html\r\n", "<html>log in to the hotel's network</html>"),
        reply(200, "", "{}"),
        reply(302, "Location: http://elsewhere/\r\n", ""),
        reply(404, "Content-Type: text/html\r\n", "not found"),
        reply(409, "", ""),
        reply(410, "", ""),
        problem(410, "diverged", ""),
        json("{"),
        json("{}"),
        json(&format!("{}1", "[".repeat(100_000))),
        reply(200, "Content-Type: application/json\r\nContent-Encoding: br\r\n", "{}"),
        reply(200, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", "{}"),
        reply(200, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", b"\x1f\x8bnothing that is packed"),
    ];
    for reply in cases {
        let text = String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned();
        let script = Script::start(vec![reply]).await;
        let found = say_hello(&script.transport().build().unwrap()).await;
        assert!(matches!(found, Err(TransportError::Nonsense { .. })), "{text}: {found:?}");
        assert_eq!(script.asked(), 1, "{text}");
    }
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_not_read_to_its_end() {
    let bomb = {
        let mut zeros = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zeros, &vec![b' '; 4 << 20]).unwrap();
        zeros.finish().unwrap()
    };
    let cases = [
        reply(200, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", bomb),
        json(&" ".repeat(2 << 20)),
        // Without an end.
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}...", " ".repeat(2 << 20)).into_bytes(),
    ];
    for reply in cases {
        let script = Script::start(vec![reply]).await;
        let transport = script.transport().reply_bytes(1 << 20).build().unwrap();
        let found = say_hello(&transport).await;
        assert!(matches!(found, Err(TransportError::TooLarge { .. })), "{found:?}");
        assert_eq!(script.asked(), 1);
    }
}

/// Its pages become smaller until they fit.
#[tokio::test]
async fn a_device_that_takes_less_than_the_hub_sends_gets_on() {
    let hub = hub();
    for n in 1..=80 {
        let mut entry = Entry::parse_json(&create("a", n), 64).unwrap().entry;
        entry.fields = vec![("title".into(), Op::Assign(Value::from("x".repeat(20_000).as_str())))];
        hub.push("ada", None, vec![Offer::Entry(entry)]).unwrap();
    }
    let server = Server::start(HubService::for_hub(hub.clone())).await;
    for compact in [true, false] {
        let transport = HttpTransport::builder(&server.url()).reply_bytes(256 << 10).compact(compact).build().unwrap();
        let device = Replica::builder().open(MemoryStore::new()).unwrap();
        let report = device.sync(&transport).await.unwrap();
        assert_eq!((report.downloaded, device.cursor()), (80, hub.head()));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_hub_that_leads_in_circles_is_no_hub() {
    let entry = |seq: u64| create("a", seq).replace("\"n\"", &format!("\"seq\":{seq},\"n\""));
    let page = |entries: &[u64], cursor: u64, more: bool| {
        let entries: Vec<_> = entries.iter().map(|seq| entry(*seq)).collect();
        let digest = "0".repeat(32);
        json(&format!(
            r#"{{"actions":[{}],"newCursor":{cursor},"digest":"{digest}","hasMore":{more},"serverTime":1}}"#,
            entries.join(",")
        ))
    };
    let good = [page(&[5, 6, 9], 9, true), page(&[], 4, false), page(&[], 7, true), page(&[6], 8, false)];
    let bad =
        [page(&[6, 5], 6, false), page(&[4], 6, false), page(&[7], 6, false), page(&[], 4, true), page(&[], 3, false)];
    let request = PullRequest { since: Cursor { seq: 4, ..Cursor::default() }, limit: 10, ..PullRequest::default() };
    for (pages, expected) in [(&good[..], true), (&bad[..], false)] {
        for reply in pages {
            let script = Script::start(vec![reply.clone()]).await;
            let page = Transport::pull(&script.transport().build().unwrap(), &request).await;
            assert_eq!(page.is_ok(), expected, "{page:?}");
        }
    }
    let own =
        json(r#"{"records":[],"vector":[],"cursor":{"seq":0,"digest":"00000000000000000000000000000000"},"next":"x"}"#);
    let script = Script::start(vec![own]).await;
    let transport = script.transport().build().unwrap();
    assert!(Transport::snapshot(&transport, &SnapshotRequest::default()).await.is_ok());
    let circle = Transport::snapshot(&transport, &SnapshotRequest { page: "x".into() }).await;
    assert!(matches!(circle, Err(TransportError::Nonsense { .. })));
}

#[tokio::test]
async fn verdicts_on_other_entries_are_no_verdicts() {
    let entry = sync_core::Entry::from_json(&sync_core::Value::parse(&create("a", 1)).unwrap()).unwrap().entry;
    let request = PushRequest { entries: vec![entry], ..Default::default() };
    for results in
        ["", r#"{"id":"b-0000000000000001","seq":1}"#, r#"{"id":"a-0000000000000001","seq":1},{"id":"x","seq":2}"#]
    {
        let script = Script::start(vec![json(&format!(r#"{{"results":[{results}],"serverTime":1}}"#))]).await;
        let found = Transport::push(&script.transport().build().unwrap(), &request).await;
        assert!(matches!(found, Err(TransportError::Nonsense { .. })), "{results}: {found:?}");
    }
}

#[tokio::test]
async fn what_a_hub_says_of_other_clients_is_not_believed() {
    let client = |name: &str| (sync_core::ClientId::new(name), sync_core::Known::default());
    let request = |names: [&str; 2]| HelloRequest { clients: names.map(client).into(), ..HelloRequest::default() };
    let hello = hub().hello("ann", &request(["a", "b"])).unwrap();
    let script = Script::start(vec![json(&sync_http::wire::hello::hello(&hello))]).await;
    let transport = script.transport().build().unwrap();
    assert_eq!(Transport::hello(&transport, &request(["a", "b"])).await, Ok(hello));
    let found = Transport::hello(&transport, &request(["b", "a"])).await;
    assert!(matches!(found, Err(TransportError::Nonsense { .. })), "{found:?}");
}

#[tokio::test]
async fn a_hub_that_does_not_answer_is_offline() {
    let silent = [
        b"...".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n...".to_vec(),
    ];
    for reply in silent {
        let script = Script::start(vec![reply]).await;
        let began = Instant::now();
        let transport = script.transport().timeout(Duration::from_millis(100)).retries(1).build().unwrap();
        let found = say_hello(&transport).await;
        assert!(matches!(found, Err(TransportError::Offline { .. })), "{found:?}");
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(script.asked(), 2);
    }
    let nobody = HttpTransport::builder("http://127.0.0.1:1").retries(0).build().unwrap();
    let found = say_hello(&nobody).await;
    assert!(matches!(found, Err(TransportError::Offline { .. })), "{found:?}");
}

#[tokio::test]
async fn live_gives_up_on_silence_and_asks_again_after_an_end() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
    let live = |text: &str| format!("{head}{text}").into_bytes();
    let cases = [
        (live("id: 7\ndata: {\"cursor\":7}\n\n..."), Ok(7)),
        (live(":\n\nid: 5\ndata: {\"cursor\":5}\n\n:\n\nid: 8\ndata: {\"cursor\":8}\n\n..."), Ok(8)),
        // A log that is shorter than it was: that is for a hello to find out.
        (live("id: 2\ndata: {\"cursor\":2}\n\n..."), Ok(5)),
        (live(":\n\n"), Ok(5)),
        (live(":\n\n..."), Err("offline")),
        (b"...".to_vec(), Err("offline")),
        (live("data: nonsense\n\n"), Err("nonsense")),
        (live(&"x".repeat(10_000)), Err("nonsense")),
        (json("{}"), Err("nonsense")),
        (problem(403, "denied", ""), Err("denied")),
    ];
    for (reply, expected) in cases {
        let text = String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned();
        let script = Script::start(vec![reply]).await;
        let transport = script.transport().live_timeout(Duration::from_millis(300)).build().unwrap();
        let found = Transport::live(&transport, 5).await;
        assert_eq!(found.as_ref().map_err(TransportError::code), expected.as_ref().map_err(|code| *code), "{text}");
    }
}

/// A client that counts, and refuses what is compressed, as older hubs would.
struct Plain {
    sent: AtomicUsize,
}

impl HttpClient for Plain {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<HttpBody>, TransportError>> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        assert_eq!(request.headers()["authorization"], "Bearer secret");
        assert_eq!(request.headers()["sync-protocol"], "1");
        assert_eq!(request.uri(), "http://hub.example/base/spaces/team/sync/actions");
        let compressed = request.headers().contains_key("content-encoding");
        let status = if compressed { 415 } else { 200 };
        let results: Vec<_> = (1..=20).map(|n| format!(r#"{{"id":"a-{n:016x}","seq":{n}}}"#)).collect();
        let body = format!(r#"{{"results":[{}],"serverTime":1}}"#, results.join(","));
        let body = Full::new(Bytes::from(body)).map_err(Into::into).boxed_unsync();
        let response = http::Response::builder().status(status).header("content-type", "application/json");
        Box::pin(std::future::ready(Ok(response.body(body).unwrap())))
    }
}

#[tokio::test]
async fn any_client_carries_requests_and_compression_is_given_up_where_it_is_refused() {
    let plain = Arc::new(Plain { sent: AtomicUsize::new(0) });
    struct Shared(Arc<Plain>);
    impl HttpClient for Shared {
        fn send(
            &self,
            request: http::Request<Bytes>,
        ) -> BoxFuture<'_, Result<http::Response<HttpBody>, TransportError>> {
            self.0.send(request)
        }
    }
    let builder = HttpTransport::builder("http://hub.example/base/").space("team").token("secret").compact(false);
    let transport = builder.client(Shared(Arc::clone(&plain))).build().unwrap();
    let entry = |n| sync_core::Entry::from_json(&sync_core::Value::parse(&create("a", n)).unwrap()).unwrap().entry;
    let request = PushRequest { entries: (1..=20).map(entry).collect(), ..Default::default() };
    for sent in [2, 3, 4] {
        assert_eq!(Transport::push(&transport, &request).await.unwrap().verdicts.len(), 20);
        assert_eq!(plain.sent.load(Ordering::SeqCst), sent);
    }
    assert!(!format!("{transport:?}").contains("secret"));
}
