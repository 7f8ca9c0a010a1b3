//! Upload: pending entries are offered in order, and each gets its verdict.

use std::ops::Range;
use std::sync::Arc;

use super::both::both;
use super::cycle::Report;
use super::row::{Decision, Row};
use super::session::Session;
use super::size;
use super::state::State;
use crate::error::Error;
use crate::hashed::HashMap;
use crate::model::entry::Entry;
use crate::model::stamp::Dot;
use crate::transport::{
    Attempt, Cursor, Limits, PushReply, PushRequest, Rejection, Transport, TransportError, Verdict,
};

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
    accepted: Option<(Offered, PushReply)>,
    /// What is offered next.
    next: Option<Offered>,
    /// Something was refused: more may be, and nothing is made ready in vain.
    is_doubtful: bool,
}

/// What is to be done next about what is pending.
enum Next {
    Nothing,
    Offer(Offer),
    /// What comes next is more than the hub takes at once.
    TooLarge(Vec<(u64, Decision)>),
}

/// Entries with the numbers under which they are offered.
struct Offer {
    attempt: u64,
    told: Cursor,
    /// Local number, number, and the entry under it.
    entries: Vec<(u64, u64, Entry)>,
    /// How many bytes they have, in JSON.
    bytes: u64,
}

impl Offer {
    fn row(&self) -> Row {
        let numbers = self.entries.iter().map(|(local, n, _)| (*local, *n)).collect();
        Row::Offer { attempt: self.attempt, numbers }
    }
}

/// An offer that is durable, and may be pushed.
struct Offered {
    request: PushRequest,
    locals: Vec<u64>,
    bytes: u64,
}

impl Offered {
    fn new(offer: Offer) -> Self {
        let attempt = Attempt { number: Some(offer.attempt), told: offer.told };
        let locals = offer.entries.iter().map(|(local, _, _)| *local).collect();
        let entries = offer.entries.into_iter().map(|(_, _, entry)| entry).collect();
        Self { request: PushRequest { entries, attempt }, locals, bytes: offer.bytes }
    }

    /// The last local number in it, and the number that it has.
    fn end(&self) -> (u64, u64) {
        let n = self.request.entries.last().map_or(0, |entry| entry.dot().n);
        (self.locals.last().copied().unwrap_or(0), n)
    }

    /// Whether the verdicts are those of these entries.
    fn fits(&self, reply: &PushReply) -> bool {
        let entries = &self.request.entries;
        reply.verdicts.len() == entries.len()
            && entries.iter().zip(&reply.verdicts).all(|(entry, (id, _))| entry.id() == *id)
    }
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
        let offered = match next {
            Some(offered) => offered,
            None => match self.offer(transport, report).await? {
                Ok(offered) => offered,
                Err(pushed) => return Ok(pushed),
            },
        };
        let meanwhile = async {
            if let Some((offered, reply)) = accepted {
                self.take_verdicts(offered, reply, report)?;
            }
            if is_doubtful { Ok(None) } else { self.offer_behind(&offered).await }
        };
        let (reply, next) = both(transport.push(&offered.request), meanwhile).await;
        let next = next?;
        let reply = match reply {
            Err(error) if is_divisible(&offered.request.entries) && self.state().push_failed(&error, offered.bytes) => {
                return Ok(Pushed::More);
            }
            reply => reply?,
        };
        self.state().push_pace.got_through();
        if !offered.fits(&reply) {
            let message = "its verdicts are not those of the entries that were offered".to_owned();
            return Err(TransportError::Nonsense { message }.into());
        }
        ahead.is_doubtful = !reply.verdicts.iter().all(|(_, verdict)| is_plain(verdict));
        let Some(mut next) = next.filter(|_| !ahead.is_doubtful) else {
            return self.take_verdicts(offered, reply, report);
        };
        next.request.attempt.told = next.request.attempt.told.furthest(reply.head);
        (ahead.accepted, ahead.next) = (Some((offered, reply)), Some(next));
        Ok(Pushed::More)
    }

    /// Offers what is pending, from its beginning on. Without an offer, how the push ended.
    async fn offer(&self, transport: &dyn Transport, report: &mut Report) -> Result<Result<Offered, Pushed>, Error> {
        self.fill_front()?;
        if self.state().has_copied() && !self.knows_intents(transport).await? {
            self.doubt_copies(report)?;
            return Ok(Err(Pushed::More));
        }
        match self.choose(State::next_offer).await? {
            Next::Offer(offer) => Ok(Ok(Offered::new(offer))),
            Next::Nothing => Ok(Err(Pushed::Nothing)),
            Next::TooLarge(oversized) => {
                let aside = oversized.len() as u64;
                self.commit(&Row::decided_here(oversized))?;
                report.rejected += aside;
                Ok(Err(Pushed::More))
            }
        }
    }

    /// Offers what comes behind what is on its way, if that is plain.
    async fn offer_behind(&self, offered: &Offered) -> Result<Option<Offered>, Error> {
        self.fill_front()?;
        if self.state().has_copied() {
            return Ok(None);
        }
        let (local, n) = offered.end();
        match self.choose(|state| state.offer_from(local + 1, n + 1)).await? {
            Next::Offer(offer) => Ok(Some(Offered::new(offer))),
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

    fn take_verdicts(&self, offered: Offered, reply: PushReply, report: &mut Report) -> Result<Pushed, Error> {
        let Offered { request, locals, .. } = offered;
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
            let gone = self.gone_by(&mut decisions)?;
            // What the hub took in is folded as it was sent.
            let sent = locals.into_iter().zip(request.entries.into_iter().map(Arc::new));
            self.state().sent = sent.collect();
            writing.commit(&Row::Verdicts { decisions, gone, told: reply.head })?
        };
        // With a refused create go the entries that stand on it.
        report.rejected += self.state().aside.len().saturating_sub(aside) as u64;
        // They are appended while the next entries are chosen: lost, they are told again.
        drop(self.inner.journal.ticket(position, ()));
        self.progress(|status| {
            status.uploaded = report.uploaded;
            status.put_off = put_off;
        });
        Ok(pushed)
    }
}

/// Whether an entry was accepted under the number under which it was offered.
fn is_plain(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Accepted { known_as: None, .. })
}

/// Whether there are several entries that need not be pushed together.
fn is_divisible(entries: &[Entry]) -> bool {
    match entries {
        [first, .., last] => first.group.is_none() || first.group != last.group,
        _ => false,
    }
}

impl State {
    /// Whether entries are pending that another copy of this file may have, too.
    fn has_copied(&self) -> bool {
        // What is not in memory was not accepted.
        let cold = &self.pending.cold.range;
        let in_memory = || self.pending.range(..self.copied).any(|(_, pending)| pending.accepted_as.is_none());
        (!cold.is_empty() && cold.start < self.copied) || in_memory()
    }

    /// The next batch to offer: what was offered already as it was, and then what follows. A transaction is offered whole.
    fn next_offer(&self) -> Next {
        self.offer_from(0, self.accepted + 1)
    }

    /// The batch to offer from a local number on, the first of which gets the number `first`.
    fn offer_from(&self, from: u64, first: u64) -> Next {
        // Behind an entry that was accepted and has not come down yet nothing is offered: it may be named.
        if self.pending.is_empty() || self.pending.is_waiting() {
            return Next::Nothing;
        }
        let Limits { batch_entries, batch_bytes, .. } = self.limits;
        let most_bytes = self.push_pace.of(batch_bytes);
        let most = (batch_entries as usize).min(self.pending.resident());
        let mut entries: Vec<(u64, u64, Entry)> = Vec::with_capacity(most);
        let mut names = HashMap::default();
        let mut bytes = 0;
        // Where the transaction at hand begins, with how many bytes there are before it, and the local number behind it.
        let (mut begins, mut before, mut end) = (0, 0, 0);
        for (local, pending) in self.pending.front(from) {
            if local >= end {
                (begins, before) = (entries.len(), bytes);
                end = pending.entry.group.map_or(local + 1, |group| group.first + group.count);
                let count = end - local;
                if begins == 0 && pending.is_open() && count > batch_entries.min(self.limits.group_entries) {
                    return self.too_large(local..end, bytes);
                }
                if begins > 0 && begins as u64 + count > batch_entries {
                    break;
                }
            }
            let n = first + entries.len() as u64;
            // What was offered keeps its number: the hub may have accepted it under that.
            let n = pending.offered.unwrap_or(n);
            let Some(mut entry) = self.numbered(local, Dot::new(self.client.clone(), n)) else { break };
            entry.map_named(|dots| {
                for dot in dots.iter_mut().filter(|dot| dot.is_local()) {
                    // In this batch, or in one that is on its way.
                    let offered = || self.pending.get(dot.n).and_then(|pending| pending.offered);
                    if let Some(named) = names.get(&dot.n).copied().or_else(offered) {
                        *dot = Dot::new(self.client.clone(), named);
                    }
                }
                dots.sort();
                dots.dedup();
            });
            bytes += size::of_json(&entry);
            if bytes > most_bytes && begins > 0 {
                entries.truncate(begins);
                bytes = before;
                break;
            }
            if bytes > batch_bytes && pending.is_open() {
                return self.too_large(end - pending.entry.group.map_or(1, |group| group.count)..end, bytes);
            }
            names.insert(local, n);
            entries.push((local, n, entry));
        }
        if entries.is_empty() {
            return Next::Nothing;
        }
        Next::Offer(Offer { attempt: self.attempt + 1, told: self.told, entries, bytes })
    }

    /// A push of so many bytes failed. Whether a smaller one is worth a try at once.
    fn push_failed(&mut self, error: &TransportError, bytes: u64) -> bool {
        self.push_pace.failed(error, bytes, self.limits.batch_bytes)
    }

    /// The entries that were offered, and are not decided, behind this one.
    fn offered_behind(&self, local: u64) -> impl Iterator<Item = u64> {
        let behind = self.pending.range(local + 1..);
        behind.filter(|(_, pending)| pending.offered.is_some() && pending.accepted_as.is_none()).map(|(local, _)| local)
    }

    /// What comes next and is more than the hub takes at once: written before its limits were known, or before they
    /// became what they are. It would stand in the way of all that comes after it for ever.
    fn too_large(&self, locals: Range<u64>, bytes: u64) -> Next {
        let (count, most) = (locals.end - locals.start, self.limits.batch_entries.min(self.limits.group_entries));
        let message = if count > most {
            format!("{count} entries in one transaction; the hub takes {most}")
        } else {
            format!("{bytes} bytes at once, or more; the hub takes {}", self.limits.batch_bytes)
        };
        let rejection = Rejection { code: "too_large".into(), message, field: None };
        Next::TooLarge(locals.map(|local| (local, Decision::Rejected(rejection.clone()))).collect())
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
