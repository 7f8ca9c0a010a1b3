//! `domain/notes/notes.ts`, `sync/applyAction.ts`, `sync/reconcile.ts`: what actions mean, and replaying them.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::contracts::{Note, NotesState, WalEntry};

/// `applyNoteAction`.
fn apply_note_action(mut state: NotesState, action: &Value) -> NotesState {
    let id = action["id"].as_str().expect("an action has an id").to_owned();
    let existing = state.get(&id).and_then(Value::as_object).cloned();
    match action["type"].as_str() {
        Some("create") => {
            // Idempotent create: if it already exists, ignore.
            if existing.is_some() {
                return state;
            }
            let mut note = Map::new();
            note.insert("id".into(), json!(id));
            for field in ["title", "body"] {
                // What is `undefined` there is absent here.
                if let Some(value) = action["payload"].get(field) {
                    note.insert(field.into(), value.clone());
                }
            }
            note.insert("deleted".into(), json!(false));
            note.insert("updatedAt".into(), action["logicalTime"].clone());
            state.insert(id, note.into());
        }
        Some("update") => {
            // Updates do not create or resurrect notes.
            let Some(mut note) = existing.filter(|note| note.get("deleted") != Some(&json!(true))) else {
                return state;
            };
            note.extend(action["payload"].as_object().cloned().unwrap_or_default());
            note.insert("updatedAt".into(), action["logicalTime"].clone());
            state.insert(id, note.into());
        }
        Some("delete") => {
            // Delete wins over everything by tombstoning the record.
            let Some(mut note) = existing else { return state };
            note.insert("deleted".into(), json!(true));
            note.insert("updatedAt".into(), action["logicalTime"].clone());
            state.insert(id, note.into());
        }
        other => panic!("the article knows no action {other:?}"),
    }
    state
}

/// `compareWal`. Client ids and entry ids of the tests are of digits, lower-case letters and hyphens in fixed places:
/// for those `localeCompare` and bytes agree.
fn compare_wal(a: &WalEntry, b: &WalEntry) -> Ordering {
    let by_time = a.logical_time.cmp(&b.logical_time);
    by_time.then_with(|| a.client_id.cmp(&b.client_id)).then_with(|| a.id.cmp(&b.id))
}

/// `reconcileNotes`.
pub(crate) fn reconcile_notes(base: &NotesState, entries: &[WalEntry]) -> NotesState {
    let mut ordered: Vec<&WalEntry> = entries.iter().collect();
    ordered.sort_by(|a, b| compare_wal(a, b));
    ordered.into_iter().fold(base.clone(), |state, entry| apply_note_action(state, &entry.payload))
}

/// `assertValidNotesState`.
pub(crate) fn assert_valid_notes_state(state: &NotesState) {
    for (id, note) in state {
        assert_eq!(note["id"], json!(id), "state key does not match note.id");
        assert!(note["title"].is_string(), "note {id} title must be a string");
        assert!(note["updatedAt"].is_number(), "note {id} updatedAt must be a number");
    }
}

/// The note of this id.
pub(crate) fn note<'a>(state: &'a NotesState, id: &str) -> &'a Note {
    state[id].as_object().expect("notes are objects")
}
