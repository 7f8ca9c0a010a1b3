//! A whole history, onto disk and shown.

use std::time::Instant;

use super::Scale;
use crate::input::{BATCH, Input};
use crate::measure::{self, Result, Row, Table, Who, ms};
use crate::peer::ours::{self, Canned};
use crate::peer::raw_redb::RawRedb;
use crate::peer::sqlite::Sqlite;
use crate::workload;

pub(crate) const OURS: &str = "ours: sync, pages of 1000, redb";
pub(crate) const REDB: &str = "raw redb, log and state, one transaction";
pub(crate) const SQLITE: &str = "sqlite, log and state, one transaction";

pub(crate) fn run(key: &'static str, input: &Input, scale: Scale) -> Result<Table> {
    let count = input.entries.len();
    let mut table = Table::new(key, format!("{count} actions onto disk, durable"), "ms");
    let canned = Canned::new(&input.entries, std::iter::repeat_n(BATCH, count.div_ceil(BATCH)));
    table.push(Row::new(
        Who::Ours,
        OURS,
        times(scale, |dir| {
            let replica = ours::on_disk(&dir.join("ours"))?;
            let begin = Instant::now();
            ours::sync(&replica, &canned)?;
            let taken = ms(begin.elapsed());
            measure::same(OURS, &workload::by_id(ours::list(&replica)?), &input.expected)?;
            Ok(taken)
        })?,
    ));
    table.push(Row::new(
        Who::Peer,
        REDB,
        times(scale, |dir| {
            let redb = RawRedb::open(&dir.join("redb"))?;
            let begin = Instant::now();
            redb.take_all(&input.plain)?;
            let taken = ms(begin.elapsed());
            measure::same(REDB, &redb.notes()?, &input.expected)?;
            Ok(taken)
        })?,
    ));
    table.push(Row::new(
        Who::Peer,
        SQLITE,
        times(scale, |dir| {
            let mut sqlite = Sqlite::open(Some(&dir.join("sqlite")))?;
            let begin = Instant::now();
            sqlite.take_all(&input.plain)?;
            let taken = ms(begin.elapsed());
            measure::same(SQLITE, &sqlite.notes()?, &input.expected)?;
            Ok(taken)
        })?,
    ));
    Ok(table)
}

fn times(scale: Scale, mut run: impl FnMut(&std::path::Path) -> Result<f64>) -> Result<Vec<f64>> {
    (0..scale.repeats.min(5)).map(|_| run(tempfile::tempdir()?.path())).collect()
}
