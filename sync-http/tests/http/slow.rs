//! Connections that only hold on: each is cut in its time, and honest requests go on meanwhile.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sync_core::Spaces;
use sync_http::server::{HubService, RequestLimits, ServeOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{Server, actions, create, hub, request};

const V1: &str = "Sync-Protocol: 1\r\n";

#[tokio::test]
async fn those_who_are_slow_are_cut_and_those_who_are_idle_are_not() {
    let limits = RequestLimits { body_time: Duration::from_millis(400), ..RequestLimits::default() };
    let options = ServeOptions {
        header_time: Duration::from_millis(400),
        idle_time: Duration::from_millis(1_600),
        ..ServeOptions::default()
    };
    let service = HubService::builder(Spaces::single(hub())).limits(limits).build();
    let server = Server::with_options(service, options).await;
    let slow = [
        // Nothing at all; a head that never ends; a body that never ends; a second head that never ends.
        (&b""[..], 0..1),
        (b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Slow: ", 0..1),
        (b"POST /sync/actions HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{", 408..409),
        (b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\nGET /healthz HT", 200..201),
    ];
    let began = Instant::now();
    for (bytes, status) in slow {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.unwrap();
        let (mut half, mut rest) = stream.into_split();
        // A byte now and then does not help.
        let drip = tokio::spawn(async move {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(40)).await;
                if rest.write_all(b"x").await.is_err() {
                    return;
                }
            }
        });
        let mut reply = Vec::new();
        let since = Instant::now();
        let _ = timeout(Duration::from_secs(10), half.read_to_end(&mut reply)).await.expect("it is cut");
        let took = since.elapsed();
        assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(1_300), "cut after {took:?}");
        let text = String::from_utf8_lossy(&reply);
        let found = text.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        assert!(status.contains(&found), "{text}");
        drip.abort();
    }
    // An idle connection is kept for longer than a head may take, and not for ever.
    let mut stream = server.connect().await;
    let get = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    for _ in 0..2 {
        stream.write_all(get).await.unwrap();
        let mut bytes = vec![0; 1_000];
        let read = stream.read(&mut bytes).await.unwrap();
        assert!(bytes[..read].starts_with(b"HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    let mut bytes = vec![0; 10];
    let ended = timeout(Duration::from_secs(5), stream.read(&mut bytes)).await.expect("it is cut");
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(began.elapsed() < Duration::from_secs(12));
    server.stop().await;
}

#[tokio::test]
async fn one_who_reads_nothing_is_cut() {
    let options = ServeOptions { write_time: Duration::from_millis(300), ..ServeOptions::default() };
    let server = Server::with_options(HubService::for_hub(hub()), options).await;
    let filler = "x".repeat(100_000);
    for n in 1..=60 {
        let action = create("a", n).replace("\"t\"", &format!("\"{filler}{n}\""));
        assert_eq!(server.push(actions(&[action])).await.status, 200);
    }
    let mut stream = server.connect().await;
    // More replies than the system holds for one who does not read them.
    let get = request("GET", "/sync/actions?since=0", V1, b"");
    let get = String::from_utf8(get).unwrap().replace("Connection: close\r\n", "").repeat(8);
    stream.write_all(get.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let metrics = server.ask("GET", "/metrics", "", b"").await;
    let text = String::from_utf8(metrics.body).unwrap();
    assert!(text.contains("sync_connections 1\n"), "{text}");
    server.stop().await;
}

/// Of a stream that stands still the connection sees nothing.
#[tokio::test]
async fn a_stream_of_which_nothing_is_read_is_cut_and_no_other_of_its_connection() {
    let time = Duration::from_secs(1);
    let options = ServeOptions { write_time: time, ..ServeOptions::default() };
    let server = Server::with_options(HubService::for_hub(hub()), options).await;
    let filler = "x".repeat(100_000);
    for n in 1..=10 {
        let action = create("a", n).replace("\"t\"", &format!("\"{filler}{n}\""));
        assert_eq!(server.push(actions(&[action])).await.status, 200);
    }
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(20_000)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(server.connect().await))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut ask = |path: &str| {
        let request = http::Request::get(format!("{}{path}", server.url())).header("sync-protocol", "1");
        sender.send_request(request.body(Empty::new()).unwrap())
    };
    let mut live = ask("/sync/live?since=0").await.unwrap().into_body();
    let stalled = ask("/sync/actions?since=0").await.unwrap().into_body();
    // Who reads, however slowly, gets all.
    let mut slow = ask("/sync/actions?since=0&limit=2").await.unwrap().into_body();
    let (began, mut bytes) = (Instant::now(), 0);
    while let Some(frame) = slow.frame().await {
        bytes += frame.expect("it is not cut").into_data().unwrap().len();
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(bytes > 200_000 && began.elapsed() > time, "{bytes} bytes in {:?}", began.elapsed());
    stalled.collect().await.expect_err("it was cut");
    // The others went on all the while.
    assert_eq!(ask("/healthz").await.unwrap().into_body().collect().await.unwrap().to_bytes(), "ok\n");
    assert!(live.frame().await.expect("it goes on").is_ok());
    server.stop().await;
}

#[tokio::test]
async fn connections_are_bounded_and_honest_requests_wait_their_turn() {
    let options = ServeOptions { connections: 3, header_time: Duration::from_millis(500), ..ServeOptions::default() };
    let server = Server::with_options(HubService::for_hub(hub()), options).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(server.connect().await);
    }
    let reply = server.ask("GET", "/healthz", "", b"").await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"ok\n"[..]));
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_slow_clients_keeps_nobody_waiting() {
    let time = Duration::from_millis(1_500);
    let limits = RequestLimits { body_time: time, ..RequestLimits::default() };
    let options = ServeOptions { header_time: time, ..ServeOptions::default() };
    let service = HubService::builder(Spaces::single(hub())).limits(limits).build();
    let server = Server::with_options(service, options).await;
    let heads: [&[u8]; 2] = [
        b"GET /sync/actions HTTP/1.1\r\nHost: h\r\nX-Slow: ",
        b"POST /sync/actions HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{",
    ];
    let mut flood = Vec::new();
    for n in 0..300 {
        let mut stream = server.connect().await;
        stream.write_all(heads[n % 2]).await.unwrap();
        flood.push(stream);
    }
    for n in 1..=30 {
        let began = Instant::now();
        assert_eq!(server.push(actions(&[create("honest", n)])).await.status, 200);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    let began = Instant::now();
    for stream in &mut flood {
        let mut bytes = Vec::new();
        // Whether it is closed or reset: it is over.
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.expect("it is cut");
    }
    assert!(began.elapsed() < time * 3, "{:?}", began.elapsed());
    server.stop().await;
}
