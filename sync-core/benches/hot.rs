//! The paths that every entry takes. `cargo bench -p sync-core`; beside other systems: `sync-bench`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use sync_core::model::entry::{decode_batch, encode_batch};
use sync_core::transport::PullRequest;
use sync_core::{Entry, Hub, Id, MemoryStore, Record, Replica, Snapshot, Syncable, reconcile};

#[derive(Syncable, Clone)]
struct Note {
    #[sync(id)]
    id: Id<Note>,
    title: String,
    body: String,
    pinned: bool,
}

const NOTES: usize = 100;
const EDITS: usize = 900;

fn written() -> (Replica, Vec<Id<Note>>) {
    let replica = Replica::builder().register::<Note>().open(MemoryStore::new()).expect("an empty store opens");
    let body = "the quick brown fox jumps over the lazy dog ".repeat(5);
    let create = |_| {
        let note = Note { id: replica.new_id(), title: "Shopping".into(), body: body.clone(), pinned: false };
        replica.create(note).and_then(|commit| commit.wait()).expect("a new id can be created")
    };
    let ids: Vec<Id<Note>> = (0..NOTES).map(create).collect();
    for step in 0..EDITS {
        let edited = replica.edit(&ids[step % NOTES], |note| match step % 3 {
            0 => note.title = format!("Groceries {step}"),
            1 => note.pinned = !note.pinned,
            _ => note.body = format!("{body}{step}"),
        });
        edited.and_then(|commit| commit.wait()).expect("what was created can be edited");
    }
    (replica, ids)
}

/// A thousand entries, as a hub's log has them.
fn log() -> Vec<Entry> {
    let hub = Hub::builder().open(MemoryStore::new()).expect("an empty store opens");
    pollster::block_on(written().0.sync(&hub.transport("ada"))).expect("the hub takes it");
    let pull = PullRequest { since: Default::default(), limit: 10_000, ..PullRequest::default() };
    let page = hub.pull(&pull).expect("the log can be read");
    page.entries.iter().map(|(_, entry)| (**entry).clone()).collect()
}

fn entries(c: &mut Criterion) {
    let log = log();
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
