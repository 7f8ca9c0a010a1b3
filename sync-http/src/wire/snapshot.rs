//! `/sync/snapshot`: records with the entries that they contain, page by page, in either direction.
//!
//! Records are taken from one side to the other whole and unread, so they travel in `sync-core`'s own form.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use sync_core::model::context::Known;
use sync_core::transport::{Link, SnapshotPage};
use sync_core::{ClientId, Digest, EntityKey, Record};

use super::{CursorJson, Hex, Unreadable};

#[derive(Serialize, Deserialize)]
struct SnapshotBody {
    records: Vec<RecordJson>,
    vector: Vec<KnownJson>,
    cursor: CursorJson,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    intents: Vec<IntentJson>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    transfer: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordJson {
    entity_type: String,
    entity_id: String,
    record: String,
}

#[derive(Serialize, Deserialize)]
struct KnownJson {
    id: ClientId,
    n: u64,
    digest: Hex,
}

#[derive(Serialize, Deserialize)]
struct IntentJson {
    intent: Hex,
    id: String,
}

#[derive(Serialize, Deserialize)]
struct LinkJson {
    id: String,
    hash: Hex,
    digest: Hex,
}

/// A page of a snapshot in JSON.
pub fn page(page: &SnapshotPage) -> String {
    let record = |(key, record): &(EntityKey, Record)| RecordJson {
        entity_type: key.entity_type.to_string(),
        entity_id: key.id.to_string(),
        record: BASE64.encode(record.encode()),
    };
    let known =
        |(client, known): &(ClientId, Known)| KnownJson { id: client.clone(), n: known.n, digest: Hex(known.digest.0) };
    let intents = page.intents.iter().map(|(intent, dot)| IntentJson { intent: Hex(*intent), id: dot.to_string() });
    let link = |link: &Link| LinkJson { id: link.dot.to_string(), hash: Hex(link.hash.0), digest: Hex(link.digest.0) };
    super::to_json(&SnapshotBody {
        records: page.records.iter().map(record).collect(),
        vector: page.vector.iter().map(known).collect(),
        cursor: page.cursor.into(),
        intents: intents.collect(),
        links: page.links.iter().map(link).collect(),
        next: page.next.clone(),
        total: page.total,
        transfer: page.transfer.clone(),
    })
}

/// Reads a page of a snapshot.
///
/// # Errors
/// If it is none, or a record in it cannot be read.
pub fn read_page(body: &[u8]) -> Result<SnapshotPage, Unreadable> {
    let body: SnapshotBody = serde_json::from_slice(body)?;
    let records: Result<_, Unreadable> = body.records.into_iter().map(record).collect();
    let known = |known: KnownJson| {
        let digest = Digest(known.digest.0);
        (known.id, Known { n: known.n, digest })
    };
    let intent = |intent: IntentJson| {
        let dot = intent.id.parse();
        let dot = dot.map_err(|_| Unreadable::new("an intent belongs to no entry's id"))?;
        Ok((intent.intent.0, dot))
    };
    let link = |link: LinkJson| {
        let dot = link.id.parse().map_err(|_| Unreadable::new("a link is no entry's id"))?;
        Ok(Link { dot, hash: Digest(link.hash.0), digest: Digest(link.digest.0) })
    };
    let links: Result<_, Unreadable> = body.links.into_iter().map(link).collect();
    let intents: Result<_, Unreadable> = body.intents.into_iter().map(intent).collect();
    Ok(SnapshotPage {
        records: records?,
        vector: body.vector.into_iter().map(known).collect(),
        cursor: body.cursor.into(),
        intents: intents?,
        links: links?,
        next: body.next,
        total: body.total,
        transfer: body.transfer,
    })
}

fn record(json: RecordJson) -> Result<(EntityKey, Record), Unreadable> {
    let key = EntityKey::new(json.entity_type, json.entity_id);
    let wrong = |message: String| Unreadable::new(format!("the record of {key}: {message}"));
    let bytes = BASE64.decode(json.record);
    let bytes = bytes.map_err(|error| wrong(error.to_string()))?;
    let record = Record::decode_untrusted(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok((key, record))
}
