//! What an entry writes, and how it names all that its author saw.

use sync_core::model::entry::LIFECYCLE;
use sync_core::model::stamp::Name;
use sync_core::{Action, Dots, Entry, Family, Op, Value};

use super::profile::{FieldKind, Profile};
use crate::oracle::{EntityForm, FieldForm};
use crate::rng::Rng;

/// Writes what the action needs, by an author who sees `view`.
pub(super) fn fill(entry: &mut Entry, view: &EntityForm, profile: &Profile, rng: &mut Rng) {
    if entry.action != Action::Create {
        entry.of = view.grounds();
    }
    match entry.action {
        Action::Create => {
            for (name, kind) in &profile.fields {
                write(entry, name, *kind, &EntityForm::nothing(), rng);
            }
        }
        Action::Update => {
            let count = 1 + rng.below(2);
            let mut chosen: Vec<&(&str, FieldKind)> = (0..count).map(|_| rng.pick(&profile.fields)).collect();
            chosen.sort_by_key(|(name, _)| *name);
            chosen.dedup();
            for (name, kind) in chosen {
                write(entry, name, *kind, view, rng);
            }
        }
        _ => {
            let replaced: Dots = view.lifecycle.keys().cloned().collect();
            if !replaced.is_empty() {
                entry.replaces.push((LIFECYCLE.into(), replaced));
            }
            if entry.action != Action::Restore {
                entry.saw = view.seen();
            }
        }
    }
}

fn write(entry: &mut Entry, name: &str, kind: FieldKind, view: &EntityForm, rng: &mut Rng) {
    use FieldKind::{Assign, Changing, Counter, First, Max, Min, OwnLog, OwnMerge, Set, Unknown};
    let name: Name = name.into();
    let kind = if kind == Changing { *rng.pick(&[Assign, First, Max, Min, Counter, Set, OwnLog]) } else { kind };
    let nothing = FieldForm::default();
    let register = |family: &Family| view.fields.get(&(name.clone(), family.clone())).unwrap_or(&nothing);
    let own = |family: &str, body: Value| Op::Own { family: family.into(), body };
    let op = match kind {
        Assign | Changing => Op::Assign(value(rng)),
        First => Op::First(value(rng)),
        Max => Op::Max(value(rng)),
        Min => Op::Min(value(rng)),
        Counter => Op::Add(*rng.pick(&[1, 2, -1, 5, 0, -40, i64::MAX, i64::MIN])),
        Set => set(register(&Family::Set), rng),
        OwnLog => own("x:log", value(rng)),
        OwnMerge => own("x:blend", value(rng)),
        Unknown => own("text", value(rng)),
    };
    let family = op.family();
    // An unknown family may replace or keep what it saw: its author knows which.
    let replaces = match kind {
        Assign | First | OwnMerge | Changing => true,
        Unknown => rng.percent(50),
        _ => false,
    };
    let replaced: Dots = register(&family).ranked.iter().map(|s| s.origin.dot.clone()).collect();
    if replaces && !replaced.is_empty() {
        entry.replaces.push((name.clone(), replaced));
    }
    entry.fields.push((name, op));
}

fn set(register: &FieldForm, rng: &mut Rng) -> Op {
    let mut insert: Vec<Value> = (0..rng.below(3)).map(|_| value(rng)).collect();
    insert.sort();
    insert.dedup();
    let mut remove: Vec<(Value, Dots)> = Vec::new();
    for (element, insertions) in &register.elements {
        if rng.percent(40) {
            let element = Value::parse(element).expect("an element's text is a value");
            remove.push((element, insertions.keys().cloned().collect()));
        }
    }
    remove.sort();
    Op::Set { insert, remove }
}

/// Few values, so that they meet, and odd ones.
pub(super) fn value(rng: &mut Rng) -> Value {
    const VALUES: [&str; 16] = [
        "1",
        "2",
        "-0.0",
        "0",
        "1.5",
        "100000000000000000000000000000",
        "null",
        "true",
        "\"a\"",
        "\"B\"",
        "\"ä\"",
        "\"1\"",
        "\"[\\\"\"",
        "{\"$add\":1}",
        "{\"b\":[{}]}",
        "[\"$insert\",{\"$x:y\":null,\"z\":0}]",
    ];
    Value::parse(rng.pick::<&str>(&VALUES)).expect("the values are JSON")
}

impl EntityForm {
    /// What somebody sees who knows nothing.
    pub(super) fn nothing() -> Self {
        crate::oracle::Facts::default().entity(&sync_core::EntityKey::new("", ""))
    }
}
