//! The compact form: what is written is read again, whatever else arrives is refused, and who does not know it is
//! spoken to in JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use sync_core::transport::compact::{self, PackedPage};
use sync_core::transport::{Page, PullRequest, PushReply, PushRequest};
use sync_core::{BoxFuture, Cursor, Entry, Hub, Transport, TransportError, Value, Verdict};
use sync_http::HttpTransport;
use sync_http::client::{HttpBody, HttpClient};
use sync_http::server::HubService;

use crate::samples;
use crate::support::{Server, create, hub};

const BATCH: &str = "Sync-Protocol: 1\r\nContent-Type: application/vnd.sync.batch\r\n";

fn page(sample: &Page) -> Vec<u8> {
    let mut message = PackedPage::of(sample).encode();
    message.extend(PackedPage::encode_time(sample.server_time));
    message
}

proptest! {
    #![proptest_config(samples::config())]

    #[test]
    fn messages_are_read_as_they_were_written(
        push in samples::push(),
        reply in samples::push_reply(),
        sample in samples::page(),
        snapshot in samples::snapshot(),
    ) {
        let read = compact::read_push(&compact::push(&push), 10).unwrap();
        prop_assert_eq!((read.attempt, &read.entries), (push.attempt, &push.entries));
        prop_assert_eq!(compact::read_reply(&compact::reply(&reply), reply.verdicts.len()).unwrap(), reply);
        prop_assert_eq!(compact::read_page(&page(&sample)).unwrap(), sample);
        prop_assert_eq!(compact::read_snapshot(&compact::snapshot(&snapshot)).unwrap(), snapshot);
    }

    #[test]
    fn whatever_arrives_is_read_or_refused(
        push in samples::push(),
        reply in samples::push_reply(),
        sample in samples::page(),
        snapshot in samples::snapshot(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let read = |bytes: &[u8]| {
            let read = [
                compact::read_push(bytes, 10).is_ok(),
                compact::read_reply(bytes, reply.verdicts.len()).is_ok(),
                compact::read_page(bytes).is_ok(),
                compact::read_snapshot(bytes).is_ok(),
            ];
            read.into_iter().filter(|read| *read).count()
        };
        read(&noise);
        for message in [compact::push(&push), compact::reply(&reply), page(&sample), compact::snapshot(&snapshot)] {
            prop_assert_eq!(read(&message), 1);
            for cut in 0..message.len() {
                prop_assert_eq!(read(&message[..cut]), 0, "cut at {}", cut);
            }
            let mut changed = message;
            for (place, byte) in &places {
                let at = place.index(changed.len());
                changed[at] = *byte;
            }
            read(&changed);
        }
    }
}

fn entry(client: &str, n: u64) -> Entry {
    Entry::from_json(&Value::parse(&create(client, n)).unwrap()).unwrap().entry
}

fn entries(count: u64) -> Vec<Entry> {
    (1..=count).map(|n| Entry { intent: Some(u128::from(n) << 90), ..entry("a", n) }).collect()
}

#[test]
fn verdicts_in_order_and_intents_in_a_row_take_next_to_nothing() {
    let verdict = |n| (entry("a", n).id(), Verdict::Accepted { seq: 7 + n, known_as: None });
    let reply = PushReply { verdicts: (1..=1_000).map(verdict).collect(), head: Cursor::default(), server_time: 1 };
    let bytes = compact::reply(&reply);
    assert!(bytes.len() < 32, "{}", bytes.len());
    assert_eq!(compact::read_reply(&bytes, 1_000).unwrap(), reply);
    assert!(compact::read_reply(&bytes, 999).is_err() && compact::read_reply(&bytes, 1_001).is_err());
    let sized = |intent: &dyn Fn(u64) -> Option<u128>| {
        let entries = (1..=1_000).map(|n| Entry { intent: intent(n), ..entry("a", n) }).collect();
        let request = PushRequest { entries, ..Default::default() };
        let bytes = compact::push(&request);
        assert_eq!(compact::read_push(&bytes, 1_000).unwrap().entries, request.entries);
        bytes.len()
    };
    let bare = sized(&|_| None);
    assert!(sized(&|n| Some(u128::MAX - 2_000 + u128::from(n))) < bare + 32);
    assert!(sized(&|n| (n % 2 == 0).then_some(u128::from(n))) > bare + 500 * 16);
}

#[tokio::test]
async fn each_side_gets_the_form_that_it_names() {
    let server = Server::start(HubService::for_hub(hub())).await;
    let request = PushRequest { entries: entries(20), attempt: Some(1).into() };
    let reply = server.ask("POST", "/sync/actions", BATCH, &compact::push(&request)).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    assert_eq!(reply.json()["results"][19]["seq"], 20);
    let get = |accept: &str| format!("Sync-Protocol: 1\r\nAccept: {accept}\r\n");
    for path in ["/sync/actions", "/sync/snapshot"] {
        for accept in ["application/vnd.sync.batch", "application/json, application/vnd.sync.batch;q=0.1"] {
            let reply = server.ask("GET", path, &get(accept), b"").await;
            assert_eq!(reply.header("content-type"), Some("application/vnd.sync.batch"), "{path} {accept}");
            assert!(reply.header("vary").is_some_and(|vary| vary.contains("accept")));
        }
        for accept in ["*/*", "application/*", "application/json", "application/vnd.sync.batch;q=0, */*"] {
            let reply = server.ask("GET", path, &get(accept), b"").await;
            assert_eq!(reply.header("content-type"), Some("application/json"), "{path} {accept}");
        }
    }
    let reply = server.ask("GET", "/sync/actions?limit=7", &get("application/vnd.sync.batch"), b"").await;
    let page = compact::read_page(&reply.body).unwrap();
    assert_eq!((page.entries.len(), page.cursor.seq, page.has_more), (7, 7, true));
    assert!(page.entries.iter().all(|(seq, entry)| *seq == entry.dot().n && entry.intent.is_none()));
    // The article's devices know JSON alone, whatever a proxy says for them.
    let article = server.ask("GET", "/sync/actions", "Accept: application/vnd.sync.batch, */*\r\n", b"").await;
    assert_eq!(article.json()["newCursor"], 20);
    let refused = server.ask("POST", "/sync/actions", "Content-Type: application/vnd.sync.batch\r\n", b"x").await;
    assert_eq!((refused.status, refused.problem().as_str()), (415, "unsupported"));
    server.stop().await;
}

#[tokio::test]
async fn limits_hold_for_batches_as_for_json() {
    let server = Server::start(HubService::for_hub(hub())).await;
    let push = |entries: Vec<Entry>| compact::push(&PushRequest { entries, ..Default::default() });
    let mut cut = push(entries(20));
    cut.pop();
    let bodies = [
        (400, "malformed", Vec::new()),
        (400, "malformed", vec![0; 1 << 20]),
        (400, "malformed", vec![0xff; 1 << 20]),
        (400, "malformed", b"{\"actions\":[]}".to_vec()),
        (400, "malformed", cut),
        (413, "too_large", push(entries(1_001))),
        (413, "too_large", vec![1; 3 << 20]),
    ];
    for (status, problem, body) in bodies {
        let reply = server.ask("POST", "/sync/actions", BATCH, &body).await;
        assert_eq!((reply.status, reply.problem().as_str()), (status, problem), "{}", body.len());
    }
    let with = |value: &str| {
        let action = create("a", 1).replace("\"t\"", value);
        Entry::from_json(&Value::parse(&action).unwrap()).unwrap().entry
    };
    let deep = with(&format!("{}1{}", "[".repeat(40), "]".repeat(40)));
    let large = with(&format!("\"{}\"", "x".repeat(300 << 10)));
    for (code, entry) in [("depth", deep), ("entry_bytes", large)] {
        let reply = server.ask("POST", "/sync/actions", BATCH, &push(vec![entry])).await;
        assert_eq!(reply.json()["results"][0]["rejected"]["code"], code);
    }
    server.stop().await;
}

/// A hub's service before which something stands that counts, and answers batches with this status.
struct Before {
    hub: Hub,
    status: u16,
    sent: AtomicUsize,
}

#[derive(Clone)]
struct Through(Arc<Before>);

impl HttpClient for Through {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<HttpBody>, TransportError>> {
        self.0.sent.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let is_batch =
                request.headers().get("content-type").is_some_and(|name| name == "application/vnd.sync.batch");
            if is_batch && self.0.status != 200 {
                let body = Full::new(Bytes::new()).map_err(Into::into).boxed_unsync();
                return Ok(http::Response::builder().status(self.0.status).body(body).unwrap());
            }
            let mut service = HubService::for_hub(self.0.hub.clone());
            let reply = tower_service::Service::call(&mut service, request.map(Full::new)).await;
            let Ok(reply) = reply;
            Ok(reply.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

#[tokio::test]
async fn who_does_not_know_the_form_is_asked_once() {
    // A hub that takes it, one that never does, and one that could not read this batch.
    for (status, sent) in [(200, [1, 2, 3]), (415, [2, 3, 4]), (400, [2, 4, 6])] {
        let before = Arc::new(Before { hub: hub(), status, sent: AtomicUsize::new(0) });
        let transport = HttpTransport::builder("http://h").client(Through(Arc::clone(&before))).build().unwrap();
        for (round, sent) in (1..).zip(sent) {
            let request = PushRequest { entries: vec![entry("a", round)], attempt: Some(round).into() };
            let reply = Transport::push(&transport, &request).await.unwrap();
            assert_eq!(reply.verdicts[0].1, Verdict::Accepted { seq: round, known_as: None });
            assert_eq!(before.sent.load(Ordering::SeqCst), sent, "{status}");
        }
        let pull = PullRequest { since: Cursor::default(), limit: 10, ..PullRequest::default() };
        assert_eq!(Transport::pull(&transport, &pull).await.unwrap().entries.len(), 3);
    }
}

#[tokio::test]
async fn one_entry_that_cannot_be_read_does_not_spoil_the_others() {
    let before = Arc::new(Before { hub: hub(), status: 200, sent: AtomicUsize::new(0) });
    let transport = HttpTransport::builder("http://h").client(Through(Arc::clone(&before))).build().unwrap();
    let mut wrong = entry("a", 2);
    wrong.key = sync_core::EntityKey::new("t".repeat(500), "x");
    let request = PushRequest { entries: vec![entry("a", 1), wrong, entry("a", 3)], attempt: Some(1).into() };
    let verdicts = Transport::push(&transport, &request).await.unwrap().verdicts;
    assert!(matches!(verdicts[0].1, Verdict::Accepted { seq: 1, .. }), "{verdicts:?}");
    assert!(matches!(verdicts[1].1, Verdict::Rejected(_)), "{verdicts:?}");
    assert!(matches!(verdicts[2].1, Verdict::Again { .. }), "{verdicts:?}");
}
