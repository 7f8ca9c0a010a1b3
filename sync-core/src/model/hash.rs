//! The hash of an entry: what proves that two sides mean the same by one name.
//!
//! It is over words of 64 bits, and so can be made from any form of an entry without writing another one: numbers
//! stand as they are, texts that name something by their XXH3-64, values by their XXH3-128, lists behind their
//! lengths. The words as little-endian bytes make the XXH3-128. It is no signature: it tells contents apart that
//! differ by accident, not those that somebody made to have one hash.

use std::cell::RefCell;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::batch::{Body, Row};
use super::digest::Digest;
use super::entry::Entry;
use super::interner::{At, Interner};
use super::op::Op;
use super::stamp::Dot;

/// The words that a hash is over, as bytes.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn add<const N: usize>(&mut self, words: [u64; N]) {
        self.0.extend_from_slice(words.map(u64::to_le_bytes).as_flattened());
    }

    fn value(&mut self, value: &str) {
        let hash = xxh3_128(value.as_bytes());
        self.add([hash as u64, (hash >> 64) as u64]);
    }

    fn dots(&mut self, dots: &[Dot]) {
        self.add([dots.len() as u64]);
        for dot in dots {
            self.add([name(dot.client.as_str()), dot.n]);
        }
    }

    fn ats(&mut self, dots: &[At], interner: &Interner) {
        self.add([dots.len() as u64]);
        for (client, n) in dots {
            self.add([interner.client_at(*client).1, *n]);
        }
    }

    fn op(&mut self, field: &str, op: &Op) {
        self.add([name(field), op.code()]);
        match op {
            Op::Assign(value) | Op::First(value) | Op::Max(value) | Op::Min(value) => self.value(value.as_str()),
            Op::Add(delta) => self.add([*delta as u64]),
            Op::Set { insert, remove } => {
                self.add([insert.len() as u64, remove.len() as u64]);
                insert.iter().for_each(|element| self.value(element.as_str()));
                for (element, dots) in remove {
                    self.value(element.as_str());
                    self.dots(dots);
                }
            }
            Op::Own { family, body } => {
                self.add([name(family)]);
                self.value(body.as_str());
            }
        }
    }
}

fn name(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

/// The hash of all that is immutable in an entry: everything but its intent.
pub(super) fn of(entry: &Entry) -> Digest {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let mut words = Words(BUFFER.take());
    words.0.clear();
    write(&mut words, entry);
    let hash = Digest(xxh3_128(&words.0));
    BUFFER.set(words.0);
    hash
}

/// Hashes rows of batches.
#[derive(Default)]
pub(super) struct Hasher(Words);

impl Hasher {
    /// The hash of the entry that a row says, which has nothing but assigned values. The same as [`of`] that entry,
    /// with what stands once hashed once.
    pub(super) fn row(&mut self, row: &Row<'_>, interner: &Interner) -> Digest {
        let Hasher(words) = self;
        words.0.clear();
        let [entity_type, id] = interner.key_at(row.key).hashes;
        words.add([
            u64::from(row.action.code()) << 8 | u64::from(row.group.is_some()) << 2 | u64::from(!row.saw.is_empty()),
            row.time,
            row.at.1,
            interner.client_at(row.at.0).1,
            entity_type,
            id,
            row.cells.len() as u64,
            row.cells.iter().filter(|cell| cell.replaced.is_some()).count() as u64,
        ]);
        for cell in &row.cells {
            words.add([interner.name_at(cell.name).1, cell.kind.code]);
            if let Body::Value(value) = cell.body {
                words.value(value);
            }
        }
        for cell in &row.cells {
            if let Some(span) = cell.replaced {
                words.add([interner.name_at(cell.name).1]);
                words.ats(row.dots_of(span), interner);
            }
        }
        words.ats(row.dots_of(row.of), interner);
        if !row.saw.is_empty() {
            words.ats(row.dots_of(row.saw), interner);
        }
        if let Some(group) = row.group {
            words.add([group.first, group.count]);
        }
        Digest(xxh3_128(&words.0))
    }
}

fn write(words: &mut Words, entry: &Entry) {
    let Entry { origin, foreign_id, key, action, fields, replaces, of, saw, group, unknown, intent: _ } = entry;
    // What is rare has a bit that says whether it follows.
    let has = [origin.author.is_some(), foreign_id.is_some(), group.is_some(), unknown.is_some(), !saw.is_empty()];
    let has = has.iter().fold(0, |bits, has| bits << 1 | u64::from(*has));
    words.add([
        u64::from(action.code()) << 8 | has,
        origin.time,
        origin.dot.n,
        name(origin.dot.client.as_str()),
        name(&key.entity_type),
        name(&key.id),
        fields.len() as u64,
        replaces.len() as u64,
    ]);
    for (field, op) in fields {
        words.op(field, op);
    }
    for (field, dots) in replaces {
        words.add([name(field)]);
        words.dots(dots);
    }
    words.dots(of);
    if !saw.is_empty() {
        words.dots(saw);
    }
    if let Some(author) = &origin.author {
        words.add([name(author.as_str())]);
    }
    if let Some(id) = foreign_id {
        words.add([name(id)]);
    }
    if let Some(group) = group {
        words.add([group.first, group.count]);
    }
    if let Some(unknown) = unknown {
        words.value(unknown.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Tombstone;
    use crate::model::batch::{Rows, encode_batch};
    use crate::model::entry::{Action, EntityKey, Group};
    use crate::model::stamp::{ClientId, Dots, Name, Origin};
    use crate::model::value::Value;

    fn entry() -> Entry {
        let dot = |n| Dot::new(ClientId::new("a"), n);
        let origin = Origin { dot: dot(7), time: 12, author: None };
        let mut entry = Entry::new(origin, EntityKey::new("note", "1"), Action::Update);
        entry.fields = vec![("title".into(), Op::Assign("two".into()))];
        entry.replaces = vec![("title".into(), vec![dot(1), dot(2)].into())];
        entry.of = [dot(1)].into();
        entry
    }

    #[test]
    fn a_row_has_the_hash_of_its_entry() {
        let mut grouped = entry();
        grouped.group = Some(Group { first: 7, count: 1 });
        let mut create = entry();
        (create.action, create.of, create.replaces) = (Action::Create, Dots::new(), Vec::new());
        let mut delete = Entry { fields: Vec::new(), replaces: Vec::new(), ..entry() };
        (delete.action, delete.saw) = (Action::Delete(Tombstone::LastWriterWins), entry().replaces[0].1.clone());
        let entries = [entry(), grouped, create, delete];
        let batch = encode_batch(&entries);
        let mut rows = Rows::open(&batch, false, Interner::default()).unwrap_or_else(|error| panic!("{error}"));
        let (mut row, mut hasher) = (Row::default(), Hasher::default());
        for entry in &entries {
            assert_eq!(rows.read(&mut row), Ok(true));
            assert_eq!(hasher.row(&row, rows.interner()), entry.hash(), "{entry:?}");
        }
    }

    #[test]
    fn every_part_counts_but_the_intent() {
        let client = || ClientId::new("b");
        let changes: [&dyn Fn(&mut Entry); 22] = [
            &|e| e.action = Action::Create,
            &|e| e.origin.time = 13,
            &|e| e.origin.dot.n = 8,
            &|e| e.origin.dot.client = client(),
            &|e| e.origin.author = Some(client()),
            &|e| e.foreign_id = Some("b".into()),
            &|e| e.key.entity_type = "b".into(),
            &|e| e.key.id = "2".into(),
            &|e| e.fields.clear(),
            &|e| e.fields[0].0 = "b".into(),
            &|e| e.fields[0].1 = Op::Assign("b".into()),
            &|e| e.fields[0].1 = Op::First("two".into()),
            &|e| e.fields[0].1 = Op::Own { family: Name::from("x:b"), body: "two".into() },
            &|e| e.replaces.clear(),
            &|e| e.replaces[0].0 = "b".into(),
            &|e| e.replaces[0].1.truncate(1),
            &|e| e.replaces[0].1.swap(0, 1),
            &|e| e.of.clear(),
            &|e| e.of[0].client = client(),
            &|e| std::mem::swap(&mut e.of, &mut e.saw),
            &|e| e.group = Some(Group { first: 7, count: 1 }),
            &|e| e.unknown = Some(Value::parse("{\"b\":1}").unwrap_or_else(|_| Value::null())),
        ];
        let mut seen = vec![entry().hash()];
        for change in changes {
            let mut changed = entry();
            change(&mut changed);
            assert!(!seen.contains(&changed.hash()), "{changed:?}");
            seen.push(changed.hash());
        }
        let mut sent = entry();
        sent.intent = Some(7);
        assert_eq!(sent.hash(), entry().hash());
    }
}
