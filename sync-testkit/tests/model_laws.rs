//! The model against the laws, on thousands of random histories.

use sync_testkit::history::{FieldKind, Profile};
use sync_testkit::laws;

#[test]
fn honest_histories() {
    laws::check(&Profile::honest(), 0..300, laws::all);
}

#[test]
fn scattered_histories() {
    laws::check(&Profile::scattered(), 0..300, laws::all);
}

#[test]
fn hostile_histories() {
    laws::check(&Profile::hostile(), 0..300, laws::all);
}

#[test]
fn logs_fold_in_order() {
    for profile in [Profile::honest(), Profile::scattered()] {
        laws::check(&profile, 0..300, laws::in_log_order);
        laws::check(&profile, 0..300, laws::log_joins);
    }
}

#[test]
fn crowded_registers() {
    use FieldKind::{Assign, Changing, Counter, First, Max, Min, OwnLog, OwnMerge, Set, Unknown};
    for kind in [Assign, Changing, Counter, First, Max, Min, OwnLog, OwnMerge, Set, Unknown] {
        laws::check(&Profile::crowded(kind), 0..100, laws::all);
        laws::check(&Profile::crowded(kind), 0..100, laws::in_log_order);
    }
}
