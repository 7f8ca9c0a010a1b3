//! Hubs that lose data, devices that lose their files, and what is left of what people wrote.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::register::Sibling;
use sync_core::{Dot, EntityKey, Entry, MemoryStore, Op, Replica, Value, VersionVector};

use super::chronicle::Standing;
use super::fault::Fault;
use super::hands::Dice;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::oracle::{EntityForm, FieldForm, oracle};

impl World<'_> {
    /// The hub's store is copied for later.
    pub(super) fn back_up_hub(&mut self, at: usize) {
        let space = &mut self.spaces[at];
        space.backup = Some((space.disk.copy(), space.chronicle.now.clone()));
    }

    /// The hub's store is put back as it was, or lost.
    pub(super) fn lose_hub(&mut self, fault: Fault, at: usize) -> Holds {
        let space = &mut self.spaces[at];
        let before = match fault {
            Fault::HubRestored => space.backup.take(),
            _ => Some((MemoryStore::new(), Standing::default())),
        };
        let Some((image, standing)) = before else { return Ok(()) };
        self.tally.fault(fault);
        space.replace(image, standing);
        self.start_hub(at)?;
        self.recount(at)?;
        self.excuse(at)
    }

    /// A file or a hub's store is gone: what nobody has any more is lost with it, and that is nobody's fault.
    pub(super) fn excuse(&mut self, at: usize) -> Holds {
        let at_risk = |this: &Self| -> Vec<usize> {
            let open = this.ledger.all().filter(|(_, write)| {
                write.space == at && !write.is_accepted && !write.is_given_up && !write.is_excused
            });
            open.map(|(write, _)| write).collect()
        };
        let mut lost: BTreeSet<usize> = at_risk(self).into_iter().collect();
        for device in 0..self.devices.len() {
            if self.devices[device].space == at && !lost.is_empty() {
                for write in self.holdings(device)? {
                    lost.remove(&write);
                }
            }
        }
        for write in lost {
            self.tally.mark(Mark::LostWithFile);
            self.ledger.get_mut(write).is_excused = true;
        }
        Ok(())
    }

    /// The writes that a device's file holds in any way: what is not durable is not in it.
    fn holdings(&mut self, at: usize) -> Result<BTreeSet<usize>, Violation> {
        let builder = Replica::builder().clock(self.devices[at].clock.clone()).random(Dice::new(3)).threadless();
        let opened = builder.open(self.devices[at].disk.copy());
        let opened =
            opened.or_else(|error| broken(Rule::NoFailure, format!("a copy of a file does not open: {error}")));
        let replica = opened?;
        let mut held = self.held(at, &replica)?;
        held.extend(self.writes_in(self.devices[at].space, &replica.vector())?.into_keys());
        Ok(held)
    }

    /// Every write that was promised is at the hub, on a device, or was seen to by its user.
    pub(super) fn all_kept(&mut self, at: usize) -> Holds {
        let mut held = BTreeSet::new();
        for device in 0..self.devices.len() {
            if let (true, Some(replica)) = (self.devices[device].space == at, self.devices[device].replica.clone()) {
                held.extend(self.held(device, &replica)?);
            }
        }
        let is_missing = |(at_write, write): &(usize, &super::ledger::Write)| {
            write.space == at
                && write.is_promised
                && !(write.is_accepted || write.is_given_up || write.is_excused || held.contains(at_write))
        };
        match self.ledger.all().find(is_missing) {
            None => Ok(()),
            Some((_, write)) => broken(Rule::Kept, format!("{write:?} is gone")),
        }
    }

    /// A device took over the hub's state: what only it held is listed.
    pub(super) fn adopted(&mut self, at: usize, replica: &Replica, before: &VersionVector, reopened: bool) -> Holds {
        let space = self.devices[at].space;
        let held = &self.devices[at].file.open;
        let contents = |vector: &VersionVector, but_held: bool| -> Result<BTreeMap<Dot, &Entry>, Violation> {
            let contents = self.spaces[space].chronicle.contents(vector);
            let contents = contents.or_else(|dot| broken(Rule::Named, format!("nobody ever accepted {dot}")))?;
            // That it was accepted may not have been durable here: then it is offered again.
            let is_held = |write: Option<usize>| but_held && write.is_some_and(|write| held.contains(&write));
            let contents = contents.into_iter().filter(|logged| !is_held(logged.write));
            Ok(contents.map(|logged| (logged.entry.dot().clone(), &*logged.entry)).collect())
        };
        let (had, has) = (contents(before, reopened)?, contents(&replica.vector(), false)?);
        // That it came down may not have been durable: then it comes again.
        let comes = if reopened { contents(&self.spaces[space].chronicle.now.vector, false)? } else { BTreeMap::new() };
        let is_there = |dot: &Dot| [&has, &comes].into_iter().any(|there| had.get(dot) == there.get(dot));
        let is_lost = |dot: &Dot| had.contains_key(dot) && !is_there(dot);
        if !had.keys().any(is_lost) {
            return Ok(());
        }
        let listed = replica.rejected();
        for aside in &listed {
            self.trace.say(format_args!("    lists {} {:?}", aside.entry.to_json(None), aside.rejection.code));
        }
        if reopened && last_aside(replica) <= self.devices[at].file.last_aside {
            // It was not durable yet that the device had it.
            return Ok(());
        }
        let listed: Vec<&Entry> =
            listed.iter().map(|aside| &aside.entry).filter(|entry| entry.intent.is_none()).collect();
        self.tally.mark(Mark::SetAsideState);
        let there = oracle(has.values().copied());
        for (key, form) in oracle(had.values().copied()) {
            if let Some(what) = unlisted(&key, &form, there.get(&key), &listed, &is_lost) {
                return broken(
                    Rule::Kept,
                    format!("{} took over the hub's state, and does not list {what}", self.devices[at].name),
                );
            }
        }
        let kept = self.writes_in(space, &replica.vector())?;
        for write in self.writes_in(space, before)?.into_keys().filter(|write| !kept.contains_key(write)) {
            // It is listed as a part of the state that it was in, no longer as itself.
            self.ledger.get_mut(write).is_excused = true;
        }
        Ok(())
    }
}

/// The last number under which something of a state, not of a write, was set aside.
pub(super) fn last_aside(replica: &Replica) -> u64 {
    let asides = replica.rejected();
    asides.iter().filter(|aside| aside.entry.intent.is_none()).map(|aside| aside.number).max().unwrap_or(0)
}

/// What of an entity is lost, not listed, and not to be seen `there` either, written alike under the same name.
fn unlisted(
    key: &EntityKey,
    form: &EntityForm,
    there: Option<&EntityForm>,
    listed: &[&Entry],
    is_lost: &impl Fn(&Dot) -> bool,
) -> Option<String> {
    let ops = |name: &str| -> Vec<&Op> {
        let fields = listed.iter().filter(|entry| entry.key == *key).flat_map(|entry| &entry.fields);
        fields.filter(|(field, _)| &**field == name).map(|(_, op)| op).collect()
    };
    for ((name, family), field) in &form.fields {
        let missing = |what: &dyn std::fmt::Display| Some(format!("{what} of {name} ({family:?}) of {key}"));
        let ops: Vec<&Op> = ops(name).into_iter().filter(|op| op.family() == *family).collect();
        let is_listed = |value_lost: &Value| ops.iter().any(|op| value(op) == Some(value_lost));
        let shown = there.and_then(|there| there.fields.get(&(name.clone(), family.clone())));
        let is_there = |s: &Sibling| shown.is_some_and(|shown| shown.ranked.contains(s));
        let lost = |s: &&Sibling| is_lost(&s.origin.dot) && !is_listed(&s.value) && !is_there(s);
        if let Some(lost) = field.ranked.iter().find(lost) {
            return missing(&lost.value);
        }
        let inserts = |element: &str| {
            ops.iter().any(|op| matches!(op, Op::Set { insert, .. } if insert.iter().any(|e| e.as_str() == element)))
        };
        let lost = |insertions: &BTreeMap<Dot, _>| insertions.keys().any(is_lost);
        if let Some((element, _)) =
            field.elements.iter().find(|(element, insertions)| lost(insertions) && !inserts(element))
        {
            return missing(element);
        }
        if adds_lost(field, is_lost) && !ops.iter().any(|op| matches!(op, Op::Add(_))) {
            return missing(&"an addition");
        }
    }
    None
}

fn adds_lost(field: &FieldForm, is_lost: &impl Fn(&Dot) -> bool) -> bool {
    field.parts.iter().any(|((client, _), (n, sum))| *sum != 0 && is_lost(&Dot::new(client.clone(), *n)))
}

fn value(op: &Op) -> Option<&Value> {
    match op {
        Op::Assign(value) | Op::First(value) | Op::Max(value) | Op::Min(value) | Op::Own { body: value, .. } => {
            Some(value)
        }
        _ => None,
    }
}
