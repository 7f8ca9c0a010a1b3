//! Opening what is stored, and listing every note that lives.

use std::time::Instant;

use super::Scale;
use crate::input::{BATCH, Input};
use crate::measure::{self, Result, Row, Table, Who, ms};
use crate::peer::crdt;
use crate::peer::ours::{self, Canned};
use crate::peer::raw_redb::RawRedb;
use crate::peer::sqlite::Sqlite;
use crate::workload::{Content, Notes};
use sync_core::Uuid;

pub(crate) const OURS: &str = "ours: open, list";
pub(crate) const REDB: &str = "raw redb, open, iterate";

pub(crate) fn run(input: &Input, scale: Scale) -> Result<Table> {
    let count = input.entries.len();
    let mut table =
        Table::new("open", format!("open after {count} actions, list all {} notes typed", input.expected.len()), "ms");
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("postcard");
    let notes: Vec<(u128, &Content)> = input.expected.iter().map(|(id, content)| (id.as_u128(), content)).collect();
    std::fs::write(&file, postcard::to_stdvec(&notes)?)?;
    row(&mut table, Who::Limit, "a file of postcard", input, scale, || {
        let notes: Vec<(u128, Content)> = postcard::from_bytes(&std::fs::read(&file)?)?;
        Ok(move || notes.into_iter().map(|(id, content)| (Uuid::from_u128(id), content)).collect())
    })?;
    let file = dir.path().join("ours");
    let replica = ours::on_disk(&file)?;
    ours::sync(&replica, &Canned::new(&input.entries, std::iter::repeat_n(BATCH, count.div_ceil(BATCH))))?;
    ours::close(replica, &file)?;
    let replica = ours::on_disk(&file)?;
    replica.checkpoint()?;
    ours::close(replica, &file)?;
    let file = &file;
    row(&mut table, Who::Ours, OURS, input, scale, || {
        let replica = ours::on_disk(file)?;
        let notes = ours::list(&replica)?;
        Ok(move || {
            let _ = ours::close(replica, file);
            crate::workload::by_id(notes)
        })
    })?;
    let file = dir.path().join("redb");
    let redb = RawRedb::open(&file)?;
    redb.take_all(&input.plain)?;
    drop(redb);
    row(&mut table, Who::Peer, REDB, input, scale, || {
        let redb = RawRedb::open_only(&file)?;
        let notes = redb.list()?;
        Ok(move || {
            drop(redb);
            notes.into_iter().collect()
        })
    })?;
    let file = dir.path().join("sqlite");
    let mut sqlite = Sqlite::open(Some(&file))?;
    sqlite.take_all(&input.plain)?;
    sqlite.settle()?;
    drop(sqlite);
    row(&mut table, Who::Peer, "sqlite, open, select", input, scale, || {
        let sqlite = Sqlite::open_only(&file)?;
        let notes = sqlite.list()?;
        Ok(move || {
            drop(sqlite);
            notes.into_iter().collect()
        })
    })?;
    if let Some(peers) = &input.peers {
        for (name, read) in crdt::OPENINGS {
            row(&mut table, Who::Peer, name, input, scale, || read(peers).map(|notes| move || notes))?;
        }
    }
    Ok(table)
}

fn row<N: FnOnce() -> Notes>(
    table: &mut Table,
    who: Who,
    name: &str,
    input: &Input,
    scale: Scale,
    run: impl Fn() -> Result<N>,
) -> Result<()> {
    let mut samples = Vec::new();
    for _ in 0..scale.repeats {
        let begin = Instant::now();
        let notes = run()?;
        samples.push(ms(begin.elapsed()));
        let notes = notes();
        match crdt::OPENINGS.iter().any(|(crdt, _)| *crdt == name) {
            true => measure::same_ids(name, &notes, &input.expected)?,
            false => measure::same(name, &notes, &input.expected)?,
        }
    }
    table.push(Row::new(who, name, samples));
    Ok(())
}
