//! `show --why`: who wrote what shows, what lost, and what is not on the hub yet.

use serde::Serialize;
use sync_core::model::op::Family;
use sync_core::model::register::{Register, Sibling};
use sync_core::model::stamp::Origin;
use sync_core::{ClientId, Dot, EntityKey, Record, Value};

use crate::device::Device;
use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{bad, bold, dim, good, mark, name};
use crate::text::{called, fit, plain, value, when};

/// Why a note is as it is.
#[derive(Serialize)]
pub(crate) struct Why {
    /// Creates, deletes and restores that nobody replaced.
    life: Vec<Write>,
    fields: Vec<Field>,
}

/// One field.
#[derive(Serialize)]
struct Field {
    field: String,
    /// How concurrent writes to it merge.
    rule: &'static str,
    writes: Vec<Write>,
}

/// One write.
#[derive(Serialize)]
struct Write {
    outcome: Outcome,
    value: Value,
    author: ClientId,
    /// In milliseconds since the Unix epoch; a counter keeps no times.
    time: Option<u64>,
    /// The entry that wrote it; one that was never sent has no name yet.
    entry: Option<String>,
    pending: bool,
}

/// What became of a write.
#[derive(Serialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It gives the value.
    Shows,
    /// It wrote the same value as the one that shows.
    Agrees,
    /// It lost to a writer who had not seen it.
    Lost,
    /// It is a part of the value.
    Counts,
    /// The entity was made.
    Created,
    /// The entity was deleted.
    Deleted,
    /// Deletes were taken back.
    Restored,
}

/// Explains a note's record.
pub(crate) fn of(device: &Device, key: &EntityKey) -> Result<Why, Failure> {
    let record = device.replica.raw().record(key)?;
    let own = device.replica.status().client;
    let registers = record.registers().map(|(field, family, register)| Field {
        field: field.to_string(),
        rule: rule(family),
        writes: writes(family, register, &own),
    });
    Ok(Why { life: life(&record, &own), fields: registers.collect() })
}

fn life(record: &Record, own: &ClientId) -> Vec<Write> {
    let plain = |outcome, origin: &Origin| write(outcome, Value::null(), origin, own);
    let creates = record.creates().iter().filter_map(|create| create.origin.as_ref());
    let mut life: Vec<Write> = creates.map(|origin| plain(Outcome::Created, origin)).collect();
    life.extend(record.lifecycle().iter().map(|change| {
        let outcome = if change.delete.is_some() { Outcome::Deleted } else { Outcome::Restored };
        plain(outcome, &change.origin)
    }));
    life
}

fn writes(family: &Family, register: &Register, own: &ClientId) -> Vec<Write> {
    match family {
        Family::Set => {
            let insertions = |element: &Value| {
                let origins = register.insertions(element).iter().map(|(origin, _)| origin);
                origins.map(|origin| write(Outcome::Counts, element.clone(), origin, own)).collect::<Vec<_>>()
            };
            register.elements().flat_map(insertions).collect()
        }
        Family::Counter => {
            let addition = |(dot, sum): (Dot, i128)| {
                let origin = Origin { dot, time: 0, author: None };
                let sum = i64::try_from(sum).map_or_else(|_| Value::from(sum.to_string()), Value::from);
                Write { time: None, ..write(Outcome::Counts, sum, &origin, own) }
            };
            register.additions().map(addition).collect()
        }
        _ => {
            let ranked = register.ranked(family);
            let shows = ranked.first().map(|winner| winner.value.clone());
            let outcome = |at: usize, sibling: &Sibling| match at {
                0 => Outcome::Shows,
                _ if Some(&sibling.value) == shows.as_ref() => Outcome::Agrees,
                _ => Outcome::Lost,
            };
            let ranked = ranked.into_iter().enumerate();
            ranked.map(|(at, sibling)| write(outcome(at, sibling), sibling.value.clone(), &sibling.origin, own)).collect()
        }
    }
}

fn write(outcome: Outcome, value: Value, origin: &Origin, own: &ClientId) -> Write {
    let pending = is_pending(&origin.dot);
    let author = if pending { own } else { origin.author() };
    Write {
        outcome,
        value,
        author: author.clone(),
        time: Some(origin.time),
        entry: (!pending).then(|| origin.dot.to_string()),
        pending,
    }
}

/// Whether an entry has no number yet: before the hub accepts them, entries name each other by their place here.
pub(crate) fn is_pending(dot: &Dot) -> bool {
    dot.client.as_str().is_empty()
}

fn rule(family: &Family) -> &'static str {
    match family {
        Family::Assign => "the last writer wins",
        Family::First => "the first writer wins",
        Family::Max => "the greatest value wins",
        Family::Min => "the least value wins",
        Family::Counter => "all differences add up",
        Family::Set => "added and removed one by one; an addition wins",
        _ => "a rule of its own",
    }
}

/// Prints it for people.
pub(crate) fn print(why: &Why, out: &mut Out) -> Result<(), Failure> {
    out.line("")?;
    for write in &why.life {
        out.line(line(write))?;
    }
    for field in &why.fields {
        out.line(format_args!("{}  {}", bold(plain(&field.field)), dim(format_args!("({})", field.rule))))?;
        for write in &field.writes {
            out.line(line(write))?;
        }
    }
    Ok(())
}

fn line(write: &Write) -> String {
    let what = match write.outcome {
        Outcome::Shows => good("shows   "),
        Outcome::Agrees => good("agrees  "),
        Outcome::Counts => good("counts  "),
        Outcome::Lost => bad("lost    "),
        Outcome::Created => good("created "),
        Outcome::Deleted => bad("deleted "),
        Outcome::Restored => good("restored"),
    };
    let wrote = match write.outcome {
        Outcome::Created | Outcome::Deleted | Outcome::Restored => String::new(),
        _ => value(&write.value),
    };
    let time = write.time.map(when).unwrap_or_default();
    let by = format!("{}  {time}", name(called(&write.author)));
    let state = match &write.entry {
        Some(entry) => dim(format_args!("\n            entry {}", plain(entry))),
        None => mark("  ↑ pending"),
    };
    format!("  {what}  {}  {by}{state}", fit(&wrote, 24))
}
