//! The short form of the simulator: the production code through some hundred histories, every fault met.

use std::process::Command;
use std::time::Duration;

use sync_testkit::sim::{Fault, Faults, Plan, Scene, Simulator, Tally, minimise, small_worlds};

/// How many histories; `SIM_SEEDS` runs more.
fn seeds() -> u64 {
    std::env::var("SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(250)
}

#[test]
fn no_history_breaks_a_promise() {
    let (simulator, mut tally) = (Simulator::new(), Tally::default());
    for seed in 0..seeds() {
        // Every second one of the swarm, which came later.
        let seed = if seed % 2 == 0 { seed } else { Plan::swarm(seed) };
        let outcome = simulator.run(seed);
        tally.merge(&outcome.tally);
        if outcome.violation.is_some() {
            tell(&simulator, seed);
        }
    }
    for fault in Faults::all().iter() {
        meet_often(&simulator, fault, &mut tally);
    }
    println!("{} seeds, {} steps, {} requests, {} entries", tally.seeds, tally.steps, tally.requests, tally.entries);
    println!("{:?}", tally.faults);
}

/// How often every fault is to be met.
const OFTEN: u64 = 100;

/// Histories that are about one fault, until it was met often enough.
fn meet_often(simulator: &Simulator, fault: Fault, tally: &mut Tally) {
    for seed in 0..1_000 {
        if tally.faults.get(&fault).is_some_and(|met| *met >= OFTEN) {
            return;
        }
        let seed = Plan::focused(fault, seed);
        let outcome = simulator.run(seed);
        tally.merge(&outcome.tally);
        if outcome.violation.is_some() {
            tell(simulator, seed);
        }
    }
    panic!("{} was met {:?} times", fault.name(), tally.faults.get(&fault));
}

/// Fails with the smallest history that breaks the same rule.
fn tell(simulator: &Simulator, seed: u64) -> ! {
    let small = minimise(simulator, &simulator.plan(seed));
    let (_, smallest) = small.expect("what broke a rule breaks it again");
    let violation = smallest.violation.expect("what is smallest breaks it too");
    let history = smallest.lines.join("\n");
    panic!("{history}\n{violation}\nreplay: cargo run --release -p sync-testkit -- small {seed}");
}

/// Seeds that broke a promise once, before what they found was mended: most of them copies of a file beside a hub that
/// lost data, was put back to an older state, or no longer knew the intents of old entries. They are older than some faults.
const ONCE_BROKEN: &str = include_str!("seeds.txt");

/// The same with more faults: snapshots as files, which did not say how far their devices knew the hub's log.
const ONCE_BROKEN_SINCE: [u64; 7] =
    [4_012, 14_644, 14_782, 844_424_930_132_317, 3_940_649_673_949_507, 5_348_024_557_502_774, 7_881_299_347_898_540];

/// With the faults that came last: who greeted a hub while another one cut their log.
const ONCE_BROKEN_LAST: [u64; 5] = [5_053, 5_574, 562_949_953_421_401, 562_949_964_716_963, 5_066_549_580_791_919];

/// Of the swarm, which came after all faults: a hub was lost again between what it was given back and its snapshot.
const ONCE_BROKEN_IN_THE_SWARM: [u64; 1] = [8_022_036_836_481_118];

#[test]
fn what_was_mended_stays_so() {
    // Each without the faults that came after it, so that it is the history that it was.
    let then = Fault::LAST.into_iter().fold(Faults::all(), Faults::without);
    let simulator = Simulator::new().allow(then.without(Fault::Wiped).without(Fault::SnapshotFile));
    // Two hubs of one store take back what was lost, one after the other.
    let about_lost_replies = Plan::focused(Fault::ReplyLost, 82);
    let once_broken = ONCE_BROKEN.lines().map(|seed| seed.parse().expect("a number"));
    let once_broken = once_broken.chain([about_lost_replies]).map(|seed| (&simulator, seed));
    let (with_more, with_all) = (Simulator::new().allow(then), Simulator::new());
    let since = ONCE_BROKEN_SINCE.map(|seed| (&with_more, seed));
    let last = ONCE_BROKEN_LAST.into_iter().chain(ONCE_BROKEN_IN_THE_SWARM).map(|seed| (&with_all, seed));
    for (simulator, seed) in once_broken.chain(since).chain(last) {
        let violation = simulator.run(seed).violation;
        assert!(violation.is_none(), "seed {seed}: {violation:?}");
    }
}

/// Another process, built in another way: `.ci/run` compares with the release build.
#[test]
fn one_seed_is_one_history_in_every_process() {
    let (here, again) = (Simulator::new().hash(0..HASHED), Simulator::new().hash(0..HASHED));
    assert_eq!(here, again);
    let other = Command::new(env!("CARGO_BIN_EXE_sync-testkit")).args(["hash", &HASHED.to_string()]).output();
    let other = String::from_utf8(other.expect("the program runs").stdout).expect("it tells a number");
    assert_eq!(other.trim(), format!("{here:016x}"));
}

const HASHED: u64 = 20;

/// `sync-testkit worlds` goes further.
#[test]
fn small_worlds_keep_every_promise() {
    for scene in Scene::ALL {
        let found = small_worlds(scene, 2, 2, Duration::MAX);
        println!("{found}");
        assert!(found.violation.is_none(), "{found}");
        assert!(found.moves == 2 && found.states > 50, "{found}");
    }
    let found = small_worlds(Scene::Register, 3, 2, Duration::MAX);
    assert!(found.violation.is_none() && found.states > 100, "{found}");
}
