//! The hub, through its public API: what it accepts, what it refuses, and what it serves.

mod hub {
    mod groups;
    mod pull;
    mod push;
    mod snapshot;
    mod support;
}
