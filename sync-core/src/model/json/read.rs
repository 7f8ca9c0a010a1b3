//! Reading an entry from JSON.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Malformed, NoEntry, Parsed};
use crate::entity::Tombstone;
use crate::model::entry::{Action, EntityKey, Entry, Group, client_is_valid};
use crate::model::op::Op;
use crate::model::shared;
use crate::model::stamp::{ClientId, Dot, Dots, Name, Origin};
use crate::model::value::Value;

impl Entry {
    /// Reads an entry from JSON.
    ///
    /// # Errors
    /// [`Malformed`] with the member that is wrong.
    pub fn from_json(json: &Value) -> Result<Parsed, Malformed> {
        let members = Value::members_in(json.as_str())
            .ok_or_else(|| Malformed { field: None, message: "an action is a JSON object".into() })?;
        let members = members.map(|(name, value)| (name, Cow::Borrowed(value)));
        let members: Vec<Slice<'_>> = members.collect();
        Self::from_members(&members)
    }

    /// Reads an entry from the text of its JSON, which may nest at most `max_depth` levels: what
    /// [`Value::parse_with_depth`] and [`from_json`](Self::from_json) do, at once.
    ///
    /// # Errors
    /// [`NoEntry`] with what is wrong.
    ///
    /// ```
    /// let error = sync_core::Entry::parse_json(r#"{"id":"a-1"}"#, 8).unwrap_err();
    /// assert_eq!(error.to_string(), "`clientId` is missing");
    /// ```
    pub fn parse_json(text: &str, max_depth: usize) -> Result<Parsed, NoEntry> {
        let members: Vec<Slice<'_>> = Value::scan_members(text, max_depth)?.collect();
        Ok(Self::from_members(&members)?)
    }

    fn from_members(members: &[Slice<'_>]) -> Result<Parsed, Malformed> {
        let mut raw = Raw::default();
        let mut unknown = Vec::new();
        for (name, value) in members {
            let slot = match &**name {
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
                "uploaded" => &mut raw.uploaded,
                _ => {
                    unknown.push((&**name, Value::from_canonical(&**value)));
                    continue;
                }
            };
            if slot.replace(value).is_some() {
                return Err(Malformed::member(name, "stands there twice"));
            }
        }
        raw.parse(unknown)
    }
}

/// A member's name, and its value in canonical text.
type Slice<'a> = (Cow<'a, str>, Cow<'a, str>);

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
    uploaded: Member<'a>,
}

impl<'a> Raw<'a> {
    fn parse(self, unknown: Vec<(&str, Value)>) -> Result<Parsed, Malformed> {
        let id = required_text("id", self.id, 512)?;
        let client = ClientId::new(shared::name(&required_text("clientId", self.client, ClientId::MAX_BYTES)?));
        if !client_is_valid(&client) {
            return Err(Malformed::member("clientId", "is empty, too long or has control characters"));
        }
        let time = number("logicalTime", self.time)?.ok_or_else(|| Malformed::member("logicalTime", "is missing"))?;
        let key = EntityKey {
            entity_type: shared::name(&required_text("entityType", self.entity_type, EntityKey::MAX_TYPE_BYTES)?),
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

fn replaces(value: Member<'_>) -> Result<Vec<(Name, Dots)>, Malformed> {
    let Some(value) = not_null(value) else { return Ok(Vec::new()) };
    let members =
        Value::members_in(value).ok_or_else(|| Malformed::member("replaces", "is an object of arrays of ids"))?;
    members.map(|(name, ids)| Ok((shared::name(&name), dots("replaces", Some(ids))?))).collect()
}

fn dots(member: &str, value: Member<'_>) -> Result<Dots, Malformed> {
    let Some(value) = not_null(value) else { return Ok(Dots::new()) };
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
    // A number may begin with a sign, and an intent may not.
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"{"id":"a-0000000000000001","entityType":"note","entityId":"1","type":"create","payload":{"t":1},"clientId":"a","logicalTime":5,"n":1}"#;

    /// The error for this instead of the first `n`, if there is one.
    fn error(member: &str) -> String {
        let text = PLAIN.replacen(r#""n":1"#, member, 1);
        Entry::parse_json(&text, 8).map_or_else(|error| error.to_string(), |_| "none".into())
    }

    #[test]
    fn what_is_spelled_otherwise_is_the_same() {
        let plain = Entry::parse_json(PLAIN, 8).expect("it is an entry");
        let spaced = PLAIN.replace(':', " :\t").replace(',', "\n, ");
        let escaped = PLAIN.replace("clientId", "client\\u0049d").replace(r#":"a","#, r#":"\u0061","#);
        for text in [format!(" {spaced}\r\n"), escaped, PLAIN.replace(r#"{"t":1}"#, r#"{ "t" : 1.0 }"#)] {
            assert_eq!(Entry::parse_json(&text, 8).as_ref(), Ok(&plain), "{text}");
        }
    }

    /// Its place in the log, and whether it was sent, say nothing about an entry.
    #[test]
    fn what_is_about_the_log_is_no_part_of_the_entry() {
        let plain = Entry::parse_json(PLAIN, 8).expect("it is an entry");
        for (member, seq) in [(r#""uploaded":true"#, None), (r#""uploaded":false"#, None), (r#""seq":9"#, Some(9))] {
            let text = PLAIN.replacen(r#""n":1"#, &format!(r#""n":1,{member}"#), 1);
            let parsed = Entry::parse_json(&text, 8).expect("it is an entry");
            assert_eq!((&parsed.entry, parsed.seq), (&plain.entry, seq), "{member}");
            assert_eq!(parsed.entry.unknown, None);
        }
        let written = plain.entry.to_json(Some(9));
        assert_eq!(Entry::parse_json(&written, 8).map(|parsed| (parsed.entry, parsed.seq)), Ok((plain.entry, Some(9))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(error(r#""n":1,"\u006e":1"#), "`n` stands there twice");
        assert!(error(r#""n":1,"x":1,"x":2"#).contains("\"x\""), "{}", error(r#""n":1,"x":1,"x":2"#));
        assert_eq!(error(r#""n":1,"x":1"#), "none");
        let long = |bytes: usize| PLAIN.replace(r#""1""#, &format!("\"{}\"", "1".repeat(bytes)));
        assert!(Entry::parse_json(&long(EntityKey::MAX_ID_BYTES), 8).is_ok());
        assert!(Entry::parse_json(&long(EntityKey::MAX_ID_BYTES + 1), 8).is_err());
        assert_eq!(error(r#""m":1"#), "none");
        for open in ["", "n", "\"n\"", "\"n\" 1", "\"n\":1,", "\"n\":1 \"m\":2", "\"n\":1}x", "\"n\":01"] {
            assert!(error(open).starts_with("this is not JSON"), "{open}: {}", error(open));
        }
        for text in ["", "[]", "1", "{", r#"{"id""#] {
            assert!(matches!(Entry::parse_json(text, 8), Err(NoEntry::Json(_))), "{text}");
        }
        let deep = format!("\"n\":1,\"x\":{}", "[".repeat(9));
        assert!(error(&deep).contains("8"), "{}", error(&deep));
    }

    #[test]
    fn an_intent_is_hex_digits_and_no_number_with_a_sign() {
        assert_eq!(error(r#""n":1,"intent":"0000000000000000000000000000000f""#), "none");
        for intent in ["+000000000000000000000000000000f", "f", "", "0000000000000000000000000000000g"] {
            let told = error(&format!(r#""n":1,"intent":"{intent}""#));
            assert!(told.contains("32 hex digits"), "{intent:?}: {told}");
        }
    }
}
