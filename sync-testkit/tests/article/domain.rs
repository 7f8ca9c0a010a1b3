//! The notes domain: `applyNoteAction` and `reconcileNotes`.

use std::collections::BTreeMap;
use std::rc::Rc;

use sync_core::Value;

use super::collate::{Locale, locale_compare};
use super::wal::WalEntry;

/// A note is an object like any other: what is spread into it is in it.
pub type Note = BTreeMap<String, Value>;

/// All notes.
pub type NotesState = BTreeMap<String, Rc<Note>>;

/// What a user meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteAction {
    Create { id: String, payload: Note, logical_time: u64 },
    Update { id: String, payload: Note, logical_time: u64 },
    Delete { id: String, logical_time: u64 },
}

impl NoteAction {
    pub fn id(&self) -> &str {
        match self {
            Self::Create { id, .. } | Self::Update { id, .. } | Self::Delete { id, .. } => id,
        }
    }
}

pub fn is_deleted(note: &Note) -> bool {
    note.get("deleted") == Some(&Value::from(true))
}

pub fn updated_at(note: &Note) -> u64 {
    note.get("updatedAt").and_then(Value::as_i128).and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
}

/// `applyNoteAction`: every case builds the state anew, as `{ ...state, [id]: note }` does.
pub fn apply_note_action(state: &NotesState, action: &NoteAction) -> NotesState {
    let existing = state.get(action.id());
    match action {
        // Idempotent create: if it already exists, ignore.
        NoteAction::Create { .. } if existing.is_some() => state.clone(),
        NoteAction::Create { id, payload, logical_time } => {
            let mut note = Note::new();
            note.insert("id".into(), id.as_str().into());
            note.insert("title".into(), payload.get("title").cloned().unwrap_or_else(Value::null));
            note.insert("body".into(), payload.get("body").cloned().unwrap_or_else(Value::null));
            note.insert("deleted".into(), false.into());
            note.insert("updatedAt".into(), (*logical_time).into());
            with(state, id, note)
        }
        NoteAction::Update { id, payload, logical_time } => match existing {
            // Updates do not create or resurrect notes.
            Some(note) if !is_deleted(note) => {
                let mut note = Note::clone(note);
                note.extend(payload.clone());
                note.insert("updatedAt".into(), (*logical_time).into());
                with(state, id, note)
            }
            _ => state.clone(),
        },
        NoteAction::Delete { id, logical_time } => match existing {
            Some(note) => {
                let mut note = Note::clone(note);
                note.insert("deleted".into(), true.into());
                note.insert("updatedAt".into(), (*logical_time).into());
                with(state, id, note)
            }
            None => state.clone(),
        },
    }
}

fn with(state: &NotesState, id: &str, note: Note) -> NotesState {
    let mut state = state.clone();
    state.insert(id.to_owned(), Rc::new(note));
    state
}

/// `reconcileNotes`, in a locale.
pub fn reconcile_notes_in(base: &NotesState, entries: &[WalEntry], locale: Locale) -> NotesState {
    let mut ordered = entries.to_vec();
    ordered.sort_by(|a, b| {
        let by_client = || locale_compare(&a.client_id, &b.client_id, locale);
        a.logical_time.cmp(&b.logical_time).then_with(by_client).then_with(|| locale_compare(&a.id, &b.id, locale))
    });
    replay(base, &ordered)
}

/// `reconcileNotes`, comparing bytes: the same on every device.
pub fn reconcile_notes(base: &NotesState, entries: &[WalEntry]) -> NotesState {
    let mut ordered = entries.to_vec();
    ordered.sort_by(|a, b| (a.logical_time, &a.client_id, &a.id).cmp(&(b.logical_time, &b.client_id, &b.id)));
    replay(base, &ordered)
}

fn replay(base: &NotesState, ordered: &[WalEntry]) -> NotesState {
    ordered.iter().fold(base.clone(), |state, entry| apply_note_action(&state, &entry.payload))
}
