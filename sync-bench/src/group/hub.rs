//! A hub over HTTP, client and server on the same processors.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sync_core::transport::{PullRequest, PushRequest, compact};
use sync_core::{Cursor, Entry, Hub};
use sync_http::wire::actions;
use sync_redb::RedbStore;

use super::Scale;
use crate::input::BATCH;
use crate::measure::{Result, Row, Table, Who};
use crate::peer::http::{Server, exchange, request, send};
use crate::peer::raw_redb::RawRedb;
use crate::workload::{self, ALONE, Random, Workload};

const FEW: usize = 8;
const MANY: usize = 64;

pub(crate) const POST: &str = "ours: POST of 1000, as our client sends it";
const POST_JSON: &str = "ours: POST of 1000, JSON";
pub(crate) const POST_REDB: &str = "raw redb rows, commit each";
pub(crate) const GET: &str = "ours: GET of 1000, as our client asks for it, again";
const GET_FIRST: &str = "ours: GET of 1000, as our client asks for it, for the first time";
pub(crate) const GET_NOTHING: &str = "GET of the same bytes, ready";

/// What our client says of its requests: the compact form, compressed.
const BATCH_FORM: &str = "content-type: application/vnd.sync.batch\r\ncontent-encoding: zstd\r\n";
const BATCH_WANTED: &str =
    "accept: application/vnd.sync.batch, application/json;q=0.5\r\naccept-encoding: zstd, gzip\r\n";
const JSON_FORM: &str = "content-type: application/json\r\n";

/// In which form a push is sent.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Batch,
    Json,
}
pub(crate) const SINGLE: &str = "ours: POST of 1, 64 connections";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    actions: Vec<&'a RawValue>,
}

pub(crate) fn run(seed: u64, scale: Scale) -> Result<Vec<Table>> {
    let pushes = if scale.writes < 500 { 3 } else { 10 };
    let dir = tempfile::tempdir()?;
    let bodies = devices(seed, FEW, pushes, BATCH, Form::Batch)?;
    let readable = devices(seed, FEW, pushes, BATCH, Form::Json)?;
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
    let (in_json, _hub) = self::hub(dir.path(), "few, in JSON")?;
    post.push(Row::one(Who::Ours, POST_JSON, rate(in_json.address, &readable)?));
    let raw = raw(&dir.path().join("raw"))?;
    post.push(
        Row::one(Who::Peer, POST_REDB, rate(raw.address, &readable)?).noted("nothing is checked but that it is JSON"),
    );
    let gets = gets(&hub, &ours, scale, &rate)?;
    let bodies = devices(seed + 1, MANY, scale.writes / 5, 1, Form::Batch)?;
    let readable = devices(seed + 1, MANY, scale.writes / 5, 1, Form::Json)?;
    let mut single = Table::of_rates("single", format!("POST of 1 action, durable, {MANY} connections"), "requests/s");
    single.push(Row::one(Who::Limit, "POST that does nothing", rate(nothing.address, &bodies)?));
    let (ours, _hub) = self::hub(dir.path(), "many")?;
    single.push(Row::one(Who::Ours, SINGLE, rate(ours.address, &bodies)?));
    single.push(Row::one(Who::Peer, "raw redb, commit each", rate(raw.address, &readable)?));
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
        let pull = PullRequest { since, limit: BATCH as u64, ..PullRequest::default() };
        paths.push(format!("/sync/actions?{}", sync_http::wire::query::pull(&pull)));
        since = hub.pull(&pull)?.cursor;
    }
    let get = |at: usize, headers: &str| request("GET", &paths[at % paths.len()], headers, b"");
    let once = |headers: &str| -> Vec<Vec<Vec<u8>>> {
        (0..FEW).map(|first| (first..paths.len()).step_by(FEW).map(|at| get(at, headers)).collect()).collect()
    };
    let repeated = |headers: &str| -> Vec<Vec<Vec<u8>>> {
        let of = |connection: usize| (0..scale.writes / 5).map(|step| get(connection * 7 + step, headers)).collect();
        (0..FEW).map(of).collect()
    };
    // What is ready is what is sent: the first page in each form.
    let forms = [
        (GET_NOTHING, GET_FIRST, GET, BATCH_WANTED),
        ("GET of the same JSON, ready", "ours: JSON, for the first time", "ours: JSON, again", ""),
        (
            "GET of the same JSON, zstd, ready",
            "ours: JSON, zstd, for the first time",
            "ours: JSON, zstd, again",
            "accept-encoding: zstd\r\n",
        ),
    ];
    for (limit, first_time, again, headers) in forms {
        let first = exchange(
            &mut TcpStream::connect(ours.address)?,
            &request("GET", &paths[0], headers, b""),
            &mut vec![0; 1 << 20],
        )?;
        let same = Bytes::from(first);
        let bytes = same.len();
        let ready = Server::of(Arc::new(move |_| Ok(same.clone())))?;
        table.push(
            Row::one(Who::Limit, limit, rate(ready.address, &repeated(headers))?).noted(format!("{bytes} bytes")),
        );
        table.push(Row::one(Who::Ours, first_time, rate(ours.address, &once(headers))?));
        table.push(Row::one(Who::Ours, again, rate(ours.address, &repeated(headers))?));
    }
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
fn devices(seed: u64, devices: usize, pushes: usize, batch: usize, form: Form) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut random = Random::new(seed);
    let device = |device: usize| -> Result<Vec<Vec<u8>>> {
        let workload = Workload::new(seed * 1_000 + device as u64, pushes * batch, ALONE);
        let entries = workload::entries(&workload);
        let mut attempt = 0;
        let pushes = entries.chunks(batch).map(|entries| {
            attempt += 1;
            // As a device makes them: behind the time, random bits.
            let intent = |time: u64, random: u128| u128::from(time) << 80 | random >> 48;
            let mut intents =
                |entry: &Entry| Entry { intent: Some(intent(entry.origin.time, random.u128())), ..entry.clone() };
            let push =
                PushRequest { entries: entries.iter().map(&mut intents).collect(), attempt: Some(attempt).into() };
            let path = "/sync/actions";
            Ok(match form {
                Form::Json => request("POST", path, JSON_FORM, actions::push(&push).as_bytes()),
                Form::Batch if batch == 1 => {
                    request("POST", path, "content-type: application/vnd.sync.batch\r\n", &compact::push(&push))
                }
                Form::Batch => request("POST", path, BATCH_FORM, &zstd::bulk::compress(&compact::push(&push), 1)?),
            })
        });
        pushes.collect()
    };
    (0..devices).map(device).collect()
}
