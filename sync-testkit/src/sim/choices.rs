//! What people choose: between the values of a conflict, and what becomes of what was refused. What they chose has to show.

use std::collections::BTreeSet;

use sync_core::model::register::Sibling;
use sync_core::replica::{RawConflict, SetAside};
use sync_core::{Action, EntityKey, Entry, Error, Family, Op, Record, Replica, Value};

use super::fault::Fault;
use super::people::WAITS;
use super::tally::Mark;
use super::violation::{Holds, Rule, broken};
use super::world::World;
use crate::rng::Rng;

impl World<'_> {
    /// Somebody looks at the conflicts and settles one.
    pub(super) fn settle_conflict(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let listed = replica.raw_conflicts(None);
        self.note_trouble(at);
        let conflicts = match listed {
            Ok(conflicts) if conflicts.is_empty() => return Ok(()),
            Ok(conflicts) => conflicts,
            Err(error) => return self.failed(at, &error),
        };
        let conflict = rng.pick(&conflicts);
        self.settle(at, &replica, conflict, true, rng)
    }

    /// Somebody settles the conflict that was listed a while ago, or lists one.
    pub(super) fn old_list(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        if let Some(conflict) = self.devices[at].list.take() {
            self.tally.fault(Fault::OldList);
            return self.settle(at, &replica, &conflict, false, rng);
        }
        let listed = replica.raw_conflicts(None);
        self.note_trouble(at);
        match listed {
            Ok(conflicts) if conflicts.is_empty() => Ok(()),
            Ok(conflicts) => {
                let conflict = rng.pick(&conflicts).clone();
                self.trace.say(format_args!("    looks at {conflict:?}"));
                self.devices[at].list = Some(conflict);
                Ok(())
            }
            Err(error) => self.failed(at, &error),
        }
    }

    /// Somebody settles a conflict: what was listed is settled, and what was not stays beside it.
    fn settle(&mut self, at: usize, replica: &Replica, conflict: &RawConflict, is_new: bool, rng: &mut Rng) -> Holds {
        let before = self.siblings(at, replica, conflict);
        let chosen = rng.percent(60).then(|| rng.below(conflict.losers.len()));
        let settled = match chosen {
            Some(loser) => replica.take(conflict, loser),
            None => replica.keep(conflict),
        };
        self.trace.say(format_args!(
            "    settles {} {} of {} values",
            conflict.key,
            conflict.field,
            conflict.losers.len() + 1
        ));
        if let Err(Error::Unregistered { .. }) = settled {
            // A stranger's type, of which this device shows only the values.
            return Ok(());
        }
        self.tally.mark(Mark::Settled);
        if settled.is_ok() {
            let chosen = chosen.map_or(&conflict.winner, |loser| &conflict.losers[loser]);
            let after = self.siblings(at, replica, conflict);
            if let (Some(before), Some(after)) = (before, after) {
                is_settled(conflict, &chosen.value, &before, &after)
                    .or_else(|what| broken(Rule::Conflicts, format!("{}: {what}", self.devices[at].name)))?;
            }
        }
        self.written(at, replica, settled, is_new, rng.percent(WAITS))
    }

    /// The siblings of the field that a conflict is about.
    fn siblings(&self, at: usize, replica: &Replica, conflict: &RawConflict) -> Option<Vec<Sibling>> {
        let record = self.devices[at].disk.watched(|| replica.raw().record(&conflict.key)).ok()?;
        let register = [Family::Assign, Family::First].iter().find_map(|family| record.get(&conflict.field, family))?;
        Some(register.siblings().to_vec())
    }

    /// Somebody writes all anew that was refused, one after the other, and then sees it.
    pub(super) fn write_all_anew(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let mut keys = BTreeSet::new();
        for aside in replica.rejected() {
            self.write_anew(at, &replica, &aside, rng)?;
            if self.devices[at].replica.is_none() || self.devices[at].trouble.is_some() {
                return Ok(());
            }
            self.tally.fault(Fault::AllAnew);
            keys.insert(aside.entry.key);
        }
        for key in keys {
            self.readable(at, &replica, &key)?;
        }
        Ok(())
    }

    /// An entity can be read as what its type says.
    fn readable(&mut self, at: usize, replica: &Replica, key: &EntityKey) -> Holds {
        let device = &self.devices[at];
        let kind = self.kinds[device.version].iter().find(|kind| kind.name() == &*key.entity_type);
        let Some(kind) = kind else { return Ok(()) };
        match device.disk.watched(|| kind.read(replica, &key.id)) {
            Ok(_) => Ok(()),
            Err(error) => self.failed(at, &error),
        }
    }

    /// Somebody writes anew what was refused; whether it could be.
    fn write_anew(&mut self, at: usize, replica: &Replica, aside: &SetAside, rng: &mut Rng) -> Holds {
        let key = &aside.entry.key;
        let record = |this: &Self| this.devices[at].disk.watched(|| replica.raw().record(key)).ok();
        let before = record(self);
        let done = replica.resubmit(aside.number, |_| ());
        self.trace.say(format_args!("    writes {} anew {}", aside.number, aside.entry.to_json(None)));
        if done.is_ok() {
            self.is_seen_to(at, aside);
            if let (Some(before), Some(after)) = (before, record(self)) {
                is_written_anew(&aside.entry, &before, &after)
                    .or_else(|what| broken(Rule::Kept, format!("{} {key}: {what}", self.devices[at].name)))?;
            }
        }
        self.written(at, replica, done, true, rng.percent(WAITS))
    }

    /// What was refused is no longer kept: its user saw to it.
    fn is_seen_to(&mut self, at: usize, aside: &SetAside) {
        let write = aside.entry.intent.and_then(|intent| self.ledger.find(intent));
        self.devices[at].file.forgotten.extend(write);
        if let Some(write) = write {
            self.ledger.get_mut(write).is_given_up = true;
        }
    }

    /// Somebody sees to what was refused.
    pub(super) fn see_to_refused(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let refused = replica.rejected();
        if refused.is_empty() {
            return Ok(());
        }
        let aside = rng.pick(&refused);
        if rng.percent(75) {
            self.tally.fault(Fault::Resubmit);
            return self.write_anew(at, &replica, aside, rng);
        }
        let done = replica.discard(aside.number);
        self.trace.say(format_args!("    discards {} {:?}", aside.number, aside.entry.key));
        if done.is_ok() {
            self.is_seen_to(at, aside);
        }
        self.written(at, &replica, done, true, rng.percent(WAITS))
    }
}

/// Whether a conflict was settled: the chosen value stands in the field, none of those that were listed stands beside it,
/// and what was not listed was not touched.
fn is_settled(conflict: &RawConflict, chosen: &Value, before: &[Sibling], after: &[Sibling]) -> Result<(), String> {
    let listed = || std::iter::once(&conflict.winner).chain(&conflict.losers);
    let field = &conflict.field;
    if !after.iter().any(|sibling| sibling.value == *chosen) {
        return Err(format!("{field} was to be {chosen}, and is {after:?}"));
    }
    for sibling in before {
        let stays = after.iter().any(|other| other.origin.dot == sibling.origin.dot);
        if stays && listed().any(|listed| listed.dot == sibling.origin.dot) {
            return Err(format!("{field} still has {sibling:?}, and that was settled"));
        }
        if !stays && listed().all(|listed| listed.dot != sibling.origin.dot && listed.value != sibling.value) {
            return Err(format!("{field} no longer has {sibling:?}, which nobody saw who settled"));
        }
    }
    Ok(())
}

/// Whether what a refused entry says shows, now that it was written anew.
fn is_written_anew(entry: &Entry, before: &Record, after: &Record) -> Result<(), String> {
    if matches!(entry.action, Action::Delete(_)) {
        return if after.is_alive() { Err("it was deleted anew, and is there".to_owned()) } else { Ok(()) };
    }
    if !after.is_alive() {
        return Err("it was written anew, and is not there".to_owned());
    }
    for (name, op) in &entry.fields {
        let family = op.family();
        // The field may have another name by now.
        let of_family = || after.registers().filter(|(_, other, _)| **other == family).map(|(_, _, register)| register);
        let sum = |record: &Record| record.get(name, &family).map_or(0, |register| register.sum());
        let is_so = match op {
            Op::Assign(value) => {
                of_family().any(|register| register.winner(&family).is_some_and(|winner| winner.value == *value))
            }
            Op::Own { body, .. } => of_family().any(|r| r.siblings().iter().any(|sibling| sibling.value == *body)),
            Op::Add(delta) => sum(after) - sum(before) == i128::from(*delta),
            Op::Set { insert, remove } => {
                let there: BTreeSet<&Value> = of_family().flat_map(|register| register.elements()).collect();
                insert.iter().all(|element| there.contains(element))
                    && remove.iter().all(|(element, _)| !there.contains(element) || insert.contains(element))
            }
            // The first one counts, or the greatest: whoever came later says nothing new.
            _ => true,
        };
        if !is_so {
            return Err(format!("{name} was written anew, and does not show it: {op:?}"));
        }
    }
    Ok(())
}
