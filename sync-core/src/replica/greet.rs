//! The greeting: who the hub is, whether it still has what it once told, and what its clock says.

use super::cycle::Report;
use super::portable::of_file;
use super::row::{Account, Row};
use super::session::Session;
use super::state::State;
use crate::error::Error;
use crate::model::context::Known;
use crate::model::stamp::ClientId;
use crate::transport::{EpochStart, Hello, HelloRequest, Transport, TransportError};

/// How far, in milliseconds, the wall clock may be off before stamps are corrected.
const TOLERANCE: u64 = 1_000;

/// What a greeting brought to light.
pub(super) enum Greeted {
    Known(Box<Hello>),
    /// The hub lacks what this replica knows that it had.
    LostData(Lost),
}

pub(super) struct Lost {
    pub(super) message: String,
    pub(super) may_join: bool,
}

impl Session {
    /// Learns who the hub is, and refuses one that cannot be the one this replica knows.
    /// `is_ahead` says that the hub just found a stamp too far ahead of its clock.
    pub(super) async fn greet(
        &self,
        transport: &dyn Transport,
        report: &mut Report,
        is_ahead: bool,
    ) -> Result<Greeted, Error> {
        let request = self.state().hello();
        let sent = self.inner.clock.now();
        let hello = transport.hello(&request).await?;
        let took = self.inner.clock.now().saturating_sub(sent);
        self.bind(&hello)?;
        let lost = check_chain(&request, &hello)?;
        self.correct_clock(&hello, sent, took, report, is_ahead)?;
        if lost.is_none() {
            self.note_epochs(&hello)?;
        }
        Ok(match lost {
            Some(message) => Greeted::LostData(Lost { message, may_join: hello.may_join }),
            None => Greeted::Known(Box::new(hello)),
        })
    }

    pub(super) fn bind(&self, hello: &Hello) -> Result<(), Error> {
        let account =
            Account { hub: hello.hub.clone(), space: hello.space.clone(), principal: hello.principal.clone() };
        let (bound, of, limits) = {
            let state = self.state();
            (state.account.clone(), state.of.clone(), state.limits)
        };
        // The records may come from a file: they are not for any other hub or space than its.
        let elsewhere = of.filter(|(hub, space)| (hub, space) != (&account.hub, &account.space));
        match bound {
            None if elsewhere.is_some() => {
                let bound = elsewhere.as_ref().map_or_else(String::new, of_file);
                return Err(Error::WrongAccount { bound, found: account.to_string() });
            }
            Some(bound) if bound != account => {
                return Err(Error::WrongAccount { bound: bound.to_string(), found: account.to_string() });
            }
            Some(_) if limits == hello.limits => {}
            _ => {
                self.commit(&Row::Bind { account, limits: hello.limits })?;
            }
        }
        Ok(())
    }

    fn correct_clock(
        &self,
        hello: &Hello,
        sent: u64,
        took: u64,
        report: &mut Report,
        is_ahead: bool,
    ) -> Result<(), Error> {
        let middle = sent.saturating_add(took / 2);
        let offset = i64::try_from(i128::from(hello.server_time) - i128::from(middle)).unwrap_or(0);
        let change = offset.saturating_sub(self.state().offset);
        // Both clocks may be right within what the request took. The stamps may be of an hour when this one was not.
        if !is_ahead && change.unsigned_abs() <= TOLERANCE + took / 2 {
            return Ok(());
        }
        // Whatever is pending when the row is made has to be in memory by then. From here on it stays there.
        self.bring_in_all()?;
        // What is written before this row is corrected by it, and what is written after it knows the offset.
        let correct = |state: &State| {
            let (now, seen) = (hello.server_time, state.clock.floor());
            let mut times = state.corrected(change, now, seen);
            if is_ahead && times.is_empty() {
                // What was seen is ahead itself, and not in the hub's log: of a state that this one took the place of.
                times = state.corrected(change, now, seen.min(now));
            }
            let is_changed = !times.is_empty() || offset != 0;
            (is_changed, Some(Row::Clock { offset, times }))
        };
        let (is_changed, _) = self.between_writes()?.commit_of(correct)?;
        if is_changed {
            report.clock_corrected = Some(change);
        }
        Ok(())
    }

    /// Asks where the epoch began of which the hub told last, if that is not known: once for each time that it is started.
    pub(super) async fn learn_epochs(&self, transport: &dyn Transport) -> Result<(), Error> {
        let request = self.state().hello();
        if request.cursor.epoch == request.epoch {
            return Ok(());
        }
        // Whoever does not answer is asked next time.
        match transport.hello(&request).await {
            Ok(hello) if hello.on_chain => self.note_epochs(&hello),
            _ => Ok(()),
        }
    }

    /// Of a hub that has what this replica was told. What it has beyond that it may lose before anything of it is here.
    fn note_epochs(&self, hello: &Hello) -> Result<(), Error> {
        let told = self.state().told.seq;
        let epochs: Vec<EpochStart> = hello.epochs.iter().take_while(|begun| begun.after < told).copied().collect();
        if epochs.is_empty() { Ok(()) } else { self.commit(&Row::Epochs(epochs)).map(drop) }
    }

    pub(super) async fn hello(&self, transport: &dyn Transport) -> Result<Hello, Error> {
        let request = self.state().hello();
        Ok(transport.hello(&request).await?)
    }
}

/// Says what the hub lost that this replica knows it had.
pub(super) fn check_chain(request: &HelloRequest, hello: &Hello) -> Result<Option<String>, Error> {
    if hello.clients.len() != request.clients.len() {
        let message = "its hello does not answer for the clients that were named".to_owned();
        return Err(TransportError::Nonsense { message }.into());
    }
    if !hello.on_chain || hello.head.seq < request.cursor.seq {
        let (ends, here) = (hello.head.seq, request.cursor.seq);
        return Ok(Some(format!(
            "its log ends at {ends}, and is not the one of which this replica has {here} entries"
        )));
    }
    for ((client, ours), theirs) in request.clients.iter().zip(&hello.clients) {
        if theirs.known.n < ours.n {
            let (there, here) = (theirs.known.n, ours.n);
            return Ok(Some(format!("it has {there} of the {here} entries of client {client} that it accepted")));
        }
        if theirs.digest_there.is_some_and(|digest| digest != ours.digest) {
            let message = format!("the first {} entries of client {client} are not the same", ours.n);
            return Err(Error::Diverged { message });
        }
    }
    Ok(None)
}

impl State {
    pub(super) fn hello(&self) -> HelloRequest {
        let clients = std::iter::once(&self.client).chain(&self.former);
        let known = |client: &ClientId| {
            let known = self.vector.get(client);
            // What was accepted and is not folded yet counts too, though its digest is not known.
            (client.clone(), Known { n: known.n, digest: known.digest })
        };
        HelloRequest { clients: clients.map(known).collect(), cursor: self.told, epoch: self.epochs.last() }
    }
}
