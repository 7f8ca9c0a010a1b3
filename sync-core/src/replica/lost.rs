//! What a replica's records hold and another history does not, as entries: what is set aside when that one is taken over.

use std::collections::BTreeMap;

use crate::change;
use crate::entity::Schema;
use crate::model::context::VersionVector;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::op::{Family, Op};
use crate::model::record::Record;
use crate::model::register::{Part, Register, Sibling};
use crate::model::stamp::{Dot, Dots, Name, Origin};
use crate::model::value::Value;

/// One write's values that did not win, and where it came from.
type Beside<'a> = (&'a Origin, Vec<(Name, Op)>);

/// Elements, each with its insertions that are removed.
type Removals = Vec<(Value, Dots)>;

/// The writes of a record that another history lacks, as entries: of those that ours contains, the ones that are not in
/// both, nor in the other record.
pub(super) fn lost_writes(
    key: &EntityKey,
    ours: &Record,
    theirs: &Record,
    both: &VersionVector,
    known: &VersionVector,
) -> Vec<Entry> {
    let lacks = |dot: &Dot| !both.covers(dot);
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
            Register::Counter { parts, early } => {
                // What others added there meanwhile is none of ours: each client's sum is compared by itself.
                let there = |part: &Part| {
                    let same = |other: &&Part| other.client == part.client && other.of == part.of;
                    theirs.get(name, family).map_or(&[][..], Register::parts).iter().find(same).map_or(0, |p| p.sum)
                };
                let lost = parts.iter().filter(|part| lacks(&Dot::new(part.client.clone(), part.n)));
                let early = early.iter().filter(|addend| lacks(&addend.dot)).map(|addend| i128::from(addend.delta));
                let sums: Vec<i128> = lost.map(|part| part.sum.saturating_sub(there(part))).chain(early).collect();
                let delta = sums.iter().fold(0, |sum, part| i128::saturating_add(sum, *part));
                (!sums.is_empty()).then(|| Op::Add(i64::try_from(delta).unwrap_or(i64::MAX)))
            }
        };
        fields.extend(op.map(|op| (name.clone(), op)));
    }
    for (name, remove) in lost_removals(ours, theirs, both, known) {
        match fields.iter_mut().find(|(field, op)| *field == name && op.family() == Family::Set) {
            Some((_, Op::Set { remove: removed, .. })) => *removed = remove,
            _ => fields.push((name, Op::Set { insert: Vec::new(), remove })),
        }
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let created = ours.creates().iter().filter_map(|create| create.origin.as_ref());
    let new = created.clone().all(|origin| lacks(&origin.dot)) && created.clone().next().is_some();
    let mut entries = Vec::new();
    if !fields.is_empty() || new {
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

/// The elements that were removed here, and are still there: of both histories, or in them before they parted.
fn lost_removals(ours: &Record, theirs: &Record, both: &VersionVector, known: &VersionVector) -> Vec<(Name, Removals)> {
    let mut lost = Vec::new();
    for (name, family, register) in theirs.registers() {
        let here = ours.get(name, family);
        let mut remove = Vec::new();
        for element in register.elements() {
            let kept = here.map_or(&[][..], |register| register.insertions(element));
            let is_removed =
                |dot: &&Dot| both.covers(dot) && known.covers(dot) && !kept.iter().any(|(of, _)| of.dot == **dot);
            let there = register.insertions(element).iter().map(|(origin, _)| &origin.dot);
            let removed: Dots = there.filter(is_removed).cloned().collect();
            if !removed.is_empty() {
                remove.push((element.clone(), removed));
            }
        }
        if !remove.is_empty() {
            lost.push((name.clone(), remove));
        }
    }
    lost
}

/// An entry that makes a record anew, with all that it shows, in the place of one of those that made it.
pub(super) fn whole(entry: &Entry, record: &Record, schema: Option<&Schema>) -> Entry {
    let nothing = VersionVector::default();
    let all = lost_writes(&entry.key, record, &Record::default(), &nothing, &nothing);
    let mut whole = entry.clone();
    if let Some(content) = all.into_iter().find(|entry| entry.action == Action::Create) {
        whole.action = Action::Create;
        whole.fields = content.fields;
        whole.replaces.clear();
        whole.of.clear();
        whole.saw.clear();
        whole.group = None;
    }
    // What several operations of a policy of the user's come to is written as one.
    for (name, op) in &mut whole.fields {
        if let (Op::Own { .. }, Some(schema)) = (&*op, schema)
            && let Some(anew) = change::own_anew(schema, name, record)
        {
            *op = anew;
        }
    }
    whole
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
