//! Verifying: every row is read, and what can be computed again is, and compared.

use serde::Serialize;

use super::builder::read_row;
use super::row::Row;
use super::state::State;
use super::status::{Phase, Progress};
use super::{Replica, meta};
use crate::error::{Error, in_full};
use crate::seal;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Verification {
    /// How many rows of the journal were read.
    pub journal_rows: u64,
    /// How many rows of the map were read.
    pub map_rows: u64,
    /// How many records were folded again from the journal and compared; `None` if the journal no longer has all.
    pub folded_again: Option<u64>,
    /// What is wrong; empty if nothing is.
    pub problems: Vec<String>,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Replica {
    /// Reads every row, checks every checksum, folds every record again from the journal as far as it reaches back,
    /// and compares. `O(all)`.
    ///
    /// # Errors
    /// If the store cannot be read at all; damage is told in the result.
    pub fn verify(&self) -> Result<Verification, Error> {
        self.flush()?;
        self.checkpoint()?;
        let _working = self.working(Phase::Verifying);
        let mut found = Verification::default();
        let replayed = self.verify_journal(&mut found)?;
        self.verify_map(&mut found)?;
        if let Some(replayed) = replayed {
            self.verify_records(replayed, &mut found)?;
        }
        Ok(found)
    }

    /// The state that the whole journal makes, if it has all.
    fn verify_journal(&self, found: &mut Verification) -> Result<Option<State>, Error> {
        let store = self.inner.journal.store();
        let mut whole = Some(State::new(self.state().client.clone()));
        let (mut from, mut next) = (0, 1);
        let heads = store.heads()?;
        self.progress(|status| status.work.total = Some((heads.last + 1).saturating_sub(heads.first)));
        loop {
            let rows = store.journal(from, 256)?;
            self.progress(|status| status.work.done = found.journal_rows);
            let Some((last, _)) = rows.last() else { return Ok(whole.filter(|_| next > 1)) };
            from = last + 1;
            for (position, bytes) in rows {
                found.journal_rows += 1;
                // Rows were dropped, before or meanwhile: the rest does not make the whole.
                if position != next {
                    whole = None;
                }
                next = position + 1;
                match (read_row(position, &bytes), &mut whole) {
                    // What was taken over from a snapshot does not follow from the journal.
                    (Ok(Row::Adopted { .. }), _) => whole = None,
                    (Ok(Row::Client(client)), Some(state)) if position == 1 => state.client = client,
                    (Ok(row), Some(state)) => {
                        state.apply(&row);
                        state.intents.take();
                    }
                    (Ok(_), None) => {}
                    (Err(error), _) => {
                        found.problems.push(format!("journal row {position}: {}", in_full(&error)));
                        whole = None;
                    }
                }
            }
        }
    }

    fn verify_map(&self, found: &mut Verification) -> Result<(), Error> {
        let store = self.inner.journal.store();
        let mut from = Vec::new();
        loop {
            let rows = store.range(&from, &[], 256)?;
            // Nobody counts the rows of the map before.
            self.progress(|status| status.work = Progress { done: found.journal_rows + found.map_rows, total: None });
            let Some((last, _)) = rows.last() else { break };
            from.clone_from(last);
            from.push(0);
            for (place, row) in rows {
                found.map_rows += 1;
                if let Err(error) = seal::open(&place, &row) {
                    found.problems.push(in_full(&error));
                }
            }
        }
        let table = self.state().table;
        let mut after = None;
        loop {
            let records = table.scan(&**store, None, after.as_ref(), 256)?;
            let Some((last, _)) = records.last() else { break };
            after = Some(last.clone());
            for (key, record) in records {
                if let Err(error) = record {
                    found.problems.push(format!("{key}: {}", in_full(&error)));
                }
            }
        }
        if let Err(error) = meta::load(&**store, None) {
            found.problems.push(in_full(&error));
        }
        Ok(())
    }

    fn verify_records(&self, mut replayed: State, found: &mut Verification) -> Result<(), Error> {
        let keys: Vec<_> = replayed.records.touched().cloned().collect();
        let generation = replayed.records.generation();
        let mut compared = 0;
        for key in keys {
            replayed.records.give(&key, generation, None);
            let again = replayed.records.peek(&key);
            let kept = self.accepted(&key)?;
            if again.is_none_or(|again| again.encode() != kept.encode()) {
                found.problems.push(format!("{key}: its record is not what its entries make"));
            }
            compared += 1;
        }
        let pending = self.all_pending()?;
        let state = self.state();
        if replayed.vector != state.vector {
            found.problems.push("the version vector is not what the journal makes".into());
        }
        if !replayed.pending.iter().map(|(local, _)| local).eq(pending.iter().map(|(local, _)| *local)) {
            found.problems.push("the pending entries are not those of the journal".into());
        }
        found.folded_again = Some(compared);
        Ok(())
    }
}
