//! A thousand entries about a hundred notes.

use sync_core::transport::PullRequest;
use sync_core::{Entry, Hub, Id, MemoryStore, Replica, Syncable};

#[derive(Syncable, Clone)]
pub(crate) struct Note {
    #[sync(id)]
    pub(crate) id: Id<Note>,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) pinned: bool,
}

pub(crate) const NOTES: usize = 100;
const EDITS: usize = 900;

pub(crate) fn written() -> (Replica, Vec<Id<Note>>) {
    let replica = Replica::builder().register::<Note>().open(MemoryStore::new()).expect("an empty store opens");
    let body = "the quick brown fox jumps over the lazy dog ".repeat(5);
    let create = |_| {
        let note = Note { id: replica.new_id(), title: "Shopping".into(), body: body.clone(), pinned: false };
        replica.create(note).and_then(|commit| commit.wait()).expect("a new id can be created")
    };
    let ids: Vec<Id<Note>> = (0..NOTES).map(create).collect();
    for step in 0..EDITS {
        let edited = replica.edit(&ids[step % NOTES], |note| match step % 3 {
            0 => note.title = format!("Groceries {step}"),
            1 => note.pinned = !note.pinned,
            _ => note.body = format!("{body}{step}"),
        });
        edited.and_then(|commit| commit.wait()).expect("what was created can be edited");
    }
    (replica, ids)
}

/// A thousand entries, as a hub's log has them.
pub(crate) fn log() -> Vec<Entry> {
    let hub = Hub::builder().open(MemoryStore::new()).expect("an empty store opens");
    pollster::block_on(written().0.sync(&hub.transport("ada"))).expect("the hub takes it");
    let pull = PullRequest { since: Default::default(), limit: 10_000, ..PullRequest::default() };
    let page = hub.pull(&pull).expect("the log can be read");
    page.entries.iter().map(|(_, entry)| (**entry).clone()).collect()
}
