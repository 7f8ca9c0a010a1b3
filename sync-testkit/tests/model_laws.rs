//! The model against the laws, on thousands of random histories.

use sync_core::{Dot, Op, Value};
use sync_testkit::history::{FieldKind, Profile};
use sync_testkit::laws;

/// `MODEL_SEEDS=100000 cargo test --release` tries more.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("MODEL_SEEDS").ok().and_then(|text| text.parse().ok());
    0..asked.unwrap_or(few)
}

#[test]
fn honest_histories() {
    laws::check(&Profile::honest(), seeds(200), laws::all);
}

#[test]
fn scattered_histories() {
    laws::check(&Profile::scattered(), seeds(200), laws::all);
}

#[test]
fn hostile_histories() {
    laws::check(&Profile::hostile(), seeds(200), laws::all);
}

#[test]
fn logs_fold_in_order() {
    for profile in [Profile::honest(), Profile::scattered()] {
        laws::check(&profile, seeds(200), laws::in_log_order);
        laws::check(&profile, seeds(200), laws::log_joins);
    }
}

#[test]
fn crowded_registers() {
    use FieldKind::{Assign, Changing, Counter, First, Max, Min, OwnLog, OwnMerge, Set, Unknown};
    for kind in [Assign, Changing, Counter, First, Max, Min, OwnLog, OwnMerge, Set, Unknown] {
        laws::check(&Profile::crowded(kind), seeds(20), laws::all);
        laws::check(&Profile::crowded(kind), seeds(20), laws::in_log_order);
    }
}

#[test]
fn a_removal_that_names_an_element_twice_is_refused() {
    for removed in [r#"{"a":[],"\"a\"":[]}"#, r#"{"1":[],"1.0":[]}"#, r#"{"{\"a\":1}":[],"{ \"a\": 1e0 }":[]}"#] {
        let json = Value::parse(&format!(r#"{{"$remove":{removed}}}"#)).unwrap();
        assert!(Op::from_json(&json).is_err(), "{removed}");
    }
    // Made in memory it has a JSON, which is not what was written.
    let dot: Dot = "a-0000000000000001".parse().unwrap();
    let twice = Op::Set { insert: vec![], remove: vec![("a".into(), vec![dot.clone()]), ("a".into(), vec![dot])] };
    assert_ne!(Op::from_json(&twice.to_json()), Ok(twice));
}

#[test]
fn a_set_has_one_spelling() {
    let set = |text: &str| Op::from_json(&Value::parse(text).unwrap()).unwrap();
    let spelt = set(r#"{"$insert":["b",2,"a",1.0,"a",1]}"#);
    assert_eq!(spelt, set(r#"{"$insert":[1,2,"a","b"]}"#));
    assert_eq!(spelt.to_json().as_str(), r#"{"$insert":[1,2,"a","b"]}"#);
}
