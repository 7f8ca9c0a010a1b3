//! Upload: pending entries are offered in order, and each gets its verdict.

use super::cycle::Report;
use super::row::{Decision, Row};
use super::session::Session;
use super::size;
use super::state::State;
use crate::error::Error;
use crate::model::entry::Entry;
use crate::model::stamp::Dot;
use crate::transport::{Attempt, Cursor, PushReply, PushRequest, Rejection, Transport, TransportError, Verdict};

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

/// Entries with the numbers under which they are offered.
struct Offer {
    attempt: u64,
    told: Cursor,
    /// Local number, number, and the entry under it.
    entries: Vec<(u64, u64, Entry)>,
}

impl Session {
    /// Offers one batch of pending entries and takes the verdicts.
    pub(super) async fn push(&self, transport: &dyn Transport, report: &mut Report) -> Result<Pushed, Error> {
        self.check()?;
        self.fill_front()?;
        let oversized = self.state().oversized();
        if !oversized.is_empty() {
            let aside = oversized.len() as u64;
            self.commit(&Row::decided_here(oversized))?;
            report.rejected += aside;
            return Ok(Pushed::More);
        }
        if self.state().has_copied() && !self.knows_intents(transport).await? {
            self.doubt_copies(report)?;
            return Ok(Pushed::More);
        }
        let Some(offer) = self.state().next_offer() else { return Ok(Pushed::Nothing) };
        // The numbers are durable before anyone hears of them, and the entries, which were queued before, too.
        let numbers = offer.entries.iter().map(|(local, n, _)| (*local, *n)).collect();
        let row = Row::Offer { attempt: offer.attempt, numbers };
        let position = self.commit(&row)?;
        self.inner.journal.ticket(position, ()).await?;
        let locals: Vec<u64> = offer.entries.iter().map(|(local, _, _)| *local).collect();
        let entries = offer.entries.into_iter().map(|(_, _, entry)| entry).collect();
        let request = PushRequest { entries, attempt: Attempt { number: Some(offer.attempt), told: offer.told } };
        let reply = transport.push(&request).await?;
        self.take_verdicts(&request, &locals, reply, report).await
    }

    /// Whether the hub still knows every intent that it ever accepted: its log was never cut, and it lost nothing.
    async fn knows_intents(&self, transport: &dyn Transport) -> Result<bool, Error> {
        let request = self.state().hello();
        let hello = transport.hello(&request).await?;
        Ok(hello.tail <= 1 && hello.on_chain && hello.head.seq >= request.cursor.seq)
    }

    async fn take_verdicts(
        &self,
        request: &PushRequest,
        locals: &[u64],
        reply: PushReply,
        report: &mut Report,
    ) -> Result<Pushed, Error> {
        let fits = reply.verdicts.len() == locals.len()
            && request.entries.iter().zip(&reply.verdicts).all(|(entry, (id, _))| entry.id() == *id);
        if !fits {
            let message = "its verdicts are not those of the entries that were offered".to_owned();
            return Err(TransportError::Nonsense { message }.into());
        }
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
        let aside = self.state().aside.len();
        let gone = self.with_content(&decisions)?;
        let position = self.commit(&Row::Verdicts { decisions, gone, told: reply.head })?;
        // With a refused create go the entries that stand on it.
        report.rejected += self.state().aside.len().saturating_sub(aside) as u64;
        self.inner.journal.ticket(position, ()).await?;
        self.progress(|status| {
            status.uploaded = report.uploaded;
            status.put_off = put_off;
        });
        Ok(pushed)
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

    /// The next batch to offer: what was offered already as it was, and then what follows.
    fn next_offer(&self) -> Option<Offer> {
        // Behind an entry that was accepted and has not come down yet nothing is offered: it may be named.
        if self.pending.is_empty() || self.pending.is_waiting() {
            return None;
        }
        let mut entries: Vec<(u64, u64, Entry)> = Vec::new();
        let mut bytes = 0;
        let mut names = crate::hashed::HashMap::default();
        let mut left_of_group = 0;
        for (local, pending) in self.pending.front() {
            let n = self.accepted + 1 + entries.len() as u64;
            // What was offered keeps its number: the hub may have accepted it under that.
            let n = pending.offered.unwrap_or(n);
            let Some(mut entry) = self.numbered(local, Dot::new(self.client.clone(), n)) else { break };
            entry.map_named(|dots| {
                for dot in dots.iter_mut().filter(|dot| dot.is_local()) {
                    if let Some(named) = names.get(&dot.n) {
                        *dot = Dot::new(self.client.clone(), *named);
                    }
                }
                dots.sort();
                dots.dedup();
            });
            let size = size::of_json(&entry) + 2;
            if left_of_group == 0 {
                // A group is offered whole: what it takes is known at its first entry.
                let group = entry.group.map_or(1, |group| group.count);
                let full = entries.len() as u64 + group > self.limits.batch_entries
                    || bytes + self.size_of_group(local, group, size) > self.limits.batch_bytes.saturating_sub(1_024);
                if full && !entries.is_empty() {
                    break;
                }
                left_of_group = group;
            }
            left_of_group -= 1;
            bytes += size;
            names.insert(local, n);
            entries.push((local, n, entry));
        }
        Some(Offer { attempt: self.attempt + 1, told: self.told, entries })
    }

    /// What comes next and is more than the hub takes at once: written before its limits were known, or before they
    /// became what they are. It would stand in the way of all that comes after it for ever.
    fn oversized(&self) -> Vec<(u64, Decision)> {
        let Some((first, pending)) = self.pending.first().filter(|(_, pending)| pending.is_open()) else {
            return Vec::new();
        };
        let count = pending.entry.group.map_or(1, |group| group.count);
        let size = self.size_of_group(first, count, size::of_json(&pending.entry) + 512);
        let most = self.limits.batch_entries.min(self.limits.group_entries);
        let over = match (count > most, size > self.limits.batch_bytes) {
            (true, _) => format!("{count} entries in one transaction; the hub takes {most}"),
            (_, true) => format!("about {size} bytes at once; the hub takes {}", self.limits.batch_bytes),
            _ => return Vec::new(),
        };
        let rejection = Rejection { code: "too_large".into(), message: over, field: None };
        (first..first + count).map(|local| (local, Decision::Rejected(rejection.clone()))).collect()
    }

    fn size_of_group(&self, first: u64, count: u64, first_size: u64) -> u64 {
        if count <= 1 {
            return first_size;
        }
        let members = self.pending.range(first..first + count);
        members.map(|(_, pending)| size::of_json(&pending.entry) + 512).sum()
    }

    /// Corrected times for the entries that were never offered, when the wall clock was off.
    ///
    /// `change` is by how much it turned out to be off more than was known; `now` the hub's time.
    pub(super) fn corrected(&self, change: i64, now: u64) -> Vec<(u64, u64)> {
        let mut floor = self.clock.accepted.max(self.clock.foreign.saturating_add(1)).min(now);
        let mut times = Vec::new();
        for (local, pending) in self.pending.iter() {
            if !pending.is_open() {
                floor = floor.max(pending.entry.origin.time);
                continue;
            }
            let written = pending.entry.origin.time.saturating_add_signed(change);
            let time = written.min(now).max(floor);
            floor = time;
            if time != pending.entry.origin.time {
                times.push((local, time));
            }
        }
        times
    }
}
