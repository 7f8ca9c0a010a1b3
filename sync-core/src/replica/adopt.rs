//! Taking over a hub's snapshot: a new replica's first sync, one whose cursor the log no longer reaches, and the
//! way out where hub and replica hold what cannot be proven to be one history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cycle::Report;
use super::greet::check_chain;
use super::lost::lost_writes;
use super::query::Scan;
use super::row::{Decision, Kept, Row};
use super::session::Session;
use super::state::State;
use super::table::Begun;
use super::write::Writing;
use crate::error::Error;
use crate::hashed::HashMap;
use crate::model::context::{Known, VersionVector};
use crate::model::stamp::{ClientId, Dot};
use crate::records::Table;
use crate::transport::{Cursor, Epoch, Epochs, HelloRequest, Rejection, SnapshotRequest, Transport, TransportError};

/// How often a snapshot is begun anew because the hub was put back or cut its log while it came.
const PATIENCE: u32 = 8;

impl Session {
    /// Takes the hub's snapshot as this replica's records. Entries that are pending stay pending, but for those that
    /// name what the snapshot does not contain. Where the hub's history is another one, this replica goes on under a new
    /// client id, and what only it held is set aside. Returns how much of what was pending is set aside.
    pub(super) async fn take_snapshot(&self, transport: &dyn Transport, history: History) -> Result<u64, Error> {
        let begun = self.offload(|session| session.resume_snapshot()).await?;
        let Begun { table, mut token, mut latest, mut seen } = begun;
        let (mut taken, mut patience) = (0, PATIENCE);
        let mut asked = HashMap::default();
        let last = loop {
            self.check()?;
            let page = match transport.snapshot(&SnapshotRequest { page: token.clone() }).await {
                // The hub no longer knows where this was: begin anew.
                Err(TransportError::Expired) if !token.is_empty() => None,
                page => Some(page?),
            };
            let page = match page {
                Some(page) if self.goes_on(transport, seen, page.cursor).await? => page,
                // Or it was put back since, and what came before is not of this state of it.
                page => {
                    if patience == 0 {
                        let several = || "its snapshot is of several states".to_owned();
                        let error =
                            page.map_or(TransportError::Expired, |_| TransportError::Nonsense { message: several() });
                        return Err(error.into());
                    }
                    patience -= 1;
                    let begun = self.offload(|session| session.begin_anew()).await?;
                    (token, latest, seen, taken) = (begun.token, begun.latest, begun.seen, 0);
                    asked.clear();
                    continue;
                }
            };
            if !page.has_valid_names() {
                let message = "its snapshot has a client or an entity of a name that none can have".to_owned();
                return Err(TransportError::Nonsense { message }.into());
            }
            let next = page.next.clone();
            seen = page.cursor;
            taken += page.records.len() as u64;
            latest = page.records.iter().map(|(_, record)| record.latest()).fold(latest, u64::max);
            let page = self.offload(move |session| session.store_page(table, page, latest)).await?;
            self.progress(|status| status.snapshot(taken, page.total));
            match next {
                // It would go round for ever.
                Some(next) if next == token || asked.contains_key(&next) => {
                    let message = "its snapshot does not go on".to_owned();
                    return Err(TransportError::Nonsense { message }.into());
                }
                Some(next) => drop(asked.insert(std::mem::replace(&mut token, next), ())),
                None => break page,
            }
        };
        let cursor = last.cursor;
        // Of a log that is another one now, the next greeting tells.
        let (told, epochs, other) = match history {
            History::Known => {
                self.check_told(transport).await?;
                let state = self.state();
                (state.told.furthest(cursor), state.epochs.clone(), None)
            }
            History::GivenBack => {
                // The hub may have been lost again since it was given all, and have got other entries of these names.
                let theirs = last.vector.iter().cloned().collect();
                self.compare(transport, Some((&theirs, cursor))).await?.trusted()?;
                (cursor, Epochs::default(), None)
            }
            History::Another => {
                let theirs = last.vector.iter().cloned().collect();
                let compared = self.compare(transport, Some((&theirs, cursor))).await?;
                (cursor, Epochs::default(), Some(compared.distrusted))
            }
        };
        let arrived = Arrived { table, vector: last.vector, cursor, told, epochs, latest, history, other, of: None };
        self.offload(move |session| session.switch_to(arrived)).await
    }

    /// Whether a page of a snapshot is of a hub that still has what it had at the page before.
    async fn goes_on(&self, transport: &dyn Transport, before: Cursor, now: Cursor) -> Result<bool, Error> {
        let is_same_run = now.epoch == before.epoch && now.epoch != Epoch::default();
        if before.seq == 0 || now == before || (now.seq >= before.seq && is_same_run) {
            return Ok(true);
        }
        let clients = self.state().hello().clients;
        Ok(transport.hello(&HelloRequest { clients, cursor: before, ..HelloRequest::default() }).await?.on_chain)
    }

    /// The hub may have been put back to an older state while its snapshot came, or before: then the snapshot does not
    /// contain what this replica was told.
    async fn check_told(&self, transport: &dyn Transport) -> Result<(), Error> {
        let request = self.state().hello();
        if request.cursor.seq == 0 {
            return Ok(());
        }
        let hello = transport.hello(&request).await?;
        match check_chain(&request, &hello)? {
            Some(message) => Err(Error::HubLostData { message }),
            None => Ok(()),
        }
    }

    /// Before the hub is given back what it lost: it has lost which entries it had from other copies of this file, too.
    pub(super) fn doubt_copies(&self, report: &mut Report) -> Result<(), Error> {
        self.bring_in_all()?;
        let doubtful = {
            let state = self.state();
            state.doubtful(state.copied)
        };
        if !doubtful.is_empty() {
            report.rejected += doubtful.len() as u64;
            let decisions = doubtful.into_iter().map(|(local, rejection)| (local, Decision::Rejected(rejection)));
            self.commit(&Row::decided_here(decisions.collect()))?;
        }
        Ok(())
    }

    /// The snapshot is complete: from here on it is what this replica shows. Returns how much of what was written here is
    /// set aside with that.
    pub(super) fn switch_to(&self, arrived: Arrived) -> Result<u64, Error> {
        let Arrived { table, vector: listed, cursor, told, epochs, latest, history, other, of } = arrived;
        self.bring_in_all()?;
        let vector: VersionVector = listed.iter().cloned().collect();
        let mut trusted = vector.clone();
        for (client, same) in other.iter().flatten() {
            trusted.set(client.clone(), Known { n: *same, ..Known::default() });
        }
        // Nobody else changes what was accepted while this session lasts.
        let mut kept = Vec::new();
        if other.is_some() {
            kept = self.only_here(&trusted, table)?;
            self.forget_intents(&trusted)?;
        }
        let (before, position, aside) = {
            // What is pending is looked at and decided about in one step: nobody writes anything that builds on what
            // is not here any more.
            let writing = self.between_writes()?;
            if other.is_none() {
                self.state().check_contained(&vector)?;
            }
            let before = self.state().table;
            let aside = self.leave_history(&writing, &vector, &trusted, history)?;
            let gone = if other.is_none() { self.stranded_in(table)? } else { Vec::new() };
            let (vector, count) = (listed, (aside.len() + gone.len()) as u64);
            let row = Row::Adopted { table: table.0, cursor, told, epochs, latest, vector, aside, gone, kept, of };
            (before, writing.commit(&row)?, count)
        };
        // It shows from here on, whatever comes of the rest.
        self.inner.watchers.resync();
        self.inner.journal.wait(position)?;
        self.checkpoint()?;
        self.end_snapshot()?;
        self.sweep(before)?;
        Ok(aside)
    }

    /// Another state is about to take the place of the records: this replica goes on under a new client id if its
    /// entries do not go on from there. Returns what of them is to be set aside.
    fn leave_history(
        &self,
        writing: &Writing<'_>,
        vector: &VersionVector,
        trusted: &VersionVector,
        history: History,
    ) -> Result<Vec<(u64, Rejection)>, Error> {
        let (goes_on, before_copy) = {
            let state = self.state();
            let goes_on = match state.own_chain(vector) {
                OwnChain::Ours(n) => history != History::Another || state.may_go_on_from(n),
                OwnChain::Forked => false,
            };
            (goes_on, state.copied)
        };
        if !goes_on {
            let before = self.state().client.clone();
            let client = self.inner.name.fresh(&*self.inner.random, Some(&before));
            writing.commit(&Row::Client(client))?;
        }
        // What may have been accepted under another name, by way of a copy or before the hub lost it, is not offered
        // again: the hub may no longer know its intent, and it would count twice.
        let state = self.state();
        let mut aside = state.doubtful(if goes_on { before_copy } else { u64::MAX });
        if history != History::Known {
            aside.extend(state.unproven(vector, goes_on));
        }
        if goes_on {
            let doubtful: BTreeSet<u64> = aside.iter().map(|(local, _)| *local).collect();
            let stranded = state.stranded(trusted);
            aside.extend(stranded.into_iter().filter(|(local, _)| !doubtful.contains(local)));
        }
        Ok(aside)
    }

    /// What this replica's records hold and the snapshot does not: written anew from the records.
    fn only_here(&self, vector: &VersionVector, theirs: Table) -> Result<Vec<Kept>, Error> {
        let mut kept = Vec::new();
        let known = self.state().vector.clone();
        let store = self.inner.journal.store();
        for item in Scan::accepted(self, None) {
            let (key, ours) = item?;
            let theirs = theirs.load(&**store, &key)?.unwrap_or_default();
            kept.extend(lost_writes(&key, &ours, &theirs, vector, &known).into_iter().map(|entry| Kept {
                entry: Arc::new(entry),
                rejection: diverged("the hub's history does not contain it"),
            }));
        }
        Ok(kept)
    }
}

/// A snapshot that stands in a table of the map, complete.
pub(super) struct Arrived {
    pub(super) table: Table,
    /// What it contains.
    pub(super) vector: Vec<(ClientId, Known)>,
    /// Where in the hub's log it was made.
    pub(super) cursor: Cursor,
    /// How far the log that it belongs to is known to go.
    pub(super) told: Cursor,
    /// Where the epochs of that log began, as far as it is known.
    pub(super) epochs: Epochs,
    /// The greatest logical time in it.
    pub(super) latest: u64,
    /// How its history stands to this replica's.
    pub(super) history: History,
    /// If it is another one: of each client of which it has other entries, how many are the same.
    pub(super) other: Option<BTreeMap<ClientId, u64>>,
    /// Of which hub and space a file says that it is.
    pub(super) of: Option<(String, String)>,
}

/// How a snapshot's history stands to this replica's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    /// It goes on from what the hub told before.
    Known,
    /// The hub lost what it told, and was given back what was here.
    GivenBack,
    /// It is another one, for all that can be proven.
    Another,
}

/// How a snapshot's entries of this client stand to those that this file issued.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OwnChain {
    /// They are those that were accepted, and of the offered ones the first up to this number.
    Ours(u64),
    /// There are others among them.
    Forked,
}

impl State {
    /// Proves by their digest which entries of this client a snapshot contains.
    pub(super) fn own_chain(&self, vector: &VersionVector) -> OwnChain {
        let (theirs, ours) = (vector.get(&self.client), self.vector.get(&self.client));
        let mut known = ours;
        for (local, pending) in self.pending.iter() {
            let issued = match &pending.accepted_as {
                Some(dot) if dot.client == self.client => Some(dot.n),
                Some(_) => None,
                None => pending.offered,
            };
            if known.n >= theirs.n || issued != Some(known.n + 1) {
                break;
            }
            let dot = Dot::new(self.client.clone(), known.n + 1);
            let Some(entry) = self.numbered(local, dot.clone()) else { break };
            let hash = self.with_names_of_numbers(entry).hash();
            known = Known { n: dot.n, digest: known.digest.then(hash) };
        }
        if theirs.n < known.n || known == theirs { OwnChain::Ours(theirs.n) } else { OwnChain::Forked }
    }

    /// Whether this client's entries can go on from this number, where another history is taken over: nothing was
    /// ever called what the next ones will be.
    fn may_go_on_from(&self, n: u64) -> bool {
        n >= self.accepted && self.pending.iter().all(|(_, pending)| pending.offered.is_none_or(|offered| offered <= n))
    }

    /// A snapshot that lacks what this replica has does not replace it.
    pub(super) fn check_contained(&self, vector: &VersionVector) -> Result<(), Error> {
        for (client, ours) in self.vector.iter() {
            let theirs = vector.get(client);
            if theirs.n < ours.n {
                let message =
                    format!("its state has {} of the {} entries of client {client} that are here", theirs.n, ours.n);
                return Err(Error::HubLostData { message });
            }
            if theirs.n == ours.n && theirs.digest != ours.digest {
                let message = format!("the first {} entries of client {client} are not the same", ours.n);
                return Err(Error::Diverged { message });
            }
        }
        Ok(())
    }

    /// The pending entries up to this number, of a file that is a copy: the hub may have accepted them from another one,
    /// and no longer know their intents.
    fn doubtful(&self, before: u64) -> Vec<(u64, Rejection)> {
        let reason =
            || diverged("this file is a copy, and the hub may have it from another one: look before writing it anew");
        let undecided = self.pending.range(..before).filter(|(_, pending)| pending.accepted_as.is_none());
        undecided.map(|(local, _)| (local, reason())).collect()
    }

    /// The entries that a hub accepted under names which may be others' in this snapshot of one that lost data: they never
    /// came down.
    fn unproven(&self, vector: &VersionVector, goes_on: bool) -> Vec<(u64, Rejection)> {
        let reason = || diverged("the hub lost data, and may have this or another entry under its name: look first");
        let is_proven = |dot: &Dot| !vector.covers(dot) || (goes_on && dot.client == self.client);
        let unproven = self.pending.waiting().filter(|(dot, _)| !is_proven(dot));
        unproven.map(|(_, local)| (local, reason())).collect()
    }

    /// The pending entries that name what a snapshot does not contain.
    fn stranded(&self, vector: &VersionVector) -> Vec<(u64, Rejection)> {
        let mut stranded = BTreeSet::new();
        for (local, pending) in self.pending.iter() {
            let lacks = |dot: &Dot| if dot.is_local() { stranded.contains(&dot.n) } else { !vector.covers(dot) };
            if self.names.resolved(&pending.entry).named().any(lacks) {
                stranded.insert(local);
            }
        }
        let reason = || diverged("it builds on what the hub's history does not contain");
        stranded.into_iter().map(|local| (local, reason())).collect()
    }
}

fn diverged(message: &str) -> Rejection {
    Rejection { code: "diverged".into(), message: message.into(), field: None }
}
