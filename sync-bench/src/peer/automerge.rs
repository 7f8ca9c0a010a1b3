//! automerge: a map of maps, values assigned; read back with autosurgeon.

use std::collections::HashMap;

use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, Change, ObjId, ObjType, ROOT, ReadDoc, Value};
use autosurgeon::Hydrate;
use sync_core::Uuid;

use crate::measure::Result;
use crate::workload::{Action, Content, Notes, What, Workload};

/// The workload's history as automerge's changes, and saved.
pub(crate) struct History {
    pub(crate) changes: Vec<Vec<u8>>,
    /// How many changes there are up to the end of each session: writing what was there already makes none.
    pub(crate) ends: Vec<usize>,
    pub(crate) saved: Vec<u8>,
}

#[derive(Hydrate)]
struct Root {
    notes: HashMap<String, Plain>,
}

#[derive(Hydrate)]
struct Plain {
    title: String,
    body: String,
    pinned: bool,
    tags: Vec<String>,
}

pub(crate) fn history(workload: &Workload) -> Result<History> {
    let mut first = AutoCommit::new().with_actor(ActorId::from(&[0u8; 16]));
    first.put_object(ROOT, "notes", ObjType::Map)?;
    first.commit();
    let root = first.save();
    let mut docs = Vec::new();
    for client in &workload.clients {
        docs.push(AutoCommit::load(&root)?.with_actor(ActorId::from(&client.to_be_bytes())));
    }
    let (mut changes, mut ends) = (first.get_changes(&[]), Vec::new());
    for round in workload.sessions() {
        let mut written = Vec::new();
        for session in round {
            let client = session[0].client;
            let before = docs[client].get_heads();
            session.iter().try_for_each(|action| write(&mut docs[client], workload, action))?;
            written.push((client, docs[client].get_changes(&before)));
        }
        for (client, doc) in docs.iter_mut().enumerate() {
            let others = written.iter().filter(|(author, _)| *author != client);
            doc.apply_changes(others.flat_map(|(_, changes)| changes).cloned().collect::<Vec<_>>())?;
        }
        for (_, session) in written {
            changes.extend(session);
            ends.push(changes.len());
        }
    }
    let changes = changes.iter().map(|change| change.raw_bytes().to_vec()).collect();
    Ok(History { changes, ends, saved: docs[0].save() })
}

/// The object that holds the notes.
pub(crate) fn root(doc: &AutoCommit) -> Result<ObjId> {
    object(doc, &ROOT, "notes")
}

fn object(doc: &AutoCommit, parent: &ObjId, key: &str) -> Result<ObjId> {
    match doc.get(parent, key)? {
        Some((Value::Object(_), id)) => Ok(id),
        _ => Err(format!("automerge lacks {key}").into()),
    }
}

/// Carries out one action as one commit.
pub(crate) fn write(doc: &mut AutoCommit, workload: &Workload, action: &Action) -> Result<()> {
    let (notes, id) = (root(doc)?, workload.ids[action.note].to_string());
    match &action.what {
        What::Create(content) => {
            let note = doc.put_object(&notes, id, ObjType::Map)?;
            doc.put(&note, "title", &content.title[..])?;
            doc.put(&note, "body", &content.body[..])?;
            doc.put(&note, "pinned", content.pinned)?;
            tags(doc, &note, &content.tags)?;
        }
        What::Update(patch) => {
            let note = object(doc, &notes, &id)?;
            patch.title.iter().try_for_each(|title| doc.put(&note, "title", &title[..]))?;
            patch.body.iter().try_for_each(|body| doc.put(&note, "body", &body[..]))?;
            patch.pinned.iter().try_for_each(|pinned| doc.put(&note, "pinned", *pinned))?;
            patch.tags.iter().try_for_each(|list| tags(doc, &note, list))?;
        }
        What::Delete => doc.delete(&notes, id)?,
    }
    doc.commit();
    Ok(())
}

/// Assigned as one value, which in automerge is a new list.
fn tags(doc: &mut AutoCommit, note: &ObjId, tags: &[String]) -> Result<()> {
    let list = doc.put_object(note, "tags", ObjType::List)?;
    for (place, tag) in tags.iter().enumerate() {
        doc.insert(&list, place, &tag[..])?;
    }
    Ok(())
}

/// Changes as they are stored and sent, into a new document.
pub(crate) fn decode(changes: &[Vec<u8>]) -> Result<AutoCommit> {
    let mut doc = AutoCommit::new();
    more(&mut doc, changes)?;
    Ok(doc)
}

/// Changes as they are stored and sent.
pub(crate) fn more(doc: &mut AutoCommit, changes: &[Vec<u8>]) -> Result<()> {
    let changes: Vec<Change> =
        changes.iter().map(|bytes| Ok(Change::from_bytes(bytes.clone())?)).collect::<Result<_>>()?;
    Ok(doc.apply_changes(changes)?)
}

pub(crate) fn load(saved: &[u8]) -> Result<AutoCommit> {
    Ok(AutoCommit::load(saved)?)
}

pub(crate) fn notes(doc: &AutoCommit) -> Result<Notes> {
    let root: Root = autosurgeon::hydrate(doc)?;
    let typed = root.notes.into_iter().map(|(id, note)| {
        let Plain { title, body, pinned, tags } = note;
        Ok((Uuid::parse_str(&id)?, Content { title, body, pinned, tags }))
    });
    typed.collect()
}
