//! One device over a long time: crashes at every step, snapshots as files, a journal that does not grow.
#![allow(clippy::unwrap_used)]

mod device {
    mod alias;
    mod cold;
    mod crash;
    mod keep;
    mod midway;
    mod names;
    mod snapshot;
    mod support;
}
