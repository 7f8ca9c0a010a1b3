//! A decision in the making: the state, and what of a push was taken in so far.

use std::sync::Arc;

use super::batch::Logged;
use super::facts::View;
use super::index::Intended;
use super::prepared::reject;
use super::validate::{Proposed, Validate};
use crate::hashed::HashMap;
use crate::model::digest::Digest;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::record::Record;
use crate::model::stamp::{ClientId, Dots, Name};
use crate::records::note_grounds;
use crate::transport::{Limits, Rejection};

/// What a decision goes by, beside the state.
pub(super) struct Rules<'a> {
    pub(super) principal: &'a Name,
    /// The client id under which this hub numbers entries.
    pub(super) own: &'a ClientId,
    pub(super) limits: &'a Limits,
    pub(super) now: u64,
    pub(super) validators: &'a [Arc<dyn Validate>],
}

/// A decision in the making.
pub(super) struct Draft<'a> {
    pub(super) view: View<'a>,
    pub(super) rules: &'a Rules<'a>,
    /// Of the entities whose state the decision depends on.
    records: HashMap<EntityKey, Arc<Record>>,
    /// Or only their creates, where nothing else matters.
    grounds: HashMap<EntityKey, Dots>,
    intents: HashMap<u128, Intended>,
    /// What was taken in, in order.
    pub(super) accepted: Vec<Logged>,
}

/// An entry that is to be taken in, with its hash and intent.
pub(super) type Candidate<'e> = (&'e Arc<Entry>, Digest, Option<u128>);

/// What the records become, or which candidate cannot be taken in and why.
type Staged = Result<HashMap<EntityKey, Arc<Record>>, (usize, Rejection)>;

impl<'a> Draft<'a> {
    pub(super) fn new(mut view: View<'a>, rules: &'a Rules<'a>) -> Self {
        let (records, grounds) = (view.take_records(), view.take_grounds());
        Self { view, rules, records, grounds, intents: HashMap::default(), accepted: Vec::new() }
    }

    /// Whether a stamp is further ahead than the hub admits: more than the drift before the hub's clock, and more
    /// than the one step that a clock takes which has seen the greatest accepted stamp. (A drift on top of the
    /// greatest one would let a client walk every clock of the space ahead, drift by drift.)
    pub(super) fn is_ahead(&self, time: u64) -> bool {
        let wall = self.rules.now.saturating_add(self.rules.limits.drift);
        time > wall.max(self.view.state.greatest.saturating_add(1))
    }

    /// Under which other name an entry's intent was accepted.
    pub(super) fn known_as(&self, entry: &Entry, intent: Option<u128>) -> Option<Intended> {
        let intent = intent?;
        let known = self.intents.get(&intent).cloned().or_else(|| self.view.intent(intent))?;
        (known.dot != *entry.dot()).then_some(known)
    }

    /// The record as it is after what was taken in so far.
    pub(super) fn record(&self, key: &EntityKey) -> Option<&Arc<Record>> {
        self.records.get(key)
    }

    /// Takes in all candidates or none; their numbers in the log, or which one is at fault.
    pub(super) fn take(&mut self, candidates: &[Candidate<'_>]) -> Result<Vec<u64>, (usize, Rejection)> {
        if self.grounds.is_empty() {
            let staged = self.stage(candidates)?;
            self.records.extend(staged);
        } else {
            self.stage_grounds(candidates)?;
        }
        let mut seqs = Vec::with_capacity(candidates.len());
        for (entry, hash, intent) in candidates {
            let seq = self.view.state.head.seq + self.accepted.len() as u64 + 1;
            if let Some(intent) = *intent {
                self.intents.insert(intent, Intended { dot: entry.dot().clone(), seq });
            }
            self.accepted.push(Logged { entry: Arc::clone(entry), hash: *hash, intent: *intent });
            seqs.push(seq);
        }
        Ok(seqs)
    }

    fn stage(&self, candidates: &[Candidate<'_>]) -> Staged {
        let mut staged: HashMap<EntityKey, Arc<Record>> = HashMap::default();
        let mut keys: Vec<(usize, &EntityKey)> = Vec::new();
        for (at, (entry, ..)) in candidates.iter().enumerate() {
            // A create of an entity that nothing else in the push is about, where nobody asks what becomes of it.
            let Some(before) = self.records.get(&entry.key) else { continue };
            if !keys.iter().any(|(_, key)| **key == entry.key) {
                keys.push((at, &entry.key));
            }
            let record = staged.entry(entry.key.clone()).or_insert_with(|| before.clone());
            if entry.action != Action::Create && !stands(record, entry) {
                return Err((at, gone(entry)));
            }
            Arc::make_mut(record).apply_in_order(entry);
        }
        for (at, key) in keys {
            let change =
                Proposed { principal: self.rules.principal, key, before: &self.records[key], after: &staged[key] };
            for validator in self.rules.validators {
                validator.validate(&change).map_err(|rejection| (at, rejection))?;
            }
        }
        Ok(staged)
    }

    /// Where only the creates are at hand: whether each candidate stands on one that lives, given those of the
    /// candidates themselves. Those of a group that is refused stay noted: nothing after it in its lane is taken in, and
    /// what another client's entries name is in the log.
    fn stage_grounds(&mut self, candidates: &[Candidate<'_>]) -> Result<(), (usize, Rejection)> {
        for (at, (entry, ..)) in candidates.iter().enumerate() {
            let Some(grounds) = self.grounds.get_mut(&entry.key) else { continue };
            if entry.action != Action::Create && !entry.of.iter().any(|dot| grounds.contains(dot)) {
                return Err((at, gone(entry)));
            }
            note_grounds(grounds, entry);
        }
        Ok(())
    }
}

/// Whether any of the creates that the entry saw lives.
fn stands(record: &Record, entry: &Entry) -> bool {
    let lives = |create: &crate::model::record::Create| create.origin.is_some() && entry.of.contains(&create.dot);
    record.creates().iter().any(lives)
}

pub(super) fn gone(entry: &Entry) -> Rejection {
    reject("gone", format!("{} is not there any more, or never was: write it anew to keep it", entry.key), None)
}
