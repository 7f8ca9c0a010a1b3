//! What was accepted since the last checkpoint, found by name.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::batch::{Intents, Logged};
use super::index::{Foreign, Intended, MapRow, Numbers, Place, Run};
use super::row::Row;
use crate::hashed::HashMap;
use crate::model::digest::Digest;
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::{ClientId, Dot};
use crate::store::Position;

/// The entries that the checkpoint's indexes lack.
#[derive(Default)]
pub(super) struct Tail {
    rows: VecDeque<(Position, Arc<Row>)>,
    entries: usize,
    /// Of the entries, as they are kept.
    bytes: usize,
    /// Each client's entries by the number of the first of those that stand together.
    stretches: HashMap<ClientId, BTreeMap<u64, Stretch>>,
    /// By the last of each run.
    intents: BTreeMap<u128, Run>,
    foreign: HashMap<ClientId, HashMap<Arc<str>, Foreign>>,
}

/// Consecutive entries of one client in one row.
#[derive(Clone)]
struct Stretch {
    row: Arc<Row>,
    numbers: Numbers,
}

/// What was accepted, as the indexes of a checkpoint take it in.
pub(super) struct FrozenTail {
    rows: Vec<(Position, Arc<Row>)>,
    stretches: Vec<(Dot, Numbers)>,
}

impl Tail {
    /// Takes a row whose entries were read. `known` gives a client's digest before its entries in the row.
    pub(super) fn push(&mut self, position: Position, row: &Arc<Row>, mut known: impl FnMut(&ClientId) -> Digest) {
        let Some(batch) = row.batch() else { return };
        let entries = read(row);
        let mut at = 0;
        for stretch in batch.stretches() {
            let seq = row.start.seq + 1 + at as u64;
            let before = known(&stretch.client);
            let numbers = Numbers { first: stretch.first, seq, before, position };
            let stretches = self.stretches.entry(stretch.client.clone()).or_default();
            stretches.insert(stretch.first, Stretch { row: row.clone(), numbers });
            let those = &entries[at..at + stretch.count as usize];
            for (seq, Logged { entry, .. }) in (seq..).zip(those).filter(|_| stretch.is_foreign) {
                let Some(id) = &entry.foreign_id else { continue };
                let ids = self.foreign.entry(entry.origin.author().clone()).or_default();
                ids.insert(id.clone(), Foreign { seq, content: foreign_content(entry) });
            }
            at += stretch.count as usize;
        }
        for run in batch.intents() {
            self.intents.extend(intents(row, run).map(|known| (run.last(), known)));
        }
        self.entries += entries.len();
        self.bytes += batch.bytes().len();
        self.rows.push_back((position, row.clone()));
    }

    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// How many bytes the entries have as they are kept; in memory they are several times as large.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the last `count` entries are about.
    pub(super) fn last(&self, count: usize) -> impl Iterator<Item = &EntityKey> {
        let backwards = self.rows.iter().rev().flat_map(|(_, row)| read(row).iter().rev());
        backwards.take(count).map(|logged| &logged.entry.key)
    }

    pub(super) fn place(&self, dot: &Dot) -> Option<Place> {
        let (_, stretch) = self.stretches.get(&dot.client)?.range(..=dot.n).next_back()?;
        stretch.numbers.place(dot, stretch.row.start.seq, read(&stretch.row))
    }

    pub(super) fn intent(&self, intent: u128) -> Option<Intended> {
        let (last, run) = self.intents.range(intent..).next()?;
        run.at(*last, intent)
    }

    pub(super) fn foreign(&self, author: &ClientId, id: &str) -> Option<&Foreign> {
        self.foreign.get(author)?.get(id)
    }

    pub(super) fn freeze(&self) -> FrozenTail {
        let each = self.rows.iter().filter_map(|(_, row)| row.batch()).flat_map(|batch| batch.stretches());
        let stretches = each.filter_map(|stretch| {
            let numbers = &self.stretches.get(&stretch.client)?.get(&stretch.first)?.numbers;
            Some((Dot::new(stretch.client.clone(), stretch.last()), numbers.clone()))
        });
        FrozenTail { stretches: stretches.collect(), rows: self.rows.iter().cloned().collect() }
    }

    /// The checkpoint has taken these in.
    pub(super) fn thaw(&mut self, frozen: &FrozenTail) {
        for (_, row) in self.rows.drain(..frozen.rows.len()) {
            let Some(batch) = row.batch() else { continue };
            self.entries -= batch.len() as usize;
            self.bytes -= batch.bytes().len();
            for stretch in batch.stretches() {
                if let Some(stretches) = self.stretches.get_mut(&stretch.client) {
                    stretches.remove(&stretch.first);
                    if stretches.is_empty() {
                        self.stretches.remove(&stretch.client);
                    }
                }
            }
            for run in batch.intents() {
                self.intents.remove(&run.last());
            }
            for Logged { entry, .. } in read(&row) {
                let author = entry.origin.author();
                if let (Some(id), Some(ids)) = (&entry.foreign_id, self.foreign.get_mut(author)) {
                    ids.remove(id);
                    if ids.is_empty() {
                        self.foreign.remove(author);
                    }
                }
            }
        }
    }
}

impl FrozenTail {
    pub(super) fn rows(&self) -> Vec<MapRow> {
        let mut rows: Vec<MapRow> = self.stretches.iter().map(|(last, numbers)| numbers.row(last)).collect();
        for (_, row) in &self.rows {
            let Some(batch) = row.batch() else { continue };
            rows.extend(batch.intents().iter().filter_map(|run| Some(intents(row, run)?.row(run.last()))));
            for (seq, Logged { entry, .. }) in (row.start.seq + 1..).zip(read(row)) {
                if let Some(id) = &entry.foreign_id {
                    let foreign = Foreign { seq, content: foreign_content(entry) };
                    rows.push(foreign.row(entry.origin.author(), id));
                }
            }
        }
        rows
    }
}

/// The entries of a row that is in the tail: they were read when it was taken in.
fn read(row: &Row) -> &[Logged] {
    row.entries().unwrap_or_default()
}

fn intents(row: &Row, run: &Intents) -> Option<Run> {
    let dot = row.batch()?.dot(run.at)?;
    Some(Run { count: run.count, first: Intended { dot, seq: row.start.seq + 1 + run.at } })
}

/// The hash of what a foreign client sent, without what the hub added when it admitted it.
pub(super) fn foreign_content(entry: &Entry) -> Digest {
    let mut sent = entry.clone();
    sent.origin.dot = Dot::new(entry.origin.author().clone(), 0);
    // It may have been corrected.
    sent.origin.time = 0;
    sent.replaces.clear();
    sent.of.clear();
    sent.saw.clear();
    sent.hash()
}
