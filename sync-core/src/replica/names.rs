//! Names of entries that had no number when they were named: what they are called, once their fate is known.
//!
//! Pending entries name each other by their local numbers, and stay as they were written. What became of those that
//! were accepted is noted here, as a few runs of numbers, and looked up when an entry is read. A refusal is rare, and
//! changes what the others of the entity name at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::pending::{Pending, Queue};
use super::state::{Aside, State};
use crate::hashed::HashMap;
use crate::model::codec::{self, Reader, Writer};
use crate::model::entry::{Action, EntityKey, Entry, Group, Map};
use crate::model::op::Op;
use crate::model::stamp::{ClientId, Dot, Dots, Name};
use crate::transport::Rejection;

impl State {
    /// A pending entry is in the records under this name: later ones name it so.
    pub(super) fn settle(&mut self, local: u64, dot: &Dot) {
        if let Some(pending) = self.remove_pending(local) {
            self.intents.note(pending.entry.intent, dot);
            self.names.note(local, dot, self.next_local);
            self.prune_names();
        }
    }

    /// A pending entry was refused: later ones name what it had named, and those that stand on no create any more go with it.
    /// `namers` are of one row: many thousands may be refused by it.
    pub(super) fn set_aside(&mut self, local: u64, rejection: &Rejection, namers: &mut Namers) {
        let mut keys: Vec<EntityKey> = self.set_aside_alone(local, rejection, namers).into_iter().collect();
        // One after the other, not one within the other: many thousands may stand on one create.
        while let Some(key) = keys.pop() {
            for fallen in self.fallen(&key) {
                let group = self.group_of(fallen);
                self.set_aside_alone(fallen, &with_its_create(), namers);
                for member in members(group) {
                    keys.extend(self.set_aside_alone(member, &with_its_group(), namers));
                }
            }
        }
        self.prune_names();
    }

    /// Sets one aside, if it is still pending. Returns its entity if others may stand on it.
    fn set_aside_alone(&mut self, local: u64, rejection: &Rejection, namers: &mut Namers) -> Option<EntityKey> {
        let pending = self.remove_pending(local)?;
        let entry = self.names.resolved(&pending.entry);
        let key = entry.key.clone();
        let is_ground = entry.action == Action::Create;
        self.rename_refused(local, &entry, namers);
        self.names.note_refused(local, &entry);
        self.changed.push(key.clone());
        self.aside.insert(local, Aside { entry, rejection: rejection.clone(), stored: false });
        is_ground.then_some(key)
    }

    /// The pending entries of an entity that stand on no create any more.
    fn fallen(&self, key: &EntityKey) -> Vec<u64> {
        let is_fallen = |pending: &Pending| pending.entry.action != Action::Create && pending.entry.of.is_empty();
        self.pending.of(key).filter(|local| self.pending.get(*local).is_some_and(is_fallen)).collect()
    }

    /// A pending entry is refused, and with it its transaction.
    pub(super) fn set_aside_whole(&mut self, local: u64, rejection: &Rejection, namers: &mut Namers) {
        let group = self.group_of(local);
        self.set_aside(local, rejection, namers);
        self.set_aside_group(group, namers);
    }

    /// The transaction of a pending entry.
    pub(super) fn group_of(&self, local: u64) -> Option<Group> {
        self.pending.get(local).and_then(|pending| pending.entry.group)
    }

    /// What is pending of a transaction of which an entry was refused.
    pub(super) fn set_aside_group(&mut self, group: Option<Group>, namers: &mut Namers) {
        members(group).for_each(|member| self.set_aside(member, &with_its_group(), namers));
    }

    fn remove_pending(&mut self, local: u64) -> Option<Pending> {
        let pending = self.pending.remove(local)?;
        self.shown.forget(&pending.entry.key);
        Some(pending)
    }

    /// Has the pending entries of an entity name what a refused one had named. `namers` knows which name it: they are not
    /// all looked at for each.
    fn rename_refused(&mut self, local: u64, refused: &Entry, namers: &mut Namers) {
        let was = Dot::local(local);
        for other in namers.take(&self.pending, local, refused) {
            if self.pending.get(other).is_some_and(|pending| pending.entry.named().any(|named| *named == was)) {
                self.alter(other, |pending| rename(Arc::make_mut(&mut pending.entry), &was, refused));
            }
        }
        self.replace_what_was_hidden(local, refused, namers);
    }

    /// A field under a new name takes the place of the one under the old name. Whoever wrote the old one after that
    /// saw nothing of it there, and knew of what the refused entry had taken away.
    fn replace_what_was_hidden(&mut self, local: u64, refused: &Entry, namers: &mut Namers) {
        for (name, dots) in hidden_by(refused) {
            let after = self.pending.of(&refused.key).filter(|other| *other > local);
            let over = after.filter(|other| self.pending.get(*other).is_some_and(|p| writes(&p.entry, name)));
            for other in over.collect::<Vec<u64>>() {
                self.alter(other, |pending| also_replaces(Arc::make_mut(&mut pending.entry), name, dots));
                namers.note(&refused.key, other, dots);
            }
        }
    }

    /// A pending entry under its final name.
    pub(crate) fn numbered(&self, local: u64, dot: Dot) -> Option<Entry> {
        let mut entry = Arc::unwrap_or_clone(self.names.resolved(&self.pending.get(local)?.entry));
        if let Some(group) = &mut entry.group {
            *group = Group { first: dot.n - (local - group.first), count: group.count };
        }
        entry.origin.dot = dot;
        Some(entry)
    }

    /// The entry with the names under which the pending entries that it names were offered.
    pub(crate) fn with_names_of_numbers(&self, mut entry: Entry) -> Entry {
        let client = &self.client;
        entry.map_named(|dots| {
            for dot in dots.iter_mut().filter(|dot| dot.is_local()) {
                if let Some(n) = self.pending.get(dot.n).and_then(|pending| pending.offered) {
                    *dot = Dot::new(client.clone(), n);
                }
            }
            dots.sort();
            dots.dedup();
        });
        entry
    }

    /// Names are kept while there is an entry that was written before they were known.
    fn prune_names(&mut self) {
        self.names.forget_before(self.pending.begin());
    }

    /// A draft is open, or no longer: it may name what was pending when it was opened.
    pub(super) fn hold_names(&mut self, held: bool) {
        self.names.holders = if held { self.names.holders + 1 } else { self.names.holders.saturating_sub(1) };
        self.prune_names();
    }
}

/// The local numbers of a transaction's entries.
fn members(group: Option<Group>) -> Range<u64> {
    group.map_or(0..0, |group| group.first..group.first + group.count)
}

/// Why what stands on nothing any more is set aside.
pub(super) fn with_its_create() -> Rejection {
    let message = "the create that it stands on was refused".to_owned();
    Rejection { code: "gone".into(), message, field: None }
}

/// Why the rest of a transaction is set aside.
pub(super) fn with_its_group() -> Rejection {
    let message = "another entry of the transaction was refused".to_owned();
    Rejection { code: "group".into(), message, field: None }
}

/// Has an entry name instead of `was` what that one had named itself, which was refused.
fn rename(entry: &mut Entry, was: &Dot, refused: &Entry) {
    let takes_its_place = takes_its_place(entry, was, refused);
    let change = |slot: Slot<'_>, dots: &mut Dots| {
        if !dots.contains(was) {
            return;
        }
        dots.retain(|dot| dot != was);
        dots.extend(instead(refused, slot));
        dots.sort();
        dots.dedup();
    };
    for (name, dots) in &mut entry.replaces {
        change(Slot::Register(name), dots);
    }
    for (_, op) in &mut entry.fields {
        if let Op::Set { remove, .. } = op {
            remove.iter_mut().for_each(|(_, dots)| change(Slot::Element, dots));
        }
    }
    change(Slot::Creates, &mut entry.of);
    change(Slot::Seen, &mut entry.saw);
    entry.replaces.retain(|(_, dots)| !dots.is_empty());
    if takes_its_place {
        hidden_by(refused).for_each(|(name, dots)| also_replaces(entry, name, dots));
    }
}

/// Has an entry name, instead of those that were refused, what these had named.
pub(super) fn pass_over(entry: &mut Entry, refused: &BTreeMap<u64, Arc<Entry>>) {
    // What a refused one had named may have been refused before or after.
    loop {
        let named = entry.named().filter(|dot| dot.is_local());
        let Some((was, refused)) = named.filter_map(|dot| Some((dot.clone(), refused.get(&dot.n)?))).next() else {
            break;
        };
        rename(entry, &was, refused);
    }
}

/// Whether an entry replaces all that the refused one wrote: then it hides what that had hidden under former names. No
/// entry says which of its fields had another name once, and what was hidden in one that is not written again has to
/// show again.
fn takes_its_place(entry: &Entry, was: &Dot, refused: &Entry) -> bool {
    let replaceable = |op: &Op| matches!(op, Op::Assign(_) | Op::First(_) | Op::Own { .. });
    let mut written = refused.fields.iter().filter(|(_, op)| replaceable(op)).peekable();
    written.peek().is_some() && written.all(|(name, _)| entry.replaced(name).contains(was))
}

/// What an entry replaced under names that it did not write: those that its fields had before.
fn hidden_by(entry: &Entry) -> impl Iterator<Item = &(Name, Dots)> {
    entry.replaces.iter().filter(|(name, _)| !writes(entry, name))
}

fn writes(entry: &Entry, name: &str) -> bool {
    entry.fields.iter().any(|(field, _)| &**field == name)
}

/// Has an entry replace these too.
fn also_replaces(entry: &mut Entry, field: &Name, dots: &[Dot]) {
    match entry.replaces.binary_search_by(|(name, _)| name.cmp(field)) {
        Ok(at) => {
            let replaced = &mut entry.replaces[at].1;
            replaced.extend(dots.iter().cloned());
            replaced.sort();
            replaced.dedup();
        }
        Err(at) => entry.replaces.insert(at, (field.clone(), dots.into())),
    }
}

/// Which pending entries name which that have no number, by entity: of those of which some are refused by one row.
#[derive(Default)]
pub(super) struct Namers(Map<HashMap<u64, Vec<u64>>>);

impl Namers {
    /// Those that may name a refused one. From here on they name what that had named.
    fn take(&mut self, pending: &Queue, local: u64, refused: &Entry) -> Vec<u64> {
        let of_entity = self.0.entry(refused.key.clone()).or_insert_with(|| {
            let mut namers: HashMap<u64, Vec<u64>> = HashMap::default();
            for other in pending.of(&refused.key) {
                let named = pending.get(other).into_iter().flat_map(|other| other.entry.named());
                named.filter(|dot| dot.is_local()).for_each(|dot| namers.entry(dot.n).or_default().push(other));
            }
            namers
        });
        let namers = of_entity.remove(&local).unwrap_or_default();
        for dot in refused.named().filter(|dot| dot.is_local()) {
            of_entity.entry(dot.n).or_default().extend(&namers);
        }
        namers
    }

    /// An entry names these from here on.
    fn note(&mut self, key: &EntityKey, local: u64, dots: &[Dot]) {
        let Some(of_entity) = self.0.get_mut(key) else { return };
        dots.iter().filter(|dot| dot.is_local()).for_each(|dot| of_entity.entry(dot.n).or_default().push(local));
    }
}

/// Where an entry names others.
#[derive(Clone, Copy)]
enum Slot<'a> {
    Register(&'a str),
    Element,
    Creates,
    Seen,
}

/// What is named instead of an entry that was refused.
fn instead(refused: &Entry, slot: Slot<'_>) -> Dots {
    match slot {
        Slot::Register(name) => refused.replaced(name).into(),
        Slot::Seen => refused.replaces.iter().flat_map(|(_, dots)| dots.clone()).collect(),
        // A create that never was is no ground to stand on; an insertion that never was needs no removal.
        Slot::Creates | Slot::Element => Dots::new(),
    }
}

/// What entries are called that had no number once, while someone may still name them by their local numbers.
#[derive(Default)]
pub(crate) struct Names {
    /// Consecutive entries that were accepted under consecutive names, by the first one's local number.
    runs: BTreeMap<u64, Run>,
    /// Those that were refused, kept for drafts: pending entries were renamed at once.
    refused: BTreeMap<u64, Arc<Entry>>,
    holders: usize,
}

/// The `i`-th is called `(client, n + i)`.
struct Run {
    count: u64,
    client: ClientId,
    n: u64,
    /// The local number of the first entry that was written when all of these had their names.
    until: u64,
}

impl Names {
    /// The drafts that are open stay open.
    pub(super) fn go_on_from(&mut self, before: &Names) {
        self.holders = before.holders;
    }

    fn note(&mut self, local: u64, dot: &Dot, until: u64) {
        if let Some((first, run)) = self.runs.range_mut(..local).next_back()
            && *first + run.count == local
            && run.client == dot.client
            && run.n + run.count == dot.n
        {
            run.count += 1;
            run.until = run.until.max(until);
            return;
        }
        self.runs.insert(local, Run { count: 1, client: dot.client.clone(), n: dot.n, until });
    }

    fn note_refused(&mut self, local: u64, entry: &Arc<Entry>) {
        if self.holders > 0 {
            self.refused.insert(local, entry.clone());
        }
    }

    /// Entries from this local number on are all that may name any.
    fn forget_before(&mut self, first: u64) {
        if self.holders > 0 {
            return;
        }
        self.refused.clear();
        while self.runs.first_key_value().is_some_and(|(_, run)| run.until <= first) {
            self.runs.pop_first();
        }
    }

    /// What is called so by its local number, under its final name.
    fn get(&self, dot: &Dot) -> Option<Dot> {
        if !dot.is_local() {
            return None;
        }
        let (first, run) = self.runs.range(..=dot.n).next_back()?;
        let at = dot.n - first;
        (at < run.count).then(|| Dot::new(run.client.clone(), run.n + at))
    }

    /// An entry with the names that those which it names have by now.
    pub(super) fn resolved(&self, entry: &Arc<Entry>) -> Arc<Entry> {
        if entry.named().any(|dot| self.get(dot).is_some()) {
            let mut entry = (**entry).clone();
            self.resolve(&mut entry);
            Arc::new(entry)
        } else {
            entry.clone()
        }
    }

    pub(super) fn resolve(&self, entry: &mut Entry) {
        entry.map_named(|dots| {
            let mut changed = false;
            for dot in dots.iter_mut() {
                if let Some(name) = self.get(dot) {
                    *dot = name;
                    changed = true;
                }
            }
            if changed {
                dots.sort();
                dots.dedup();
            }
        });
    }

    /// Has an entry that was made from older knowledge name what its names have become.
    pub(super) fn rename(&self, entry: &mut Entry) {
        pass_over(entry, &self.refused);
        self.resolve(entry);
    }

    pub(super) fn write(&self, w: &mut Writer) {
        let runs: Vec<(&u64, &Run)> = self.runs.iter().collect();
        w.list(&runs, |w, (first, run)| {
            w.u64(**first);
            w.u64(run.count);
            w.client(&run.client);
            w.u64(run.n);
            w.u64(run.until);
        });
    }

    pub(super) fn read(r: &mut Reader<'_>) -> codec::Result<Names> {
        let runs =
            r.list(|r| Ok((r.u64()?, Run { count: r.u64()?, client: r.client()?, n: r.u64()?, until: r.u64()? })))?;
        Ok(Names { runs: runs.into_iter().collect(), ..Names::default() })
    }
}
