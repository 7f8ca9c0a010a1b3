//! What is stored: notes and notebooks. The derive is all that makes them sync.

use std::collections::BTreeSet;

use sync_core::{Id, Syncable};

/// A note.
///
/// All but the title may be absent: other programs create notes with a title and a body alone.
#[derive(Syncable, Debug, Clone, PartialEq)]
pub(crate) struct Note {
    /// A text, so that a person may choose it.
    #[sync(id)]
    pub(crate) id: NoteId,
    /// Of two titles written unaware of each other, the later one shows and the other is kept as a conflict.
    pub(crate) title: String,
    /// `None` is a note of a title alone, and not the same as an empty text.
    pub(crate) body: Option<String>,
    /// Pinned notes are listed first.
    #[sync(default)]
    pub(crate) pinned: bool,
    /// Added and removed one by one: two devices that both add a tag do not undo each other.
    #[sync(merge = "set", default)]
    pub(crate) tags: BTreeSet<String>,
    /// What is logged is the difference, so that no view is lost when two devices count.
    #[sync(merge = "counter", default)]
    pub(crate) views: i64,
    /// The notebook that the note lies in.
    pub(crate) notebook: Option<NotebookId>,
}

/// What notes lie in.
///
/// Its id is the name under which it was made, so that two devices that make the same one offline have one, not two.
#[derive(Syncable, Debug, Clone, PartialEq)]
pub(crate) struct Notebook {
    #[sync(id)]
    pub(crate) id: NotebookId,
    /// What it is called.
    pub(crate) name: String,
}

/// A note's id.
pub(crate) type NoteId = Id<Note, String>;

/// A notebook's id.
pub(crate) type NotebookId = Id<Notebook, String>;

impl Note {
    /// A note of a title alone.
    pub(crate) fn new(id: NoteId, title: impl Into<String>) -> Self {
        Self { id, title: title.into(), body: None, pinned: false, tags: BTreeSet::new(), views: 0, notebook: None }
    }
}

impl Notebook {
    /// A notebook of this name.
    pub(crate) fn called(name: &str) -> Self {
        Self { id: name.into(), name: name.to_owned() }
    }
}
