//! `SqliteWalStore`, in memory.

use std::collections::BTreeMap;

use super::domain::NoteAction;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalEntry {
    pub id: String,
    pub payload: NoteAction,
    pub client_id: String,
    pub logical_time: u64,
    pub uploaded: bool,
}

#[derive(Debug, Default)]
pub struct WalStore {
    /// The table, by its primary key.
    rows: BTreeMap<String, WalEntry>,
}

impl WalStore {
    pub fn append(&mut self, entry: WalEntry) {
        let before = self.rows.insert(entry.id.clone(), entry);
        assert!(before.is_none(), "the primary key is taken");
    }

    /// `INSERT OR IGNORE`.
    pub fn append_many(&mut self, entries: Vec<WalEntry>) {
        for entry in entries {
            self.rows.entry(entry.id.clone()).or_insert(entry);
        }
    }

    /// `ORDER BY logicalTime ASC, clientId ASC, id ASC`.
    pub fn get_all(&self) -> Vec<WalEntry> {
        let mut rows: Vec<WalEntry> = self.rows.values().cloned().collect();
        rows.sort_by(|a, b| (a.logical_time, &a.client_id, &a.id).cmp(&(b.logical_time, &b.client_id, &b.id)));
        rows
    }

    pub fn get_pending(&self) -> Vec<WalEntry> {
        self.get_all().into_iter().filter(|row| !row.uploaded).collect()
    }

    pub fn mark_as_uploaded(&mut self, ids: &[String]) {
        for id in ids {
            if let Some(row) = self.rows.get_mut(id) {
                row.uploaded = true;
            }
        }
    }

    /// `DELETE FROM wal_entries WHERE uploaded = 1 AND logicalTime <= ?`.
    pub fn compact(&mut self, until_logical_time: u64) {
        self.rows.retain(|_, row| !(row.uploaded && row.logical_time <= until_logical_time));
    }
}
