//! How many bytes an action takes.

use std::path::Path;

use crate::input::{BATCH, Input};
use crate::measure::{Result, Row, Table, Who};
use crate::peer::crdt;
use crate::peer::ours::{self, Canned};
use crate::peer::raw_redb::RawRedb;
use crate::peer::sqlite::Sqlite;
use crate::workload::What;

/// As the transport compresses.
const LEVEL: i32 = 3;

pub(crate) fn transfer(input: &Input) -> Result<Table> {
    let mut table = Table::new("transfer", format!("bytes an action, in batches of {BATCH}"), "B");
    let each = |bytes: usize| bytes as f64 / input.entries.len() as f64;
    let raw = |batches: &[Vec<u8>]| each(batches.iter().map(Vec::len).sum());
    let packed = |batches: &[Vec<u8>]| -> Result<f64> {
        Ok(each(batches.iter().map(|batch| Ok(zstd::bulk::compress(batch, LEVEL)?.len())).sum::<Result<usize>>()?))
    };
    let texts =
        |range: std::ops::Range<usize>| -> Vec<u8> { input.workload.actions[range].iter().flat_map(text).collect() };
    let count = input.entries.len();
    let floor: Vec<Vec<u8>> = (0..count).step_by(BATCH).map(|at| texts(at..(at + BATCH).min(count))).collect();
    table.push(Row::one(Who::Limit, "the texts alone, zstd", packed(&floor)?));
    table.push(Row::one(Who::Ours, "ours: encode_batch", raw(&input.batches)));
    table.push(Row::one(Who::Ours, "ours: encode_batch, zstd", packed(&input.batches)?));
    let pages = ours::json_pages(&input.entries, BATCH);
    table.push(Row::one(Who::Ours, "ours: pages of JSON", raw(&pages)));
    table.push(Row::one(Who::Ours, "ours: pages of JSON, zstd", packed(&pages)?));
    table.push(Row::one(Who::Peer, "plain JSON lines, zstd", packed(&input.lines)?));
    table.push(Row::one(Who::Peer, "postcard, zstd", packed(&input.plain)?));
    Ok(table)
}

pub(crate) fn whole(input: &Input) -> Result<Table> {
    let mut table = Table::new("whole", "bytes an action, the whole log", "B");
    let each = |bytes: usize| bytes as f64 / input.entries.len() as f64;
    let packed = |bytes: &[u8]| -> Result<f64> { Ok(each(zstd::bulk::compress(bytes, LEVEL)?.len())) };
    let texts: Vec<u8> = input.workload.actions.iter().flat_map(text).collect();
    table.push(Row::one(Who::Limit, "the texts alone, zstd", packed(&texts)?));
    let whole = ours::batches(&input.entries, usize::MAX);
    table.push(Row::one(Who::Ours, "ours: encode_batch", each(whole[0].len())));
    table.push(Row::one(Who::Ours, "ours: encode_batch, zstd", packed(&whole[0])?));
    for (name, bytes, note) in input.peers.iter().flat_map(crdt::Histories::stored) {
        let size = if name.ends_with("zstd") { packed(bytes)? } else { each(bytes.len()) };
        let row = Row::one(Who::Peer, name, size);
        table.push(if note.is_empty() { row } else { row.noted(note) });
    }
    Ok(table)
}

pub(crate) fn at_rest(input: &Input) -> Result<Table> {
    let mut table = Table::new("rest", "bytes an action, at rest with the state", "B");
    let dir = tempfile::tempdir()?;
    let each = |file: &Path| -> Result<f64> { Ok(std::fs::metadata(file)?.len() as f64 / input.entries.len() as f64) };
    let path = dir.path().join("ours");
    let replica = ours::on_disk(&path)?;
    let pages = input.entries.len().div_ceil(BATCH);
    ours::sync(&replica, &Canned::new(&input.entries, std::iter::repeat_n(BATCH, pages)))?;
    ours::close(replica, &path)?;
    let replica = ours::on_disk(&path)?;
    replica.checkpoint()?;
    ours::close(replica, &path)?;
    table.push(Row::one(Who::Ours, "ours: journal and records", each(&path)?));
    let replica = ours::on_disk(&path)?;
    replica.compact()?;
    ours::close(replica, &path)?;
    table.push(Row::one(Who::Ours, "ours: compacted", each(&path)?).noted("the log of what is decided was dropped"));
    let path = dir.path().join("redb");
    let redb = RawRedb::open(&path)?;
    redb.take_all(&input.plain)?;
    redb.compact()?;
    table.push(Row::one(Who::Peer, "raw redb, compacted", each(&path)?));
    let path = dir.path().join("sqlite");
    let mut sqlite = Sqlite::open(Some(&path))?;
    sqlite.take_all(&input.plain)?;
    sqlite.settle()?;
    drop(sqlite);
    table.push(Row::one(Who::Peer, "sqlite", each(&path)?));
    Ok(table)
}

/// What people typed in an action.
fn text(action: &crate::workload::Action) -> Vec<u8> {
    let (title, body, tags) = match &action.what {
        What::Create(content) => (Some(&content.title), Some(&content.body), Some(&content.tags)),
        What::Update(patch) => (patch.title.as_ref(), patch.body.as_ref(), patch.tags.as_ref()),
        What::Delete => (None, None, None),
    };
    let texts = title.into_iter().chain(body).chain(tags.into_iter().flatten());
    texts.flat_map(|text| text.bytes().chain([b'\n'])).collect()
}
