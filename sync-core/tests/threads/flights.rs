//! Single flight: one runs, the others join it.

use std::sync::Arc;

use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::{future, thread};

use crate::single_flight::{Entered, SingleFlight};
use crate::under_every_schedule;

/// One call, as `Replica::sync` makes it: its result says which flight it was of.
async fn call(flight: &SingleFlight<u32>, running: &AtomicU32, number: u32, gives_up: bool) -> Option<u32> {
    loop {
        match flight.enter().await {
            Entered::Alone(in_flight) => {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two run at once");
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                if gives_up {
                    return None;
                }
                in_flight.land(number);
                return Some(number);
            }
            Entered::Joined(Some(result)) => return Some(result),
            Entered::Joined(None) => {}
        }
    }
}

fn calls(count: u32, given_up: u32) {
    let flight = Arc::new((SingleFlight::default(), AtomicU32::new(0)));
    let start = |number: u32| {
        let flight = flight.clone();
        thread::spawn(move || future::block_on(call(&flight.0, &flight.1, number, number < given_up)))
    };
    let threads: Vec<_> = (0..count).map(start).collect();
    for (number, thread) in threads.into_iter().enumerate() {
        let result = thread.join().expect("every call ends");
        match result {
            Some(result) => assert!((given_up..count).contains(&result), "{result} never landed"),
            None => assert!((number as u32) < given_up),
        }
    }
}

#[test]
fn one_runs_at_a_time_and_everyone_is_answered() {
    under_every_schedule(|| calls(3, 0));
}

#[test]
fn one_that_is_given_up_lets_another_run() {
    under_every_schedule(|| calls(4, 1));
    under_every_schedule(|| calls(3, 2));
}
