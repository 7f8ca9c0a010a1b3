//! Writing an entry's JSON.

use std::fmt::Write;

use super::ENVELOPE_DEPTH;
use crate::entity::Tombstone;
use crate::model::entry::{Action, Entry};
use crate::model::stamp::Dot;
use crate::model::value::{MAX_DEPTH, Value};

impl Entry {
    /// The entry in JSON, in the members of the wire; its place in the log too, where it has one.
    ///
    /// The intent is left out: it travels up only ([`to_json_with_intent`](Self::to_json_with_intent)).
    pub fn to_json(&self, seq: Option<u64>) -> String {
        let mut out = String::with_capacity(256);
        self.write_json(&mut out, seq, false);
        out
    }

    /// The entry in JSON as it travels up, with its intent.
    pub fn to_json_with_intent(&self) -> String {
        let mut out = String::with_capacity(256);
        self.write_json(&mut out, None, true);
        out
    }

    /// Whether the entry reads back from its JSON as it is. One that does not would have another hash on the other
    /// side, or could not be read there at all.
    pub fn is_canonical(&self) -> bool {
        self.is_plainly_canonical() || self.reads_back()
    }

    /// The same by writing and reading it.
    pub(crate) fn reads_back(&self) -> bool {
        let parsed = Self::parse_json(&self.to_json_with_intent(), MAX_DEPTH + ENVELOPE_DEPTH);
        parsed.is_ok_and(|parsed| parsed.entry == *self)
    }

    fn write_json(&self, out: &mut String, seq: Option<u64>, intent: bool) {
        // Writing to a String cannot fail.
        let number = |out: &mut String, name: &str, n: u64| {
            let _ = write!(out, ",\"{name}\":{n}");
        };
        let text = |out: &mut String, name: &str, text: &str| {
            for part in [",\"", name, "\":"] {
                out.push_str(part);
            }
            Value::write_text(out, text);
        };
        out.push_str("{\"id\":");
        match &self.foreign_id {
            Some(id) => Value::write_text(out, id),
            None => write_dot(out, &self.origin.dot),
        }
        text(out, "entityType", &self.key.entity_type);
        text(out, "entityId", &self.key.id);
        text(out, "type", action_name(self.action));
        out.push_str(",\"payload\":");
        self.write_payload(out);
        text(out, "clientId", self.origin.author().as_str());
        number(out, "logicalTime", self.origin.time);
        match (&self.foreign_id, self.origin.dot.n) {
            (None, n) => number(out, "n", n),
            // No hub has given it a name yet.
            (Some(_), 0) => {}
            (Some(_), _) => text(out, "dot", &self.origin.dot.to_string()),
        }
        if !self.replaces.is_empty() {
            out.push_str(",\"replaces\":{");
            for (at, (name, dots)) in self.replaces.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                Value::write_text(out, name);
                out.push(':');
                write_dots(out, dots);
            }
            out.push('}');
        }
        for (name, dots) in [("of", &self.of), ("saw", &self.saw)] {
            if !dots.is_empty() {
                let _ = write!(out, ",\"{name}\":");
                write_dots(out, dots);
            }
        }
        if let Some(group) = self.group {
            let _ = write!(out, ",\"group\":{{\"first\":{},\"count\":{}}}", group.first, group.count);
        }
        if let (true, Some(intent)) = (intent, self.intent) {
            text(out, "intent", &format!("{intent:032x}"));
        }
        // What came as bytes from elsewhere may be no object: it is none then in JSON, and so does not read back.
        let members = self.unknown.as_ref().and_then(|unknown| unknown.as_str().strip_prefix('{')?.strip_suffix('}'));
        if let Some(members) = members.filter(|members| !members.is_empty()) {
            out.push(',');
            out.push_str(members);
        }
        if let Some(seq) = seq {
            number(out, "seq", seq);
        }
        out.push('}');
    }

    fn write_payload(&self, out: &mut String) {
        match self.action {
            Action::Delete(Tombstone::LastWriterWins) => out.push_str("{\"$tombstone\":\"last_writer_wins\"}"),
            Action::Create | Action::Update => {
                out.push('{');
                for (at, (name, op)) in self.fields.iter().enumerate() {
                    out.push_str(if at > 0 { "," } else { "" });
                    Value::write_text(out, name);
                    out.push(':');
                    op.write_json(out);
                }
                out.push('}');
            }
            _ => out.push_str("null"),
        }
    }
}

fn write_dots(out: &mut String, dots: &[Dot]) {
    out.push('[');
    for (at, dot) in dots.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        write_dot(out, dot);
    }
    out.push(']');
}

/// A dot's text, as its `Display` shows it, in quotes.
fn write_dot(out: &mut String, dot: &Dot) {
    Value::write_text(out, dot.client.as_str());
    // Within the quotes, which digits need not escape.
    out.pop();
    let digit = |place: u32| char::from(b"0123456789abcdef"[(dot.n >> (4 * place)) as usize & 0xf]);
    out.push('-');
    out.extend((0..16).rev().map(digit));
    out.push('"');
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete(_) => "delete",
        Action::Restore => "restore",
        Action::Purge => "purge",
    }
}
