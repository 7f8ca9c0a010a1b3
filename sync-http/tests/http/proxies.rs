//! The client behind what proxies do to requests and replies: they send elsewhere, unpack, cut off, drop.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use sync_core::transport::{Hello, HelloRequest, PullRequest};
use sync_core::{
    BoxFuture, ClientId, Digest, Entry, Id, Known, MemoryStore, Offer, Replica, Syncable, Transport, TransportError,
};
use sync_http::HttpTransport;
use sync_http::client::{HttpBody, HttpClient, HyperClient};
use sync_http::server::HubService;
use tokio::time::{Sleep, sleep};

use crate::client::{Script, reply, say_hello};
use crate::support::{Server, create, hub};

/// The reply's own date says what time it is there.
#[tokio::test]
async fn a_time_to_come_back_may_be_a_date() {
    let date = |name: &str, second: u32| format!("{name}: Sun, 06 Nov 1994 08:49:{second} GMT\r\n");
    let cases = [
        (date("Date", 10) + &date("Retry-After", 47), 37_000),
        (date("Date", 47) + &date("Retry-After", 10), 0),
        // Nobody knows when that is.
        (date("Retry-After", 47), 1_000),
        ("Retry-After: soon\r\n".to_owned(), 1_000),
    ];
    for (headers, after) in cases {
        let script = Script::start(vec![reply(503, &headers, "")]).await;
        let refused = say_hello(&script.transport().retries(0).build().unwrap()).await;
        assert_eq!(refused, Err(TransportError::Busy { after }), "{headers}");
    }
}

#[tokio::test]
async fn a_proxys_own_refusal_is_told_as_such() {
    let cases = [
        (
            413,
            "too much at once: 413 Payload Too Large, from what is before the hub, such as a proxy: have it take more",
        ),
        (414, "what answered is not a hub, or not one that this version understands: 414 URI Too Long"),
    ];
    for (status, expected) in cases {
        let script = Script::start(vec![reply(status, "Content-Type: text/html\r\n", "<html>")]).await;
        let refused = say_hello(&script.transport().build().unwrap()).await.unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }
}

/// It is not followed, for the token is for one address alone: whoever gave that is told which one to give.
#[tokio::test]
async fn a_redirect_says_where_to() {
    let script = Script::start(vec![reply(301, "Location: https://hub.example/a/sync/hello?cursor=1\r\n", "")]).await;
    let transport = script.transport().build().unwrap();
    for error in [say_hello(&transport).await.unwrap_err(), Transport::live(&transport, 0).await.unwrap_err()] {
        assert_eq!(error.code(), "nonsense");
        let said =
            ": 301 Moved Permanently: it sends on to https://hub.example/a: if the hub is there, use that address";
        assert!(error.to_string().ends_with(said) && !error.to_string().contains("status"), "{error}");
    }
    assert_eq!(script.asked(), 2);
}

/// Some proxies unpack what they pass on, and leave the header that says that it is packed.
#[tokio::test]
async fn what_was_unpacked_on_the_way_is_read() {
    let hello = hub().hello("ann", &HelloRequest::default()).unwrap();
    for coding in ["gzip", "zstd"] {
        let headers = format!("Content-Type: application/json\r\nContent-Encoding: {coding}\r\n");
        let script = Script::start(vec![reply(200, &headers, sync_http::wire::hello::hello(&hello))]).await;
        assert_eq!(say_hello(&script.transport().build().unwrap()).await.as_ref(), Ok(&hello), "{coding}");
        // There is nothing to unpack in this one.
        let script = Script::start(vec![reply(413, &headers, "")]).await;
        let refused = say_hello(&script.transport().build().unwrap()).await;
        assert!(matches!(refused, Err(TransportError::TooLarge { .. })), "{coding}: {refused:?}");
    }
}

/// Where a proxy says neither how long a reply is nor where it ends, one that is cut looks like a whole one.
#[tokio::test]
async fn a_reply_that_was_cut_off_is_no_nonsense() {
    let open = |headers: &str, body: &[u8]| [format!("HTTP/1.0 200 OK\r\n{headers}\r\n").as_bytes(), body].concat();
    let whole = sync_http::wire::hello::hello(&hub().hello("ann", &HelloRequest::default()).unwrap()).into_bytes();
    let typed = "Content-Type: application/json\r\n";
    let packed = |packed: Vec<u8>, coding: &str| (format!("{typed}Content-Encoding: {coding}\r\n"), packed);
    let gzip = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, &whole).unwrap();
        gzip.finish().unwrap()
    };
    for (headers, whole) in [(typed.to_owned(), whole.clone()), packed(gzip, "gzip")] {
        for length in 0..=whole.len() {
            let script = Script::start(vec![open(&headers, &whole[..length])]).await;
            let found = say_hello(&script.transport().retries(0).build().unwrap()).await;
            let expected = if length == whole.len() { Ok(()) } else { Err("offline") };
            assert_eq!(found.map(drop).map_err(|error| error.code()), expected, "{length}: {headers}");
        }
    }
    let chunked = format!("{typed}Transfer-Encoding: chunked\r\n");
    let cases = [
        (format!("HTTP/1.1 200 OK\r\n{chunked}\r\n5\r\n{{\"hub").into_bytes(), "offline"),
        (format!("HTTP/1.1 200 OK\r\n{chunked}\r\n2\r\n{{}}\r\n").into_bytes(), "offline"),
        (format!("HTTP/1.1 200 OK\r\n{typed}Content-Length: 9\r\n\r\n{{\"hub").into_bytes(), "offline"),
        // What is whole was meant to be so.
        (format!("HTTP/1.1 200 OK\r\n{chunked}\r\n5\r\n{{\"hub\r\n0\r\n\r\n").into_bytes(), "nonsense"),
        (open(typed, b"{}"), "nonsense"),
        (open(typed, b"no JSON"), "nonsense"),
        (open(&format!("{typed}Content-Encoding: gzip\r\n"), b"\x1f\x8bnothing that is packed"), "nonsense"),
    ];
    for (reply, expected) in cases {
        let text = String::from_utf8_lossy(&reply).into_owned();
        let script = Script::start(vec![reply]).await;
        let found = say_hello(&script.transport().retries(0).build().unwrap()).await;
        assert_eq!(found.map(drop).map_err(|error| error.code()), Err(expected), "{text}");
    }
}

/// Of a page in the compact form, too: no part of it is taken.
#[tokio::test]
async fn a_page_that_was_cut_off_is_asked_for_again() {
    let hub = hub();
    let entry = |n| Entry::parse_json(&create("a", n), 64).unwrap().entry;
    hub.push("ada", None, (1..=40).map(entry).map(Offer::Entry).collect()).unwrap();
    let request = PullRequest { limit: 100, ..PullRequest::default() };
    let server = Server::start(HubService::for_hub(hub)).await;
    for coding in ["identity", "gzip", "zstd"] {
        let headers =
            format!("Sync-Protocol: 1\r\nAccept: application/vnd.sync.batch\r\nAccept-Encoding: {coding}\r\n");
        let whole = server.ask("GET", "/sync/actions?since=0&limit=100", &headers, b"").await.body;
        let coding = if coding == "identity" { String::new() } else { format!("Content-Encoding: {coding}\r\n") };
        let head = format!("HTTP/1.0 200 OK\r\nContent-Type: application/vnd.sync.batch\r\n{coding}\r\n");
        for length in 0..=whole.len() {
            let script = Script::start(vec![[head.as_bytes(), &whole[..length]].concat()]).await;
            let found = Transport::pull(&script.transport().retries(0).build().unwrap(), &request).await;
            let expected = if length == whole.len() { Ok(40) } else { Err("offline") };
            let found = found.map(|page| page.entries.len()).map_err(|error| error.code());
            assert_eq!(found, expected, "{length}: {coding}");
        }
    }
    server.stop().await;
}

/// A hub behind a link on which a piece of a reply comes every so often.
struct Slow {
    reply: Bytes,
    piece: usize,
    every: Duration,
}

struct SlowBody(Slow, Pin<Box<Sleep>>);

impl HttpClient for Slow {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<HttpBody>, TransportError>> {
        let Self { piece, every, .. } = *self;
        let body = SlowBody(Self { reply: self.reply.clone(), piece, every }, Box::pin(sleep(every)));
        let response = http::Response::builder().header("content-type", "application/json");
        let response = response.header("content-length", self.reply.len()).body(body.boxed_unsync());
        Box::pin(std::future::ready(Ok(response.unwrap())))
    }
}

impl Body for SlowBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self(slow, next) = self.get_mut();
        if slow.reply.is_empty() {
            return Poll::Ready(None);
        }
        ready!(next.as_mut().poll(cx));
        *next = Box::pin(sleep(slow.every));
        let piece = slow.reply.split_to(slow.piece.min(slow.reply.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// It has as long for each part as for a whole small one; and one that trickles in does not hold a device up for ever.
#[tokio::test(start_paused = true)]
async fn a_large_reply_may_take_its_time() {
    let hello = sync_http::wire::hello::hello(&hub().hello("ann", &HelloRequest::default()).unwrap());
    let large = Bytes::from(hello.clone() + &" ".repeat(1 << 20));
    // By default a reply may take 30 s.
    for (reply, piece, seconds, expected) in [
        (large.clone(), 16 << 10, 29, Ok(())),
        (large.clone(), 1 << 10, 1, Ok(())),
        (large.clone(), 16 << 10, 31, Err("offline")),
        (large, 100, 1, Err("offline")),
        (hello.clone().into(), 100, 1, Ok(())),
        (hello.into(), 1, 1, Err("offline")),
    ] {
        let slow = Slow { reply, piece, every: Duration::from_secs(seconds) };
        let transport = HttpTransport::builder("http://hub.example").client(slow).retries(0).build().unwrap();
        let found = say_hello(&transport).await.map(drop).map_err(|error| error.code());
        assert_eq!(found, expected, "{piece} bytes every {seconds} s");
    }
}

/// Passes on all but the header that says which version is spoken, of requests with this method.
struct Strips(http::Method, HyperClient);

impl HttpClient for Strips {
    fn send(
        &self,
        mut request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<HttpBody>, TransportError>> {
        if request.method() == self.0 {
            request.headers_mut().remove("sync-protocol");
        }
        self.1.send(request)
    }
}

#[derive(Syncable)]
#[sync(entity = "note")]
struct Note {
    #[sync(id)]
    id: Id<Note>,
    title: String,
}

/// The hub takes such a request for the article's, which has other words for everything.
#[tokio::test]
async fn where_the_version_is_dropped_on_the_way_nothing_is_refused_for_good() {
    let server = Server::start(HubService::for_hub(hub())).await;
    for method in [http::Method::GET, http::Method::POST] {
        for compact in [true, false] {
            let builder = HttpTransport::builder(&server.url()).client(Strips(method.clone(), HyperClient::new()));
            let transport = builder.compact(compact).build().unwrap();
            let device = Replica::builder().register::<Note>().open(MemoryStore::new()).unwrap();
            let note = Note { id: device.new_id(), title: "t".into() };
            device.create(note).unwrap().await.unwrap();
            let error = device.sync(&transport).await.unwrap_err();
            assert!(error.to_string().contains("`Sync-Protocol: 1`"), "{error}");
            assert_eq!((device.status().pending, device.status().rejected), (1, 0), "{method}");
            let report = device.sync(&HttpTransport::new(&server.url()).unwrap()).await.unwrap();
            assert_eq!((report.uploaded, report.rejected), (1, 0), "{method}");
        }
    }
    server.stop().await;
}

/// Notes the longest address.
struct Longest(Arc<AtomicUsize>, HyperClient);

impl HttpClient for Longest {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<HttpBody>, TransportError>> {
        self.0.fetch_max(request.uri().to_string().len(), Ordering::SeqCst);
        self.1.send(request)
    }
}

/// A file that was copied many times names all the clients that it was.
#[tokio::test]
async fn a_long_greeting_is_one_all_the_same() {
    let hub = hub();
    let names: Vec<String> = (0..300).map(|n| format!("a-device-of-many-lives-{n}")).collect();
    let mut clients = Vec::new();
    for name in &names {
        let entry = Entry::parse_json(&create(name, 1), 64).unwrap().entry;
        hub.push("anonymous", None, vec![Offer::Entry(entry)]).unwrap();
        clients.push((ClientId::new(name.as_str()), Known { n: 1, digest: Digest(1) }));
    }
    let server = Server::start(HubService::for_hub(hub.clone())).await;
    let longest = Arc::new(AtomicUsize::new(0));
    let client = Longest(Arc::clone(&longest), HyperClient::new());
    let transport = HttpTransport::builder(&server.url()).client(client).build().unwrap();
    let request = HelloRequest { clients, cursor: hub.head(), ..HelloRequest::default() };
    let hello = Transport::hello(&transport, &request).await.unwrap();
    assert_eq!(hello.clients.len(), 300);
    let limits = hello.limits;
    assert_eq!(hello, Hello { limits, ..hub.hello("anonymous", &request).unwrap() });
    assert!(longest.load(Ordering::SeqCst) < 8_000, "{longest:?}");
    server.stop().await;
}
