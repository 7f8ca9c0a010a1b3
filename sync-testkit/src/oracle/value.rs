//! Which write gives the value, and whether an entity lives: the rules in words.

use std::collections::BTreeMap;

use sync_core::model::record::Lifecycle;
use sync_core::model::register::Sibling;
use sync_core::model::stamp::Origin;
use sync_core::{Dot, Family, Life, Stamp, Tombstone};

/// Where a stamp stands in the total order: logical time, client, number, as numbers and bytes; what has no number yet
/// behind all of its time. Not compared as the core compares it, so that one of the two may be wrong.
pub(super) fn place(stamp: &Stamp) -> (u64, bool, String, u64) {
    let client = stamp.client.as_str();
    (stamp.time, client.is_empty(), client.to_owned(), stamp.n)
}

type Order = ((u64, bool, String, u64), Dot);

/// The total order of entries. Two entries of one stamp cannot be told apart but by their names.
fn order(origin: &Origin) -> Order {
    (place(&origin.stamp()), origin.dot.clone())
}

fn is_create(sibling: &Sibling) -> bool {
    sibling.of[..] == [sibling.origin.dot.clone()]
}

/// The winner first, then who would win without it, and so on.
pub(super) fn ranked(family: &Family, mut siblings: Vec<Sibling>) -> Vec<Sibling> {
    let mut ranked = Vec::new();
    while !siblings.is_empty() {
        let winner = winner(family, &siblings);
        ranked.push(siblings.swap_remove(winner));
    }
    ranked
}

fn winner(family: &Family, siblings: &[Sibling]) -> usize {
    let all = || siblings.iter().enumerate();
    // Any update beats a create.
    let updates = || all().filter(|(_, s)| !is_create(s));
    let chosen = match family {
        Family::Max => {
            all().max_by(|(_, a), (_, b)| a.value.cmp(&b.value).then(order(&a.origin).cmp(&order(&b.origin))))
        }
        // Of equal values the latest counts.
        Family::Min => {
            all().max_by(|(_, a), (_, b)| b.value.cmp(&a.value).then(order(&a.origin).cmp(&order(&b.origin))))
        }
        Family::First if updates().next().is_some() => updates().min_by_key(|(_, s)| order(&s.origin)),
        _ if updates().next().is_some() => updates().max_by_key(|(_, s)| order(&s.origin)),
        // Of two creates the first counts.
        _ => all().min_by_key(|(_, s)| order(&s.origin)),
    };
    chosen.map_or(0, |(at, _)| at)
}

/// For `max` and `min`: without those that say nothing more, because another one of at least their creates has
/// the greater (or lesser) value.
pub(super) fn undominated(family: &Family, siblings: Vec<Sibling>) -> Vec<Sibling> {
    if !matches!(family, Family::Max | Family::Min) {
        return siblings;
    }
    let beats = |a: &Sibling, b: &Sibling| {
        let values = if *family == Family::Max { a.value.cmp(&b.value) } else { b.value.cmp(&a.value) };
        values.then(order(&a.origin).cmp(&order(&b.origin))).is_gt()
    };
    let covers = |a: &Sibling, b: &Sibling| b.of.iter().all(|create| a.of.contains(create));
    let dominated = |s: &Sibling| siblings.iter().any(|other| beats(other, s) && covers(other, s));
    siblings.iter().filter(|s| !dominated(s)).cloned().collect()
}

/// Whether an entity lives, and since when it is as it is.
pub(super) fn life(
    creates: &BTreeMap<Dot, (Option<Origin>, Option<Stamp>)>,
    lifecycle: &BTreeMap<Dot, Lifecycle>,
) -> Life {
    let arrived = creates.values().filter_map(|(origin, _)| origin.as_ref());
    let Some(created) = arrived.map(Origin::stamp).min_by_key(place) else { return Life::Unborn };
    let updated = creates.values().filter_map(|(_, updated)| updated.clone()).max_by_key(place);
    let deletes: Vec<&Lifecycle> = lifecycle.values().filter(|l| l.delete.is_some()).collect();
    if let Some(last) = deletes.iter().map(|d| d.origin.stamp()).max_by_key(place) {
        let forgiving = deletes.iter().all(|d| d.delete == Some(Tombstone::LastWriterWins));
        if !(forgiving && updated.as_ref().is_some_and(|stamp| place(stamp) > place(&last))) {
            return Life::Deleted { updated_at: last.time };
        }
    }
    Life::Alive { updated_at: updated.into_iter().chain([created]).max_by_key(place).map_or(0, |stamp| stamp.time) }
}
