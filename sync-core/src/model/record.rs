//! Records: the registers of one entity, and how entries fold into them.

mod check;
mod glance;

pub(crate) use glance::Glance;

use smallvec::{SmallVec, smallvec};

use super::codec::{self, CodecError, Reader, Writer};
use super::op::Family;
use super::register::{Register, Sibling};
use super::stamp::{Dot, Dots, Name, Origin, Stamp};
use super::value::Value;
use crate::entity::Tombstone;

/// One entity's registers. Equal entries make equal records, in whatever order they came.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Nearly always one.
    pub(super) creates: SmallVec<[Create; 1]>,
    pub(super) lifecycle: Vec<Lifecycle>,
    pub(super) fields: Vec<(Name, Family, Register)>,
    /// What was said to be replaced before it arrived.
    pub(super) missing: Vec<(Slot, Dot)>,
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
    pub of: Dots,
    /// A delete's policy; `None` for a restore.
    pub delete: Option<Tombstone>,
    /// The field writes that a delete's author saw, in order.
    pub saw: Dots,
}

/// Where a write that was replaced before it arrived would have gone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Slot {
    Create,
    Lifecycle,
    Field(Name),
    Element(Name, Value),
}

/// How many registers are looked through, where more are searched.
const FEW: usize = 8;

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
    /// Whether nothing is left of it.
    pub fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.lifecycle.is_empty() && self.fields.is_empty() && self.missing.is_empty()
    }

    /// The creates, in the order of their dots.
    pub fn creates(&self) -> &[Create] {
        &self.creates
    }

    /// The creates that have arrived, as later entries name them.
    pub fn grounds(&self) -> Dots {
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
        // Most names differ in their lengths already: no order is found out.
        if self.fields.len() <= FEW {
            return self.fields.iter().find(|(n, f, _)| **n == *name && f == family).map(|(_, _, register)| register);
        }
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
    pub fn field_dots(&self) -> Dots {
        let mut dots: Dots = self.fields.iter().flat_map(|(_, _, register)| register.dots()).collect();
        dots.sort();
        dots.dedup();
        dots
    }

    /// The field writes that a delete hides whose authors did not know of each other: none of the deletes saw them.
    pub fn hidden_writes(&self) -> Dots {
        if !matches!(self.life(), Life::Deleted { .. }) {
            return Dots::new();
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

    /// How many usual records have as many bytes of values: what is bounded by their number is bounded by this.
    pub(crate) fn weight(&self) -> usize {
        const USUAL: usize = 512;
        let values = self.fields.iter().map(|(_, _, register)| register.bytes()).sum::<usize>();
        (values / USUAL).max(1)
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

    /// Reads of what [`encode`](Self::encode) wrote only the creates that have arrived: they come first.
    pub(crate) fn decode_grounds(bytes: &[u8]) -> Result<Dots, CodecError> {
        let creates = Self::read_creates(&mut Reader::with_table(bytes)?)?;
        Ok(creates.into_iter().filter(|create| create.origin.is_some()).map(|create| create.dot).collect())
    }

    fn read_creates(r: &mut Reader<'_>) -> codec::Result<SmallVec<[Create; 1]>> {
        let stamp = |r: &mut Reader<'_>| Ok(Stamp { time: r.u64()?, client: r.client()?, n: r.u64()? });
        r.few(|r| Ok(Create { dot: r.dot()?, origin: r.option(Reader::origin)?, updated: r.option(stamp)? }))
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
        let sole = sole(&self.creates);
        w.list(&self.fields, |w, (name, family, register)| match sole.and_then(|sole| plain(sole, family, register)) {
            Some(Sibling { origin, value, .. }) => {
                w.u8(PLAIN);
                w.name(name);
                w.dot(&origin.dot);
                w.i64(origin.time.wrapping_sub(sole.map_or(0, |sole| sole.time)) as i64);
                w.value(value);
            }
            None => {
                family.write(w);
                w.name(name);
                register.write(w);
            }
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
        let creates = Self::read_creates(r)?;
        let sole = sole(&creates).cloned();
        Ok(Record {
            lifecycle: r.list(|r| {
                let (origin, of) = (r.origin()?, r.dots()?);
                let delete = match r.u8()? {
                    0 => None,
                    1 => Some(Tombstone::DeleteWins),
                    2 => Some(Tombstone::LastWriterWins),
                    _ => return Err(CodecError { expected: "a tombstone policy" }),
                };
                Ok(Lifecycle { origin, of, delete, saw: r.dots()? })
            })?,
            fields: r.list(|r| {
                let kind = r.u8()?;
                if kind != PLAIN {
                    let family = Family::read(kind, r)?;
                    return Ok((r.name()?, family, Register::read(r)?));
                }
                let create = sole.as_ref().ok_or(CodecError { expected: "a create before a plain field" })?;
                let (name, dot) = (r.name()?, r.dot()?);
                let time = create.time.wrapping_add(r.i64()? as u64);
                let (origin, of) = (Origin { dot, time, author: None }, smallvec![create.dot.clone()]);
                let sibling = Sibling { origin, of, value: r.value()? };
                Ok((name, Family::Assign, Register::Siblings(smallvec![sibling])))
            })?,
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
            creates,
        })
    }
}

/// The kind of a register that is one assignment on the sole create: of nearly every one.
const PLAIN: u8 = 7;

/// The create of a record that has one.
fn sole(creates: &[Create]) -> Option<&Origin> {
    match creates {
        [Create { dot, origin: Some(origin), .. }] if *dot == origin.dot => Some(origin),
        _ => None,
    }
}

/// The sibling of a register that is plain.
fn plain<'a>(create: &Origin, family: &Family, register: &'a Register) -> Option<&'a Sibling> {
    match register.siblings() {
        [one]
            if *family == Family::Assign
                && one.origin.author.is_none()
                && one.of.len() == 1
                && one.of[0] == create.dot =>
        {
            Some(one)
        }
        _ => None,
    }
}
