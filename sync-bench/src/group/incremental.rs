//! A hundred downloaded actions, durable and visible, behind histories of growing length.

use std::path::Path;

use super::Scale;
use crate::clock::each;
use crate::input::BATCH;
use crate::measure::{self, Result, Row, Table, Who};
use crate::peer::crdt;
use crate::peer::limit::{Log, OwnedById, fold_postcard};
use crate::peer::ours::{self, Canned};
use crate::peer::raw_redb::RawRedb;
use crate::peer::sqlite::Sqlite;
use crate::workload::{self, Note, PlainAction, SHARED, Workload};

const SIZE: usize = 100;

pub(crate) const LIMIT: &str = "hash map, append, fdatasync";
pub(crate) const OURS: &str = "ours: sync";
pub(crate) const READ: &str = "ours: sync, and read the touched notes typed";
pub(crate) const SQLITE: &str = "sqlite, log and state";

/// `history` actions, and after them batches of a hundred.
pub(crate) fn run(key: &'static str, seed: u64, history: usize, scale: Scale, peers: bool) -> Result<Table> {
    let batches = scale.writes.div_ceil(10).clamp(10, 50);
    let workload = Workload::new(seed, history + batches * SIZE, SHARED);
    let mut table = Table::new(key, format!("{SIZE} actions more, after {history}: durable and visible"), "ms");
    let dir = tempfile::tempdir()?;
    let plain = workload::postcard(&workload, SIZE);
    let (before, after) = plain.split_at(history / SIZE);
    let mut map = OwnedById::new();
    fold_postcard(&mut map, before)?;
    let mut log = Log::create(&dir.path().join("log"))?;
    table.push(Row::new(
        Who::Limit,
        LIMIT,
        each(after, |batch| {
            log.append(batch)?;
            fold_postcard(&mut map, std::slice::from_ref(batch))
        })?,
    ));
    drop(map);
    ours(&mut table, &workload, history, batches, dir.path())?;
    let mut sqlite = Sqlite::open(Some(&dir.path().join("sqlite")))?;
    let redb = RawRedb::open(&dir.path().join("redb"))?;
    sqlite.take_all(before)?;
    sqlite.settle()?;
    redb.take_all(before)?;
    let mut first = history as u64 + 1;
    table.push(Row::new(
        Who::Peer,
        SQLITE,
        each(after, |batch| {
            let actions: Vec<PlainAction<'_>> = postcard::from_bytes(batch)?;
            first += SIZE as u64;
            sqlite.take(first, &actions)
        })?,
    ));
    table.push(Row::new(
        Who::Peer,
        "raw redb, log and state",
        each(after, |batch| {
            let actions: Vec<PlainAction<'_>> = postcard::from_bytes(batch)?;
            first += SIZE as u64;
            redb.take(first, &actions)
        })?,
    ));
    if peers {
        crdt::more(&mut table, &workload, history, SIZE, dir.path())?;
    }
    Ok(table)
}

fn ours(table: &mut Table, workload: &Workload, history: usize, batches: usize, dir: &Path) -> Result<()> {
    let entries = workload::entries(workload);
    let pages = history / BATCH;
    let canned = Canned::new(&entries, std::iter::repeat_n(BATCH, pages).chain(std::iter::repeat_n(SIZE, batches)));
    for (name, read) in [(OURS, false), (READ, true)] {
        let replica = ours::on_disk(&dir.join(name.replace(|c: char| !c.is_ascii_alphanumeric(), "")))?;
        canned.serve(pages);
        ours::sync(&replica, &canned)?;
        // As SQLite settles: what the download before left to do is not this one's.
        replica.checkpoint()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let samples = each(0..batches, |batch| {
            canned.serve(pages + batch + 1);
            runtime.block_on(replica.sync(&canned))?;
            let touched = &workload.actions[history + batch * SIZE..][..SIZE];
            for action in touched.iter().filter(|_| read) {
                replica.get(&sync_core::Id::<Note>::new(workload.ids[action.note]))?;
            }
            Ok(())
        })?;
        table.push(Row::new(Who::Ours, name, samples));
        measure::same(name, &workload::by_id(ours::list(&replica)?), &workload::expected(workload))?;
    }
    Ok(())
}
