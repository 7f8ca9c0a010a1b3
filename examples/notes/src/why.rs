//! `show --why`: who wrote what shows, what lost, what was there before, and what is not on the hub yet.

use serde::Serialize;
use sync_core::model::stamp::Origin;
use sync_core::replica::{Explanation, Part, Rule};
use sync_core::{ClientId, Dot, Entity, Record, Value};

use crate::device::{Device, note_key};
use crate::failure::Failure;
use crate::note::{Note, NoteId};
use crate::out::Out;
use crate::paint::{bad, bold, dim, good, mark, name};
use crate::text::{called, count, fit, plain, value, when};

/// How many overwritten values are shown of a field.
const BEFORE: usize = 3;

/// Why a note is as it is.
#[derive(Serialize)]
pub(crate) struct Why {
    /// Creates, deletes and restores that nobody replaced.
    life: Vec<Event>,
    fields: Vec<Explanation>,
}

/// A create, a delete or a restore.
#[derive(Serialize)]
struct Event {
    what: &'static str,
    author: ClientId,
    time: u64,
    accepted: bool,
}

/// Explains a note.
pub(crate) fn of(device: &Device, id: &NoteId) -> Result<Why, Failure> {
    let record = device.replica.raw().record(&note_key(id))?;
    let own = device.replica.status().client;
    let fields = Note::SCHEMA.fields.iter().map(|field| device.replica.explain(id, field.name));
    Ok(Why { life: life(&record, &own), fields: fields.collect::<Result<_, _>>()? })
}

fn life(record: &Record, own: &ClientId) -> Vec<Event> {
    let event = |what, origin: &Origin| {
        let pending = is_pending(&origin.dot);
        let author = if pending { own } else { origin.author() };
        Event { what, author: author.clone(), time: origin.time, accepted: !pending }
    };
    let creates = record.creates().iter().filter_map(|create| create.origin.as_ref());
    let mut life: Vec<Event> = creates.map(|origin| event("created", origin)).collect();
    life.extend(record.lifecycle().iter().map(|change| {
        let what = if change.delete.is_some() { "deleted" } else { "restored" };
        event(what, &change.origin)
    }));
    life
}

/// Whether an entry has no number yet: before the hub accepts them, entries name each other by their place here.
pub(crate) fn is_pending(dot: &Dot) -> bool {
    dot.client.as_str().is_empty()
}

/// Prints it for people.
pub(crate) fn print(why: &Why, out: &mut Out) -> Result<(), Failure> {
    out.line("")?;
    for event in &why.life {
        let what = if event.what == "deleted" { bad(event.what) } else { good(event.what) };
        let author = name(called(&event.author));
        out.line(format_args!("{what} by {author} {}{}", when(event.time), pending(event.accepted)))?;
    }
    for field in why.fields.iter().filter(|field| !is_untouched(field)) {
        explain(field, out)?;
    }
    Ok(())
}

/// Whether nobody wrote anything but a create's nothing.
fn is_untouched(field: &Explanation) -> bool {
    let nothing = |part: &Part| matches!(part.value.as_str(), "null" | "false" | "0" | "");
    field.history.is_empty() && field.parts.iter().all(nothing)
}

fn explain(field: &Explanation, out: &mut Out) -> Result<(), Failure> {
    out.line(format_args!("{}  {}", bold(plain(&field.field)), dim(rule(field))))?;
    let shows = field.parts.first().map(|part| &part.value);
    for (at, part) in field.parts.iter().enumerate() {
        let outcome = match field.rule {
            Rule::Sum | Rule::Elements | Rule::Policy => good("counts"),
            _ if at == 0 => good("shows "),
            _ if shows == Some(&part.value) => good("agrees"),
            _ => bad("lost  "),
        };
        out.line(line(&outcome, part))?;
    }
    for part in field.history.iter().take(BEFORE) {
        out.line(line(&dim("before"), part))?;
    }
    match field.history.len().saturating_sub(BEFORE) as u64 {
        0 => Ok(()),
        more => out.line(dim(format_args!("  and {} before that", count(more, "write")))),
    }
}

fn rule(field: &Explanation) -> &'static str {
    match field.rule {
        Rule::Default => "nobody wrote it",
        Rule::OnlyWrite => "nobody wrote it without having seen what was there",
        Rule::LatestStamp => "written by several who did not know of each other: the latest shows",
        Rule::EarliestStamp => "written by several who did not know of each other: the earliest shows",
        Rule::Greatest => "the greatest shows",
        Rule::Least => "the least shows",
        Rule::Sum => "all differences add up",
        Rule::Elements => "added and removed one by one",
        _ => "by a rule of its own",
    }
}

fn line(outcome: &str, part: &Part) -> String {
    // A counter keeps no times.
    let time = if part.time == 0 { fit("", 19) } else { when(part.time) };
    let wrote = fit(&written(&part.value), 24);
    let author = name(fit(&called(&part.author), 12));
    format!("  {outcome}  {wrote}  {author}  {time}{}\n            {}", pending(part.accepted), dim(plain(&part.id)))
}

/// What an entry wrote: a value, or an operation.
fn written(operation: &Value) -> String {
    let members = operation.object_members().unwrap_or_default();
    let parts = members.iter().filter_map(|(name, operand)| match &**name {
        "$add" => Some(format!("{:+}", operand.as_i64().unwrap_or_default())),
        "$insert" => Some(elements('+', operand.array_elements().unwrap_or_default())),
        "$remove" => {
            let removed = operand.object_members().unwrap_or_default().into_iter();
            Some(removed.map(|(element, _)| format!("−{}", plain(&element))).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { value(operation) } else { parts.join(" ") }
}

fn elements(sign: char, elements: Vec<Value>) -> String {
    let named = elements.iter().map(|element| format!("{sign}{}", value(element)));
    named.collect::<Vec<_>>().join(" ")
}

fn pending(accepted: bool) -> String {
    if accepted { String::new() } else { mark("  ↑ pending") }
}
