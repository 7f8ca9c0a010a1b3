//! The real client and the real server over a simulated network: links that break, in both directions or in one, that
//! lose and slow down what they carry; a hub and devices that crash and start again. A seed decides what is written and what
//! goes wrong when; which of several ready tasks tokio polls first it does not.
//!
//! `NETWORK_SEEDS` is how many histories are tried if there is time for them, `NETWORK_SECONDS` how much there is,
//! `NETWORK_SEED` the first one.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test, also what its functions do")]

mod device;
mod history;
mod random;
mod wires;

use std::time::{Duration, Instant};

use history::{History, Tally};

/// How many histories are tried at the least, unless fewer are asked for.
const FEWEST: u64 = 24;

fn number(name: &str, everyday: u64) -> u64 {
    std::env::var(name).map_or(everyday, |text| text.parse().expect("a number"))
}

#[test]
fn every_acknowledged_write_reaches_every_device() {
    let (first, seeds) = (number("NETWORK_SEED", 1), number("NETWORK_SEEDS", 150));
    let (began, time) = (Instant::now(), Duration::from_secs(number("NETWORK_SECONDS", 20)));
    // A simulation keeps to its thread.
    let half = |begin: u64| {
        let mut tally = Tally::default();
        for seed in (first + begin..first + seeds).step_by(2) {
            if tally.histories >= FEWEST / 2 && began.elapsed() > time {
                break;
            }
            let history = History::run(seed);
            tally.add(&history.unwrap_or_else(|why| panic!("NETWORK_SEED={seed} NETWORK_SEEDS=1: {why}")));
        }
        tally
    };
    let all = std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all = half(0);
        all.add(&other.join().expect("its histories hold"));
        all
    });
    println!("in {:?}: {all:?}", began.elapsed());
    for (what, times) in all.faults() {
        assert!(times >= all.histories / 3, "{what} happened only {times} times in {} histories", all.histories);
    }
}

/// A device that says before its time that a write is safe is found out.
#[test]
fn a_device_that_forgets_is_found_out() {
    let found = (1..=8).filter(|seed| History::run_with(*seed, true).is_err()).count();
    assert!(found >= 6, "only {found} of 8 histories with a device that forgets were found out");
}
