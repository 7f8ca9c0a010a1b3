//! Folding: how an entry changes the record of its entity.

use super::entry::{Action, Entry, LIFECYCLE};
use super::op::{Family, Op};
use super::record::{Create, Lifecycle, Record, Slot};
use super::register::{InLogOrder, Knowledge, Register, Sibling};
use super::stamp::{Dot, Name, Origin};
use super::value::Value;
use crate::entity::Tombstone;

impl Record {
    /// Folds an entry in, in log order: all that it names has been folded before it.
    pub fn apply_in_order(&mut self, entry: &Entry) {
        self.apply(entry, &InLogOrder);
    }

    /// Folds an entry in that was not folded before.
    pub(crate) fn apply(&mut self, entry: &Entry, knowledge: &impl Knowledge) {
        match entry.action {
            Action::Create => {
                let purged = self.was_missing(&Slot::Create, entry.dot());
                if !purged {
                    self.create(entry.dot()).origin = Some(entry.origin.clone());
                }
            }
            Action::Purge => {
                self.purge(&entry.of, knowledge);
                self.forget_missing(entry.dot());
                return;
            }
            _ => {}
        }
        // What is replaced is replaced even if the one who replaced it is dropped at once for want of a create.
        let writes_fields = matches!(entry.action, Action::Create | Action::Update);
        for (name, dots) in entry.replaces.iter().filter(|(_, dots)| !dots.is_empty()) {
            if writes_fields {
                self.replace_in_field(name, dots, knowledge);
            } else if &**name == LIFECYCLE {
                self.replace(&Slot::Lifecycle, dots, knowledge);
            }
        }
        if writes_fields {
            self.remove_elements(entry, knowledge);
        }
        let of = entry.stands_on();
        if self.stands(of, knowledge) {
            self.expect(of, knowledge);
            if matches!(entry.action, Action::Update | Action::Restore) {
                self.touch(&entry.origin, of);
            }
            match entry.action {
                Action::Create | Action::Update => self.write_fields(entry, of, knowledge),
                Action::Delete(policy) => self.live(entry, of, Some(policy)),
                Action::Restore => self.live(entry, of, None),
                Action::Purge => {}
            }
        }
        // Only now: nearly every register that was emptied is one that was written.
        if !entry.replaces.is_empty() {
            self.drop_empty();
        }
        self.forget_missing(entry.dot());
    }

    fn write_fields(&mut self, entry: &Entry, of: &[Dot], knowledge: &impl Knowledge) {
        for (name, op) in &entry.fields {
            let value = match op {
                Op::Assign(value) | Op::First(value) | Op::Own { body: value, .. } => {
                    if !self.missing.is_empty() && self.is_missing(&Slot::Field(name.clone()), entry.dot()) {
                        continue;
                    }
                    value
                }
                Op::Max(value) | Op::Min(value) => value,
                Op::Add(delta) => {
                    self.register(name, op.family()).add(entry.dot(), of, *delta, knowledge);
                    continue;
                }
                Op::Set { insert, .. } => {
                    self.insert_elements(entry, of, name, insert);
                    continue;
                }
            };
            let family = op.family();
            let sibling = Sibling { origin: entry.origin.clone(), of: of.into(), value: value.clone() };
            self.register(name, family.clone()).insert(&family, sibling);
        }
    }

    fn insert_elements(&mut self, entry: &Entry, of: &[Dot], name: &Name, insert: &[Value]) {
        for element in insert {
            if self.is_missing(&Slot::Element(name.clone(), element.clone()), entry.dot()) {
                continue;
            }
            let Register::Set(elements) = self.register(name, Family::Set) else { continue };
            let insertions = elements.entry(element.clone()).or_default();
            let place = insertions.binary_search_by(|(origin, _)| origin.dot.cmp(entry.dot()));
            if let Err(place) = place {
                insertions.insert(place, (entry.origin.clone(), of.into()));
            }
        }
        self.drop_empty();
    }

    fn remove_elements(&mut self, entry: &Entry, knowledge: &impl Knowledge) {
        for (name, op) in &entry.fields {
            let Op::Set { remove, .. } = op else { continue };
            for (element, dots) in remove {
                self.replace(&Slot::Element(name.clone(), element.clone()), dots, knowledge);
            }
        }
    }

    fn live(&mut self, entry: &Entry, of: &[Dot], delete: Option<Tombstone>) {
        if self.is_missing(&Slot::Lifecycle, entry.dot()) {
            return;
        }
        let mut saw = entry.saw.clone();
        saw.sort();
        saw.dedup();
        let write = Lifecycle { origin: entry.origin.clone(), of: of.into(), delete, saw };
        let place = self.lifecycle.binary_search_by(|l| l.origin.dot.cmp(entry.dot()));
        if let Err(place) = place {
            self.lifecycle.insert(place, write);
        }
    }

    /// Removes what these dots wrote into a slot, and remembers those that have not arrived.
    pub(super) fn replace(&mut self, slot: &Slot, dots: &[Dot], knowledge: &impl Knowledge) {
        match slot {
            Slot::Create => self.await_missing(slot, dots, knowledge),
            Slot::Lifecycle => {
                self.await_missing(slot, dots, knowledge);
                self.lifecycle.retain(|l| !dots.contains(&l.origin.dot));
            }
            Slot::Field(name) => {
                self.replace_in_field(name, dots, knowledge);
                self.drop_empty();
            }
            Slot::Element(name, element) => {
                self.await_missing(slot, dots, knowledge);
                for (_, _, register) in self.registers_of(name) {
                    if let Register::Set(elements) = register
                        && let Some(insertions) = elements.get_mut(element)
                    {
                        insertions.retain(|(origin, _)| !dots.contains(&origin.dot));
                        if insertions.is_empty() {
                            elements.remove(element);
                        }
                    }
                }
                self.drop_empty();
            }
        }
    }

    /// The same in the registers of a field; those that it empties stay, to be written.
    fn replace_in_field(&mut self, name: &Name, dots: &[Dot], knowledge: &impl Knowledge) {
        let mut removed = 0;
        for (_, family, register) in self.registers_of(name) {
            // A maximum is never lowered, a sum never taken back: replacing is for writes that stand side by side.
            if let (Family::Assign | Family::First | Family::Own(_), Register::Siblings(siblings)) = (family, register)
            {
                let before = siblings.len();
                siblings.retain(|sibling| !dots.contains(&sibling.origin.dot));
                removed += before - siblings.len();
            }
        }
        // What was there is known.
        if removed != 1 || dots.len() != 1 {
            self.await_missing(&Slot::Field(name.clone()), dots, knowledge);
        }
    }

    fn await_missing(&mut self, slot: &Slot, dots: &[Dot], knowledge: &impl Knowledge) {
        for dot in dots.iter().filter(|dot| !knowledge.knows(dot)) {
            let missing = (slot.clone(), dot.clone());
            if let Err(place) = self.missing.binary_search(&missing) {
                self.missing.insert(place, missing);
            }
        }
    }

    fn purge(&mut self, creates: &[Dot], knowledge: &impl Knowledge) {
        self.creates.retain(|create| !creates.contains(&create.dot));
        self.await_missing(&Slot::Create, creates, knowledge);
        self.drop_fallen(knowledge);
    }

    /// Drops every write none of whose creates lives any more.
    pub(super) fn drop_fallen(&mut self, knowledge: &impl Knowledge) {
        let (creates, missing) = (&self.creates, &self.missing);
        let stands = |of: &[Dot]| of.iter().any(|dot| stands(creates, missing, dot, knowledge));
        for (_, _, register) in &mut self.fields {
            register.retain(|_, of| stands(of));
        }
        self.lifecycle.retain(|l| stands(&l.of));
        self.drop_empty();
    }

    fn drop_empty(&mut self) {
        self.fields.retain(|(_, _, register)| !register.is_empty());
    }

    fn stands(&self, of: &[Dot], knowledge: &impl Knowledge) -> bool {
        of.iter().any(|dot| stands(&self.creates, &self.missing, dot, knowledge))
    }

    /// Notes an update's stamp on each create that it stands on.
    fn touch(&mut self, origin: &Origin, of: &[Dot]) {
        for create in &mut self.creates {
            if of.contains(&create.dot) && create.updated.as_ref().is_none_or(|seen| origin.is_after(seen)) {
                create.updated = Some(origin.stamp());
            }
        }
    }

    /// Makes room for creates that are named and have not arrived.
    fn expect(&mut self, of: &[Dot], knowledge: &impl Knowledge) {
        for dot in of {
            let is_here = self.creates.iter().any(|create| create.dot == *dot);
            if !is_here && stands(&self.creates, &self.missing, dot, knowledge) {
                self.create(dot);
            }
        }
    }

    fn create(&mut self, dot: &Dot) -> &mut Create {
        let place = self.creates.binary_search_by(|c| c.dot.cmp(dot));
        let place = place.unwrap_or_else(|place| {
            self.creates.insert(place, Create { dot: dot.clone(), origin: None, updated: None });
            place
        });
        &mut self.creates[place]
    }

    fn register(&mut self, name: &Name, family: Family) -> &mut Register {
        let place = self.fields.binary_search_by(|(n, f, _)| (n, f).cmp(&(name, &family)));
        let place = place.unwrap_or_else(|place| {
            let register = Register::empty(&family);
            self.fields.insert(place, (name.clone(), family, register));
            place
        });
        &mut self.fields[place].2
    }

    /// A field's registers, of whatever family.
    fn registers_of(&mut self, name: &Name) -> impl Iterator<Item = &mut (Name, Family, Register)> {
        let first = self.fields.partition_point(|(n, _, _)| n < name);
        self.fields[first..].iter_mut().take_while(move |(n, _, _)| n == name)
    }

    fn is_missing(&self, slot: &Slot, dot: &Dot) -> bool {
        self.missing.iter().any(|(s, d)| s == slot && d == dot)
    }

    fn was_missing(&mut self, slot: &Slot, dot: &Dot) -> bool {
        let before = self.missing.len();
        self.missing.retain(|(s, d)| !(s == slot && d == dot));
        self.missing.len() < before
    }

    fn forget_missing(&mut self, dot: &Dot) {
        self.missing.retain(|(_, missing)| missing != dot);
    }

    /// The entries for which something in it waits: to arrive, or for the gap before them to be closed.
    pub(crate) fn waits(&self) -> impl Iterator<Item = &Dot> {
        let creates = self.creates.iter().filter(|c| c.origin.is_none()).map(|c| &c.dot);
        let early = self.fields.iter().flat_map(|(_, _, register)| register.early()).map(|a| &a.dot);
        self.awaited().chain(creates).chain(early)
    }

    /// Takes in that more entries are known now.
    pub(crate) fn settle(&mut self, knowledge: &impl Knowledge) {
        self.missing.retain(|(_, dot)| !knowledge.knows(dot));
        let expected = self.creates.len();
        // What was taken for a create on its way turned out to be something else.
        self.creates.retain(|c| c.origin.is_some() || !knowledge.knows(&c.dot));
        if self.creates.len() < expected {
            self.drop_fallen(knowledge);
        }
        for (_, _, register) in &mut self.fields {
            register.settle(knowledge);
        }
    }
}

/// Whether a create lives, or may still arrive and live.
fn stands(creates: &[Create], missing: &[(Slot, Dot)], dot: &Dot, knowledge: &impl Knowledge) -> bool {
    let purged = || missing.iter().any(|(slot, missing)| *slot == Slot::Create && missing == dot);
    creates.iter().any(|c| c.dot == *dot) || (!knowledge.knows(dot) && !purged())
}
