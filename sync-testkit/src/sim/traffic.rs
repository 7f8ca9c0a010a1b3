//! Syncs: when they begin, what becomes of each request and reply, and how they end.

use std::task::Poll;

use sync_core::replica::Report;
use sync_core::transport::{PushReply, PushRequest};
use sync_core::{Entry, Error, TransportError, Verdict};

use super::fault::Fault;
use super::link::{Reply, Request};
use super::space::{HONEST, Stray, leaves_rows};
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::rng::Rng;

/// No sync of these small worlds needs more requests.
const MOST_REQUESTS: u32 = 2_000;

/// Of a hundred requests and replies of a sync, how many others come behind.
const STOPS: usize = 8;

impl World<'_> {
    /// A sync begins.
    pub(super) fn begin(&mut self, at: usize, adopts: bool, _rng: &mut Rng) -> Holds {
        if self.devices[at].task.is_some() || self.devices[at].offline_until > self.at {
            return Ok(());
        }
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        self.devices[at].begin(&replica, adopts);
        self.poll(at)
    }

    /// A sync, or the rest of one that is under way. In the swarm it may stop on its way: others come in between.
    pub(super) fn sync(&mut self, at: usize, rng: &mut Rng) -> Holds {
        self.begin(at, false, rng)?;
        while self.devices[at].task.is_some() {
            self.exchange(at, rng)?;
            if self.plan.is_swarm() && rng.percent(STOPS) {
                break;
            }
        }
        Ok(())
    }

    /// One request or reply of one of the syncs that are under way.
    pub(super) fn net(&mut self, rng: &mut Rng) -> Holds {
        let under_way: Vec<usize> = (0..self.devices.len()).filter(|at| self.devices[*at].task.is_some()).collect();
        if under_way.is_empty() { Ok(()) } else { self.exchange(*rng.pick(&under_way), rng) }
    }

    /// What becomes of the request or the reply that is next.
    fn exchange(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(task) = &mut self.devices[at].task else { return Ok(()) };
        if let Some(reply) = task.underway.take() {
            return self.deliver(at, reply, rng);
        }
        let Some(request) = task.link.asked() else { return self.poll(at) };
        task.requests += 1;
        if task.requests > MOST_REQUESTS {
            return broken(Rule::Quiet, format!("{} does not come to the end of its sync", self.devices[at].name));
        }
        let space = task.space;
        if self.lost_on_the_way(at, space, &request, rng) {
            return self.fail(at, TransportError::Offline { message: "the request was lost".to_owned() });
        }
        if rng.percent(self.plan.rate(Fault::Busy)) {
            self.tally.fault(Fault::Busy);
            return self.fail(at, TransportError::Busy { after: 1_000 });
        }
        if rng.percent(self.plan.rate(Fault::Duplicate)) && self.matters_later(&request) {
            self.spaces[space].strays.push(Stray { request: request.clone(), is_copy: true });
        }
        self.asking = Some(at);
        let served = self.serve(space, &request, rng);
        self.asking = None;
        match served? {
            Ok(reply) if rng.percent(60) => self.deliver(at, reply, rng),
            Ok(reply) => {
                if let Some(task) = &mut self.devices[at].task {
                    task.underway = Some(reply);
                }
                Ok(())
            }
            Err(error) => self.fail(at, error),
        }
    }

    /// Whether a request does not arrive, or not in time.
    fn lost_on_the_way(&mut self, at: usize, space: usize, request: &Request, rng: &mut Rng) -> bool {
        if matches!(self.devices[at].cut, Some((true, until)) if until > self.at) {
            self.tally.fault(Fault::OneWayCut);
            return true;
        }
        if rng.percent(self.plan.rate(Fault::Drop)) {
            self.tally.fault(Fault::Drop);
            return true;
        }
        let is_late = rng.percent(self.plan.rate(Fault::Reorder)) && self.matters_later(request);
        if is_late {
            self.spaces[space].strays.push(Stray { request: request.clone(), is_copy: false });
        }
        is_late
    }

    /// Whether it is worth while to have a request arrive when nobody waits for an answer any more.
    fn matters_later(&self, request: &Request) -> bool {
        !self.plan.is_swarm() || leaves_rows(request) > 0
    }

    /// A reply arrives, or is lost or torn on its way.
    fn deliver(&mut self, at: usize, reply: Reply, rng: &mut Rng) -> Holds {
        let is_commit = matches!(&reply, Reply::Push(push) if push.verdicts.iter().any(|(_, v)| matches!(v, Verdict::Accepted { .. })));
        if matches!(self.devices[at].cut, Some((false, until)) if until > self.at) {
            self.tally.fault(Fault::OneWayCut);
            return self.fail(at, TransportError::Offline { message: "replies do not get through".to_owned() });
        }
        if rng.percent(self.plan.rate(Fault::ReplyLost)) {
            if is_commit {
                self.tally.fault(Fault::ReplyLost);
            }
            return self.fail(at, TransportError::Offline { message: "the reply was lost".to_owned() });
        }
        if rng.percent(self.plan.rate(Fault::TornReply)) {
            self.tally.fault(Fault::TornReply);
            return self.fail(at, TransportError::Nonsense { message: "the reply was torn".to_owned() });
        }
        if let Reply::Pull(page) = &reply
            && page.has_more
        {
            self.tally.mark(Mark::PageMore);
            self.tally.fault(Fault::SmallPages);
        }
        if let Some(task) = &self.devices[at].task {
            task.link.answer(Ok(reply));
        }
        self.poll(at)
    }

    /// A request fails, and the world is to blame.
    pub(super) fn fail(&mut self, at: usize, error: TransportError) -> Holds {
        self.trace.say(format_args!("    {}: {error}", self.devices[at].name));
        if let Some(task) = &mut self.devices[at].task {
            task.excuses.push(error.code());
            task.link.answer(Err(error));
        }
        self.poll(at)
    }

    /// The hub carries out a request; what became durable by it is read at once.
    pub(super) fn serve(
        &mut self,
        at: usize,
        request: &Request,
        rng: &mut Rng,
    ) -> Result<Result<Reply, TransportError>, Violation> {
        self.tally.requests += 1;
        if self.trace.is_heard() {
            match request {
                Request::Push(push) => {
                    for entry in &push.entries {
                        self.trace.say(format_args!(
                            "    push (attempt {:?}) {}",
                            push.attempt,
                            entry.to_json_with_intent()
                        ));
                    }
                }
                Request::Hello(hello) => {
                    self.trace.say(format_args!("    hello from {} at {}", hello.clients[0].0, hello.cursor.seq))
                }
                Request::Pull(pull) => self
                    .trace
                    .say(format_args!("    pull since {} up to {} have {:?}", pull.since.seq, pull.limit, pull.have)),
                Request::Snapshot(snapshot) => self.trace.say(format_args!("    snapshot {:?}", snapshot.page)),
                Request::Join(_) => self.trace.say(format_args!("    join")),
            }
        }
        self.note_offered(request);
        let which = rng.below(2);
        let guest = self.invite(at, which);
        let served = self.spaces[at].serve(which, HONEST, request);
        let visit = guest.and_then(|guest| self.visit_of(at, guest));
        self.note_hub_trouble(at);
        if let Err(error) = &served {
            self.trace.say(format_args!("    the hub answers: {error}"));
            self.trace.note_bytes(error.code().as_bytes());
        }
        if let Ok(Reply::Snapshot(page)) = &served {
            self.trace.say(format_args!(
                "      {} records at {}, {:?}",
                page.records.len(),
                page.cursor.seq,
                page.vector
            ));
        }
        let visitors = visit.iter().flat_map(|visit| visit.request.iter());
        let requests = std::iter::once(request).chain(visitors);
        let entries: Vec<Entry> = requests.flat_map(pushed).cloned().collect();
        self.observe(at, &entries)?;
        if let (Ok(Reply::Push(reply)), Request::Push(push)) = (&served, request) {
            self.check_verdicts(at, push, reply)?;
        }
        if let Some(visit) = visit {
            self.visited(at, visit)?;
        }
        Ok(served)
    }

    /// Takes notice of what is offered.
    pub(super) fn note_offered(&mut self, request: &Request) {
        let Request::Push(push) = request else { return };
        for write in push.entries.iter().filter_map(|entry| self.ledger.find(entry.intent?)).collect::<Vec<_>>() {
            let account = self.ledger.get_mut(write);
            account.may_come_twice |= !account.is_accepted && push.attempt.told.seq < account.accepted_at;
        }
    }

    pub(super) fn check_verdicts(&mut self, at: usize, push: &PushRequest, reply: &PushReply) -> Holds {
        for (entry, (id, verdict)) in push.entries.iter().zip(&reply.verdicts) {
            self.trace.say(format_args!("      {id}: {verdict:?}"));
            match verdict {
                Verdict::Accepted { seq, known_as } => {
                    let named = known_as.as_ref().unwrap_or(entry.dot());
                    let now = &self.spaces[at].chronicle.now;
                    // Of what came back after a loss the place is not known.
                    let is_elsewhere = now.at(*seq).is_some_and(|logged| logged.entry.dot() != named);
                    if is_elsewhere || !now.vector.covers(named) {
                        return broken(
                            Rule::Kept,
                            format!("{id} was accepted at {seq}, and the durable log does not have it there"),
                        );
                    }
                    if known_as.is_some() {
                        self.tally.mark(Mark::KnownAs);
                    }
                }
                Verdict::Rejected(rejection) => {
                    self.tally.mark(Mark::Refused);
                    match rejection.code.as_str() {
                        "mood" => self.tally.fault(Fault::Refusal),
                        "gone" | "group" => {}
                        code => {
                            return broken(
                                Rule::NoFailure,
                                format!("{id} was refused as {code}: {}", rejection.message),
                            );
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a sync go on, and takes notice of its end.
    pub(super) fn poll(&mut self, at: usize) -> Holds {
        let polled = self.devices[at].poll();
        self.note_trouble(at);
        match polled {
            // Without power nobody hears how it ended.
            _ if self.devices[at].replica.is_none() => Ok(()),
            Poll::Pending => self.check_file(at, false),
            Poll::Ready(result) => self.ended(at, result),
        }
    }

    fn ended(&mut self, at: usize, result: Result<Report, Error>) -> Holds {
        let Some(task) = self.devices[at].task.take() else { return Ok(()) };
        self.check_file(at, false)?;
        if task.is_overtaken {
            return match result {
                Err(Error::Wiped) => Ok(()),
                ended => broken(
                    Rule::NoFailure,
                    format!("{} was wiped, and its sync ended with {ended:?}", self.devices[at].name),
                ),
            };
        }
        match result {
            Ok(report) => {
                self.trace.say(format_args!("    {} synced: {report:?}", self.devices[at].name));
                self.devices[at].file.is_bound |= report.uploaded + report.downloaded > 0;
                self.took(at, &report, task.adopts)?;
                self.glance(at)
            }
            Err(error) => {
                self.trace.say(format_args!("    {} did not sync: {error}", self.devices[at].name));
                let device = &self.devices[at];
                let has_lost = self.spaces[device.space].losses > 0;
                let is_excused = match &error {
                    Error::Store(_) => device.trouble.is_some(),
                    // A copy may have made later attempts under the same name.
                    Error::Transport(TransportError::Superseded | TransportError::Forked { .. }) => {
                        device.file.is_copied || has_lost
                    }
                    Error::HubLostData { .. } => has_lost,
                    // The hub no longer knows enough to prove that a copy is one.
                    Error::Diverged { .. } | Error::Transport(TransportError::Diverged { .. }) => {
                        self.tally.mark(Mark::Diverged);
                        device.file.is_copied || has_lost
                    }
                    Error::Transport(TransportError::Busy { .. } | TransportError::Expired) if has_lost => true,
                    error => task.excuses.contains(&error.code()),
                };
                if is_excused {
                    Ok(())
                } else {
                    broken(Rule::NoFailure, format!("{}: {error} ({error:?})", device.name))
                }
            }
        }
    }

    fn took(&mut self, at: usize, report: &Report, adopts: bool) -> Holds {
        self.trace.note(report.uploaded << 32 | report.downloaded << 8 | report.rejected);
        let device = &self.devices[at];
        if report.forked && !device.file.is_copied && self.spaces[device.space].losses == 0 {
            return broken(Rule::NoFailure, format!("{} takes itself for a copy, and there was none", device.name));
        }
        let marks = [
            (Mark::Forked, report.forked),
            (Mark::ClockCorrected, report.clock_corrected.is_some()),
            (Mark::Bootstrapped, report.bootstrapped),
            (Mark::HubGivenBack, report.hub_restored),
        ];
        for (mark, was) in marks {
            if was {
                self.tally.mark(mark);
            }
        }
        if adopts {
            self.tally.fault(Fault::Bootstrap);
        }
        Ok(())
    }

    /// A request arrives that its sender gave up, or once more.
    pub(super) fn stray(&mut self, at: usize, rng: &mut Rng) -> Holds {
        if self.spaces[at].strays.is_empty() || self.spaces[at].hubs.is_empty() {
            return Ok(());
        }
        let which = rng.below(self.spaces[at].strays.len());
        let stray = self.spaces[at].strays.swap_remove(which);
        self.tally.fault(if stray.is_copy { Fault::Duplicate } else { Fault::Reorder });
        // Whatever it is answered: nobody is there to hear it.
        self.serve(at, &stray.request, rng).map(drop)
    }
}

/// The entries of a push.
fn pushed(request: &Request) -> &[Entry] {
    if let Request::Push(push) = request { &push.entries } else { &[] }
}
