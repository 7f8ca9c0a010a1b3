//! The laws for a user's own policy: two that keep them, and one for each law that does not.

use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::{Policy, Value, Written};
use sync_testkit::{laws, rng::Rng};

/// Keeps the longest text of those who did not know of each other.
struct Longest;

impl Policy for Longest {
    fn name(&self) -> &'static str {
        "longest"
    }
    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        Ok((before != Some(after)).then(|| Written { operation: after.clone(), absorbs: true }))
    }
    fn value(&self, operations: &[&Value]) -> Option<Value> {
        operations.iter().max_by_key(|operation| operation.as_str().len()).map(|operation| (*operation).clone())
    }
}

/// A list that grows at its end: each operation holds the new items.
struct Journal;

impl Policy for Journal {
    fn name(&self) -> &'static str {
        "journal"
    }
    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        let items = |value: &Value| value.array_elements().ok_or("a journal is an array");
        let (before, after) = (before.map_or(Ok(Vec::new()), items)?, items(after)?);
        match after.strip_prefix(&before[..]) {
            Some([]) if !before.is_empty() => Ok(None),
            Some(new) => Ok(Some(Written { operation: Value::array(new.iter().cloned()), absorbs: false })),
            None => Err("a journal only grows".into()),
        }
    }
    fn value(&self, operations: &[&Value]) -> Option<Value> {
        let known = operations.iter().filter_map(|operation| operation.array_elements());
        (!operations.is_empty()).then(|| Value::array(known.flatten()))
    }
}

fn lists() -> impl Iterator<Item = Value> {
    ["[1]", "[1,2]", "[1,2,\"x\"]", "[1,3]", "[[]]"]
        .into_iter()
        .map(|text| Value::parse(text).expect("the lists are JSON"))
}

sync_testkit::policy_laws!(longest_keeps_the_laws, Longest, ["", "a", "bb", "b", "ccc"].map(Value::from));
sync_testkit::policy_laws!(journal_keeps_the_laws, Journal, lists());

/// A policy made of functions, to break one law at a time.
struct Made {
    diff: fn(Option<&Value>, &Value) -> Option<Written>,
    value: fn(&[&Value]) -> Option<Value>,
}

impl Policy for Made {
    fn name(&self) -> &'static str {
        "made"
    }
    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        Ok((self.diff)(before, after))
    }
    fn value(&self, operations: &[&Value]) -> Option<Value> {
        (self.value)(operations)
    }
}

fn absorbing(before: Option<&Value>, after: &Value) -> Option<Written> {
    (before != Some(after)).then(|| Written { operation: after.clone(), absorbs: true })
}

fn last(operations: &[&Value]) -> Option<Value> {
    operations.last().map(|operation| (*operation).clone())
}

fn breaks(policy: Made) -> &'static str {
    let values = [1_i64, 2, 30].map(Value::from);
    let broken = laws::policy(&policy, &values, &mut Rng::new(1)).expect_err("the policy breaks a law");
    broken.law
}

#[test]
fn every_law_can_be_broken() {
    assert_eq!(
        laws::policy(&Made { diff: absorbing, value: last }, &[1_i64, 2].map(Value::from), &mut Rng::new(1)),
        Ok(())
    );

    // An edit that is not written.
    let forgetful = |before: Option<&Value>, after: &Value| absorbing(before, after).filter(|_| before.is_none());
    assert_eq!(breaks(Made { diff: forgetful, value: last }), "diff is None only if there is nothing to write");

    // A write where nothing changed.
    let busy = |_: Option<&Value>, after: &Value| Some(Written { operation: after.clone(), absorbs: false });
    assert_eq!(breaks(Made { diff: busy, value: last }), "diff is None if there is nothing to write");

    // A difference that says it contains what it was taken from.
    let difference = |before: Option<&Value>, after: &Value| {
        let number = |value: &Value| value.as_i64().unwrap_or(0);
        let by = number(after) - before.map_or(0, number);
        (by != 0).then(|| Written { operation: by.into(), absorbs: true })
    };
    let sum = |operations: &[&Value]| Some(operations.iter().filter_map(|op| op.as_i64()).sum::<i64>().into());
    assert_eq!(breaks(Made { diff: difference, value: sum }), "what was written is what is shown");

    // An answer that depends on more than the operations.
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let moody = |_: &[&Value]| Some(ASKED.fetch_add(1, Ordering::Relaxed).into());
    assert_eq!(breaks(Made { diff: absorbing, value: moody }), "value is a pure function");
}

#[test]
#[should_panic(expected = "an operation that nobody knows")]
fn a_policy_that_panics_on_unknown_operations_is_found() {
    let strict = |operations: &[&Value]| {
        operations.last().map(|operation| operation.as_i64().expect("an operation that nobody knows").into())
    };
    let _ = laws::policy(&Made { diff: absorbing, value: strict }, &[1_i64, 2].map(Value::from), &mut Rng::new(1));
}
