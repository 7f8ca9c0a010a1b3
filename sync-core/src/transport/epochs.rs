//! The runs in which a hub wrote its log, and where each began: what of a cursor can be told once the log was cut, or
//! where the hub is not at hand.

use crate::model::codec::{self, Reader, Writer};
use crate::transport::{Cursor, Epoch};

/// The most that are kept: a hub that starts once a day needs some years for it.
const MOST: usize = 1_024;

/// Where in a hub's log an [`Epoch`] began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: Epoch,
    /// The number of the last entry before it.
    pub after: u64,
}

/// Where each epoch of a log began, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epochs {
    begun: Vec<EpochStart>,
    /// Up to this entry nothing is known any more.
    forgotten: u64,
}

impl Epochs {
    /// The epoch in which a hub adds to the log that began `own` at its start. Hubs of one store share the youngest.
    pub(crate) fn current(&self, own: Epoch) -> Epoch {
        match self.begun.last() {
            Some(last) if self.begun.iter().any(|begun| begun.epoch == own) => last.epoch,
            _ => own,
        }
    }

    /// The last one that is known; none if none is.
    pub(crate) fn last(&self) -> Epoch {
        self.begun.last().map_or(Epoch::default(), |last| last.epoch)
    }

    /// Takes notice of entries that were added to the log behind the one with this number, in this epoch.
    pub(crate) fn note(&mut self, after: u64, epoch: Epoch) {
        if self.last() == epoch {
            return;
        }
        self.begun.push(EpochStart { epoch, after });
        self.forget();
    }

    fn forget(&mut self) {
        if let Some(excess) = self.begun.len().checked_sub(MOST).filter(|excess| *excess > 0) {
            self.begun.drain(..excess);
            self.forgotten = self.begun[0].after;
        }
    }

    /// Whether a cursor is on this log, which goes up to `end` at least; `None` if that is not known. What comes from a log
    /// that went on elsewhere is of an epoch that is not known here, or ended here before.
    pub(crate) fn tell(&self, cursor: Cursor, end: Cursor) -> Option<bool> {
        if cursor.epoch == Epoch::default() || end.epoch == Epoch::default() || cursor.seq <= self.forgotten {
            return None;
        }
        if self.last() != end.epoch {
            // Some epochs are not known that began after those that are: the last of these ended somewhere.
            if cursor.epoch == end.epoch {
                return Some(true);
            }
            if self.begun.last().is_none_or(|last| last.after < cursor.seq) {
                return None;
            }
        }
        let ends = self.begun.iter().skip(1).map(|next| next.after).chain([u64::MAX]);
        let has = |(begun, end): (&EpochStart, u64)| {
            begun.epoch == cursor.epoch && begun.after < cursor.seq && cursor.seq <= end
        };
        Some(self.begun.iter().zip(ends).any(has))
    }

    /// What somebody has to be told who knows the epochs of this log up to this one: nothing if there are no others, or
    /// that one and all since; all if it is not known here.
    pub(crate) fn since(&self, known: Epoch) -> &[EpochStart] {
        match self.begun.iter().position(|begun| begun.epoch == known) {
            Some(at) if at + 1 == self.begun.len() => &[],
            at => &self.begun[at.unwrap_or(0)..],
        }
    }

    /// Takes over what a hub [told](Self::since): what does not go on from what is known here takes its place.
    pub(crate) fn learn(&mut self, told: &[EpochStart]) {
        let Some(first) = told.first().filter(|_| told.is_sorted_by(|a, b| a.after < b.after)) else { return };
        match self.begun.iter().position(|begun| begun == first) {
            Some(at) => self.begun.truncate(at),
            None => (self.begun, self.forgotten) = (Vec::new(), first.after),
        }
        self.begun.extend_from_slice(told);
        self.forget();
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.forgotten);
        w.list(&self.begun, EpochStart::write);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        let forgotten = r.u64()?;
        Ok(Self { begun: r.list(EpochStart::read)?, forgotten })
    }
}

impl EpochStart {
    pub(crate) fn write(w: &mut Writer, begun: &Self) {
        w.u64(begun.epoch.0);
        w.u64(begun.after);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        Ok(Self { epoch: Epoch(r.u64()?), after: r.u64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64, epoch: u64) -> Cursor {
        Cursor { seq, epoch: Epoch(epoch), ..Cursor::default() }
    }

    fn begun(begun: &[(u64, u64)]) -> Vec<EpochStart> {
        begun.iter().map(|(epoch, after)| EpochStart { epoch: Epoch(*epoch), after: *after }).collect()
    }

    #[test]
    fn hubs_of_one_store_share_the_youngest() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.current(Epoch(1)), Epoch(1));
        epochs.note(0, Epoch(1));
        assert_eq!(epochs.current(Epoch(2)), Epoch(2));
        epochs.note(1, Epoch(2));
        assert_eq!(epochs.current(Epoch(1)), Epoch(2));
        epochs.note(2, Epoch(2));
        assert_eq!(epochs.begun.len(), 2);
    }

    #[test]
    fn the_oldest_are_forgotten_and_then_nothing_is_said_of_them() {
        let mut epochs = Epochs::default();
        for n in 0..MOST as u64 + 10 {
            epochs.note(n, Epoch(n + 1));
        }
        assert_eq!(epochs.begun.len(), MOST);
        let end = at(MOST as u64 + 10, MOST as u64 + 10);
        for (cursor, expected) in [
            (at(10, 10), None),
            (at(10, 77), None),
            (at(11, 0), None),
            (at(11, 11), Some(true)),
            (at(11, 10), Some(false)),
            (at(11, 12), Some(false)),
            (at(11, 77), Some(false)),
            (end, Some(true)),
            (at(MOST as u64 + 10, 77), Some(false)),
        ] {
            assert_eq!(epochs.tell(cursor, end), expected, "{cursor}");
        }
        let mut w = Writer::plain();
        epochs.write(&mut w);
        assert_eq!(Epochs::read(&mut Reader::plain(&w.finish())).unwrap(), epochs);
        let mut learned = Epochs::default();
        learned.learn(epochs.since(Epoch(3)));
        assert_eq!(learned, epochs, "what the hub has forgotten nobody learns");
    }

    #[test]
    fn a_replica_learns_what_it_does_not_know_and_what_the_log_is_now() {
        let hub = Epochs { begun: begun(&[(1, 0), (2, 5), (3, 9)]), forgotten: 0 };
        for (known, told, tells) in [
            (begun(&[]), 3, Some(true)),
            (begun(&[(1, 0)]), 3, Some(true)),
            (begun(&[(1, 0), (2, 5)]), 2, Some(true)),
            (begun(&[(1, 0), (2, 5), (3, 9)]), 0, Some(true)),
            // The hub was put back, and went on elsewhere.
            (begun(&[(1, 0), (7, 4)]), 3, Some(true)),
        ] {
            let mut replica = Epochs { begun: known, forgotten: 0 };
            let since = hub.since(replica.last());
            assert_eq!(since.len(), told);
            replica.learn(since);
            assert_eq!((&replica, replica.tell(at(5, 1), at(9, 3))), (&hub, tells));
            assert_eq!(replica.tell(at(6, 1), at(9, 3)), Some(false));
        }
        // One that was told of entries in an epoch of which it does not know where it began.
        for (cursor, expected) in [
            (at(4, 1), Some(true)),
            (at(4, 2), Some(false)),
            (at(10, 3), None),
            (at(10, 4), None),
            (at(10, 2), None),
            (at(10, 5), Some(true)),
        ] {
            assert_eq!(hub.tell(cursor, at(12, 5)), expected, "{cursor}");
        }
        // What does not join on is all that is known.
        let mut replica = Epochs { begun: begun(&[(1, 0)]), forgotten: 0 };
        replica.learn(&begun(&[(2, 5), (3, 9)]));
        assert_eq!((replica.tell(at(5, 1), at(9, 3)), replica.tell(at(6, 2), at(9, 3))), (None, Some(true)));
        // Nor is what makes no sense.
        let before = replica.clone();
        replica.learn(&begun(&[(2, 5), (4, 5)]));
        assert_eq!(replica, before);
    }
}
