//! One device over a long time: crashes at every step, snapshots as files, a journal that does not grow.
#![allow(clippy::unwrap_used)]

mod device {
    mod ahead;
    mod alias;
    mod anew;
    mod believed;
    mod bounds;
    mod clocks;
    mod cold;
    mod conflicts;
    mod copies;
    mod counter;
    mod crash;
    mod draft;
    mod durable;
    mod first;
    mod flood;
    mod heavy;
    mod keep;
    mod local;
    mod mended;
    mod midway;
    mod names;
    mod narrow;
    mod odd;
    mod oversized;
    mod own;
    mod packed;
    mod phases;
    mod refused;
    mod respelled;
    mod saw;
    mod session;
    mod snapshot;
    mod support;
    mod unread;
}
