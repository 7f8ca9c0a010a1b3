use super::*;

fn dot(client: &str, n: u64) -> Dot {
    Dot::new(ClientId::new(client), n)
}

fn origin(n: u64) -> Origin {
    Origin { dot: dot("a", n), time: 1, author: None }
}

fn sibling(n: u64) -> Sibling {
    Sibling { origin: origin(n), of: Dots::default(), value: Value::null() }
}

fn part(client: &str, of: u64) -> Part {
    Part { client: ClientId::new(client), of: [dot("c", of)].as_slice().into(), n: 1, sum: 1 }
}

fn addend(n: u64) -> Addend {
    Addend { dot: dot("a", n), of: Dots::default(), delta: 1 }
}

fn set(insertions: &[u64]) -> Register {
    let insertions = insertions.iter().map(|n| (origin(*n), Dots::default())).collect();
    Register::Set(BTreeMap::from([(Value::from("x"), insertions)]))
}

/// What arrives in a snapshot may say anything. What stood there twice would count twice.
#[test]
fn everything_stands_in_order_and_once() {
    let siblings = |numbers: &[u64]| Register::Siblings(numbers.iter().map(|n| sibling(*n)).collect());
    let counter = |parts: &[(&str, u64)], early: &[u64]| Register::Counter {
        parts: parts.iter().map(|(client, of)| part(client, *of)).collect(),
        early: early.iter().map(|n| addend(*n)).collect(),
    };
    let good = [
        siblings(&[]),
        siblings(&[1, 2, 5]),
        counter(&[], &[]),
        counter(&[("a", 2), ("b", 1)], &[]),
        counter(&[("a", 1), ("a", 2)], &[3, 4]),
        set(&[1]),
        set(&[1, 2]),
    ];
    let bad = [
        siblings(&[1, 1]),
        siblings(&[2, 1]),
        counter(&[("b", 1), ("a", 2)], &[]),
        counter(&[("a", 1), ("a", 1)], &[]),
        counter(&[("a", 2), ("a", 1)], &[]),
        counter(&[("a", 1)], &[4, 4]),
        counter(&[("a", 1)], &[4, 3]),
        set(&[]),
        set(&[1, 1]),
        set(&[2, 1]),
    ];
    good.iter().for_each(|register| assert!(register.is_in_order(), "{register:?}"));
    bad.iter().for_each(|register| assert!(!register.is_in_order(), "{register:?}"));
}

#[test]
fn only_counters_have_additions_that_are_early() {
    let early = vec![addend(4)];
    assert_eq!(Register::Counter { parts: Vec::new(), early: early.clone() }.early(), early);
    assert!(set(&[1]).early().is_empty());
}

/// Anybody can make an entity a thousand times: each create stands on itself, and none of their maxima dominates another.
#[test]
fn maxima_that_stand_side_by_side_are_held_against_the_new_one_alone() {
    let began = std::time::Instant::now();
    for family in [Family::Max, Family::Min] {
        let mut register = Register::empty(&family);
        for n in 1..=1_500 {
            let (of, value) = ([dot("a", n)].as_slice().into(), Value::from(n as i64));
            register.insert(&family, Sibling { of, value, ..sibling(n) });
        }
        assert_eq!(register.siblings().len(), 1_500);
    }
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
}
