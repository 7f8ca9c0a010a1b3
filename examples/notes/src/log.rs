//! `log`: the write-ahead log, one entry a line.

use serde::Serialize;
use serde_json::value::RawValue;
use sync_core::replica::{LogEntry, LogState};
use sync_core::transport::Rejection;
use sync_core::{Action, ClientId, Entry, Op};

use crate::device::{Device, short};
use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{bad, dim, good, mark, name};
use crate::text::{called, fit, plain, value, when};
use crate::why::is_pending;

/// A line as JSON.
#[derive(Serialize)]
struct Line<'a> {
    state: &'a str,
    /// Its number on this device, if it was written here.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<&'a Rejection>,
    /// The entry as it travels.
    entry: &'a RawValue,
}

pub(crate) fn log(device: &Device, json: bool, out: &mut Out) -> Result<(), Failure> {
    let own = device.replica.status().client;
    for line in device.replica.log()? {
        if json { as_json(&line, &own, out)? } else { out.line(for_people(&line, &own))? }
    }
    Ok(())
}

fn as_json(line: &LogEntry, own: &ClientId, out: &mut Out) -> Result<(), Failure> {
    let (state, rejection) = match &line.state {
        LogState::Pending => ("pending", None),
        LogState::Accepted => ("accepted", None),
        LogState::Rejected(rejection) => ("rejected", Some(rejection)),
        _ => ("unknown", None),
    };
    let mut entry = line.entry.clone();
    if is_pending(entry.dot()) {
        entry.origin.author = Some(own.clone());
    }
    let entry = RawValue::from_string(entry.to_json(None));
    let entry = entry.map_err(|error| Failure::own("unreadable", format!("{}: {error}", line.entry.key)))?;
    out.json(&Line { state, number: line.number, rejection, entry: &entry })
}

fn for_people(line: &LogEntry, own: &ClientId) -> String {
    let entry = &line.entry;
    let state = match &line.state {
        LogState::Pending => mark("↑ pending "),
        LogState::Accepted => good("  accepted"),
        _ => bad("✗ refused "),
    };
    let author = if is_pending(entry.dot()) { own } else { entry.origin.author() };
    let action = match entry.action {
        Action::Create => "create ",
        Action::Update => "update ",
        Action::Delete(_) => "delete ",
        Action::Restore => "restore",
        Action::Purge => "purge  ",
        _ => "other  ",
    };
    let writes = writes(entry);
    let key = format!("{} {}", plain(&entry.key.entity_type), plain(short(&entry.key.id)));
    let time = dim(when(entry.origin.time));
    let mut text = format!("{state} {time} {} {action} {key}", name(fit(&called(author), 8)));
    if !writes.is_empty() {
        text.push_str("  ");
        text.push_str(&writes);
    }
    if let LogState::Rejected(rejection) = &line.state {
        text.push_str(&bad(format_args!("  {}", plain(&rejection.message))));
    }
    text
}

/// What is written to which fields.
pub(crate) fn writes(entry: &Entry) -> String {
    let fields = entry.fields.iter().filter_map(|(field, op)| written(field, op, entry.action));
    fields.collect::<Vec<_>>().join(" ")
}

/// What is written to a field; of a create, not what is empty.
fn written(field: &str, op: &Op, action: Action) -> Option<String> {
    let field = plain(field);
    let is_plain = |value: &sync_core::Value| matches!(value.as_str(), "null" | "false" | "0");
    Some(match op {
        Op::Assign(value) if action == Action::Create && is_plain(value) => return None,
        Op::Add(0) => return None,
        Op::Set { insert, remove } if insert.is_empty() && remove.is_empty() => return None,
        Op::Assign(new) | Op::First(new) | Op::Max(new) | Op::Min(new) => format!("{field}={}", value(new)),
        Op::Add(delta) => format!("{field}{delta:+}"),
        Op::Set { insert, remove } => {
            let added = insert.iter().map(|element| format!("+{}", value(element)));
            let removed = remove.iter().map(|(element, _)| format!("-{}", value(element)));
            format!("{field}{{{}}}", added.chain(removed).collect::<Vec<_>>().join(" "))
        }
        _ => field,
    })
}
