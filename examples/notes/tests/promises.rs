//! What is promised to those whose clocks are wrong, whose files were copied or put back, whose hub lost data or whose
//! network fails: over HTTP, with a hub and devices that are each a process and a file of their own.
//!
//! `NOTES_SEEDS` tries more histories than the everyday number, from `NOTES_SEED` on; `NOTES_ENTRIES` is how many
//! entries a hub loses.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test, also what its functions do")]

mod support;

mod promises {
    mod clocks;
    mod clones;
    mod common;
    mod conflicts;
    mod drafts;
    mod lost_hub;
    mod lost_replies;
    mod oracle;
    mod other_hub;
    mod proxy;
    mod refusals;
    mod ruled_hub;
    mod set_aside;
}
