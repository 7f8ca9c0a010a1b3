//! How much is sent and asked for at once. A link may be too slow for what the hub takes, or a proxy take less: after a
//! request that did not get through the next ones are smaller, and after several that did, larger again.

use super::session::Session;
use crate::transport::{Transport, TransportError};

/// How often it is halved at most.
const MOST_HALVINGS: u32 = 20;

/// So many in a row that were not answered are made smaller at once. Behind them the hub may be what does not answer.
const MOST_UNANSWERED: u32 = 4;

/// When a smaller request is worth a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// It was the size.
    AtOnce,
    /// It was the size, if the hub answers small ones.
    IfAnswered,
    /// Not in this sync.
    Later,
}

/// After so many that got through more is tried.
const STEADY: u32 = 8;

/// How much of what there could be is put into a request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    halvings: u32,
    /// How many got through since it changed.
    got_through: u32,
    /// How many were not answered since the last one that got through.
    unanswered: u32,
}

impl Pace {
    /// So much of `most`.
    pub(crate) fn of(self, most: u64) -> u64 {
        (most >> self.halvings).max(1)
    }

    /// A request got through.
    pub(crate) fn got_through(&mut self) {
        self.got_through += 1;
        self.unanswered = 0;
        if self.got_through >= STEADY {
            *self = Self { halvings: self.halvings.saturating_sub(1), ..Self::default() };
        }
    }

    /// A request of this size, of the `most` that there could be, failed with this: the next one is smaller.
    pub(super) fn failed(&mut self, error: &TransportError, size: u64, most: u64) -> Retry {
        let retry = match error {
            TransportError::TooLarge { .. } => Retry::AtOnce,
            TransportError::Offline { .. } if self.unanswered < MOST_UNANSWERED => Retry::IfAnswered,
            TransportError::Offline { .. } => Retry::Later,
            _ => return Retry::Later,
        };
        if self.halvings >= MOST_HALVINGS {
            return Retry::Later;
        }
        self.unanswered += u32::from(retry == Retry::IfAnswered);
        self.got_through = 0;
        self.halvings += 1;
        // Each that is not answered costs a deadline, or several.
        let parts = if retry == Retry::AtOnce { 2 } else { 4 };
        while self.halvings < MOST_HALVINGS && self.of(most) > (size / parts).max(1) {
            self.halvings += 1;
        }
        retry
    }
}

impl Session {
    /// Whether a smaller request is worth a try now.
    pub(super) async fn tries_less(&self, retry: Retry, transport: &dyn Transport) -> bool {
        match retry {
            Retry::AtOnce => true,
            Retry::IfAnswered => self.hello(transport).await.is_ok(),
            Retry::Later => false,
        }
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
        assert_eq!(pace.failed(&TransportError::Superseded, 1_000, 1_000), Retry::Later, "that is not for its size");
        assert_eq!(pace.of(1_000), 1_000);
        assert_eq!(pace.failed(&offline, 1_000, 1_000), Retry::IfAnswered);
        assert_eq!(pace.of(1_000), 250);
        assert_eq!(pace.failed(&large, 250, 1_000), Retry::AtOnce);
        assert_eq!(pace.of(1_000), 125);
        (0..3 * STEADY).for_each(|_| pace.got_through());
        assert_eq!(pace.of(1_000), 1_000);
        // One that is sent again is at most half of what failed.
        assert_eq!(pace.failed(&large, 20, 1_000), Retry::AtOnce);
        assert!(pace.of(1_000) <= 10);
        let at_once = (0..100).filter(|_| pace.failed(&large, 1, 1_000) == Retry::AtOnce).count();
        assert!(at_once < MOST_HALVINGS as usize);
        assert_eq!(pace.of(1_000), 1);
    }

    #[test]
    fn more_is_tried_after_several_in_a_row() {
        let large = TransportError::TooLarge { message: String::new() };
        let mut pace = Pace::default();
        assert_eq!(pace.failed(&large, 1_000, 1_000), Retry::AtOnce);
        (1..STEADY).for_each(|_| pace.got_through());
        assert_eq!(pace.failed(&large, 500, 1_000), Retry::AtOnce);
        (1..STEADY).for_each(|_| pace.got_through());
        assert_eq!(pace.of(1_000), 250);
        pace.got_through();
        assert_eq!(pace.of(1_000), 500);
    }

    #[test]
    fn who_does_not_answer_is_not_asked_for_ever() {
        let offline = TransportError::Offline { message: String::new() };
        let mut pace = Pace::default();
        for _ in 0..2 {
            let retries: Vec<_> = (0..6).map(|_| pace.failed(&offline, 1 << 20, 1 << 20)).collect();
            assert_eq!(retries, [[Retry::IfAnswered; 4].as_slice(), &[Retry::Later; 2]].concat());
            pace.got_through();
        }
    }
}
