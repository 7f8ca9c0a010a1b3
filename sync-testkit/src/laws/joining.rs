//! Joining snapshots: commutative, associative, idempotent, and equal to folding the union of the entries.

use sync_core::{Entry, Snapshot};

use super::folding::snapshot_in_log_order;
use super::{Broken, Holds, fold, same};
use crate::rng::Rng;

const LAW: &str = "joining snapshots equals folding the union";

/// Joins snapshots of overlapping parts of the entries, whatever parts they are.
///
/// # Errors
/// If a join is not what it has to be.
pub fn joins(entries: &[Entry], rng: &mut Rng) -> Holds {
    let parts: Vec<Vec<Entry>> = (0..3).map(|_| part(entries, rng)).collect();
    let snapshots: Vec<Snapshot> = parts.iter().map(|part| fold(LAW, part)).collect::<Result<_, _>>()?;
    let [a, b, c] = &snapshots[..] else { return Ok(()) };
    let union = |parts: &[Vec<Entry>]| fold(LAW, parts.iter().flatten());
    let ab = join(a, b)?;
    same(LAW, "two", &union(&parts[..2])?, &ab)?;
    same(LAW, "commutative", &ab, &join(b, a)?)?;
    same(LAW, "idempotent", a, &join(a, a)?)?;
    same(LAW, "absorbing", &ab, &join(&ab, b)?)?;
    same(LAW, "neutral", a, &join(a, &Snapshot::default())?)?;
    let left = join(&ab, c)?;
    same(LAW, "associative", &left, &join(a, &join(b, c)?)?)?;
    same(LAW, "three", &union(&parts)?, &left)?;
    whole(entries, rng)
}

/// All, put together from snapshots of beginnings of the log and what came after.
fn whole(entries: &[Entry], rng: &mut Rng) -> Holds {
    let end = rng.below(entries.len() + 1);
    let late: Vec<Entry> = entries[end..].to_vec();
    let early = fold(LAW, &entries[..end])?;
    same(LAW, "a beginning and the rest", &fold(LAW, entries)?, &join(&early, &fold(LAW, &late)?)?)
}

/// Joins snapshots of logs, folded as replicas and hubs fold theirs.
///
/// # Errors
/// If a join is not what it has to be.
pub fn log_joins(entries: &[Entry], rng: &mut Rng) -> Holds {
    let (a, b) = (rng.below(entries.len() + 1), rng.below(entries.len() + 1));
    let (left, right) = (snapshot_in_log_order(&entries[..a]), snapshot_in_log_order(&entries[..b]));
    same(LAW, "two beginnings of a log", &fold(LAW, &entries[..a.max(b)])?, &join(&left, &right)?)?;
    // Two branches that grew apart after a common beginning, by different authors.
    let common = a.min(b);
    let mut clients: Vec<_> = entries.iter().map(|entry| entry.dot().client.clone()).collect();
    clients.sort();
    clients.dedup();
    let ours = rng.some_of(&clients, 50);
    let branch = |is_ours: bool| -> Vec<Entry> {
        let after = entries[common..].iter().filter(|entry| ours.contains(&entry.dot().client) == is_ours);
        let mut branch = entries[..common].to_vec();
        for entry in after {
            // A branch knows what it names.
            if entry.named().all(|dot| branch.iter().any(|known| known.dot() == dot)) && follows(&branch, entry) {
                branch.push(entry.clone());
            }
        }
        branch
    };
    let (one, other) = (branch(true), branch(false));
    let joined = join(&snapshot_in_log_order(&one), &snapshot_in_log_order(&other))?;
    same(LAW, "two branches", &fold(LAW, one.iter().chain(&other))?, &joined)
}

/// Whether it is its client's next entry.
fn follows(log: &[Entry], entry: &Entry) -> bool {
    let last = log.iter().filter(|known| known.dot().client == entry.dot().client).map(|known| known.dot().n).max();
    entry.dot().n == last.unwrap_or(0) + 1
}

fn join(a: &Snapshot, b: &Snapshot) -> Result<Snapshot, Broken> {
    a.join(b).map_err(|e| Broken { law: LAW, detail: e.to_string() })
}

/// Any part of the entries; sometimes, as replicas have it, each client's up to one.
fn part(entries: &[Entry], rng: &mut Rng) -> Vec<Entry> {
    if rng.percent(50) {
        let chance = *rng.pick(&[30, 60, 90]);
        return rng.some_of(entries, chance);
    }
    let bits = rng.bits();
    let upto = |entry: &Entry| {
        let client = entry.dot().client.as_str().bytes().fold(bits, |h, b| h.rotate_left(9) ^ u64::from(b));
        client.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60
    };
    entries.iter().filter(|entry| entry.dot().n <= upto(entry)).cloned().collect()
}
