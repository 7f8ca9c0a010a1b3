//! What threads share, under a scheduler that tries interleavings: the writer's queue with its tickets, the
//! single flight of syncs, and the inboxes of those who watch. The production files are compiled once more here, over shuttle's locks and threads.
//!
//! `THREADS_SCHEDULES` is how many interleavings of each case are tried. A failing one is printed, to be replayed with
//! `shuttle::replay`.

#![allow(dead_code, reason = "the files are compiled as they are, used or not")]
#![allow(unreachable_pub)]
#![allow(clippy::unwrap_used, reason = "it is a test, outside of functions that say so too")]

mod error {
    pub(crate) use sync_core::Error;
}

mod model {
    pub(crate) mod entry {
        pub(crate) use sync_core::EntityKey;
    }
}

mod seal {
    pub(crate) fn seal(_: &[u8], body: &[u8]) -> Vec<u8> {
        body.to_vec()
    }
}

mod store {
    pub(crate) use sync_core::store::*;
}

mod threads {
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard};

    pub(crate) mod thread {
        pub(crate) use shuttle::thread::*;
    }
}

#[path = "../../src/commit.rs"]
mod commit;
#[path = "../../src/replica/inbox.rs"]
mod inbox;
#[path = "../../src/journal.rs"]
mod journal;
#[path = "../../src/replica/single_flight.rs"]
mod single_flight;

mod commits;
mod flights;
mod watches;

/// Tries a case under many interleavings: half of them random, half of them with few and well-placed preemptions.
fn under_every_schedule(case: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = std::env::var("THREADS_SCHEDULES").map_or(400, |text| text.parse().expect("a number"));
    shuttle::check_random(case.clone(), schedules);
    shuttle::check_pct(case, schedules, 3);
}
