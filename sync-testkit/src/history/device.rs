//! One device: what it knows, and its clock.

use std::collections::BTreeSet;

use sync_core::model::stamp::Origin;
use sync_core::{Action, ClientId, Dot, EntityKey, Entry};

use crate::oracle::{EntityForm, Facts};

/// One device: what it knows, and its clock.
#[derive(Debug, Clone)]
pub struct Device {
    client: ClientId,
    issued: u64,
    known: BTreeSet<usize>,
    skew: i128,
    own: u64,
    foreign: u64,
}

impl Device {
    /// A device that knows nothing, with a clock that is off by `skew` milliseconds.
    pub fn new(client: ClientId, skew: i128) -> Self {
        Self { client, issued: 0, known: BTreeSet::new(), skew, own: 0, foreign: 0 }
    }

    /// Goes on under another client id, as a hub does at every start.
    pub(super) fn rename(&mut self, client: ClientId) {
        self.client = client;
        self.issued = 0;
    }

    /// The places of the entries that it knows.
    pub fn known(&self) -> impl Iterator<Item = usize> + '_ {
        self.known.iter().copied()
    }

    /// Takes notice of the entry at a place of the history.
    pub fn learn(&mut self, at: usize, entry: &Entry) {
        if self.known.insert(at) && entry.dot().client != self.client {
            self.foreign = self.foreign.max(entry.origin.time);
        }
    }

    /// What it sees of an entity.
    pub fn view(&self, entries: &[Entry], key: &EntityKey) -> EntityForm {
        Facts::new(self.known().map(|at| &entries[at]).filter(|entry| entry.key == *key)).entity(key)
    }

    /// A new entry that writes nothing yet, stamped by the rule: never behind the wall clock, its own last stamp,
    /// or anything seen.
    pub fn entry(&mut self, wall: u64, key: EntityKey, action: Action) -> Entry {
        let wall = (i128::from(wall) + self.skew).clamp(0, i128::from(u64::MAX)) as u64;
        self.own = wall.max(self.own).max(self.foreign.saturating_add(1));
        let time = self.own;
        self.stamped(time, None, key, action)
    }

    /// A new entry with a stamp of somebody else's.
    pub(super) fn stamped(&mut self, time: u64, author: Option<ClientId>, key: EntityKey, action: Action) -> Entry {
        self.issued += 1;
        Entry::new(Origin { dot: Dot::new(self.client.clone(), self.issued), time, author }, key, action)
    }
}
