//! The paths that every entry takes, in instructions: the same number at every run, however busy the machine is.
//!
//! `cargo bench -p sync-bench --no-default-features --bench instructions`; it needs valgrind, and the runner of the same
//! version (`cargo install gungraun-runner --version 0.20.0`).
#![allow(missing_docs, reason = "what the macros make")]

mod log;

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use log::{Note, log, written};
use sync_core::model::entry::{decode_batch, encode_batch};
use sync_core::{Entry, Id, Record, Replica, Snapshot, reconcile, reconcile_batches};

fn batch() -> Vec<u8> {
    encode_batch(&log())
}

fn records() -> Vec<Record> {
    reconcile(Snapshot::default(), &log()).map_or_else(|_| Vec::new(), |snapshot| all_of(&snapshot))
}

fn all_of(snapshot: &Snapshot) -> Vec<Record> {
    snapshot.records().map(|(_, record)| record.clone()).collect()
}

fn rows() -> Vec<Vec<u8>> {
    records().iter().map(Record::encode).collect()
}

#[library_benchmark]
#[bench::a_thousand(log())]
fn encode(entries: Vec<Entry>) -> usize {
    encode_batch(black_box(&entries)).len()
}

#[library_benchmark]
#[bench::a_thousand(batch())]
fn decode(batch: Vec<u8>) -> usize {
    decode_batch(black_box(&batch)).map_or(0, |entries| entries.len())
}

#[library_benchmark]
#[bench::a_thousand(log())]
fn hash(entries: Vec<Entry>) -> u64 {
    entries.iter().map(|entry| entry.hash().0 as u64 & 1).sum()
}

#[library_benchmark]
#[bench::a_thousand(log())]
fn fold(entries: Vec<Entry>) -> Option<Snapshot> {
    reconcile(Snapshot::default(), black_box(&entries)).ok()
}

#[library_benchmark]
#[bench::a_thousand(batch())]
fn fold_a_batch(batch: Vec<u8>) -> Option<Snapshot> {
    reconcile_batches(Snapshot::default(), [black_box(&batch[..])]).ok()
}

#[library_benchmark]
#[bench::a_hundred(records())]
fn encode_records(records: Vec<Record>) -> usize {
    records.iter().map(|record| record.encode().len()).sum()
}

#[library_benchmark]
#[bench::a_hundred(rows())]
fn decode_records(rows: Vec<Vec<u8>>) -> usize {
    rows.iter().filter(|row| Record::decode(row).is_ok()).count()
}

#[library_benchmark]
#[bench::of_a_hundred(written())]
fn list((replica, _): (Replica, Vec<Id<Note>>)) -> usize {
    replica.list::<Note>().map_or(0, Iterator::count)
}

#[library_benchmark]
#[bench::durable(written())]
fn edit((replica, ids): (Replica, Vec<Id<Note>>)) -> bool {
    let edited = replica.edit(&ids[7], |note| note.title = "edited".into());
    edited.and_then(|commit| commit.wait()).is_ok()
}

library_benchmark_group!(name = entries; benchmarks = encode, decode, hash, fold, fold_a_batch);
library_benchmark_group!(name = records; benchmarks = encode_records, decode_records);
library_benchmark_group!(name = replicas; benchmarks = list, edit);
main!(library_benchmark_groups = entries, records, replicas);
