//! A whole history in memory, to the notes that it makes: how long, and how much memory.

use std::path::Path;
use std::process::Command;

use super::Scale;
use crate::clock::Cpu;
use crate::input::{self, Input};
use crate::measure::{self, Result, Row, Table, Who};
use crate::peer::case::{BINARY, Case, Form, JSON};
use crate::peer::{crdt, ours};

pub(crate) fn binary(input: &Input, scale: Scale) -> Result<Table> {
    let count = input.entries.len();
    let mut table = Table::new("cold", format!("{count} actions in memory, in binary, to all notes"), "ms CPU");
    run(&mut table, BINARY.iter().chain(crdt::CASES), input, scale)?;
    let mut samples = Vec::new();
    for _ in 0..scale.repeats {
        let clock = Cpu::start();
        let snapshot = ours::fold_entries(&input.entries)?;
        samples.push(clock.ms());
        drop(snapshot);
    }
    table.push(
        Row::new(Who::Ours, "ours: reconcile alone, entries decoded before", samples).noted("part of the row above"),
    );
    Ok(table)
}

pub(crate) fn json(input: &Input, scale: Scale) -> Result<Table> {
    let count = input.entries.len();
    let mut table = Table::new("cold_json", format!("{count} actions in memory, in JSON, to all notes"), "ms CPU");
    run(&mut table, JSON, input, scale)?;
    Ok(table)
}

fn run<'a>(table: &mut Table, cases: impl IntoIterator<Item = &'a Case>, input: &Input, scale: Scale) -> Result<()> {
    let dir = tempfile::tempdir()?;
    for case in cases {
        let Some(history) = input.form(case.form) else { continue };
        let mut samples = Vec::new();
        for _ in 0..scale.repeats {
            let clock = Cpu::start();
            let made = (case.run)(history)?;
            samples.push(clock.ms());
            if samples.len() == 1 {
                check(case, input, &made.notes()?)?;
            }
        }
        let mut row = Row::new(case.who, case.name, samples);
        row.peak_mb = Some(memory(&input::put(dir.path(), history)?, case)?);
        table.push(row);
    }
    Ok(())
}

/// Exactly the same notes, or for the CRDTs the same ones alive.
fn check(case: &Case, input: &Input, notes: &crate::workload::Notes) -> Result<()> {
    match case.form {
        Form::Lines if notes.is_empty() => Ok(()),
        Form::Postcard | Form::Lines | Form::Entries | Form::Pages => measure::same(case.name, notes, &input.expected),
        _ => measure::same_ids(case.name, notes, &input.expected),
    }
}

/// Runs the case in a process of its own, and asks it by how much it grew.
fn memory(history: &Path, case: &Case) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?).arg("grow").arg(case.name).arg(history).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// What that process does.
pub(crate) fn grow(name: &str, history: &Path) -> Result<()> {
    let case =
        BINARY.iter().chain(crdt::CASES).chain(JSON).find(|case| case.name == name).ok_or("there is no such case")?;
    let history = input::take(history)?;
    measure::forget_peak()?;
    let before = measure::resident_mb()?;
    let made = (case.run)(&history)?;
    println!("{}", measure::peak_mb()? - before);
    drop(made);
    Ok(())
}
