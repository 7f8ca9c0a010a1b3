//! What is kept of records, and what waits for a checkpoint, by its weight.

use super::*;
use crate::model::op::Op;
use crate::model::stamp::{ClientId, Dot, Origin};
use crate::model::value::Value;

/// The first entry of an entity, with a value of so many bytes.
fn create(n: u64, bytes: usize) -> Entry {
    let origin = Origin { dot: Dot::new(ClientId::new("a"), n), time: n, author: None };
    let mut entry = Entry::new(origin, EntityKey::new("note", n.to_string()), Action::Create);
    entry.fields = vec![("text".into(), Op::Assign(Value::from("x".repeat(bytes).as_str())))];
    entry
}

fn record(entry: &Entry) -> Record {
    let mut record = Record::default();
    record.apply_in_order(entry);
    record
}

#[test]
fn what_is_kept_is_bounded_by_what_it_weighs() {
    const HEAVY: usize = 64 << 10;
    let most = CACHED / record(&create(1, HEAVY)).weight() + 1;
    let mut records = Records::default();
    for n in 1..=1_000 {
        records.give(&create(n, 0).key, 0, Some(record(&create(n, HEAVY))));
        assert!(records.hot.len() <= most, "{} heavy records are kept", records.hot.len());
    }
    // Those that the checkpoint lacked something of are no exception once it has it.
    for n in 2_001..=2_500 {
        let entry = create(n, HEAVY);
        records.give(&entry.key, 0, None);
        records.push(Arc::new(entry));
    }
    assert!(records.weight() > CACHED);
    let frozen = records.freeze();
    records.thaw(&frozen);
    assert_eq!(records.weight(), 0);
    assert!(records.hot.len() <= most, "{} heavy records are kept behind a checkpoint", records.hot.len());
}

#[test]
fn light_records_are_kept_by_their_number() {
    let mut records = Records::default();
    for n in 1..CACHED as u64 {
        records.give(&create(n, 0).key, 0, Some(record(&create(n, 100))));
    }
    assert_eq!(records.hot.len(), CACHED - 1);
}

#[test]
fn the_room_for_much_is_given_back() {
    let mut records = Records::default();
    (1..=20 * CACHED as u64).for_each(|n| records.push(Arc::new(create(n, 0))));
    let frozen = records.freeze();
    records.thaw(&frozen);
    assert!(records.hot.capacity() <= SPARSE * CACHED, "{}", records.hot.capacity());
}

#[test]
fn small_changes_of_large_records_weigh_what_has_to_be_written_for_them() {
    let mut records = Records::default();
    let heavy = create(1, 64 << 10);
    records.push(Arc::new(heavy.clone()));
    let frozen = records.freeze();
    assert_eq!(frozen.rows(&crate::memory::MemoryStore::new(), Table::default()).unwrap().puts.len(), 1);
    records.thaw(&frozen);
    assert_eq!(records.weight(), 0);
    let mut small = Entry::new(create(2, 0).origin, heavy.key.clone(), Action::Update);
    small.of = [heavy.dot().clone()].into();
    records.push(Arc::new(small));
    assert!(records.weight() >= 64, "{}", records.weight());
}

/// In any interleaving of entries, checkpoints and questions the range has what is touched, in order.
#[test]
fn a_range_has_what_the_checkpoint_lacks_in_order() {
    let mut records = Records::default();
    let mut state = 7_u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut frozen, mut asked) = (None, 0);
    for _ in 0..20_000 {
        match draw(100) {
            0 => records.clear(),
            1 | 2 => frozen = Some((records.generation(), records.freeze())),
            3 | 4 => match frozen.take() {
                Some((generation, frozen)) if generation == records.generation() => records.thaw(&frozen),
                _ => {}
            },
            5..=20 => {
                let mut expected: Vec<EntityKey> = records.touched().cloned().collect();
                let (from, to) = (create(draw(300), 0).key, create(draw(300), 0).key);
                expected.retain(|key| *key > from && *key <= to);
                expected.sort();
                let range = (Bound::Excluded(from), Bound::Included(to));
                let found: Vec<EntityKey> = records.touched_within(range).cloned().collect();
                assert_eq!(found, expected);
                asked += found.len();
            }
            _ => records.push(Arc::new(create(draw(300), 10))),
        }
    }
    assert!(asked > 10_000, "{asked}");
}
