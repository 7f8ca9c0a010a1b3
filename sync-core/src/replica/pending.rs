//! The queue of entries that were written here and are not in the records yet, in the order in which they were
//! written, with the ways to find them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use super::blocks::{BLOCK, Block};
use super::cold::Cold;
use crate::model::entry::{EntityKey, Entry, Map};
use crate::model::stamp::Dot;

/// An entry that was written here and is not in the records yet.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// It names entries that had no number when it was written by their local numbers
    /// ([`Names`](super::names::Names) says what they are called since).
    pub(crate) entry: Arc<Entry>,
    /// The number under which it was offered, while the verdict is not known.
    pub(crate) offered: Option<u64>,
    /// Under which name it was accepted, while the records lack something that it stands on.
    pub(crate) accepted_as: Option<Dot>,
}

impl Pending {
    /// Whether it was never offered, or came back undecided.
    pub(crate) fn is_open(&self) -> bool {
        self.offered.is_none() && self.accepted_as.is_none()
    }
}

/// Pending entries by their local numbers: those in memory, and how many there are beside them ([`Cold`]). Finding one, by
/// whatever it is known, is `O(log)`.
#[derive(Default)]
pub(crate) struct Queue {
    entries: BTreeMap<u64, Pending>,
    /// Of those in memory.
    weight: usize,
    /// What is not in memory.
    pub(super) cold: Cold,
    /// Those of each entity, in order.
    of: Map<VecDeque<u64>>,
    /// The entities.
    keys: BTreeSet<EntityKey>,
    at_hub: AtHub,
    /// The blocks in which the map has those in memory, by their last local numbers. What is behind the last one is in none.
    blocks: BTreeSet<u64>,
    /// Those that the checkpoint does not have as they are now, or has although they are gone.
    changed: BTreeSet<u64>,
}

/// The local numbers of those of which the hub heard, by what it calls them.
#[derive(Default)]
struct AtHub {
    /// By the number under which they were offered, while the verdict is not known.
    offered: BTreeMap<u64, u64>,
    /// By the name under which they were accepted.
    accepted: BTreeMap<Dot, u64>,
}

impl Queue {
    /// How many there are, in memory or not.
    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64 + self.cold.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much those weigh that are in memory.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// How many are in memory.
    pub(super) fn resident(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, local: u64) -> Option<&Pending> {
        self.entries.get(&local)
    }

    pub(crate) fn contains(&self, local: u64) -> bool {
        self.entries.contains_key(&local)
    }

    /// Up to which local number none is pending.
    pub(super) fn begin(&self) -> u64 {
        let resident = self.entries.first_key_value().map_or(u64::MAX, |(local, _)| *local);
        if self.cold.range.is_empty() { resident } else { resident.min(self.cold.range.start) }
    }

    /// In the order in which they were written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Pending)> {
        self.range(..)
    }

    pub(crate) fn range(&self, locals: impl RangeBounds<u64>) -> impl DoubleEndedIterator<Item = (u64, &Pending)> {
        self.entries.range(locals).map(|(local, pending)| (*local, pending))
    }

    /// The local numbers of an entity's, in order.
    pub(crate) fn of(&self, key: &EntityKey) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + '_ {
        static NONE: VecDeque<u64> = VecDeque::new();
        self.of.get(key).unwrap_or(&NONE).iter().copied()
    }

    /// The entities within a range of keys that have any.
    pub(crate) fn entities(&self, keys: impl RangeBounds<EntityKey>) -> impl Iterator<Item = &EntityKey> {
        // A store that gives rows in no order may have it end before it begins.
        self.keys.range((keys.start_bound().cloned(), Bound::Unbounded)).take_while(move |key| keys.contains(key))
    }

    /// Whether one was accepted that the records still lack something for.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.at_hub.accepted.is_empty()
    }

    /// Those that were offered and have no verdict, by the numbers under which they were offered.
    pub(crate) fn offered(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.at_hub.offered.iter().map(|(n, local)| (*n, *local))
    }

    /// The greatest number under which one was offered that has no verdict.
    pub(crate) fn last_offered(&self) -> Option<u64> {
        self.at_hub.offered.last_key_value().map(|(n, _)| *n)
    }

    /// The one that was offered under this number, and has no verdict.
    pub(crate) fn offered_as(&self, n: u64) -> Option<u64> {
        self.at_hub.offered.get(&n).copied()
    }

    /// The one that was accepted under this name.
    pub(crate) fn accepted_as(&self, dot: &Dot) -> Option<u64> {
        self.at_hub.accepted.get(dot).copied()
    }

    /// Those that were accepted and wait, by their names.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&Dot, u64)> {
        self.at_hub.accepted.iter().map(|(dot, local)| (dot, *local))
    }

    /// Takes an entry whose number is greater than all before it, or one that was stored.
    pub(crate) fn put(&mut self, local: u64, pending: Pending) {
        match self.of.get_mut(&pending.entry.key) {
            Some(locals) => {
                // Nearly always behind the last.
                let at = locals.partition_point(|other| *other < local);
                locals.insert(at, local);
            }
            None => {
                self.keys.insert(pending.entry.key.clone());
                self.of.insert(pending.entry.key.clone(), VecDeque::from([local]));
            }
        }
        self.at_hub.note(local, &pending);
        self.insert(local, pending);
    }

    fn insert(&mut self, local: u64, pending: Pending) {
        self.weight += pending.entry.weight();
        if let Some(before) = self.entries.insert(local, pending) {
            self.weight -= before.entry.weight();
        }
    }

    fn take(&mut self, local: u64) -> Option<Pending> {
        let pending = self.entries.remove(&local)?;
        self.weight -= pending.entry.weight();
        Some(pending)
    }

    /// Changes one. What it is about stays. Returns that, if the entry is another one now.
    pub(crate) fn alter(&mut self, local: u64, change: impl FnOnce(&mut Pending)) -> Option<EntityKey> {
        let pending = self.entries.get_mut(&local)?;
        self.at_hub.forget(pending);
        let before = pending.entry.clone();
        change(pending);
        self.at_hub.note(local, pending);
        self.changed.insert(local);
        if Arc::ptr_eq(&before, &pending.entry) {
            return None;
        }
        self.weight = self.weight - before.weight() + pending.entry.weight();
        Some(pending.entry.key.clone())
    }

    pub(crate) fn remove(&mut self, local: u64) -> Option<Pending> {
        let pending = self.drop_resident(local)?;
        if self.block_of(local).is_some() {
            self.changed.insert(local);
        } else {
            self.changed.remove(&local);
        }
        if self.is_empty() {
            let Cold { turn, front, runs, .. } = std::mem::take(&mut self.cold);
            self.cold = Cold { turn: turn + 1, front, runs, ..Cold::default() };
        }
        Some(pending)
    }

    /// What is read of another queue does not fit this one, which takes its place.
    pub(super) fn go_on_from(&mut self, before: &Queue) {
        (self.cold.turn, self.cold.front) = (before.cold.turn + 1, before.cold.front);
    }

    /// Takes one out of memory.
    pub(super) fn drop_resident(&mut self, local: u64) -> Option<Pending> {
        let pending = self.take(local)?;
        self.at_hub.forget(&pending);
        if let Some(locals) = self.of.get_mut(&pending.entry.key) {
            if let Ok(at) = locals.binary_search(&local) {
                locals.remove(at);
            }
            if locals.is_empty() {
                self.of.remove(&pending.entry.key);
                self.keys.remove(&pending.entry.key);
            }
        }
        Some(pending)
    }

    /// Whether the map has these as they are, and nothing is about to be decided about any.
    pub(super) fn may_leave(&self, locals: Range<u64>) -> bool {
        self.changed.range(locals.clone()).next().is_none() && self.range(locals).all(|(_, pending)| pending.is_open())
    }

    /// The checkpoint lacks this one as it is now.
    pub(crate) fn is_new(&mut self, local: u64) {
        self.changed.insert(local);
    }

    /// How much those weigh, if they are as the others, of which the checkpoint does not know how they are now.
    pub(crate) fn unstored_weight(&self) -> usize {
        let changed = self.changed.len();
        (changed * self.weight).checked_div(self.entries.len()).unwrap_or(changed)
    }

    /// The block in which the map has this one.
    pub(super) fn block_of(&self, local: u64) -> Option<u64> {
        self.blocks.range(local..).next().copied()
    }

    /// The map has a block of entries that are in memory.
    pub(super) fn has_block(&mut self, last: u64) {
        self.blocks.insert(last);
    }

    /// The blocks of these entries leave memory with them.
    pub(super) fn let_blocks_go(&mut self, locals: Range<u64>) {
        self.blocks.retain(|last| !locals.contains(last));
    }

    /// The blocks that the checkpoint lacks as they are now; from here on it does not, unless they are
    /// [given back](Self::give_back).
    pub(super) fn take_unstored(&mut self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let changed = std::mem::take(&mut self.changed);
        let mut new = Vec::new();
        for local in changed {
            match self.block_of(local) {
                // One after the other: what is in the same block as the one before is in there.
                Some(last) if blocks.last().is_none_or(|block| block.last < last) => blocks.push(self.block(last)),
                Some(_) => {}
                None => new.extend(self.get(local).map(|pending| (local, pending.clone()))),
            }
        }
        let mut filled = BLOCK;
        for (local, pending) in new {
            // A transaction that fits into a block is not torn, and a larger one begins one.
            let begins = pending.entry.group.filter(|group| group.first == local);
            if filled + begins.map_or(1, |group| group.count as usize) > BLOCK {
                blocks.push(Block { last: local, entries: Vec::with_capacity(BLOCK) });
                filled = 0;
            }
            if let Some(block) = blocks.last_mut() {
                block.last = local;
                block.entries.push((local, pending));
            }
            filled += 1;
        }
        for block in &blocks {
            if block.entries.is_empty() {
                self.blocks.remove(&block.last);
            } else {
                self.blocks.insert(block.last);
            }
        }
        blocks
    }

    /// A block as it is now.
    fn block(&self, last: u64) -> Block {
        let before = self.blocks.range(..last).next_back().map_or(0, |before| before + 1);
        let entries = self.range(before..=last).map(|(local, pending)| (local, pending.clone()));
        Block { last, entries: entries.collect() }
    }

    /// These blocks are not in the map as they were taken.
    pub(super) fn give_back(&mut self, blocks: &[Block]) {
        for block in blocks {
            self.blocks.insert(block.last);
            // Whatever changed in it, it is written anew.
            self.changed.insert(block.last);
        }
    }
}

impl AtHub {
    fn note(&mut self, local: u64, pending: &Pending) {
        if let Some(dot) = &pending.accepted_as {
            self.accepted.insert(dot.clone(), local);
        } else if let Some(n) = pending.offered {
            self.offered.insert(n, local);
        }
    }

    fn forget(&mut self, pending: &Pending) {
        if let Some(dot) = &pending.accepted_as {
            self.accepted.remove(dot);
        } else if let Some(n) = pending.offered {
            self.offered.remove(&n);
        }
    }
}
