//! One of the article's devices: its repository of notes, its WAL, its cursor, and the sync cycle.

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Value, json};
use sync_testkit::rng::Rng;

use super::api_client::ApiClient;
use super::contracts::{NotesState, SyncResponse, WalEntry};
use super::domain::{assert_valid_notes_state, reconcile_notes};
use super::wal_store::WalStore;

/// `() => Date.now()`, in the hands of a test.
pub(crate) type Now = Rc<Cell<u64>>;

/// A device with a database of its own.
#[derive(Clone)]
pub(crate) struct Device {
    client_id: String,
    now: Now,
    random: Rng,
    api: ApiClient,
    pub(crate) wal_store: WalStore,
    last_seen_logical_time: u64,
    /// The table `notes`: what the device shows.
    pub(crate) notes: NotesState,
}

impl Device {
    pub(crate) fn new(client_id: &str, base_url: &str, now: Now, seed: u64) -> Self {
        Self {
            client_id: client_id.to_owned(),
            now,
            random: Rng::new(seed),
            api: ApiClient::new(base_url),
            wal_store: WalStore::default(),
            last_seen_logical_time: 0,
            notes: NotesState::new(),
        }
    }

    /// `createNote`; `body` is optional in the contract.
    pub(crate) fn create_note(&mut self, title: &str, body: Option<&str>) -> String {
        let id = self.write_unseen(title, body);
        self.show();
        id
    }

    /// `createNote` without showing it: what many of them in a row need.
    pub(crate) fn write_unseen(&mut self, title: &str, body: Option<&str>) -> String {
        let random: String =
            (0..7).map(|_| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[self.random.below(36)])).collect();
        let id = format!("note_{}_{random}", self.now.get());
        let mut payload = json!({ "title": title });
        if let Some(body) = body {
            payload["body"] = json!(body);
        }
        self.act("create", &id, Some(payload));
        id
    }

    /// `updateNote`.
    pub(crate) fn update_note(&mut self, id: &str, data: Value) {
        self.act("update", id, Some(data));
        self.show();
    }

    /// `deleteNote`.
    pub(crate) fn delete_note(&mut self, id: &str) {
        self.act("delete", id, None);
        self.show();
    }

    /// "Materialize locally": the article's SQL shows what its rules will.
    fn show(&mut self) {
        self.notes = reconcile_notes(&NotesState::new(), &self.wal_store.get_all());
    }

    /// The domain action, appended to the WAL.
    fn act(&mut self, kind: &str, id: &str, payload: Option<Value>) {
        let logical_time = self.now.get();
        let mut action = json!({ "type": kind, "id": id, "logicalTime": logical_time });
        if let Some(payload) = payload {
            action["payload"] = payload;
        }
        self.append_to_wal(id, action, logical_time);
    }

    /// `appendToWal`.
    fn append_to_wal(&mut self, entity_id: &str, action: Value, logical_time: u64) {
        let entry = WalEntry {
            id: self.random_uuid(),
            entity_id: entity_id.to_owned(),
            r#type: action["type"].as_str().expect("an action has a type").to_owned(),
            payload: action,
            client_id: self.client_id.clone(),
            logical_time,
            uploaded: None,
        };
        self.wal_store.append(entry);
    }

    /// `Crypto.randomUUID()`.
    fn random_uuid(&mut self) -> String {
        let bits = u128::from(self.random.bits()) << 64 | u128::from(self.random.bits());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
    }

    /// `uploadPendingActions`.
    pub(crate) async fn upload_pending_actions(&mut self) -> Result<(), String> {
        // 1) Read pending WAL entries
        let pending = self.wal_store.get_pending();
        if pending.is_empty() {
            return Ok(());
        }
        // 2) Upload as a batch (server must treat as idempotent by action id + client id)
        self.api.post("/sync/actions", &json!({ "actions": pending })).await?;
        // 3) Mark uploaded locally (so retries don't resend everything forever)
        let ids: Vec<String> = pending.into_iter().map(|entry| entry.id).collect();
        self.wal_store.mark_as_uploaded(&ids);
        Ok(())
    }

    /// `downloadMissingActions`.
    async fn download_missing_actions(&self) -> Result<SyncResponse, String> {
        let since = self.last_seen_logical_time;
        let response = self.api.get("/sync/actions", &[("since", since)]).await?;
        serde_json::from_value(response).map_err(|error| error.to_string())
    }

    /// `runSyncCycle`.
    pub(crate) async fn run_sync_cycle(&mut self) -> Result<(), String> {
        // Phase 1: Upload local intent
        self.upload_pending_actions().await?;
        // Phase 2: Download missing intent
        let response = self.download_missing_actions().await?;
        // Append facts to WAL (idempotent)
        self.wal_store.append_many(response.actions);
        // Advance cursor and persist progress
        self.last_seen_logical_time = self.last_seen_logical_time.max(response.new_cursor);
        // Phase 3: Deterministic reconciliation, from the tutorial's empty snapshot
        let final_state = reconcile_notes(&NotesState::new(), &self.wal_store.get_all());
        assert_valid_notes_state(&final_state);
        // Publish to UI / persist materialized view
        self.notes = final_state;
        Ok(())
    }
}
