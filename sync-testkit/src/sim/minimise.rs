//! Making a failing history small.

use super::fault::Faults;
use super::plan::{Plan, Step};
use super::violation::Rule;
use super::{Outcome, Simulator};

/// A plan that breaks the same rule with as few steps and faults as a greedy search finds, and what it came to.
///
/// Stretches of steps are taken out, then single ones, then faults, until nothing more can go.
pub fn minimise(simulator: &Simulator, plan: &Plan) -> Option<(Plan, Outcome)> {
    let rule = simulator.run_plan(plan, false).violation?.rule;
    let mut small = plan.clone();
    loop {
        let before = (small.steps.len(), small.faults, small.devices);
        small.steps = fewer_steps(simulator, &small, rule);
        small.faults = fewer_faults(simulator, &small, rule);
        while small.devices > 1 {
            let fewer = Plan { devices: small.devices - 1, ..small.clone() };
            if !breaks(simulator, &fewer, rule) {
                break;
            }
            small = fewer;
        }
        if before == (small.steps.len(), small.faults, small.devices) {
            let outcome = simulator.run_plan(&small, true);
            return Some((small, outcome));
        }
    }
}

fn breaks(simulator: &Simulator, plan: &Plan, rule: Rule) -> bool {
    simulator.run_plan(plan, false).violation.is_some_and(|violation| violation.rule == rule)
}

fn fewer_steps(simulator: &Simulator, plan: &Plan, rule: Rule) -> Vec<Step> {
    let mut kept = plan.clone();
    let mut stretch = kept.steps.len().div_ceil(2).max(1);
    loop {
        let before = kept.steps.len();
        let mut at = 0;
        while at < kept.steps.len() {
            let mut fewer = kept.clone();
            fewer.steps.drain(at..(at + stretch).min(kept.steps.len()));
            if breaks(simulator, &fewer, rule) {
                kept = fewer;
            } else {
                at += stretch;
            }
        }
        if stretch > 1 {
            stretch = stretch.div_ceil(2).max(1);
        } else if kept.steps.len() == before {
            return kept.steps;
        }
    }
}

fn fewer_faults(simulator: &Simulator, plan: &Plan, rule: Rule) -> Faults {
    let mut kept = plan.clone();
    for fault in plan.faults.iter() {
        let fewer = Plan { faults: kept.faults.without(fault), ..kept.clone() };
        if breaks(simulator, &fewer, rule) {
            kept = fewer;
        }
    }
    kept.faults
}
