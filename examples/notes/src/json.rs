//! Notes as JSON: what `list --json`, `show --json` and `export` write, and what `import` reads.

use std::collections::BTreeSet;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::note::{Note, NoteId};

/// A note as it is written. Two devices that have the same entries write the same bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoteJson<'a> {
    id: &'a NoteId,
    title: &'a str,
    body: Option<&'a str>,
    pinned: bool,
    tags: &'a BTreeSet<String>,
    views: i64,
    notebook: Option<&'a str>,
    updated_at: u64,
}

impl<'a> NoteJson<'a> {
    pub(crate) fn new(note: &'a Note, updated_at: u64) -> Self {
        Self {
            id: &note.id,
            title: &note.title,
            body: note.body.as_deref(),
            pinned: note.pinned,
            tags: &note.tags,
            views: note.views,
            notebook: note.notebook.as_ref().map(|id| id.key().as_str()),
            updated_at,
        }
    }
}

/// A note that was deleted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TombstoneJson<'a> {
    id: &'a str,
    deleted: bool,
    updated_at: u64,
}

impl<'a> TombstoneJson<'a> {
    pub(crate) fn new(id: &'a str, updated_at: u64) -> Self {
        Self { id, deleted: true, updated_at }
    }
}

/// A line of a file to import: what `export` writes, of which only the title is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NoteLine {
    id: Option<String>,
    title: String,
    body: Option<String>,
    #[serde(default)]
    pinned: bool,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    views: i64,
    notebook: Option<String>,
    /// When a note was changed is what its entries say: it is not taken from elsewhere.
    #[serde(rename = "updatedAt")]
    _updated_at: Option<IgnoredAny>,
}

impl NoteLine {
    /// The note, under a new id if the line has none.
    pub(crate) fn into_note(self, new_id: impl FnOnce() -> NoteId) -> Note {
        Note {
            id: self.id.map_or_else(new_id, NoteId::new),
            title: self.title,
            body: self.body,
            pinned: self.pinned,
            tags: self.tags,
            views: self.views,
            notebook: self.notebook.map(sync_core::Id::new),
        }
    }
}
