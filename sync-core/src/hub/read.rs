//! Reading a state that is consistent and durable: facts of the checkpoint first, then the tail under the lock.

use std::sync::Arc;

use super::facts::{Facts, Questions, View};
use super::inner::{Inner, PATIENCE, is_moved};
use super::state::State;
use crate::error::Error;
use crate::hashed::HashMap;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::store::StoreError;

/// What a reading gives, and whether it reads once more with other questions.
pub(super) enum Reading<T> {
    Done(T),
    Again,
}

impl Inner {
    /// Reads what `ask` asks for, and hands it with the state to `take`. What `take` made of it is returned
    /// once all that it stands on is durable.
    pub(super) fn read<T>(
        &self,
        mut ask: impl FnMut() -> Questions,
        mut take: impl FnMut(&mut State, Facts) -> Option<Reading<T>>,
    ) -> Result<T, Error> {
        let read = || {
            let mut questions = ask();
            questions.keep_open(&mut self.state());
            questions.answer(self.store())
        };
        self.read_with(read, |state, facts| Ok(take(state, facts).unwrap_or(Reading::Again)))
    }

    /// Reads the store by `read`, and hands what was read with the state to `take`: both of one checkpoint.
    pub(super) fn read_with<R, T>(
        &self,
        mut read: impl FnMut() -> Result<R, StoreError>,
        mut take: impl FnMut(&mut State, R) -> Result<Reading<T>, StoreError>,
    ) -> Result<T, Error> {
        for _ in 0..PATIENCE {
            let stands_on = |state: &State| (state.covers, state.table);
            let before = stands_on(&self.state());
            let found = read()?;
            let (mut state, heads) = self.fresh()?;
            if before != stands_on(&state) || heads.covers != state.covers {
                let folding = state.folding.is_some();
                drop(state);
                if folding {
                    self.after_checkpoint();
                }
                continue;
            }
            let taken = take(&mut state, found)?;
            let (restarts, position) = (self.journal.restarts(), state.position);
            drop(state);
            let Reading::Done(made) = taken else { continue };
            match self.wait(restarts, position) {
                Ok(()) => return Ok(made),
                Err(error) if is_moved(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Moved { last: self.journal.last() }.into())
    }

    pub(super) fn record(&self, key: &EntityKey) -> Result<Option<Record>, Error> {
        let keys = [key.clone()];
        let ask = || Questions { keys: keys.to_vec(), ..Questions::default() };
        let record = self.read(ask, |state, facts| {
            let records: HashMap<EntityKey, Arc<Record>> = View::new(state, facts, &keys)?.take_records();
            Some(Reading::Done(records.into_values().next()))
        })?;
        Ok(record.filter(|record| !record.is_empty()).map(Arc::unwrap_or_clone))
    }
}
