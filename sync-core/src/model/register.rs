//! Registers: the state of one field under one operation family.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::codec::{self, CodecError, Reader, Writer};
use super::context::Context;
use super::op::Family;
use super::stamp::{ClientId, Dot, Dots, Origin};
use super::value::Value;

/// The writes of a register that nobody replaced: nearly always one.
pub type Siblings = SmallVec<[Sibling; 1]>;

/// What a fold knows of other entries.
pub trait Knowledge {
    /// Whether the entry of this name is known.
    fn knows(&self, dot: &Dot) -> bool;
    /// Up to which number a client's entries are known without a gap.
    fn known_to(&self, client: &ClientId) -> u64;
}

impl Knowledge for Context {
    fn knows(&self, dot: &Dot) -> bool {
        Context::knows(self, dot)
    }
    fn known_to(&self, client: &ClientId) -> u64 {
        self.vector().get(client).n
    }
}

/// In a log all that an entry names stands before it: nothing is ever missing.
#[derive(Debug, Clone, Copy)]
pub struct InLogOrder;

impl Knowledge for InLogOrder {
    fn knows(&self, _: &Dot) -> bool {
        true
    }
    fn known_to(&self, _: &ClientId) -> u64 {
        u64::MAX
    }
}

/// One write that nobody has replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sibling {
    /// Where it comes from.
    pub origin: Origin,
    /// The creates it stands on: it is dropped when none of them lives any more.
    pub of: Dots,
    /// What it wrote.
    pub value: Value,
}

impl Sibling {
    /// Whether it is part of a create: any update beats it.
    pub fn is_create(&self) -> bool {
        self.of.len() == 1 && self.of[0] == self.origin.dot
    }
}

/// What one client added to a counter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// The client.
    pub client: ClientId,
    /// The creates its additions stand on.
    pub of: Dots,
    /// The number of its last addition within.
    pub n: u64,
    /// Their sum.
    pub sum: i128,
}

/// One addition beyond a gap in its client's entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addend {
    /// The entry.
    pub dot: Dot,
    /// The creates it stands on: it is dropped when none of them lives any more.
    pub of: Dots,
    /// What it added.
    pub delta: i64,
}

/// The state of one field under one operation family.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Register {
    /// Writes by dot: those nobody replaced; for `max` and `min`, those no other one dominates.
    Siblings(Siblings),
    /// A sum for each client, and additions that arrived early.
    Counter {
        /// By client and grounds.
        parts: Vec<Part>,
        /// By dot.
        early: Vec<Addend>,
    },
    /// For each element its insertions that nobody removed.
    Set(BTreeMap<Value, Vec<(Origin, Dots)>>),
}

impl Register {
    pub(crate) fn empty(family: &Family) -> Self {
        match family {
            Family::Counter => Register::Counter { parts: Vec::new(), early: Vec::new() },
            Family::Set => Register::Set(BTreeMap::new()),
            _ => Register::Siblings(Siblings::new()),
        }
    }

    /// Whether everything stands where folding puts it, once.
    pub(crate) fn is_in_order(&self) -> bool {
        match self {
            Register::Siblings(siblings) => siblings.is_sorted_by(|a, b| a.origin.dot < b.origin.dot),
            Register::Counter { parts, early } => {
                parts.is_sorted_by(|a, b| (&a.client, &a.of) < (&b.client, &b.of))
                    && early.is_sorted_by(|a, b| a.dot < b.dot)
            }
            Register::Set(elements) => elements
                .values()
                .all(|insertions| !insertions.is_empty() && insertions.is_sorted_by(|a, b| a.0.dot < b.0.dot)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Register::Siblings(siblings) => siblings.is_empty(),
            Register::Counter { parts, early } => parts.is_empty() && early.is_empty(),
            Register::Set(elements) => elements.is_empty(),
        }
    }

    /// The siblings, where the register has such.
    pub fn siblings(&self) -> &[Sibling] {
        match self {
            Register::Siblings(siblings) => siblings,
            _ => &[],
        }
    }

    /// How many bytes of values it holds.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Register::Siblings(siblings) => siblings.iter().map(|sibling| sibling.value.as_str().len()).sum(),
            Register::Counter { .. } => 0,
            Register::Set(elements) => elements.keys().map(|element| element.as_str().len()).sum(),
        }
    }

    /// A counter's sums.
    pub(crate) fn parts(&self) -> &[Part] {
        match self {
            Register::Counter { parts, .. } => parts,
            _ => &[],
        }
    }

    /// Additions beyond a gap in their client's entries.
    pub(crate) fn early(&self) -> &[Addend] {
        match self {
            Register::Counter { early, .. } => early,
            _ => &[],
        }
    }

    /// Drops every write that `keep` refuses, told its dot and its grounds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Dot, &Dots) -> bool) {
        match self {
            Register::Siblings(siblings) => siblings.retain(|s| keep(&s.origin.dot, &s.of)),
            Register::Counter { parts, early } => {
                parts.retain(|p| keep(&Dot::new(p.client.clone(), p.n), &p.of));
                early.retain(|a| keep(&a.dot, &a.of));
            }
            Register::Set(elements) => elements.retain(|_, insertions| {
                insertions.retain(|(origin, of)| keep(&origin.dot, of));
                !insertions.is_empty()
            }),
        }
    }

    /// Adds a write; one that is there already changes nothing.
    pub(crate) fn insert(&mut self, family: &Family, sibling: Sibling) {
        let Register::Siblings(siblings) = self else { return };
        let place = |siblings: &Siblings| siblings.binary_search_by(|s| s.origin.dot.cmp(&sibling.origin.dot));
        if place(siblings).is_ok() {
            return;
        }
        // None of those that are here dominates another: only what comes is held against each.
        if is_ordered(family) {
            if siblings.iter().any(|other| dominates(family, other, &sibling)) {
                return;
            }
            siblings.retain(|other| !dominates(family, &sibling, other));
        }
        if let Err(place) = place(siblings) {
            siblings.insert(place, sibling);
        }
    }

    pub(crate) fn add(&mut self, dot: &Dot, of: &[Dot], delta: i64, knowledge: &impl Knowledge) {
        let Register::Counter { parts, early } = self else { return };
        if dot.n <= knowledge.known_to(&dot.client) {
            add_to_part(parts, dot, of, i128::from(delta));
        } else if let Err(place) = early.binary_search_by(|a| a.dot.cmp(dot)) {
            early.insert(place, Addend { dot: dot.clone(), of: of.into(), delta });
        }
    }

    /// Additions that are no longer beyond a gap go into their client's sum.
    pub(crate) fn settle(&mut self, knowledge: &impl Knowledge) {
        let Register::Counter { parts, early } = self else { return };
        early.retain(|addend| {
            let settled = addend.dot.n <= knowledge.known_to(&addend.dot.client);
            if settled {
                add_to_part(parts, &addend.dot, &addend.of, i128::from(addend.delta));
            }
            !settled
        });
    }

    /// The sibling that gives the value.
    pub fn winner(&self, family: &Family) -> Option<&Sibling> {
        self.siblings().iter().max_by(|a, b| rank(family, a, b))
    }

    /// All siblings, the winner first, then in the order in which they would win.
    pub fn ranked(&self, family: &Family) -> Vec<&Sibling> {
        let mut ranked: Vec<&Sibling> = self.siblings().iter().collect();
        ranked.sort_by(|a, b| rank(family, b, a));
        ranked
    }

    /// A counter's sum.
    pub fn sum(&self) -> i128 {
        match self {
            Register::Counter { parts, early } => {
                let early = early.iter().map(|a| i128::from(a.delta));
                parts.iter().map(|p| p.sum).chain(early).fold(0, i128::saturating_add)
            }
            _ => 0,
        }
    }

    /// A counter's sums, each under the name of the last addition in it.
    pub fn additions(&self) -> impl Iterator<Item = (Dot, i128)> {
        let (parts, early) = match self {
            Register::Counter { parts, early } => (&parts[..], &early[..]),
            _ => (&[][..], &[][..]),
        };
        let parts = parts.iter().map(|part| (Dot::new(part.client.clone(), part.n), part.sum));
        parts.chain(early.iter().map(|addend| (addend.dot.clone(), i128::from(addend.delta))))
    }

    /// A set's elements.
    pub fn elements(&self) -> impl Iterator<Item = &Value> {
        let elements = match self {
            Register::Set(elements) => Some(elements.keys()),
            _ => None,
        };
        elements.into_iter().flatten()
    }

    /// The insertions of one element that nobody removed.
    pub fn insertions(&self, element: &Value) -> &[(Origin, Dots)] {
        match self {
            Register::Set(elements) => elements.get(element).map_or(&[], |insertions| insertions),
            _ => &[],
        }
    }

    /// Every write in it, as a delete's author sees them.
    pub(crate) fn dots(&self) -> Dots {
        match self {
            Register::Siblings(siblings) => siblings.iter().map(|s| s.origin.dot.clone()).collect(),
            Register::Counter { parts, early } => {
                let parts = parts.iter().map(|p| Dot::new(p.client.clone(), p.n));
                parts.chain(early.iter().map(|a| a.dot.clone())).collect()
            }
            Register::Set(elements) => elements.values().flatten().map(|(origin, _)| origin.dot.clone()).collect(),
        }
    }

    /// The creates on which each write in it stands.
    pub(crate) fn grounds(&self) -> Vec<&Dots> {
        match self {
            Register::Siblings(siblings) => siblings.iter().map(|s| &s.of).collect(),
            Register::Counter { parts, early } => {
                parts.iter().map(|p| &p.of).chain(early.iter().map(|a| &a.of)).collect()
            }
            Register::Set(elements) => elements.values().flatten().map(|(_, of)| of).collect(),
        }
    }

    /// Joins two states of one register. A write that one side lacks was replaced there if that side knows it.
    pub(crate) fn join(family: &Family, ours: &Register, we: &Context, theirs: &Register, they: &Context) -> Register {
        match (ours, theirs) {
            (Register::Siblings(a), Register::Siblings(b)) => {
                let mut joined = join_lists(a, we, b, they, |s| &s.origin.dot).into();
                prune(&mut joined, family);
                Register::Siblings(joined)
            }
            (Register::Counter { parts: a, early: ea }, Register::Counter { parts: b, early: eb }) => {
                let ahead = |client: &ClientId| we.known_to(client) >= they.known_to(client);
                let mut parts: Vec<Part> = a.iter().filter(|p| ahead(&p.client)).cloned().collect();
                parts.extend(b.iter().filter(|p| !ahead(&p.client)).cloned());
                parts.sort_by(|a, b| (&a.client, &a.of).cmp(&(&b.client, &b.of)));
                let known = |a: &&Addend| a.dot.n > we.known_to(&a.dot.client).max(they.known_to(&a.dot.client));
                let mut early: Vec<Addend> = ea.iter().chain(eb).filter(known).cloned().collect();
                early.sort_by(|a, b| a.dot.cmp(&b.dot));
                early.dedup_by(|a, b| a.dot == b.dot);
                Register::Counter { parts, early }
            }
            (Register::Set(a), Register::Set(b)) => {
                let mut joined = BTreeMap::new();
                for element in a.keys().chain(b.keys()) {
                    let insertions =
                        |of: &BTreeMap<Value, Vec<(Origin, Dots)>>| of.get(element).cloned().unwrap_or_default();
                    let both = join_lists(&insertions(a), we, &insertions(b), they, |(origin, _)| &origin.dot);
                    if !both.is_empty() {
                        joined.insert(element.clone(), both);
                    }
                }
                Register::Set(joined)
            }
            // The key of a register holds its family, so that both sides are always of one kind.
            _ => ours.clone(),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        let grounds = |w: &mut Writer, of: &Dots| w.dots(of);
        match self {
            Register::Siblings(siblings) => {
                w.u8(0);
                w.list(siblings, |w, s| {
                    w.origin(&s.origin);
                    grounds(w, &s.of);
                    w.value(&s.value);
                });
            }
            Register::Counter { parts, early } => {
                w.u8(1);
                w.list(parts, |w, p| {
                    w.client(&p.client);
                    grounds(w, &p.of);
                    w.u64(p.n);
                    w.u128(p.sum as u128);
                });
                w.list(early, |w, a| {
                    w.dot(&a.dot);
                    grounds(w, &a.of);
                    w.i64(a.delta);
                });
            }
            Register::Set(elements) => {
                w.u8(2);
                w.u64(elements.len() as u64);
                for (element, insertions) in elements {
                    w.value(element);
                    w.list(insertions, |w, (origin, of)| {
                        w.origin(origin);
                        grounds(w, of);
                    });
                }
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Register> {
        Ok(match r.u8()? {
            0 => Register::Siblings(r.few(|r| Ok(Sibling { origin: r.origin()?, of: r.dots()?, value: r.value()? }))?),
            1 => Register::Counter {
                parts: r
                    .list(|r| Ok(Part { client: r.client()?, of: r.dots()?, n: r.u64()?, sum: r.u128()? as i128 }))?,
                early: r.list(|r| Ok(Addend { dot: r.dot()?, of: r.dots()?, delta: r.i64()? }))?,
            },
            2 => {
                let elements = r.list(|r| Ok((r.value()?, r.list(|r| Ok((r.origin()?, r.dots()?)))?)))?;
                Register::Set(elements.into_iter().collect())
            }
            _ => return Err(CodecError { expected: "a register" }),
        })
    }
}

/// Which of two siblings gives the value: the greater one.
pub(crate) fn rank(family: &Family, a: &Sibling, b: &Sibling) -> Ordering {
    let stamps = || a.origin.cmp_stamp(&b.origin);
    match family {
        Family::Max => a.value.cmp(&b.value).then_with(stamps),
        Family::Min => b.value.cmp(&a.value).then_with(stamps),
        // Any update beats a create; of two creates the first counts, as of two `first` writes.
        _ => b
            .is_create()
            .cmp(&a.is_create())
            .then_with(|| if a.is_create() || *family == Family::First { stamps().reverse() } else { stamps() }),
    }
}

/// For `max` and `min`: drops what another one dominates, in value and in the creates it stands on.
/// Maximal elements of a partial order: whatever the order of arrival, the same remain.
fn prune(siblings: &mut Siblings, family: &Family) {
    if siblings.len() < 2 || !is_ordered(family) {
        return;
    }
    let all = siblings.clone();
    siblings.retain(|s| !all.iter().any(|other| dominates(family, other, s)));
}

/// Whether one write can make another one of no account without having seen it.
fn is_ordered(family: &Family) -> bool {
    matches!(family, Family::Max | Family::Min)
}

fn dominates(family: &Family, other: &Sibling, s: &Sibling) -> bool {
    rank(family, other, s) == Ordering::Greater && s.of.iter().all(|create| other.of.contains(create))
}

fn add_to_part(parts: &mut Vec<Part>, dot: &Dot, of: &[Dot], delta: i128) {
    let place = parts.binary_search_by(|p| (&p.client, &p.of[..]).cmp(&(&dot.client, of)));
    match place {
        Ok(place) => {
            parts[place].n = parts[place].n.max(dot.n);
            parts[place].sum = parts[place].sum.saturating_add(delta);
        }
        Err(place) => {
            parts.insert(place, Part { client: dot.client.clone(), of: of.into(), n: dot.n, sum: delta });
        }
    }
}

/// Joins two lists ordered by dot.
pub(crate) fn join_lists<T: Clone>(
    ours: &[T],
    we: &Context,
    theirs: &[T],
    they: &Context,
    dot: impl Fn(&T) -> &Dot,
) -> Vec<T> {
    let mut joined: Vec<T> = Vec::with_capacity(ours.len().max(theirs.len()));
    let has = |list: &[T], item: &T| list.binary_search_by(|other| dot(other).cmp(dot(item))).is_ok();
    joined.extend(ours.iter().filter(|item| has(theirs, item) || !they.knows(dot(item))).cloned());
    joined.extend(theirs.iter().filter(|item| !has(ours, item) && !we.knows(dot(item))).cloned());
    joined.sort_by(|a, b| dot(a).cmp(dot(b)));
    joined
}

#[cfg(test)]
mod tests;
