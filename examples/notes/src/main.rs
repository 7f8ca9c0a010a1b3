//! Notes that work offline and sync: the reference example.
//!
//! Reading order: `note` (what is stored: all that is needed for it to sync), `write`, `list` and `show` (using it),
//! `sync` and `watch` (exchanging it), `serve` (a hub), `conflicts` and `why` (what concurrent edits became), `demo`.

mod cli;
mod conflicts;
mod demo;
mod device;
mod export;
mod failure;
mod import;
mod json;
mod list;
mod log;
mod note;
mod out;
mod paint;
mod progress;
mod refused;
mod serve;
mod show;
mod snapshot;
mod status;
mod sync;
mod target;
mod text;
mod verify;
mod watch;
mod why;
mod write;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use device::Device;
use failure::Failure;
use out::Out;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) if wrong.use_stderr() && std::env::args_os().any(|argument| argument == "--json") => {
            let said = wrong.to_string();
            let failure = Failure::usage(said.trim_start_matches("error: ").trim_end());
            failure.tell(true);
            return failure.exit_code();
        }
        // Also help and the version, which were asked for.
        Err(other) => other.exit(),
    };
    let json = cli.command.is_json();
    let mut out = Out::new();
    let done = run(cli, &mut out);
    // What a command that failed could do is shown too.
    let shown = out.flush();
    match done.and(shown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_unheard() => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(json);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, out: &mut Out) -> Result<(), Failure> {
    let Cli { place, command } = cli;
    let device = || Device::open(&place);
    match command {
        Command::Add(add) => write::add(&device()?, add, out),
        Command::Edit(edit) => write::edit(&device()?, edit),
        Command::Rm { id } => write::remove(&device()?, &id),
        Command::Restore { id } => write::restore(&device()?, &id),
        Command::Show(show) => show::show(&device()?, &show, out),
        Command::List { json, deleted } => list::list(&device()?, json, deleted, out),
        Command::Sync { adopt: true, json, .. } => sync::adopt(&place, json, out),
        Command::Sync { watch, json, .. } => sync::sync(&place, watch, json, out),
        Command::Status { json } => status::status(&device()?, json, out),
        Command::Conflicts { json } => conflicts::list(&device()?, json, out),
        Command::Resolve { id, field, take } => conflicts::resolve(&device()?, &id, &field, take),
        Command::Refused { json, resubmit, title, body, discard } => {
            let device = device()?;
            match (resubmit, discard) {
                (Some(number), _) => {
                    let mended = [("title", title), ("body", body)].into_iter();
                    let mended: Vec<_> = mended.filter_map(|(name, value)| Some((name, value?))).collect();
                    refused::resubmit(&device, number, &mended)
                }
                (None, Some(number)) => refused::discard(&device, number),
                (None, None) => refused::list(&device, json, out),
            }
        }
        Command::Log { json } => log::log(&device()?, json, out),
        Command::Verify => verify::verify(&device()?, &place, out),
        Command::Import { snapshot: Some(file), .. } => snapshot::import(&device()?, &file, out),
        Command::Import { file, .. } => import::import(&device()?, &file.unwrap_or_else(|| "-".into()), out),
        Command::Export { snapshot: Some(file), .. } => snapshot::export(&device()?, &file, out),
        Command::Export { file, .. } => export::export(&device()?, file.as_deref(), out),
        Command::Compact => verify::compact(&device()?, out),
        Command::Serve { listen, postgres, keep } => serve::serve(&place, &listen, postgres.as_deref(), &keep, out),
        Command::Demo => demo::demo(out),
    }
}
