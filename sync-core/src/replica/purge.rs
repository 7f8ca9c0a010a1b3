//! Purges that come down while entries to the purged entity are pending: what was written stays on this device, and so
//! much of the entity that it can be made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Replica;
use super::lost::whole;
use super::pending::Pending;
use super::row::{Decision, Logged};
use crate::error::Error;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::stamp::Dot;
use crate::records::Table;
use crate::transport::Rejection;

/// Pending entries that become others when a row is taken, by local number, as which.
pub(super) type Gone = Vec<(u64, Arc<Entry>)>;

impl Replica {
    /// The entries that a page strands, as they are set aside. Of what was offered the hub decides.
    pub(super) fn stranded_by(&self, page: &[Logged]) -> Result<Gone, Error> {
        let mut stranded = Vec::new();
        for purge in page.iter().map(|logged| &logged.entry).filter(|entry| entry.action == Action::Purge) {
            let key = &purge.key;
            if self.state().pending.of(key).len() == 0 {
                continue;
            }
            let goes = self.visible(key)?.grounds().iter().all(|create| purge.of.contains(create));
            let locals: Vec<u64> = self.state().pending.of(key).collect();
            if goes && self.are_open(&locals) {
                stranded.extend(self.with_content(key, &locals)?);
            }
        }
        Ok(stranded)
    }

    /// The entries that a snapshot strands, which is in this table: what they stand on is here, and not in it.
    pub(super) fn stranded_in(&self, theirs: Table) -> Result<Gone, Error> {
        let store = self.inner.journal.store();
        let keys: BTreeSet<EntityKey> =
            self.state().pending.iter().map(|(_, pending)| pending.entry.key.clone()).collect();
        let mut stranded = Vec::new();
        for key in &keys {
            let here = self.accepted(key)?.grounds();
            let there = theirs.load(&**store, key)?.unwrap_or_default().grounds();
            let locals = self.standing_on(key, &here);
            if !here.is_empty() && !here.iter().any(|create| there.contains(create)) && self.are_open(&locals) {
                stranded.extend(self.with_content(key, &locals)?);
            }
        }
        Ok(stranded)
    }

    /// The entries that were refused because their entity is gone at the hub, as they are set aside; and the decisions with
    /// those that stand on the same and were not offered yet.
    pub(super) fn gone_by(&self, decisions: &mut Vec<(u64, Decision)>) -> Result<Gone, Error> {
        let mut gone = Vec::new();
        let mut keys = BTreeSet::new();
        let refused: BTreeMap<u64, String> = decisions.iter().filter_map(refusal).collect();
        for (local, _) in refused.iter().filter(|(_, code)| *code == GONE) {
            let entry = {
                let state = self.state();
                state.pending.get(*local).map(|pending| state.names.resolved(&pending.entry))
            };
            let Some(entry) = entry.filter(|entry| keys.insert(entry.key.clone())) else { continue };
            let is_refused = |local: &u64| refused.contains_key(local);
            // A transaction goes as a whole: the hub decides of it.
            let alone = |local: &u64| self.are_open(&[*local]) && self.state().group_of(*local).is_none();
            let later = self.standing_on(&entry.key, &entry.of).into_iter().filter(|local| !is_refused(local));
            let later: BTreeSet<u64> = later.filter(alone).collect();
            let of_entity: Vec<u64> = self.state().pending.of(&entry.key).collect();
            let locals: Vec<u64> =
                of_entity.into_iter().filter(|local| is_refused(local) || later.contains(local)).collect();
            decisions.extend(later.into_iter().map(|local| (local, Decision::Rejected(gone_rejection()))));
            gone.extend(self.with_content(&entry.key, &locals)?);
        }
        Ok(gone)
    }

    /// Whether nothing was offered or accepted of these.
    fn are_open(&self, locals: &[u64]) -> bool {
        let state = self.state();
        locals.iter().all(|local| state.pending.get(*local).is_some_and(Pending::is_open))
    }

    /// The pending entries of an entity that stand on nothing but these creates.
    fn standing_on(&self, key: &EntityKey, creates: &[Dot]) -> Vec<u64> {
        let state = self.state();
        let stands = |local: &u64| {
            let of = state.pending.get(*local).map(|pending| state.names.resolved(&pending.entry).of.clone());
            of.is_some_and(|of| !of.is_empty() && of.iter().all(|create| creates.contains(create)))
        };
        state.pending.of(key).filter(stands).collect()
    }

    /// The first of these that is no delete with all of the entity as it was then, so that it can be written anew as a
    /// create; the others, which go on from there, as they are.
    fn with_content(&self, key: &EntityKey, locals: &[u64]) -> Result<Gone, Error> {
        let mut record = (*self.accepted(key)?).clone();
        let is_here = !record.creates().is_empty();
        let state = self.state();
        let has_it = |entry: &Entry| entry.key == *key && entry.action == Action::Create;
        let mut is_kept = state.aside.values().any(|aside| aside.rejection.code == GONE && has_it(&aside.entry));
        let mut gone = Vec::new();
        for local in locals {
            let Some(entry) = state.pending.get(*local).map(|pending| pending.entry.clone()) else { continue };
            let resolved = state.names.resolved(&entry);
            record.apply_in_order(&resolved);
            if is_kept || !is_here || matches!(entry.action, Action::Delete(_)) {
                gone.push((*local, entry));
                continue;
            }
            is_kept = true;
            let schema = self.inner.schemas.get(&*key.entity_type).copied();
            gone.push((*local, Arc::new(whole(&resolved, &record, schema))));
        }
        Ok(gone)
    }
}

const GONE: &str = "gone";

/// Why what was written to a purged entity is set aside.
pub(super) fn gone_rejection() -> Rejection {
    let message = "the entity was deleted, and purged; written anew, this makes it again".to_owned();
    Rejection { code: GONE.into(), message, field: None }
}

fn refusal((local, decision): &(u64, Decision)) -> Option<(u64, String)> {
    match decision {
        Decision::Rejected(rejection) => Some((*local, rejection.code.clone())),
        _ => None,
    }
}
