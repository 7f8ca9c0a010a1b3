//! The dialect of the article that the system comes from, spoken by requests without a `Sync-Protocol` header.
//!
//! Its entries have random ids and no numbers, name no entity type, and hold the whole domain action as their
//! payload. Its devices ignore what an upload is answered, and keep of a download whether it says `uploaded`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sync_core::Offer;
use sync_core::model::json::Malformed;
use sync_core::transport::Limits;
use sync_core::{Action, Entry, Op, Value};

use super::actions::each_action;
use super::bounded::{self, Actions};
use super::{HEADER_IS_MISSING, Unreadable};

/// The most actions in one reply. A device that is further behind gets the rest the next time it asks.
pub const MAX_ACTIONS: usize = 10_000;

#[derive(Deserialize)]
struct PushBody<'a> {
    #[serde(borrow)]
    actions: Actions<'a>,
    /// Only version 1 says it.
    attempt: Option<IgnoredAny>,
}

/// Reads the body of an upload: all that a device has to say, however much that is. Entries without an entity type are of the hub's default one.
///
/// # Errors
/// If the body is no upload, or one of version 1, or an action has not even an id that can be read.
pub fn read_push(body: &[u8], limits: &Limits, default_type: &str) -> Result<Vec<Offer>, Unreadable> {
    let body: PushBody<'_> = serde_json::from_slice(body)?;
    if body.attempt.is_some() {
        return Err(Unreadable::new(HEADER_IS_MISSING));
    }
    each_action(&body.actions.at_most(bounded::MOST)?, limits, |action, depth| {
        Ok(entry(&Value::parse_with_depth(action, depth)?, default_type)?)
    })
}

fn malformed(member: &str, what: &str) -> Malformed {
    Malformed { field: Some(member.to_owned()), message: format!("`{member}` {what}") }
}

/// What only entries of version 1 hold.
const NOT_MEMBERS: [&str; 8] = ["n", "dot", "replaces", "of", "saw", "group", "intent", "seq"];

/// Reads an action of the article as an entry without a number.
fn entry(action: &Value, default_type: &str) -> Result<Entry, Malformed> {
    let not_object = || malformed("actions", "holds something that is no object");
    let mut members = action.object_members().ok_or_else(not_object)?;
    if let Some((name, _)) = members.iter().find(|(name, _)| NOT_MEMBERS.contains(&&**name)) {
        let what = "is for clients that send the header `Sync-Protocol: 1`";
        return Err(malformed(name, what));
    }
    let outer = |name: &str| members.iter().find(|(n, _)| n == name).map(|(_, value)| value);
    let domain = outer("payload").and_then(Value::object_members);
    let domain = domain.ok_or_else(|| {
        let what = "is the domain action {type, id, payload, logicalTime}; without the header \
                    `Sync-Protocol: 1` the article's dialect is spoken";
        malformed("payload", what)
    })?;
    let inner = |name: &str| domain.iter().find(|(n, _)| n == name).map(|(_, value)| value);
    for (within, without) in [("type", "type"), ("id", "entityId"), ("logicalTime", "logicalTime")] {
        if inner(within).is_none() || inner(within) != outer(without) {
            let what = format!("must agree with `payload.{within}`");
            return Err(malformed(without, &what));
        }
    }
    let kind = inner("type").and_then(Value::as_string).unwrap_or_default();
    if !["create", "update", "delete"].contains(&&*kind) {
        return Err(malformed("type", "is create, update or delete"));
    }
    let payload = match inner("payload").filter(|payload| !payload.is_null()) {
        // The article's delete carries nothing.
        _ if kind == "delete" => Value::null(),
        Some(fields) => plain_fields(fields)?,
        None => return Err(malformed("payload", "has no `payload` with the fields")),
    };
    members.retain(|(name, _)| name != "payload");
    members.push(("payload".into(), payload));
    if !members.iter().any(|(name, _)| name == "entityType") {
        members.push(("entityType".into(), default_type.into()));
    }
    let value = Value::object(members);
    let value = value.map_err(|error| malformed("actions", &error.to_string()))?;
    Ok(Entry::from_json(&value)?.entry)
}

/// The fields as operations: the article knows only values, so one that looks like an operation is still a value.
fn plain_fields(fields: &Value) -> Result<Value, Malformed> {
    let not_object = || malformed("payload", "has a `payload` that is no object of fields");
    let members = fields.object_members().ok_or_else(not_object)?;
    let assigned = members.into_iter().map(|(name, value)| (name, Op::Assign(value).to_json()));
    let value = Value::object(assigned);
    value.map_err(|error| malformed("payload", &error.to_string()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageBody<'a> {
    actions: Vec<WalEntry<'a>>,
    new_cursor: u64,
}

/// The article's `WalEntry`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WalEntry<'a> {
    id: String,
    entity_id: &'a str,
    r#type: &'static str,
    payload: DomainAction<'a>,
    client_id: &'a str,
    logical_time: u64,
    uploaded: bool,
}

/// The article's `NoteAction`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DomainAction<'a> {
    r#type: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<BTreeMap<&'a str, &'a Value>>,
    logical_time: u64,
}

/// Whether the article has a word for this entry: a create, update or delete of the default type.
pub fn is_spoken(entry: &Entry, default_type: &str) -> bool {
    let known = matches!(entry.action, Action::Create | Action::Update | Action::Delete(_));
    known && *entry.key.entity_type == *default_type
}

/// The reply to a download, of entries that are [spoken](is_spoken).
pub fn page(entries: &[Arc<Entry>], new_cursor: u64) -> String {
    super::to_json(&PageBody { actions: entries.iter().map(|entry| wal_entry(entry)).collect(), new_cursor })
}

fn wal_entry(entry: &Entry) -> WalEntry<'_> {
    let (kind, payload) = match entry.action {
        Action::Create => ("create", Some(plain_values(entry))),
        Action::Update => ("update", Some(plain_values(entry))),
        _ => ("delete", None),
    };
    let logical_time = entry.origin.time;
    WalEntry {
        id: entry.id(),
        entity_id: &entry.key.id,
        r#type: kind,
        payload: DomainAction { r#type: kind, id: &entry.key.id, payload, logical_time },
        client_id: entry.origin.author().as_str(),
        logical_time,
        uploaded: true,
    }
}

/// The values that the entry assigns. Operations of other families mean nothing to the article.
fn plain_values(entry: &Entry) -> BTreeMap<&str, &Value> {
    let plain = entry.fields.iter().filter_map(|(name, op)| match op {
        Op::Assign(value) => Some((&**name, value)),
        _ => None,
    });
    plain.collect()
}
