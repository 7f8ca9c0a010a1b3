//! Time and randomness from outside, and the hybrid logical clock.

/// A wall clock.
///
/// ```
/// use sync_core::Clock;
/// struct Stopped;
/// impl Clock for Stopped {
///     fn now(&self) -> u64 {
///         1_700_000_000_000
///     }
/// }
/// ```
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch. May jump in either direction.
    fn now(&self) -> u64;
}

/// A source of randomness: for client ids, entity ids and intents.
pub trait Random: Send + Sync {
    /// 128 random bits, never the same twice on any machine.
    fn bits(&self) -> u128;
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now(&self) -> u64 {
        (**self).now()
    }
}

impl<T: Random + ?Sized> Random for std::sync::Arc<T> {
    fn bits(&self) -> u128 {
        (**self).bits()
    }
}

/// The system's clock.
#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
impl Clock for SystemClock {
    fn now(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        // A clock before 1970 is a clock that was never set.
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The system's randomness.
#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

#[cfg(all(feature = "system", not(target_arch = "wasm32")))]
impl Random for SystemRandom {
    fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system has randomness");
        u128::from_le_bytes(bytes)
    }
}

/// A hybrid logical clock (Kulkarni et al. 2014): never behind the wall clock, never behind what it saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HybridClock {
    /// The greatest time of an own entry.
    pub(crate) own: u64,
    /// The greatest time of an own entry that was accepted.
    pub(crate) accepted: u64,
    /// The greatest time of another client's entry.
    pub(crate) foreign: u64,
}

impl HybridClock {
    /// A time for the next entry; one client's equal times are told apart by the entries' numbers.
    pub(crate) fn tick(&mut self, wall: u64) -> u64 {
        self.own = wall.max(self.own).max(self.foreign.saturating_add(1));
        self.own
    }

    /// The least time of an entry that is after all that was accepted, as far as it was seen.
    pub(crate) fn floor(&self) -> u64 {
        self.accepted.max(self.foreign.saturating_add(1))
    }

    /// Takes notice of another client's accepted entry.
    pub(crate) fn see(&mut self, time: u64) {
        self.foreign = self.foreign.max(time);
    }

    /// Takes notice of an own entry.
    pub(crate) fn issued(&mut self, time: u64) {
        self.own = self.own.max(time);
    }

    /// Takes notice of an own entry that was accepted: the clock never goes below it again.
    pub(crate) fn was_accepted(&mut self, time: u64) {
        self.accepted = self.accepted.max(time);
        self.issued(time);
    }

    /// Own entries that were never accepted have other times now, `latest` the greatest of them.
    pub(crate) fn turn_back(&mut self, latest: u64) {
        self.own = latest.max(self.accepted);
    }
}

#[cfg(test)]
mod tests {
    use super::HybridClock;

    #[test]
    fn a_time_is_never_behind_the_wall_nor_what_was_seen() {
        let mut clock = HybridClock::default();
        assert_eq!(clock.tick(100), 100);
        assert_eq!(clock.tick(90), 100, "the wall jumped back");
        clock.see(200);
        assert_eq!(clock.tick(150), 201, "after what was seen");
        assert_eq!(clock.tick(150), 201, "own ties fall to the number");
        clock.was_accepted(201);
        clock.issued(9_000);
        clock.turn_back(0);
        assert_eq!(clock.tick(0), 201, "never below an accepted stamp");
        clock.see(u64::MAX);
        assert_eq!(clock.tick(0), u64::MAX, "no overflow");
    }
}
