//! The model: records, snapshots, entries in bytes, and a derived type.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::context::Context;
use sync_core::model::entry::decode_batch;
use sync_core::{Digest, Dot, Entity, EntityKey, Fields, Id, Known, Record, Snapshot, Syncable, Value, VersionVector};
use sync_testkit::laws;
use sync_testkit::oracle::{difference, forms_of};
use sync_testkit::rng::Rng;

use super::choice;

/// A type with a field of every kind.
#[derive(Syncable, Debug, Clone, PartialEq)]
pub(crate) struct Everything {
    #[sync(id)]
    id: Id<Everything, String>,
    text: String,
    maybe: Option<String>,
    number: i64,
    small: u8,
    real: f64,
    yes: bool,
    list: Vec<i32>,
    map: BTreeMap<String, u64>,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "counter")]
    views: i64,
    #[sync(merge = "max")]
    best: i64,
    #[sync(merge = "first")]
    origin: String,
    pair: (String, Option<bool>),
}

/// Fields of any JSON: what a type reads, it writes, and reads again alike.
pub(crate) fn entity(data: &[u8]) {
    let Ok(value) = Value::parse_bytes(data) else { return };
    assert_eq!(Value::parse(value.as_str()).as_ref(), Ok(&value), "canonical text reads otherwise");
    let Some(members) = value.object_members() else { return };
    let mut fields = Fields::new();
    for (name, value) in members {
        fields.insert(name, value);
    }
    let Ok(read) = Everything::from_fields("id".into(), &fields) else { return };
    let written = read.to_fields().expect("what was read can be written");
    let again = Everything::from_fields("id".into(), &written).expect("what was written can be read");
    assert_eq!(again, read);
    assert_eq!(again.to_fields().expect("it can be written"), written);
}

/// A record from a stranger: what is let in is written alike again, and joins as records do.
pub(crate) fn snapshot(data: &[u8]) {
    let Some((half, rest)) = choice(data) else { return };
    let _ = Record::decode(rest);
    let (left, right) = rest.split_at(rest.len() * usize::from(half) / 256);
    let [left, right] = [left, right].map(|bytes| Record::decode_untrusted(bytes).ok());
    for record in [&left, &right].into_iter().flatten() {
        let bytes = record.encode();
        assert_eq!(Record::decode_untrusted(&bytes).as_ref(), Ok(record), "a record reads otherwise");
        let _ = (record.life(), record.field_dots(), record.hidden_writes(), record.grounds());
    }
    // Two contents under one name are refused by their digests, which bytes from anywhere do not have.
    let names = |record: &Option<Record>| record.iter().flat_map(dots).collect::<BTreeSet<Dot>>();
    if !names(&left).is_disjoint(&names(&right)) {
        return;
    }
    let snapshot = |record: Option<Record>| {
        // A snapshot contains what its records were made of.
        let mut vector = VersionVector::default();
        for dot in record.iter().flat_map(dots) {
            let n = vector.get(&dot.client).n.max(dot.n);
            vector.set(dot.client, Known { n, digest: Digest::EMPTY });
        }
        let record = record.map(|record| (EntityKey::new("note", "n"), record));
        Snapshot::new(record, Context::new(vector))
    };
    let (left, right) = (snapshot(left), snapshot(right));
    match (left.join(&right), right.join(&left)) {
        (Ok(one), Ok(other)) => {
            same("a join is not commutative", &one, &other);
            same("a join is not idempotent", &one.join(&one).expect("it is the same"), &one);
        }
        (Err(_), Err(_)) => {}
        other => panic!("a join is refused one way only: {other:?}"),
    }
}

fn dots(record: &Record) -> Vec<Dot> {
    let creates = record.creates().iter().map(|create| create.dot.clone());
    let lifecycle = record.lifecycle().iter().map(|write| write.origin.dot.clone());
    creates.chain(lifecycle).chain(record.field_dots()).collect()
}

fn same(law: &str, one: &Snapshot, other: &Snapshot) {
    let difference = difference(&forms_of(one), &forms_of(other));
    assert!(one == other, "{law}: {difference}\n{one:?}\n{other:?}");
}

/// Entries in bytes: the laws hold of whatever reads, against the oracle too.
pub(crate) fn reconcile(data: &[u8]) {
    let Ok(mut entries) = decode_batch(data) else { return };
    // What a border lets in, each name with one content.
    entries.retain(sync_core::Entry::is_canonical);
    let mut names = BTreeSet::new();
    entries.retain(|entry| names.insert(entry.dot().clone()));
    entries.truncate(24);
    let mut rng = Rng::new(data.len() as u64);
    let held = laws::order(&entries, &mut rng)
        .and_then(|()| laws::oracle_agrees(&entries, &mut rng))
        .and_then(|()| laws::joins(&entries, &mut rng))
        .and_then(|()| laws::json(&entries))
        .and_then(|()| laws::records(&entries));
    if let Err(broken) = held {
        panic!("{broken}\n{}", sync_testkit::history::History::describe(&entries));
    }
}
