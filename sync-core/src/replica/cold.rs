//! Pending entries that are not in memory: a device that was offline for long may have a million of them.
//!
//! What is resident is a *front*, which is offered next, and a *tail*, which was written since the last checkpoint. Between
//! them lies a range of local numbers whose entries stand in the store's map alone, as they were written, and are
//! found by their entity ([`blocks`](super::blocks)). They come to the front page by page as what is before them is decided. What has to look at
//! all of them is rare (a clock that was off, a copied file, another hub, a purge, a refusal): it brings all of them in, and
//! they stay until nothing is pending.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::Replica;
use super::blocks::{self, Block, Run};
use super::pending::Pending;
use super::row::{Decision, Row};
use super::state::State;
use crate::error::Error;
use crate::model::entry::{EntityKey, Entry};
use crate::store::{Store, StoreError};

/// How much the pending entries weigh that are in front of those that are not in memory, unless told.
const FRONT: usize = 8_192;

/// Which local numbers are of entries that are not in memory, but for the few that are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cold {
    pub(super) range: Range<u64>,
    /// How many entries there are.
    pub(super) count: u64,
    /// What the map's index tells of, in order.
    pub(super) runs: Vec<Range<u64>>,
    /// Counts changes: what was read before one does not fit what is in memory after it.
    pub(super) turn: u64,
    /// All were brought in: they stay.
    pub(super) stays_in: bool,
    /// How much the entries weigh that are in front, at least, while there are as many.
    pub(super) front: usize,
}

impl Default for Cold {
    fn default() -> Self {
        Self { range: 0..0, count: 0, runs: Vec::new(), turn: 0, stays_in: false, front: FRONT }
    }
}

/// Entries of one entity that were read from the map, and of which state.
#[derive(Default)]
pub(crate) struct Read {
    turn: u64,
    pub(super) entries: BTreeMap<u64, Arc<Entry>>,
}

impl Read {
    /// Whether they fit what is in memory.
    pub(super) fn fits(&self, state: &State) -> bool {
        self.turn == state.pending.cold.turn
    }
}

impl Replica {
    /// The pending entries of an entity that are not in memory. Without any at all this is a look at memory.
    pub(super) fn cold_of(&self, key: &EntityKey) -> Result<Read, Error> {
        let Cold { range, runs, turn, .. } = match &self.state().pending.cold {
            cold if cold.count == 0 => return Ok(Read { turn: cold.turn, entries: BTreeMap::new() }),
            cold => cold.clone(),
        };
        let entries = blocks::entries_of(&**self.inner.journal.store(), &runs, key, &range)?;
        Ok(Read { turn, entries })
    }

    /// The entities of a range of keys with pending entries that are not in memory.
    pub(super) fn cold_keys(
        &self,
        after: Option<&EntityKey>,
        of_type: Option<&str>,
        to: Option<&EntityKey>,
    ) -> Result<BTreeSet<EntityKey>, Error> {
        let Cold { range, runs, .. } = match &self.state().pending.cold {
            cold if cold.count == 0 => return Ok(BTreeSet::new()),
            cold => cold.clone(),
        };
        Ok(blocks::entities(&**self.inner.journal.store(), &runs, &range, after, of_type, to)?)
    }

    /// Brings all pending entries into memory.
    pub(super) fn bring_in_all(&self) -> Result<(), Error> {
        self.state().pending.cold.stays_in = true;
        while self.bring_in()? {}
        Ok(())
    }

    /// Brings the next ones into memory that are to be offered, if few are.
    pub(super) fn fill_front(&self) -> Result<(), Error> {
        let is_short = |state: &State| state.pending.is_front_short();
        while is_short(&self.state()) && self.bring_in()? {}
        Ok(())
    }

    /// All pending entries, read and not kept.
    pub(super) fn all_pending(&self) -> Result<Vec<(u64, Arc<Entry>)>, Error> {
        let store = self.inner.journal.store();
        loop {
            let Cold { mut range, turn, front, .. } = self.state().pending.cold.clone();
            let mut all = BTreeMap::new();
            while !range.is_empty() {
                let page = read_page(&**store, &range, front.max(FRONT))?;
                range.start = page.next;
                all.extend(page.entries().map(|(local, pending)| (local, pending.entry)));
            }
            let state = self.state();
            if state.pending.cold.turn == turn {
                all.extend(state.pending.iter().map(|(local, pending)| (local, pending.entry.clone())));
                return Ok(all.into_iter().map(|(local, entry)| (local, state.names.resolved(&entry))).collect());
            }
        }
    }

    /// Brings a page into memory. Says whether there may be more.
    fn bring_in(&self) -> Result<bool, Error> {
        let cold = self.state().pending.cold.clone();
        if cold.range.is_empty() {
            return Ok(false);
        }
        let page = read_page(&**self.inner.journal.store(), &cold.range, cold.front)?;
        let mut state = self.state();
        if state.pending.cold.turn == cold.turn {
            state.pending.take_page(page);
        }
        Ok(true)
    }

    /// Before a row is committed that may be about any pending entry, all are brought in.
    pub(super) fn bring_in_for(&self, row: &Row) -> Result<(), Error> {
        if is_about_any(row) { self.bring_in_all() } else { Ok(()) }
    }
}

/// The same while a journal is replayed.
pub(super) fn bring_in_for(state: &mut State, store: &dyn Store, row: &Row) -> Result<(), StoreError> {
    let last = match row {
        Row::Offer { numbers, .. } => numbers.iter().map(|(local, _)| *local).max().unwrap_or(0),
        row if is_about_any(row) => u64::MAX,
        _ => 0,
    };
    while !state.pending.cold.range.is_empty() && state.pending.cold.range.start <= last {
        let page = read_page(store, &state.pending.cold.range, state.pending.cold.front)?;
        state.pending.take_page(page);
    }
    Ok(())
}

/// Whether a row may change pending entries that are not about to be offered.
fn is_about_any(row: &Row) -> bool {
    match row {
        Row::Verdicts { decisions, gone, .. } => {
            let is_refusal = |decision: &Decision| matches!(decision, Decision::Rejected(_));
            !gone.is_empty() || decisions.iter().any(|(_, decision)| is_refusal(decision))
        }
        Row::Page { gone, .. } => !gone.is_empty(),
        Row::Clock { times, .. } => !times.is_empty(),
        Row::Adopted { .. } => true,
        Row::Client(_) | Row::Told(_) | Row::Write { .. } | Row::Offer { .. } | Row::Bind { .. } => false,
        Row::Forget(_) | Row::Synced(_) | Row::Epochs(_) | Row::Wiped { .. } => false,
    }
}

/// A page of what is not in memory, and where the next one begins.
pub(super) struct Page {
    blocks: Vec<Block>,
    next: u64,
}

impl Page {
    /// Whether nothing was offered or accepted of its last entry: then nothing was of any behind it.
    pub(super) fn is_open(&self) -> bool {
        self.last().is_none_or(Pending::is_open)
    }

    fn last(&self) -> Option<&Pending> {
        self.blocks.last()?.entries.last().map(|(_, pending)| pending)
    }

    fn entries(self) -> impl Iterator<Item = (u64, Pending)> {
        self.blocks.into_iter().flat_map(|block| block.entries)
    }
}

/// Reads a page from the beginning of the range, of entries that weigh about so much. A transaction is never torn: it is
/// offered whole.
pub(super) fn read_page(store: &dyn Store, range: &Range<u64>, weight: usize) -> Result<Page, StoreError> {
    let (blocks, more) = blocks::read(store, range.clone(), weight)?;
    let next = blocks.last().filter(|_| more).map_or(range.end, |block| block.last + 1);
    let mut page = Page { blocks, next };
    while let Some(group) = page.last().and_then(|pending| pending.entry.group) {
        let end = (group.first + group.count).min(range.end);
        if end <= page.next {
            break;
        }
        // Its last entries are in a block that ends behind them, or with them.
        let (blocks, _) = blocks::read(store, page.next..range.end, (end - page.next) as usize)?;
        page.next = blocks.last().map_or(range.end, |block| block.last + 1);
        page.blocks.extend(blocks);
    }
    Ok(page)
}

impl super::pending::Queue {
    /// Those from a local number on that are in front of what is not in memory: what is offered next.
    pub(super) fn front(&self, from: u64) -> impl Iterator<Item = (u64, &Pending)> {
        let end = if self.cold.range.is_empty() { u64::MAX } else { self.cold.range.start };
        self.range(from..end.max(from))
    }

    /// Whether the front weighs less than it should while something is behind it.
    fn is_front_short(&self) -> bool {
        // None weighs nothing, and most weigh as little as any: counted they are enough, or their weights are looked at.
        if self.cold.range.is_empty() || self.front(0).nth(self.cold.front.saturating_sub(1)).is_some() {
            return false;
        }
        let mut weights = self.front(0).map(|(_, pending)| pending.entry.weight());
        weights.try_fold(self.cold.front, usize::checked_sub).is_some_and(|lacks| lacks > 0)
    }

    /// The page's entries are in memory from here on. Returns where the next page begins.
    pub(super) fn take_page(&mut self, page: Page) -> u64 {
        let next = page.next;
        for block in &page.blocks {
            self.has_block(block.last);
        }
        for (local, pending) in page.entries() {
            // One that changed since it was stored is in memory already.
            if !self.contains(local) {
                self.put(local, pending);
                self.cold.count = self.cold.count.saturating_sub(1);
            }
        }
        self.cold.turn += 1;
        self.cold.range.start = next;
        if self.cold.range.is_empty() {
            self.cold.range = 0..0;
        }
        next
    }

    /// What the index need not tell of any more, and what else: of none that is pending, or of none that is not in memory
    /// where others are about to leave that may be before it.
    pub(super) fn runs(&self, leaving: Option<&Range<u64>>) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
        let begin = if leaving.is_some() && self.cold.range.is_empty() { u64::MAX } else { self.begin() };
        self.cold.runs.iter().cloned().partition(|run| run.end <= begin)
    }

    /// From where on, without a gap, the index tells of entries, and up to where.
    pub(super) fn indexed(&self) -> Range<u64> {
        let mut runs = self.cold.runs.iter().rev();
        let Some(last) = runs.next() else { return 0..0 };
        runs.fold(last.clone(), |all, run| if all.start <= run.end { run.start..all.end } else { all })
    }

    /// So many entries of this range are not brought into memory.
    pub(super) fn leave_out(&mut self, range: Range<u64>, count: u64) {
        self.cold = Cold { range, count, ..self.cold.clone() };
    }

    /// Entries that leave memory, but for the front, once the map has all up to this local number.
    pub(super) fn leaving(&self, end: u64) -> Option<Range<u64>> {
        if self.cold.stays_in || self.weight() <= 2 * self.cold.front {
            return None;
        }
        let is_cold = !self.cold.range.is_empty();
        let start = if is_cold { Some(self.cold.range.end) } else { self.front_end() };
        let leaving = start.filter(|start| *start < end)?..end;
        self.may_leave(leaving.clone()).then_some(leaving)
    }

    /// What the index has to tell of these that are about to leave, and does not yet.
    pub(super) fn unindexed(&self, leaving: &Range<u64>) -> Option<Run> {
        let indexed = if self.cold.range.is_empty() { 0 } else { self.indexed().end };
        let locals = leaving.start.max(indexed)..leaving.end;
        let entries = self.range(locals.clone()).map(|(local, pending)| (pending.entry.key.clone(), local)).collect();
        (!locals.is_empty()).then_some(Run { locals, entries })
    }

    /// Entries that stand in the map as they are, and that the index tells of, leave memory.
    pub(super) fn let_go(&mut self, leaving: Range<u64>) {
        let is_cold = !self.cold.range.is_empty();
        debug_assert!(!is_cold || self.cold.range.end == leaving.start, "nothing left memory in between");
        if self.cold.stays_in || !self.may_leave(leaving.clone()) {
            // What changed meanwhile leaves with the next checkpoint.
            return;
        }
        let leave: Vec<u64> = self.range(leaving.clone()).map(|(local, _)| local).collect();
        for local in &leave {
            self.drop_resident(*local);
        }
        self.let_blocks_go(leaving.clone());
        self.cold.count += leave.len() as u64;
        self.cold.range = if is_cold { self.cold.range.start..leaving.end } else { leaving };
        self.cold.turn += 1;
    }

    /// Where the front may end: behind enough entries, and between two blocks and two transactions.
    fn front_end(&self) -> Option<u64> {
        let mut weight = 0;
        let mut behind = self.iter().skip_while(|(_, pending)| {
            weight += pending.entry.weight();
            weight <= self.cold.front
        });
        let (mut local, _) = behind.next()?;
        drop(behind);
        loop {
            let end = self.block_of(local)? + 1;
            let (_, last) = self.range(..end).next_back()?;
            match last.entry.group.map(|group| group.first + group.count) {
                Some(after) if after > end => local = after - 1,
                _ => return Some(end),
            }
        }
    }
}
