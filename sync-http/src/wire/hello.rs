//! `GET /sync/hello`: who the hub is, and what it knows of the replica.

use serde::{Deserialize, Serialize};
use sync_core::model::context::Known;
use sync_core::transport::{ClientStanding, EpochStart, Hello, Limits};
use sync_core::{ClientId, Digest};

use super::{CursorJson, EpochJson, Hex, Unreadable};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HelloBody {
    hub: String,
    space: String,
    principal: String,
    server_time: u64,
    head: CursorJson,
    tail: u64,
    on_chain: bool,
    #[serde(default)]
    limits: LimitsJson,
    protocols: Vec<u32>,
    clients: Vec<StandingJson>,
    may_join: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    epochs: Vec<BegunJson>,
}

#[derive(Serialize, Deserialize)]
struct BegunJson {
    epoch: EpochJson,
    after: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LimitsJson {
    batch_entries: u64,
    batch_bytes: u64,
    entry_bytes: u64,
    group_entries: u64,
    depth: u64,
    drift: u64,
}

impl Default for LimitsJson {
    fn default() -> Self {
        Limits::default().into()
    }
}

impl From<Limits> for LimitsJson {
    fn from(limits: Limits) -> Self {
        Self {
            batch_entries: limits.batch_entries,
            batch_bytes: limits.batch_bytes,
            entry_bytes: limits.entry_bytes,
            group_entries: limits.group_entries,
            depth: limits.depth,
            drift: limits.drift,
        }
    }
}

impl From<LimitsJson> for Limits {
    fn from(limits: LimitsJson) -> Self {
        Self {
            batch_entries: limits.batch_entries,
            batch_bytes: limits.batch_bytes,
            entry_bytes: limits.entry_bytes,
            group_entries: limits.group_entries,
            depth: limits.depth,
            drift: limits.drift,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StandingJson {
    id: ClientId,
    n: u64,
    digest: Hex,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest_there: Option<Hex>,
}

/// A hello in JSON.
pub fn hello(hello: &Hello) -> String {
    let standing = |standing: &ClientStanding| StandingJson {
        id: standing.client.clone(),
        n: standing.known.n,
        digest: Hex(standing.known.digest.0),
        digest_there: standing.digest_there.map(|digest| Hex(digest.0)),
    };
    let begun = |begun: &EpochStart| BegunJson { epoch: EpochJson(begun.epoch), after: begun.after };
    super::to_json(&HelloBody {
        hub: hello.hub.clone(),
        space: hello.space.clone(),
        principal: hello.principal.clone(),
        server_time: hello.server_time,
        head: hello.head.into(),
        tail: hello.tail,
        on_chain: hello.on_chain,
        limits: hello.limits.into(),
        protocols: hello.protocols.clone(),
        clients: hello.clients.iter().map(standing).collect(),
        may_join: hello.may_join,
        epochs: hello.epochs.iter().map(begun).collect(),
    })
}

/// Reads a hello.
///
/// # Errors
/// If it is none.
pub fn read_hello(body: &[u8]) -> Result<Hello, Unreadable> {
    let body: HelloBody = serde_json::from_slice(body)?;
    let standing = |standing: StandingJson| ClientStanding {
        client: standing.id,
        known: Known { n: standing.n, digest: Digest(standing.digest.0) },
        digest_there: standing.digest_there.map(|digest| Digest(digest.0)),
    };
    let begun = |begun: BegunJson| EpochStart { epoch: begun.epoch.0, after: begun.after };
    Ok(Hello {
        hub: body.hub,
        space: body.space,
        principal: body.principal,
        server_time: body.server_time,
        head: body.head.into(),
        tail: body.tail,
        on_chain: body.on_chain,
        limits: body.limits.into(),
        protocols: body.protocols,
        clients: body.clients.into_iter().map(standing).collect(),
        may_join: body.may_join,
        epochs: body.epochs.into_iter().map(begun).collect(),
    })
}
