//! Writes on this device, durable, behind a history.

use std::path::Path;
use std::time::Instant;

use sync_core::{Id, Replica};

use super::Scale;
use crate::clock::each;
use crate::input::Input;
use crate::measure::{Result, Row, Table, Who, ms};
use crate::peer::limit::Log;
use crate::peer::ours::{self, Canned};
use crate::peer::raw_redb::RawRedb;
use crate::peer::sqlite::Sqlite;
use crate::workload::{Action, Note, Patch, PlainAction, What};

pub(crate) const OURS: &str = "ours: edit, wait";
pub(crate) const REDB: &str = "raw redb, log alone";
pub(crate) const SQLITE: &str = "sqlite, log and state";
pub(crate) const TOGETHER: &str = "ours: one transaction";
pub(crate) const ONE: &str = "ours: 1 thread";
pub(crate) const EIGHT: &str = "ours: 8 threads";

/// As many edits as a transaction may have.
const GROUP: usize = 1_000;

struct Bench<'a> {
    input: &'a Input,
    notes: Vec<usize>,
    dir: &'a Path,
    writes: usize,
}

pub(crate) fn run(input: &Input, scale: Scale) -> Result<[Table; 3]> {
    let dir = tempfile::tempdir()?;
    let live = (0..input.workload.ids.len()).filter(|note| input.expected.contains_key(&input.workload.ids[*note]));
    let bench = Bench { input, notes: live.collect(), dir: dir.path(), writes: scale.writes };
    let replica = ours::on_disk(&dir.path().join("ours"))?;
    let pages = input.entries.len().div_ceil(crate::input::BATCH);
    ours::sync(&replica, &Canned::new(&input.entries, std::iter::repeat_n(crate::input::BATCH, pages)))?;
    let (redb, mut sqlite) =
        (RawRedb::open(&dir.path().join("redb"))?, Sqlite::open(Some(&dir.path().join("sqlite")))?);
    redb.take_all(&input.plain)?;
    sqlite.take_all(&input.plain)?;
    sqlite.settle()?;
    let single = bench.single(&replica, &redb, &mut sqlite)?;
    let together = bench.together(&replica, &redb, &mut sqlite, scale)?;
    let threads = bench.threads(&replica)?;
    Ok([single, together, threads])
}

impl Bench<'_> {
    fn note(&self, step: usize) -> usize {
        self.notes[step * 7919 % self.notes.len()]
    }

    fn id(&self, step: usize) -> Id<Note> {
        Id::new(self.input.workload.ids[self.note(step)])
    }

    fn plain<'a>(&self, step: usize, title: &'a str) -> PlainAction<'a> {
        let note = self.input.workload.ids[self.note(step)].as_u128();
        let time = 1_800_000_000_000 + step as u64;
        PlainAction { note, time, client: 0, kind: 1, title: Some(title), body: None, pinned: None, tags: None }
    }

    fn first(&self, step: usize) -> u64 {
        (self.input.entries.len() + step + 1) as u64
    }

    fn single(&self, replica: &Replica, redb: &RawRedb, sqlite: &mut Sqlite) -> Result<Table> {
        let mut table = Table::new("edit", format!("one edit, durable, after {}", self.input.entries.len()), "ms");
        let steps = || 0..self.writes;
        let mut log = Log::create(&self.dir.join("log"))?;
        table.push(Row::new(Who::Limit, "append, fdatasync", each(steps(), |step| log.append(&row(step, "append")?))?));
        table.push(Row::new(
            Who::Ours,
            OURS,
            each(steps(), |step| {
                replica.edit(&self.id(step), |note| note.title = title(step))?.wait()?;
                Ok(())
            })?,
        ));
        table.push(Row::new(
            Who::Peer,
            REDB,
            each(steps(), |step| redb.append(self.first(step), [&row(step, "redb")?[..]]))?,
        ));
        table.push(Row::new(
            Who::Peer,
            "raw redb, log and state",
            each(steps(), |step| redb.take(self.first(self.writes + step), [&self.plain(step, &title(step))]))?,
        ));
        table.push(Row::new(
            Who::Peer,
            SQLITE,
            each(steps(), |step| sqlite.take(self.first(step), [&self.plain(step, &title(step))]))?,
        ));
        if let Some(peers) = &self.input.peers {
            let action = |step: usize| Action {
                client: 0,
                n: 0,
                time: 0,
                note: self.note(step),
                what: What::Update(Patch { title: Some(title(step)), ..Patch::default() }),
            };
            peers.edits(&mut table, &self.input.workload, &mut log, self.writes, &action)?;
        }
        Ok(table)
    }

    fn together(&self, replica: &Replica, redb: &RawRedb, sqlite: &mut Sqlite, scale: Scale) -> Result<Table> {
        let mut table = Table::new("edits", format!("{GROUP} edits in one transaction, durable, each"), "us");
        let rounds = || 0..scale.repeats;
        // A thousandth of a millisecond for each of a thousand edits.
        let per_edit =
            |samples: Vec<f64>| -> Vec<f64> { samples.into_iter().map(|ms| ms * 1e3 / GROUP as f64).collect() };
        let base = |round: usize| (round + 1) * 1_000_000;
        table.push(Row::new(
            Who::Ours,
            TOGETHER,
            per_edit(each(rounds(), |round| {
                let edits = |tx: &mut sync_core::replica::Transaction<'_>| {
                    (0..GROUP)
                        .try_for_each(|step| tx.edit(&self.id(step), |note| note.title = title(base(round) + step)))
                };
                Ok(replica.transaction(edits)?.wait()?)
            })?),
        ));
        table.push(Row::new(
            Who::Peer,
            "raw redb, log alone",
            per_edit(each(rounds(), |round| {
                let rows: Vec<Vec<u8>> =
                    (0..GROUP).map(|step| row(base(round) + step, "redb")).collect::<Result<_>>()?;
                redb.append(self.first(base(round)), rows.iter().map(|row| &row[..]))
            })?),
        ));
        let titles = |round: usize| -> Vec<String> { (0..GROUP).map(|step| title(base(round) + step)).collect() };
        table.push(Row::new(
            Who::Peer,
            "raw redb, log and state",
            per_edit(each(rounds(), |round| {
                let titles = titles(round);
                let edits: Vec<_> = titles.iter().enumerate().map(|(step, title)| self.plain(step, title)).collect();
                redb.take(self.first(base(round) + GROUP), &edits)
            })?),
        ));
        table.push(Row::new(
            Who::Peer,
            SQLITE,
            per_edit(each(rounds(), |round| {
                let titles = titles(round);
                let edits: Vec<_> = titles.iter().enumerate().map(|(step, title)| self.plain(step, title)).collect();
                sqlite.take(self.first(base(round)), &edits)
            })?),
        ));
        Ok(table)
    }

    fn threads(&self, replica: &Replica) -> Result<Table> {
        let mut table = Table::of_rates("threads", "edits, each waited for, from several threads", "edits/s");
        for (name, threads) in [(ONE, 1), (EIGHT, 8)] {
            let begin = Instant::now();
            std::thread::scope(|scope| {
                let write = |thread: usize| {
                    for step in 0..self.writes {
                        let step = (step * threads + thread) * 3 + threads;
                        replica.edit(&self.id(step), |note| note.title = title(step))?.wait()?;
                    }
                    Ok(())
                };
                let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(move || write(thread))).collect();
                let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| "a writer panicked")?);
                ended.collect::<Result<()>>()
            })?;
            let rate = (threads * self.writes) as f64 * 1e3 / ms(begin.elapsed());
            table.push(Row::one(Who::Ours, name, rate));
        }
        Ok(table)
    }
}

fn title(step: usize) -> String {
    format!("an edited title, number {step:08}")
}

/// A row of a log, as an edit makes one.
fn row(step: usize, client: &str) -> Result<Vec<u8>> {
    Ok(postcard::to_stdvec(&(client, step as u64, step as u128, title(step)))?)
}
