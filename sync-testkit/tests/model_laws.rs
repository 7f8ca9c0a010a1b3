//! The model against the laws, on thousands of random histories.

use sync_core::{Action, ClientId, Dot, EntityKey, Op, Value};
use sync_testkit::history::{Device, FieldKind, Profile};
use sync_testkit::laws;
use sync_testkit::rng::Rng;

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
fn usual_histories() {
    laws::check(&Profile::usual(), seeds(200), laws::batches);
    laws::check(&Profile { hostile: 10, ..Profile::usual() }, seeds(200), laws::batches);
    laws::check(&Profile::usual(), seeds(30), laws::all);
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
    let twice = Op::Set {
        insert: vec![],
        remove: vec![("a".into(), vec![dot.clone()].into()), ("a".into(), vec![dot].into())],
    };
    assert_ne!(Op::from_json(&twice.to_json()), Ok(twice));
}

#[test]
fn a_set_has_one_spelling() {
    let set = |text: &str| Op::from_json(&Value::parse(text).unwrap()).unwrap();
    let spelt = set(r#"{"$insert":["b",2,"a",1.0,"a",1]}"#);
    assert_eq!(spelt, set(r#"{"$insert":[1,2,"a","b"]}"#));
    assert_eq!(spelt.to_json().as_str(), r#"{"$insert":[1,2,"a","b"]}"#);
}

/// A hub numbers foreign entries anew after every start: two of one client and time may get the same stamp.
#[test]
fn equal_stamps_are_told_apart_by_name() {
    let mut hubs = ["hub-0", "hub-1"].map(|hub| Device::new(ClientId::new(hub), 0));
    let mut write = |hub: usize, action, op: fn(Value) -> Op, value: i64| {
        let mut entry = hubs[hub].entry(1_000, EntityKey::new("note", "n"), action);
        entry.origin.author = Some(ClientId::new("legacy"));
        entry.foreign_id = Some(format!("id-{hub}-{value}").into());
        entry.fields = vec![("field".into(), op(value.into()))];
        entry
    };
    for op in [Op::Assign as fn(Value) -> Op, Op::First, Op::Max, Op::Min] {
        let creates = [write(0, Action::Create, op, 1), write(1, Action::Create, op, 2)];
        let mut updates = [write(0, Action::Update, op, 3), write(1, Action::Update, op, 3)];
        updates.iter_mut().for_each(|update| update.of = creates.iter().map(|create| create.dot().clone()).collect());
        assert_eq!(creates[0].origin.stamp(), creates[1].origin.stamp());
        for entries in [creates.to_vec(), [creates, updates].concat()] {
            (0..5).for_each(|seed| laws::all(&entries, &mut Rng::new(seed)).unwrap());
        }
    }
}
