//! The write-ahead log as people read it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Replica;
use super::builder::read_row;
use super::names::{pass_over, with_its_create, with_its_group};
use super::row::{Decision, Logged, Row};
use crate::error::Error;
use crate::hashed::HashMap;
use crate::model::entry::Entry;
use crate::model::stamp::{ClientId, Dot};
use crate::transport::Rejection;

/// What became of an entry of the write-ahead log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LogState {
    /// Written here, not accepted yet.
    Pending,
    /// In the hub's log.
    Accepted,
    /// Refused, and set aside or forgotten since.
    Rejected(Rejection),
}

/// One line of the write-ahead log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// Its number on this device, if it was written here.
    pub number: Option<u64>,
    /// The entry, under its final name if it has one.
    pub entry: Entry,
    /// What became of it.
    pub state: LogState,
}

impl Replica {
    /// The write-ahead log, oldest first: what was written here and what came down, as far as it was not compacted.
    ///
    /// # Errors
    /// [`Error::Store`], also for a damaged row.
    pub fn log(&self) -> Result<Vec<LogEntry>, Error> {
        self.flush()?;
        let mut reading = Reading { client: self.client_at_begin()?, ..Reading::default() };
        self.read_rows(|row| {
            reading.take(row);
            ControlFlow::Continue(())
        })?;
        // What was compacted away and is not decided stands in the checkpoint.
        let early = self.all_pending()?.into_iter().filter(|(local, _)| !reading.own.contains_key(local));
        let early = early.map(|(local, entry)| LogEntry {
            number: Some(local),
            entry: Arc::unwrap_or_clone(entry),
            state: LogState::Pending,
        });
        let mut lines: Vec<LogEntry> = early.collect();
        lines.extend(reading.finish());
        let state = self.state();
        // What went with another entry that was refused, with its create or its transaction, has no row of its own.
        for line in lines.iter_mut().filter(|line| line.state == LogState::Pending) {
            if let Some(aside) = line.number.and_then(|number| state.aside.get(&number)) {
                line.state = LogState::Rejected(aside.rejection.clone());
            }
        }
        // What became of those that are named may have been cut off the journal since.
        for line in lines.iter_mut().filter(|line| line.number.is_some()) {
            state.names.resolve(&mut line.entry);
        }
        let refused = state.aside.iter().map(|(local, aside)| (*local, aside.entry.clone())).collect();
        drop(state);
        pass_over_refused(&mut lines, refused);
        Ok(lines)
    }

    /// As which client this was known where the journal begins, which may have been cut.
    fn client_at_begin(&self) -> Result<ClientId, Error> {
        let clients: Vec<ClientId> = {
            let state = self.state();
            state.former.iter().chain([&state.client]).cloned().collect()
        };
        let mut begun = clients.len() - 1;
        if begun > 0 {
            self.read_rows(|row| {
                let Row::Client(client) = row else { return ControlFlow::Continue(()) };
                let at = clients.iter().position(|known| *known == client);
                begun = at.unwrap_or_default().saturating_sub(1);
                ControlFlow::Break(())
            })?;
        }
        Ok(clients[begun].clone())
    }

    fn read_rows(&self, mut take: impl FnMut(Row) -> ControlFlow<()>) -> Result<(), Error> {
        let mut from = 0;
        loop {
            let rows = self.inner.journal.store().journal(from, 256)?;
            let Some((last, _)) = rows.last() else { return Ok(()) };
            from = last + 1;
            for (position, bytes) in rows {
                if take(read_row(position, &bytes)?).is_break() {
                    return Ok(());
                }
            }
        }
    }
}

/// Has what was written here name what those had named that were refused: so it went to the hub.
fn pass_over_refused(lines: &mut [LogEntry], mut refused: BTreeMap<u64, Arc<Entry>>) {
    for line in lines {
        let Some(number) = line.number else { continue };
        pass_over(&mut line.entry, &refused);
        if matches!(line.state, LogState::Rejected(_)) {
            refused.insert(number, Arc::new(line.entry.clone()));
        }
    }
}

/// The lines as far as the journal was read.
struct Reading {
    client: ClientId,
    lines: Vec<LogEntry>,
    /// The line of each entry written here.
    own: HashMap<u64, usize>,
    /// Under which name it was offered.
    offered: HashMap<u64, Dot>,
    /// The entry that was offered under a name.
    by_name: HashMap<Dot, u64>,
    /// Its final name.
    named: HashMap<u64, Dot>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            client: ClientId::local(),
            lines: Vec::new(),
            own: HashMap::default(),
            offered: HashMap::default(),
            by_name: HashMap::default(),
            named: HashMap::default(),
        }
    }
}

impl Reading {
    fn take(&mut self, row: Row) {
        match row {
            Row::Client(client) => {
                self.client = client;
                // What comes down under the names from before is another copy's: this file's entries get new ones.
                self.by_name.clear();
                self.offered.clear();
            }
            Row::Write { entries, forget, .. } => {
                forget.into_iter().for_each(|local| self.forget(local));
                for entry in entries {
                    self.own.insert(entry.dot().n, self.lines.len());
                    let number = Some(entry.dot().n);
                    self.lines.push(LogEntry { number, entry: (*entry).clone(), state: LogState::Pending });
                }
            }
            Row::Offer { numbers, .. } => {
                for (local, n) in numbers {
                    let dot = Dot::new(self.client.clone(), n);
                    self.by_name.insert(dot.clone(), local);
                    self.offered.insert(local, dot);
                }
            }
            Row::Verdicts { decisions, .. } => {
                decisions.into_iter().for_each(|(local, decision)| self.decide(local, decision))
            }
            Row::Page { entries, gone, .. } => {
                for (local, _) in gone {
                    self.reject(local, &super::purge::gone_rejection());
                }
                for Logged { entry, .. } in entries {
                    // One of this device's own, whose verdict was lost.
                    match self.by_name.get(entry.dot()).copied().filter(|local| !self.named.contains_key(local)) {
                        Some(local) => self.accept(local, entry.dot().clone()),
                        None => self.lines.push(LogEntry {
                            number: None,
                            entry: (*entry).clone(),
                            state: LogState::Accepted,
                        }),
                    }
                }
            }
            Row::Adopted { vector, aside, gone, .. } => {
                // Those whose verdict was lost, and that the snapshot contains.
                let known = vector.iter().find(|(client, _)| *client == self.client).map_or(0, |(_, known)| known.n);
                let settled =
                    self.offered.iter().filter(|(local, dot)| dot.n <= known && !self.named.contains_key(local));
                let settled: Vec<_> = settled.map(|(local, dot)| (*local, dot.clone())).collect();
                settled.into_iter().for_each(|(local, dot)| self.accept(local, dot));
                aside.iter().for_each(|(local, rejection)| self.reject(*local, rejection));
                gone.iter().for_each(|(local, _)| self.reject(*local, &super::purge::gone_rejection()));
            }
            // What was before is another's.
            Row::Wiped { client, .. } => *self = Self { client, ..Self::default() },
            Row::Forget(locals) => locals.into_iter().for_each(|local| self.forget(local)),
            Row::Clock { times, .. } => {
                for (local, time) in times {
                    if let Some(line) = self.own.get(&local).and_then(|at| self.lines.get_mut(*at)) {
                        line.entry.origin.time = time;
                    }
                }
            }
            Row::Bind { .. } | Row::Synced(_) | Row::Told(_) | Row::Epochs(_) => {}
        }
    }

    fn decide(&mut self, local: u64, decision: Decision) {
        match decision {
            Decision::Accepted => {
                if let Some(dot) = self.offered.get(&local).cloned() {
                    self.accept(local, dot);
                }
            }
            Decision::KnownAs(dot) => self.accept(local, dot),
            Decision::Rejected(rejection) => {
                self.take_back(local);
                self.reject(local, &rejection);
            }
            Decision::Again => self.take_back(local),
        }
    }

    /// What was offered took no number: what has that is another entry.
    fn take_back(&mut self, local: u64) {
        if let Some(dot) = self.offered.remove(&local)
            && self.by_name.get(&dot) == Some(&local)
        {
            self.by_name.remove(&dot);
        }
    }

    fn reject(&mut self, local: u64, rejection: &Rejection) {
        if let Some(line) = self.own.get(&local).and_then(|at| self.lines.get_mut(*at)) {
            line.state = LogState::Rejected(rejection.clone());
        }
    }

    /// What is forgotten had been refused: without a row of its own it went with another entry.
    fn forget(&mut self, local: u64) {
        if let Some(line) = self.own.get(&local).and_then(|at| self.lines.get_mut(*at))
            && line.state == LogState::Pending
        {
            let with = if line.entry.group.is_some() { with_its_group() } else { with_its_create() };
            line.state = LogState::Rejected(with);
        }
    }

    fn accept(&mut self, local: u64, dot: Dot) {
        if let Some(line) = self.own.get(&local).and_then(|at| self.lines.get_mut(*at)) {
            line.state = LogState::Accepted;
            line.entry.origin.dot = dot.clone();
        }
        self.named.insert(local, dot);
    }

    /// The lines, with the final names of what they name.
    fn finish(self) -> Vec<LogEntry> {
        let Self { mut lines, named, .. } = self;
        // What a copy of this file brought to the hub comes down, too.
        let own: BTreeSet<&Dot> = named.values().collect();
        lines.retain(|line| line.number.is_some() || !own.contains(line.entry.dot()));
        for line in lines.iter_mut().filter(|line| line.number.is_some()) {
            line.entry.map_named(|dots| {
                for dot in dots.iter_mut().filter(|dot| dot.is_local()) {
                    if let Some(name) = named.get(&dot.n) {
                        *dot = name.clone();
                    }
                }
            });
        }
        lines
    }
}
