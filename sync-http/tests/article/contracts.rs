//! `contracts/`: the shapes that the article's code passes around.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `WalEntry`. `payload` is `unknown` there: the domain action, as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WalEntry {
    pub(crate) id: String,
    pub(crate) entity_id: String,
    pub(crate) r#type: String,
    pub(crate) payload: Value,
    pub(crate) client_id: String,
    pub(crate) logical_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uploaded: Option<bool>,
}

/// `SyncResponse`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncResponse {
    pub(crate) actions: Vec<WalEntry>,
    pub(crate) new_cursor: u64,
}

/// `Note`: an object, since an update spreads its payload over it.
pub(crate) type Note = Map<String, Value>;

/// `NotesState`.
pub(crate) type NotesState = Map<String, Value>;
