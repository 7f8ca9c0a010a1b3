//! What a replica's records hold and another history does not, as entries: what is set aside when that one is taken over.

use std::collections::BTreeMap;

use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::op::{Family, Op};
use crate::model::record::Record;
use crate::model::register::{Register, Sibling};
use crate::model::stamp::{Dot, Name, Origin, VersionVector};
use crate::model::value::Value;

/// One write's values that did not win, and where it came from.
type Beside<'a> = (&'a Origin, Vec<(Name, Op)>);

/// The writes of a record that a vector does not cover and that are not in the other record, as entries.
pub(super) fn lost_writes(key: &EntityKey, ours: &Record, theirs: &Record, vector: &VersionVector) -> Vec<Entry> {
    let lacks = |dot: &Dot| !vector.covers(dot);
    let mut latest: Option<&Origin> = None;
    let mut fields: Vec<(Name, Op)> = Vec::new();
    let mut beside: BTreeMap<&Dot, Beside<'_>> = BTreeMap::new();
    for (name, family, register) in ours.registers() {
        let op = match register {
            Register::Siblings(_) => {
                let ranked = register.ranked(family);
                let there = theirs.get(name, family).map_or(&[][..], Register::siblings);
                let mut lost = ranked.into_iter().filter(|s| lacks(&s.origin.dot) && !there.contains(s));
                let winner = lost.next();
                // Those beside it are conflicts, or operations that count as well: they have entries of their own.
                let counts = |s: &&Sibling| {
                    matches!(family, Family::Own(_)) || winner.is_some_and(|winner| winner.value != s.value)
                };
                for s in lost.filter(counts) {
                    let (_, writes) = beside.entry(&s.origin.dot).or_insert_with(|| (&s.origin, Vec::new()));
                    writes.push((name.clone(), assigned(family, s.value.clone())));
                }
                winner.map(|s| {
                    latest = latest.max(Some(&s.origin));
                    assigned(family, s.value.clone())
                })
            }
            Register::Set(elements) => {
                let inserted = elements.iter().filter(|(_, of)| of.iter().any(|(origin, _)| lacks(&origin.dot)));
                let insert: Vec<_> = inserted.map(|(element, _)| element.clone()).collect();
                (!insert.is_empty()).then_some(Op::Set { insert, remove: Vec::new() })
            }
            Register::Counter { .. } => {
                let lost = register.additions().any(|(dot, _)| lacks(&dot));
                let there = theirs.get(name, family).map_or(0, Register::sum);
                let delta = i64::try_from(register.sum().saturating_sub(there)).unwrap_or(i64::MAX);
                lost.then_some(Op::Add(delta))
            }
        };
        fields.extend(op.map(|op| (name.clone(), op)));
    }
    let created = ours.creates().iter().filter_map(|create| create.origin.as_ref());
    let new = created.clone().all(|origin| lacks(&origin.dot)) && created.clone().next().is_some();
    let mut entries = Vec::new();
    if !fields.is_empty() {
        let action = if new { Action::Create } else { Action::Update };
        if let Some(origin) = latest.or_else(|| created.max_by(|a, b| a.cmp_stamp(b))) {
            let mut entry = Entry::new(origin.clone(), key.clone(), action);
            entry.fields = fields;
            entries.push(entry);
        }
    }
    for (origin, fields) in beside.into_values() {
        let mut entry = Entry::new(origin.clone(), key.clone(), Action::Update);
        entry.fields = fields;
        entries.push(entry);
    }
    for write in ours.lifecycle().iter().filter(|write| lacks(&write.origin.dot)) {
        let action = write.delete.map_or(Action::Restore, Action::Delete);
        entries.push(Entry::new(write.origin.clone(), key.clone(), action));
    }
    entries
}

fn assigned(family: &Family, value: Value) -> Op {
    match family {
        Family::First => Op::First(value),
        Family::Max => Op::Max(value),
        Family::Min => Op::Min(value),
        Family::Own(family) => Op::Own { family: family.clone(), body: value },
        _ => Op::Assign(value),
    }
}
