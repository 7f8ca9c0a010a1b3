//! What can be said of an offered entry without knowing the log.

use std::sync::Arc;

use super::Offer;
use super::batch::content_bytes;
use crate::model::digest::Digest;
use crate::model::entry::{Action, EntityKey, Entry, LIFECYCLE, client_is_valid, id_is_valid, type_is_valid};
use crate::model::op::Op;
use crate::model::stamp::Dot;
use crate::transport::{Limits, Rejection};

/// An offer, looked at by itself.
pub(super) struct Prepared {
    /// What the verdict calls it.
    pub(super) id: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// An entry without its intent, with its hash and what is wrong with it by itself.
    Entry { entry: Arc<Entry>, intent: Option<u128>, hash: Digest, fault: Option<Rejection> },
    /// What could not be read as one; its number, as far as its id tells.
    Malformed { dot: Option<Dot>, rejection: Rejection },
}

pub(super) fn prepare(offer: Offer, limits: &Limits, check: fn(&Entry, &Limits) -> Option<Rejection>) -> Prepared {
    match offer {
        Offer::Entry(mut entry) => {
            let (id, hash, fault) = (entry.id(), entry.hash(), check(&entry, limits));
            let intent = entry.intent.take();
            Prepared { id, kind: Kind::Entry { entry: Arc::new(entry), intent, hash, fault } }
        }
        Offer::Malformed { id, rejection } => {
            let dot = id.parse().ok();
            Prepared { id, kind: Kind::Malformed { dot, rejection } }
        }
    }
}

/// A rejection.
pub(super) fn reject(code: &str, message: impl Into<String>, field: Option<&str>) -> Rejection {
    Rejection { code: code.to_owned(), message: message.into(), field: field.map(str::to_owned) }
}

fn malformed(member: &str, message: &str) -> Option<Rejection> {
    Some(reject("malformed", format!("`{member}` {message}"), Some(member)))
}

/// What is wrong with a numbered entry by itself.
pub(super) fn fault(entry: &Entry, limits: &Limits) -> Option<Rejection> {
    if entry.foreign_id.is_some() || entry.origin.author.is_some() || entry.dot().n == 0 {
        return malformed("n", "is the entry's number, from 1; an entry without one speaks the other dialect");
    }
    if entry.dot().n == u64::MAX {
        return malformed("n", "leaves no room for another entry");
    }
    match entry.action {
        Action::Purge => return Some(reject("forbidden", "only a hub purges", Some("type"))),
        Action::Create if !entry.of.is_empty() => {
            return malformed("of", "is for entries that saw a create; a create has none");
        }
        Action::Delete(_) | Action::Restore if !entry.fields.is_empty() => {
            return malformed("payload", "of a delete or restore has no fields");
        }
        _ => {}
    }
    if let Some(group) = entry.group {
        let within = group.first > 0 && group.first <= entry.dot().n && entry.dot().n - group.first < group.count;
        if !within {
            return malformed("group", "does not contain the entry itself");
        }
        if group.count > limits.group_entries {
            return malformed("group", &format!("has {} entries; {} are allowed", group.count, limits.group_entries));
        }
    }
    let lifecycle = matches!(entry.action, Action::Delete(_) | Action::Restore);
    for (name, _) in &entry.replaces {
        if !(is_field(name) || (lifecycle && &**name == LIFECYCLE)) {
            return malformed("replaces", &format!("names {name:?}, which is no field"));
        }
    }
    if !entry.replaces.is_sorted_by(|(a, _), (b, _)| a < b) {
        return malformed("replaces", "has a field twice, or out of order");
    }
    // Nobody ever knows such an entry: who folds the log would wait for it for ever, and who knows the log to be whole not.
    if let Some(dot) = entry.named().find(|dot| dot.n == 0) {
        return Some(reject("malformed", format!("it names {dot}, and no entry has the number 0"), None));
    }
    common_fault(entry, limits)
}

/// What is wrong with an entry of either dialect by itself.
pub(super) fn common_fault(entry: &Entry, limits: &Limits) -> Option<Rejection> {
    let EntityKey { entity_type, id } = &entry.key;
    if !client_is_valid(entry.origin.author()) {
        return malformed("clientId", "is empty, too long or has control characters");
    }
    if !type_is_valid(entity_type) {
        return malformed("entityType", "is empty, too long or has control characters");
    }
    if !id_is_valid(id) {
        return malformed("entityId", "is empty or too long");
    }
    // The clock of whoever sees it goes one further.
    if entry.origin.time == u64::MAX {
        return malformed("logicalTime", "leaves no time after it");
    }
    if !entry.fields.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        return malformed("payload", "has a field twice, or out of order");
    }
    for (name, op) in &entry.fields {
        if let Op::Set { insert, remove } = op
            && !(insert.is_sorted_by(|a, b| a < b) && remove.is_sorted_by(|(a, _), (b, _)| a < b))
        {
            return malformed(name, "has an element twice, or out of order");
        }
        if !is_field(name) {
            return Some(reject(
                "malformed",
                format!("{name:?} is no field name: it is empty or begins with `$`"),
                Some(name),
            ));
        }
        let depth = depth(op);
        if depth > limits.depth {
            let message = format!("field `{name}` is nested {depth} levels deep; {} are allowed", limits.depth);
            return Some(reject("depth", message, Some(name)));
        }
    }
    if entry.unknown.as_ref().is_some_and(|unknown| unknown.depth() as u64 > limits.depth) {
        return Some(reject("depth", format!("a member is nested more than {} levels deep", limits.depth), None));
    }
    if at_most_bytes(entry) <= limits.entry_bytes {
        return None;
    }
    let bytes = entry.to_json_with_intent().len() as u64;
    (bytes > limits.entry_bytes).then(|| {
        reject("entry_bytes", format!("the entry has {bytes} bytes; {} are allowed", limits.entry_bytes), None)
    })
}

pub(super) fn is_field(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('$')
}

fn depth(op: &Op) -> u64 {
    let deepest = match op {
        Op::Assign(v) | Op::First(v) | Op::Max(v) | Op::Min(v) | Op::Own { body: v, .. } => v.depth(),
        Op::Add(_) => 0,
        Op::Set { insert, remove } => {
            let elements = insert.iter().chain(remove.iter().map(|(element, _)| element));
            elements.map(crate::model::value::Value::depth).max().unwrap_or(0)
        }
    };
    deepest as u64
}

/// No less than the entry's size in JSON, where no byte becomes more than six.
fn at_most_bytes(entry: &Entry) -> u64 {
    let texts = [&entry.key.entity_type, &entry.key.id, entry.origin.author().name(), entry.dot().client.name()];
    let foreign_id = entry.foreign_id.as_ref().map_or(0, |id| id.len());
    let all = foreign_id + texts.iter().map(|text| text.len()).sum::<usize>() + content_bytes(entry);
    1_024 + 6 * all as u64
}
