//! How much of its journal a replica keeps of itself: what is folded and decided serves the log that people read, and
//! nothing else.

use std::time::Duration;

use crate::model::codec::{self, Reader, Writer};
use crate::store::Position;

/// How much of its journal a replica keeps. What is pending, was refused, or is not folded yet is kept in any case, and
/// what anything looks like never depends on it: the journal behind the last checkpoint is history, for
/// [`Replica::log`](super::Replica::log) and [`Replica::explain`](super::Replica::explain).
///
/// What is dropped goes with checkpoints, in steps of about one checkpoint's entries. The file's pages are used again; the
/// file itself gets smaller by [`Replica::compact`](super::Replica::compact), and by itself when the last handle of a
/// replica is dropped that has cut off much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// Everything, until [`Replica::compact`](super::Replica::compact).
    Everything,
    /// At least so many commits, at most about twice as many.
    Commits(u64),
    /// What is not older than this.
    Age(Duration),
    /// So many bytes of commits.
    Bytes(u64),
}

impl Default for Keep {
    /// 64 MiB of history.
    fn default() -> Self {
        Keep::Bytes(64 << 20)
    }
}

/// How many marks are kept at most.
const MARKS: usize = 128;

/// Dropping less than this is not worth giving back to the system at once.
const MUCH: u64 = 8 << 20;

/// Where the journal was at which time, and how many bytes it had taken until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) position: Position,
    /// In milliseconds since the Unix epoch.
    pub(super) time: u64,
    /// Of all commits up to here, since the first one.
    pub(super) bytes: u64,
}

/// Marks along the journal, one for each of the last checkpoints; fewer the more there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    marks: Vec<Mark>,
    /// The bytes before the first commit that is kept.
    dropped: u64,
    /// Those that this process dropped.
    dropped_here: u64,
}

impl Marks {
    /// How many bytes were appended up to the last mark.
    pub(super) fn bytes(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.bytes)
    }

    /// A checkpoint is made here.
    pub(super) fn note(&mut self, mark: Mark) {
        if self.marks.last().is_some_and(|last| last.position >= mark.position) {
            return;
        }
        if self.marks.len() >= MARKS {
            // Every second one: what is kept is a little more than was asked for.
            let mut at = 0;
            self.marks.retain(|_| {
                at += 1;
                at % 2 == 0
            });
        }
        self.marks.push(mark);
    }

    /// Before which commit the journal may be dropped at `now`; 0 if all is to be kept.
    pub(super) fn drop_before(&self, keep: Keep, first: Position, now: Mark) -> Position {
        let marks = || self.marks.iter().filter(|mark| mark.position <= now.position).chain([&now]);
        let cut = match keep {
            Keep::Everything => None,
            Keep::Commits(keep) => {
                let kept = now.position.saturating_sub(first);
                (kept > keep.saturating_mul(2)).then(|| now.position - keep)
            }
            Keep::Age(age) => {
                let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                let old = marks().filter(|mark| mark.time.saturating_add(age) <= now.time);
                old.map(|mark| mark.position).max()
            }
            Keep::Bytes(bytes) => {
                let over = now.bytes.saturating_sub(self.dropped) > bytes;
                let small = marks().find(|mark| now.bytes - mark.bytes <= bytes);
                small.filter(|_| over).map(|mark| mark.position)
            }
        };
        cut.map_or(0, |position| position + 1)
    }

    /// The commits before this one were dropped.
    pub(super) fn dropped_before(&mut self, position: Position) {
        let kept = self.marks.partition_point(|mark| mark.position < position);
        if let Some(last) = self.marks[..kept].last() {
            self.dropped_here += last.bytes.saturating_sub(self.dropped);
            self.dropped = self.dropped.max(last.bytes);
        }
        self.marks.drain(..kept.saturating_sub(1));
    }

    /// Whether so much was dropped since the file was opened that giving it back is worth the time.
    pub(super) fn is_much_dropped(&self) -> bool {
        let kept = self.bytes().saturating_sub(self.dropped);
        self.dropped_here >= MUCH.max(kept)
    }

    /// What was dropped was given back.
    pub(super) fn given_back(&mut self) {
        self.dropped_here = 0;
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.u64(self.dropped);
        w.list(&self.marks, |w, mark| {
            w.u64(mark.position);
            w.u64(mark.time);
            w.u64(mark.bytes);
        });
    }

    pub(super) fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        let dropped = r.u64()?;
        let marks = r.list(|r| Ok(Mark { position: r.u64()?, time: r.u64()?, bytes: r.u64()? }))?;
        Ok(Self { marks, dropped, dropped_here: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(n: u64) -> Mark {
        Mark { position: n * 10, time: n * 1_000, bytes: n * 100 }
    }

    fn marks(until: u64) -> Marks {
        let mut marks = Marks::default();
        (1..=until).for_each(|n| marks.note(mark(n)));
        marks
    }

    #[test]
    fn what_is_kept_is_what_the_policy_says() {
        let marks = marks(9);
        let cut = |keep| marks.drop_before(keep, 1, mark(10));
        assert_eq!(cut(Keep::Everything), 0);
        assert_eq!(cut(Keep::Commits(50)), 0, "not twice as many yet");
        assert_eq!(cut(Keep::Commits(40)), 61);
        assert_eq!(cut(Keep::Age(Duration::from_secs(100))), 0);
        assert_eq!(cut(Keep::Age(Duration::from_secs(4))), 61, "what was there at second 6 is 4 s old");
        assert_eq!(cut(Keep::Age(Duration::ZERO)), 101, "all that is folded");
        assert_eq!(cut(Keep::Bytes(1_000)), 0);
        assert_eq!(cut(Keep::Bytes(350)), 71, "300 bytes remain");
        assert_eq!(cut(Keep::Bytes(0)), 101);
    }

    #[test]
    fn dropped_bytes_do_not_count_as_kept() {
        let mut marks = marks(10);
        marks.dropped_before(71);
        assert_eq!(marks.dropped, 700);
        assert_eq!(marks.drop_before(Keep::Bytes(300), 71, mark(10)), 0);
        assert_eq!(marks.drop_before(Keep::Bytes(200), 71, mark(10)), 81);
        assert_eq!(marks.drop_before(Keep::Age(Duration::from_secs(4)), 71, mark(10)), 0, "nothing more");
        assert!(!marks.is_much_dropped());
        marks.note(Mark { position: 200, time: 0, bytes: 10 * MUCH });
        marks.note(Mark { position: 210, time: 0, bytes: 10 * MUCH + 1 });
        marks.dropped_before(201);
        assert!(marks.is_much_dropped());
        marks.given_back();
        assert!(!marks.is_much_dropped());
    }

    #[test]
    fn there_are_never_many_marks_and_they_read_back() {
        let marks = marks(100_000);
        assert!(marks.marks.len() <= MARKS);
        assert_eq!(marks.bytes(), 100_000 * 100);
        assert!(marks.drop_before(Keep::Bytes(5_000_000), 1, mark(100_001)) > 100_000, "about the last half goes on");
        let mut w = Writer::plain();
        marks.write(&mut w);
        let bytes = w.finish();
        assert_eq!(Marks::read(&mut Reader::plain(&bytes)).unwrap(), marks);
    }
}
