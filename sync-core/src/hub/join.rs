//! Taking back what the hub lost: a replica's snapshot is joined with the hub's own state.
//!
//! The pages go into a table of the store's map beside the one in use. With the last one each record there is
//! replaced by what it and the hub's own make together, and one row of the journal switches over. Readers whose
//! cursor is before that row take the state as a snapshot: it is no sequence of entries.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{MutexGuard, PoisonError};

use super::facts::Questions;
use super::inner::{Inner, failed};
use super::row::{Content, Joined};
use super::state::State;
use crate::error::Error;
use crate::model::context::{Context, Known, VersionVector};
use crate::model::digest::Digest;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::model::stamp::{ClientId, Dot};
use crate::records::Table;
use crate::store::{Checkpoint, StoreError};
use crate::transport::{Link, SnapshotPage, TransportError};

/// How many records are joined at a time.
const PAGE: usize = 256;
/// How many checkpoints are made at most before everything is in one.
const PATIENCE_OF_LAST: u32 = 16;
/// A transfer of which nothing was heard for so many milliseconds makes way for another.
const PATIENCE: u64 = 30_000;

/// A snapshot that is being given back.
pub(super) struct Transfer {
    name: String,
    table: Table,
    records: u64,
    heard: u64,
}

impl Inner {
    pub(super) fn join(&self, principal: &str, page: &SnapshotPage) -> Result<(), TransportError> {
        if !self.settings.allow_join {
            return Err(TransportError::Denied { message: "this hub does not take snapshots".into() });
        }
        if page.transfer.is_empty() {
            return Err(TransportError::Nonsense {
                message: "the page does not say which transfer it is part of".into(),
            });
        }
        if !page.has_valid_names() {
            return Err(TransportError::Nonsense {
                message: "the page has a client or an entity of a name that none can have".into(),
            });
        }
        let mut transfer = self.transfer.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin(&mut transfer, page)?;
        let current = transfer.as_mut().ok_or(TransportError::Expired)?;
        current.records += self.stage(current.table, page).map_err(failed)?;
        if page.next.is_some() {
            return Ok(());
        }
        let complete = page.total == Some(current.records);
        let table = current.table;
        *transfer = None;
        // A part of a snapshot must never pass for the whole: what is not in it would count as replaced.
        let taken = if complete { self.finish(principal, table, page) } else { Err(TransportError::Expired) };
        if taken.is_err() {
            self.give_up(table);
        }
        taken
    }

    /// Drops what was not taken back: its replica offers it again with each of its syncs. A table that is in use, or that a
    /// row under way may bring into use, stays.
    fn give_up(&self, table: Table) {
        if self.fresh().is_ok_and(|(state, _)| state.table != table) {
            // What cannot be dropped now is in nobody's way.
            let _ = self.sweep(table);
        }
    }

    fn begin(
        &self,
        transfer: &mut MutexGuard<'_, Option<Transfer>>,
        page: &SnapshotPage,
    ) -> Result<(), TransportError> {
        let now = self.now();
        match transfer.as_mut() {
            Some(current) if current.name == page.transfer => {
                current.heard = now;
                return Ok(());
            }
            // A clock that was set back says nothing of how long ago that was.
            Some(current) if now.abs_diff(current.heard) < PATIENCE => {
                return Err(TransportError::Busy { after: 1_000 });
            }
            _ => {}
        }
        if let Some(given_up) = transfer.take() {
            self.sweep(given_up.table).map_err(failed)?;
        }
        let table = self.empty_table().map_err(failed)?;
        **transfer = Some(Transfer { name: page.transfer.clone(), table, records: 0, heard: now });
        Ok(())
    }

    /// A table that nothing stands in: not the one in use, which another hub of the same store may have changed since
    /// this one looked, and not one that another hub takes a snapshot into. What a transfer left behind that was cut off
    /// by a crash is left alone for the same reason.
    fn empty_table(&self) -> Result<Table, Error> {
        let in_use = self.fresh()?.0.table;
        // Hubs that begin at the same moment begin at different places.
        let first = self.own.as_str().bytes().fold(0, |place: u8, byte| place.wrapping_mul(31).wrapping_add(byte));
        let mut others = (0..=u8::MAX).map(|at| Table(first.wrapping_add(at))).filter(|table| *table != in_use);
        let fallback = in_use.next();
        let is_empty = |table: &Table| {
            let (from, to) = table.bounds(None);
            self.store().range(&from, &to, 1).map(|rows| rows.is_empty())
        };
        loop {
            match others.next() {
                Some(table) if is_empty(&table)? => return Ok(table),
                Some(_) => {}
                None => {
                    self.sweep(fallback)?;
                    return Ok(fallback);
                }
            }
        }
    }

    /// Puts a page beside the records in use; how many of its records were not there yet.
    fn stage(&self, table: Table, page: &SnapshotPage) -> Result<u64, StoreError> {
        let mut new = 0;
        let mut puts = Vec::with_capacity(page.records.len());
        for (key, record) in &page.records {
            new += u64::from(table.load(self.store(), key)?.is_none());
            puts.push(table.row(key, record));
        }
        self.change_map(Checkpoint { puts, ..Checkpoint::default() })?;
        Ok(new)
    }

    /// Drops what a table holds. Once it is empty, another hub may take a snapshot into it: it is not looked at again.
    fn sweep(&self, table: Table) -> Result<(), StoreError> {
        let (from, to) = table.bounds(None);
        loop {
            let mut rows = self.store().range(&from, &to, PAGE + 1)?;
            let is_all = rows.len() <= PAGE;
            rows.truncate(PAGE);
            let drops: Vec<Vec<u8>> = rows.into_iter().map(|(place, _)| place).collect();
            if !drops.is_empty() {
                self.change_map(Checkpoint { drops, ..Checkpoint::default() })?;
            }
            if is_all {
                return Ok(());
            }
        }
    }

    /// Changes the map beside what is in use: what it covers stays as it is.
    fn change_map(&self, change: Checkpoint) -> Result<(), StoreError> {
        let _at_it = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        let covers = self.store().heads()?.covers;
        self.store().checkpoint(&Checkpoint { covers, ..change })
    }

    fn finish(&self, principal: &str, table: Table, page: &SnapshotPage) -> Result<(), TransportError> {
        let _joining = Joining::begin(self);
        let at_it = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = PATIENCE_OF_LAST;
        let mut state = loop {
            self.make_checkpoint().map_err(failed)?;
            let (state, _) = self.fresh().map_err(failed)?;
            if state.position == state.covers {
                break state;
            }
            // What was pushed meanwhile is little. If others go on, at other hubs of the store, the replica offers again.
            drop(state);
            left -= 1;
            if left == 0 {
                return Err(TransportError::Busy { after: 100 });
            }
        };
        let intents = self.check_provable(&state, page)?;
        let (we, they) = (context(vector(&state)), context(page.vector.clone()));
        let both = we.join(&they).map_err(|forked| TransportError::Diverged { message: forked.to_string() })?;
        // The lock of the state is held over this: nobody may be told anything of a state that is about to change.
        let before = state.table;
        let joined = Joined {
            principal: principal.into(),
            table,
            vector: both.vector().iter().map(|(client, known)| (client.clone(), known)).collect(),
            intents,
            links: within(page),
            greatest: self.join_records(before, &we, table, &they, &both).map_err(failed)?,
        };
        self.append(&mut state, Content::Joined(joined)).map_err(failed)?;
        self.journal.wait_in(self.journal.restarts(), state.position).map_err(failed)?;
        self.settle(&mut state);
        self.tail_seen.fetch_max(state.joined + 1, Relaxed);
        drop(state);
        // Until this checkpoint the row in the journal says all that it says.
        self.make_checkpoint().map_err(failed)?;
        drop(at_it);
        self.watchers.wake();
        self.sweep(before).map_err(failed)
    }

    /// Of every client of which both have entries, those of the one that has fewer must be proven to be how the other's
    /// begin; and nothing that was written once may be in both under two names. The intents of which the hub knew nothing.
    fn check_provable(&self, state: &State, page: &SnapshotPage) -> Result<Vec<(u128, Dot)>, TransportError> {
        let links = within(page);
        let ends = page.vector.iter().map(|(client, known)| (Dot::new(client.clone(), known.n), known.digest));
        let chain: Vec<(Dot, Digest)> = ends.chain(links.into_iter().map(|link| (link.dot, link.digest))).collect();
        let dots = chain.iter().map(|(dot, _)| dot.clone()).collect();
        let intents = page.intents.iter().map(|(intent, _)| *intent).collect();
        let questions = Questions { covers: state.covers, table: state.table, dots, intents, ..Questions::default() };
        let facts = questions.answer(self.store()).map_err(failed)?;
        let mut unproven: BTreeMap<&ClientId, u64> = BTreeMap::new();
        for (client, theirs) in &page.vector {
            let both = theirs.n.min(state.known(client).n);
            if both > 0 {
                unproven.insert(client, both);
            }
        }
        for (dot, digest) in &chain {
            let Dot { client, n } = dot;
            let known = state.known(client);
            let here = if known.n == *n { Some(known.digest) } else { facts.place(dot).map(|place| place.running) };
            if here.is_some_and(|here| here != *digest) {
                let message = format!("the first {n} entries of client {client} are not the same");
                return Err(TransportError::Diverged { message });
            }
            if here.is_some() && unproven.get(client).is_some_and(|both| both <= n) {
                unproven.remove(client);
            }
        }
        if let Some((client, n)) = unproven.first_key_value() {
            let message = format!("the first {n} entries of client {client} are not proven to be the same");
            return Err(TransportError::Diverged { message });
        }
        for (intent, dot) in &page.intents {
            if let Some(known) = facts.intent(*intent).filter(|known| known.dot != *dot) {
                let message = format!("what is {dot} there was accepted here as {} since", known.dot);
                return Err(TransportError::Diverged { message });
            }
        }
        let is_new = |(intent, _): &&(u128, Dot)| facts.intent(*intent).is_none();
        Ok(page.intents.iter().filter(is_new).cloned().collect())
    }

    /// Replaces each record of `theirs` by what it and the hub's make together; the greatest logical time in them.
    fn join_records(
        &self,
        ours: Table,
        we: &Context,
        theirs: Table,
        they: &Context,
        both: &Context,
    ) -> Result<u64, Error> {
        let mut greatest = 0;
        for (other, from_here) in [(ours, true), (theirs, false)] {
            let mut after: Option<EntityKey> = None;
            loop {
                let page = other.scan(self.store(), None, after.as_ref(), PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                let mut change = Checkpoint { covers: self.store().heads()?.covers, ..Checkpoint::default() };
                for (key, record) in page {
                    let record = record?;
                    let joined = if from_here {
                        let staged = theirs.load(self.store(), &key)?.unwrap_or_default();
                        record.join(we, &staged, they, both)
                    } else if ours.load(self.store(), &key)?.is_some() {
                        continue;
                    } else {
                        Record::default().join(we, &record, they, both)
                    };
                    greatest = greatest.max(joined.latest());
                    let (place, row) = theirs.row(&key, &joined);
                    if joined.is_empty() {
                        change.drops.push(place);
                    } else {
                        change.puts.push((place, row));
                    }
                }
                self.store().checkpoint(&change)?;
            }
        }
        Ok(greatest)
    }
}

/// As long as this is held, pushes wait for the checkpoint under way.
struct Joining<'a>(&'a Inner);

impl<'a> Joining<'a> {
    fn begin(hub: &'a Inner) -> Self {
        hub.is_joining.store(true, Relaxed);
        Self(hub)
    }
}

impl Drop for Joining<'_> {
    fn drop(&mut self) {
        self.0.is_joining.store(false, Relaxed);
    }
}

/// The links of what a snapshot contains.
fn within(page: &SnapshotPage) -> Vec<Link> {
    let vector: VersionVector = page.vector.iter().cloned().collect();
    page.links.iter().filter(|link| link.dot.n > 0 && vector.covers(&link.dot)).cloned().collect()
}

fn vector(state: &State) -> Vec<(ClientId, Known)> {
    let known = state.clients.iter().map(|(client, standing)| (client.clone(), standing.known));
    known.filter(|(_, known)| known.n > 0).collect()
}

fn context(vector: Vec<(ClientId, Known)>) -> Context {
    Context::new(vector.into_iter().collect::<VersionVector>())
}
