//! What was accepted since the last checkpoint, found by name.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::index::{Foreign, Intended, MapRow, Place};
use super::row::Logged;
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::{ClientId, Digest, Dot};

/// The entries that the checkpoint's indexes lack.
#[derive(Default)]
pub(super) struct Tail {
    entries: VecDeque<Logged>,
    dots: HashMap<Dot, Place>,
    intents: HashMap<u128, Intended>,
    foreign: HashMap<ClientId, HashMap<Arc<str>, Foreign>>,
}

/// What was accepted, as the indexes of a checkpoint take it in.
pub(super) struct FrozenTail(Vec<(Logged, Place)>);

impl Tail {
    pub(super) fn push(&mut self, logged: Logged, seq: u64, running: Digest) {
        let dot = logged.entry.dot().clone();
        if let Some(intent) = logged.intent {
            self.intents.entry(intent).or_insert(Intended { dot: dot.clone(), seq });
        }
        if let Some(id) = &logged.entry.foreign_id {
            let ids = self.foreign.entry(logged.entry.origin.author().clone()).or_default();
            ids.insert(id.clone(), Foreign { seq, content: foreign_content(&logged.entry) });
        }
        self.dots.insert(dot, Place { seq, hash: logged.hash, running });
        self.entries.push_back(logged);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the last `count` entries are about.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &EntityKey> {
        let from = self.entries.len().saturating_sub(count);
        self.entries.range(from..).map(|logged| &logged.entry.key)
    }

    pub(super) fn place(&self, dot: &Dot) -> Option<&Place> {
        self.dots.get(dot)
    }

    pub(super) fn intent(&self, intent: u128) -> Option<&Intended> {
        self.intents.get(&intent)
    }

    pub(super) fn foreign(&self, author: &ClientId, id: &str) -> Option<&Foreign> {
        self.foreign.get(author)?.get(id)
    }

    pub(super) fn freeze(&self) -> FrozenTail {
        let with_place =
            |logged: &Logged| self.dots.get(logged.entry.dot()).map(|place| (logged.clone(), place.clone()));
        FrozenTail(self.entries.iter().filter_map(with_place).collect())
    }

    /// The checkpoint has taken these in.
    pub(super) fn thaw(&mut self, frozen: &FrozenTail) {
        for logged in self.entries.drain(..frozen.0.len()) {
            self.dots.remove(logged.entry.dot());
            if let Some(intent) = logged.intent {
                self.intents.remove(&intent);
            }
            let author = logged.entry.origin.author();
            if let (Some(id), Some(ids)) = (&logged.entry.foreign_id, self.foreign.get_mut(author)) {
                ids.remove(id);
                if ids.is_empty() {
                    self.foreign.remove(author);
                }
            }
        }
    }
}

impl FrozenTail {
    pub(super) fn rows(&self) -> Vec<MapRow> {
        let mut rows = Vec::with_capacity(self.0.len() * 2);
        for (Logged { entry, intent, .. }, place) in &self.0 {
            rows.push(place.row(entry.dot()));
            if let Some(intent) = intent {
                rows.push(Intended { dot: entry.dot().clone(), seq: place.seq }.row(*intent));
            }
            if let Some(id) = &entry.foreign_id {
                let foreign = Foreign { seq: place.seq, content: foreign_content(entry) };
                rows.push(foreign.row(entry.origin.author(), id));
            }
        }
        rows
    }
}

/// The hash of what a foreign client sent, without what the hub added when it admitted it.
pub(super) fn foreign_content(entry: &Entry) -> Digest {
    let mut sent = entry.clone();
    sent.origin.dot = Dot::new(entry.origin.author().clone(), 0);
    // It may have been corrected.
    sent.origin.time = 0;
    sent.replaces.clear();
    sent.of.clear();
    sent.saw.clear();
    sent.hash()
}
