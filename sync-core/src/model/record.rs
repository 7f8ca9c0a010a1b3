//! Records: the registers of one entity, and how entries fold into them.

mod check;

use std::sync::Arc;

use super::codec::{self, CodecError, Reader, Writer};
use super::entry::{Action, Entry, LIFECYCLE};
use super::op::{Family, Op};
use super::register::{Grounds, InLogOrder, Knowledge, Register, Sibling, join_lists};
use super::stamp::{Context, Dot, Name, Origin, Stamp};
use super::value::Value;
use crate::entity::Tombstone;

/// One entity's registers. Equal entries make equal records, in whatever order they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    creates: Vec<Create>,
    lifecycle: Vec<Lifecycle>,
    fields: Vec<(Name, Family, Register)>,
    /// What was said to be replaced before it arrived.
    missing: Vec<(Slot, Dot)>,
}

/// One create that nobody purged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create {
    /// The create's name.
    pub dot: Dot,
    /// Where it comes from; `None` while only entries that saw it have arrived.
    pub origin: Option<Origin>,
    /// The greatest stamp of the updates and restores that stand on it.
    pub updated: Option<Stamp>,
}

/// One delete or restore that nobody replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lifecycle {
    /// Where it comes from.
    pub origin: Origin,
    /// The creates it stands on.
    pub of: Grounds,
    /// A delete's policy; `None` for a restore.
    pub delete: Option<Tombstone>,
    /// The field writes that a delete's author saw, in order.
    pub saw: Vec<Dot>,
}

/// Where a write that was replaced before it arrived would have gone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Slot {
    Create,
    Lifecycle,
    Field(Name),
    Element(Name, Value),
}

/// Whether an entity is there, and since when it is as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// No create of it has arrived.
    Unborn,
    /// It is there.
    Alive {
        /// The logical time of the last create, update or restore.
        updated_at: u64,
    },
    /// It was deleted.
    Deleted {
        /// The logical time of the last delete.
        updated_at: u64,
    },
}

impl Record {
    /// Folds an entry in, in log order: all that it names has been folded before it.
    pub fn apply_in_order(&mut self, entry: &Entry) {
        self.apply(entry, &InLogOrder);
    }

    /// Folds an entry in that was not folded before.
    pub(crate) fn apply(&mut self, entry: &Entry, knowledge: &dyn Knowledge) {
        let of: Grounds = entry.grounds().into();
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
        for (name, dots) in &entry.replaces {
            if writes_fields {
                self.replace(&Slot::Field(name.clone()), dots, knowledge);
            } else if &**name == LIFECYCLE {
                self.replace(&Slot::Lifecycle, dots, knowledge);
            }
        }
        if writes_fields {
            self.remove_elements(entry, knowledge);
        }
        if !self.stands(&of, knowledge) {
            self.forget_missing(entry.dot());
            return;
        }
        match entry.action {
            Action::Update | Action::Restore => self.touch(&entry.origin, &of, knowledge),
            _ => self.expect(&of, knowledge),
        }
        match entry.action {
            Action::Create | Action::Update => self.write_fields(entry, &of, knowledge),
            Action::Delete(policy) => self.live(entry, of, Some(policy)),
            Action::Restore => self.live(entry, of, None),
            Action::Purge => {}
        }
        self.forget_missing(entry.dot());
    }

    fn write_fields(&mut self, entry: &Entry, of: &Grounds, knowledge: &dyn Knowledge) {
        for (name, op) in &entry.fields {
            let family = op.family();
            let value = match op {
                Op::Assign(value) | Op::First(value) | Op::Own { body: value, .. } => {
                    if self.is_missing(&Slot::Field(name.clone()), entry.dot()) {
                        continue;
                    }
                    value
                }
                Op::Max(value) | Op::Min(value) => value,
                Op::Add(delta) => {
                    self.register(name, family).add(entry.dot(), of, *delta, knowledge);
                    continue;
                }
                Op::Set { insert, .. } => {
                    self.insert_elements(entry, of, name, insert);
                    continue;
                }
            };
            let sibling = Sibling { origin: entry.origin.clone(), of: of.clone(), value: value.clone() };
            self.register(name, family.clone()).insert(&family, sibling);
        }
    }

    fn insert_elements(&mut self, entry: &Entry, of: &Grounds, name: &Name, insert: &[Value]) {
        for element in insert {
            if self.is_missing(&Slot::Element(name.clone(), element.clone()), entry.dot()) {
                continue;
            }
            let Register::Set(elements) = self.register(name, Family::Set) else { continue };
            let insertions = elements.entry(element.clone()).or_default();
            let place = insertions.binary_search_by(|(origin, _)| origin.dot.cmp(entry.dot()));
            if let Err(place) = place {
                insertions.insert(place, (entry.origin.clone(), of.clone()));
            }
        }
        self.drop_empty();
    }

    fn remove_elements(&mut self, entry: &Entry, knowledge: &dyn Knowledge) {
        for (name, op) in &entry.fields {
            let Op::Set { remove, .. } = op else { continue };
            for (element, dots) in remove {
                self.replace(&Slot::Element(name.clone(), element.clone()), dots, knowledge);
            }
        }
    }

    fn live(&mut self, entry: &Entry, of: Grounds, delete: Option<Tombstone>) {
        if self.is_missing(&Slot::Lifecycle, entry.dot()) {
            return;
        }
        let mut saw = entry.saw.clone();
        saw.sort();
        saw.dedup();
        let write = Lifecycle { origin: entry.origin.clone(), of, delete, saw };
        let place = self.lifecycle.binary_search_by(|l| l.origin.dot.cmp(entry.dot()));
        if let Err(place) = place {
            self.lifecycle.insert(place, write);
        }
    }

    /// Removes what these dots wrote into a slot, and remembers those that have not arrived.
    fn replace(&mut self, slot: &Slot, dots: &[Dot], knowledge: &dyn Knowledge) {
        if dots.is_empty() {
            return;
        }
        for dot in dots.iter().filter(|dot| !knowledge.knows(dot)) {
            let missing = (slot.clone(), dot.clone());
            if let Err(place) = self.missing.binary_search(&missing) {
                self.missing.insert(place, missing);
            }
        }
        match slot {
            Slot::Create => {}
            Slot::Lifecycle => self.lifecycle.retain(|l| !dots.contains(&l.origin.dot)),
            Slot::Field(name) => {
                for (field, family, register) in &mut self.fields {
                    // A maximum is never lowered, a sum never taken back: replacing is for writes that stand side by side.
                    if field == name && matches!(family, Family::Assign | Family::First | Family::Own(_)) {
                        register.retain(|dot, _| !dots.contains(dot));
                    }
                }
            }
            Slot::Element(name, element) => {
                for (field, _, register) in &mut self.fields {
                    if let (true, Register::Set(elements)) = (field == name, register)
                        && let Some(insertions) = elements.get_mut(element)
                    {
                        insertions.retain(|(origin, _)| !dots.contains(&origin.dot));
                        if insertions.is_empty() {
                            elements.remove(element);
                        }
                    }
                }
            }
        }
        self.drop_empty();
    }

    fn purge(&mut self, creates: &[Dot], knowledge: &dyn Knowledge) {
        self.creates.retain(|create| !creates.contains(&create.dot));
        for dot in creates.iter().filter(|dot| !knowledge.knows(dot)) {
            let missing = (Slot::Create, dot.clone());
            if let Err(place) = self.missing.binary_search(&missing) {
                self.missing.insert(place, missing);
            }
        }
        self.drop_fallen(knowledge);
    }

    /// Drops every write none of whose creates lives any more.
    fn drop_fallen(&mut self, knowledge: &dyn Knowledge) {
        let (creates, missing) = (&self.creates, &self.missing);
        let stands = |of: &Grounds| of.iter().any(|dot| stands(creates, missing, dot, knowledge));
        for (_, _, register) in &mut self.fields {
            register.retain(|_, of| stands(of));
        }
        self.lifecycle.retain(|l| stands(&l.of));
        self.drop_empty();
    }

    fn drop_empty(&mut self) {
        self.fields.retain(|(_, _, register)| !register.is_empty());
    }

    fn stands(&self, of: &Grounds, knowledge: &dyn Knowledge) -> bool {
        of.iter().any(|dot| stands(&self.creates, &self.missing, dot, knowledge))
    }

    /// Notes an update's stamp on each create that it stands on.
    fn touch(&mut self, origin: &Origin, of: &Grounds, knowledge: &dyn Knowledge) {
        self.expect(of, knowledge);
        let stamp = origin.stamp();
        for create in &mut self.creates {
            if of.contains(&create.dot) && create.updated.as_ref().is_none_or(|seen| *seen < stamp) {
                create.updated = Some(stamp.clone());
            }
        }
    }

    /// Makes room for creates that are named and have not arrived.
    fn expect(&mut self, of: &Grounds, knowledge: &dyn Knowledge) {
        for dot in of.iter() {
            if !knowledge.knows(dot) && stands(&self.creates, &self.missing, dot, knowledge) {
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
    pub(crate) fn settle(&mut self, knowledge: &dyn Knowledge) {
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

    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.lifecycle.is_empty() && self.fields.is_empty() && self.missing.is_empty()
    }

    /// The creates, in the order of their dots.
    pub fn creates(&self) -> &[Create] {
        &self.creates
    }

    /// The creates that have arrived, as later entries name them.
    pub fn grounds(&self) -> Vec<Dot> {
        self.creates.iter().filter(|c| c.origin.is_some()).map(|c| c.dot.clone()).collect()
    }

    /// The deletes and restores that nobody replaced.
    pub fn lifecycle(&self) -> &[Lifecycle] {
        &self.lifecycle
    }

    /// All registers in the order of field and family.
    pub fn registers(&self) -> impl Iterator<Item = (&Name, &Family, &Register)> {
        self.fields.iter().map(|(name, family, register)| (name, family, register))
    }

    /// One field's register under one family.
    pub fn get(&self, name: &str, family: &Family) -> Option<&Register> {
        let found = self.fields.binary_search_by(|(n, f, _)| (&**n, f).cmp(&(name, family)));
        found.ok().map(|place| &self.fields[place].2)
    }

    /// The entries that others say they replace, remove or purge, and that have not arrived; in no order.
    pub fn awaited(&self) -> impl Iterator<Item = &Dot> {
        self.missing.iter().map(|(_, dot)| dot)
    }

    /// Whether the entity is there. `O(creates + lifecycle)`.
    pub fn life(&self) -> Life {
        let arrived = || self.creates.iter().filter_map(|c| c.origin.as_ref());
        let Some(created) = arrived().min_by(|a, b| a.cmp_stamp(b)) else { return Life::Unborn };
        let updated = self.creates.iter().filter_map(|c| c.updated.as_ref()).max();
        let deletes = || self.lifecycle.iter().filter(|l| l.delete.is_some()).map(|l| &l.origin);
        if let Some(deleted) = deletes().max_by(|a, b| a.cmp_stamp(b)) {
            let forgiving = self.lifecycle.iter().all(|l| l.delete != Some(Tombstone::DeleteWins));
            let revived = forgiving && updated.is_some_and(|stamp| deletes().all(|delete| *stamp > delete.stamp()));
            if !revived {
                return Life::Deleted { updated_at: deleted.time };
            }
        }
        let created = created.stamp();
        Life::Alive { updated_at: updated.map_or(created.time, |stamp| stamp.max(&created).time) }
    }

    /// Every write in its registers, as a delete's author sees them.
    pub fn field_dots(&self) -> Vec<Dot> {
        let mut dots: Vec<Dot> = self.fields.iter().flat_map(|(_, _, register)| register.dots()).collect();
        dots.sort();
        dots.dedup();
        dots
    }

    /// The field writes that a delete hides whose authors did not know of each other: none of the deletes saw them.
    pub fn hidden_writes(&self) -> Vec<Dot> {
        if !matches!(self.life(), Life::Deleted { .. }) {
            return Vec::new();
        }
        let saw = |dot: &Dot| self.lifecycle.iter().any(|l| l.delete.is_some() && l.saw.binary_search(dot).is_ok());
        self.field_dots().into_iter().filter(|dot| !saw(dot)).collect()
    }

    /// The greatest logical time of any write that can still be seen in it.
    pub(crate) fn latest(&self) -> u64 {
        let created = self.creates.iter().filter_map(|create| create.origin.as_ref()).map(|origin| origin.time);
        let updated = self.creates.iter().filter_map(|create| create.updated.as_ref()).map(|stamp| stamp.time);
        created.chain(updated).chain(self.lifecycle.iter().map(|write| write.origin.time)).max().unwrap_or(0)
    }

    /// Whether the entity is there and not deleted.
    pub fn is_alive(&self) -> bool {
        matches!(self.life(), Life::Alive { .. })
    }

    /// Joins two states of one record. `we` and `they` say what each side contains, `both` what they contain together.
    pub(crate) fn join(&self, we: &Context, other: &Record, they: &Context, both: &Context) -> Record {
        let mut joined = Record {
            creates: self.join_creates(we, other, they),
            lifecycle: join_lists(&self.lifecycle, we, &other.lifecycle, they, |l| &l.origin.dot),
            fields: Vec::new(),
            missing: Vec::new(),
        };
        let keys = self.fields.iter().chain(&other.fields).map(|(name, family, _)| (name, family));
        for (name, family) in keys.collect::<std::collections::BTreeSet<_>>() {
            let empty = Register::empty(family);
            let ours = self.get(name, family).unwrap_or(&empty);
            let theirs = other.get(name, family).unwrap_or(&empty);
            let register = Register::join(family, ours, we, theirs, they);
            joined.fields.push((name.clone(), family.clone(), register));
        }
        // What one side knows to be replaced goes, also where the other side had not heard of it.
        let mut missing: Vec<(Slot, Dot)> = self.missing.iter().chain(&other.missing).cloned().collect();
        missing.sort();
        missing.dedup();
        for (slot, dot) in &missing {
            joined.replace(slot, std::slice::from_ref(dot), &InLogOrder);
            if *slot == Slot::Create {
                joined.creates.retain(|c| c.dot != *dot);
            }
        }
        joined.missing = missing;
        joined.settle(both);
        joined.drop_fallen(both);
        joined
    }

    fn join_creates(&self, we: &Context, other: &Record, they: &Context) -> Vec<Create> {
        let mut joined = join_lists(&self.creates, we, &other.creates, they, |c| &c.dot);
        for create in &mut joined {
            let sides = [self, other].map(|side| side.creates.iter().find(|c| c.dot == create.dot));
            for side in sides.into_iter().flatten() {
                create.origin = create.origin.take().or_else(|| side.origin.clone());
                create.updated = create.updated.take().max(side.updated.clone());
            }
        }
        joined
    }

    /// The compact binary form.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_table();
        self.write(&mut w);
        w.finish()
    }

    /// Reads what [`encode`](Self::encode) wrote; bytes from another machine are read by
    /// [`decode_untrusted`](Self::decode_untrusted).
    ///
    /// # Errors
    /// If the bytes are no record.
    pub fn decode(bytes: &[u8]) -> Result<Record, CodecError> {
        let mut r = Reader::with_table(bytes)?;
        let record = Self::read(&mut r)?;
        r.finish()?;
        Ok(record)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.list(&self.creates, |w, c| {
            w.dot(&c.dot);
            w.option(c.origin.as_ref(), Writer::origin);
            w.option(c.updated.as_ref(), |w, stamp| {
                w.u64(stamp.time);
                w.client(&stamp.client);
                w.u64(stamp.n);
            });
        });
        w.list(&self.lifecycle, |w, l| {
            w.origin(&l.origin);
            w.dots(&l.of);
            w.u8(match l.delete {
                None => 0,
                Some(Tombstone::DeleteWins) => 1,
                Some(Tombstone::LastWriterWins) => 2,
            });
            w.dots(&l.saw);
        });
        w.list(&self.fields, |w, (name, family, register)| {
            w.name(name);
            family.write(w);
            register.write(w);
        });
        w.list(&self.missing, |w, (slot, dot)| {
            match slot {
                Slot::Create => w.u8(0),
                Slot::Lifecycle => w.u8(1),
                Slot::Field(name) => {
                    w.u8(2);
                    w.name(name);
                }
                Slot::Element(name, element) => {
                    w.u8(3);
                    w.name(name);
                    w.value(element);
                }
            }
            w.dot(dot);
        });
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Record> {
        let stamp = |r: &mut Reader<'_>| Ok(Stamp { time: r.u64()?, client: r.client()?, n: r.u64()? });
        Ok(Record {
            creates: r.list(|r| Ok(Create { dot: r.dot()?, origin: r.option(Reader::origin)?, updated: r.option(stamp)? }))?,
            lifecycle: r.list(|r| {
                let (origin, of) = (r.origin()?, Arc::from(r.dots()?));
                let delete = match r.u8()? {
                    0 => None,
                    1 => Some(Tombstone::DeleteWins),
                    2 => Some(Tombstone::LastWriterWins),
                    _ => return Err(CodecError { expected: "a tombstone policy" }),
                };
                Ok(Lifecycle { origin, of, delete, saw: r.dots()? })
            })?,
            fields: r.list(|r| Ok((r.name()?, Family::read(r)?, Register::read(r)?)))?,
            missing: r.list(|r| {
                let slot = match r.u8()? {
                    0 => Slot::Create,
                    1 => Slot::Lifecycle,
                    2 => Slot::Field(r.name()?),
                    3 => Slot::Element(r.name()?, r.value()?),
                    _ => return Err(CodecError { expected: "a slot" }),
                };
                Ok((slot, r.dot()?))
            })?,
        })
    }
}

/// Whether a create lives, or may still arrive and live.
fn stands(creates: &[Create], missing: &[(Slot, Dot)], dot: &Dot, knowledge: &dyn Knowledge) -> bool {
    let purged = || missing.iter().any(|(slot, missing)| *slot == Slot::Create && missing == dot);
    creates.iter().any(|c| c.dot == *dot) || (!knowledge.knows(dot) && !purged())
}
