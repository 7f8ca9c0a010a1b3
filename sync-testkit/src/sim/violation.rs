//! What must never happen.

use std::fmt;

/// A rule that every step keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The same entries make the same state: on the hub, on every device, in the oracle.
    Converges,
    /// What was promised to be durable is accepted, pending, or set aside with a reason.
    Kept,
    /// What was written counts once.
    Once,
    /// One name has one content, for ever the one that was written.
    Named,
    /// What somebody wrote is what that device shows.
    ReadYourWrites,
    /// A cursor never goes back, and all up to it is there.
    Cursor,
    /// Restarting, checkpoints, compaction and bootstrap change nothing.
    SameAfter,
    /// A transaction is there as a whole or not at all.
    Whole,
    /// Conflicts are exactly the values that lost to writers who had not seen them.
    Conflicts,
    /// When all is well again, everything comes to rest.
    Quiet,
    /// Logs follow what was written, and nothing else.
    Bounded,
    /// Nothing fails without a reason that the simulator gave.
    NoFailure,
    /// Nothing panics.
    NoPanic,
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// Holds, or the rule that was broken.
pub(super) type Holds = Result<(), Violation>;

pub(super) fn broken<T>(rule: Rule, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { rule, what: what.into() })
}
