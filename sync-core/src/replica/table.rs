//! Tables of the store's map: the one that is in use, the one that a snapshot goes into, and what is left of others.

use super::Replica;
use super::session::Session;
use crate::error::Error;
use crate::model::codec::{self, Reader, Writer};
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::records::Table;
use crate::seal;
use crate::store::{Checkpoint, KeyValue};
use crate::transport::{Cursor, SnapshotPage};

/// Where the token of the next page is kept while a hub's snapshot is being taken in.
const BEGUN: &[u8] = b"b";
/// How many rows are dropped at a time.
const SWEEP: usize = 1_024;

/// A snapshot that is being taken in.
pub(super) struct Begun {
    pub(super) table: Table,
    /// Which page is next.
    pub(super) token: String,
    /// The greatest logical time before that.
    pub(super) latest: u64,
    /// Where the hub's log was at the page before.
    pub(super) seen: Cursor,
}

impl Session {
    /// Where the hub's snapshot goes on, or begins.
    pub(super) fn resume_snapshot(&self) -> Result<Begun, Error> {
        let table = self.state().table.next();
        match self.begun_snapshot()? {
            Some(begun) if begun.table == table && !begun.token.is_empty() => Ok(begun),
            _ => self.begin_anew(),
        }
    }

    /// The hub's snapshot from its first page.
    pub(super) fn begin_anew(&self) -> Result<Begun, Error> {
        let table = self.begin_snapshot()?;
        Ok(Begun { table, token: String::new(), latest: 0, seen: Cursor::default() })
    }

    /// Empties the table that a snapshot goes into.
    pub(super) fn begin_snapshot(&self) -> Result<Table, Error> {
        let table = self.state().table.next();
        // First of all: nobody goes on with what is in the table.
        self.end_snapshot()?;
        self.sweep(table)?;
        Ok(table)
    }

    /// What came of a snapshot that cannot be used goes.
    pub(super) fn give_up_snapshot(&self, table: Table) -> Result<(), Error> {
        // What failed may have failed after the switch: then these are the records.
        if self.state().table == table {
            return Ok(());
        }
        self.end_snapshot()?;
        self.sweep(table)
    }

    /// No snapshot is being taken in any more.
    pub(super) fn end_snapshot(&self) -> Result<(), Error> {
        self.change_map(none_begun())
    }

    pub(super) fn store_page(&self, table: Table, page: SnapshotPage, latest: u64) -> Result<SnapshotPage, Error> {
        let begun = page.next.clone().map(|token| Begun { table, token, latest, seen: page.cursor });
        self.store_records(table, &page.records, begun)?;
        Ok(SnapshotPage { records: Vec::new(), ..page })
    }

    /// Puts records into a table, and where it goes on.
    pub(super) fn store_records(
        &self,
        table: Table,
        records: &[(EntityKey, Record)],
        begun: Option<Begun>,
    ) -> Result<(), Error> {
        let mut change = Checkpoint::default();
        for (key, record) in records {
            let (place, row) = table.row(key, record);
            if record.is_empty() {
                change.drops.push(place);
            } else {
                change.puts.push((place, row));
            }
        }
        change.puts.extend(begun.map(|begun| begun.row()));
        self.change_map(change)
    }

    /// Drops what a table holds.
    pub(super) fn sweep(&self, table: Table) -> Result<(), Error> {
        self.sweep_table(table, |change| self.change_map(change))
    }
}

impl Replica {
    /// Drops what was left by a process that ended in the middle of taking a snapshot in, or of leaving a table.
    pub(super) fn sweep_leftovers(&self) -> Result<(), Error> {
        let mut kept = vec![self.state().table];
        kept.extend(self.begun_snapshot()?.filter(|begun| !begun.token.is_empty()).map(|begun| begun.table));
        self.with_checkpointer(|| self.sweep_tables_but(&kept))
    }

    /// Drops all tables but these. Only for whoever makes a checkpoint, or sees to it that nobody does.
    pub(super) fn sweep_tables_but(&self, kept: &[Table]) -> Result<(), Error> {
        let store = self.inner.journal.store();
        let (mut from, end) = Table::all();
        while let Some((place, _)) = store.range(&from, &end, 1)?.first() {
            let Some(table) = Table::of(place) else { break };
            if !kept.contains(&table) {
                self.sweep_table(table, |change| self.change_map_now(change))?;
            }
            from = table.bounds(None).1;
            if from >= end {
                break;
            }
        }
        Ok(())
    }

    fn begun_snapshot(&self) -> Result<Option<Begun>, Error> {
        let Some(row) = self.inner.journal.store().get(BEGUN)? else { return Ok(None) };
        let body = seal::open(BEGUN, &row)?;
        let mut r = Reader::plain(body);
        let begun = Begun::read(&mut r);
        Ok(Some(begun.map_err(|error| seal::unreadable(BEGUN, &error))?))
    }

    /// Drops what a table holds, some of it at a time.
    pub(super) fn sweep_table(
        &self,
        table: Table,
        change: impl Fn(Checkpoint) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (from, to) = table.bounds(None);
        self.sweep_range(&from, &to, change)
    }

    pub(super) fn sweep_range(
        &self,
        from: &[u8],
        to: &[u8],
        change: impl Fn(Checkpoint) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            let rows = self.inner.journal.store().range(from, to, SWEEP)?;
            if rows.is_empty() {
                return Ok(());
            }
            change(Checkpoint { drops: rows.into_iter().map(|(place, _)| place).collect(), ..Checkpoint::default() })?;
        }
    }

    /// Changes the map beside the records that are in use: what it covers stays as it is. Only for whoever makes a
    /// checkpoint, or sees to it that nobody does.
    pub(super) fn change_map_now(&self, change: Checkpoint) -> Result<(), Error> {
        let covers = self.covers()?;
        Ok(self.inner.journal.store().checkpoint(&Checkpoint { covers, ..change })?)
    }
}

impl Begun {
    fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        let (table, token) = (Table(r.u8()?), r.text()?.to_owned());
        Ok(Self { table, token, latest: r.u64()?, seen: Cursor::read(r)? })
    }

    fn row(&self) -> KeyValue {
        let mut w = Writer::plain();
        w.u8(self.table.0);
        w.text(&self.token);
        w.u64(self.latest);
        self.seen.write(&mut w);
        (BEGUN.to_vec(), seal::written(BEGUN, w))
    }
}

/// The change that says that no snapshot is being taken in.
pub(super) fn none_begun() -> Checkpoint {
    Checkpoint { drops: vec![BEGUN.to_vec()], ..Checkpoint::default() }
}
