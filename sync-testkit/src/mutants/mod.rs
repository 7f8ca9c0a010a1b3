//! Planted bugs: a copy of the workspace is built in which each of them can be switched on, and the simulator has to
//! find each.

mod list;
mod tree;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use list::{ALL, CANARY, Mutant};

/// The canary has to be found within so many seeds.
const CANARY_SEEDS: u64 = 20;

/// A bug that keeps the simulator busy for so long has made something go on for ever.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of one bug.
enum Fate {
    /// Which history found it, and what it says.
    Killed(u64, String),
    /// Something went on for ever.
    Hung,
    Survived,
}

/// Plants every bug whose name contains `only` and prints in how many seeds from this one on each was found.
pub(crate) fn run(seeds: u64, only: &str, from: u64) -> ExitCode {
    let built = tree::build(&std::iter::once(&CANARY).chain(ALL).collect::<Vec<_>>());
    let (program, missing) = match built {
        Ok(built) => built,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    for name in &missing {
        println!("no longer applies: {name}");
    }
    let mut failed = !missing.is_empty();
    // Without any bug nothing is found, and the canary at once.
    if let Some(what) = told(&try_one(&program, 0, 200, from)) {
        println!("without any bug: {what}");
        return ExitCode::FAILURE;
    }
    let mut rows: Vec<(u64, &str, String)> = Vec::new();
    for (number, mutant) in std::iter::once(&CANARY).chain(ALL).enumerate() {
        let is_asked = number == 0 || mutant.name.contains(only);
        let is_told = rows.iter().any(|(_, name, _)| *name == mutant.name);
        if missing.contains(&mutant.name) || !is_asked || is_told {
            continue;
        }
        let most = if number == 0 { CANARY_SEEDS } else { seeds };
        let fate = try_one(&program, number + 1, most, from);
        failed |= matches!(fate, Fate::Survived);
        let (found, what) = match fate {
            Fate::Killed(found, what) => (found, what),
            Fate::Hung => (most, "goes on for ever".to_owned()),
            Fate::Survived => (u64::MAX, "SURVIVED".to_owned()),
        };
        eprintln!("{}: {what}", mutant.name);
        rows.push((found, mutant.name, what));
    }
    rows.sort();
    println!("{:>6}  {:<60} found by", "seeds", "planted");
    for (found, name, what) in &rows {
        let found = if *found == u64::MAX { "-".to_owned() } else { found.to_string() };
        println!("{found:>6}  {name:<60} {}", what.chars().take(60).collect::<String>());
    }
    let killed = rows.iter().filter(|(found, ..)| *found < u64::MAX).count();
    println!("{killed} of {} killed within {seeds} seeds, {} no longer apply", rows.len(), missing.len());
    ExitCode::from(u8::from(failed))
}

fn told(fate: &Fate) -> Option<String> {
    match fate {
        Fate::Killed(found, what) => Some(format!("history {found}: {what}")),
        Fate::Hung => Some("it goes on for ever".to_owned()),
        Fate::Survived => None,
    }
}

/// Runs the simulator with one bug until it finds something: through so many histories without what replaces all that a
/// device holds, which leaves less of the others, then through so many with it, and then through so many with all faults.
fn try_one(program: &Path, number: usize, seeds: u64, from: u64) -> Fate {
    const LAST: &str = "hubs at once,old list,all anew";
    for without in [&["--without", &format!("wiped,snapshot file,{LAST}")][..], &["--without", LAST], &[]] {
        match try_histories(program, number, seeds, from, without) {
            Fate::Survived => {}
            fate => return fate,
        }
    }
    Fate::Survived
}

fn try_histories(program: &Path, number: usize, seeds: u64, from: u64, faults: &[&str]) -> Fate {
    let mut command = Command::new(program);
    command.args(["soak", "--first", "--mixed", "--seeds", &seeds.to_string()]);
    command.args(["--from", &from.to_string()]).args(faults);
    command.env("SYNC_PLANTED", number.to_string());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return Fate::Hung };
    let begun = Instant::now();
    while let Ok(None) = child.try_wait() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Fate::Hung;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let Ok(output) = child.wait_with_output() else { return Fate::Hung };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix("found in history ")?.parse().ok());
    let what = text.lines().find_map(|line| Some(line.strip_prefix("seed ")?.split_once(": ")?.1.to_owned()));
    match found.zip(what) {
        Some((found, what)) => Fate::Killed(found, what),
        // It ended without telling anything: it was ended by what is planted.
        None if !output.status.success() => Fate::Hung,
        None => Fate::Survived,
    }
}

/// The line of the core where a bug is planted, with a switch.
fn planted(mutant: &Mutant, number: usize) -> String {
    mutant.put.replace("PLANTED", &format!("crate::planted::is({number})"))
}
