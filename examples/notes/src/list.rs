//! `list`

use std::cmp::Reverse;

use sync_core::replica::RawEntity;
use sync_core::{Entity, Error};

use crate::device::{Device, short};
use crate::failure::Failure;
use crate::json::{NoteJson, TombstoneJson};
use crate::note::{Note, NoteId};
use crate::out::Out;
use crate::paint::{bold, dim, mark, name};
use crate::text::{WIDTH, count, cut, fit, plain, when, width};

/// A note with when it was changed.
pub(crate) struct Dated {
    pub(crate) note: Note,
    pub(crate) updated_at: u64,
}

/// What a list has in the place of one id.
pub(crate) enum Item {
    Note(Dated),
    Deleted(RawEntity),
}

/// All notes in the order of their ids, deleted ones among them. One that cannot be read is an error in its place.
pub(crate) fn items(device: &Device) -> impl Iterator<Item = Result<Item, Error>> {
    device.replica.raw().list(Some(Note::SCHEMA.name)).map(|raw| item(raw?))
}

fn item(raw: RawEntity) -> Result<Item, Error> {
    if raw.deleted {
        return Ok(Item::Deleted(raw));
    }
    let id = NoteId::new(raw.key.id.to_string());
    let note = Note::from_fields(id, &raw.fields).map_err(|source| Error::Field { key: raw.key, source })?;
    Ok(Item::Note(Dated { note, updated_at: raw.updated_at }))
}

/// Hands over the items that can be read. The others are told of, and then the command fails.
pub(crate) fn each(device: &Device, json: bool, mut f: impl FnMut(Item) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut result = Ok(());
    for item in items(device) {
        match item {
            Ok(item) => f(item)?,
            Err(error) => {
                Failure::from(error).tell(json);
                result = Err(Failure::Told);
            }
        }
    }
    result
}

pub(crate) fn list(device: &Device, json: bool, deleted: bool, out: &mut Out) -> Result<(), Failure> {
    if json { as_json(device, deleted, out) } else { for_people(device, deleted, out) }
}

fn as_json(device: &Device, deleted: bool, out: &mut Out) -> Result<(), Failure> {
    let mut before = "[";
    let read = each(device, true, |item| {
        match item {
            Item::Note(Dated { note, updated_at }) => {
                out.text(before)?;
                out.json_without_end(&NoteJson::new(&note, updated_at))?;
            }
            Item::Deleted(raw) if deleted => {
                out.text(before)?;
                out.json_without_end(&TombstoneJson::new(&raw.key.id, raw.updated_at))?;
            }
            Item::Deleted(_) => return Ok(()),
        }
        before = ",\n ";
        Ok(())
    });
    out.line(if before == "[" { "[]" } else { "]" })?;
    read
}

fn for_people(device: &Device, deleted: bool, out: &mut Out) -> Result<(), Failure> {
    let (mut notes, mut gone) = (Vec::new(), Vec::new());
    let read = each(device, false, |item| {
        match item {
            Item::Note(dated) => notes.push(dated),
            Item::Deleted(raw) if deleted => gone.push(raw),
            Item::Deleted(_) => {}
        }
        Ok(())
    });
    notes.sort_by_key(|dated| (Reverse(dated.note.pinned), Reverse(dated.updated_at)));
    let ids = notes.iter().map(|dated| dated.note.id.key().as_str()).chain(gone.iter().map(|raw| &*raw.key.id));
    let ids = ids.map(|id| width(short(id))).max().unwrap_or(0).min(36);
    let titles = notes.iter().map(|dated| width(&dated.note.title)).max().unwrap_or(0).min(WIDTH - ids - 34);
    let mut pending = 0;
    for Dated { note, .. } in &notes {
        let waits = device.replica.status_of(&note.id)?.pending > 0;
        pending += u64::from(waits);
        out.line(note_line(note, waits, ids, titles))?;
    }
    for raw in &gone {
        let title = raw.fields.get("title").and_then(|title| title.as_string().map(|title| plain(&title)));
        let (id, title) = (fit(&plain(short(&raw.key.id)), ids), cut(&title.unwrap_or_default(), 30));
        out.line(dim(format_args!(" ✗ {id}  {title}  (deleted {})", when(raw.updated_at))))?;
    }
    out.line(dim(match (notes.len() as u64, pending) {
        (0, _) if gone.is_empty() => "no notes: `notes add TITLE` writes one".to_owned(),
        (n, 0) => count(n, "note"),
        (n, pending) => format!("{}, ↑ {pending} with changes that are not on the hub yet", count(n, "note")),
    }))?;
    read
}

fn note_line(note: &Note, waits: bool, ids: usize, titles: usize) -> String {
    let pending = if waits { mark("↑") } else { " ".to_owned() };
    let pin = if note.pinned { mark("★") } else { " ".to_owned() };
    let id = dim(fit(&plain(short(note.id.key())), ids));
    let mut beside: Vec<String> = note.tags.iter().map(|tag| format!("#{}", plain(tag))).collect();
    beside.extend(note.notebook.as_ref().map(|id| format!("in {}", plain(id.key()))));
    let title = plain(&note.title);
    if beside.is_empty() {
        let room = WIDTH.saturating_sub(ids + 5);
        return format!("{pending}{pin} {id}  {}", bold(cut(&title, room)));
    }
    let room = WIDTH.saturating_sub(ids + titles + 7);
    format!("{pending}{pin} {id}  {}  {}", bold(fit(&title, titles)), name(cut(&beside.join(" "), room)))
}
