//! What people wrote, and where each write is: the account that must balance after every step.

use std::collections::{BTreeSet, HashMap};

use sync_core::model::stamp::Name;
use sync_core::{Action, Dots, EntityKey, Entry, Op, VersionVector};

/// One write of somebody's: an intent, whatever it is called later.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) intent: u128,
    pub(super) space: usize,
    pub(super) key: EntityKey,
    pub(super) action: Action,
    pub(super) fields: Vec<(Name, Op)>,
    /// Whether somebody was told that it is durable.
    pub(super) is_promised: bool,
    /// The write before it in the same file.
    pub(super) before: Option<usize>,
    /// What its author had seen of what the hub accepted.
    pub(super) seen: VersionVector,
    /// Whether it names all that its author saw, or only what a form or a list had shown.
    pub(super) is_plain: bool,
    /// Whether a device ever listed it as refused.
    pub(super) was_refused: bool,
    /// Whether its user took it back, or wrote it anew.
    pub(super) is_given_up: bool,
    /// Whether it was lost with the last file that held it.
    pub(super) is_excused: bool,
    /// Whether the hub has it.
    pub(super) is_accepted: bool,
    /// Whether the hub lost it, and then had it offered from a copy of the file that never heard of the part of the log
    /// in which it was: neither can know that it is the same write when somebody else brings the lost one back.
    pub(super) may_come_twice: bool,
    /// Where in the log it came last.
    pub(super) accepted_at: u64,
}

/// Every write, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    writes: Vec<Write>,
    by_intent: HashMap<u128, usize>,
}

impl Ledger {
    pub(super) fn add(&mut self, write: Write) -> usize {
        let at = self.writes.len();
        self.by_intent.insert(write.intent, at);
        self.writes.push(write);
        at
    }

    pub(super) fn find(&self, intent: u128) -> Option<usize> {
        self.by_intent.get(&intent).copied()
    }

    pub(super) fn get(&self, at: usize) -> &Write {
        &self.writes[at]
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut Write {
        &mut self.writes[at]
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Write)> {
        self.writes.iter().enumerate()
    }

    /// The writes of a file, the last one first.
    pub(super) fn lineage(&self, last: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(last, |at| self.writes[*at].before)
    }
}

/// What a device's file holds by right.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// Which device it was made on, where that matters.
    pub(super) made_on: usize,
    /// The last write in it.
    pub(super) last: Option<usize>,
    /// Writes in it that were pending or set aside when last looked at.
    pub(super) open: Vec<usize>,
    /// Writes that were discarded, or written anew, by its user.
    pub(super) forgotten: BTreeSet<usize>,
    /// Whether it is a copy, was copied, or was put back.
    pub(super) is_copied: bool,
    /// Whether it met its hub.
    pub(super) is_bound: bool,
    /// Its cursor when last looked at.
    pub(super) cursor: u64,
    /// Which accepted entries were in it then.
    pub(super) vector: VersionVector,
    /// The last number under which something of a state was set aside in it then.
    pub(super) last_aside: u64,
}

impl Write {
    /// Whether an entry of the log says what was written: times, numbers and names may have changed since, no more.
    pub(super) fn is_said_by(&self, entry: &Entry) -> bool {
        entry.key == self.key && entry.action == self.action && plain(&entry.fields) == self.fields
    }
}

/// Operations without the names of what they remove.
pub(super) fn plain(fields: &[(Name, Op)]) -> Vec<(Name, Op)> {
    let unnamed = |op: &Op| match op {
        Op::Set { insert, remove } => {
            let remove = remove.iter().map(|(element, _)| (element.clone(), Dots::new()));
            Op::Set { insert: insert.clone(), remove: remove.collect() }
        }
        op => op.clone(),
    };
    fields.iter().map(|(name, op)| (name.clone(), unnamed(op))).collect()
}
