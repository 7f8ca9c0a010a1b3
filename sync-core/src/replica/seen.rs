//! What a delete has seen, where a write that lay over it is refused: that shows again, and is not hidden unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Replica;
use super::purge::Gone;
use super::row::Decision;
use crate::error::Error;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::op::Op;
use crate::model::stamp::Dot;

impl Replica {
    /// The pending deletes behind writes that are refused, with what lay under these. What an assignment had replaced
    /// they name by its name (`names.rs`). An addition and a maximum name nothing that they lie over, and a removal
    /// leaves nothing that a delete could name.
    pub(super) fn still_seen(&self, decisions: &[(u64, Decision)]) -> Result<Gone, Error> {
        let rejected = decisions.iter().filter(|(_, decision)| matches!(decision, Decision::Rejected(_)));
        let refused: BTreeSet<u64> = rejected.map(|(local, _)| *local).collect();
        let mut of_entity: BTreeMap<EntityKey, Vec<(u64, Arc<Entry>)>> = BTreeMap::new();
        {
            let state = self.state();
            for local in &refused {
                let Some(pending) = state.pending.get(*local) else { continue };
                if pending.entry.fields.iter().any(|(_, op)| lies_over_unnamed(op)) {
                    let of_entity = of_entity.entry(pending.entry.key.clone()).or_default();
                    // A delete that was made since may be the only one to name them so.
                    of_entity.push((*local, state.names.resolved(&pending.entry)));
                }
            }
        }
        let mut deletes = Vec::new();
        for (key, over) in &of_entity {
            let behind: Vec<(u64, Arc<Entry>)> = {
                let state = self.state();
                let pending = state.pending.of(key).filter(|local| !refused.contains(local));
                let pending = pending.filter_map(|local| Some((local, state.pending.get(local)?.entry.clone())));
                pending.filter(|(_, entry)| matches!(entry.action, Action::Delete(_))).collect()
            };
            let under = if behind.is_empty() { BTreeMap::new() } else { self.own_under(key, &refused)? };
            for (local, delete) in behind {
                let mut saw = delete.saw.clone();
                let over = || over.iter().filter(|(other, _)| *other < local);
                saw.extend(over().flat_map(|(_, entry)| removed(entry)).cloned());
                // One that was made for what was listed before has not seen what was written since.
                let last = over().rfind(|(other, _)| delete.saw.contains(&Dot::local(*other)));
                saw.extend(last.and_then(|(last, _)| under.get(last)).into_iter().flatten().cloned());
                saw.sort();
                saw.dedup();
                if saw != delete.saw {
                    deletes.push((local, Arc::new(Entry { saw, ..(*delete).clone() })));
                }
            }
        }
        Ok(deletes)
    }

    /// What this device had written and shows of an entity where each of its refused entries came, without these.
    fn own_under(&self, key: &EntityKey, refused: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<Dot>>, Error> {
        let mut record = (*self.accepted(key)?).clone();
        let state = self.state();
        // Whatever was accepted of this client was written before what is pending.
        let is_own = |dot: &Dot| dot.is_local() || dot.client == state.client;
        let mut under = BTreeMap::new();
        for local in state.pending.of(key) {
            if refused.contains(&local) {
                under.insert(local, record.field_dots().into_iter().filter(is_own).collect());
            } else if let Some(pending) = state.pending.get(local) {
                record.apply_in_order(&state.names.resolved(&pending.entry));
            }
        }
        Ok(under)
    }
}

fn lies_over_unnamed(op: &Op) -> bool {
    match op {
        Op::Add(_) | Op::Max(_) | Op::Min(_) => true,
        Op::Set { remove, .. } => !remove.is_empty(),
        Op::Assign(_) | Op::First(_) | Op::Own { .. } => false,
    }
}

/// The insertions that an entry removes.
fn removed(entry: &Entry) -> impl Iterator<Item = &Dot> {
    let removals = entry.fields.iter().filter_map(|(_, op)| match op {
        Op::Set { remove, .. } => Some(remove),
        _ => None,
    });
    removals.flatten().flat_map(|(_, dots)| dots)
}
