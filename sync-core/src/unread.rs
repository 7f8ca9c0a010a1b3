//! What a type does not read of a stored value: members that a later version of it added.

use std::collections::BTreeMap;

use crate::model::value::Value;

/// A new value for a field, with what its type does not read of the stored one: `shown` is what it writes of that
/// unchanged.
///
/// Members of objects that it does not show stay, at every level, as far as `new` still has the object around them.
/// Elements of arrays are known by what is shown of them, wherever they moved; one that was changed, by its place, if as
/// many are there as before. `O(n log n)` at every level of nesting.
pub(crate) fn keep(stored: &Value, shown: &Value, new: &Value) -> Value {
    if stored == shown {
        return new.clone();
    }
    if let (Some(stored), Some(shown), Some(new)) =
        (stored.object_members(), shown.object_members(), new.object_members())
    {
        return members(&stored.into_iter().collect(), &shown.into_iter().collect(), new);
    }
    match (stored.array_elements(), shown.array_elements(), new.array_elements()) {
        (Some(stored), Some(shown), Some(new)) if stored.len() == shown.len() => elements(&stored, &shown, new),
        _ => new.clone(),
    }
}

type Members = BTreeMap<String, Value>;

fn members(stored: &Members, shown: &Members, new: Vec<(String, Value)>) -> Value {
    let mut all: Members = new.into_iter().collect();
    for (name, was) in stored {
        match (shown.get(name), all.get_mut(name)) {
            (Some(shown), Some(new)) => *new = keep(was, shown, new),
            (None, None) => {
                all.insert(name.clone(), was.clone());
            }
            // The type knows it, and took it out or put it in.
            _ => {}
        }
    }
    Value::object(all).expect("each name stands there once, no deeper than it was")
}

fn elements(stored: &[Value], shown: &[Value], mut new: Vec<Value>) -> Value {
    // All of a hash set may be read, in another order than it was stored in.
    if sorted(stored) == sorted(shown) {
        return Value::array(new);
    }
    let mut places: BTreeMap<&Value, Vec<usize>> = BTreeMap::new();
    let stays = |at: usize, new: &[Value]| new.get(at) == Some(&shown[at]);
    for (at, element) in shown.iter().enumerate().rev().filter(|(at, _)| !stays(*at, &new)) {
        places.entry(element).or_default().push(at);
    }
    let is_as_long = new.len() == shown.len();
    let mut changed = Vec::new();
    let mut is_met = vec![false; shown.len()];
    for (at, element) in new.iter_mut().enumerate() {
        let from = if shown.get(at) == Some(element) { Some(at) } else { places.get_mut(element).and_then(Vec::pop) };
        match from {
            Some(from) => {
                is_met[from] = true;
                *element = stored[from].clone();
            }
            None if is_as_long => changed.push(at),
            None => {}
        }
    }
    for at in changed.into_iter().filter(|at| !is_met[*at]) {
        new[at] = keep(&stored[at], &shown[at], &new[at]);
    }
    Value::array(new)
}

fn sorted(elements: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<&Value> = elements.iter().collect();
    sorted.sort();
    sorted
}

/// Whether two values are the same but for the order of elements: a hash set is written in another one each time.
pub(crate) fn are_alike(a: &Value, b: &Value) -> bool {
    a == b || in_order(a) == in_order(b)
}

/// A value with its elements in their order, at every level.
fn in_order(value: &Value) -> Value {
    if let Some(elements) = value.array_elements() {
        let mut elements: Vec<Value> = elements.iter().map(in_order).collect();
        elements.sort();
        return Value::array(elements);
    }
    let members = value.object_members().unwrap_or_default();
    if members.is_empty() {
        return value.clone();
    }
    let members = members.into_iter().map(|(name, value)| (name, in_order(&value)));
    Value::object(members).expect("each name stands there once, no deeper than it was")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        Value::parse(text).expect("it is JSON")
    }

    #[test]
    fn what_a_type_does_not_read_stays() {
        for (stored, shown, new, kept) in [
            // Nothing is unknown.
            (r#"{"a":1}"#, r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"x":7}"#, r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2,"x":7}"#),
            // What it knows it can take out and put in, and spell otherwise.
            (r#"{"a":1,"b":1,"x":7}"#, r#"{"a":1,"b":1}"#, r#"{"a":1}"#, r#"{"a":1,"x":7}"#),
            (r#"{"x":7}"#, r#"{"a":null}"#, r#"{"a":3}"#, r#"{"a":3,"x":7}"#),
            (r#"{"a":"1","x":7}"#, r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2,"x":7}"#),
            (r#"{"x":7}"#, "{}", r#"{"x":8}"#, r#"{"x":8}"#),
            // At every level, where the object around it is still there.
            (r#"{"a":{"b":1,"x":7}}"#, r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, r#"{"a":{"b":2,"x":7}}"#),
            (r#"{"a":{"b":1,"x":7}}"#, r#"{"a":{"b":1}}"#, r#"{"c":{"b":2}}"#, r#"{"c":{"b":2}}"#),
            (r#"{"a":{"b":1,"x":7}}"#, r#"{"a":{"b":1}}"#, "null", "null"),
            // Elements, in their places or moved, added, taken out, changed.
            (r#"[{"a":1,"x":7},{"a":2,"x":8}]"#, r#"[{"a":1},{"a":2}]"#, r#"[{"a":2}]"#, r#"[{"a":2,"x":8}]"#),
            (
                r#"[{"a":1,"x":7},{"a":2,"x":8}]"#,
                r#"[{"a":1},{"a":2}]"#,
                r#"[{"a":2},{"a":3},{"a":1}]"#,
                r#"[{"a":2,"x":8},{"a":3},{"a":1,"x":7}]"#,
            ),
            (
                r#"[{"a":1,"x":7},{"a":2,"x":8}]"#,
                r#"[{"a":1},{"a":2}]"#,
                r#"[{"a":1},{"a":3}]"#,
                r#"[{"a":1,"x":7},{"a":3,"x":8}]"#,
            ),
            // One that moved is not the one that was changed.
            (
                r#"[{"a":1,"x":7},{"a":2,"x":8}]"#,
                r#"[{"a":1},{"a":2}]"#,
                r#"[{"a":3},{"a":1}]"#,
                r#"[{"a":3},{"a":1,"x":7}]"#,
            ),
            // Equal ones stay in their places; each is met once.
            (r#"[{"x":7},{"x":8}]"#, "[{},{}]", "[{},{}]", r#"[{"x":7},{"x":8}]"#),
            (r#"[{"x":7},{"x":8}]"#, "[{},{}]", "[{},{},{}]", r#"[{"x":7},{"x":8},{}]"#),
            // What is all read says nothing, in whatever order it is.
            (r#"["a","b","c"]"#, r#"["b","a","c"]"#, r#"["c","b","d"]"#, r#"["c","b","d"]"#),
            (r#"{"s":["a","b"],"x":7}"#, r#"{"s":["b","a"]}"#, r#"{"s":["a","c"]}"#, r#"{"s":["a","c"],"x":7}"#),
            // What shows fewer elements than are stored says nothing of which they are.
            (r#"[{"a":1,"x":7},5]"#, r#"[{"a":1}]"#, r#"[{"a":1},{"a":2}]"#, r#"[{"a":1},{"a":2}]"#),
        ] {
            assert_eq!(keep(&value(stored), &value(shown), &value(new)), value(kept), "{stored} {shown} {new}");
        }
    }
}
