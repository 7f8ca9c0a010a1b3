//! The runs in which a log was written, and where each began: what of a cursor can be told once the log was cut.

use super::row::Row;
use crate::model::codec::{self, Reader, Writer};
use crate::transport::{Cursor, Epoch};

/// The most that are kept: a hub that starts once a day needs some years for it.
const MOST: usize = 1_024;

/// Where each epoch began, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    begun: Vec<Begun>,
    /// Up to this entry nothing is known any more.
    forgotten: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Begun {
    epoch: Epoch,
    /// The number of the last entry before it.
    after: u64,
}

impl Epochs {
    /// The epoch in which a hub adds to the log that began `own` at its start. Hubs of one store share the youngest.
    pub(super) fn current(&self, own: Epoch) -> Epoch {
        match self.begun.last() {
            Some(last) if self.begun.iter().any(|begun| begun.epoch == own) => last.epoch,
            _ => own,
        }
    }

    /// Takes notice of a row that was added.
    pub(super) fn note(&mut self, row: &Row) {
        if row.steps() == 0 || self.begun.last().is_some_and(|last| last.epoch == row.end.epoch) {
            return;
        }
        self.begun.push(Begun { epoch: row.end.epoch, after: row.start.seq });
        if self.begun.len() > MOST {
            self.begun.remove(0);
            self.forgotten = self.begun[0].after;
        }
    }

    /// Whether a cursor up to the log's end may be on this log. What comes from a log that went on elsewhere is of an
    /// epoch that is not known here, or ended here before.
    pub(super) fn may_have(&self, cursor: Cursor) -> bool {
        let ends = self.begun.iter().skip(1).map(|next| next.after).chain([u64::MAX]);
        let has =
            |(begun, end): (&Begun, u64)| begun.epoch == cursor.epoch && begun.after < cursor.seq && cursor.seq <= end;
        cursor.epoch == Epoch::default() || cursor.seq <= self.forgotten || self.begun.iter().zip(ends).any(has)
    }

    pub(super) fn encode(&self, w: &mut Writer) {
        w.u64(self.forgotten);
        w.list(&self.begun, |w, begun| {
            w.u64(begun.epoch.0);
            w.u64(begun.after);
        });
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> codec::Result<Self> {
        let forgotten = r.u64()?;
        let begun = r.list(|r| Ok(Begun { epoch: Epoch(r.u64()?), after: r.u64()? }))?;
        Ok(Self { begun, forgotten })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::row::{Content, Joined};

    /// A row of one step.
    fn row(seq: u64, epoch: u64) -> Row {
        let start = Cursor { seq, ..Cursor::default() };
        Row::new(0, start, Epoch(epoch), Content::Joined(Joined::default())).unwrap()
    }

    #[test]
    fn hubs_of_one_store_share_the_youngest() {
        let mut epochs = Epochs::default();
        assert_eq!(epochs.current(Epoch(1)), Epoch(1));
        epochs.note(&row(0, 1));
        assert_eq!(epochs.current(Epoch(2)), Epoch(2));
        epochs.note(&row(1, 2));
        assert_eq!(epochs.current(Epoch(1)), Epoch(2));
        epochs.note(&row(2, 2));
        assert_eq!(epochs.begun.len(), 2);
    }

    #[test]
    fn the_oldest_are_forgotten_and_then_nothing_is_said_of_them() {
        let mut epochs = Epochs::default();
        for n in 0..MOST as u64 + 10 {
            epochs.note(&row(n, n + 1));
        }
        let may_have = |seq, epoch| epochs.may_have(Cursor { seq, epoch: Epoch(epoch), ..Cursor::default() });
        assert_eq!(epochs.begun.len(), MOST);
        assert!(may_have(10, 10) && may_have(10, 77) && may_have(11, 11));
        assert!(!may_have(11, 10) && !may_have(11, 12) && !may_have(11, 77));
        assert!(may_have(MOST as u64 + 10, MOST as u64 + 10) && !may_have(MOST as u64 + 10, 77));
        let mut w = Writer::plain();
        epochs.encode(&mut w);
        assert_eq!(Epochs::decode(&mut Reader::plain(&w.finish())).unwrap(), epochs);
    }
}
