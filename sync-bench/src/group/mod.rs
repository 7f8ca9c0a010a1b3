//! The questions, each a table.

pub(crate) mod cold;
pub(crate) mod durable;
pub(crate) mod hub;
pub(crate) mod incremental;
pub(crate) mod local;
pub(crate) mod open;
pub(crate) mod path;
pub(crate) mod size;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    /// How often what takes long is repeated.
    pub(crate) repeats: usize,
    /// How many single writes are timed.
    pub(crate) writes: usize,
}
