//! `status`: where this device stands.

use serde::Serialize;
use sync_core::replica::Status;

use crate::device::Device;
use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{bad, dim, good, mark, name};
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
}

pub(crate) fn status(device: &Device, json: bool, out: &mut Out) -> Result<(), Failure> {
    let status = device.replica.status();
    let conflicts = device.replica.raw_conflicts(None)?.len();
    if json { as_json(device, &status, conflicts, out) } else { for_people(device, &status, conflicts, out) }
}

fn as_json(device: &Device, status: &Status, conflicts: usize, out: &mut Out) -> Result<(), Failure> {
    let account = status.account.as_ref();
    out.json(&StatusJson {
        db: device.path.display().to_string(),
        device: called(&status.client),
        status,
        hub: account.map(|account| account.hub.as_str()),
        space: account.map(|account| account.space.as_str()),
        principal: account.map(|account| account.principal.as_str()),
        conflicts,
    })
}

fn for_people(device: &Device, status: &Status, conflicts: usize, out: &mut Out) -> Result<(), Failure> {
    let mut fact = |what: &str, text: String| out.line(format_args!("{}{text}", dim(format_args!("{what:<11}"))));
    fact("device", format!("{} in {}", name(called(&status.client)), plain(&device.path.display().to_string())))?;
    fact(
        "hub",
        match &status.account {
            None => "none met yet: `notes sync --server URL`".to_owned(),
            Some(account) => plain(&account.to_string()),
        },
    )?;
    if let Some(time) = status.last_synced {
        fact("synced", when(time))?;
    }
    if status.first_sync_done {
        fact("here", format!("{} of the hub's log", count(status.cursor, "entry")))?;
    }
    if status.clock_offset.unsigned_abs() > 1_000 {
        fact("clock", mark(format_args!("{} ms off, corrected for", status.clock_offset)))?;
    }
    fact(
        "pending",
        match status.pending {
            0 => good("nothing"),
            n => mark(format_args!("↑ {}: safe on this device, sent by `notes sync`", count(n, "change"))),
        },
    )?;
    fact(
        "conflicts",
        match conflicts as u64 {
            0 => good("none"),
            n => mark(format_args!("{n}: `notes conflicts` shows what lost")),
        },
    )?;
    fact(
        "refused",
        match status.rejected {
            0 => good("none"),
            n => bad(format_args!("{n}, kept here: `notes refused` says why")),
        },
    )
}
