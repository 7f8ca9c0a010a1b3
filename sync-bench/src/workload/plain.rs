//! The workload in the plainest forms: what a hand-written last-writer-wins program would store and send.

use serde::{Deserialize, Serialize};

use super::{Content, Patch, What, Workload};

/// One action in postcard, its texts borrowed.
#[derive(Serialize, Deserialize)]
pub(crate) struct PlainAction<'a> {
    pub(crate) note: u128,
    pub(crate) time: u64,
    pub(crate) client: u8,
    /// 0 creates, 1 updates, 2 deletes.
    pub(crate) kind: u8,
    #[serde(borrow)]
    pub(crate) title: Option<&'a str>,
    #[serde(borrow)]
    pub(crate) body: Option<&'a str>,
    pub(crate) pinned: Option<bool>,
    #[serde(borrow)]
    pub(crate) tags: Option<Vec<&'a str>>,
}

/// One action as a line of JSON, owned: the shape of the article's log.
#[derive(Serialize, Deserialize, Clone)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlainLine {
    pub(crate) id: String,
    pub(crate) entity_type: String,
    pub(crate) entity_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) payload: PlainPayload,
    pub(crate) client_id: String,
    pub(crate) logical_time: u64,
}

#[derive(Serialize, Deserialize, Clone, Default)]
pub(crate) struct PlainPayload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pinned: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<Vec<String>>,
}

/// All actions in postcard, in batches.
pub(crate) fn postcard(workload: &Workload, batch: usize) -> Vec<Vec<u8>> {
    let batches = workload.actions.chunks(batch).map(|actions| {
        let plain: Vec<PlainAction<'_>> = actions.iter().map(|action| plain(workload, action)).collect();
        postcard::to_stdvec(&plain).expect("plain data can be written")
    });
    batches.collect()
}

fn plain<'a>(workload: &Workload, action: &'a super::Action) -> PlainAction<'a> {
    let head = |kind, title, body, pinned, tags: Option<&'a [String]>| PlainAction {
        note: workload.ids[action.note].as_u128(),
        time: action.time,
        client: action.client as u8,
        kind,
        title,
        body,
        pinned,
        tags: tags.map(|tags| tags.iter().map(String::as_str).collect()),
    };
    match &action.what {
        What::Create(Content { title, body, pinned, tags }) => {
            head(0, Some(title), Some(body), Some(*pinned), Some(tags))
        }
        What::Update(Patch { title, body, pinned, tags }) => {
            head(1, title.as_deref(), body.as_deref(), *pinned, tags.as_deref())
        }
        What::Delete => head(2, None, None, None, None),
    }
}

/// All actions as lines of JSON, in batches.
pub(crate) fn json_lines(workload: &Workload, batch: usize) -> Vec<Vec<u8>> {
    let batches = workload.actions.chunks(batch).map(|actions| {
        let mut lines = Vec::new();
        for action in actions {
            serde_json::to_writer(&mut lines, &line(workload, action)).expect("plain data can be written");
            lines.push(b'\n');
        }
        lines
    });
    batches.collect()
}

fn line(workload: &Workload, action: &super::Action) -> PlainLine {
    let plain = plain(workload, action);
    let owned = |text: &str| text.to_owned();
    PlainLine {
        id: format!("{}-{:016x}", workload.client_text(action.client), action.n),
        entity_type: owned("note"),
        entity_id: workload.ids[action.note].to_string(),
        kind: owned(["create", "update", "delete"][usize::from(plain.kind)]),
        payload: PlainPayload {
            title: plain.title.map(owned),
            body: plain.body.map(owned),
            pinned: plain.pinned,
            tags: plain.tags.map(|tags| tags.into_iter().map(owned).collect()),
        },
        client_id: workload.client_text(action.client),
        logical_time: action.time,
    }
}
