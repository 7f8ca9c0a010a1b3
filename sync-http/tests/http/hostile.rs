//! Requests that nobody should send: each is answered as agreed, and honest ones go on meanwhile.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use sync_core::Spaces;
use sync_http::server::{HubService, RequestLimits, Tokens};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{NOW, Reply, Server, actions, create, hub};

const V1: &str = "Sync-Protocol: 1\r\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_told_why() {
    let server = Server::start(HubService::for_hub(hub())).await;
    let nested = |n: usize| format!(r#"{{"actions":[{}1{}]}}"#, "[".repeat(n), "]".repeat(n));
    let bodies: [(&str, Vec<u8>); 12] = [
        ("malformed", b"".to_vec()),
        ("malformed", b"{".to_vec()),
        ("malformed", b"null".to_vec()),
        ("malformed", b"{\"actions\":7}".to_vec()),
        ("malformed", b"{\"actions\":[7]}".to_vec()),
        ("malformed", b"{\"actions\":[{}]}".to_vec()),
        ("malformed", b"{\"actions\":[],\"actions\":[]}".to_vec()),
        ("malformed", b"{\"actions\":[],\"attempt\":\"1\"}".to_vec()),
        ("malformed", b"\xff\xfe".to_vec()),
        ("malformed", nested(100_000).into_bytes()),
        ("malformed", "[".repeat(100_000).into_bytes()),
        ("malformed", format!(r#"{{"actions":[{{"id":"{}"}}]}}"#, "i".repeat(1 << 20)).into_bytes()),
    ];
    for (problem, body) in bodies {
        let reply = server.push(&body).await;
        assert_eq!((reply.status, reply.problem().as_str()), (400, problem), "{:.80}", String::from_utf8_lossy(&body));
    }
    let heads = [
        ("GET", "/sync/actions?since=x", V1, 400, "malformed"),
        ("GET", "/sync/actions?since=-1", "", 400, "malformed"),
        ("GET", "/sync/hello?client=x", V1, 400, "malformed"),
        ("GET", "/sync/hello?epoch=1", V1, 400, "malformed"),
        ("GET", "/sync/hello?epoch=%2B000000000000001", V1, 400, "malformed"),
        ("GET", "/sync/live?since=x", V1, 400, "malformed"),
        ("GET", "/sync/snapshot?page=x", V1, 410, "expired"),
        ("GET", "/sync/actions?since=9", V1, 409, "diverged"),
        ("GET", "/sync/actions", "Sync-Protocol: 2\r\n", 400, "protocol"),
        ("GET", "/sync/actions", "Sync-Protocol: 1\r\nAccept: text/html\r\n", 406, "not_acceptable"),
        ("POST", "/sync/actions", "Sync-Protocol: 1\r\nContent-Type: text/plain\r\n", 415, "unsupported"),
        ("POST", "/sync/actions", "Sync-Protocol: 1\r\nContent-Encoding: br\r\n", 415, "unsupported"),
        ("POST", "/sync/actions", "Sync-Protocol: 1\r\nContent-Encoding: gzip\r\n", 400, "malformed"),
        ("POST", "/sync/snapshot", "Sync-Protocol: 1\r\n", 400, "malformed"),
        ("GET", "/", "", 404, "not_found"),
        ("GET", "/sync/actions/x", "", 404, "not_found"),
        ("GET", "/spaces/..%2f/sync/hello", "", 404, "not_found"),
        ("GET", "/spaces/other/sync/hello", "", 404, "not_found"),
        ("DELETE", "/sync/actions", "", 405, "method"),
        ("POST", "/sync/hello", "", 405, "method"),
        ("PUT", "/healthz", "", 405, "method"),
    ];
    for (method, path, headers, status, problem) in heads {
        let reply = server.ask(method, path, headers, b"").await;
        assert_eq!((reply.status, reply.problem().as_str()), (status, problem), "{method} {path} {headers}");
        assert_eq!(reply.header("allow").is_some(), status == 405);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_action_that_is_wrong_has_its_verdict_and_the_rest_theirs() {
    let server = Server::start(HubService::for_hub(hub())).await;
    let time = |time: u64| create("b", 1).replace(&format!("{}", NOW + 1), &time.to_string());
    let deep = |n: usize| create("b", 1).replace("\"t\"", &format!("{}1{}", "[".repeat(n), "]".repeat(n)));
    let value = |value: &str| create("b", 1).replace("\"t\"", value);
    let cases = [
        ("malformed", time(u64::MAX)),
        ("malformed", value("1e999")),
        ("malformed", value("\"\\ud800\"")),
        ("malformed", value("{\"a\":1,\"a\":2}")),
        ("malformed", value("{\"$add\":0.5}")),
        ("malformed", value("{\"$add\":1,\"b\":2}")),
        ("depth", deep(33)),
        ("depth", deep(100_000)),
        ("entry_bytes", value(&format!("\"{}\"", "x".repeat(300 << 10)))),
        ("malformed", create("b", 1).replace("\"create\"", "\"explode\"")),
        ("malformed", create("b", 1).replace("\"note\"", "7")),
        ("malformed", create("b", 1).replace("\"note\"", &format!("\"{}\"", "n".repeat(10_000)))),
        (
            "malformed",
            create("b", 1).replace("\"entityId\":\"b1\"", &format!("\"entityId\":\"{}\"", "n".repeat(10_000))),
        ),
        ("malformed", create("b", 1).replace("\"n\":1", "\"n\":18446744073709551616")),
        ("forbidden", create("b", 1).replace("\"create\",\"payload\":{\"title\":\"t\"}", "\"purge\",\"payload\":null")),
    ];
    for (n, (code, action)) in (1..).zip(cases) {
        let reply = server.push(actions(&[create("a", n), action.clone()])).await;
        let json = reply.json();
        assert_eq!(reply.status, 200, "{action:.200} {json}");
        assert_eq!(json["results"][0]["seq"], n, "{action:.200}");
        assert_eq!(json["results"][1]["rejected"]["code"], code, "{action:.200} {json}");
        assert_eq!(json["results"][1]["id"], "b-0000000000000001");
    }
    // A stamp from the far future is not refused for ever: the clock may be wrong.
    let early = server.push(actions(&[time(u64::MAX - 1)])).await.json();
    assert_eq!(early["results"][0]["again"]["code"], "clock");
    // And what is merely odd is taken.
    let odd = value(r#"{"$value":{"$add":1}}"#).replace("\"title\"", "\"\u{e9}\\u0000\"");
    assert_eq!(server.push(actions(&[odd])).await.json()["results"][0]["seq"], 16);
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded_compressed_or_not() {
    let limits = RequestLimits { push_bytes: 2 << 20, ..RequestLimits::default() };
    let service = HubService::builder(Spaces::single(hub())).limits(limits).build();
    let server = Server::start(service).await;
    let promised = server.ask("GET", "/sync/hello", V1, b"").await.json()["limits"]["batchBytes"].as_u64();
    assert_eq!(promised, Some(1 << 20));
    let large = vec![b' '; 3 << 20];
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let gzipped = "Sync-Protocol: 1\r\nContent-Encoding: gzip\r\n";
    for (headers, body) in [(V1, &large), (gzipped, &bomb), (gzipped, &large)] {
        let reply = server.ask("POST", "/sync/actions", headers, body).await;
        assert_eq!((reply.status, reply.problem().as_str()), (413, "too_large"));
    }
    // In pieces, and without saying how many.
    let mut stream = server.connect().await;
    stream
        .write_all(b"POST /sync/actions HTTP/1.1\r\nHost: h\r\nConnection: close\r\nSync-Protocol: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let piece = [format!("{:x}\r\n", 1 << 16).as_bytes(), &vec![b' '; 1 << 16], b"\r\n"].concat();
    for _ in 0..40 {
        stream.write_all(&piece).await.unwrap();
    }
    // Nor ever coming to an end.
    assert_eq!(Reply::read(&mut stream).await.status, 413);
    // More than the hub takes, though not more than the server reads; and more entries than it takes.
    let wide = create("a", 1).replace("\"t\"", &format!("\"{}\"", "x".repeat(200_000)));
    let reply = server.push(actions(&vec![wide; 7])).await;
    assert_eq!((reply.status, reply.problem().as_str()), (413, "too_large"));
    let many: Vec<_> = (1..=1_001).map(|n| create("a", n)).collect();
    assert_eq!(server.push(actions(&many)).await.status, 413);
    let fine = server.ask("POST", "/sync/actions", gzipped, &gzip(actions(&many[..1_000]).as_bytes())).await;
    assert_eq!((fine.status, fine.json()["results"][999]["seq"].as_u64()), (200, Some(1_000)));
    server.stop().await;
}

#[tokio::test]
async fn no_more_is_promised_than_is_read() {
    let limits = RequestLimits { push_bytes: 100_000, ..RequestLimits::default() };
    let server = Server::start(HubService::builder(Spaces::single(hub())).limits(limits).build()).await;
    let hello = server.ask("GET", "/sync/hello", V1, b"").await.json();
    let promised = hello["limits"]["batchBytes"].as_u64().unwrap();
    assert!((90_000..100_000).contains(&promised), "{hello}");
    server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_arriving_share_a_bounded_memory() {
    let limits = RequestLimits { bodies: 1 << 20, ..RequestLimits::default() };
    let server = Server::start(HubService::builder(Spaces::single(hub())).limits(limits).build()).await;
    let mut hoarders = Vec::new();
    for _ in 0..10 {
        let mut stream = server.connect().await;
        let head = "POST /sync/actions HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // Cut off where there is no more memory.
        let _ = stream.write_all(&vec![b' '; 500_000]).await;
        hoarders.push(stream);
    }
    let mut refused = 0;
    for stream in &mut hoarders {
        let mut bytes = vec![0; 64];
        if let Ok(Ok(read)) = timeout(Duration::from_millis(300), stream.read(&mut bytes)).await {
            refused += u32::from(bytes[..read].starts_with(b"HTTP/1.1 503") || read == 0);
        }
    }
    assert!((7..10).contains(&refused), "{refused} were refused");
    drop(hoarders);
    // What they held is there again.
    let mut last = 0;
    for _ in 0..100 {
        last = server.push(actions(&[create("a", 1)])).await.status;
        if last == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(last, 200);
    server.stop().await;
}

#[tokio::test]
async fn tokens_say_who_asks_and_where_they_may() {
    let tokens = Tokens::new().allow("ann's", "ann").allow_in("ben's", "ben", ["team"]);
    let open = |_: &str| -> Result<std::sync::Arc<dyn sync_core::Store>, _> {
        Ok(std::sync::Arc::new(sync_core::MemoryStore::new()))
    };
    let spaces = Spaces::new(sync_core::Hub::builder().name("home"), open);
    let server = Server::start(HubService::builder(spaces).authenticate(tokens).build()).await;
    let cases = [
        ("", "/sync/hello", 401),
        ("Authorization: Bearer wrong\r\n", "/sync/hello", 401),
        ("Authorization: Basic ann's\r\n", "/sync/hello", 401),
        ("Authorization: bearer ann's\r\n", "/sync/hello", 200),
        ("Authorization: Bearer ann's\r\n", "/spaces/team/sync/hello", 200),
        ("Authorization: Bearer ben's\r\n", "/spaces/team/sync/hello", 200),
        ("Authorization: Bearer ben's\r\n", "/spaces/other/sync/hello", 403),
        ("Authorization: Bearer ben's\r\n", "/sync/live?since=0", 403),
        ("", "/sync/live?since=0", 401),
        ("", "/healthz", 200),
    ];
    for (header, path, status) in cases {
        let reply = server.ask("GET", path, header, b"").await;
        assert_eq!(reply.status, status, "{header} {path}");
        assert_eq!(reply.header("www-authenticate"), (status == 401).then_some("bearer"));
        if path.contains("hello") && status == 200 {
            let json = reply.json();
            let principal = if header.contains("ann") { "ann" } else { "ben" };
            assert_eq!((&json["principal"], json["space"] == "team"), (&principal.into(), path.contains("team")));
        }
    }
    // A client belongs to whom it first pushed for.
    let headers = |token: &str| format!("{V1}Authorization: Bearer {token}\r\n");
    let body = actions(&[create("a", 1)]);
    let path = "/spaces/team/sync/actions";
    assert_eq!(server.ask("POST", path, &headers("ann's"), body.as_bytes()).await.status, 200);
    let reply = server.ask("POST", path, &headers("ben's"), body.as_bytes()).await;
    assert_eq!((reply.status, reply.problem().as_str()), (403, "denied"));
    server.stop().await;
}
