//! Under which names this file's writes were accepted, for longer than its journal tells: a hub that lost data has lost
//! that too, and another copy of the file may still bring one of them.
//!
//! In the store's map, the newest row first: `i` and how many rows may come before it.

use std::collections::BTreeMap;

use super::session::Session;
use crate::error::Error;
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::context::VersionVector;
use crate::model::stamp::Dot;
use crate::seal;
use crate::store::{Checkpoint, KeyValue, Store, StoreError};

/// Where they are kept.
pub(super) const INTENTS: u8 = b'i';
/// How many runs one row has at most, and how many rows there are: as many runs as a hub keeps of what it cut off its log,
/// if nothing is said there.
const RUNS: usize = 512;
const ROWS: u64 = 16;
/// How many intents are given back at most, the newest ones.
const MOST: usize = 65_536;

/// Intents that count up, of consecutive entries of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    first: u128,
    count: u64,
    /// Under which name the first was accepted.
    dot: Dot,
}

/// Those that the store's map does not hold yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intents(Vec<Run>);

impl Intents {
    /// A write of this file's was accepted under this name.
    pub(super) fn note(&mut self, intent: Option<u128>, dot: &Dot) {
        if let Some(intent) = intent {
            push(&mut self.0, Run { first: intent, count: 1, dot: dot.clone() });
        }
        // No more than the map takes.
        let most = RUNS * ROWS as usize;
        if self.0.len() >= 2 * most {
            self.0.drain(..most);
        }
    }

    pub(super) fn take(&mut self) -> Vec<Run> {
        std::mem::take(&mut self.0)
    }

    /// They did not come into the map.
    pub(super) fn give_back(&mut self, runs: &[Run]) {
        self.0.splice(..0, runs.iter().cloned());
    }
}

/// Adds a run, to the last one where it goes on with that.
fn push(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        Some(last) if last.goes_on_with(&run) => last.count += run.count,
        _ => runs.push(run),
    }
}

impl Run {
    fn goes_on_with(&self, next: &Run) -> bool {
        self.first.checked_add(u128::from(self.count)) == Some(next.first)
            && self.dot.client == next.dot.client
            && self.dot.n + self.count == next.dot.n
    }

    /// As far as they are of these entries.
    fn within(mut self, vector: &VersionVector) -> Option<Self> {
        let most = (vector.get(&self.dot.client).n + 1).saturating_sub(self.dot.n);
        self.count = self.count.min(most);
        (self.count > 0).then_some(self)
    }

    fn each(&self) -> impl DoubleEndedIterator<Item = (u128, Dot)> + '_ {
        (0..self.count).map(|step| {
            (self.first.wrapping_add(u128::from(step)), Dot::new(self.dot.client.clone(), self.dot.n + step))
        })
    }

    fn write(w: &mut Writer, run: &Self) {
        w.u128(run.first);
        w.u64(run.count);
        w.dot(&run.dot);
    }

    fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        Ok(Self { first: r.u128()?, count: r.u64()?, dot: r.dot()? })
    }
}

/// Adds these to the map's, and drops the oldest where there are too many.
pub(super) fn add(store: &dyn Store, new: &[Run], checkpoint: &mut Checkpoint) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let (before, runs) = load(store, 1)?.pop().unwrap_or_default();
    let mut rows = vec![runs];
    for run in new {
        if rows.last().is_none_or(|runs| runs.len() >= RUNS) {
            rows.push(Vec::new());
        }
        if let Some(runs) = rows.last_mut() {
            push(runs, run.clone());
        }
    }
    // Drops come before puts: what would be too old at once is not put.
    let first = (before + rows.len() as u64).saturating_sub(ROWS);
    checkpoint.drops.extend((before.saturating_sub(ROWS)..first.min(before + 1)).map(place));
    let numbered = (before..).zip(&rows).filter(|(number, _)| *number >= first);
    checkpoint.puts.extend(numbered.map(|(number, runs)| row(number, runs)));
    Ok(())
}

/// The newest rows with their numbers, the newest first.
fn load(store: &dyn Store, rows: u64) -> Result<Vec<(u64, Vec<Run>)>, StoreError> {
    let rows = store.range(&[INTENTS], &[INTENTS + 1], rows as usize)?;
    let read = |(place, row): (Vec<u8>, Vec<u8>)| {
        let body = seal::open(&place, &row)?;
        let number = place[1..].try_into().map(|bytes| u64::MAX - u64::from_be_bytes(bytes));
        let runs = number.or(Err(CodecError { expected: "a number in the key" })).and_then(|number| {
            let mut r = Reader::with_table(body)?;
            let runs = r.list(Run::read)?;
            r.finish()?;
            Ok((number, runs))
        });
        runs.map_err(|error| seal::unreadable(&place, &error))
    };
    rows.into_iter().map(read).collect()
}

fn place(number: u64) -> Vec<u8> {
    [&[INTENTS][..], &(u64::MAX - number).to_be_bytes()].concat()
}

fn row(number: u64, runs: &[Run]) -> KeyValue {
    let mut w = Writer::with_table();
    w.list(runs, Run::write);
    let place = place(number);
    let row = seal::written(&place, w);
    (place, row)
}

impl Session {
    /// Which of this file's writes were accepted under which names: of those that the records contain, the newest.
    pub(super) fn known_intents(&self) -> Result<Vec<(u128, Dot)>, Error> {
        // What a checkpoint brings into the map meanwhile is in both.
        let (mut new, vector, wiped) = {
            let state = self.state();
            let underway = state.underway.as_ref().map_or(&[][..], |underway| underway.intents());
            let new: Vec<Run> = underway.iter().chain(&state.intents.0).cloned().collect();
            (new, state.vector.clone(), state.wiped)
        };
        new.reverse();
        // What the map has is another's until the wipe is in it.
        let stored = if wiped { Vec::new() } else { load(&**self.inner.journal.store(), ROWS)? };
        let stored = stored.into_iter().flat_map(|(_, runs)| runs.into_iter().rev());
        let runs = new.into_iter().chain(stored).filter_map(|run| run.within(&vector));
        let mut known = BTreeMap::new();
        for run in runs {
            for (intent, dot) in run.each().rev() {
                if known.len() == MOST {
                    return Ok(known.into_iter().collect());
                }
                known.entry(intent).or_insert(dot);
            }
        }
        Ok(known.into_iter().collect())
    }

    /// Another history is taken over, and these entries are in both: of the others it is not known any more which writes
    /// they were.
    pub(super) fn forget_intents(&self, both: &VersionVector) -> Result<(), Error> {
        self.checkpoint()?;
        self.with_checkpointer(|| {
            self.check()?;
            let mut change = Checkpoint::default();
            for (number, runs) in load(&**self.inner.journal.store(), ROWS)? {
                let kept: Vec<Run> = runs.iter().cloned().filter_map(|run| run.within(both)).collect();
                if kept != runs {
                    change.puts.push(row(number, &kept));
                }
            }
            self.change_map_now(change)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryStore;
    use crate::model::context::Known;
    use crate::model::stamp::ClientId;

    fn dot(n: u64) -> Dot {
        Dot::new(ClientId::new("c"), n)
    }

    #[test]
    fn what_counts_up_is_one_run() {
        let mut intents = Intents::default();
        for (intent, n) in [(7, 1), (8, 2), (10, 3), (11, 5), (12, 6)] {
            intents.note(Some(intent), &dot(n));
        }
        intents.note(Some(13), &Dot::new(ClientId::new("d"), 7));
        intents.note(None, &dot(7));
        let runs: Vec<(u128, u64)> = intents.0.iter().map(|run| (run.first, run.count)).collect();
        assert_eq!(runs, [(7, 2), (10, 1), (11, 2), (13, 1)]);
        let has = |n| [(ClientId::new("c"), Known { n, ..Default::default() })].into_iter().collect();
        let within = |n| intents.0.iter().cloned().filter_map(move |run| run.within(&has(n))).map(|run| run.count);
        assert_eq!([0, 1, 3, 5, 6].map(|n| within(n).sum::<u64>()), [0, 1, 3, 4, 5]);
    }

    #[test]
    fn the_map_has_the_newest_of_them_in_few_rows() {
        let (store, mut all, mut covers) = (MemoryStore::new(), Vec::new(), 0);
        for size in [1, 0, 500, 11, 1, 2_000, 511, 512, 513, 5_000, 3, 20_000, 512, 9_000, 1] {
            let runs = |from: usize| (from..from + size).map(|n| 1 + n as u64);
            let new: Vec<Run> =
                runs(all.len()).map(|n| Run { first: u128::from(2 * n), count: 1, dot: dot(n) }).collect();
            let mut checkpoint = Checkpoint { covers, ..Checkpoint::default() };
            add(&store, &new, &mut checkpoint).unwrap();
            covers = store.append(covers, &[b"x"]).unwrap();
            checkpoint.covers = covers;
            store.checkpoint(&checkpoint).unwrap();
            all.extend(new);
            let rows = load(&store, u64::MAX).unwrap();
            assert!(rows.len() as u64 <= ROWS && rows.iter().all(|(_, runs)| runs.len() <= RUNS));
            let kept: Vec<Run> = rows.into_iter().rev().flat_map(|(_, runs)| runs).collect();
            assert!(kept.len() >= all.len().min((ROWS as usize - 1) * RUNS), "{} of {}", kept.len(), all.len());
            assert_eq!(kept, all[all.len() - kept.len()..]);
        }
    }
}
