//! `wal/walStore.ts`: the WAL in a table. The table is a map here, with the same keys, defaults and orders.

use std::collections::BTreeMap;

use super::contracts::WalEntry;

/// `SqliteWalStore`.
#[derive(Debug, Clone, Default)]
pub(crate) struct WalStore {
    rows: BTreeMap<String, WalEntry>,
}

impl WalStore {
    /// `INSERT INTO`: an id that is there already is an error.
    pub(crate) fn append(&mut self, entry: WalEntry) {
        let replaced = self.rows.insert(entry.id.clone(), row(entry));
        assert!(replaced.is_none(), "UNIQUE constraint failed: wal_entries.id");
    }

    /// `INSERT OR IGNORE INTO`.
    pub(crate) fn append_many(&mut self, entries: Vec<WalEntry>) {
        for entry in entries {
            self.rows.entry(entry.id.clone()).or_insert_with(|| row(entry));
        }
    }

    /// `ORDER BY logicalTime ASC, clientId ASC, id ASC`.
    pub(crate) fn get_all(&self) -> Vec<WalEntry> {
        let mut entries: Vec<WalEntry> = self.rows.values().cloned().collect();
        entries.sort_by(|a, b| (a.logical_time, &a.client_id, &a.id).cmp(&(b.logical_time, &b.client_id, &b.id)));
        entries
    }

    /// `WHERE uploaded = 0`.
    pub(crate) fn get_pending(&self) -> Vec<WalEntry> {
        let mut entries = self.get_all();
        entries.retain(|entry| entry.uploaded == Some(false));
        entries
    }

    pub(crate) fn mark_as_uploaded(&mut self, ids: &[String]) {
        for id in ids {
            if let Some(entry) = self.rows.get_mut(id) {
                entry.uploaded = Some(true);
            }
        }
    }
}

/// `uploaded INTEGER NOT NULL DEFAULT 0`, set from `entry.uploaded ? 1 : 0`.
fn row(entry: WalEntry) -> WalEntry {
    WalEntry { uploaded: Some(entry.uploaded == Some(true)), ..entry }
}
