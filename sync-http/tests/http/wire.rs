//! The protocol's JSON: what is written is read again, in the members that are agreed, and nonsense is refused.

use proptest::prelude::*;
use sync_core::Offer;
use sync_core::transport::{Limits, SnapshotRequest};
use sync_core::{Op, TransportError};
use sync_http::wire::media::{Coding, Media};
use sync_http::wire::problem::Problem;
use sync_http::wire::{actions, article, hello, page, query, snapshot, sse};

use crate::samples;

/// Deep and large enough for every sample.
fn wide() -> Limits {
    Limits { depth: 64, entry_bytes: 1 << 20, ..Limits::default() }
}

proptest! {
    #![proptest_config(samples::config())]

    #[test]
    fn pushes(request in samples::push()) {
        let read = actions::read_push(actions::push(&request).as_bytes(), &wide()).unwrap();
        prop_assert_eq!(read.attempt, request.attempt);
        let offers: Vec<_> = request.entries.into_iter().map(Offer::Entry).collect();
        prop_assert_eq!(read.offers, offers);
    }

    #[test]
    fn push_replies(reply in samples::push_reply()) {
        prop_assert_eq!(actions::read_reply(actions::reply(&reply).as_bytes()).unwrap(), reply);
    }

    #[test]
    fn pages(sample in samples::page()) {
        prop_assert_eq!(page::read_page(page::page(&sample).as_bytes()).unwrap(), sample);
    }

    #[test]
    fn hellos(sample in samples::hello(), request in samples::hello_request()) {
        prop_assert_eq!(hello::read_hello(hello::hello(&sample).as_bytes()).unwrap(), sample);
        prop_assert_eq!(query::read_hello(&query::hello(&request)).unwrap(), request);
    }

    #[test]
    fn snapshots(sample in samples::snapshot()) {
        prop_assert_eq!(snapshot::read_page(snapshot::page(&sample).as_bytes()).unwrap(), sample);
    }

    #[test]
    fn queries(pull in samples::pull(), token in samples::text(), since in any::<u64>()) {
        prop_assert_eq!(query::read_pull(&query::pull(&pull)).unwrap(), pull);
        let request = SnapshotRequest { page: token };
        prop_assert_eq!(query::read_snapshot(&query::snapshot(&request)), request);
        prop_assert_eq!(query::read_since(&query::live(since)), Ok(since));
    }

    #[test]
    fn whatever_arrives_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\":,a-z0-9$.]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = actions::read_push(bytes, &wide());
            let _ = actions::read_reply(bytes);
            let _ = article::read_push(bytes, &wide(), "note");
            let _ = page::read_page(bytes);
            let _ = hello::read_hello(bytes);
            let _ = snapshot::read_page(bytes);
            let _ = sse::Events::default().read(bytes);
        }
        let _ = query::read_hello(&text);
        let _ = query::read_pull(&text);
    }

    #[test]
    fn events_are_read_however_they_are_cut(heads in proptest::collection::vec(any::<u64>(), 1..5), cut in 1..20_usize) {
        let stream: String = heads.iter().map(|head| sse::event(*head) + sse::HEARTBEAT).collect();
        let mut events = sse::Events::default();
        let told = stream.as_bytes().chunks(cut).filter_map(|bytes| events.read(bytes).unwrap());
        prop_assert_eq!(told.max(), heads.into_iter().max());
    }
}

const CREATE: &str = r#"{"id":"A-0000000000000001","entityType":"note","entityId":"x","type":"create","payload":{"title":"t"},"clientId":"A","logicalTime":1,"n":1}"#;

/// One action between two good ones.
fn between(action: &str) -> String {
    format!(r#"{{"actions":[{CREATE},{action},{CREATE}],"attempt":7}}"#)
}

#[test]
fn an_action_that_is_wrong_is_refused_in_its_place() {
    let deep = format!(r#"{{"id":"i","x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let large = format!(r#"{{"id":"i","x":"{}"}}"#, "a".repeat(300 << 10));
    let with = |member: &str, value: &str| {
        let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(CREATE).unwrap();
        members.insert("id".into(), "i".into());
        members.remove("n");
        members.remove(member);
        let rest = serde_json::to_string(&members).unwrap();
        format!("{},\"{member}\":{value}}}", rest.strip_suffix('}').unwrap())
    };
    let cases = [
        ("malformed", r#"{"id":"i"}"#.to_owned()),
        ("malformed", r#"{"id":"i","id2":1e999}"#.to_owned()),
        ("malformed", r#"{"id":"i","x":"\ud800"}"#.to_owned()),
        ("malformed", r#"{"id":"i","x":1,"x":2}"#.to_owned()),
        ("depth", deep),
        ("entry_bytes", large),
        ("malformed", with("logicalTime", "\"1\"")),
        ("malformed", with("logicalTime", "18446744073709551616")),
        ("malformed", with("logicalTime", "-1")),
        ("malformed", with("logicalTime", "1.5")),
        ("malformed", with("type", "\"explode\"")),
        ("malformed", with("entityId", "7")),
        ("malformed", with("entityType", "null")),
        ("malformed", with("payload", "[]")),
        ("malformed", with("payload", r#"{"a":{"$add":"x"}}"#)),
        ("malformed", with("n", "0")),
        ("malformed", with("n", "1")),
        ("malformed", with("replaces", "[]")),
        ("malformed", with("of", r#"["nonsense"]"#)),
        ("malformed", with("group", r#"{"first":0,"count":1}"#)),
        ("malformed", with("intent", r#""00""#)),
        ("malformed", with("dot", r#""h-0000000000000001""#)),
        // Without a number of its own.
        ("malformed", with("none", "0")),
    ];
    for (code, action) in cases {
        let read = actions::read_push(between(&action).as_bytes(), &Limits::default()).unwrap();
        assert_eq!((read.offers.len(), read.attempt.number), (3, Some(7)));
        assert!(matches!((&read.offers[0], &read.offers[2]), (Offer::Entry(_), Offer::Entry(_))));
        let Offer::Malformed { id, rejection } = &read.offers[1] else { panic!("{action:.100} was taken") };
        assert_eq!((id.as_str(), rejection.code.as_str()), ("i", code), "{action:.100}");
        assert!(!rejection.message.is_empty());
    }
}

#[test]
fn a_push_without_ids_or_without_actions_is_refused_whole() {
    let long = format!(r#"{{"id":"{}"}}"#, "i".repeat(1 << 20));
    let nameless = ["{}", "7", "null", "[]", r#"{"id":7}"#, r#"{"id":""}"#, r#"{"id":"\ud800"}"#, &long];
    for action in nameless {
        let refused = actions::read_push(between(action).as_bytes(), &Limits::default());
        assert!(refused.unwrap_err().message.contains("action 1"), "{action:.100}");
    }
    let bodies = [
        "",
        "[]",
        "{}",
        "null",
        r#"{"actions":{}}"#,
        r#"{"actions":[]"#,
        r#"{"actions":[],"attempt":-1}"#,
        "{\"actions\":[\u{0}]}",
    ];
    for body in bodies {
        assert!(actions::read_push(body.as_bytes(), &Limits::default()).is_err(), "{body}");
        assert!(body.contains("attempt") || article::read_push(body.as_bytes(), &Limits::default(), "note").is_err());
    }
    assert!(actions::read_push(b"{\"actions\":[\"\xff\"]}", &Limits::default()).is_err());
}

#[test]
fn a_list_without_end_is_over_the_limit_before_it_is_read() {
    let nothings = format!(r#"{{"actions":[{}1]}}"#, "1,".repeat(200_000));
    let refused = [
        actions::read_push(nothings.as_bytes(), &Limits::default()).map(drop),
        article::read_push(nothings.as_bytes(), &Limits::default(), "note").map(drop),
        page::read_page(
            nothings
                .replace(
                    "]}",
                    r#"],"newCursor":1,"digest":"00000000000000000000000000000000","hasMore":false,"serverTime":1}"#,
                )
                .as_bytes(),
        )
        .map(drop),
        actions::read_push(between(CREATE).as_bytes(), &Limits { batch_entries: 2, ..Limits::default() }).map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().code(), "too_large");
    }
}

#[test]
fn results_are_spelled_as_agreed() {
    use sync_core::transport::{PushReply, Rejection};
    use sync_core::{ClientId, Dot, Verdict};
    let rejection =
        |field: Option<&str>| Rejection { code: "gone".into(), message: "m".into(), field: field.map(Into::into) };
    let cases = [
        (Verdict::Accepted { seq: 3, known_as: None }, r#"{"id":"i","seq":3}"#),
        (
            Verdict::Accepted { seq: 3, known_as: Some(Dot::new(ClientId::new("c"), 10)) },
            r#"{"id":"i","seq":3,"as":"c-000000000000000a"}"#,
        ),
        (Verdict::Rejected(rejection(None)), r#"{"id":"i","rejected":{"code":"gone","message":"m"}}"#),
        (Verdict::Rejected(rejection(Some("f"))), r#"{"id":"i","rejected":{"code":"gone","message":"m","field":"f"}}"#),
        (Verdict::Again { after: None, code: None }, r#"{"id":"i","again":{}}"#),
        (
            Verdict::Again { after: Some(5), code: Some("clock".into()) },
            r#"{"id":"i","again":{"after":5,"code":"clock"}}"#,
        ),
    ];
    for (verdict, expected) in cases {
        let reply =
            PushReply { verdicts: vec![("i".into(), verdict)], head: sync_core::Cursor::default(), server_time: 9 };
        assert_eq!(actions::reply(&reply), format!(r#"{{"results":[{expected}],"serverTime":9}}"#));
    }
}

#[test]
fn a_reply_without_a_verdict_or_with_two_is_none() {
    let wrong = [
        r#"{"id":"i"}"#,
        r#"{"id":"i","seq":1,"again":{}}"#,
        r#"{"id":"i","rejected":{"code":"c","message":"m"},"again":{}}"#,
        r#"{"id":"i","as":"c-000000000000000a"}"#,
        r#"{"id":"i","seq":1,"as":"c"}"#,
        r#"{"seq":1}"#,
    ];
    for result in wrong {
        let body = format!(r#"{{"results":[{result}],"serverTime":9}}"#);
        assert!(actions::read_reply(body.as_bytes()).is_err(), "{result}");
    }
}

#[test]
fn queries_that_say_nothing_sensible_are_refused() {
    for wrong in [
        "since=-1",
        "since=+1",
        "since=x",
        "since=18446744073709551616",
        "digest=0",
        "limit=",
        "have=x",
        "have=:1",
        "have=c:-1",
        "digest=%2b0000000000000000000000000000001",
    ] {
        assert!(query::read_pull(wrong).is_err(), "{wrong}");
    }
    for wrong in [
        "client=a",
        "client=a:1",
        "client=a:1:0",
        "client=:1:00000000000000000000000000000000",
        "cursor=1",
        "cursor=1:0",
    ] {
        assert!(query::read_hello(wrong).is_err(), "{wrong}");
    }
    let request = query::read_pull("other=1&since=3").unwrap();
    assert_eq!((request.since.seq, request.limit), (3, query::DEFAULT_LIMIT));
}

#[test]
fn problems_become_the_errors_that_they_were() {
    let message = || "m".to_owned();
    let errors = [
        TransportError::Busy { after: 1_500 },
        TransportError::Denied { message: message() },
        TransportError::TooLarge { message: message() },
        TransportError::Diverged { message: message() },
        TransportError::Forked { message: message() },
        TransportError::Expired,
        TransportError::Superseded,
        TransportError::Hub { message: message() },
    ];
    for error in errors {
        let problem: Problem = serde_json::from_str(&Problem::from(error.clone()).to_json()).unwrap();
        assert_eq!(problem.kind, error.code());
        assert_eq!(problem.to_error(None), error);
    }
    // What others say with the same status makes no replica drop what it has.
    for status in [404, 405, 409, 410, 426] {
        let problem = Problem { kind: String::new(), title: String::new(), status, detail: message(), after: None };
        assert!(matches!(problem.to_error(None), TransportError::Nonsense { .. }), "{status}");
        let claimed = Problem { kind: "diverged".into(), status: 404, ..problem };
        assert!(matches!(claimed.to_error(None), TransportError::Nonsense { .. }));
    }
    let limited = Problem { kind: String::new(), title: String::new(), status: 429, detail: message(), after: None };
    assert_eq!(limited.to_error(Some(7_000)), TransportError::Busy { after: 7_000 });
}

#[test]
fn forms_are_agreed_upon() {
    for good in [None, Some("application/json"), Some("Application/JSON; charset=utf-8")] {
        assert_eq!(Media::of_content(good), Some(Media::Json));
    }
    for bad in [Some("text/plain"), Some("application/cbor"), Some("")] {
        assert_eq!(Media::of_content(bad), None);
    }
    for good in [None, Some("*/*"), Some("text/html, application/json;q=0.1"), Some("application/*")] {
        assert_eq!(Media::for_accept(good), Some(Media::Json));
    }
    for bad in [Some("text/html"), Some("application/json;q=0"), Some("")] {
        assert_eq!(Media::for_accept(bad), None);
    }
    assert_eq!(Coding::for_accept(Some("br, gzip;q=0.5")), Coding::Gzip);
    assert_eq!(Coding::for_accept(Some("gzip, zstd")), Coding::BEST);
    assert_eq!(Coding::for_accept(Some("gzip;q=0")), Coding::Identity);
    assert_eq!(Coding::for_accept(None), Coding::Identity);
    assert_eq!(Coding::of_content(Some("GZIP")), Some(Coding::Gzip));
    assert_eq!(Coding::of_content(Some("gzip, gzip")), None);
    assert_eq!(Coding::of_content(Some("br")), None);
}

const ARTICLE: &str = r#"{"id":"0b7a","entityId":"note_1","type":"update","payload":{"type":"update","id":"note_1","payload":{"title":"Groceries","odd":{"$add":1}},"logicalTime":1042},"clientId":"device-B","logicalTime":1042}"#;

fn article_offer(action: &str) -> Offer {
    let body = format!(r#"{{"actions":[{action}]}}"#);
    let mut offers = article::read_push(body.as_bytes(), &Limits::default(), "note").unwrap();
    assert_eq!(offers.len(), 1);
    offers.remove(0)
}

#[test]
fn the_articles_actions_are_read() {
    let Offer::Entry(entry) = article_offer(ARTICLE) else { panic!("refused") };
    assert_eq!((&*entry.key.entity_type, &*entry.key.id), ("note", "note_1"));
    assert_eq!((entry.id().as_str(), entry.origin.time), ("0b7a", 1042));
    assert_eq!(entry.origin.author().as_str(), "device-B");
    // What looks like an operation is a value to one who knows no operations.
    assert!(entry.fields.iter().all(|(_, op)| matches!(op, Op::Assign(_))), "{:?}", entry.fields);
    let typed = ARTICLE.replace("\"clientId\"", "\"entityType\":\"other\",\"clientId\"");
    let Offer::Entry(entry) = article_offer(&typed) else { panic!("refused") };
    assert_eq!(&*entry.key.entity_type, "other");
    let delete = r#"{"id":"1","entityId":"e","type":"delete","payload":{"type":"delete","id":"e","logicalTime":5},"clientId":"c","logicalTime":5,"uploaded":false}"#;
    let Offer::Entry(entry) = article_offer(delete) else { panic!("refused") };
    assert!(entry.fields.is_empty() && entry.unknown.is_none());
}

#[test]
fn the_articles_actions_agree_with_their_payload() {
    let wrong = [
        ARTICLE.replacen("\"logicalTime\":1042}", "\"logicalTime\":1043}", 1),
        ARTICLE.replacen("\"type\":\"update\"", "\"type\":\"create\"", 1),
        ARTICLE.replacen("note_1", "note_2", 1),
        ARTICLE.replace("\"update\"", "\"purge\""),
        ARTICLE.replace("\"update\"", "\"restore\""),
        ARTICLE.replace("\"payload\":{\"title\":\"Groceries\",\"odd\":{\"$add\":1}},", ""),
        ARTICLE.replace("{\"title\":\"Groceries\",\"odd\":{\"$add\":1}}", "7"),
        ARTICLE.replace("\"title\"", "\"$title\""),
        ARTICLE.replace("\"clientId\"", "\"n\":1,\"clientId\""),
        CREATE.to_owned(),
    ];
    for action in wrong {
        assert!(matches!(article_offer(&action), Offer::Malformed { .. }), "{action}");
    }
}
