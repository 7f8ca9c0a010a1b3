//! The hub, through its public API: what it accepts, what it refuses, and what it serves.
#![allow(clippy::unwrap_used, clippy::type_complexity)]

mod hub {
    mod between;
    mod checkpoint;
    mod compact;
    mod foreign;
    mod groups;
    mod join;
    mod limits;
    mod locked;
    mod open;
    mod pull;
    mod push;
    mod shared;
    mod snapshot;
    mod support;
}
