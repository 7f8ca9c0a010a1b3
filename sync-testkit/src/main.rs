//! Runs the simulator for as long as it is asked to, shows one history, goes through small worlds, plants bugs.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod mutants;
mod soak;

use std::process::ExitCode;
use std::time::Duration;

use sync_testkit::sim::{Fault, Faults, Scene, Simulator, minimise, small_worlds};

const USAGE: &str =
    "usage: sync-testkit soak [--hours N | --seeds N] [--from SEED] [--jobs N] [--state FILE] [--first] [--mixed]
                         runs one seed after the other; with a state file it goes on where it was;
                         mixed, every second one is about one fault
       sync-testkit replay SEED     tells the history of a seed
       sync-testkit small SEED      tells the smallest history that breaks the same rule
       sync-testkit hash SEEDS      one hash of the first histories: the same wherever they run
       sync-testkit worlds [MOVES [SECONDS]]
                         every order of so many moves in small worlds
       sync-testkit mutants [--seeds N] [--from SEED] [--only TEXT]
                         plants bugs, and has each be found
       with --only FAULT,FAULT... or --without FAULT,FAULT... of the faults that the report names";

fn main() -> ExitCode {
    // A panic in a history is a violation, and told as one.
    std::panic::set_hook(Box::new(|_| ()));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["mutants", ref options @ ..] = words[..] {
        return planted(options);
    }
    let mut faults = Faults::all();
    while let Some(at) = words.iter().position(|word| ["--only", "--without"].contains(word)) {
        let Some(names) = words.get(at + 1) else { return usage() };
        let is_named = |fault: &Fault| names.split(',').any(|name| name == fault.name());
        faults = faults.iter().filter(|fault| is_named(fault) == (words[at] == "--only")).collect();
        words.drain(at..at + 2);
    }
    let simulator = Simulator::new().allow(faults);
    let ran = match words[..] {
        ["soak", ref options @ ..] => soak::Options::read(options).map(|options| soak::run(&simulator, &options)),
        ["replay", seed] => seed.parse().ok().map(|seed| replay(&simulator, seed)),
        ["small", seed] => seed.parse().ok().map(|seed| small(&simulator, seed)),
        ["hash", seeds] => seeds.parse().ok().map(|seeds| hash(&simulator, seeds)),
        ["worlds"] => Some(worlds(5, 120)),
        ["worlds", moves] => moves.parse().ok().map(|moves| worlds(moves, 120)),
        ["worlds", moves, seconds] => moves.parse().ok().zip(seconds.parse().ok()).map(|(m, s)| worlds(m, s)),
        _ => None,
    };
    ran.unwrap_or_else(usage)
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn planted(options: &[&str]) -> ExitCode {
    let (mut seeds, mut from, mut only) = (2_000, 0, "");
    for pair in options.chunks(2) {
        match *pair {
            ["--seeds", number] => match number.parse() {
                Ok(number) => seeds = number,
                Err(_) => return usage(),
            },
            ["--from", seed] => match seed.parse() {
                Ok(seed) => from = seed,
                Err(_) => return usage(),
            },
            ["--only", text] => only = text,
            _ => return usage(),
        }
    }
    mutants::run(seeds, only, from)
}

fn hash(simulator: &Simulator, seeds: u64) -> ExitCode {
    println!("{:016x}", simulator.hash(0..seeds));
    ExitCode::SUCCESS
}

fn worlds(moves: usize, seconds: u64) -> ExitCode {
    let mut failed = false;
    for devices in [2, 3] {
        for scene in Scene::ALL {
            let found = small_worlds(scene, devices, moves, Duration::from_secs(seconds));
            println!("{found}");
            failed |= found.violation.is_some();
        }
    }
    ExitCode::from(u8::from(failed))
}

fn replay(simulator: &Simulator, seed: u64) -> ExitCode {
    let outcome = simulator.run_plan(&simulator.plan(seed), true);
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("trace {:016x}", outcome.hash);
    match outcome.violation {
        Some(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn small(simulator: &Simulator, seed: u64) -> ExitCode {
    let Some((plan, outcome)) = minimise(simulator, &simulator.plan(seed)) else {
        println!("seed {seed} breaks nothing");
        return ExitCode::SUCCESS;
    };
    for line in &outcome.lines {
        println!("{line}");
    }
    let faults: Vec<String> = plan.faults.iter().map(|fault| fault.name()).collect();
    println!("{} steps, faults: {}", plan.steps.len(), faults.join(", "));
    if let Some(violation) = outcome.violation {
        println!("{violation}");
    }
    ExitCode::FAILURE
}
