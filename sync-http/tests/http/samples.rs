//! Entries and messages of every kind, made from seeds.

use std::sync::Arc;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sync_core::model::context::Known;
use sync_core::model::stamp::Origin;
use sync_core::transport::{
    Attempt, ClientStanding, Epoch, EpochStart, Hello, HelloRequest, Limits, Link, Page, PullRequest, PushReply,
    PushRequest, Rejection, SnapshotPage,
};
use sync_core::{
    Action, ClientId, Cursor, Digest, Dot, Dots, EntityKey, Entry, Group, Op, Snapshot, Tombstone, Value, Verdict,
    reconcile,
};

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just("a".to_owned()), "[a-z:%&=+ ]{1,8}", "\\PC{1,6}", Just("\u{1F600}\"\\".to_owned())]
}

/// The same cases in every run.
pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 96,
        rng_seed: RngSeed::Fixed(0x5eed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The name of a field: it does not begin as an operation's does.
fn field() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.trim_start_matches('$').to_owned() + "f")
}

pub(crate) fn client() -> impl Strategy<Value = ClientId> {
    text().prop_map(ClientId::new)
}

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    prop_oneof![Just(Digest::EMPTY), any::<u128>().prop_map(Digest)]
}

pub(crate) fn cursor() -> impl Strategy<Value = Cursor> {
    (any::<u64>(), digest(), any::<u64>().prop_map(Epoch)).prop_map(|(seq, digest, epoch)| Cursor {
        seq,
        digest,
        epoch,
    })
}

pub(crate) fn known() -> impl Strategy<Value = Known> {
    (any::<u64>(), digest()).prop_map(|(n, digest)| Known { n, digest })
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![1..5_u64, Just(u64::MAX), 1..=u64::MAX]
}

fn dot() -> impl Strategy<Value = Dot> {
    (client(), number()).prop_map(|(client, n)| Dot::new(client, n))
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::null()),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| Value::encode(&number).ok()),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let key = prop_oneof![text(), Just("$add".to_owned()), Just("$value".to_owned())];
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::array),
            btree_map(key, inner, 0..3).prop_map(|members| Value::object(members).unwrap()),
        ]
    })
}

fn op() -> impl Strategy<Value = Op> {
    let dots = vec(dot(), 0..3).prop_map(Dots::from);
    let removed = (value(), dots);
    prop_oneof![
        value().prop_map(Op::Assign),
        value().prop_map(Op::First),
        value().prop_map(Op::Max),
        value().prop_map(Op::Min),
        any::<i64>().prop_map(Op::Add),
        (btree_set(value(), 0..3), vec(removed, 0..2)).prop_map(|(insert, mut remove)| {
            remove.sort();
            remove.dedup_by(|a, b| a.0 == b.0);
            Op::Set { insert: insert.into_iter().collect(), remove }
        }),
        value().prop_map(|body| Op::Own { family: "x:own".into(), body }),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Create),
        Just(Action::Update),
        Just(Action::Delete(Tombstone::DeleteWins)),
        Just(Action::Delete(Tombstone::LastWriterWins)),
        Just(Action::Restore),
    ]
}

fn key() -> impl Strategy<Value = EntityKey> {
    (text(), text()).prop_map(|(kind, id)| EntityKey::new(kind, id))
}

/// An entry as its author numbers it, or, if `foreign` may be, as a hub numbered it.
pub(crate) fn entry(foreign: bool) -> impl Strategy<Value = Entry> {
    let head = (dot(), any::<u64>(), option::of((client(), text())), key(), action());
    let named = (btree_map(text(), vec(dot(), 0..3), 0..3), vec(dot(), 0..3), vec(dot(), 0..3));
    let group = option::of((1..9_u64, 1..9_u64));
    let unknown = option::of(btree_map("[A-Z]{3,5}", value(), 1..3));
    let rest = (btree_map(field(), op(), 0..4), named, group, unknown, option::of(any::<u128>()));
    (head, rest).prop_map(move |((dot, time, author, key, action), (fields, named, group, unknown, intent))| {
        let author = author.filter(|_| foreign);
        let fields = if matches!(action, Action::Create | Action::Update) { fields } else { Default::default() };
        let (replaces, of, saw) = named;
        Entry {
            foreign_id: author.as_ref().map(|(_, id)| Arc::from(id.as_str())),
            origin: Origin { dot, time, author: author.map(|(client, _)| client) },
            key,
            action,
            fields: fields.into_iter().map(|(name, op)| (name.into(), op)).collect(),
            replaces: replaces.into_iter().map(|(name, dots)| (name.into(), dots.into())).collect(),
            of: of.into(),
            saw: saw.into(),
            group: group.map(|(first, count)| Group { first, count }),
            unknown: unknown.map(|members| Value::object(members).unwrap()),
            intent,
        }
    })
}

pub(crate) fn push() -> impl Strategy<Value = PushRequest> {
    let attempt = (option::of(any::<u64>()), cursor()).prop_map(|(number, told)| Attempt { number, told });
    (vec(entry(false), 0..4), attempt).prop_map(|(entries, attempt)| PushRequest { entries, attempt })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        (any::<u64>(), option::of(dot())).prop_map(|(seq, known_as)| Verdict::Accepted { seq, known_as }),
        (text(), text(), option::of(text())).prop_map(|(code, message, field)| Verdict::Rejected(Rejection {
            code,
            message,
            field
        })),
        (option::of(any::<u64>()), option::of(text())).prop_map(|(after, code)| Verdict::Again { after, code }),
    ]
}

pub(crate) fn push_reply() -> impl Strategy<Value = PushReply> {
    let reply = (vec((text(), verdict()), 0..4), any::<u64>());
    (reply, cursor()).prop_map(|((verdicts, server_time), head)| PushReply { verdicts, head, server_time })
}

pub(crate) fn page() -> impl Strategy<Value = Page> {
    let entries = vec((any::<u64>(), entry(true)), 0..4);
    (entries, cursor(), any::<bool>(), any::<u64>()).prop_map(|(entries, cursor, has_more, server_time)| Page {
        entries: entries.into_iter().map(|(seq, entry)| (seq, Arc::new(Entry { intent: None, ..entry }))).collect(),
        cursor,
        has_more,
        server_time,
    })
}

pub(crate) fn pull() -> impl Strategy<Value = PullRequest> {
    let request = (cursor(), any::<u64>(), option::of(dot()));
    (request, cursor()).prop_map(|((since, limit, have), told)| PullRequest { since, limit, have, told })
}

pub(crate) fn hello_request() -> impl Strategy<Value = HelloRequest> {
    let request = (vec((client(), known()), 0..3), cursor(), any::<u64>());
    request.prop_map(|(clients, cursor, epoch)| HelloRequest { clients, cursor, epoch: Epoch(epoch) })
}

fn limits() -> impl Strategy<Value = Limits> {
    any::<[u64; 6]>().prop_map(|[batch_entries, batch_bytes, entry_bytes, group_entries, depth, drift]| Limits {
        batch_entries,
        batch_bytes,
        entry_bytes,
        group_entries,
        depth,
        drift,
    })
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    let standing = (client(), known(), option::of(digest())).prop_map(|(client, known, digest_there)| ClientStanding {
        client,
        known,
        digest_there,
    });
    let who = (text(), text(), text(), limits(), vec(any::<u32>(), 0..3));
    let begun = any::<(u64, u64)>().prop_map(|(epoch, after)| EpochStart { epoch: Epoch(epoch), after });
    let clients = vec(standing, 0..3);
    let what = (any::<u64>(), cursor(), any::<u64>(), any::<bool>(), clients, any::<bool>(), vec(begun, 0..3));
    (who, what).prop_map(|((hub, space, principal, limits, protocols), what)| {
        let (server_time, head, tail, on_chain, clients, may_join, epochs) = what;
        Hello { hub, space, principal, server_time, head, tail, on_chain, limits, protocols, clients, may_join, epochs }
    })
}

/// A page with the records that entries make.
pub(crate) fn snapshot() -> impl Strategy<Value = SnapshotPage> {
    let entries = vec(entry(true), 0..6).prop_map(|entries| {
        // Two entries of one name are no history.
        let folded = reconcile(Snapshot::default(), &entries);
        folded.map_or_else(|_| Vec::new(), |s| s.records().map(|(key, record)| (key.clone(), record.clone())).collect())
    });
    let intents = vec((any::<u128>(), dot()), 0..3);
    let link = |(dot, hash, digest)| Link { dot, hash: Digest(hash), digest: Digest(digest) };
    let links = vec((dot(), any::<u128>(), any::<u128>()).prop_map(link), 0..3);
    let rest = (cursor(), intents, links, option::of(text()), option::of(any::<u64>()), text());
    (entries, vec((client(), known()), 0..3), rest).prop_map(
        |(records, vector, (cursor, intents, links, next, total, transfer))| SnapshotPage {
            records,
            vector,
            cursor,
            intents,
            links,
            next,
            total,
            transfer,
        },
    )
}
