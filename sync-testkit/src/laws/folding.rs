//! Same entries, same state: in any order, with any duplication, in any batches, and as the oracle says.

use std::collections::BTreeMap;

use sync_core::model::context::Context;
use sync_core::{EntityKey, Entry, Record, Snapshot, reconcile};

use super::{Holds, broken, fold, same};
use crate::oracle::{difference, forms_of, oracle};
use crate::rng::Rng;

/// Any order, any duplication and any batches make the same snapshot, to the byte.
///
/// # Errors
/// If not.
pub fn order(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "same entries, same state";
    let whole = fold(LAW, entries)?;
    for _ in 0..3 {
        let mut shuffled = entries.to_vec();
        shuffled.extend(rng.some_of(entries, 20));
        rng.shuffle(&mut shuffled);
        same(LAW, "in another order, some twice", &whole, &fold(LAW, &shuffled)?)?;
        let mut batched = Snapshot::default();
        let size = 1 + rng.below(8);
        for batch in shuffled.chunks(size) {
            batched =
                reconcile(batched, batch).or_else(|e| broken(LAW, e.to_string()).map(|()| Snapshot::default()))?;
        }
        same(LAW, "in batches", &whole, &batched)?;
    }
    let backwards: Vec<&Entry> = entries.iter().rev().collect();
    same(LAW, "backwards", &whole, &fold(LAW, backwards)?)
}

/// Every subset of the entries makes what the oracle says.
///
/// # Errors
/// If not.
pub fn oracle_agrees(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "the model agrees with the oracle";
    for chance in [100, 85, 50] {
        let mut some = rng.some_of(entries, chance);
        rng.shuffle(&mut some);
        let said = oracle(&some);
        let difference = difference(&forms_of(&fold(LAW, &some)?), &said);
        if !difference.is_empty() {
            return broken(LAW, format!("left the model, right the oracle:\n{difference}"));
        }
    }
    Ok(())
}

/// Folding in log order, which needs no knowledge of what arrived, makes the same records.
///
/// Only for histories whose entries name nothing that stands behind them.
///
/// # Errors
/// If not.
pub fn in_log_order(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "folding in log order equals reconciling";
    let end = rng.below(entries.len() + 1);
    for length in [entries.len(), end] {
        let log = &entries[..length];
        let folded = snapshot_in_log_order(log);
        same(LAW, &format!("the first {length}"), &fold(LAW, log)?, &folded)?;
    }
    Ok(())
}

/// The snapshot of a log, folded as replicas and hubs fold theirs.
pub(crate) fn snapshot_in_log_order(log: &[Entry]) -> Snapshot {
    let mut records: BTreeMap<EntityKey, Record> = BTreeMap::new();
    let mut context = Context::default();
    for entry in log {
        records.entry(entry.key.clone()).or_default().apply_in_order(entry);
        // A log has one entry of a name.
        let _ = context.add(entry.dot(), entry.hash());
    }
    records.retain(|_, record| !record.is_empty());
    Snapshot::new(records, context)
}
