//! Purging what was deleted: an entry of the hub's own in the log, that names the creates it drops.

use std::sync::Arc;

use super::batch::{Batch, Logged};
use super::facts::{Questions, View};
use super::inner::Inner;
use super::read::Reading;
use super::row::{Accepted, Content};
use super::state::State;
use crate::error::Error;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::record::{Life, Record};
use crate::model::stamp::{Dot, Origin};

/// How many records are looked at, and how many purges go into one row of the log.
const PAGE: usize = 256;

impl Inner {
    /// Purges what was deleted before this logical time; how many entities.
    pub(super) fn purge(&self, before: u64) -> Result<u64, Error> {
        // What is scanned is the checkpoint's: what was deleted since is in it then.
        self.checkpoint()?;
        let mut purged = 0;
        let mut after: Option<EntityKey> = None;
        loop {
            let scanned = self.read_with(
                || {
                    let table = self.state().table;
                    table.scan(self.store(), None, after.as_ref(), PAGE)
                },
                |_, scanned| Ok(Reading::Done(scanned)),
            )?;
            let Some((last, _)) = scanned.last() else { return Ok(purged) };
            after = Some(last.clone());
            let mut old = Vec::new();
            for (key, record) in scanned {
                if is_old(&record?, before) {
                    old.push(key);
                }
            }
            if !old.is_empty() {
                purged += self.purge_these(&old, before)?;
            }
        }
    }

    fn purge_these(&self, keys: &[EntityKey], before: u64) -> Result<u64, Error> {
        let ask = || Questions { keys: keys.to_vec(), ..Questions::default() };
        let mut queued = Ok(None);
        let purged = self.read(ask, |state, facts| {
            // As they are now: somebody may have restored one.
            let records = View::new(state, facts, keys)?.take_records();
            let old = keys.iter().filter_map(|key| Some((key, records.get(key)?)));
            let old: Vec<(&EntityKey, &Arc<Record>)> = old.filter(|(_, record)| is_old(record, before)).collect();
            let entries = self.purges(state, &old);
            let count = entries.len() as u64;
            if count > 0 {
                let accepted = Accepted { batch: Batch::new(entries, None), ..Accepted::default() };
                let appended = self.append(state, Content::Accepted(accepted));
                queued = appended.map(|_| Some((self.journal.restarts(), state.position)));
            }
            Some(Reading::Done(count))
        })?;
        if let Some((restarts, position)) = queued? {
            self.wait(restarts, position)?;
        }
        Ok(purged)
    }

    fn purges(&self, state: &State, old: &[(&EntityKey, &Arc<Record>)]) -> Vec<Logged> {
        let numbers = state.known(&self.own).n + 1..;
        let purge = |((key, record), n): (&(&EntityKey, &Arc<Record>), u64)| {
            // It orders nothing, and moves nobody's clock.
            let time = match record.life() {
                Life::Deleted { updated_at } => updated_at,
                _ => 0,
            };
            let origin = Origin { dot: Dot::new(self.own.clone(), n), time, author: None };
            let mut entry = Entry::new(origin, (*key).clone(), Action::Purge);
            entry.of = record.grounds();
            Logged { hash: entry.hash(), entry: Arc::new(entry), intent: None }
        };
        old.iter().zip(numbers).map(purge).collect()
    }
}

/// Whether the record is that of an entity deleted before `before`, with nothing in it that anyone has to decide.
fn is_old(record: &Record, before: u64) -> bool {
    matches!(record.life(), Life::Deleted { updated_at } if updated_at < before) && record.hidden_writes().is_empty()
}
