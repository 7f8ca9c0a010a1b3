//! What a user's own operation family has to keep to.

use sync_core::{Policy, Value, Written};

use super::{Holds, broken};
use crate::rng::Rng;

/// Checks a policy of yours on values of yours: at least two that differ.
///
/// - `value` is a pure function: asked twice, it answers the same.
/// - `value` does not panic on operations that it does not know.
/// - On a single device, what was written is what is shown: the value of the operations before with the one that
///   `diff` gives is the value after. Where that operation absorbs the others, it says so all alone.
/// - `diff` gives `None` exactly if the values are the same: otherwise an edit would be lost, or nothing written.
///
/// # Errors
/// The first of these that does not hold, and for which values.
pub fn policy(policy: &dyn Policy, values: &[Value], rng: &mut Rng) -> Holds {
    if policy.name().is_empty() || policy.name().chars().any(|c| c.is_control() || c.is_whitespace()) {
        return broken("a policy has a name", format!("{:?} is none", policy.name()));
    }
    for first in values {
        for second in values {
            let shown = edits(policy, [first, second])?;
            if second == first && shown.len() > 1 {
                return broken(
                    "diff is None if there is nothing to write",
                    format!("from {first} to {second}: {shown:?}"),
                );
            }
        }
    }
    for _ in 0..50 {
        let length = 1 + rng.below(8);
        edits(policy, (0..length).map(|_| rng.pick(values)))?;
    }
    concurrent(policy, values, rng)
}

/// A single device's edits from value to value; returns the operations that remain.
fn edits<'a>(policy: &dyn Policy, values: impl IntoIterator<Item = &'a Value>) -> Result<Vec<Value>, super::Broken> {
    const LAW: &str = "what was written is what is shown";
    let mut operations: Vec<Value> = Vec::new();
    let mut before: Option<&Value> = None;
    for after in values {
        let written = match policy.diff(before, after) {
            Ok(written) => written,
            // A change that a policy refuses is not written; the value stays.
            Err(_) => continue,
        };
        match written {
            None if before.is_some_and(|before| before != after) => {
                broken("diff is None only if there is nothing to write", format!("from {before:?} to {after}"))?;
            }
            None => {}
            Some(Written { operation, absorbs }) => {
                if absorbs {
                    operations.clear();
                }
                operations.push(operation);
            }
        }
        let shown = value(policy, &operations)?;
        let nothing = before.is_none() && operations.is_empty();
        if shown.as_ref() != Some(after) && !nothing {
            broken(LAW, format!("from {before:?} to {after}: {operations:?} show {shown:?}"))?;
        }
        before = Some(after);
    }
    Ok(operations)
}

/// Operations of several devices, and unknown ones among them, in every order in which stamps may put them.
fn concurrent(policy: &dyn Policy, values: &[Value], rng: &mut Rng) -> Holds {
    let unknown =
        ["null", "-1", "1e300", "\"\"", "\"?\"", "[]", "[[1]]", "{}", "{\"$add\":1}", "{\"v\":2,\"x\":[null]}"];
    let unknown = unknown.map(|text| Value::parse(text).expect("the unknown operations are JSON"));
    let mut operations: Vec<Value> = unknown.to_vec();
    for after in values {
        for before in [None, Some(rng.pick(values))] {
            if let Ok(Some(written)) = policy.diff(before, after) {
                operations.push(written.operation);
            }
        }
    }
    for _ in 0..100 {
        let count = rng.below(6);
        let some: Vec<Value> = (0..count).map(|_| rng.pick(&operations).clone()).collect();
        value(policy, &some)?;
    }
    Ok(())
}

/// The value, asked for twice.
fn value(policy: &dyn Policy, operations: &[Value]) -> Result<Option<Value>, super::Broken> {
    let given: Vec<&Value> = operations.iter().collect();
    let (once, again) = (policy.value(&given), policy.value(&given));
    if once != again {
        broken("value is a pure function", format!("{operations:?} show {once:?}, then {again:?}"))?;
    }
    Ok(once)
}

/// Makes a test of [`laws::policy`](crate::laws::policy) for a policy of yours and values of yours.
///
/// ```
/// # use sync_core::{Policy, Value, Written};
/// # struct Longest;
/// # impl Policy for Longest {
/// #     fn name(&self) -> &'static str { "longest" }
/// #     fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
/// #         Ok((before != Some(after)).then(|| Written { operation: after.clone(), absorbs: true }))
/// #     }
/// #     fn value(&self, operations: &[&Value]) -> Option<Value> {
/// #         operations.iter().max_by_key(|op| op.as_str().len()).map(|op| (*op).clone())
/// #     }
/// # }
/// sync_testkit::policy_laws!(longest_keeps_the_laws, Longest, ["a", "bb", "bbb"].map(Value::from));
/// ```
#[macro_export]
macro_rules! policy_laws {
    ($name:ident, $policy:expr, $values:expr) => {
        #[test]
        fn $name() {
            let values = ::std::vec::Vec::from_iter($values);
            for seed in 0..20 {
                let mut rng = $crate::rng::Rng::new(seed);
                if let ::std::result::Result::Err(broken) = $crate::laws::policy(&$policy, &values, &mut rng) {
                    ::std::panic!("seed {seed}: {broken}");
                }
            }
        }
    };
}
