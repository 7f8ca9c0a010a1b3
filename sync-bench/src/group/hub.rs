//! A hub over HTTP, client and server on the same processors.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sync_core::transport::{PullRequest, PushRequest};
use sync_core::{Cursor, Entry, Hub};
use sync_http::wire::actions;
use sync_redb::RedbStore;

use super::Scale;
use crate::input::BATCH;
use crate::measure::{Result, Row, Table, Who};
use crate::peer::http::{Server, request, send};
use crate::peer::raw_redb::RawRedb;
use crate::workload::{self, ALONE, Random, Workload};

const FEW: usize = 8;
const MANY: usize = 64;

pub(crate) const POST: &str = "ours: POST of 1000";
pub(crate) const POST_REDB: &str = "raw redb rows, commit each";
pub(crate) const GET: &str = "ours: GET of 1000";
pub(crate) const GET_NOTHING: &str = "GET of the same bytes, ready";
pub(crate) const SINGLE: &str = "ours: POST of 1, 64 connections";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    actions: Vec<&'a RawValue>,
}

pub(crate) fn run(seed: u64, scale: Scale) -> Result<Vec<Table>> {
    let pushes = if scale.writes < 500 { 3 } else { 10 };
    let dir = tempfile::tempdir()?;
    let bodies = devices(seed, FEW, pushes, BATCH);
    let (ours, hub) = hub(dir.path(), "few")?;
    let mut post =
        Table::of_rates("post", format!("POST of {BATCH} actions, durable, {FEW} connections"), "requests/s");
    let rate = |address, connections: &[Vec<Vec<u8>>]| -> Result<f64> {
        let count: usize = connections.iter().map(Vec::len).sum();
        Ok(count as f64 * 1e3 / send(address, connections)?)
    };
    let nothing = Server::of(Arc::new(|body: Bytes| Ok(Bytes::from(body.len().to_string()))))?;
    post.push(Row::one(Who::Limit, "POST that does nothing", rate(nothing.address, &bodies)?));
    post.push(Row::one(Who::Ours, POST, rate(ours.address, &bodies)?));
    let raw = raw(&dir.path().join("raw"))?;
    post.push(
        Row::one(Who::Peer, POST_REDB, rate(raw.address, &bodies)?).noted("nothing is checked but that it is JSON"),
    );
    let gets = gets(&hub, &ours, scale, &rate)?;
    let bodies = devices(seed + 1, MANY, scale.writes / 5, 1);
    let mut single = Table::of_rates("single", format!("POST of 1 action, durable, {MANY} connections"), "requests/s");
    single.push(Row::one(Who::Limit, "POST that does nothing", rate(nothing.address, &bodies)?));
    let (ours, _hub) = self::hub(dir.path(), "many")?;
    single.push(Row::one(Who::Ours, SINGLE, rate(ours.address, &bodies)?));
    single.push(Row::one(Who::Peer, "raw redb, commit each", rate(raw.address, &bodies)?));
    Ok(vec![post, gets, single])
}

fn gets(
    hub: &Hub,
    ours: &Server,
    scale: Scale,
    rate: &impl Fn(std::net::SocketAddr, &[Vec<Vec<u8>>]) -> Result<f64>,
) -> Result<Table> {
    let mut table = Table::of_rates("get", format!("GET of {BATCH} actions, {FEW} connections"), "requests/s");
    // Every page, over and over.
    let (mut since, mut paths) = (Cursor::default(), Vec::new());
    while since.seq + BATCH as u64 <= hub.head().seq {
        let pull = PullRequest { since, limit: BATCH as u64, have: None };
        paths.push(format!("/sync/actions?{}", sync_http::wire::query::pull(&pull)));
        since = hub.pull(&pull)?.cursor;
    }
    let repeated = |headers: &str| -> Vec<Vec<Vec<u8>>> {
        let get = |at: usize| request("GET", &paths[at % paths.len()], headers, b"");
        (0..FEW).map(|connection| (0..scale.writes / 5).map(|step| get(connection * 7 + step)).collect()).collect()
    };
    let first = hub.pull(&PullRequest { since: Cursor::default(), limit: BATCH as u64, have: None })?;
    let page = Bytes::from(sync_http::wire::page::page(&first));
    let same = page.clone();
    let ready = Server::of(Arc::new(move |_| Ok(same.clone())))?;
    let zstd = Bytes::from(zstd::bulk::compress(&page, 3)?);
    let packed = Server::of(Arc::new(move |_| Ok(zstd.clone())))?;
    table.push(Row::one(Who::Limit, GET_NOTHING, rate(ready.address, &repeated(""))?));
    table.push(Row::one(Who::Limit, "GET of the same bytes, compressed, ready", rate(packed.address, &repeated(""))?));
    table.push(Row::one(Who::Ours, GET, rate(ours.address, &repeated(""))?));
    table.push(Row::one(
        Who::Ours,
        "ours: GET of 1000, zstd",
        rate(ours.address, &repeated("accept-encoding: zstd\r\n"))?,
    ));
    Ok(table)
}

fn hub(dir: &Path, name: &str) -> Result<(Server, Hub)> {
    let hub = Hub::builder().open(RedbStore::open(dir.join(name))?)?;
    Ok((Server::of_hub(hub.clone())?, hub))
}

/// A server that splits a push into its actions, unread, and makes each a row.
fn raw(path: &Path) -> Result<Server> {
    let (redb, next) = (RawRedb::open(path)?, AtomicU64::new(1));
    Server::of(Arc::new(move |body: Bytes| {
        let envelope: Envelope<'_> = serde_json::from_slice(&body)?;
        let first = next.fetch_add(envelope.actions.len() as u64, Ordering::Relaxed);
        redb.append(first, envelope.actions.iter().map(|action| action.get().as_bytes()))?;
        Ok(Bytes::from_static(b"{}"))
    }))
}

/// For each of some devices its pushes, in order.
fn devices(seed: u64, devices: usize, pushes: usize, batch: usize) -> Vec<Vec<Vec<u8>>> {
    let mut random = Random::new(seed);
    let device = |device: usize| {
        let workload = Workload::new(seed * 1_000 + device as u64, pushes * batch, ALONE);
        let entries = workload::entries(&workload);
        let mut attempt = 0;
        let pushes = entries.chunks(batch).map(|entries| {
            attempt += 1;
            let intents = |entry: &Entry| Entry { intent: Some(random.u128()), ..entry.clone() };
            let push = PushRequest { entries: entries.iter().map(intents).collect(), attempt: Some(attempt) };
            request("POST", "/sync/actions", "", actions::push(&push).as_bytes())
        });
        pushes.collect()
    };
    (0..devices).map(device).collect()
}
