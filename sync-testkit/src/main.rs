//! Runs the simulator for as long as it is asked to, or shows one history.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use sync_testkit::sim::{Fault, Faults, Simulator, Tally, minimise};

const USAGE: &str = "usage: sync-testkit soak [--hours N | --seeds N] [--from SEED]
       sync-testkit replay SEED     tells the history of a seed
       sync-testkit small SEED      tells the smallest history that breaks the same rule
       with --only FAULT,FAULT... or --without FAULT,FAULT... of the faults that the report names";

fn main() -> ExitCode {
    // A panic in a history is a violation, and told as one.
    std::panic::set_hook(Box::new(|_| ()));
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut faults = Faults::all();
    while let Some(at) = words.iter().position(|word| ["--only", "--without"].contains(word)) {
        let Some(names) = words.get(at + 1) else { return usage() };
        let is_named = |fault: &Fault| names.split(',').any(|name| name == fault.name());
        faults = faults.iter().filter(|fault| is_named(fault) == (words[at] == "--only")).collect();
        words.drain(at..at + 2);
    }
    let simulator = Simulator::new().allow(faults);
    match words[..] {
        ["soak", ref options @ ..] => match soak_options(options) {
            Some((limit, from)) => soak(&simulator, limit, from),
            None => usage(),
        },
        ["replay", seed] => match seed.parse() {
            Ok(seed) => replay(&simulator, seed),
            Err(_) => usage(),
        },
        ["small", seed] => match seed.parse() {
            Ok(seed) => small(&simulator, seed),
            Err(_) => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// When to stop.
enum Limit {
    Time(Duration),
    Seeds(u64),
}

fn soak_options(options: &[&str]) -> Option<(Limit, u64)> {
    let (mut limit, mut from) = (Limit::Seeds(1_000), 0);
    for pair in options.chunks(2) {
        match *pair {
            ["--hours", hours] => {
                limit = Limit::Time(Duration::try_from_secs_f64(hours.parse::<f64>().ok()? * 3_600.0).ok()?)
            }
            ["--seeds", seeds] => limit = Limit::Seeds(seeds.parse().ok()?),
            ["--from", seed] => from = seed.parse().ok()?,
            _ => return None,
        }
    }
    Some((limit, from))
}

fn soak(simulator: &Simulator, limit: Limit, from: u64) -> ExitCode {
    let (begun, mut told) = (Instant::now(), Instant::now());
    let (mut tally, mut broken, mut seed) = (Tally::default(), 0_u64, from);
    loop {
        let is_over = match limit {
            Limit::Time(time) => begun.elapsed() >= time,
            Limit::Seeds(seeds) => seed - from >= seeds,
        };
        if is_over {
            break;
        }
        let outcome = simulator.run(seed);
        tally.merge(&outcome.tally);
        if let Some(violation) = outcome.violation {
            broken += 1;
            println!("seed {seed}: {violation}\n  cargo run --release -p sync-testkit -- small {seed}");
        }
        seed += 1;
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            eprintln!("{} seeds, {broken} broken; go on later with --from {seed}", seed - from);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (seed - from) as f64 / seconds;
    println!("{} seeds ({from} to {seed}), {broken} broken, {rate:.0} a second", seed - from);
    println!(
        "{} steps, {} requests, {} entries, {} pairs of faults met",
        tally.steps,
        tally.requests,
        tally.entries,
        tally.pairs.len()
    );
    for (fault, count) in &tally.faults {
        println!("{count:>10}  {}", fault.name());
    }
    ExitCode::from(u8::from(broken > 0))
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
