//! What people do with their devices: write, and fill in forms.

use sync_core::model::stamp::Name;
use sync_core::{Action, Commit, EntityKey, Entry, Error, Family, Life, Op, Record, Replica};

use super::fault::Fault;
use super::ledger::{Write, plain};
use super::subject::Act;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::rng::Rng;

/// Of a hundred writes, how many are waited for.
pub(super) const WAITS: usize = 70;

/// Whether all that an entry replaces stands under the names that it writes.
fn has_one_name(entry: &Entry) -> bool {
    entry.replaces.iter().all(|(over, _)| entry.fields.iter().any(|(name, _)| name == over))
}

impl World<'_> {
    /// Somebody writes, `count` things in one transaction.
    pub(super) fn write(&mut self, at: usize, count: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let topics = self.plan.topics;
        let kinds = topics.kinds(&self.kinds[self.devices[at].version]);
        let mut acts = Vec::with_capacity(count);
        for _ in 0..count {
            let kind = (*rng.pick(&kinds)).clone();
            let id = *rng.pick(topics.ids());
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
        let (chance, deletes) = (rng.below(100), self.plan.topics.deletes);
        Ok(Some(match life {
            Life::Unborn if chance < 80 => Act::Create,
            Life::Unborn if chance < 95 => Act::Put,
            Life::Alive { .. } if chance < 8 => Act::Put,
            Life::Alive { .. } if chance < 8 + deletes => Act::Delete,
            Life::Alive { .. } if chance < 10 + deletes => Act::Create,
            Life::Deleted { .. } if chance < 40 => Act::Restore,
            Life::Deleted { .. } if chance < 60 => Act::Put,
            Life::Deleted { .. } if chance < 80 => Act::Delete,
            _ => Act::Edit,
        }))
    }

    /// Somebody opens a form and changes something in it.
    pub(super) fn open_form(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let topics = self.plan.topics;
        let kind = (*rng.pick(&topics.kinds(&self.kinds[self.devices[at].version]))).clone();
        match kind.draft(&replica, rng.pick::<&str>(topics.ids()), rng) {
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
            self.stamped_after(at, replica, is_plain)?;
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

    /// The last write of a device is stamped after all that shows where it was made. A delete that was chosen from an old list
    /// has not seen what came since.
    fn stamped_after(&self, at: usize, replica: &Replica, is_plain: bool) -> Holds {
        let device = &self.devices[at];
        let Some(last) = device.unsynced(replica).pop() else { return Ok(()) };
        let record = device.disk.watched(|| replica.raw().record(&last.key));
        let record = record.map_err(|error| Violation { rule: Rule::NoFailure, what: error.to_string() })?;
        if is_plain && matches!(last.action, Action::Delete(_)) && !record.hidden_writes().is_empty() {
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
