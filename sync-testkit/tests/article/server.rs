//! The server that the article describes: actions keyed by `(clientId, actionId)`, served from a logical time on.

use std::collections::BTreeMap;

use super::wal::WalEntry;

#[derive(Debug, Default)]
pub struct Server {
    actions: BTreeMap<(String, String), WalEntry>,
    /// How many actions were ever sent to it, the same ones again included.
    pub received: usize,
}

impl Server {
    /// `POST /sync/actions`.
    pub fn post(&mut self, actions: Vec<WalEntry>) {
        self.received += actions.len();
        for action in actions {
            self.actions.entry((action.client_id.clone(), action.id.clone())).or_insert(action);
        }
    }

    /// `GET /sync/actions?since=`: everything since the client's last seen logical time, and the highest one.
    pub fn get(&self, since: u64) -> (Vec<WalEntry>, u64) {
        let mut actions: Vec<WalEntry> = self.actions.values().filter(|a| a.logical_time > since).cloned().collect();
        actions.sort_by_key(|action| action.logical_time);
        let cursor = self.actions.values().map(|action| action.logical_time).max();
        (actions, cursor.unwrap_or(0).max(since))
    }

    pub fn stored(&self) -> usize {
        self.actions.len()
    }
}
