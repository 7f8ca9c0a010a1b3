//! One session: the right to exchange entries with a hub, or to replace the records. There is one at a time, and it ends
//! where the replica is wiped: what was asked for one user is not taken in for the next.

use std::ops::Deref;
use std::sync::{Arc, MutexGuard};

use super::Replica;
use super::cycle::Report;
use super::row::Row;
use super::single_flight::InFlight;
use super::state::State;
use super::write::Writing;
use crate::error::Error;
use crate::store::{Checkpoint, Position};

/// The right to exchange entries or to replace the records. All clones are one session; it is over when the last of them
/// is dropped, so that work of one that was given up does not meet the next.
#[derive(Clone)]
pub(super) struct Session {
    replica: Replica,
    /// How often the replica had been wiped when it was begun.
    wipes: u64,
    flight: Arc<InFlight<Result<Report, Error>>>,
}

impl Deref for Session {
    type Target = Replica;
    fn deref(&self) -> &Replica {
        &self.replica
    }
}

impl Replica {
    /// Begins a session once no other is under way.
    pub(super) async fn session(&self) -> Result<Session, Error> {
        let wipes = self.state().wipes;
        let flight = self.inner.syncing.enter_alone().await;
        Session::begin(self, flight, wipes)
    }
}

impl Session {
    /// For a replica that was asked when it had been wiped so often.
    pub(super) fn begin(replica: &Replica, flight: InFlight<Result<Report, Error>>, wipes: u64) -> Result<Self, Error> {
        let session = Self { replica: replica.clone(), wipes, flight: Arc::new(flight) };
        session.check()?;
        Ok(session)
    }

    /// Those who wait to sync are given this result.
    pub(super) fn land(&self, result: Result<Report, Error>) {
        self.flight.land(result);
    }

    /// An error if the replica was wiped since this began. It holds for as long as nobody else may write, or make
    /// a checkpoint.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.state_if_same().map(drop)
    }

    /// The state, unless the replica was wiped since this began.
    pub(super) fn state_if_same(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.wipes == self.wipes { Ok(state) } else { Err(Error::Wiped) }
    }

    /// Waits until nobody writes.
    pub(super) fn between_writes(&self) -> Result<Writing<'_>, Error> {
        let writing = self.replica.between_writes()?;
        self.check()?;
        Ok(writing)
    }

    /// Queues a row between the user's writes and takes its effect.
    pub(super) fn commit(&self, row: &Row) -> Result<Position, Error> {
        self.bring_in_for(row)?;
        self.between_writes()?.commit(row)
    }

    /// Changes the map beside the records that are in use.
    pub(super) fn change_map(&self, change: Checkpoint) -> Result<(), Error> {
        self.with_checkpointer(|| {
            self.check()?;
            self.change_map_now(change)
        })
    }
}
