//! loro: a map of maps, values assigned.

use loro::{ExportMode, LoroDoc, LoroMap, LoroValue, ToJson, VersionVector};
use sync_core::Uuid;

use crate::measure::Result;
use crate::workload::{Action, Content, Notes, What, Workload};

/// The workload's history as loro's updates: those of each session, and all in one.
pub(crate) struct History {
    pub(crate) sessions: Vec<Vec<u8>>,
    pub(crate) whole: Vec<u8>,
    pub(crate) snapshot: Vec<u8>,
    /// The state without its history.
    pub(crate) state: Vec<u8>,
}

pub(crate) fn history(workload: &Workload) -> Result<History> {
    let docs: Vec<LoroDoc> = workload.clients.iter().map(|client| doc(*client as u64)).collect::<Result<_>>()?;
    let mut sessions = Vec::new();
    for round in workload.sessions() {
        let mut updates = Vec::new();
        for session in round {
            let client = session[0].client;
            let before = docs[client].oplog_vv();
            session.iter().try_for_each(|action| write(&docs[client], workload, action))?;
            updates.push((client, docs[client].export(ExportMode::updates(&before))?));
        }
        for (author, update) in &updates {
            for (client, doc) in docs.iter().enumerate().filter(|(client, _)| client != author) {
                let status = doc.import(update)?;
                debug_assert!(status.pending.is_none(), "client {client} misses something");
            }
        }
        sessions.extend(updates.into_iter().map(|(_, update)| update));
    }
    let (whole, snapshot) = (docs[0].export(ExportMode::all_updates())?, docs[0].export(ExportMode::snapshot())?);
    let state = docs[0].export(ExportMode::StateOnly(None))?;
    Ok(History { sessions, whole, snapshot, state })
}

pub(crate) fn doc(peer: u64) -> Result<LoroDoc> {
    let doc = LoroDoc::new();
    // The greatest peer id is reserved.
    doc.set_peer_id(peer >> 1)?;
    Ok(doc)
}

/// Carries out one action as one commit.
pub(crate) fn write(doc: &LoroDoc, workload: &Workload, action: &Action) -> Result<()> {
    let (notes, id) = (doc.get_map("notes"), workload.ids[action.note].to_string());
    let strings =
        |tags: &[String]| LoroValue::from(tags.iter().map(|tag| LoroValue::from(&tag[..])).collect::<Vec<_>>());
    match &action.what {
        What::Create(content) => {
            let note = notes.insert_container(&id, LoroMap::new())?;
            note.insert("title", &content.title[..])?;
            note.insert("body", &content.body[..])?;
            note.insert("pinned", content.pinned)?;
            note.insert("tags", strings(&content.tags))?;
        }
        What::Update(patch) => {
            let note = notes.get(&id).and_then(|note| note.into_container().ok()).and_then(|note| note.into_map().ok());
            let note = note.ok_or("loro lacks a note")?;
            patch.title.iter().try_for_each(|title| note.insert("title", &title[..]))?;
            patch.body.iter().try_for_each(|body| note.insert("body", &body[..]))?;
            patch.pinned.iter().try_for_each(|pinned| note.insert("pinned", *pinned))?;
            patch.tags.iter().try_for_each(|tags| note.insert("tags", strings(tags)))?;
        }
        What::Delete => notes.delete(&id)?,
    }
    doc.commit();
    Ok(())
}

/// Everything that is not in `since`.
pub(crate) fn updates(doc: &LoroDoc, since: &VersionVector) -> Result<Vec<u8>> {
    Ok(doc.export(ExportMode::updates(since))?)
}

/// Imports updates or a snapshot into a new document.
pub(crate) fn import(updates: &[Vec<u8>]) -> Result<LoroDoc> {
    let doc = LoroDoc::new();
    match updates {
        [one] => doc.import(one)?,
        many => doc.import_batch(many)?,
    };
    Ok(doc)
}

pub(crate) fn notes(doc: &LoroDoc) -> Result<Notes> {
    let LoroValue::Map(notes) = doc.get_map("notes").get_deep_value() else { return Err("loro shows no map".into()) };
    let typed = notes.iter().map(|(id, note)| {
        let content: Content = serde_json::from_value(note.to_json_value())?;
        Ok((Uuid::parse_str(id)?, content))
    });
    typed.collect()
}
