//! `refused`: changes that the hub did not take. They are kept until they are written anew or let go.

use serde::Serialize;
use serde_json::value::RawValue;
use sync_core::replica::SetAside;
use sync_core::transport::Rejection;
use sync_core::{Fields, Value};

use crate::device::{Device, short};
use crate::failure::Failure;
use crate::log::writes;
use crate::out::{Out, remark};
use crate::paint::{bad, bold, dim};
use crate::text::{count, plain};

/// A refused change as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusedJson<'a> {
    number: u64,
    entity_type: &'a str,
    id: &'a str,
    #[serde(flatten)]
    rejection: &'a Rejection,
    /// What was written, as it travels.
    entry: Box<RawValue>,
}

pub(crate) fn list(device: &Device, json: bool, out: &mut Out) -> Result<(), Failure> {
    let refused = device.replica.rejected();
    if json {
        let refused: Result<Vec<_>, _> = refused.iter().map(as_json).collect();
        return out.json(&refused?);
    }
    for SetAside { number, entry, rejection } in &refused {
        let what = format!("{} {}", plain(&entry.key.entity_type), plain(short(&entry.key.id)));
        out.line(format_args!("{}  {what}  {}", bold(format_args!("#{number}")), bad(plain(&rejection.message))))?;
        let writes = writes(entry);
        if !writes.is_empty() {
            out.line(format_args!("    {writes}"))?;
        }
    }
    out.line(dim(match refused.len() as u64 {
        0 => "nothing was refused".to_owned(),
        n => format!("{}; `notes refused --resubmit N` writes one anew, --discard N lets it go", count(n, "change")),
    }))
}

fn as_json(refused: &SetAside) -> Result<RefusedJson<'_>, Failure> {
    let SetAside { number, entry, rejection } = refused;
    let json = RawValue::from_string(entry.to_json(None));
    Ok(RefusedJson {
        number: *number,
        entity_type: &entry.key.entity_type,
        id: &entry.key.id,
        rejection,
        entry: json.map_err(|error| Failure::own("unreadable", format!("{}: {error}", entry.key)))?,
    })
}

/// Writes a change anew, with other values of some fields that it wrote.
pub(crate) fn resubmit(device: &Device, number: u64, mended: &[(&'static str, String)]) -> Result<(), Failure> {
    if let Some(refused) = device.replica.rejected().iter().find(|refused| refused.number == number) {
        let writes = |name: &str| refused.entry.fields.iter().any(|(field, _)| &**field == name);
        if let Some((name, _)) = mended.iter().find(|(name, _)| !writes(name)) {
            let message = format!("the change #{number} wrote no {name}: write it anew as it is, and edit the note");
            return Err(Failure::own("no_such_field", message));
        }
    }
    let mend =
        |fields: &mut Fields| mended.iter().for_each(|(name, value)| fields.insert(*name, Value::from(&**value)));
    device.replica.resubmit(number, mend)?.wait()?;
    remark(format_args!("written anew: `notes sync` offers it"));
    Ok(())
}

pub(crate) fn discard(device: &Device, number: u64) -> Result<(), Failure> {
    device.replica.discard(number)?.wait()?;
    remark(format_args!("let go of #{number}"));
    Ok(())
}
