//! Purges that come down while entries to the purged entity are pending: what was written stays on this device.

use std::sync::Arc;

use super::Replica;
use super::lost::lost_writes;
use super::pending::Pending;
use super::row::Decision;
use crate::error::Error;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::record::Record;
use crate::model::stamp::VersionVector;
use crate::transport::Rejection;

impl Replica {
    /// The entries that a page strands, as they are set aside: the last one of each entity with the entity's whole
    /// content, so that it can be written anew as a create.
    pub(super) fn stranded_by(&self, page: &[Arc<Entry>]) -> Result<Vec<(u64, Arc<Entry>)>, Error> {
        let mut stranded = Vec::new();
        if page.iter().any(|entry| entry.action == Action::Purge) {
            self.bring_in_all()?;
        }
        for purge in page.iter().filter(|entry| entry.action == Action::Purge) {
            let key = &purge.key;
            if self.state().pending.of(key).len() == 0 {
                continue;
            }
            let visible = self.visible(key)?;
            let goes = visible.grounds().iter().all(|create| purge.of.contains(create));
            let state = self.state();
            let locals: Vec<u64> = state.pending.of(key).collect();
            // Of one that was offered the hub decides.
            let is_open = |local: &u64| state.pending.get(*local).is_some_and(Pending::is_open);
            if !goes || !locals.iter().all(is_open) {
                continue;
            }
            for local in &locals {
                let Some(entry) = state.pending.get(*local).map(|pending| pending.entry.clone()) else { continue };
                let is_last = locals.last() == Some(local);
                stranded.push((*local, if is_last { whole(key, &visible, &entry) } else { entry }));
            }
        }
        Ok(stranded)
    }
}

impl Replica {
    /// The entries that were refused because their entity is gone at the hub, the last one of each with the content
    /// that is still here.
    pub(super) fn with_content(&self, decisions: &[(u64, Decision)]) -> Result<Vec<(u64, Arc<Entry>)>, Error> {
        let is_gone =
            |decision: &Decision| matches!(decision, Decision::Rejected(rejection) if rejection.code == "gone");
        let mut kept = Vec::new();
        if decisions.iter().any(|(_, decision)| is_gone(decision)) {
            self.bring_in_all()?;
        }
        for (local, _) in decisions.iter().filter(|(_, decision)| is_gone(decision)) {
            let pending = self.state().pending.get(*local).map(|pending| pending.entry.clone());
            let Some(entry) = pending else { continue };
            let is_last = self.state().pending.of(&entry.key).next_back() == Some(*local);
            if is_last && !self.accepted(&entry.key)?.creates().is_empty() {
                let visible = self.visible(&entry.key)?;
                kept.push((*local, whole(&entry.key, &visible, &entry)));
            }
        }
        Ok(kept)
    }
}

/// Why what was written to a purged entity is set aside.
pub(super) fn gone() -> Rejection {
    let message = "the entity was deleted, and purged; written anew, this makes it again".to_owned();
    Rejection { code: "gone".into(), message, field: None }
}

/// An entry that carries all that an entity showed.
fn whole(key: &EntityKey, visible: &Record, last: &Entry) -> Arc<Entry> {
    let all = lost_writes(key, visible, &Record::default(), &VersionVector::default());
    let mut entry = last.clone();
    if let Some(content) = all.into_iter().find(|entry| entry.action == Action::Create) {
        entry.action = Action::Create;
        entry.fields = content.fields;
        entry.replaces.clear();
        entry.of.clear();
        entry.saw.clear();
        entry.group = None;
    }
    Arc::new(entry)
}
