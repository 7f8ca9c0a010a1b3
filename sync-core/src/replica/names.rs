//! Names of entries that have no number yet: what later entries name instead, once their fate is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::{Aside, Pending, State};
use crate::model::entry::{Action, EntityKey, Entry, Group};
use crate::model::op::Op;
use crate::model::stamp::Dot;
use crate::transport::Rejection;

impl State {
    /// A pending entry is in the records under this name: later ones name it so.
    pub(super) fn settle(&mut self, local: u64, dot: &Dot) {
        let Some(key) = self.remove_pending(local) else { return };
        self.rename(&key, local, &Fate::Named(dot.clone()));
    }

    /// A pending entry was refused: later ones name what it had named.
    pub(super) fn set_aside(&mut self, local: u64, rejection: &Rejection) {
        let Some(pending) = self.pending.get(&local) else { return };
        let entry = pending.entry.clone();
        let Some(key) = self.remove_pending(local) else { return };
        self.rename(&key, local, &Fate::Refused(entry.clone()));
        self.changed.push(key.clone());
        self.aside.insert(local, Aside { entry: entry.clone(), rejection: rejection.clone(), stored: false });
        self.fall(&key);
    }

    /// Pending entries that stand on no create any more go with it.
    fn fall(&mut self, key: &EntityKey) {
        let fallen = |pending: &Pending| pending.entry.action != Action::Create && pending.entry.of.is_empty();
        let locals = self.pending_of.get(key).cloned().unwrap_or_default();
        if let Some(local) = locals.into_iter().find(|local| fallen(&self.pending[local])) {
            let message = "the create that it stands on was refused".to_owned();
            self.set_aside_whole(local, &Rejection { code: "gone".into(), message, field: None });
        }
    }

    /// A pending entry is refused, and with it its transaction.
    pub(super) fn set_aside_whole(&mut self, local: u64, rejection: &Rejection) {
        let group = self.group_of(local);
        self.set_aside(local, rejection);
        self.set_aside_group(group);
    }

    /// The transaction of a pending entry.
    pub(super) fn group_of(&self, local: u64) -> Option<Group> {
        self.pending.get(&local).and_then(|pending| pending.entry.group)
    }

    /// What is pending of a transaction of which an entry was refused.
    pub(super) fn set_aside_group(&mut self, group: Option<Group>) {
        let Some(group) = group else { return };
        let message = "another entry of the transaction was refused".to_owned();
        let with = Rejection { code: "group".into(), message, field: None };
        for member in group.first..group.first + group.count {
            self.set_aside(member, &with);
        }
    }

    fn remove_pending(&mut self, local: u64) -> Option<EntityKey> {
        let pending = self.pending.remove(&local)?;
        let key = pending.entry.key.clone();
        if let Some(locals) = self.pending_of.get_mut(&key) {
            locals.retain(|other| *other != local);
            if locals.is_empty() {
                self.pending_of.remove(&key);
            }
        }
        self.dropped.push(local);
        Some(key)
    }

    /// Has the pending entries of an entity name what became of one of them.
    fn rename(&mut self, key: &EntityKey, local: u64, fate: &Fate) {
        self.landed.note(local, fate);
        let was = Dot::local(local);
        for other in self.pending_of.get(key).cloned().unwrap_or_default() {
            let Some(pending) = self.pending.get_mut(&other) else { continue };
            if !pending.entry.named().any(|named| *named == was) {
                continue;
            }
            let mut entry = (*pending.entry).clone();
            fate.rename(&was, &mut entry);
            if entry != *pending.entry {
                pending.entry = Arc::new(entry);
                pending.stored = false;
            }
        }
    }
}

/// What became of a pending entry.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// It was accepted under this name: whoever named it names that.
    Named(Dot),
    /// It was refused: whoever named it names what it had named there itself.
    Refused(Arc<Entry>),
}

impl Fate {
    /// Renames `was` wherever an entry names it.
    fn rename(&self, was: &Dot, entry: &mut Entry) {
        let change = |slot: Slot<'_>, dots: &mut Vec<Dot>| {
            if !dots.contains(was) {
                return;
            }
            dots.retain(|dot| dot != was);
            match self {
                Fate::Named(dot) => dots.push(dot.clone()),
                Fate::Refused(refused) => dots.extend(instead(refused, slot)),
            }
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
fn instead(refused: &Entry, slot: Slot<'_>) -> Vec<Dot> {
    match slot {
        Slot::Register(name) => refused.replaced(name).to_vec(),
        Slot::Seen => refused.replaces.iter().flat_map(|(_, dots)| dots.clone()).collect(),
        // A create that never was is no ground to stand on; an insertion that never was needs no removal.
        Slot::Creates | Slot::Element => Vec::new(),
    }
}

/// What became of pending entries, kept while someone may still name them by their local numbers.
#[derive(Default)]
pub(crate) struct Landed {
    holders: usize,
    fates: BTreeMap<u64, Fate>,
}

impl Landed {
    /// From here on fates are kept, until as many have let go as have held.
    pub(super) fn hold(&mut self) {
        self.holders += 1;
    }

    pub(super) fn release(&mut self) {
        self.holders = self.holders.saturating_sub(1);
        if self.holders == 0 {
            self.fates.clear();
        }
    }

    fn note(&mut self, local: u64, fate: &Fate) {
        if self.holders > 0 {
            self.fates.insert(local, fate.clone());
        }
    }

    /// Has an entry that was made from older knowledge name what its names have become.
    pub(super) fn rename(&self, entry: &mut Entry) {
        // The latest first: what a refused one had named may have had a fate of its own before or after.
        loop {
            let named = entry.named().find(|dot| dot.is_local() && self.fates.contains_key(&dot.n)).cloned();
            let Some(was) = named else { return };
            if let Some(fate) = self.fates.get(&was.n) {
                fate.rename(&was, entry);
            }
        }
    }
}
