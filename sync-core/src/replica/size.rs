//! How large entries are in JSON, without writing it.

use std::cell::Cell;

use crate::entity::Tombstone;
use crate::model::entry::{Action, Entry};
use crate::model::op::Op;
use crate::model::stamp::Dot;
use crate::model::value::Value;

/// No less than the bytes of an entry's JSON once it is numbered, and no less than in the transaction that it is in: until
/// then its own name and those of pending entries have no client in them, whose id takes so many bytes.
pub(super) fn once_numbered(entry: &Entry, client: u64) -> u64 {
    const NUMBER: u64 = 19;
    let group = if entry.group.is_some() { 0 } else { r#","group":{"first":,"count":}"#.len() as u64 + 2 + NUMBER };
    let named = entry.named().filter(|dot| dot.is_local()).count() as u64;
    // The entry's own client stands in its id and as its author; a number and a group's first may grow.
    of_json(entry) + client * (named + 2) + 2 * NUMBER + group
}

/// The bytes of an entry's JSON as it travels up, with its intent.
pub(super) fn of_json(entry: &Entry) -> u64 {
    let size = Cell::new(0);
    let add = |bytes: usize| size.set(size.get() + bytes);
    // `,"name":`
    let name = |name: &str| add(name.len() + 4);
    let member = |key: &str, value: &str| {
        name(key);
        add(of_text(value));
    };
    let number = |key: &str, value: u64| {
        name(key);
        add(digits(value));
    };
    let dots = |of: &[Dot]| add(2 + of.len().saturating_sub(1) + of.iter().map(of_dot).sum::<usize>());
    // The id has no comma before it, and there is the closing brace.
    name("id");
    add(1);
    match &entry.foreign_id {
        Some(id) => add(of_text(id)),
        None => add(of_dot(&entry.origin.dot)),
    }
    member("entityType", &entry.key.entity_type);
    member("entityId", &entry.key.id);
    member("type", action(entry.action));
    name("payload");
    add(match entry.action {
        Action::Delete(Tombstone::LastWriterWins) => r#"{"$tombstone":"last_writer_wins"}"#.len(),
        Action::Create | Action::Update => {
            let fields = entry.fields.iter().map(|(name, op)| of_text(name) + 1 + of_op(op));
            2 + entry.fields.len().saturating_sub(1) + fields.sum::<usize>()
        }
        _ => 4,
    });
    member("clientId", entry.origin.author().as_str());
    number("logicalTime", entry.origin.time);
    if entry.foreign_id.is_some() {
        name("dot");
        add(of_dot(&entry.origin.dot));
    } else {
        number("n", entry.origin.dot.n);
    }
    if !entry.replaces.is_empty() {
        name("replaces");
        add(1 + entry.replaces.len());
        for (field, of) in &entry.replaces {
            add(of_text(field) + 1);
            dots(of);
        }
    }
    for (key, of) in [("of", &entry.of), ("saw", &entry.saw)] {
        if !of.is_empty() {
            name(key);
            dots(of);
        }
    }
    if let Some(group) = entry.group {
        name("group");
        add(r#"{"first":,"count":}"#.len() + digits(group.first) + digits(group.count));
    }
    if entry.intent.is_some() {
        name("intent");
        add(2 + 32);
    }
    if let Some(unknown) = &entry.unknown
        && unknown.as_str().len() > 2
    {
        add(unknown.as_str().len() - 1);
    }
    size.get() as u64
}

/// How many levels an operation's JSON nests.
pub(super) fn depth(op: &Op) -> u64 {
    let is_flat = |value: &Value| !matches!(value.as_str().as_bytes().first(), Some(b'{' | b'['));
    let depth = match op {
        Op::Add(_) => 1,
        Op::Assign(value) if is_flat(value) => 0,
        Op::First(value) | Op::Max(value) | Op::Min(value) if is_flat(value) => 1,
        op => op.to_json().depth(),
    };
    depth as u64
}

fn of_op(op: &Op) -> usize {
    match op {
        // What begins so may be escaped.
        Op::Assign(value) if !value.as_str().starts_with('{') => value.as_str().len(),
        Op::Set { insert, remove } if remove.is_empty() => {
            let elements = insert.iter().map(|element| element.as_str().len());
            r#"{"$insert":[]}"#.len() + insert.len().saturating_sub(1) + elements.sum::<usize>()
        }
        op => op.to_json().as_str().len(),
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete(_) => "delete",
        Action::Restore => "restore",
        Action::Purge => "purge",
    }
}

fn of_dot(dot: &Dot) -> usize {
    of_text(dot.client.as_str()) + 1 + 16
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A text with its quotes, escaped where JSON demands it.
pub(super) fn of_text(text: &str) -> usize {
    // All bytes are looked at, whatever was found: that is done many at a time.
    let needs = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |any, byte| any | needs(byte)) {
        return text.len() + 2;
    }
    let escapes = text.bytes().filter(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
    let escapes = escapes.map(|byte| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 1,
        // \u00XX
        _ => 5,
    });
    text.len() + 2 + escapes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{EntityKey, Group};
    use crate::model::stamp::{ClientId, Dots, Origin};

    fn check(entry: &Entry) {
        let json = entry.to_json_with_intent();
        assert_eq!(of_json(entry), json.len() as u64, "{json}");
        for (_, op) in &entry.fields {
            assert_eq!(depth(op), op.to_json().depth() as u64, "{}", op.to_json());
        }
    }

    #[test]
    fn a_size_is_that_of_the_json() {
        let value = |json: &str| Value::parse(json).unwrap();
        let dot = |n| Dot::new(ClientId::new("a \"quoted\"\n\u{1} client"), n);
        let ops = [
            Op::Assign(value("\"text \\n\"")),
            Op::Assign(value("[1,[2]]")),
            Op::Assign(value("{\"a\":{\"b\":1}}")),
            Op::Assign(value("{\"$add\":{\"b\":1}}")),
            Op::First(value("1")),
            Op::Max(value("[1]")),
            Op::Min(value("null")),
            Op::Add(-17),
            Op::Set { insert: vec![], remove: vec![] },
            Op::Set { insert: vec![value("1"), value("[2,3]")], remove: vec![] },
            Op::Set { insert: vec![value("1")], remove: vec![(value("\"x\""), vec![dot(1), dot(2)].into())] },
            Op::Own { family: "x:text".into(), body: value("{}") },
        ];
        let mut entry = Entry::new(
            Origin { dot: dot(10), time: 0, author: None },
            EntityKey::new("note", "an id with \t and \u{1f}"),
            Action::Create,
        );
        check(&entry);
        for action in [
            Action::Update,
            Action::Delete(Tombstone::DeleteWins),
            Action::Delete(Tombstone::LastWriterWins),
            Action::Restore,
            Action::Purge,
        ] {
            entry.action = action;
            check(&entry);
        }
        entry.action = Action::Update;
        for op in ops {
            entry.fields.push((format!("field \"{}\"", entry.fields.len()).into(), op));
            check(&entry);
        }
        entry.replaces.push(("one".into(), Dots::new()));
        check(&entry);
        entry.replaces.push(("two".into(), vec![dot(1), dot(2)].into()));
        entry.of = [dot(1)].into();
        entry.saw = vec![dot(1), dot(2), dot(3)].into();
        check(&entry);
        entry.group = Some(Group { first: 9, count: 10 });
        entry.intent = Some(7);
        entry.origin.time = 1_800_000_000_000;
        check(&entry);
        entry.unknown = Some(value("{}"));
        check(&entry);
        entry.unknown = Some(value("{\"later\":[1]}"));
        check(&entry);
        entry.foreign_id = Some("foreign \\".into());
        entry.origin.author = Some(ClientId::new("b"));
        check(&entry);
    }
}
