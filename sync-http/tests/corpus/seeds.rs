//! What the corpora begin with: a message, a record, a store of every kind.

use std::collections::BTreeMap;

use sync_core::model::entry::encode_batch;
use sync_core::transport::compact;
use sync_core::transport::{HelloRequest, Limits, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest};
use sync_core::{Cursor, EntityKey, Entry, Hub, MemoryStore, Offer, Record, Snapshot, Transport, reconcile};
use sync_http::wire::{actions, hello, page, query, snapshot, sse};
use sync_testkit::history::{FieldKind, History, Profile};

type Seed = (&'static str, String, Vec<u8>);

pub(crate) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    histories(&mut seeds);
    messages(&mut seeds);
    for (n, whose) in [0u8, 1, 2, 3].into_iter().enumerate() {
        let changes: Vec<u8> = (0..n as u8 * 4).map(|byte| byte.wrapping_mul(37)).collect();
        seeds.push(("row", format!("store{n}"), [&[whose][..], &changes].concat()));
    }
    for (n, text) in [
        r#"{"text":"t","maybe":null,"number":-1,"small":255,"real":0.1,"yes":true,"list":[1,2],"map":{"a":1},"tags":["x"],"views":3,"best":9,"origin":"o","pair":["p",true]}"#,
        r#"{"text":"","maybe":"m","number":9223372036854775807,"small":0,"real":1e300,"yes":false,"list":[],"map":{},"tags":[],"views":0,"best":0,"origin":"","pair":["",null]}"#,
        r#"{"text":"\ud83d\ude00\u0000","number":1}"#,
        r#"[1,2.5,"a",{"b":[null,true]},-0.0,1e-7]"#,
        r#"{"a":18446744073709551615,"b":170141183460469231731687303715884105727}"#,
    ]
    .into_iter()
    .enumerate()
    {
        seeds.push(("entity", format!("json{n}"), text.into()));
    }
    seeds
}

fn records(entries: &[Entry]) -> BTreeMap<EntityKey, Record> {
    let whole: Snapshot = reconcile(Snapshot::default(), entries).expect("no name has two contents");
    whole.records().map(|(key, record)| (key.clone(), record.clone())).collect()
}

fn histories(seeds: &mut Vec<Seed>) {
    let profiles = [
        Profile { entries: 8, ..Profile::honest() },
        Profile { entries: 8, ..Profile::hostile() },
        Profile { entries: 6, ..Profile::scattered() },
        Profile { entries: 6, ..Profile::crowded(FieldKind::Set) },
        Profile { entries: 6, ..Profile::crowded(FieldKind::Counter) },
        Profile { entries: 6, ..Profile::article() },
    ];
    for (n, profile) in profiles.iter().enumerate() {
        let entries = History::generate(n as u64, profile).entries;
        seeds.push(("reconcile", format!("history{n}"), encode_batch(&entries)));
        for (m, record) in records(&entries).into_values().take(2).enumerate() {
            seeds.push(("snapshot", format!("record{n}{m}"), [&[0][..], &record.encode()].concat()));
        }
    }
}

fn messages(seeds: &mut Vec<Seed>) {
    let now = |future| pollster_once(future);
    let hub = Hub::builder().name("home").open(MemoryStore::new()).expect("a hub in memory opens");
    let mut entries = History::generate(7, &Profile { entries: 6, skew: 0, ..Profile::honest() }).entries;
    entries.retain(|entry| entry.foreign_id.is_none());
    let push = PushRequest { entries, attempt: Some(1).into() };
    let reply = now(hub.transport("ada").push(&push)).unwrap_or(PushReply {
        verdicts: vec![],
        head: Cursor::default(),
        server_time: 1,
    });
    let tagged = |tag: u8, text: String| [&[tag][..], text.as_bytes()].concat();
    let note = |n: u64| {
        let time = 1_700_000_000_000 + n;
        format!(
            r#"{{"id":"a-{n:016x}","entityType":"note","entityId":"e{n}","type":"create","payload":{{"title":"t","tags":{{"$insert":["x"]}},"views":{{"$add":2}}}},"clientId":"a","logicalTime":{time},"n":{n},"intent":"{n:032x}"}}"#
        )
    };
    let two = format!(r#"{{"actions":[{},{}],"attempt":1}}"#, note(1), note(2));
    let update = r#"{"actions":[{"id":"a-0000000000000001","entityType":"note","entityId":"e","type":"create","payload":{"title":"t"},"clientId":"a","logicalTime":1700000000001,"n":1},{"id":"a-0000000000000002","entityType":"note","entityId":"e","type":"update","payload":{"title":"u","best":{"$max":3},"low":{"$min":1},"first":{"$first":"f"},"own":{"$x:mine":[1]},"plain":{"$value":{"$add":1}}},"replaces":{"title":["a-0000000000000001"]},"of":["a-0000000000000001"],"clientId":"a","logicalTime":1700000000002,"n":2},{"id":"a-0000000000000003","entityType":"note","entityId":"e","type":"delete","payload":null,"of":["a-0000000000000001"],"saw":["a-0000000000000002"],"clientId":"a","logicalTime":1700000000003,"n":3,"later":"kept"}]}"#;
    let read = actions::read_push(update.as_bytes(), &Limits::default()).expect("it is a push");
    let entry = |offer| if let Offer::Entry(entry) = offer { Some(entry) } else { None };
    let updated = PushRequest { entries: read.offers.into_iter().filter_map(entry).collect(), attempt: read.attempt };
    let group = two
        .replace("\"n\":1,", "\"n\":1,\"group\":{\"first\":1,\"count\":2},")
        .replace("\"n\":2,", "\"n\":2,\"group\":{\"first\":1,\"count\":2},");
    let article = r#"{"actions":[{"id":"6a2f41a3-c54c-fce8-32d2-0324e1c32e22","entityId":"e","type":"create","payload":{"type":"create","id":"e","payload":{"title":"t","body":"b"},"logicalTime":1},"clientId":"c","logicalTime":1},{"id":"x2","entityId":"e","type":"delete","payload":{"type":"delete","id":"e","logicalTime":2},"clientId":"c","logicalTime":2}]}"#;
    let since = PullRequest { since: Cursor::default(), limit: 10, ..PullRequest::default() };
    let page = page::page(&hub.pull(&since).expect("memory does not fail"));
    let whole = hub.snapshot(&SnapshotRequest::default()).expect("memory does not fail");
    let given = SnapshotPage { total: Some(whole.records.len() as u64), transfer: "t".into(), ..whole.clone() };
    let said = hub.hello("ada", &HelloRequest::default()).expect("memory does not fail");
    for (name, bytes) in [
        ("push", tagged(0, actions::push(&push))),
        ("two", tagged(0, two)),
        ("update", tagged(0, update.into())),
        ("group", tagged(0, group)),
        ("article", tagged(1, article.into())),
        ("join", tagged(2, snapshot::page(&given))),
        ("hello", tagged(3, query::hello(&HelloRequest::default()))),
        ("pull", tagged(3, query::pull(&since))),
        ("push-compact", [&[4][..], &compact::push(&push)].concat()),
        ("update-compact", [&[4][..], &compact::push(&updated)].concat()),
        ("join-compact", [&[5][..], &compact::snapshot(&given)].concat()),
    ] {
        seeds.push(("request", name.into(), bytes));
    }
    for (name, bytes) in [
        ("reply", tagged(0, actions::reply(&reply))),
        ("hello", tagged(1, hello::hello(&said))),
        ("page", tagged(2, page)),
        ("snapshot", tagged(3, snapshot::page(&whole))),
        ("events", tagged(4, sse::event(1) + &sse::event(20))),
    ] {
        seeds.push(("response", name.into(), bytes));
    }
    let forged = PullRequest { since: Cursor { seq: 3, ..said.head }, limit: 2, ..PullRequest::default() };
    for (name, text) in [
        ("pull", query::pull(&since)),
        ("forged", query::pull(&forged)),
        ("hello", query::hello(&HelloRequest { cursor: said.head, ..HelloRequest::default() })),
        ("records", format!("page=r.2.{}.{}.6e6f7465.6531", said.head.digest, said.head.epoch)),
        ("touched", format!("t.2.{}.{}", said.head.digest, said.head.epoch)),
    ] {
        seeds.push(("cursor", name.into(), tagged(0, text.clone())));
        seeds.push(("cursor", format!("{name}-kept"), tagged(1, text)));
    }
}

fn pollster_once<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime is made");
    runtime.block_on(future)
}
