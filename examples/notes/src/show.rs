//! `show`

use serde::Serialize;
use sync_core::replica::EntityStatus;
use sync_core::{Entity, Error};

use crate::cli::Show;
use crate::device::{Device, note_key};
use crate::failure::Failure;
use crate::json::{NoteJson, TombstoneJson};
use crate::list::Dated;
use crate::note::{Note, NoteId};
use crate::out::Out;
use crate::paint::{bad, bold, dim, mark, name};
use crate::text::{count, lines, plain, when};
use crate::why::{self, Why};

/// What `show --why --json` writes.
#[derive(Serialize)]
struct Explained<'a, T> {
    #[serde(flatten)]
    note: T,
    why: &'a Why,
}

pub(crate) fn show(device: &Device, show: &Show, out: &mut Out) -> Result<(), Failure> {
    let id = device.note_id(&show.id)?;
    let key = note_key(&id);
    let raw = device.replica.raw().get(&key.entity_type, &key.id)?;
    let raw = raw.ok_or_else(|| Error::NotFound { key: key.clone() })?;
    if raw.deleted && !show.why {
        return Err(Error::Deleted { key }.into());
    }
    let why = show.why.then(|| why::of(device, &id)).transpose()?;
    if raw.deleted {
        let tombstone = TombstoneJson::new(&raw.key.id, raw.updated_at);
        return match &why {
            Some(why) if show.json => out.json(&Explained { note: tombstone, why }),
            Some(why) => {
                out.line(format_args!("{}  deleted {}", plain(&key.id), when(raw.updated_at)))?;
                why::print(why, out)
            }
            None => Ok(()),
        };
    }
    let updated_at = raw.updated_at;
    let note = Note::from_fields(NoteId::new(key.id.to_string()), &raw.fields);
    let note = note.map_err(|source| Error::Field { key: key.clone(), source })?;
    let json = NoteJson::new(&note, updated_at);
    match (&why, show.json) {
        (Some(why), true) => out.json(&Explained { note: json, why }),
        (None, true) => out.json(&json),
        (why, false) => {
            for_people(&Dated { note, updated_at }, device.replica.status_of(&id)?, out)?;
            why.as_ref().map_or(Ok(()), |why| why::print(why, out))
        }
    }
}

fn for_people(dated: &Dated, status: EntityStatus, out: &mut Out) -> Result<(), Failure> {
    let Dated { note, updated_at } = dated;
    let pin = if note.pinned { mark("  ★ pinned") } else { String::new() };
    out.line(format_args!("{}{pin}", bold(plain(&note.title))))?;
    let mut fact = |what: &str, text: String| out.line(format_args!("{}{text}", dim(format_args!("{what:<10}"))));
    fact("id", plain(note.id.key()))?;
    if !note.tags.is_empty() {
        let tags: Vec<String> = note.tags.iter().map(|tag| format!("#{}", plain(tag))).collect();
        fact("tags", name(tags.join(" ")))?;
    }
    if let Some(notebook) = &note.notebook {
        fact("notebook", plain(notebook.key()))?;
    }
    if note.views != 0 {
        fact("views", note.views.to_string())?;
    }
    fact("changed", when(*updated_at))?;
    if status.pending > 0 {
        fact("pending", mark(format_args!("↑ {} not on the hub yet", count(status.pending, "change"))))?;
    }
    if status.rejected > 0 {
        fact("refused", bad(format_args!("{}: `notes refused` says why", count(status.rejected, "change"))))?;
    }
    if let Some(body) = &note.body {
        out.line("")?;
        for line in lines(body) {
            out.line(line)?;
        }
    }
    Ok(())
}
