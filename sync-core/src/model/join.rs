//! Joining: the record that the entries of two sides make.

use smallvec::SmallVec;

use super::context::Context;
use super::record::{Create, Record, Slot};
use super::register::{InLogOrder, Register, join_lists};
use super::stamp::Dot;

impl Record {
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

    fn join_creates(&self, we: &Context, other: &Record, they: &Context) -> SmallVec<[Create; 1]> {
        let mut joined = join_lists(&self.creates, we, &other.creates, they, |c| &c.dot);
        for create in &mut joined {
            let sides = [self, other].map(|side| side.creates.iter().find(|c| c.dot == create.dot));
            for side in sides.into_iter().flatten() {
                create.origin = create.origin.take().or_else(|| side.origin.clone());
                create.updated = create.updated.take().max(side.updated.clone());
            }
        }
        joined.into()
    }
}
