//! `conflicts` and `resolve`: what lost to a writer who had not seen it, and how to take it after all.

use serde::Serialize;
use sync_core::model::entry::LIFECYCLE;
use sync_core::replica::{Contender, RawConflict};
use sync_core::{Record, Value};

use crate::device::{Device, note_key, short};
use crate::failure::{Failure, said};
use crate::out::{Out, remark};
use crate::paint::{bold, dim, good, mark, name};
use crate::text::{called, count, fit, plain, value, when};

/// How `resolve` calls the register in which a delete and what was written around it disagree.
const DELETED: &str = "deleted";

/// A conflict as JSON and as text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Conflict {
    entity_type: String,
    id: String,
    field: String,
    /// What shows.
    winner: Side,
    /// What lost, the next to win first.
    losers: Vec<Side>,
}

/// One side of a conflict.
#[derive(Serialize)]
struct Side {
    /// What `resolve --take` calls it.
    take: usize,
    /// What was written; `null` for a delete or a restore.
    value: Value,
    /// The field that a delete hides a write to.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    author: String,
    time: u64,
    entry: Option<String>,
    pending: bool,
    #[serde(skip)]
    called: String,
}

pub(crate) fn list(device: &Device, json: bool, out: &mut Out) -> Result<(), Failure> {
    let mut conflicts = Vec::new();
    for raw in device.replica.raw_conflicts(None)? {
        conflicts.push(conflict(device, &raw)?);
    }
    if json {
        return out.json(&conflicts);
    }
    for conflict in &conflicts {
        print(conflict, out)?;
    }
    out.line(dim(match conflicts.len() as u64 {
        0 => "no conflicts".to_owned(),
        n => format!("{}; without --take, `notes resolve ID FIELD` keeps what shows", count(n, "conflict")),
    }))
}

pub(crate) fn resolve(device: &Device, id: &str, field: &str, take: usize) -> Result<(), Failure> {
    let id = device.note_id(id)?;
    let key = note_key(&id);
    let found = device.replica.raw_conflicts(Some(&key.entity_type))?;
    let found = found.into_iter().find(|raw| raw.key == key && (raw.field == field || shown(raw) == field));
    let Some(raw) = found else {
        let message = format!("the note {:?} has no conflict in {field:?}: `notes conflicts` lists all", said(&key.id));
        return Err(Failure::own("no_conflict", message));
    };
    let committed = match take.checked_sub(1) {
        None => device.replica.keep(&raw)?,
        Some(loser) if loser < raw.losers.len() => device.replica.take(&raw, loser)?,
        Some(_) => {
            let message =
                format!("there is no {take} in this conflict: --take goes from 0, what shows, to {}", raw.losers.len());
            return Err(Failure::own("no_such_side", message));
        }
    };
    committed.wait()?;
    remark(format_args!("settled {field}"));
    Ok(())
}

fn shown(raw: &RawConflict) -> &str {
    if raw.field == LIFECYCLE { DELETED } else { &raw.field }
}

fn conflict(device: &Device, raw: &RawConflict) -> Result<Conflict, Failure> {
    let record = device.replica.raw().record(&raw.key)?;
    let side = |take: usize, contender: &Contender| {
        let hidden = raw.field == LIFECYCLE && !contender.value.is_null();
        Side {
            take,
            value: contender.value.clone(),
            field: hidden.then(|| written_to(&record, contender)).flatten(),
            author: contender.author.to_string(),
            time: contender.time,
            entry: contender.accepted.then(|| contender.dot.to_string()),
            pending: !contender.accepted,
            called: called(&contender.author),
        }
    };
    Ok(Conflict {
        entity_type: raw.key.entity_type.to_string(),
        id: raw.key.id.to_string(),
        field: shown(raw).to_owned(),
        winner: side(0, &raw.winner),
        losers: raw.losers.iter().zip(1..).map(|(loser, take)| side(take, loser)).collect(),
    })
}

/// The field that an entry wrote this value to.
fn written_to(record: &Record, contender: &Contender) -> Option<String> {
    let wrote = |register: &sync_core::model::register::Register| {
        let siblings = register.siblings().iter().any(|s| s.origin.dot == contender.dot && s.value == contender.value);
        let elements = register.insertions(&contender.value).iter().any(|(origin, _)| origin.dot == contender.dot);
        siblings || elements || register.additions().any(|(dot, _)| dot == contender.dot)
    };
    record.registers().find(|(_, _, register)| wrote(register)).map(|(field, _, _)| field.to_string())
}

fn print(conflict: &Conflict, out: &mut Out) -> Result<(), Failure> {
    let Conflict { entity_type, id, field, winner, losers } = conflict;
    out.line(format_args!("{} {}  {}", plain(entity_type), plain(id), bold(plain(field))))?;
    out.line(format_args!("  {}  {}", good("0 shows"), side(winner, field)))?;
    for loser in losers {
        out.line(format_args!("  {}  {}", mark(format_args!("{} lost ", loser.take)), side(loser, field)))?;
    }
    let command = format!("notes resolve {} {} --take 1", plain(short(id)), plain(field));
    out.line(dim(format_args!("           take it: {command}")))
}

fn side(side: &Side, field: &str) -> String {
    let what = match (&side.field, side.value.is_null() && field == DELETED) {
        (Some(hidden), _) => format!("{} {}", plain(hidden), value(&side.value)),
        (None, true) if side.take == 0 => "the delete".to_owned(),
        (None, true) => "a restore".to_owned(),
        (None, false) => value(&side.value),
    };
    let pending = if side.pending { mark("  ↑") } else { String::new() };
    // A counter keeps no times.
    let time = if side.time == 0 { String::new() } else { when(side.time) };
    format!("{}  {}  {time}{pending}", fit(&what, 28), name(fit(&side.called, 12)))
}
