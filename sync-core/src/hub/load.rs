//! From the store into memory: opening, and catching up with what other hubs of the same store wrote.

use std::sync::Arc;

use super::index::{Meta, Standing};
use super::inner::Inner;
use super::row::Row;
use super::state::State;
use crate::error::Error;
use crate::store::{Heads, Position, Store, StoreError};

/// How many rows of the journal are read at once.
const AT_ONCE: usize = 64;

/// How often reading the checkpoint begins anew because another hub made the next one meanwhile.
const PATIENCE: usize = 100;

/// Reads the state: the checkpoint, and the journal after it.
pub(super) fn load(store: &dyn Store) -> Result<State, StoreError> {
    for _ in 0..PATIENCE {
        let heads = store.heads()?;
        let meta = Meta::load(store)?;
        let clients = Standing::load_all(store)?;
        if store.heads()?.covers != heads.covers {
            continue;
        }
        if meta.as_ref().map_or(0, |meta| meta.covers) != heads.covers {
            return Err(damaged("the checkpoint", "it covers another position than the store says"));
        }
        let mut state = State::new(meta, clients);
        match catch_up(&mut state, store, |_, _| {}) {
            Ok(()) => return Ok(state),
            Err(StoreError::Moved { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Moved { last: store.heads()?.last })
}

/// Takes in the rows after the state's position, all durable. None of the state's own rows is queued.
fn catch_up(state: &mut State, store: &dyn Store, mut taken: impl FnMut(Position, Arc<Row>)) -> Result<(), StoreError> {
    loop {
        let rows = store.journal(state.position + 1, AT_ONCE)?;
        if rows.first().is_none_or(|(position, _)| *position != state.position + 1) {
            // Another hub made a checkpoint and cut the log since.
            let Heads { first, last, .. } = store.heads()?;
            if first > state.position + 1 {
                return Err(StoreError::Moved { last });
            }
        }
        if rows.is_empty() {
            state.settle(Position::MAX);
            return Ok(());
        }
        for (position, bytes) in rows {
            let row = Row::open(position, &bytes)?;
            if position != state.position + 1 || row.start != state.head {
                let what = format!("the journal's row {position}");
                return Err(damaged(&what, "it does not go on where the row before it ended"));
            }
            if row.cursor_at(row.steps())? != row.end {
                return Err(row.damaged("its entries do not lead to where it says that it ends"));
            }
            let row = Arc::new(row);
            state.apply(&row)?;
            taken(position, row);
        }
    }
}

fn damaged(what: &str, message: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned(), message: message.to_owned() }
}

impl Inner {
    /// Brings the state up to what these heads of the store say. Holds the state's lock over reading: that
    /// happens only when another process wrote to the store, and nobody can decide anything meanwhile.
    pub(super) fn refresh(&self, state: &mut State, heads: Heads) -> Result<(), Error> {
        let moved = match self.journal.failure().as_deref() {
            None => false,
            Some(StoreError::Moved { .. }) => true,
            Some(_) => return self.journal.flush(),
        };
        let folded_elsewhere = heads.covers > state.covers && state.folding != Some(heads.covers);
        if !moved && !folded_elsewhere && heads.last <= state.position {
            return Ok(());
        }
        // Rows of ours that wait: either they go in before anybody else's, or they are forgotten and decided anew.
        let forgotten = match self.journal.flush() {
            Ok(()) => moved,
            Err(Error::Store(error)) if matches!(*error, StoreError::Moved { .. }) => true,
            Err(error) => return Err(error),
        };
        let store = self.store();
        let caught_up = if forgotten || folded_elsewhere {
            // Where that fails, what was forgotten must not pass for durable.
            self.reload(state)?;
            Ok(())
        } else {
            match catch_up(state, store, |position, row| self.rows.remember(position, row)) {
                Err(StoreError::Moved { .. }) => self.reload(state),
                caught_up => caught_up,
            }
        };
        // Also where reading stopped half-way: the state goes up to there, and nobody may wait for rows beyond the
        // journal's end.
        self.journal.restart(state.position);
        self.tell(state);
        Ok(caught_up?)
    }

    fn reload(&self, state: &mut State) -> Result<(), StoreError> {
        let fresh = load(self.store())?;
        self.rows.forget_recent();
        *state = fresh;
        Ok(())
    }
}
