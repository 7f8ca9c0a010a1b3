//! When to try again: full jitter (Brooker, "Exponential Backoff And Jitter", 2015).

use std::time::Duration;

use sync_core::{Random, TransportError};

/// How often and when a request is repeated. Every request may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    /// How many times after the first.
    pub(super) times: u32,
    /// The longest wait before the second try; it doubles with every further one.
    pub(super) base: Duration,
    /// The longest wait. A hub that asks for a longer one is obeyed by giving up.
    pub(super) most: Duration,
}

impl Retry {
    /// How long to wait before try `tried + 1`; `None` to give up.
    pub(super) fn wait(&self, tried: u32, error: &TransportError, random: &dyn Random) -> Option<Duration> {
        if tried > self.times {
            return None;
        }
        let least = match error {
            TransportError::Busy { after } => Duration::from_millis(*after),
            TransportError::Offline { .. } | TransportError::Hub { .. } => Duration::ZERO,
            _ => return None,
        };
        if least > self.most {
            return None;
        }
        let doubled = self.base.saturating_mul(1 << (tried - 1).min(16)).min(self.most);
        Some(least + jitter(doubled, random))
    }
}

/// Anything from nothing to `most`, so that those who failed together do not come back together.
fn jitter(most: Duration, random: &dyn Random) -> Duration {
    let micros = most.as_micros();
    let drawn = random.bits() % (micros + 1);
    Duration::from_micros(u64::try_from(drawn).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A multiplicative generator: enough to spread waits.
    struct Seeded(AtomicU64);

    impl Random for Seeded {
        fn bits(&self) -> u128 {
            let step = |x: u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
            let bits = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap();
            u128::from(bits >> 16)
        }
    }

    const RETRY: Retry = Retry { times: 3, base: Duration::from_millis(200), most: Duration::from_secs(5) };

    fn offline() -> TransportError {
        TransportError::Offline { message: String::new() }
    }

    #[test]
    fn waits_are_spread_and_grow() {
        let random = Seeded(AtomicU64::new(1));
        for (tried, most) in [(1, 200), (2, 400), (3, 800)] {
            let waits: Vec<_> = (0..200).map(|_| RETRY.wait(tried, &offline(), &random).unwrap()).collect();
            let most = Duration::from_millis(most);
            assert!(waits.iter().all(|wait| *wait <= most));
            assert!(waits.iter().any(|wait| *wait < most / 4), "{tried}");
            assert!(waits.iter().any(|wait| *wait > most * 3 / 4), "{tried}");
        }
        assert_eq!(RETRY.wait(4, &offline(), &random), None);
    }

    #[test]
    fn no_wait_is_longer_than_the_longest() {
        let random = Seeded(AtomicU64::new(3));
        let retry = Retry { times: u32::MAX, ..RETRY };
        for tried in [5, 6, 10, 17, 18, 40, u32::MAX] {
            let waits: Vec<_> = (0..100).map(|_| retry.wait(tried, &offline(), &random).unwrap()).collect();
            assert!(waits.iter().all(|wait| *wait <= RETRY.most), "{tried}");
            assert!(tried < 6 || waits.iter().any(|wait| *wait > RETRY.most * 3 / 4), "{tried}");
        }
    }

    #[test]
    fn a_hub_that_names_a_time_is_obeyed() {
        let random = Seeded(AtomicU64::new(7));
        let wait = RETRY.wait(1, &TransportError::Busy { after: 3_000 }, &random).unwrap();
        assert!((3_000..=3_200).contains(&wait.as_millis()), "{wait:?}");
        assert_eq!(RETRY.wait(1, &TransportError::Busy { after: 6_000 }, &random), None);
    }

    #[test]
    fn what_will_fail_again_is_not_repeated() {
        let random = Seeded(AtomicU64::new(7));
        let message = String::new;
        let errors = [
            TransportError::Denied { message: message() },
            TransportError::Diverged { message: message() },
            TransportError::Nonsense { message: message() },
            TransportError::TooLarge { message: message() },
            TransportError::Expired,
            TransportError::Superseded,
        ];
        for error in errors {
            assert_eq!(RETRY.wait(1, &error, &random), None, "{error:?}");
        }
    }
}
