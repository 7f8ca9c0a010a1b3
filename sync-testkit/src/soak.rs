//! One seed after the other, for as long as it is asked for; where it is stopped it goes on.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sync_testkit::sim::{Fault, Plan, Simulator, Tally, Violation};

/// How many seeds each thread runs before what they found is put together.
const BATCH: u64 = 32;
/// How often it says how far it is.
const TELL: Duration = Duration::from_secs(10);

/// What a soak is asked for.
pub(crate) struct Options {
    limit: Limit,
    from: u64,
    jobs: u64,
    state: Option<PathBuf>,
    first: bool,
    /// Every second history is about one fault.
    mixed: bool,
}

/// When to stop.
enum Limit {
    Time(Duration),
    Seeds(u64),
}

impl Options {
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut options =
            Self { limit: Limit::Seeds(1_000), from: 0, jobs: 1, state: None, first: false, mixed: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if ["--first", "--mixed"].contains(word) {
                (options.first, options.mixed) =
                    (options.first || *word == "--first", options.mixed || *word == "--mixed");
                continue;
            }
            let value = words.next()?;
            match *word {
                "--hours" => {
                    let seconds = value.parse::<f64>().ok()? * 3_600.0;
                    options.limit = Limit::Time(Duration::try_from_secs_f64(seconds).ok()?);
                }
                "--seeds" => options.limit = Limit::Seeds(value.parse().ok()?),
                "--from" => options.from = value.parse().ok()?,
                "--jobs" => options.jobs = value.parse().ok().filter(|jobs| *jobs > 0)?,
                "--state" => options.state = Some(value.into()),
                _ => return None,
            }
        }
        Some(options)
    }
}

/// What all runs together came to, as the state file keeps it.
#[derive(Default)]
struct Total {
    next: u64,
    seconds: f64,
    broken: Vec<u64>,
    tally: Tally,
}

pub(crate) fn run(simulator: &Simulator, options: &Options) -> ExitCode {
    let saved = options.state.as_ref().and_then(|file| fs::read_to_string(file).ok());
    let mut total = saved.map_or_else(|| Total { next: options.from, ..Total::default() }, |text| Total::read(&text));
    let (begun, first, before) = (Instant::now(), total.next, total.seconds);
    let mut told = Instant::now();
    loop {
        let left = match limit_left(&options.limit, begun.elapsed(), total.next - first) {
            0 => break,
            left => left.min(BATCH * options.jobs),
        };
        let found = batch(simulator, total.next..total.next + left, options, &mut total.tally);
        total.next += left;
        total.seconds = before + begun.elapsed().as_secs_f64();
        for (_, seed, violation) in &found {
            println!("seed {seed}: {violation}\n  cargo run --release -p sync-testkit -- small {seed}");
        }
        total.broken.extend(found.iter().map(|(_, seed, _)| seed));
        if let (true, Some((number, ..))) = (options.first, found.first()) {
            println!("found in history {}", number + 1 - first);
            return ExitCode::FAILURE;
        }
        if told.elapsed() > TELL {
            told = Instant::now();
            eprintln!("{}; goes on from {}", total.line(), total.next);
            total.save(options);
        }
    }
    total.save(options);
    println!("{}", total.report());
    ExitCode::from(u8::from(!total.broken.is_empty()))
}

fn limit_left(limit: &Limit, elapsed: Duration, seeds: u64) -> u64 {
    match limit {
        Limit::Time(time) if elapsed < *time => u64::MAX,
        Limit::Time(_) => 0,
        Limit::Seeds(most) => most.saturating_sub(seeds),
    }
}

/// Runs these seeds on as many threads as are asked for; what was broken, in their order.
fn batch(
    simulator: &Simulator,
    seeds: std::ops::Range<u64>,
    options: &Options,
    tally: &mut Tally,
) -> Vec<(u64, u64, Violation)> {
    let (next, done) = (AtomicU64::new(seeds.start), Mutex::new((Tally::default(), Vec::new())));
    let work = || {
        let (mut tally, mut found) = (Tally::default(), Vec::new());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= seeds.end || (options.first && !found.is_empty()) {
                break;
            }
            let seed = Plan::swarm(if options.mixed { mixed(number) } else { number });
            let outcome = simulator.run(seed);
            tally.merge(&outcome.tally);
            found.extend(outcome.violation.map(|violation| (number, seed, violation)));
        }
        if let Ok(mut done) = done.lock() {
            done.0.merge(&tally);
            done.1.append(&mut found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.jobs {
            scope.spawn(work);
        }
        work();
    });
    let (news, mut found) = done.into_inner().unwrap_or_default();
    tally.merge(&news);
    found.sort_by_key(|(number, ..)| *number);
    found
}

impl Total {
    fn line(&self) -> String {
        let rate = self.tally.seeds as f64 / self.seconds.max(0.001);
        format!(
            "{} seeds, {} broken, {rate:.0} a second, {:.2} hours",
            self.tally.seeds,
            self.broken.len(),
            self.seconds / 3_600.0
        )
    }

    fn report(&self) -> String {
        let (tally, mut text) = (&self.tally, self.line());
        let counts = (tally.steps, tally.requests, tally.entries);
        let _ = writeln!(text, "\n{} steps, {} requests, {} entries", counts.0, counts.1, counts.2);
        for (fault, count) in &tally.faults {
            let _ = writeln!(text, "{count:>12}  {}", fault.name());
        }
        let all: Vec<(Fault, Fault)> = pairs().collect();
        let unmet: Vec<&(Fault, Fault)> = all.iter().filter(|pair| !tally.pairs.contains_key(pair)).collect();
        let _ = writeln!(text, "{} of {} pairs of faults met in one history", all.len() - unmet.len(), all.len());
        for (one, other) in unmet {
            let _ = writeln!(text, "     never met: {} and {}", one.name(), other.name());
        }
        text
    }

    fn save(&self, options: &Options) {
        let Some(file) = &options.state else { return };
        let tally = &self.tally;
        let mut text = format!("next {}\nseconds {}\nseeds {}\n", self.next, self.seconds, tally.seeds);
        let _ = writeln!(text, "steps {}\nrequests {}\nentries {}", tally.steps, tally.requests, tally.entries);
        for seed in &self.broken {
            let _ = writeln!(text, "broken {seed}");
        }
        for (fault, count) in &tally.faults {
            let _ = writeln!(text, "fault {} {count}", *fault as u8);
        }
        for ((one, other), count) in &tally.pairs {
            let _ = writeln!(text, "pair {} {} {count}", *one as u8, *other as u8);
        }
        // The old state stays whole if this is stopped half-way.
        let beside = file.with_extension("new");
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
        if let Err(error) = written {
            eprintln!("{} is not written: {error}", file.display());
        }
    }

    fn read(text: &str) -> Self {
        let mut total = Self::default();
        let fault = |at: u64| Fault::ALL.get(at as usize).copied();
        for line in text.lines() {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default();
            if name == "seconds" {
                total.seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
                continue;
            }
            let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
            match (name, &numbers[..]) {
                ("next", [n]) => total.next = *n,
                ("seeds", [n]) => total.tally.seeds = *n,
                ("steps", [n]) => total.tally.steps = *n,
                ("requests", [n]) => total.tally.requests = *n,
                ("entries", [n]) => total.tally.entries = *n,
                ("broken", [seed]) => total.broken.push(*seed),
                ("fault", [at, count]) => total.tally.faults.extend(fault(*at).map(|fault| (fault, *count))),
                ("pair", [one, other, count]) => {
                    total.tally.pairs.extend(fault(*one).zip(fault(*other)).map(|pair| (pair, *count)));
                }
                _ => {}
            }
        }
        total
    }
}

/// Seeds about no fault, and between them one after the other seeds about each.
fn mixed(number: u64) -> u64 {
    let (half, faults) = (number / 2, Fault::ALL.len() as u64);
    match number % 2 {
        0 => half,
        _ => Plan::focused(Fault::ALL[(half % faults) as usize], half / faults),
    }
}

/// Every two faults.
fn pairs() -> impl Iterator<Item = (Fault, Fault)> {
    let after = |at: usize| Fault::ALL[at + 1..].iter().map(move |other| (Fault::ALL[at], *other));
    (0..Fault::ALL.len()).flat_map(after)
}
