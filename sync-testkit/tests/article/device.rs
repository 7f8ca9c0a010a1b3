//! One device: `NotesRepository`, the cursor, and `runSyncCycle`.

use std::rc::Rc;

use sync_core::Value;
use sync_testkit::rng::Rng;

use super::collate::Locale;
use super::domain::{Note, NoteAction, NotesState, is_deleted, reconcile_notes_in};
use super::server::Server;
use super::wal::{WalEntry, WalStore};

pub struct Device {
    pub client_id: String,
    pub wal: WalStore,
    /// `Date.now()`.
    pub now: u64,
    pub locale: Locale,
    /// The materialized view, which the user sees.
    pub notes: NotesState,
    cursor: u64,
    uuids: Rng,
}

impl Device {
    pub fn new(client_id: &str, now: u64) -> Self {
        let seed = client_id.bytes().fold(7, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        Self {
            client_id: client_id.into(),
            wal: WalStore::default(),
            now,
            locale: Locale::German,
            notes: NotesState::new(),
            cursor: 0,
            uuids: Rng::new(seed),
        }
    }

    /// `createNote`: the view first, then the log.
    pub fn create(&mut self, id: &str, title: &str) {
        let payload = fields(&[("title", title)]);
        let action = NoteAction::Create { id: id.into(), payload, logical_time: self.now };
        let mut note = fields(&[("id", id), ("title", title)]);
        note.insert("deleted".into(), false.into());
        note.insert("updatedAt".into(), self.now.into());
        self.notes.insert(id.into(), Rc::new(note));
        self.append_to_wal(action);
    }

    /// `updateNote`.
    pub fn update(&mut self, id: &str, payload: Note) {
        if let Some(note) = self.notes.get_mut(id) {
            let note = Rc::make_mut(note);
            note.extend(payload.clone());
            note.insert("updatedAt".into(), self.now.into());
        }
        self.append_to_wal(NoteAction::Update { id: id.into(), payload, logical_time: self.now });
    }

    /// `deleteNote`.
    pub fn delete(&mut self, id: &str) {
        if let Some(note) = self.notes.get_mut(id) {
            let note = Rc::make_mut(note);
            note.insert("deleted".into(), true.into());
            note.insert("updatedAt".into(), self.now.into());
        }
        self.append_to_wal(NoteAction::Delete { id: id.into(), logical_time: self.now });
    }

    fn append_to_wal(&mut self, payload: NoteAction) {
        let id = format!("{:016x}{:016x}", self.uuids.bits(), self.uuids.bits());
        let (client_id, logical_time) = (self.client_id.clone(), self.now);
        self.wal.append(WalEntry { id, payload, client_id, logical_time, uploaded: false });
    }

    /// `runSyncCycle`.
    pub fn sync(&mut self, server: &mut Server) {
        self.sync_while(server, |_| ());
    }

    /// `runSyncCycle`, while the user does something: after the state was computed, before it is published.
    pub fn sync_while(&mut self, server: &mut Server, user: impl FnOnce(&mut Self)) {
        let pending = self.wal.get_pending();
        if !pending.is_empty() {
            server.post(pending.clone());
            let ids: Vec<String> = pending.into_iter().map(|entry| entry.id).collect();
            self.wal.mark_as_uploaded(&ids);
        }
        let (actions, cursor) = server.get(self.cursor);
        self.wal.append_many(actions);
        self.cursor = self.cursor.max(cursor);
        // `loadNotesSnapshot` returns {}.
        let state = reconcile_notes_in(&NotesState::new(), &self.wal.get_all(), self.locale);
        user(self);
        // `persistMaterializedNotes`: DELETE FROM notes, then every note of the state.
        self.notes = state;
    }

    /// The titles that the user sees.
    pub fn titles(&self) -> Vec<String> {
        let live = self.notes.values().filter(|note| !is_deleted(note));
        let title = |note: &Rc<Note>| note.get("title").and_then(|title| title.as_string().map(|t| t.into_owned()));
        live.filter_map(title).collect()
    }
}

/// String fields.
pub fn fields(fields: &[(&str, &str)]) -> Note {
    fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
}
