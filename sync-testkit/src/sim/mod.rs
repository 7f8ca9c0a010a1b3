//! A deterministic simulator of devices, hubs, disks, networks and clocks around the production code.

mod check;
mod choices;
mod chronicle;
mod device;
mod disk;
mod fault;
mod guest;
mod handover;
mod hands;
mod kinds;
mod ledger;
mod link;
mod loss;
mod minimise;
mod mishap;
mod observe;
mod people;
mod plan;
mod rest;
mod scope;
mod space;
mod strangers;
mod subject;
mod tally;
mod trace;
mod traffic;
mod truth;
mod violation;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use proptest::strategy::Strategy;
use sync_core::Entity;

pub use fault::{Fault, Faults};
pub use minimise::minimise;
pub use plan::{Plan, Step, What};
pub use scope::{Found, Scene, small_worlds};
pub use tally::{Mark, Tally};
pub use violation::{Rule, Violation};

use subject::Subject;
use trace::Trace;
use world::World;

/// What runs histories.
pub struct Simulator {
    kinds: [Vec<Arc<dyn Subject>>; 2],
    allowed: Faults,
}

/// What one history came to.
#[derive(Debug)]
pub struct Outcome {
    /// The rule that was broken first, if one was.
    pub violation: Option<Violation>,
    /// A hash of everything that could be observed: the same for the same seed, wherever it runs.
    pub hash: u64,
    /// What was met.
    pub tally: Tally,
    /// What happened, line by line, if that was asked for.
    pub lines: Vec<String>,
}

impl Default for Simulator {
    fn default() -> Self {
        Self { kinds: kinds::standard(), allowed: Faults::all() }
    }
}

impl Simulator {
    /// The standard world: entity types with every policy, and every fault.
    pub fn new() -> Self {
        Self::default()
    }

    /// A world of one of your own entity types, whose values come from a proptest strategy. An edit takes some
    /// fields of another value.
    ///
    /// ```
    /// use proptest::prelude::*;
    /// use sync_core::{Id, Syncable};
    /// use sync_testkit::sim::Simulator;
    ///
    /// #[derive(Syncable, Debug, Clone)]
    /// struct Score {
    ///     #[sync(id)]
    ///     id: Id<Score, String>,
    ///     #[sync(merge = "max")]
    ///     best: i64,
    /// }
    ///
    /// let values = any::<i64>().prop_map(|best| Score { id: "any".into(), best });
    /// let simulator = Simulator::of::<Score>(values);
    /// for seed in 0..5 {
    ///     assert!(simulator.run(seed).violation.is_none(), "replay seed {seed}");
    /// }
    /// ```
    pub fn of<T: Entity + Send>(values: impl Strategy<Value = T> + Send + Sync + 'static) -> Self {
        let subject: Arc<dyn Subject> = Arc::new(subject::Generated::new(values));
        Self { kinds: [vec![subject.clone()], vec![subject]], allowed: Faults::all() }
    }

    /// With these faults only.
    #[must_use]
    pub fn allow(mut self, faults: Faults) -> Self {
        self.allowed = faults;
        self
    }

    /// What is going to happen in the world of a seed.
    pub fn plan(&self, seed: u64) -> Plan {
        Plan::new(seed, self.allowed)
    }

    /// Runs the history of a seed.
    pub fn run(&self, seed: u64) -> Outcome {
        self.run_plan(&self.plan(seed), false)
    }

    /// One hash of the histories of these seeds: the same wherever and however it is built and run.
    pub fn hash(&self, seeds: std::ops::Range<u64>) -> u64 {
        seeds.fold(0, |hash, seed| trace::mix_word(hash, self.run(seed).hash))
    }

    /// Runs a plan. `tells` asks for what happened, line by line.
    pub fn run_plan(&self, plan: &Plan, tells: bool) -> Outcome {
        let mut world = World::new(plan, &self.kinds, Trace::new(tells));
        let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
        let violation = match ran {
            Ok(held) => held.err(),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Some(Violation { rule: Rule::NoPanic, what: text.unwrap_or_default() })
            }
        };
        let World { mut tally, trace, .. } = world;
        tally.close();
        Outcome { violation, hash: trace.hash(), tally, lines: trace.into_lines() }
    }
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}
