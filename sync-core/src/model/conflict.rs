//! Conflicts: siblings with a differing value that did not win.

use super::entry::LIFECYCLE;
use super::op::Family;
use super::record::{Life, Record};
use super::register::{Sibling, rank};
use super::stamp::{Name, Origin};
use super::value::Value;

/// A register in which a value lost to a writer who had not seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Losing {
    /// The field, by the name that it has now; [`LIFECYCLE`] for deletes, restores, and edits that a delete hides.
    pub field: Name,
    /// The register's family.
    pub family: Family,
    /// What shows.
    pub winner: Write,
    /// What does not, the next to win first.
    pub losers: Vec<Write>,
}

/// A write that takes part in a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where it comes from.
    pub origin: Origin,
    /// What it wrote; `null` for a delete or restore.
    pub value: Value,
    /// Whether it is a delete.
    pub is_delete: bool,
}

/// Every conflict of a record, in the order of the fields. `names` gives, for any name that a field has or had, all of
/// them, the one that it has now first.
///
/// Maxima, counters and sets merge every write, and so have none. `O(siblings log siblings)`.
pub fn of(record: &Record, names: impl Fn(&str) -> Vec<String>) -> Vec<Losing> {
    let lifecycle = of_lifecycle(record);
    if !record.is_alive() {
        return lifecycle.into_iter().collect();
    }
    let mut found = Vec::new();
    for (name, family, _) in record.registers() {
        if !matches!(family, Family::Assign | Family::First) {
            continue;
        }
        let names = names(name);
        let mut written = names.iter().filter(|name| record.get(name, family).is_some());
        // A field that was written under several names is listed once.
        if written.next().is_some_and(|first| **first != **name) {
            continue;
        }
        let registers = names.iter().filter_map(|name| record.get(name, family));
        let mut siblings: Vec<&Sibling> = registers.flat_map(|register| register.siblings()).collect();
        siblings.sort_by(|a, b| rank(family, b, a));
        let Some((winner, rest)) = siblings.split_first() else { continue };
        let losers: Vec<Write> = rest.iter().filter(|s| s.value != winner.value).map(|s| write(s)).collect();
        if !losers.is_empty() {
            let field = names.first().map_or_else(|| name.clone(), |now| now.as_str().into());
            found.push(Losing { field, family: family.clone(), winner: write(winner), losers });
        }
    }
    // Wherever a field was written, it has one place in the list.
    found.sort_by(|a, b| (&a.field, &a.family).cmp(&(&b.field, &b.family)));
    lifecycle.into_iter().chain(found).collect()
}

/// A delete that hides what its author had not seen, or that lost to an update.
fn of_lifecycle(record: &Record) -> Option<Losing> {
    let plain = |origin: &Origin, is_delete| Write { origin: origin.clone(), value: Value::null(), is_delete };
    let by_stamp = |deleted: bool| {
        let of_kind = record.lifecycle().iter().filter(move |l| l.delete.is_some() == deleted);
        let mut origins: Vec<&Origin> = of_kind.map(|l| &l.origin).collect();
        origins.sort_by(|a, b| b.cmp_stamp(a));
        origins
    };
    let (deletes, restores) = (by_stamp(true), by_stamp(false));
    let (winner, losers) = match record.life() {
        Life::Unborn => return None,
        Life::Deleted { .. } => {
            let mut losers: Vec<Write> = restores.iter().map(|origin| plain(origin, false)).collect();
            losers.extend(hidden(record));
            (plain(deletes.first()?, true), losers)
        }
        Life::Alive { .. } => {
            let created = || record.creates().iter().filter_map(|create| create.origin.as_ref());
            let alive = restores.first().copied().or_else(|| created().min_by(|a, b| a.cmp_stamp(b)))?;
            (plain(alive, false), deletes.iter().map(|origin| plain(origin, true)).collect())
        }
    };
    let field = Name::from(LIFECYCLE);
    (!losers.is_empty()).then_some(Losing { field, family: Family::Assign, winner, losers })
}

/// The writes that a delete hides, each once, the latest first.
fn hidden(record: &Record) -> Vec<Write> {
    let dots = record.hidden_writes();
    let is_hidden = |origin: &Origin| dots.binary_search(&origin.dot).is_ok();
    let mut writes: Vec<Write> = Vec::new();
    for (_, _, register) in record.registers() {
        let siblings = register.siblings().iter().filter(|s| is_hidden(&s.origin)).map(write);
        writes.extend(siblings);
        for element in register.elements() {
            let insertions = register.insertions(element).iter().filter(|(origin, _)| is_hidden(origin));
            let inserted = |origin: &Origin| Write { origin: origin.clone(), value: element.clone(), is_delete: false };
            writes.extend(insertions.map(|(origin, _)| inserted(origin)));
        }
        let additions = register.additions().map(|(dot, sum)| Write {
            origin: Origin { dot, time: 0, author: None },
            value: Value::from_canonical(sum.to_string()),
            is_delete: false,
        });
        writes.extend(additions.filter(|w| is_hidden(&w.origin)));
    }
    writes.sort_by(|a, b| b.origin.cmp_stamp(&a.origin));
    writes
}

fn write(sibling: &Sibling) -> Write {
    Write { origin: sibling.origin.clone(), value: sibling.value.clone(), is_delete: false }
}
