//! Wiping: a replica forgets all that it holds, and is another one from then on.

use super::row::Row;
use super::state::State;
use super::table::none_begun;
use super::{Replica, meta};
use crate::error::Error;
use crate::model::stamp::ClientId;
use crate::records::Table;

impl Replica {
    /// Forgets everything that this replica holds, for a logout: it is a new and empty one afterwards, belongs to
    /// nobody, and its space on the disk is given back. What the hub has accepted stays there. A sync that runs ends
    /// with [`Error::Wiped`], and nothing that it asked for comes into what the replica is then.
    ///
    /// # Errors
    /// [`Error::Unsynced`] if entries were never accepted or are set aside, unless `even_unsynced`: nothing was
    /// forgotten then. [`Error::Nested`] inside the closure of a write. [`Error::Store`].
    pub fn wipe(&self, even_unsynced: bool) -> Result<(), Error> {
        let (before, position) = {
            let writing = self.between_writes()?;
            self.check_unsynced(even_unsynced)?;
            let before = self.state().table;
            // The next table may hold a snapshot that is being taken in: it stays as it is until this counts.
            let table = before.next().next();
            // No checkpoint begins before the wipe and ends behind it, and no page of a snapshot comes between.
            let position = self.with_checkpointer(|| {
                self.sweep_tables_but(&[before, before.next()])?;
                self.change_map_now(none_begun())?;
                let former = self.state().client.clone();
                let client = self.inner.name.fresh(&*self.inner.random, Some(&former));
                writing.commit(&Row::Wiped { client, table: table.0 })
            })?;
            (before, position)
        };
        self.inner.watchers.resync();
        self.progress(|status| status.forget());
        self.inner.journal.wait(position)?;
        for table in [before, before.next()] {
            self.with_checkpointer(|| self.sweep_table(table, |change| self.change_map_now(change)))?;
        }
        self.compact()
    }

    fn check_unsynced(&self, even_unsynced: bool) -> Result<(), Error> {
        let entries = {
            let state = self.state();
            state.pending.len() + state.aside.len() as u64
        };
        if entries > 0 && !even_unsynced { Err(Error::Unsynced { entries }) } else { Ok(()) }
    }

    /// What was wiped goes from the map before the checkpoint counts that says so.
    pub(super) fn sweep_wiped(&self) -> Result<(), Error> {
        self.inner.journal.flush()?;
        for prefix in meta::WIPED {
            self.sweep_range(prefix, &[prefix[0] + 1], |change| self.change_map_now(change))?;
        }
        let mut state = self.state();
        state.wiped = false;
        state.aside.values_mut().for_each(|aside| aside.stored = false);
        Ok(())
    }
}

impl State {
    /// Becomes a new one, but for what others compare with what they knew before.
    pub(super) fn wipe(&mut self, client: ClientId, table: Table) {
        let mut new = Self::new(client);
        (new.next_local, new.table, new.wiped, new.wipes) = (self.next_local, table, true, self.wipes + 1);
        (new.marks, new.covers) = (std::mem::take(&mut self.marks), self.covers);
        new.pending.go_on_from(&self.pending);
        new.names.go_on_from(&self.names);
        new.records.go_on_from(self.records.generation());
        *self = new;
    }
}
