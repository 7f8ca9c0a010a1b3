//! Upload: pending entries are offered in order, and each gets its verdict.

use std::sync::Arc;

use super::both::both;
use super::cycle::Report;
use super::offer::{Next, Offer};
use super::pace::Retry;
use super::row::{Decision, Row};
use super::session::Session;
use super::state::State;
use crate::error::Error;
use crate::transport::{PushReply, Transport, TransportError, Verdict};

/// What one push brought about.
pub(super) enum Pushed {
    /// There is nothing to push, or what there is has to wait for a download.
    Nothing,
    /// Push on.
    More,
    /// The hub asks to wait.
    Wait,
    /// Its clock disagrees with the stamps of entries that were offered.
    Clock,
    /// An entry was accepted before under another name: download past it first.
    Download,
}

/// What a push leaves to the one after it, which is on its way sooner so.
#[derive(Default)]
pub(super) struct Ahead {
    /// What was accepted as a whole, and is not taken note of yet.
    accepted: Option<(Offer, PushReply)>,
    /// What is offered next.
    next: Option<Offer>,
    /// Something was refused: more may be, and nothing is made ready in vain.
    is_doubtful: bool,
}

impl Session {
    /// Offers one batch of pending entries and takes the verdicts. While the hub decides, what comes behind the batch is
    /// made ready, as if all of it were accepted; if it is, its verdicts are taken while the hub decides about the next one.
    pub(super) async fn push(
        &self,
        transport: &dyn Transport,
        ahead: &mut Ahead,
        report: &mut Report,
    ) -> Result<Pushed, Error> {
        self.check()?;
        let Ahead { accepted, next, is_doubtful } = std::mem::take(ahead);
        let offer = match next {
            Some(offer) => offer,
            None => match self.offer(transport, report).await? {
                Ok(offer) => offer,
                Err(pushed) => return Ok(pushed),
            },
        };
        let meanwhile = async {
            if let Some((offer, reply)) = accepted {
                self.take_verdicts(offer, reply, report)?;
            }
            if is_doubtful { Ok(None) } else { self.offer_behind(&offer).await }
        };
        let (reply, next) = both(transport.push(&offer.request), meanwhile).await;
        let next = next?;
        let reply = match reply {
            Err(error) if offer.is_divisible() => {
                let retry = self.state().push_failed(&error, offer.bytes);
                return if self.tries_less(retry, transport).await { Ok(Pushed::More) } else { Err(error.into()) };
            }
            Err(TransportError::TooLarge { .. }) if self.takes_back(&offer, transport).await? => {
                return Ok(Pushed::More);
            }
            reply => reply?,
        };
        self.state().push_pace.got_through();
        if !offer.is_answered_by(&reply) {
            let message = "its verdicts are not those of the entries that were offered".to_owned();
            return Err(TransportError::Nonsense { message }.into());
        }
        ahead.is_doubtful = !reply.verdicts.iter().all(|(_, verdict)| is_plain(verdict));
        let Some(mut next) = next.filter(|_| !ahead.is_doubtful) else {
            return self.take_verdicts(offer, reply, report);
        };
        next.request.attempt.told = next.request.attempt.told.furthest(reply.head);
        (ahead.accepted, ahead.next) = (Some((offer, reply)), Some(next));
        Ok(Pushed::More)
    }

    /// Whether what the hub refused to read is offered no more: it takes less at once than when that was offered, and
    /// has nothing of it; a request that is on its way still is too much as well. (What it may have is offered again as
    /// it was, for only the hub can tell.)
    async fn takes_back(&self, offer: &Offer, transport: &dyn Transport) -> Result<bool, Error> {
        if !offer.is_over(&self.state().limits) {
            return Ok(false);
        }
        let hello = self.hello(transport).await?;
        let first = offer.request.entries.first().map_or(0, |entry| entry.dot().n);
        if !hello.on_chain || hello.clients.first().is_none_or(|standing| standing.known.n >= first) {
            return Ok(false);
        }
        let last = offer.locals.last().copied().unwrap_or_default();
        let locals: Vec<u64> = offer.locals.iter().copied().chain(self.state().offered_behind(last)).collect();
        self.commit(&Row::decided_here(locals.into_iter().map(|local| (local, Decision::Again)).collect()))?;
        Ok(true)
    }

    /// Offers what is pending, from its beginning on. Without an offer, how the push ended.
    async fn offer(&self, transport: &dyn Transport, report: &mut Report) -> Result<Result<Offer, Pushed>, Error> {
        self.fill_front()?;
        if self.state().has_copied() && !self.knows_intents(transport).await? {
            self.doubt_copies(report)?;
            return Ok(Err(Pushed::More));
        }
        match self.choose(State::next_offer).await? {
            Next::Offer(offer) => Ok(Ok(offer)),
            Next::Nothing => Ok(Err(Pushed::Nothing)),
            Next::TooLarge(oversized) => {
                let aside = self.state().aside.len();
                self.commit(&Row::decided_here(oversized))?;
                report.rejected += self.set_aside_since(aside);
                Ok(Err(Pushed::More))
            }
        }
    }

    /// Offers what comes behind what is on its way, if that is plain.
    async fn offer_behind(&self, offer: &Offer) -> Result<Option<Offer>, Error> {
        self.fill_front()?;
        if self.state().has_copied() {
            return Ok(None);
        }
        let (local, n) = offer.end();
        match self.choose(|state| state.offer_from(local, n)).await? {
            Next::Offer(offer) => Ok(Some(offer)),
            Next::Nothing | Next::TooLarge(_) => Ok(None),
        }
    }

    /// What is offered does not leave memory any more from the moment when it is chosen, and its numbers are durable
    /// before anyone hears of them; the entries, which were queued before, too.
    async fn choose(&self, next: impl FnOnce(&State) -> Next) -> Result<Next, Error> {
        let choose = |state: &State| {
            let next = next(state);
            let row = if let Next::Offer(offer) = &next { Some(offer.row()) } else { None };
            (next, row)
        };
        let (next, offered) = self.between_writes()?.commit_of(choose)?;
        if let Some(position) = offered {
            self.inner.journal.ticket(position, ()).await?;
        }
        Ok(next)
    }

    /// Whether the hub still knows every intent that it ever accepted: its log was never cut, and it lost nothing.
    async fn knows_intents(&self, transport: &dyn Transport) -> Result<bool, Error> {
        let request = self.state().hello();
        let hello = transport.hello(&request).await?;
        Ok(hello.tail <= 1 && hello.on_chain && hello.head.seq >= request.cursor.seq)
    }

    fn take_verdicts(&self, offer: Offer, reply: PushReply, report: &mut Report) -> Result<Pushed, Error> {
        let Offer { request, locals, .. } = offer;
        let mut pushed = Pushed::Nothing;
        let mut put_off = 0;
        let mut decisions = Vec::with_capacity(locals.len());
        for (local, (_, verdict)) in locals.iter().zip(reply.verdicts) {
            let decision = match verdict {
                Verdict::Accepted { known_as: None, .. } => {
                    report.uploaded += 1;
                    if matches!(pushed, Pushed::Nothing) {
                        pushed = Pushed::More;
                    }
                    Decision::Accepted
                }
                Verdict::Accepted { known_as: Some(dot), .. } => {
                    report.uploaded += 1;
                    pushed = Pushed::Download;
                    Decision::KnownAs(dot)
                }
                Verdict::Rejected(rejection) => {
                    if matches!(pushed, Pushed::Nothing) {
                        pushed = Pushed::More;
                    }
                    Decision::Rejected(rejection)
                }
                Verdict::Again { code, after } => {
                    put_off = put_off.max(after.unwrap_or(0));
                    if code.as_deref() == Some("clock") {
                        pushed = Pushed::Clock;
                    } else if after.is_some() && !matches!(pushed, Pushed::Download | Pushed::Clock) {
                        pushed = Pushed::Wait;
                    }
                    Decision::Again
                }
            };
            decisions.push((*local, decision));
        }
        // What was offered in a larger batch counted on all of these being accepted: it is numbered anew.
        if let (Some(last), true) =
            (locals.last(), decisions.iter().any(|(_, decision)| *decision != Decision::Accepted))
        {
            decisions.extend(self.state().offered_behind(*last).map(|local| (local, Decision::Again)));
        }
        let aside = self.state().aside.len();
        if decisions.iter().any(|(_, decision)| matches!(decision, Decision::Rejected(_))) {
            self.bring_in_all()?;
        }
        let position = {
            // What is refused is looked at and set aside in one step: nobody writes anything that stands on it.
            let writing = self.between_writes()?;
            let mut gone = self.gone_by(&mut decisions)?;
            gone.extend(self.still_seen(&decisions)?);
            // What the hub took in is folded as it was sent.
            let sent = locals.into_iter().zip(request.entries.into_iter().map(Arc::new));
            self.state().sent = sent.collect();
            writing.commit(&Row::Verdicts { decisions, gone, told: reply.head })?
        };
        report.rejected += self.set_aside_since(aside);
        // They are appended while the next entries are chosen: lost, they are told again.
        drop(self.inner.journal.ticket(position, ()));
        self.progress(|status| {
            status.uploaded = report.uploaded;
            status.put_off = put_off;
        });
        Ok(pushed)
    }

    /// How many were set aside since there were so many. With a refused create go the entries that stand on it.
    fn set_aside_since(&self, before: usize) -> u64 {
        self.state().aside.len().saturating_sub(before) as u64
    }
}

/// Whether an entry was accepted under the number under which it was offered.
fn is_plain(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accepted { known_as: None, .. })
}

impl State {
    /// A push of so many bytes failed. When a smaller one is worth a try.
    fn push_failed(&mut self, error: &TransportError, bytes: u64) -> Retry {
        self.push_pace.failed(error, bytes, self.limits.batch_bytes)
    }

    /// The entries that were offered, and are not decided, behind this one.
    fn offered_behind(&self, local: u64) -> impl Iterator<Item = u64> {
        let behind = self.pending.range(local + 1..);
        behind.filter(|(_, pending)| pending.offered.is_some() && pending.accepted_as.is_none()).map(|(local, _)| local)
    }

    /// Corrected times for the entries that were never offered, when the wall clock was off.
    ///
    /// `change` is by how much it turned out to be off more than was known; `now` the hub's time; `seen` what was seen by now
    /// is before.
    pub(super) fn corrected(&self, change: i64, now: u64, seen: u64) -> Vec<(u64, u64)> {
        let mut floor = 0;
        let mut times = Vec::new();
        for (local, pending) in self.pending.iter() {
            let before = pending.entry.origin.time;
            if !pending.is_open() {
                floor = floor.max(before);
                continue;
            }
            // What came with a later time than it has was not seen by who wrote it: it need not be after that.
            let time = before.saturating_add_signed(change).min(now).max(seen.min(before)).max(floor);
            floor = time;
            if time != before {
                times.push((local, time));
            }
        }
        times
    }

    /// Later times for the entries of the time of the last one that was accepted: under another client's name they would
    /// not be told to be after that.
    pub(super) fn of_the_time_before(&self) -> Vec<(u64, u64)> {
        let after = self.clock.accepted.saturating_add(1);
        let open = self.pending.iter().filter(|(_, pending)| pending.is_open() && pending.entry.origin.time < after);
        open.map(|(local, _)| (local, after)).collect()
    }
}
