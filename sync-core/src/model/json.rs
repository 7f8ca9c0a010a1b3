//! The readable form of an entry: "action" on the wire, one line in `log`.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use super::entry::{Action, EntityKey, Entry, Group, client_is_valid};
use super::op::Op;
use super::shared;
use super::stamp::{ClientId, Dot, Name, Origin};
use super::value::{MAX_DEPTH, Value};
use crate::entity::Tombstone;

/// How many levels an entry's JSON is deeper than the values in it: the action, its payload, an operation, its
/// elements.
pub const ENVELOPE_DEPTH: usize = 4;

/// An entry that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Malformed {
    /// The member or field at fault, if one is.
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

impl Malformed {
    fn member(name: &str, message: impl Into<String>) -> Self {
        Self { field: Some(name.to_owned()), message: format!("`{name}` {}", message.into()) }
    }
}

/// An entry as it was read from JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The entry. Without a number its dot means nothing.
    pub entry: Entry,
    /// Whether it has a number: its client's own, or one that a hub gave it.
    pub numbered: bool,
    /// Its place in a space's log, where it came from there.
    pub seq: Option<u64>,
}

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
        let json = Value::parse_with_depth(&self.to_json_with_intent(), MAX_DEPTH + ENVELOPE_DEPTH);
        let parsed = json.ok().and_then(|json| Self::from_json(&json).ok());
        parsed.is_some_and(|parsed| parsed.entry == *self)
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
        if self.foreign_id.is_some() {
            text(out, "dot", &self.origin.dot.to_string());
        } else {
            number(out, "n", self.origin.dot.n);
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

    /// Reads an entry from JSON.
    ///
    /// # Errors
    /// [`Malformed`] with the member that is wrong.
    pub fn from_json(json: &Value) -> Result<Parsed, Malformed> {
        let members = Value::members_in(json.as_str())
            .ok_or_else(|| Malformed { field: None, message: "an action is a JSON object".into() })?;
        let mut raw = Raw::default();
        let mut unknown = Vec::new();
        for (name, value) in members {
            let slot = match &*name {
                "id" => &mut raw.id,
                "entityType" => &mut raw.entity_type,
                "entityId" => &mut raw.entity_id,
                "type" => &mut raw.action,
                "payload" => &mut raw.payload,
                "clientId" => &mut raw.client,
                "logicalTime" => &mut raw.time,
                "n" => &mut raw.n,
                "dot" => &mut raw.dot,
                "replaces" => &mut raw.replaces,
                "of" => &mut raw.of,
                "saw" => &mut raw.saw,
                "group" => &mut raw.group,
                "intent" => &mut raw.intent,
                "seq" => &mut raw.seq,
                // The article's own mark of what was sent; it says nothing about the entry.
                "uploaded" => continue,
                _ => {
                    unknown.push((name, Value::from_canonical(value)));
                    continue;
                }
            };
            *slot = Some(value);
        }
        raw.parse(unknown)
    }
}

/// A member's canonical text, where there is one.
type Member<'a> = Option<&'a str>;

#[derive(Default)]
struct Raw<'a> {
    id: Member<'a>,
    entity_type: Member<'a>,
    entity_id: Member<'a>,
    action: Member<'a>,
    payload: Member<'a>,
    client: Member<'a>,
    time: Member<'a>,
    n: Member<'a>,
    dot: Member<'a>,
    replaces: Member<'a>,
    of: Member<'a>,
    saw: Member<'a>,
    group: Member<'a>,
    intent: Member<'a>,
    seq: Member<'a>,
}

impl<'a> Raw<'a> {
    fn parse(self, unknown: Vec<(Cow<'a, str>, Value)>) -> Result<Parsed, Malformed> {
        let id = required_text("id", self.id, 512)?;
        let client = ClientId::new(shared::name(&required_text("clientId", self.client, ClientId::MAX_BYTES)?));
        if !client_is_valid(&client) {
            return Err(Malformed::member("clientId", "is empty, too long or has control characters"));
        }
        let time = number("logicalTime", self.time)?.ok_or_else(|| Malformed::member("logicalTime", "is missing"))?;
        let key = EntityKey {
            entity_type: shared::name(&required_text("entityType", self.entity_type, 128)?),
            id: required_text("entityId", self.entity_id, EntityKey::MAX_ID_BYTES)?.into(),
        };
        let (action, fields) = payload(&required_text("type", self.action, 64)?, self.payload)?;
        let (dot, author, foreign_id, numbered) = match (number("n", self.n)?, text("dot", self.dot)?) {
            (Some(n), None) => {
                let dot = Dot::new(client, n);
                if n == 0 || id.parse().as_ref() != Ok(&dot) {
                    return Err(Malformed::member("id", format!("must be the client's id and `n`: {dot}")));
                }
                (dot, None, None, true)
            }
            (None, Some(dot)) => {
                let dot = dot.parse().map_err(|e| Malformed::member("dot", format!("is no entry's id: {e}")))?;
                (dot, Some(client), Some(Arc::from(id)), true)
            }
            (None, None) => (Dot::new(client.clone(), 0), Some(client), Some(Arc::from(id)), false),
            (Some(_), Some(_)) => return Err(Malformed::member("dot", "is for entries without a number of their own")),
        };
        let mut entry = Entry::new(Origin { dot, time, author }, key, action);
        entry.foreign_id = foreign_id;
        entry.fields = fields;
        entry.replaces = replaces(self.replaces)?;
        entry.of = dots("of", self.of)?;
        entry.saw = dots("saw", self.saw)?;
        entry.group = group(self.group)?;
        entry.intent = intent(self.intent)?;
        if !unknown.is_empty() {
            let unknown = Value::object(unknown);
            entry.unknown = Some(unknown.map_err(|e| Malformed { field: None, message: e.to_string() })?);
        }
        Ok(Parsed { entry, numbered, seq: number("seq", self.seq)? })
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

type Payload = (Action, Vec<(Name, Op)>);

fn payload(action: &str, payload: Member<'_>) -> Result<Payload, Malformed> {
    let payload = not_null(payload);
    let empty = |action| match payload {
        None => Ok((action, Vec::new())),
        Some(_) => Err(Malformed::member("payload", "of this type of action is null")),
    };
    match action {
        "create" => fields(payload).map(|fields| (Action::Create, fields)),
        "update" => fields(payload).map(|fields| (Action::Update, fields)),
        "delete" => match payload {
            None => Ok((Action::Delete(Tombstone::DeleteWins), Vec::new())),
            Some("{\"$tombstone\":\"last_writer_wins\"}") => {
                Ok((Action::Delete(Tombstone::LastWriterWins), Vec::new()))
            }
            Some(_) => {
                Err(Malformed::member("payload", "of a delete is null or {\"$tombstone\":\"last_writer_wins\"}"))
            }
        },
        "restore" => empty(Action::Restore),
        "purge" => empty(Action::Purge),
        other => Err(Malformed::member("type", format!("is create, update, delete or restore, not {other:?}"))),
    }
}

fn fields(payload: Member<'_>) -> Result<Vec<(Name, Op)>, Malformed> {
    let members = payload.and_then(Value::members_in);
    let members = members.ok_or_else(|| Malformed::member("payload", "is an object of fields"))?;
    let field = |(name, value): (Cow<'_, str>, &str)| {
        if name.is_empty() || name.starts_with('$') {
            return Err(Malformed {
                message: format!("{name:?} is no field name: it is empty or begins with `$`"),
                field: Some(name.into_owned()),
            });
        }
        match Op::from_canonical(value) {
            Ok(op) => Ok((shared::name(&name), op)),
            Err(message) => {
                Err(Malformed { message: format!("field `{name}`: {message}"), field: Some(name.into_owned()) })
            }
        }
    };
    members.map(field).collect()
}

fn replaces(value: Member<'_>) -> Result<Vec<(Name, Vec<Dot>)>, Malformed> {
    let Some(value) = not_null(value) else { return Ok(Vec::new()) };
    let members =
        Value::members_in(value).ok_or_else(|| Malformed::member("replaces", "is an object of arrays of ids"))?;
    members.map(|(name, ids)| Ok((shared::name(&name), dots("replaces", Some(ids))?))).collect()
}

fn dots(member: &str, value: Member<'_>) -> Result<Vec<Dot>, Malformed> {
    let Some(value) = not_null(value) else { return Ok(Vec::new()) };
    let elements = Value::elements_in(value).ok_or_else(|| Malformed::member(member, "is an array of ids"))?;
    let dot = |id: &str| {
        let dot = Value::string_in(id).and_then(|id| id.parse().ok());
        dot.ok_or_else(|| Malformed::member(member, format!("names entries by their ids, and {id} is none")))
    };
    elements.map(dot).collect()
}

fn group(value: Member<'_>) -> Result<Option<Group>, Malformed> {
    let Some(value) = not_null(value) else { return Ok(None) };
    let wrong = || Malformed::member("group", "is {\"first\":n,\"count\":k}");
    let members: Vec<_> = Value::members_in(value).ok_or_else(wrong)?.collect();
    let of = |name: &str| members.iter().find(|(n, _)| n == name).and_then(|(_, value)| as_u64(value));
    match (of("first"), of("count"), members.len()) {
        (Some(first), Some(count), 2) if first > 0 && count > 0 => Ok(Some(Group { first, count })),
        _ => Err(wrong()),
    }
}

fn intent(value: Member<'_>) -> Result<Option<u128>, Malformed> {
    let wrong = || Malformed::member("intent", "is 32 hex digits");
    let Some(text) = text("intent", value)? else { return Ok(None) };
    if text.len() != 32 {
        return Err(wrong());
    }
    u128::from_str_radix(&text, 16).map(Some).map_err(|_| wrong())
}

fn not_null(value: Member<'_>) -> Member<'_> {
    value.filter(|value| *value != "null")
}

fn as_u64(value: &str) -> Option<u64> {
    value.parse().ok()
}

fn number(member: &str, value: Member<'_>) -> Result<Option<u64>, Malformed> {
    match not_null(value) {
        None => Ok(None),
        Some(value) => match as_u64(value) {
            Some(number) => Ok(Some(number)),
            None => Err(Malformed::member(member, "is an integer from 0 to 2^64-1")),
        },
    }
}

fn text<'a>(member: &str, value: Member<'a>) -> Result<Option<Cow<'a, str>>, Malformed> {
    match not_null(value) {
        None => Ok(None),
        Some(value) => match Value::string_in(value) {
            Some(text) => Ok(Some(text)),
            None => Err(Malformed::member(member, "is a string")),
        },
    }
}

fn required_text<'a>(member: &str, value: Member<'a>, max: usize) -> Result<Cow<'a, str>, Malformed> {
    match text(member, value)? {
        Some(text) if text.is_empty() => Err(Malformed::member(member, "is empty")),
        Some(text) if text.len() > max => {
            Err(Malformed::member(member, format!("has {} bytes; {max} are allowed", text.len())))
        }
        Some(text) => Ok(text),
        None => Err(Malformed::member(member, "is missing")),
    }
}
