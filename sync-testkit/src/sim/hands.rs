//! Clocks that the simulator sets, and randomness that follows from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use sync_core::{Clock, Random};

use crate::rng::Rng;

/// When every simulated world begins: a time that is plausible, so that stamps look as they do in earnest.
pub(super) const DAWN: u64 = 1_800_000_000_000;

/// The world's true time, and a clock that is off by so much.
#[derive(Clone)]
pub(super) struct Hands {
    time: Arc<AtomicU64>,
    skew: Arc<AtomicI64>,
}

impl Hands {
    /// A clock that is right.
    pub(super) fn new(time: Arc<AtomicU64>) -> Self {
        Self { time, skew: Arc::default() }
    }

    pub(super) fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    pub(super) fn set_skew(&self, skew: i64) {
        self.skew.store(skew, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> u64 {
        self.time.load(Ordering::Relaxed).saturating_add_signed(self.skew())
    }
}

/// Randomness from a seed: every device and every hub process has its own.
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for Dice {
    fn bits(&self) -> u128 {
        let mut rng = Rng::new(self.0.fetch_add(0x1_0001, Ordering::Relaxed));
        u128::from(rng.bits()) << 64 | u128::from(rng.bits())
    }
}
