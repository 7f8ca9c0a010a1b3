//! `add`, `edit`, `rm`, `restore`: each is done when it is on this device's disk.

use sync_core::replica::Transaction;
use sync_core::{Error, Id};

use crate::cli::{Add, Edit};
use crate::device::{Device, note_key, short};
use crate::failure::{Failure, said};
use crate::note::{Note, NoteId, Notebook, NotebookId};
use crate::out::{Out, remark};
use crate::text::plain;

pub(crate) fn add(device: &Device, add: Add, out: &mut Out) -> Result<(), Failure> {
    let replica = &device.replica;
    let id = add.id.map_or_else(|| replica.new_text_id(), NoteId::new);
    // The note and a notebook that it makes reach every device together or not at all.
    let committed = replica.transaction(|tx| {
        let notebook = add.notebook.as_deref().map(|name| notebook(tx, name)).transpose()?;
        let new = Note::new(id, add.title);
        let tags = add.tags.into_iter().collect();
        tx.create(Note { body: add.body, tags, pinned: add.pin, notebook, ..new })
    })?;
    let id = committed.wait()?;
    let done = format!("the note is written all the same, as {}: do not add it again", said(&id.to_string()));
    out.last_line(id, done)
}

pub(crate) fn edit(device: &Device, edit: Edit) -> Result<(), Failure> {
    let id = device.note_id(&edit.id)?;
    let committed = device.replica.transaction(|tx| {
        let notebook = edit.notebook.as_deref().map(|name| notebook(tx, name)).transpose()?;
        // What differs behind the closure is what is logged: a title that is set to what it was is no change.
        tx.edit(&id, |note: &mut Note| {
            if let Some(title) = edit.title {
                note.title = title;
            }
            if edit.body.is_some() || edit.no_body {
                note.body = edit.body;
            }
            note.tags.extend(edit.add_tags);
            for tag in &edit.remove_tags {
                note.tags.remove(tag);
            }
            note.pinned = edit.pin.unwrap_or(note.pinned);
            if notebook.is_some() || edit.no_notebook {
                note.notebook = notebook;
            }
            note.views += i64::from(edit.view);
        })
    })?;
    committed.wait()?;
    Ok(())
}

pub(crate) fn remove(device: &Device, id: &str) -> Result<(), Failure> {
    let id = device.note_id(id)?;
    let title = title(device, &id);
    device.replica.delete(&id)?.wait()?;
    let id = id.to_string();
    remark(format_args!("deleted {title}; `notes restore {}` brings it back", plain(short(&id))));
    Ok(())
}

pub(crate) fn restore(device: &Device, id: &str) -> Result<(), Failure> {
    let id = device.note_id(id)?;
    device.replica.restore(&id)?.wait()?;
    remark(format_args!("{} is back", title(device, &id)));
    Ok(())
}

/// The notebook of this name, made if there is none.
fn notebook(tx: &mut Transaction<'_>, name: &str) -> Result<NotebookId, Error> {
    let id: NotebookId = Id::new(name.to_owned());
    if tx.get(&id)?.is_none() {
        tx.put(Notebook::called(name))?;
    }
    Ok(id)
}

/// What the note is called, for a person.
fn title(device: &Device, id: &NoteId) -> String {
    let note = device.replica.raw().get("note", &note_key(id).id).ok().flatten();
    let title = note.and_then(|note| note.fields.get("title").and_then(|title| title.as_string().map(|t| plain(&t))));
    title.map_or_else(|| "the note".to_owned(), |title| format!("“{title}”"))
}
