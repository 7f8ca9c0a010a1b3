//! An offer: pending entries with the numbers under which they go to the hub.

use std::ops::Range;

use super::row::{Decision, Row};
use super::size;
use super::state::State;
use crate::hashed::HashMap;
use crate::model::entry::Entry;
use crate::model::stamp::Dot;
use crate::transport::{Attempt, Limits, PushReply, PushRequest, Rejection};

/// What is to be done next about what is pending.
pub(super) enum Next {
    Nothing,
    Offer(Offer),
    /// What comes next is more than the hub takes at once.
    TooLarge(Vec<(u64, Decision)>),
}

/// Entries with the numbers under which they are offered.
pub(super) struct Offer {
    /// The entries under their local numbers.
    pub(super) locals: Vec<u64>,
    pub(super) request: PushRequest,
    /// How many bytes the entries have, in JSON.
    pub(super) bytes: u64,
}

impl Offer {
    /// What makes the numbers durable.
    pub(super) fn row(&self) -> Row {
        let numbers = self.request.entries.iter().map(|entry| entry.dot().n);
        let attempt = self.request.attempt.number.unwrap_or_default();
        Row::Offer { attempt, numbers: self.locals.iter().copied().zip(numbers).collect() }
    }

    /// The local number and the number behind the last one in it.
    pub(super) fn end(&self) -> (u64, u64) {
        let n = self.request.entries.last().map_or(0, |entry| entry.dot().n);
        (self.locals.last().map_or(0, |local| local + 1), n + 1)
    }

    /// Whether there are several entries that need not be pushed together.
    pub(super) fn is_divisible(&self) -> bool {
        match &self.request.entries[..] {
            [first, .., last] => first.group.is_none() || first.group != last.group,
            _ => false,
        }
    }

    /// Whether it is more than the hub takes at once.
    pub(super) fn is_over(&self, limits: &Limits) -> bool {
        self.request.entries.len() as u64 > limits.batch_entries || self.bytes > limits.batch_bytes
    }

    /// Whether the verdicts are those of these entries.
    pub(super) fn is_answered_by(&self, reply: &PushReply) -> bool {
        let entries = &self.request.entries;
        reply.verdicts.len() == entries.len()
            && entries.iter().zip(&reply.verdicts).all(|(entry, (id, _))| entry.id() == *id)
    }
}

impl State {
    /// Whether entries are pending that another copy of this file may have, too.
    pub(super) fn has_copied(&self) -> bool {
        // What is not in memory was not accepted.
        let cold = &self.pending.cold.range;
        let in_memory = || self.pending.range(..self.copied).any(|(_, pending)| pending.accepted_as.is_none());
        (!cold.is_empty() && cold.start < self.copied) || in_memory()
    }

    /// The next batch to offer: what was offered already as it was, and then what follows. A transaction is offered whole.
    pub(super) fn next_offer(&self) -> Next {
        self.offer_from(0, self.accepted + 1)
    }

    /// The batch to offer from a local number on, the first of which gets the number `first`.
    pub(super) fn offer_from(&self, from: u64, first: u64) -> Next {
        // Behind an entry that was accepted and has not come down yet nothing is offered: it may be named.
        if self.pending.is_empty() || self.pending.is_waiting() {
            return Next::Nothing;
        }
        let Limits { batch_entries, batch_bytes, .. } = self.limits;
        let most_bytes = self.push_pace.of(batch_bytes);
        let most = (batch_entries as usize).min(self.pending.resident());
        let mut locals: Vec<u64> = Vec::with_capacity(most);
        let mut entries: Vec<Entry> = Vec::with_capacity(most);
        let mut names = HashMap::default();
        let mut bytes = 0;
        // Where the transaction at hand begins, with how many bytes there are before it, and the local number behind it.
        let (mut begins, mut before, mut end) = (0, 0, 0);
        for (local, pending) in self.pending.front(from) {
            if local >= end {
                (begins, before) = (entries.len(), bytes);
                end = pending.entry.group.map_or(local + 1, |group| group.first + group.count);
                let count = end - local;
                let is_over = pending.is_open() && count > batch_entries.min(self.limits.group_entries);
                if begins == 0 && is_over {
                    return self.too_large(local..end, bytes);
                }
                if begins > 0 && (is_over || begins as u64 + count > batch_entries) {
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
                locals.truncate(begins);
                bytes = before;
                break;
            }
            if bytes > batch_bytes && pending.is_open() {
                return self.too_large(end - pending.entry.group.map_or(1, |group| group.count)..end, bytes);
            }
            names.insert(local, n);
            locals.push(local);
            entries.push(entry);
        }
        if entries.is_empty() {
            return Next::Nothing;
        }
        let attempt = Attempt { number: Some(self.attempt + 1), told: self.told };
        Next::Offer(Offer { locals, request: PushRequest { entries, attempt }, bytes })
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
}
