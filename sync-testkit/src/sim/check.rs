//! What holds after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sync_core::model::stamp::Origin;
use sync_core::transport::TransportError;
use sync_core::{Action, Dot, EntityKey, Entry, Record, Replica};

use super::space::Logged;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::oracle::{EntityForm, difference, oracle};

impl World<'_> {
    /// Reads what became durable in a space's log. `pushed` are the entries that may have.
    pub(super) fn observe(&mut self, at: usize, pushed: &[Entry]) -> Holds {
        let news = self.spaces[at].news();
        let news =
            news.or_else(|error: TransportError| broken(Rule::NoFailure, format!("the log cannot be read: {error}")))?;
        for (seq, entry) in news {
            let write = self.logged(at, seq, &entry, pushed)?;
            self.trace.note_bytes(&entry.hash().0.to_le_bytes());
            self.trace.say(format_args!("    #{seq} {}", entry.to_json(None)));
            self.tally.entries += 1;
            self.spaces[at].log.push(Logged { entry, write });
        }
        match self.spaces[at].log.last().and_then(|last| Some((last.entry.dot().n, last.entry.group?))) {
            Some((n, group)) if n + 1 < group.first + group.count => broken(
                Rule::Whole,
                format!("the log ends within the transaction of {} entries from {} on", group.count, group.first),
            ),
            _ => Ok(()),
        }
    }

    /// An entry came into the log: it goes on where the log ended, and is what somebody wrote, once.
    fn logged(
        &mut self,
        at: usize,
        seq: u64,
        entry: &Arc<Entry>,
        pushed: &[Entry],
    ) -> Result<Option<usize>, Violation> {
        let space = &mut self.spaces[at];
        let dot = entry.dot();
        if seq != space.log.len() as u64 + 1 {
            return broken(Rule::Cursor, format!("entry {seq} follows entry {}", space.log.len()));
        }
        let known = space.known.entry(dot.client.clone()).or_default();
        if dot.n != *known + 1 {
            return broken(Rule::Named, format!("{dot} follows number {known} of its client"));
        }
        *known = dot.n;
        if let Some(id) = &entry.foreign_id
            && !space.foreign.insert((entry.origin.author().clone(), id.clone()))
        {
            return broken(Rule::Once, format!("the foreign entry {id} is in the log twice"));
        }
        if let Some(group) = entry.group {
            let behind = dot.n.saturating_sub(group.first);
            let before = space.log.len().checked_sub(behind as usize).and_then(|first| space.log.get(first..));
            let is_whole = before.is_some_and(|before| before.iter().all(|logged| logged.entry.group == Some(group)));
            if !is_whole {
                return broken(Rule::Whole, format!("{dot} is split from its transaction"));
            }
        }
        let offered = pushed.iter().find(|offered| offered.dot() == dot && offered.hash() == entry.hash());
        let Some(write) = offered.and_then(|offered| self.ledger.find(offered.intent?)) else { return Ok(None) };
        let account = self.ledger.get_mut(write);
        if let Some(before) = account.accepted {
            let what = format!("the write {:032x} is in the log as {before} and as {seq}", account.intent);
            return broken(Rule::Once, what);
        }
        if !account.is_said_by(entry) {
            return broken(Rule::Named, format!("{dot} is not what was written: {entry:?} instead of {account:?}"));
        }
        account.accepted = Some(seq);
        self.tally.mark(Mark::Accepted);
        if entry.group.is_some() {
            self.tally.mark(Mark::GroupAccepted);
        }
        Ok(Some(write))
    }

    /// All that a file should hold is in it, or in the log. `reopened` if its process ended in between.
    pub(super) fn check_file(&mut self, at: usize, reopened: bool) -> Holds {
        let device = &self.devices[at];
        let Some(replica) = &device.replica else { return Ok(()) };
        let (unsynced, rejected) = (replica.unsynced(), replica.rejected());
        let mut held: BTreeSet<usize> = BTreeSet::new();
        for entry in unsynced.iter().chain(rejected.iter().map(|aside| &aside.entry)) {
            let Some(intent) = entry.intent else { continue };
            let Some(write) = self.ledger.find(intent) else {
                return broken(
                    Rule::Once,
                    format!("{} holds what nobody wrote: {}", device.name, entry.to_json_with_intent()),
                );
            };
            if !held.insert(write) {
                return broken(Rule::Once, format!("{} holds the write {intent:032x} twice", device.name));
            }
        }
        for aside in &rejected {
            if let Some(write) = aside.entry.intent.and_then(|intent| self.ledger.find(intent)) {
                self.ledger.get_mut(write).was_refused = true;
            }
        }
        let device = &mut self.devices[at];
        let mut lost = None;
        for write in std::mem::take(&mut device.file.open) {
            let account = self.ledger.get(write);
            if held.contains(&write) || device.file.forgotten.contains(&write) || account.accepted.is_some() {
                continue;
            }
            if reopened && !account.is_promised {
                self.tally.mark(Mark::LostUnpromised);
                device.file.forgotten.insert(write);
            } else {
                lost = Some(account.clone());
            }
        }
        if let Some(account) = lost {
            let what = format!("{} no longer has {account:?}, and the hub's log neither", device.name);
            return broken(Rule::Kept, what);
        }
        device.file.open = held.into_iter().collect();
        let cursor = device.replica.as_ref().map_or(0, |replica| replica.cursor().seq);
        if cursor < device.file.cursor && !reopened {
            return broken(
                Rule::Cursor,
                format!("the cursor of {} went from {} back to {cursor}", device.name, device.file.cursor),
            );
        }
        device.file.cursor = cursor;
        self.check_cursor(at, cursor)
    }

    /// A cursor is within the log, and between transactions.
    fn check_cursor(&self, at: usize, cursor: u64) -> Holds {
        let space = &self.spaces[self.devices[at].space];
        if cursor > space.log.len() as u64 {
            let what = format!(
                "the cursor of {} is at {cursor}, and the log ends at {}",
                self.devices[at].name,
                space.log.len()
            );
            return broken(Rule::Cursor, what);
        }
        let (Some(last), Some(next)) =
            (cursor.checked_sub(1).and_then(|at| space.log.get(at as usize)), space.log.get(cursor as usize))
        else {
            return Ok(());
        };
        let (last, next) = (&last.entry, &next.entry);
        if last.group.is_some() && last.group == next.group && last.dot().client == next.dot().client {
            return broken(
                Rule::Whole,
                format!("the cursor of {} splits the transaction of {}", self.devices[at].name, next.dot()),
            );
        }
        Ok(())
    }

    /// What a device shows is what the entries make that it knows of: the log up to its cursor, its own accepted ones
    /// that it took in early, and over them those that are pending.
    pub(super) fn glance(&mut self, at: usize) -> Holds {
        let device = &self.devices[at];
        let Some(replica) = &device.replica else { return Ok(()) };
        let space = &self.spaces[device.space];
        let cursor = replica.cursor().seq;
        let pending = replica.unsynced();
        let set_aside = replica.rejected();
        let undecided = pending.iter().chain(set_aside.iter().map(|aside| &aside.entry));
        let held: BTreeSet<usize> = undecided.filter_map(|entry| self.ledger.find(entry.intent?)).collect();
        let own = self.ledger.lineage(device.file.last);
        let early = own.filter(|write| !held.contains(write) && !device.file.forgotten.contains(write));
        let mut early: Vec<u64> =
            early.filter_map(|write| self.ledger.get(write).accepted).filter(|seq| *seq > cursor).collect();
        early.sort_unstable();
        let early = early.iter().map(|seq| &space.log[*seq as usize - 1]);
        let known = space.up_to(cursor).iter().chain(early).map(|logged| &*logged.entry);
        let fillers = fillers(&pending);
        let expected = oracle(known.chain(&pending).chain(&fillers));
        let shown = device.disk.watched(|| shown(replica, expected.keys()));
        let shown =
            shown.or_else(|error| broken(Rule::NoFailure, format!("{} cannot be read: {error}", device.name)))?;
        self.tally.mark(if pending.is_empty() { Mark::Glance } else { Mark::GlancePending });
        let shown = forms(&shown);
        if shown == expected {
            return Ok(());
        }
        let what = format!(
            "{} does not show what it knows (left it, right the oracle):\n{}",
            device.name,
            difference(&shown, &expected)
        );
        broken(Rule::Converges, what)
    }
}

/// The records that a replica shows, of these entities and of all that it lists.
pub(super) fn shown<'a>(
    replica: &Replica,
    keys: impl Iterator<Item = &'a EntityKey>,
) -> Result<BTreeMap<EntityKey, Record>, sync_core::Error> {
    let listed = replica.raw().list(None).map(|entity| entity.map(|entity| entity.key));
    let mut all = listed.collect::<Result<BTreeSet<EntityKey>, _>>()?;
    all.extend(keys.cloned());
    let records = all.into_iter().map(|key| replica.raw().record(&key).map(|record| (key, record)));
    let records: BTreeMap<EntityKey, Record> = records.collect::<Result<_, _>>()?;
    Ok(records.into_iter().filter(|(_, record)| !record.is_empty()).collect())
}

/// What can be seen of records.
pub(super) fn forms(records: &BTreeMap<EntityKey, Record>) -> BTreeMap<EntityKey, EntityForm> {
    records.iter().map(|(key, record)| (key.clone(), EntityForm::of(record))).collect()
}

/// Entries that write nothing, under the numbers that a device's pending entries leave out: it has seen these too.
fn fillers(pending: &[Entry]) -> Vec<Entry> {
    let Some(last) = pending.last() else { return Vec::new() };
    let mut fillers: BTreeMap<u64, Entry> = BTreeMap::new();
    for n in 1..last.dot().n {
        let origin = Origin { dot: Dot::new(last.dot().client.clone(), n), time: 0, author: None };
        fillers.insert(n, super::strangers::blank(origin, EntityKey::new("", ""), Action::Update));
    }
    pending.iter().for_each(|entry| drop(fillers.remove(&entry.dot().n)));
    fillers.into_values().collect()
}
