//! Counting what was met.

use std::collections::BTreeMap;

use super::fault::{Fault, Faults};

/// A state worth being in, counted so that a history which never gets there is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// A write was promised to be durable.
    Promised,
    /// A write was lost with the power before it was promised.
    LostUnpromised,
    /// A write was accepted.
    Accepted,
    /// A write was refused.
    Refused,
    /// A write was accepted under another name.
    KnownAs,
    /// A transaction was accepted.
    GroupAccepted,
    /// A file found itself a copy.
    Forked,
    /// Stamps were corrected.
    ClockCorrected,
    /// A snapshot was taken over.
    Bootstrapped,
    /// A foreign entry was accepted.
    ForeignAccepted,
    /// Something hostile was turned away.
    HostileRefused,
    /// Something hostile was taken, because it kept to the rules.
    HostileAccepted,
    /// A conflict was listed at the end.
    Conflict,
    /// A delete hid a write at the end.
    Hidden,
    /// A draft was saved over what had changed meanwhile.
    DraftSaved,
    /// A conflict was settled.
    Settled,
    /// What a device shows was compared with the oracle in the middle of things.
    Glance,
    /// Of which some writes were pending.
    GlancePending,
    /// A write was lost with the last file that held it.
    LostWithFile,
    /// A write is in the log twice, where nobody can have known.
    CameTwice,
    /// A device that took over the hub's state listed what only it had held.
    SetAsideState,
    /// A hub was given back what it had lost.
    HubGivenBack,
    /// A replica and a hub could not be proven to hold one history.
    Diverged,
    /// A page ended before the log did.
    PageMore,
}

/// How often things were met.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Each fault.
    pub faults: BTreeMap<Fault, u64>,
    /// Each mark.
    pub marks: BTreeMap<Mark, u64>,
    /// Each pair of faults that met in one history.
    pub pairs: BTreeMap<(Fault, Fault), u64>,
    /// Histories.
    pub seeds: u64,
    /// Steps.
    pub steps: u64,
    /// Requests that reached a hub.
    pub requests: u64,
    /// Entries in logs.
    pub entries: u64,
    met: Faults,
}

impl Tally {
    pub(super) fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
        self.met = self.met.with(fault);
    }

    pub(super) fn mark(&mut self, mark: Mark) {
        self.add(mark, 1);
    }

    pub(super) fn add(&mut self, mark: Mark, count: u64) {
        *self.marks.entry(mark).or_default() += count;
    }

    /// Takes in what was counted elsewhere.
    pub fn merge(&mut self, other: &Tally) {
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        for (mark, count) in &other.marks {
            *self.marks.entry(*mark).or_default() += count;
        }
        for (pair, count) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += count;
        }
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.requests += other.requests;
        self.entries += other.entries;
    }

    /// The history is over: the faults that met in it are pairs.
    pub(super) fn close(&mut self) {
        let met: Vec<Fault> = self.met.iter().collect();
        for (at, one) in met.iter().enumerate() {
            for other in &met[at + 1..] {
                *self.pairs.entry((*one, *other)).or_default() += 1;
            }
        }
        self.seeds += 1;
        self.met = Faults::NONE;
    }
}
