//! yrs: a map of maps, values assigned.

use sync_core::Uuid;
use yrs::updates::decoder::Decode;
use yrs::{Any, Doc, Map, MapPrelim, MapRef, Out, ReadTxn, StateVector, Transact, Update};

use crate::measure::Result;
use crate::workload::{Action, Content, Notes, What, Workload};

/// The workload's history as yrs' updates: those of each session, and all in one.
pub(crate) struct History {
    pub(crate) sessions: Vec<Vec<u8>>,
    pub(crate) whole: Vec<u8>,
}

/// A document with its root.
pub(crate) struct Peer {
    doc: Doc,
    notes: MapRef,
}

pub(crate) fn history(workload: &Workload) -> Result<History> {
    // yrs' client ids have 53 bits.
    let peers: Vec<Peer> = workload.clients.iter().map(|client| Peer::new((*client >> 80) as u64)).collect();
    let mut sessions = Vec::new();
    for round in workload.sessions() {
        let mut updates = Vec::new();
        for session in round {
            let client = session[0].client;
            let before = peers[client].state();
            session.iter().try_for_each(|action| peers[client].write(workload, action))?;
            updates.push((client, peers[client].updates(&before)));
        }
        for (author, update) in &updates {
            for peer in peers.iter().enumerate().filter(|(client, _)| client != author).map(|(_, peer)| peer) {
                peer.apply(update)?;
            }
        }
        sessions.extend(updates.into_iter().map(|(_, update)| update));
    }
    Ok(History { sessions, whole: peers[0].updates(&StateVector::default()) })
}

pub(crate) fn import(updates: &[Vec<u8>]) -> Result<Peer> {
    let peer = Peer::new(1);
    updates.iter().try_for_each(|update| peer.apply(update))?;
    Ok(peer)
}

impl Peer {
    pub(crate) fn new(client: u64) -> Self {
        let doc = Doc::with_client_id(client);
        let notes = doc.get_or_insert_map("notes");
        Self { doc, notes }
    }

    pub(crate) fn state(&self) -> StateVector {
        self.doc.transact().state_vector()
    }

    /// Everything that is not in `since`.
    pub(crate) fn updates(&self, since: &StateVector) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v1(since)
    }

    pub(crate) fn apply(&self, update: &[u8]) -> Result<()> {
        Ok(self.doc.transact_mut().apply_update(Update::decode_v1(update)?)?)
    }

    /// Carries out one action as one transaction.
    pub(crate) fn write(&self, workload: &Workload, action: &Action) -> Result<()> {
        let mut txn = self.doc.transact_mut();
        let id = workload.ids[action.note].to_string();
        let strings = |tags: &[String]| Any::from(tags.iter().map(|tag| Any::from(&tag[..])).collect::<Vec<_>>());
        match &action.what {
            What::Create(content) => {
                let note = self.notes.insert(&mut txn, id, MapPrelim::default());
                note.insert(&mut txn, "title", &content.title[..]);
                note.insert(&mut txn, "body", &content.body[..]);
                note.insert(&mut txn, "pinned", content.pinned);
                note.insert(&mut txn, "tags", strings(&content.tags));
            }
            What::Update(patch) => {
                let Some(Out::YMap(note)) = self.notes.get(&txn, &id) else { return Err("yrs lacks a note".into()) };
                if let Some(title) = &patch.title {
                    note.insert(&mut txn, "title", &title[..]);
                }
                if let Some(body) = &patch.body {
                    note.insert(&mut txn, "body", &body[..]);
                }
                if let Some(pinned) = patch.pinned {
                    note.insert(&mut txn, "pinned", pinned);
                }
                if let Some(tags) = &patch.tags {
                    note.insert(&mut txn, "tags", strings(tags));
                }
            }
            What::Delete => drop(self.notes.remove(&mut txn, &id)),
        }
        Ok(())
    }

    pub(crate) fn read(&self) -> Result<Notes> {
        let txn = self.doc.transact();
        let typed = self.notes.iter(&txn).map(|(id, note)| {
            let Out::YMap(note) = note else { return Err("yrs shows no map for a note".into()) };
            let field = |name: &str| note.get(&txn, name).ok_or("yrs lacks a field");
            let tags = match field("tags")? {
                Out::Any(Any::Array(tags)) => tags.iter().map(ToString::to_string).collect(),
                _ => return Err("yrs shows no list for tags".into()),
            };
            let pinned = matches!(field("pinned")?, Out::Any(Any::Bool(true)));
            let (title, body) = (field("title")?.to_string(&txn), field("body")?.to_string(&txn));
            Ok((Uuid::parse_str(id)?, Content { title, body, pinned, tags }))
        });
        typed.collect()
    }
}
