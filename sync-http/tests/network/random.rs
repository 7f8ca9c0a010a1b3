//! Chance and time, from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::{Clock, Random};

/// SplitMix64. Clones draw from one sequence.
#[derive(Debug, Clone)]
pub(crate) struct Chance(Arc<AtomicU64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))))
    }

    pub(crate) fn next(&self) -> u64 {
        let z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        self.next() % n
    }

    /// True once in `n` times.
    pub(crate) fn once_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

impl Random for Chance {
    fn bits(&self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

/// The simulation's time on a machine whose clock is off by so many milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wall(pub(crate) i64);

impl Clock for Wall {
    fn now(&self) -> u64 {
        let since = turmoil::sim_elapsed().unwrap_or_default().as_millis() as u64;
        (1_700_000_000_000 + since).saturating_add_signed(self.0)
    }
}
