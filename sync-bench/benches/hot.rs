//! The paths that every entry takes, in time: `cargo bench -p sync-bench --no-default-features --bench hot`.

mod log;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use log::{NOTES, Note, written};
use sync_core::model::entry::{decode_batch, encode_batch};
use sync_core::{Id, Record, Replica, Snapshot, reconcile};

fn entries(c: &mut Criterion) {
    let log = log::log();
    let batch = encode_batch(&log);
    let snapshot = reconcile(Snapshot::default(), &log).expect("no name is given twice");
    let records: Vec<Record> = snapshot.records().map(|(_, record)| record.clone()).collect();
    let encoded: Vec<Vec<u8>> = records.iter().map(Record::encode).collect();
    let mut group = c.benchmark_group("entries");
    group.throughput(Throughput::Elements(log.len() as u64));
    group.bench_function("encode_batch", |b| b.iter(|| encode_batch(black_box(&log))));
    group.bench_function("decode_batch", |b| b.iter(|| decode_batch(black_box(&batch))));
    group.bench_function("to_json", |b| b.iter(|| log.iter().map(|entry| entry.to_json(None).len()).sum::<usize>()));
    group.bench_function("hash", |b| b.iter(|| log.iter().map(|entry| entry.hash().0 as u64 & 1).sum::<u64>()));
    group.bench_function("reconcile", |b| b.iter(|| reconcile(Snapshot::default(), black_box(&log))));
    group.finish();
    let mut group = c.benchmark_group("records");
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("encode", |b| b.iter(|| records.iter().map(|record| record.encode().len()).sum::<usize>()));
    group.bench_function("decode", |b| b.iter(|| encoded.iter().filter(|row| Record::decode(row).is_ok()).count()));
    group.finish();
}

fn replica(c: &mut Criterion) {
    let (replica, ids) = written();
    let mut group = c.benchmark_group("replica");
    let mut step = 0;
    group.bench_function("list", |b| b.iter(|| replica.list::<Note>().map(Iterator::count)));
    group.bench_function("get", |b| b.iter(|| replica.get(&ids[7])));
    group.bench_function("edit", |b| {
        let fresh = || written();
        let edit = |(replica, ids): &mut (Replica, Vec<Id<Note>>)| {
            step += 1;
            replica
                .edit(&ids[step % NOTES], |note| note.title = format!("edited {step}"))
                .and_then(|commit| commit.wait())
        };
        b.iter_batched_ref(fresh, edit, BatchSize::NumIterations(1_000));
    });
    group.finish();
}

criterion_group!(benches, entries, replica);
criterion_main!(benches);
