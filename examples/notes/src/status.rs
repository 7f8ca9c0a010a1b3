//! `status`: where this device stands.

use serde::Serialize;
use sync_core::replica::{SetAside, Status};
use sync_core::transport::Rejection;

use crate::device::{Device, short};
use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{bad, bold, dim, good, mark, name};
use crate::text::{called, count, plain, when};

/// What `status --json` writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusJson<'a> {
    db: String,
    device: String,
    #[serde(flatten)]
    status: &'a Status,
    hub: Option<&'a str>,
    space: Option<&'a str>,
    principal: Option<&'a str>,
    conflicts: usize,
    refused: Vec<Refused<'a>>,
}

/// An entry that the hub refused.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused<'a> {
    number: u64,
    entity_type: &'a str,
    id: &'a str,
    #[serde(flatten)]
    rejection: &'a Rejection,
}

pub(crate) fn status(device: &Device, json: bool, out: &mut Out) -> Result<(), Failure> {
    let status = device.replica.status();
    let conflicts = device.replica.raw_conflicts(None)?.len();
    let aside = device.replica.rejected();
    if json { as_json(device, &status, conflicts, &aside, out) } else { for_people(device, &status, conflicts, &aside, out) }
}

fn as_json(
    device: &Device,
    status: &Status,
    conflicts: usize,
    aside: &[SetAside],
    out: &mut Out,
) -> Result<(), Failure> {
    let account = status.account.as_ref();
    let refused = aside.iter().map(|aside| Refused {
        number: aside.number,
        entity_type: &aside.entry.key.entity_type,
        id: &aside.entry.key.id,
        rejection: &aside.rejection,
    });
    out.json(&StatusJson {
        db: device.path.display().to_string(),
        device: called(&status.client),
        status,
        hub: account.map(|account| account.hub.as_str()),
        space: account.map(|account| account.space.as_str()),
        principal: account.map(|account| account.principal.as_str()),
        conflicts,
        refused: refused.collect(),
    })
}

fn for_people(
    device: &Device,
    status: &Status,
    conflicts: usize,
    aside: &[SetAside],
    out: &mut Out,
) -> Result<(), Failure> {
    let mut fact = |what: &str, text: String| out.line(format_args!("{}{text}", dim(format_args!("{what:<11}"))));
    fact("device", format!("{} in {}", name(called(&status.client)), plain(&device.path.display().to_string())))?;
    fact("hub", match &status.account {
        None => "none met yet: `notes sync --server URL`".to_owned(),
        Some(account) => plain(&account.to_string()),
    })?;
    if let Some(time) = status.last_synced {
        fact("synced", when(time))?;
    }
    if status.first_sync_done {
        fact("here", format!("{} of the hub's log", count(status.cursor, "entry")))?;
    }
    if status.clock_offset.unsigned_abs() > 1_000 {
        fact("clock", mark(format_args!("{} ms off, corrected for", status.clock_offset)))?;
    }
    fact("pending", match status.pending {
        0 => good("nothing"),
        n => mark(format_args!("↑ {}: safe on this device, sent by `notes sync`", count(n, "change"))),
    })?;
    fact("conflicts", match conflicts as u64 {
        0 => good("none"),
        n => mark(format_args!("{n}: `notes conflicts` shows what lost")),
    })?;
    fact("refused", match aside.len() as u64 {
        0 => good("none"),
        n => bad(format_args!("{}, kept here:", count(n, "change"))),
    })?;
    for SetAside { number, entry, rejection } in aside {
        let what = format!("{} {}", plain(&entry.key.entity_type), plain(short(&entry.key.id)));
        out.line(format_args!("  {} {what}: {}", bold(format_args!("#{number}")), plain(&rejection.message)))?;
    }
    Ok(())
}
