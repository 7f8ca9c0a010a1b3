//! What holds after every step on a device.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::stamp::Origin;
use sync_core::{Action, Dot, EntityKey, Entry, Record, Replica};

use super::loss::last_aside;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::oracle::{EntityForm, difference, oracle};

impl World<'_> {
    /// All that a file should hold is in it, or at the hub. `reopened` if its process ended in between.
    pub(super) fn check_file(&mut self, at: usize, reopened: bool) -> Holds {
        let Some(replica) = self.devices[at].replica.clone() else { return Ok(()) };
        let held = self.held(at, &replica)?;
        let space = self.devices[at].space;
        // What the hub accepted and lost is in the records.
        let kept =
            if self.spaces[space].losses > 0 { self.writes_in(space, &replica.vector())? } else { BTreeMap::new() };
        let device = &mut self.devices[at];
        let mut lost = None;
        for write in std::mem::take(&mut device.file.open) {
            let account = self.ledger.get(write);
            let is_there = held.contains(&write) || account.is_accepted || kept.contains_key(&write);
            if is_there || device.file.forgotten.contains(&write) || account.is_excused {
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
            return broken(Rule::Kept, format!("{} no longer has {account:?}, and the hub neither", device.name));
        }
        device.file.open = held.into_iter().collect();
        let vector = replica.vector();
        let before = std::mem::replace(&mut device.file.vector, vector.clone());
        // Only where histories may differ does a device ever give one up for another.
        if vector != before && (self.spaces[space].losses > 0 || self.devices[at].file.is_copied) {
            self.adopted(at, &replica, &before, reopened)?;
        }
        self.devices[at].file.last_aside = last_aside(&replica);
        self.check_cursor(at, &replica, reopened)
    }

    /// The writes that are pending or set aside in a replica, each once.
    pub(super) fn held(&mut self, at: usize, replica: &Replica) -> Result<BTreeSet<usize>, Violation> {
        let name = &self.devices[at].name;
        let (unsynced, rejected) = (self.devices[at].unsynced(replica), replica.rejected());
        let mut held: BTreeSet<usize> = BTreeSet::new();
        for (entry, is_refused) in
            unsynced.iter().map(|entry| (entry, false)).chain(rejected.iter().map(|aside| (&aside.entry, true)))
        {
            // What was set aside of a state, not of a write, is no write of anybody's.
            let Some(intent) = entry.intent else { continue };
            let Some(write) = self.ledger.find(intent) else {
                return broken(Rule::Once, format!("{name} holds what nobody wrote: {}", entry.to_json_with_intent()));
            };
            if !held.insert(write) {
                return broken(Rule::Once, format!("{name} holds the write {intent:032x} twice"));
            }
            self.ledger.get_mut(write).was_refused |= is_refused;
        }
        Ok(held)
    }

    /// A cursor never goes back, is within the log and between transactions, and all up to it is there.
    fn check_cursor(&mut self, at: usize, replica: &Replica, reopened: bool) -> Holds {
        let device = &mut self.devices[at];
        let space = &self.spaces[device.space];
        let cursor = replica.cursor().seq;
        let before = std::mem::replace(&mut device.file.cursor, cursor);
        // After a loss it may be a cursor in another log.
        if space.losses > 0 {
            return Ok(());
        }
        let (name, now) = (&device.name, &space.chronicle.now);
        if cursor < before && !reopened {
            return broken(Rule::Cursor, format!("the cursor of {name} went from {before} back to {cursor}"));
        }
        if cursor > now.end() {
            return broken(
                Rule::Cursor,
                format!("the cursor of {name} is at {cursor}, and the log ends at {}", now.end()),
            );
        }
        let (Some(last), Some(next)) = (now.at(cursor), now.at(cursor + 1)) else { return Ok(()) };
        let (last, next) = (&last.entry, &next.entry);
        if last.group.is_some() && last.group == next.group && last.dot().client == next.dot().client {
            return broken(Rule::Whole, format!("the cursor of {name} splits the transaction of {}", next.dot()));
        }
        Ok(())
    }

    /// What a device shows is what the entries make that it knows of: those that its vector stands for, and over them
    /// those that are pending.
    pub(super) fn glance(&mut self, at: usize) -> Holds {
        let device = &self.devices[at];
        let Some(replica) = &device.replica else { return Ok(()) };
        let space = &self.spaces[device.space];
        let (vector, pending) = (replica.vector(), device.unsynced(replica));
        let known = space.chronicle.contents(&vector);
        let known = known.or_else(|dot| {
            broken(Rule::Named, format!("{} says that {dot} was accepted, and it never was", device.name))
        })?;
        if space.losses == 0 {
            let log = space.chronicle.now.log.iter().zip(space.chronicle.now.base + 1..);
            let mut up_to = log.take_while(|(_, seq)| *seq <= replica.cursor().seq);
            if let Some((logged, seq)) = up_to.find(|(logged, _)| !vector.covers(logged.entry.dot())) {
                let what = format!("{} is past {seq}, and does not have {}", device.name, logged.entry.dot());
                return broken(Rule::Cursor, what);
            }
        }
        let fillers = fillers(&pending);
        let known = known.iter().map(|logged| &*logged.entry);
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
        fillers.insert(n, Entry::new(origin, EntityKey::new("", ""), Action::Update));
    }
    pending.iter().for_each(|entry| drop(fillers.remove(&entry.dot().n)));
    fillers.into_values().collect()
}
