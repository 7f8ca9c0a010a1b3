//! What people do with their devices: write, fill in forms, settle conflicts, see to what was refused.

use std::collections::BTreeSet;

use sync_core::model::register::Sibling;
use sync_core::model::stamp::Name;
use sync_core::replica::{RawConflict, SetAside};
use sync_core::{Action, Commit, EntityKey, Entry, Error, Family, Life, Op, Record, Replica, Value};

use super::fault::Fault;
use super::ledger::{Write, plain};
use super::subject::Act;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::rng::Rng;

/// Of a hundred writes, how many are waited for.
const WAITS: usize = 70;

/// Whether all that an entry replaces stands under the names that it writes.
fn has_one_name(entry: &Entry) -> bool {
    entry.replaces.iter().all(|(over, _)| entry.fields.iter().any(|(name, _)| name == over))
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

/// Few entities, so that people meet.
const IDS: [&str; 3] = ["x", "y", "z"];

impl World<'_> {
    /// Somebody writes, `count` things in one transaction.
    pub(super) fn write(&mut self, at: usize, count: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let kinds = &self.kinds[self.devices[at].version];
        let mut acts = Vec::with_capacity(count);
        for _ in 0..count {
            let kind = rng.pick(kinds).clone();
            let id = *rng.pick(&IDS);
            let Some(act) = self.act(at, &replica, kind.name(), id, rng)? else { return Ok(()) };
            acts.push((kind, act, id, rng.bits()));
        }
        if self.trace.is_heard() {
            for (kind, act, id, _) in &acts {
                self.trace.say(format_args!("    {act:?} {} {id}", kind.name()));
            }
        }
        let before = match acts[..] {
            [(ref kind, Act::Edit, id, _)] => {
                replica.raw().record(&EntityKey::new(kind.name(), id)).ok().map(|record| (kind.name(), id, record))
            }
            _ => None,
        };
        let written = replica.transaction(|tx| {
            acts.iter().try_for_each(|(kind, act, id, seed)| kind.act(tx, *act, id, &mut Rng::new(*seed)))
        });
        if let (Ok(_), Some((kind, id, before))) = (&written, before) {
            self.only_changes(at, &replica, &EntityKey::new(kind, id), &before)?;
        }
        self.written(at, &replica, written, true, rng.percent(WAITS))
    }

    /// An edit that was just made assigns nothing that was so before.
    fn only_changes(&self, at: usize, replica: &Replica, key: &EntityKey, before: &Record) -> Holds {
        let device = &self.devices[at];
        let Some(last) = device.unsynced(replica).pop().filter(|last| last.key == *key) else { return Ok(()) };
        let is_new = last.intent.is_some_and(|intent| self.ledger.find(intent).is_none());
        let winner = |name: &str| Some(before.get(name, &Family::Assign)?.winner(&Family::Assign)?.value.clone());
        let is_same =
            |(name, op): &&(Name, Op)| matches!(op, Op::Assign(value) if winner(name).as_ref() == Some(value));
        match last.fields.iter().find(is_same) {
            // A field with a former name shows what stands under either.
            Some((name, _)) if is_new && has_one_name(&last) => {
                broken(Rule::Conflicts, format!("{} writes {name} of {key}, and did not change it", device.name))
            }
            _ => Ok(()),
        }
    }

    /// What somebody would do to an entity as it shows.
    fn act(
        &mut self,
        at: usize,
        replica: &Replica,
        kind: &str,
        id: &str,
        rng: &mut Rng,
    ) -> Result<Option<Act>, Violation> {
        let shown = replica.raw().record(&EntityKey::new(kind, id));
        self.note_trouble(at);
        let life = match shown {
            Ok(record) => record.life(),
            Err(error) => return self.failed(at, &error).map(|()| None),
        };
        let chance = rng.below(100);
        Ok(Some(match life {
            Life::Unborn if chance < 80 => Act::Create,
            Life::Unborn if chance < 95 => Act::Put,
            Life::Alive { .. } if chance < 8 => Act::Put,
            Life::Alive { .. } if chance < 22 => Act::Delete,
            Life::Alive { .. } if chance < 24 => Act::Create,
            Life::Deleted { .. } if chance < 40 => Act::Restore,
            Life::Deleted { .. } if chance < 60 => Act::Put,
            Life::Deleted { .. } if chance < 80 => Act::Delete,
            _ => Act::Edit,
        }))
    }

    /// Somebody opens a form and changes something in it.
    pub(super) fn open_form(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let kind = rng.pick(&self.kinds[self.devices[at].version]).clone();
        match kind.draft(&replica, rng.pick::<&str>(&IDS), rng) {
            Ok(form) => self.devices[at].form = Some(form),
            Err(Error::NotFound { .. } | Error::Deleted { .. }) => {}
            Err(error) => self.failed(at, &error)?,
        }
        self.note_trouble(at);
        Ok(())
    }

    /// Somebody saves the form.
    pub(super) fn save_form(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(form) = self.devices[at].form.take() else { return Ok(()) };
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        self.tally.mark(Mark::DraftSaved);
        let saved = form.save();
        self.written(at, &replica, saved, false, rng.percent(WAITS))
    }

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

    /// The replica of a device that runs; it is started if it can be.
    pub(super) fn at_hand(&mut self, at: usize) -> Result<Option<Replica>, Violation> {
        if !self.open(at)? {
            return Ok(None);
        }
        Ok(self.devices[at].replica.clone())
    }

    /// A call failed: there must be a reason for it.
    pub(super) fn failed(&mut self, at: usize, error: &Error) -> Holds {
        self.note_trouble(at);
        let device = &self.devices[at];
        self.trace.say(format_args!("    fails: {error}"));
        match error {
            Error::Store(_) if device.trouble.is_some() => Ok(()),
            // Somebody who keeps to no rule wrote what does not fit the type: that entity cannot be read, others can.
            Error::Field { .. } if self.plan.faults.has(Fault::Hostile) => Ok(()),
            _ => broken(Rule::NoFailure, format!("{}: {error} ({error:?})", device.name)),
        }
    }

    /// A write was queued or refused: enters it into the account, and waits for it or not.
    pub(super) fn written<T>(
        &mut self,
        at: usize,
        replica: &Replica,
        written: Result<Commit<T>, Error>,
        is_plain: bool,
        waits: bool,
    ) -> Holds {
        let commit = match written {
            Ok(commit) => commit,
            Err(
                Error::NotFound { .. }
                | Error::Exists { .. }
                | Error::Deleted { .. }
                | Error::Invalid { .. }
                | Error::TooLarge { .. },
            ) => {
                self.note_trouble(at);
                return Ok(());
            }
            Err(error) => return self.failed(at, &error),
        };
        let new = self.enter(at, replica, is_plain);
        if self.devices[at].trouble.is_none() && !new.is_empty() {
            self.stamped_after(at, replica)?;
        }
        if self.devices[at].trouble.is_none() && is_plain {
            self.read_your_writes(at, replica, &new)?;
        }
        if waits {
            match commit.wait() {
                // Also where there was nothing to write: what shows is durable, and what was written before.
                Ok(_) => {
                    self.tally.add(Mark::Promised, new.len() as u64);
                    for write in &self.devices[at].file.open {
                        self.ledger.get_mut(*write).is_promised = true;
                    }
                }
                Err(error) => self.failed(at, &error)?,
            }
        }
        self.note_trouble(at);
        Ok(())
    }

    /// Enters a device's new entries into the account.
    fn enter(&mut self, at: usize, replica: &Replica, is_plain: bool) -> Vec<usize> {
        let mut entries = self.devices[at].unsynced(replica);
        let is_known = |intent: &Option<u128>| intent.is_some_and(|intent| self.ledger.find(intent).is_some());
        let known = entries.iter().rposition(|entry| is_known(&entry.intent)).map_or(0, |last| last + 1);
        let seen = replica.vector();
        let space = self.devices[at].space;
        let file = &mut self.devices[at].file;
        let mut new = Vec::new();
        for entry in entries.drain(known..) {
            self.trace.note_bytes(&entry.origin.time.to_le_bytes());
            self.trace.say(format_args!("    writes {}", entry.to_json(None)));
            let write = self.ledger.add(Write {
                intent: entry.intent.unwrap_or_default(),
                space,
                fields: plain(&entry.fields),
                key: entry.key,
                action: entry.action,
                is_promised: false,
                before: file.last,
                seen: seen.clone(),
                is_plain,
                was_refused: false,
                is_given_up: false,
                is_excused: false,
                may_come_twice: false,
                accepted_at: 0,
                is_accepted: false,
            });
            file.last = Some(write);
            file.open.push(write);
            new.push(write);
        }
        new
    }

    /// The last write of a device is stamped after all that shows where it was made.
    fn stamped_after(&self, at: usize, replica: &Replica) -> Holds {
        let device = &self.devices[at];
        let Some(last) = device.unsynced(replica).pop() else { return Ok(()) };
        let record = device.disk.watched(|| replica.raw().record(&last.key));
        let record = record.map_err(|error| Violation { rule: Rule::NoFailure, what: error.to_string() })?;
        if matches!(last.action, Action::Delete(_)) && !record.hidden_writes().is_empty() {
            let what = format!("{} deletes {}, and did not see what it showed", device.name, last.key);
            return broken(Rule::Conflicts, what);
        }
        let creates = record.creates().iter().flat_map(|create| {
            let updated = create.updated.as_ref().map(|stamp| stamp.time);
            updated.into_iter().chain(create.origin.as_ref().map(|origin| origin.time))
        });
        let lives = record.lifecycle().iter().map(|write| write.origin.time);
        match creates.chain(lives).max() {
            Some(latest) if latest > last.origin.time => {
                let what = format!("{} stamps {}, where {latest} shows: {}", device.name, last.origin.time, last.key);
                broken(Rule::ReadYourWrites, what)
            }
            _ => Ok(()),
        }
    }

    /// What was assigned last is what shows.
    fn read_your_writes(&mut self, at: usize, replica: &Replica, new: &[usize]) -> Holds {
        let mut last = std::collections::BTreeMap::new();
        for write in new.iter().map(|write| self.ledger.get(*write)) {
            if matches!(write.action, Action::Create | Action::Update) {
                for (name, op) in &write.fields {
                    if let Op::Assign(value) = op {
                        last.insert((write.key.clone(), name.clone()), value.clone());
                    }
                }
            }
        }
        let device = &self.devices[at];
        for ((key, name), value) in last {
            let record = device.disk.watched(|| replica.raw().record(&key));
            let record = record.map_err(|error| Violation { rule: Rule::NoFailure, what: error.to_string() })?;
            let family = sync_core::Family::Assign;
            let shown =
                record.get(&name, &family).and_then(|register| Some(register.ranked(&family).first()?.value.clone()));
            if shown.as_ref() != Some(&value) {
                let what = format!("{} wrote {value} to {name} of {key}, and shows {shown:?}", device.name);
                return broken(Rule::ReadYourWrites, what);
            }
        }
        Ok(())
    }
}
