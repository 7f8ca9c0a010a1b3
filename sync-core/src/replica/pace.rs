//! How much is sent and asked for at once. A link may be too slow for what the hub takes, or a proxy take less: after a
//! request that did not get through the next ones are smaller, and after several that did, larger again.

use crate::transport::TransportError;

/// How often it is halved at most.
const MOST_HALVINGS: u32 = 20;

/// After so many that got through more is tried.
const STEADY: u32 = 8;

/// How much of what there could be is put into a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    halvings: u32,
    /// How many got through since it changed.
    got_through: u32,
}

impl Pace {
    /// So much of `most`.
    pub(crate) fn of(self, most: u64) -> u64 {
        (most >> self.halvings).max(1)
    }

    /// A request got through.
    pub(crate) fn got_through(&mut self) {
        self.got_through += 1;
        if self.got_through >= STEADY {
            *self = Self { halvings: self.halvings.saturating_sub(1), got_through: 0 };
        }
    }

    /// A request of this size, of the `most` that there could be, failed with this: the next one is smaller. Whether that is
    /// worth a try at once.
    pub(crate) fn failed(&mut self, error: &TransportError, size: u64, most: u64) -> bool {
        let may_be_its_size = matches!(error, TransportError::TooLarge { .. } | TransportError::Offline { .. });
        if !may_be_its_size || self.halvings >= MOST_HALVINGS {
            return false;
        }
        self.got_through = 0;
        self.halvings += 1;
        while self.halvings < MOST_HALVINGS && self.of(most) > (size / 2).max(1) {
            self.halvings += 1;
        }
        matches!(error, TransportError::TooLarge { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_slows_down_and_recovers() {
        let (offline, large) =
            (TransportError::Offline { message: String::new() }, TransportError::TooLarge { message: String::new() });
        let mut pace = Pace::default();
        assert!(!pace.failed(&TransportError::Superseded, 1_000, 1_000), "that is not for its size");
        assert_eq!(pace.of(1_000), 1_000);
        assert!(!pace.failed(&offline, 1_000, 1_000), "who is offline is not asked at once again");
        assert!(pace.failed(&large, 500, 1_000));
        assert_eq!(pace.of(1_000), 250);
        (0..2 * STEADY).for_each(|_| pace.got_through());
        assert_eq!(pace.of(1_000), 1_000);
        // One that is sent again is at most half of what failed.
        assert!(pace.failed(&large, 20, 1_000));
        assert!(pace.of(1_000) <= 10);
        assert!((0..100).filter(|_| pace.failed(&large, 1, 1_000)).count() < MOST_HALVINGS as usize);
        assert_eq!(pace.of(1_000), 1);
    }
}
