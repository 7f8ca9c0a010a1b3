use std::sync::Arc;

use super::*;
use crate::entity::Tombstone;
use crate::model::entry::{Action, EntityKey, Group};
use crate::model::op::Op;
use crate::model::stamp::{ClientId, Dot, Dots, Origin};
use crate::model::value::Value;

fn dot(client: &str, n: u64) -> Dot {
    Dot::new(ClientId::new(client), n)
}

fn entry(client: &str, n: u64, time: u64, id: &str, action: Action) -> Entry {
    Entry::new(Origin { dot: dot(client, n), time, author: None }, EntityKey::new("note", id), action)
}

fn value(text: &str) -> Value {
    Value::parse(text).unwrap_or_else(|_| Value::null())
}

/// Entries as unlike each other as they can be, with the numbers at both ends.
fn strange() -> Vec<Entry> {
    let hex = "0123456789abcdef0123456789abcdef";
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    let mut create = entry(hex, u64::MAX, u64::MAX, uuid, Action::Create);
    create.of = vec![dot("", 3), dot(hex, 0)].into();
    create.fields = vec![("b".into(), Op::Assign(value("\"\\n\""))), ("a".into(), Op::Add(i64::MIN))];
    create.group = Some(Group { first: 0, count: u64::MAX });
    create.intent = Some(u128::MAX);
    let mut update = entry("", 0, 0, uuid, Action::Update);
    update.of = [dot(hex, u64::MAX)].into();
    update.fields = vec![
        ("a".into(), Op::First(value("1"))),
        ("a".into(), Op::Max(value("[]"))),
        ("b".into(), Op::Min(value("{}"))),
        ("c".into(), Op::Own { family: "x:d".into(), body: Value::null() }),
        (
            "d".into(),
            Op::Set { insert: vec![value("1"), value("2")], remove: vec![(value("3"), [dot("e", 5)].into())] },
        ),
    ];
    update.replaces = vec![
        ("a".into(), [dot(hex, u64::MAX)].into()),
        ("b".into(), Dots::new()),
        ("c".into(), vec![dot(hex, u64::MAX), dot("f", 1)].into()),
    ];
    update.group = Some(Group { first: u64::MAX, count: 0 });
    let mut elsewhere = update.clone();
    elsewhere.origin.author = Some(ClientId::new("g"));
    elsewhere.foreign_id = Some("".into());
    elsewhere.unknown = Some(value("{\"later\":1}"));
    elsewhere.replaces.push(("$deleted".into(), [dot("h", 9)].into()));
    elsewhere.saw = [dot("h", 8)].into();
    let mut delete = entry("i", 1, 5, "", Action::Delete(Tombstone::LastWriterWins));
    delete.saw = vec![dot("e", 7), dot("e", 5)].into();
    delete.fields = vec![("a".into(), Op::Assign(value("null")))];
    let upper = entry("i", 2, 5, &uuid.to_uppercase(), Action::Delete(Tombstone::DeleteWins));
    let purge = entry(&hex.to_uppercase(), 2, 4, "0123456789abcdef0123456789abcde", Action::Purge);
    vec![create, update, elsewhere, delete, upper, purge, entry("i", 3, 5, uuid, Action::Restore)]
}

#[test]
fn whatever_an_entry_holds_reads_back() {
    let strange = strange();
    assert_eq!(decode_trusted(&encode_batch(&strange)), Ok(strange.clone()));
    for one in &strange {
        assert_eq!(decode_trusted(&encode_batch([one])), Ok(vec![one.clone()]));
    }
    let backwards: Vec<Entry> = strange.into_iter().rev().collect();
    assert_eq!(decode_trusted(&encode_batch(&backwards)), Ok(backwards));
    assert_eq!(decode_batch(&encode_batch([])), Ok(vec![]));
}

#[test]
fn what_json_could_not_carry_is_refused() {
    let plain = entry("a", 1, 1, "1", Action::Create);
    assert!(decode_batch(&encode_batch([&plain])).is_ok());
    let refused: Vec<Entry> = strange().into_iter().filter(|entry| !entry.is_canonical()).collect();
    assert_eq!(refused.len(), 4);
    // Nothing is wrong with these but a text in the tables.
    let named = |client: &str, entity_type: &str, id: &str| Entry {
        key: EntityKey::new(entity_type, id),
        ..entry(client, 1, 1, "", Action::Create)
    };
    let (long_type, long_id) = ("t".repeat(129), "i".repeat(EntityKey::MAX_ID_BYTES + 1));
    let texts = [("b\n", "note", "1"), ("", "note", "1"), ("b", "", "1"), ("b", "note", "")];
    let texts = texts.into_iter().chain([("b", &*long_type, "1"), ("b", "note", &*long_id)]);
    for strange in refused.into_iter().chain(texts.map(|(client, of, id)| named(client, of, id))) {
        assert!(decode_batch(&encode_batch([&plain, &strange])).is_err(), "{strange:?}");
    }
}

/// A batch as its header and its columns.
struct Parts {
    version: u8,
    count: u64,
    columns: Vec<Vec<u8>>,
}

impl Parts {
    fn of(bytes: &[u8]) -> Self {
        let mut r = codec::Reader::plain(bytes);
        let (version, count) = (r.u8().unwrap(), r.u64().unwrap());
        let lengths: Vec<u64> = (0..16).map(|_| r.u64().unwrap()).collect();
        let columns = lengths.into_iter().map(|length| r.take(length as usize).unwrap().to_vec()).collect();
        Self { version, count, columns }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut w = codec::Writer::plain();
        w.u8(self.version);
        w.u64(self.count);
        self.columns.iter().for_each(|column| w.u64(column.len() as u64));
        self.columns.iter().for_each(|column| w.bytes(column));
        w.finish()
    }
}

#[test]
fn nothing_is_left_over() {
    let strange = strange();
    let bytes = encode_batch(&strange);
    assert_eq!(Parts::of(&bytes).bytes(), bytes);
    assert!(decode_trusted(&[&bytes[..], &[0]].concat()).is_err(), "behind the columns");
    for at in 0..16 {
        let mut longer = Parts::of(&bytes);
        longer.columns[at].push(0);
        assert!(decode_trusted(&longer.bytes()).is_err(), "a byte more in column {at}");
        let mut shorter = Parts::of(&bytes);
        if shorter.columns[at].pop().is_some() {
            assert!(decode_trusted(&shorter.bytes()).is_err(), "a byte less in column {at}");
        }
    }
}

#[test]
fn every_key_of_the_table_is_met_and_there_are_no_more_than_entries() {
    const KEYS: usize = 4;
    let (one, two) = (entry("a", 1, 1, "1", Action::Create), entry("a", 2, 2, "2", Action::Create));
    let bytes = encode_batch([&one, &two]);
    let mut parts = Parts::of(&bytes);
    assert_eq!(parts.columns[KEYS], [0, 0], "each is the next key");
    // The second entry is about the first one's entity.
    parts.columns[KEYS][1] = 1;
    assert!(decode_trusted(&parts.bytes()).is_err());
    // One entry, two keys.
    let mut parts = Parts::of(&bytes);
    parts.count = 1;
    assert!(decode_trusted(&parts.bytes()).is_err());
}

#[test]
fn an_unknown_version_is_no_batch() {
    let mut parts = Parts::of(&encode_batch(&strange()));
    parts.version += 1;
    assert!(decode_trusted(&parts.bytes()).is_err());
}

/// What is foreseen is a dot; a list of many must not be had again for a byte.
#[test]
#[cfg_attr(miri, ignore = "megabytes take Miri too long")]
fn memory_follows_the_bytes() {
    let many: Dots = (1..=1_000).map(|n| dot("a", n)).collect();
    let updates: Vec<Entry> = (1..=1_000)
        .map(|n| {
            let mut update = entry("a", n, n, "1", Action::Update);
            update.of = many.clone();
            update
        })
        .collect();
    let bytes = encode_batch(&updates);
    assert!(bytes.len() > 1_000_000, "{}", bytes.len());
    // Counts that nothing stands behind.
    for at in 0..40 {
        let mut spoilt = bytes.clone();
        spoilt.splice(at..at, [0xff; 7]);
        assert!(decode_batch(&spoilt).is_err());
    }
}

/// A history as the form is made for: what is foreseen takes nothing.
#[test]
fn what_goes_on_is_small() {
    let name: Arc<str> = "title".into();
    let mut last = dot("0123456789abcdef0123456789abcdef", 1);
    let mut entries = vec![entry(last.client.as_str(), 1, 1, "note-1", Action::Create)];
    entries[0].fields = vec![(name.clone(), Op::Assign(value("true")))];
    for n in 2..=1_000 {
        let mut update = entry(last.client.as_str(), n, n, "note-1", Action::Update);
        update.of = [dot(last.client.as_str(), 1)].into();
        update.replaces = vec![(name.clone(), [last.clone()].into())];
        update.fields = vec![(name.clone(), Op::Assign(value("true")))];
        last = update.dot().clone();
        entries.push(update);
    }
    let bytes = encode_batch(&entries);
    assert_eq!(decode_batch(&bytes), Ok(entries));
    // Head, time, key, shape, what is replaced, length, and four bytes of text.
    assert!(bytes.len() < 10 * 1_000 + 150, "{}", bytes.len());
}
