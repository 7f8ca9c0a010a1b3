//! Random histories, compared with [`MemoryStore`].

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use sync_core::{Checkpoint, Heads, MemoryStore, Position, Store, StoreError};

use super::Fresh;

type Bytes = Vec<u8>;

/// One call, or a restart. Positions to write at or drop are relative to the journal's end, so that they matter.
#[derive(Debug, Clone)]
enum Step {
    Append { beside: i8, commits: Vec<Bytes> },
    Journal { back: Option<u8>, limit: u8 },
    Checkpoint { covers: u8, keep: Option<u8>, puts: Vec<(Bytes, Bytes)>, drops: Vec<Bytes> },
    Get(Bytes),
    Range { from: Bytes, to: Bytes, limit: u8 },
    Heads,
    Reclaim,
    OpenAgain,
}

/// What a step answers.
#[derive(Debug, PartialEq)]
enum Answer {
    Appended(Position),
    Moved(Position),
    Rows(Vec<(Position, Bytes)>),
    Value(Option<Bytes>),
    Pairs(Vec<(Bytes, Bytes)>),
    Heads(Heads),
    Done,
}

/// Random histories of all calls, with restarts: every answer is the one that [`MemoryStore`] gives.
pub fn behaves_like_memory(fresh: &Fresh<'_>) {
    let seed = number("SYNC_TESTKIT_SEED").unwrap_or(1);
    let cases = number("SYNC_TESTKIT_CASES").and_then(|n| u32::try_from(n).ok()).unwrap_or(12);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    match runner.run(&vec(step(), 1..60), |history| compare(fresh, &history).map_err(TestCaseError::fail)) {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => {
            panic!("{reason}\nthe shortest such history found (SYNC_TESTKIT_SEED={seed}): {history:#?}")
        }
        Err(TestError::Abort(reason)) => panic!("no histories could be made (SYNC_TESTKIT_SEED={seed}): {reason}"),
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} should be a number, is {text:?}")))
}

fn compare(fresh: &Fresh<'_>, history: &[Step]) -> Result<(), String> {
    let memory = MemoryStore::new();
    let open = fresh();
    let mut store = open();
    let ends = [
        Step::Heads,
        Step::Journal { back: None, limit: u8::MAX },
        Step::OpenAgain,
        Step::Range { from: vec![], to: vec![], limit: u8::MAX },
    ];
    for (n, step) in history.iter().chain(&ends).enumerate() {
        if matches!(step, Step::OpenAgain) {
            drop(store);
            store = open();
            continue;
        }
        let last = call(&memory, |memory| memory.heads())?.last;
        let (expected, found) = (take(step, &memory, last)?, take(step, &*store, last)?);
        if expected != found {
            return Err(format!("step {n}, {step:?}: the store answers {found:?}, the contract {expected:?}"));
        }
    }
    Ok(())
}

fn call<T>(store: &dyn Store, call: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, String> {
    call(store).map_err(|error| format!("the store failed: {error} ({error:?})"))
}

fn take(step: &Step, store: &dyn Store, last: Position) -> Result<Answer, String> {
    let near = |back: Option<u8>| back.map_or(0, |back| (last + 2).saturating_sub(u64::from(back)));
    call(store, |store| {
        Ok(match step {
            Step::Append { beside, commits } => {
                let commits: Vec<&[u8]> = commits.iter().map(Vec::as_slice).collect();
                match store.append(last.saturating_add_signed(i64::from(*beside)), &commits) {
                    Ok(position) => Answer::Appended(position),
                    Err(StoreError::Moved { last }) => Answer::Moved(last),
                    Err(error) => return Err(error),
                }
            }
            Step::Journal { back, limit } => Answer::Rows(store.journal(near(*back), usize::from(*limit))?),
            Step::Checkpoint { covers, keep, puts, drops } => {
                let checkpoint = Checkpoint {
                    covers: u64::from(*covers),
                    drop_before: near(*keep),
                    puts: puts.clone(),
                    drops: drops.clone(),
                };
                match store.checkpoint(&checkpoint) {
                    Ok(()) => Answer::Done,
                    Err(StoreError::Moved { last }) => Answer::Moved(last),
                    Err(error) => return Err(error),
                }
            }
            Step::Get(key) => Answer::Value(store.get(key)?),
            Step::Range { from, to, limit } => Answer::Pairs(store.range(from, to, usize::from(*limit))?),
            Step::Heads => Answer::Heads(store.heads()?),
            Step::Reclaim => {
                store.reclaim()?;
                Answer::Done
            }
            Step::OpenAgain => Answer::Done,
        })
    })
}

/// Few keys, so that they meet again; the bytes at both ends of the order.
fn key() -> impl Strategy<Value = Bytes> {
    vec(prop::sample::select(vec![0, b'a', b'b', 0xff]), 0..3)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![4 => vec(any::<u8>(), 0..4), 1 => (any::<u8>(), 3_000..9_000usize).prop_map(|(byte, len)| vec![byte; len])]
}

fn step() -> impl Strategy<Value = Step> {
    let checkpoint = (any::<u8>(), prop::option::of(0..12u8), vec((key(), bytes()), 0..5), vec(key(), 0..4));
    prop_oneof![
        6 => vec(bytes(), 0..4).prop_map(|commits| Step::Append { beside: 0, commits }),
        2 => (-3..4i8, vec(bytes(), 0..3)).prop_map(|(beside, commits)| Step::Append { beside, commits }),
        5 => (prop::option::of(0..12u8), 0..9u8).prop_map(|(back, limit)| Step::Journal { back, limit }),
        5 => checkpoint.prop_map(|(covers, keep, puts, drops)| Step::Checkpoint { covers, keep, puts, drops }),
        6 => key().prop_map(Step::Get),
        4 => (key(), key(), 0..6u8).prop_map(|(from, to, limit)| Step::Range { from, to, limit }),
        3 => Just(Step::Heads),
        1 => Just(Step::Reclaim),
        2 => Just(Step::OpenAgain),
    ]
}
