//! This project beside its peers and the physical limits, on one workload.
#![allow(clippy::print_stdout, clippy::print_stderr)] // tables go to standard output, progress to the other

mod clock;
mod group;
mod input;
mod measure;
mod peer;
mod report;
mod workload;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use group::{Scale, cold, durable, hub, incremental, local, open, path, size};
use input::Input;
use measure::{Result, Table};

/// What can be asked for alone.
const GROUPS: [&str; 9] = ["cold", "cold_json", "durable", "open", "local", "size", "more", "hub", "path"];

/// Measures this project beside its peers and the physical limits, prints tables, and writes a JSON and a chart.
#[derive(Parser)]
struct Args {
    /// How many actions the history has.
    #[arg(long, default_value_t = 100_000)]
    actions: usize,
    /// Which of the tables, in groups; all without any.
    #[arg(long, value_delimiter = ',', value_parser = GROUPS)]
    only: Vec<String>,
    /// Leaves out the CRDTs, whose histories take long to make.
    #[arg(long)]
    without_crdts: bool,
    /// A short form: 10,000 actions, few repetitions, and only ratios are checked, with slack.
    #[arg(long)]
    quick: bool,
    /// Also with 1,000,000 actions, where the peers can.
    #[arg(long)]
    million: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the JSON and the chart are written.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    #[command(subcommand)]
    command: Option<Grow>,
}

#[derive(Subcommand)]
enum Grow {
    /// What a process of its own does, to be asked for its memory.
    #[command(hide = true)]
    Grow { case: String, history: PathBuf },
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(Grow::Grow { case, history }) = args.command {
        return cold::grow(&case, &history);
    }
    let actions = if args.quick { 10_000 } else { args.actions };
    let scale = if args.quick { Scale { repeats: 5, writes: 200 } } else { Scale { repeats: 9, writes: 500 } };
    let wanted = |key: &str| args.only.is_empty() || args.only.iter().any(|only| only == key);
    let busy = std::fs::read_to_string("/proc/loadavg")?;
    if busy.split(' ').next().and_then(|load| load.parse::<f64>().ok()).is_some_and(|load| load > 1.0) {
        eprintln!(
            "the machine is busy (load {}): waiting for a disk takes longer then, and hides differences",
            busy.trim()
        );
    }
    let input = Input::new(args.seed, actions, !args.without_crdts && !args.quick)?;
    let mut tables: Vec<Table> = Vec::new();
    let mut add = |made: Result<Table>| made.map(|table| tables.push(table));
    if wanted("cold") {
        add(cold::binary(&input, scale))?;
    }
    if wanted("cold_json") {
        add(cold::json(&input, scale))?;
    }
    if wanted("durable") {
        add(durable::run("durable", &input, scale))?;
    }
    if wanted("open") {
        add(open::run(&input, scale))?;
    }
    if wanted("local") {
        for table in local::run(&input, scale)? {
            add(Ok(table))?;
        }
    }
    if wanted("size") {
        add(size::transfer(&input))?;
        add(size::whole(&input))?;
        add(size::at_rest(&input))?;
    }
    if wanted("more") {
        let crdts = input.peers.is_some();
        add(incremental::run("more_10k", args.seed, 10_000, scale, crdts))?;
        if !args.quick {
            add(incremental::run("more_100k", args.seed, 100_000, scale, crdts))?;
        }
        if args.million {
            add(incremental::run("more_1m", args.seed, 1_000_000, scale, false))?;
        }
    }
    if wanted("hub") {
        for table in hub::run(args.seed, scale)? {
            add(Ok(table))?;
        }
    }
    if wanted("path") {
        add(path::run(args.seed, actions))?;
    }
    if args.million && wanted("durable") {
        let million = Input::new(args.seed, 1_000_000, false)?;
        add(durable::run("durable_1m", &million, Scale { repeats: 3, ..scale }))?;
    }
    let report = report::text::markdown(&tables);
    println!("{report}");
    std::fs::create_dir_all(&args.out)?;
    std::fs::write(args.out.join("results.md"), report)?;
    std::fs::write(args.out.join("results.json"), serde_json::to_string_pretty(&tables)?)?;
    std::fs::write(args.out.join("results.svg"), report::chart::svg(&tables))?;
    let broken = if args.quick { report::target::broken(&tables) } else { Vec::new() };
    if broken.is_empty() { Ok(()) } else { Err(format!("slower than is allowed:\n{}", broken.join("\n")).into()) }
}
