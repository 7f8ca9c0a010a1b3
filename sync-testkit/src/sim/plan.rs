//! What is going to happen in one world: chosen anew for every seed, so that some seeds have few faults and others all.

use sync_core::transport::Limits;

use super::fault::{Fault, Faults};
use super::{device, space};
use crate::rng::Rng;

/// One step of a history. It draws its chances from a seed of its own, so that the others stay as they are where it
/// is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub what: What,
    /// To whom: of as many as there are then.
    pub on: usize,
    /// Its own chances.
    pub seed: u64,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Somebody writes.
    Write,
    /// Somebody writes a transaction.
    Group,
    /// Somebody opens a form.
    OpenForm,
    /// Somebody saves a form.
    SaveForm,
    /// Somebody settles a conflict.
    Settle,
    /// A sync begins.
    Begin,
    /// One request or reply of a sync arrives.
    Net,
    /// A sync, from beginning to end.
    Sync,
    /// A request arrives that was given up for lost.
    Stray,
    /// Time passes.
    Tick,
    /// A device's file is copied for later.
    Backup,
    /// The hub's store is copied for later.
    BackupHub,
    /// A device is started again.
    Reopen,
    /// The hub is started again.
    ReopenHub,
    /// Something goes wrong.
    Fault(Fault),
}

/// What is going to happen in one world.
#[derive(Debug, Clone)]
pub struct Plan {
    /// From which it was made.
    pub seed: u64,
    /// What can go wrong in it.
    pub faults: Faults,
    /// How many devices there are at the beginning.
    pub devices: usize,
    /// How many spaces.
    pub spaces: usize,
    /// What happens.
    pub steps: Vec<Step>,
    /// Of a hundred requests, how many each fault of the network meets.
    pub(super) rates: [u8; 6],
    /// What people write, of the ids and the entity types that there are.
    pub(super) topics: Topics,
}

/// To what people write: where it is little, they meet more often.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topics {
    ids: usize,
    /// Of a hundred writes to what is there, how many delete it.
    pub(super) deletes: usize,
    /// A bit for each entity type; none stands for all.
    kinds: u64,
}

impl Topics {
    const ALL: Self = Self { ids: IDS.len(), deletes: 14, kinds: 0 };

    pub(super) fn ids(self) -> &'static [&'static str] {
        &IDS[..self.ids]
    }

    /// Those of the types that are written.
    pub(super) fn kinds<T>(self, all: &[T]) -> Vec<&T> {
        let chosen: Vec<&T> =
            (0..).zip(all).filter(|(at, _)| self.kinds >> at & 1 == 1).map(|(_, kind)| kind).collect();
        if chosen.is_empty() { all.iter().collect() } else { chosen }
    }
}

/// Few entities, so that people meet.
const IDS: [&str; 3] = ["x", "y", "z"];

/// Faults that meet requests on their way.
pub(super) const ON_THE_WAY: [Fault; 6] =
    [Fault::Drop, Fault::Duplicate, Fault::Reorder, Fault::ReplyLost, Fault::TornReply, Fault::Busy];

/// Faults that came later: they draw their chances apart, so that a history without them is what it was before.
pub(super) const LATER: [Fault; 5] =
    [Fault::Wiped, Fault::SnapshotFile, Fault::HubsAtOnce, Fault::OldList, Fault::AllAnew];

/// Where in a seed the fault stands that its history is about.
const FOCUS: u32 = 48;

/// How much likelier the fault is that a history is about.
const FOCUSED: usize = 8;

/// What a seed of the swarm has. Seeds without it came before, and are the histories that they were.
const SWARM: u64 = 1 << 47;

/// Of a hundred kinds of steps, how many a history of the swarm makes much likelier, and how much.
const RAISED: (usize, usize) = (20, 4);

impl Plan {
    /// The seed of a history of the swarm (Groce et al., "Swarm Testing", 2012): a part of what there is, and of that a
    /// few kinds of steps much more often than others, so that what takes several of them comes together.
    pub fn swarm(seed: u64) -> u64 {
        seed | SWARM
    }

    /// The seed of a history that is about one fault.
    pub fn focused(fault: Fault, seed: u64) -> u64 {
        (fault as u64 + 1) << FOCUS | seed
    }

    /// The fault that the history of a seed is about.
    fn focus(seed: u64) -> Option<Fault> {
        Fault::ALL.get(usize::try_from((seed >> FOCUS).checked_sub(1)?).ok()?).copied()
    }

    /// Devices and a hub to which nothing happens.
    pub(super) fn quiet(devices: usize, faults: Faults) -> Self {
        Self { seed: 0, faults, devices, spaces: 1, steps: Vec::new(), rates: [0; 6], topics: Topics::ALL }
    }

    /// The plan of a seed, with faults from among those that are allowed.
    pub fn new(seed: u64, allowed: Faults) -> Self {
        let mut rng = Rng::new(seed ^ 0x5157_4d21_0b5e_55ed);
        let mut swarm = (seed & SWARM != 0).then(|| Rng::new(seed ^ 0x5ca7_7e2e_d0f1_0c55));
        let densities = if swarm.is_some() { [5, 15, 25, 40, 60, 90] } else { [5, 25, 40, 40, 60, 90] };
        let density = *rng.pick(&densities);
        let mut later = Rng::new(seed ^ 0x1a7e_2b0d_93c5_44f1);
        let is_chosen = |fault: &Fault| if LATER.contains(fault) { &mut later } else { &mut rng }.percent(density);
        let faults: Faults = allowed.iter().filter(is_chosen).collect();
        let needed = |faults: Faults| faults.iter().fold(faults, |all, fault| all.with(fault.needs()));
        let faults = if swarm.is_some() { needed(faults).and(allowed) } else { faults };
        let focus = Self::focus(seed).filter(|focus| allowed.has(*focus));
        let faults = focus.map_or(faults, |focus| faults.with(focus).with(focus.needs()));
        let mut plan = Self {
            seed,
            faults,
            devices: 2 + rng.below(3),
            spaces: if rng.percent(15) || focus == Some(Fault::WrongSpace) { 2 } else { 1 },
            steps: Vec::new(),
            rates: [0; 6],
            topics: Topics::ALL,
        };
        for (rate, fault) in plan.rates.iter_mut().zip(ON_THE_WAY) {
            let chosen = *rng.pick(&[2, 5, 10, 25]);
            let chosen = if focus == Some(fault) { 25 } else { chosen };
            // In the swarm these meet only what changes something when it arrives.
            let is_rare = swarm.is_some() && matches!(fault, Fault::Duplicate | Fault::Reorder);
            let chosen = if is_rare { 2 * chosen } else { chosen };
            *rate = if faults.has(fault) { chosen } else { 0 };
        }
        let deck = plan.deck(&mut rng, &mut later, swarm.as_mut());
        let length = 20 + rng.below(*rng.clone().pick(&[30, 80, 140]));
        // Its steps take less time: fewer of them write, and each write is looked at from all sides.
        let length = if swarm.is_some() { length * 3 / 2 } else { length };
        plan.steps =
            (0..length).map(|_| Step { what: *rng.pick(&deck), on: rng.below(1 << 20), seed: rng.bits() }).collect();
        if let Some(swarm) = &mut swarm {
            // Copies come to these.
            plan.devices = *swarm.pick(&[2, 2, 3, 4]);
            let deletes = *swarm.pick(&[5, 14, 40]);
            plan.topics = Topics { ids: 1 + swarm.below(IDS.len()), deletes, kinds: swarm.bits() };
            // What one does after the other often takes both.
            let stays = *swarm.pick(&[0, 0, 30, 60]);
            for at in 1..plan.steps.len() {
                if swarm.percent(stays) {
                    plan.steps[at].on = plan.steps[at - 1].on;
                }
            }
        }
        plan
    }

    /// Whether this is a history of the swarm.
    pub(super) fn is_swarm(&self) -> bool {
        self.seed & SWARM != 0
    }

    /// What is drawn from, each thing as often as it is likely.
    fn deck(&self, rng: &mut Rng, later: &mut Rng, mut swarm: Option<&mut Rng>) -> Vec<What> {
        let mut deck = Vec::new();
        let mut add = |what: What, weight: usize| deck.extend(std::iter::repeat_n(what, weight));
        let interleaves = rng.percent(50);
        let focus = Self::focus(self.seed);
        let interleaves = interleaves || matches!(focus, Some(Fault::GivenUp | Fault::HubsAtOnce));
        let is_swarm = swarm.is_some();
        let or_before = |weight: usize, before: usize| if is_swarm { weight } else { before };
        add(What::Write, or_before(14, 24) + rng.below(20));
        add(What::Group, rng.below(6));
        add(What::OpenForm, rng.below(3));
        add(What::SaveForm, 2);
        add(What::Settle, rng.below(5));
        add(What::Sync, or_before(14, 6) + rng.below(14));
        add(What::Begin, if interleaves { 8 } else { 0 });
        add(What::Net, if interleaves { 36 } else { 0 });
        add(What::Tick, 6);
        let mut raise = |weight: usize| {
            let is_raised = swarm.as_mut().is_some_and(|swarm| swarm.percent(RAISED.0));
            if is_raised { weight * RAISED.1 } else { weight }
        };
        let (mut backup, mut backup_hub) = (3, 3);
        for fault in self.faults.iter().filter(|fault| !ON_THE_WAY.contains(fault)) {
            let weight = *if LATER.contains(&fault) { &mut *later } else { &mut *rng }.pick(&[1, 2, 4]);
            let weight = raise(if focus == Some(fault) { weight * FOCUSED } else { weight });
            let weight = if is_swarm { weight * fault.tries() } else { weight };
            match fault {
                Fault::Restore => backup = or_before(weight, backup),
                Fault::HubRestored => backup_hub = or_before(weight, backup_hub),
                _ => {}
            }
            add(What::Fault(fault), weight);
        }
        let has = |fault| self.faults.has(fault);
        if has(Fault::Duplicate) || has(Fault::Reorder) {
            add(What::Stray, raise(or_before(12, 6)));
        }
        if has(Fault::Restore) {
            add(What::Backup, backup);
        }
        if has(Fault::HubRestored) {
            add(What::BackupHub, backup_hub);
        }
        if has(Fault::DeviceCrash) || has(Fault::DevicePower) || has(Fault::DeviceIo) || has(Fault::DeviceFull) {
            add(What::Reopen, or_before(12, 4));
        }
        if has(Fault::HubCrash) || has(Fault::HubPower) || has(Fault::HubIo) || has(Fault::HubFull) {
            add(What::ReopenHub, or_before(12, 4));
        }
        deck
    }

    /// How likely a fault is to meet a request, in percent.
    pub(super) fn rate(&self, fault: Fault) -> usize {
        let at = ON_THE_WAY.iter().position(|other| *other == fault);
        at.filter(|_| self.faults.has(fault)).map_or(0, |at| usize::from(self.rates[at]))
    }

    pub(super) fn device_settings(&self, rng: &mut Rng) -> device::Settings {
        let small = self.faults.has(Fault::SmallPages);
        let checkpoint_after = *rng.pick(&[1, 3, 10, 4_096]);
        device::Settings {
            checkpoint_after,
            // Where checkpoints are frequent, next to nothing that is pending is kept in memory.
            pending_in_memory: if checkpoint_after < 10 { checkpoint_after } else { 2_048 },
            page: if small { 1 + rng.below(5) as u64 } else { 1_000 },
        }
    }

    pub(super) fn space_settings(&self, rng: &mut Rng) -> space::Settings {
        let mut limits = Limits::default();
        if self.faults.has(Fault::SmallPages) {
            limits.batch_entries = 3 + rng.below(5) as u64;
            limits.group_entries = limits.batch_entries;
        }
        let compacts = self.faults.has(Fault::HubCompact) && rng.percent(30);
        space::Settings {
            limits,
            checkpoint_every: *rng.pick(&[1, 4, 20, 4_096]),
            judges: self.faults.has(Fault::Refusal),
            allows_join: rng.percent(75),
            keep_entries: compacts.then(|| 20 + rng.below(20) as u64),
        }
    }
}
