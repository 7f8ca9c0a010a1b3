//! A hundred downloaded actions, durable and visible, behind histories of growing length.

use std::path::Path;

use super::Scale;
use crate::clock::each;
use crate::input::BATCH;
use crate::measure::{self, Result, Row, Table, Who};
use crate::peer::limit::{Log, OwnedById, fold_postcard};
use crate::peer::ours::{self, Canned};
use crate::peer::raw_redb::RawRedb;
use crate::peer::sqlite::Sqlite;
use crate::peer::{automerge, loro, yrs};
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
        crdts(&mut table, &workload, history, dir.path())?;
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

/// Peers that keep their state in memory: an append makes it durable.
fn crdts(table: &mut Table, workload: &Workload, history: usize, dir: &Path) -> Result<()> {
    let mut log = Log::create(&dir.join("crdts"))?;
    // They take whole sessions: their times are those of a hundred actions.
    let ends: Vec<usize> = {
        let sessions = workload.sessions();
        let lengths = sessions.iter().flatten().map(|session| session.len());
        lengths
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect()
    };
    let first = ends.partition_point(|end| *end <= history);
    let scaled = |samples: Vec<f64>| -> Vec<f64> {
        let lengths = (first..ends.len()).map(|at| ends[at] - ends[at - 1]);
        samples.into_iter().zip(lengths).map(|(sample, length)| sample * SIZE as f64 / length as f64).collect()
    };
    let note = "whole sessions, their time for a hundred actions";
    let made = loro::history(workload)?.sessions;
    let doc = loro::import(&made[..first])?;
    let samples = each(&made[first..], |update| {
        log.append(update)?;
        doc.import(update)?;
        Ok(())
    })?;
    table.push(Row::new(Who::Peer, "loro, append", scaled(samples)).noted(note));
    let made = yrs::history(workload)?.sessions;
    let peer = yrs::import(&made[..first])?;
    let samples = each(&made[first..], |update| {
        log.append(update)?;
        peer.apply(update)
    })?;
    table.push(Row::new(Who::Peer, "yrs, append", scaled(samples)).noted(note));
    let made = automerge::history(workload)?;
    let mut doc = automerge::decode(&made.changes[..made.ends[first - 1]])?;
    let samples = each(first..ends.len(), |at| {
        let changes = &made.changes[made.ends[at - 1]..made.ends[at]];
        log.append(&changes.concat())?;
        automerge::more(&mut doc, changes)
    })?;
    table.push(Row::new(Who::Peer, "automerge, append", scaled(samples)).noted(note));
    Ok(())
}
