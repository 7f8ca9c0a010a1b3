//! Whether an entry is as its JSON would bring it back, seen without writing that JSON: what nearly every entry is.

use super::entry::{Action, EntityKey, Entry, Group, is_client_text};
use super::op::Op;
use super::stamp::{Dot, Name};
use super::value::Value;

/// The integers up to which every reader of JSON agrees.
const EXACT: u64 = 1 << 53;

impl Entry {
    /// `true` only for entries that read back from their JSON as they are; `false` says nothing.
    ///
    /// `O(bytes)`, and allocates for values other than texts, flags and `null` alone.
    pub(crate) fn is_plainly_canonical(&self) -> bool {
        let numbered = self.origin.author.is_none() && self.foreign_id.is_none() && self.unknown.is_none();
        numbered
            && is_client_text(self.origin.dot.client.as_str())
            && is_plain_key(&self.key)
            && self.has_plain_numbers()
            && are_plain_fields(self.fields.iter().map(|(name, _)| name))
            && self.fields.iter().all(|(_, op)| is_plain(op))
            && are_keys(self.replaces.iter().map(|(name, _)| name))
            && self.named().all(can_be_named)
    }

    /// Whether its numbers and the kind of its action are plain.
    fn has_plain_numbers(&self) -> bool {
        let writes = matches!(self.action, Action::Create | Action::Update);
        are_plain_numbers(self.origin.dot.n, self.origin.time, self.group) && (writes || self.fields.is_empty())
    }
}

/// Whether an entry's number, time and group are such as every reader of JSON takes for the same.
pub(super) fn are_plain_numbers(n: u64, time: u64, group: Option<Group>) -> bool {
    let exact = |n: u64| (1..EXACT).contains(&n);
    exact(n) && time < EXACT && group.is_none_or(|group| exact(group.first) && exact(group.count))
}

pub(super) fn is_plain_key(key: &EntityKey) -> bool {
    (1..=EntityKey::MAX_TYPE_BYTES).contains(&key.entity_type.len())
        && (1..=EntityKey::MAX_ID_BYTES).contains(&key.id.len())
}

/// Whether these are the names of fields, in the order of an object's keys, each once.
pub(super) fn are_plain_fields<'a>(names: impl Iterator<Item = &'a Name> + Clone) -> bool {
    are_keys(names.clone()) && names.into_iter().all(|name| !name.is_empty() && !name.starts_with('$'))
}

/// Whether these stand in the order of an object's keys, each once.
fn are_keys<'a>(names: impl Iterator<Item = &'a Name> + Clone) -> bool {
    names.clone().zip(names.skip(1)).all(|(a, b)| a.as_bytes() < b.as_bytes())
}

/// An assignment of a value that is no operation's spelling.
fn is_plain(op: &Op) -> bool {
    matches!(op, Op::Assign(value) if is_plain_text(value.as_str()))
}

/// Whether a text is a canonical value that spells no operation.
pub(super) fn is_plain_text(text: &str) -> bool {
    match text.as_bytes() {
        b"true" | b"false" | b"null" | b"[]" => true,
        [b'"', inner @ .., b'"'] if is_unescaped(inner) => true,
        [b'[', inner @ .., b']'] if are_short_texts(inner) => true,
        [b'{', ..] => false,
        _ => Value::parse(text).is_ok_and(|parsed| parsed.as_str() == text),
    }
}

/// Whether these are the elements of a list of strings none of which holds anything that could be mistaken.
fn are_short_texts(elements: &[u8]) -> bool {
    let is_text = |element: &[u8]| matches!(element, [b'"', inner @ .., b'"'] if is_unescaped(inner));
    elements.split(|b| *b == b',').all(is_text)
}

/// Whether nothing in a string ends or escapes it. Without an early end, so that many bytes are looked at at a time.
fn is_unescaped(text: &[u8]) -> bool {
    text.iter().fold(true, |so_far, b| so_far & (*b >= 0x20) & (*b != b'"') & (*b != b'\\'))
}

fn can_be_named(dot: &Dot) -> bool {
    !dot.client.as_str().is_empty() && dot.n > 0
}

#[cfg(test)]
mod tests {
    use super::super::stamp::{ClientId, Origin};
    use super::super::value::MAX_DEPTH;
    use super::*;

    fn plain() -> Entry {
        let dot = Dot::new(ClientId::new("a"), 7);
        let mut entry = Entry::new(Origin { dot, time: 12, author: None }, EntityKey::new("note", "1"), Action::Update);
        entry.fields = vec![("body".into(), assign("\"two\"")), ("tags".into(), assign("[\"x\",1]"))];
        entry.replaces = vec![("body".into(), [Dot::new(ClientId::new("b"), 1)].into())];
        entry.of = [Dot::new(ClientId::new("b"), 1)].into();
        entry.group = Some(Group { first: 7, count: 1 });
        entry
    }

    fn assign(text: &str) -> Op {
        Op::Assign(Value::from_canonical(text))
    }

    fn changed(change: impl FnOnce(&mut Entry)) -> Entry {
        let mut entry = plain();
        change(&mut entry);
        entry
    }

    #[test]
    fn what_is_plain_reads_back() {
        assert!(plain().is_plainly_canonical() && plain().reads_back());
        let deepest = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
        assert!(changed(|e| e.fields[0].1 = assign(&deepest)).reads_back());
    }

    #[test]
    fn what_does_not_read_back_is_not_plain() {
        let wrong = [
            changed(|e| e.origin.dot.n = 0),
            changed(|e| e.origin.dot.client = ClientId::new("")),
            changed(|e| e.origin.dot.client = ClientId::new("a\n")),
            changed(|e| e.origin.dot.client = ClientId::new("\n")),
            changed(|e| e.key = EntityKey::new("", "1")),
            changed(|e| e.key = EntityKey::new("note", "")),
            changed(|e| e.key = EntityKey::new("note", "1".repeat(513))),
            changed(|e| e.key = EntityKey::new("n".repeat(129), "1")),
            changed(|e| e.fields.swap(0, 1)),
            changed(|e| e.fields[1].0 = "body".into()),
            changed(|e| e.fields[0].0 = "".into()),
            changed(|e| e.fields[0].0 = "$body".into()),
            changed(|e| e.fields[0].1 = assign("\"a\"b\"")),
            changed(|e| e.fields[0].1 = assign("\"")),
            changed(|e| e.fields[0].1 = assign("\"a\nb\"")),
            changed(|e| e.fields[0].1 = assign("\"\n\"")),
            changed(|e| e.fields[0].1 = assign("\"\"\"")),
            changed(|e| e.fields[0].1 = assign("\"\"\"\"")),
            changed(|e| e.fields[0].1 = assign("\"\\\"")),
            changed(|e| e.fields[0].1 = assign("\"\\u0061\"")),
            changed(|e| e.fields[0].1 = assign("1.0")),
            changed(|e| e.fields[0].1 = assign("[ 1]")),
            changed(|e| e.fields[0].1 = assign("")),
            changed(|e| e.origin.author = Some(ClientId::new("a"))),
            changed(|e| e.replaces.push(("body".into(), Vec::new().into()))),
            changed(|e| e.of[0].client = ClientId::new("")),
            changed(|e| e.of[0].n = 0),
            changed(|e| e.replaces[0].1[0].n = 0),
            changed(|e| e.unknown = Some(Value::from_canonical("ä\",\"x\":null}"))),
            changed(|e| e.unknown = Some(Value::from_canonical("{"))),
            changed(|e| e.action = Action::Restore),
            changed(|e| e.group = Some(Group { first: 0, count: 1 })),
            changed(|e| e.group = Some(Group { first: 1, count: 0 })),
        ];
        for entry in wrong {
            assert!(!entry.reads_back(), "{entry:?}");
            assert!(!entry.is_plainly_canonical(), "{entry:?}");
        }
    }
}
