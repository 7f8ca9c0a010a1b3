//! What comes into a hub's log: each entry goes on where the log ended, and is what somebody wrote, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use sync_core::transport::TransportError;
use sync_core::{Action, Clock, Entry, VersionVector};

use super::chronicle::Logged;
use super::fault::Fault;
use super::space::News;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;

impl World<'_> {
    /// Reads what became durable in a space's log. `pushed` are the entries that may have.
    pub(super) fn observe(&mut self, at: usize, pushed: &[Entry]) -> Holds {
        let unreadable = |error: TransportError| broken(Rule::NoFailure, format!("the log cannot be read: {error}"));
        for news in self.spaces[at].news() {
            match news.or_else(unreadable)? {
                News::Entries(entries, cursor) => {
                    for (seq, entry) in entries {
                        let write = self.logged(at, seq, &entry, pushed)?;
                        self.trace.note_bytes(&entry.hash().0.to_le_bytes());
                        self.trace.say(format_args!("    #{seq} {}", entry.to_json(None)));
                        self.tally.entries += 1;
                        self.spaces[at].chronicle.add(Logged { entry, write });
                    }
                    self.spaces[at].chronicle.now.cursor = cursor;
                }
                News::Anew(cursor, vector) => {
                    self.spaces[at].chronicle.begin_anew(cursor, vector);
                    self.recount(at)?;
                }
            }
        }
        let last = self.spaces[at].chronicle.now.log.last();
        match last.and_then(|last| Some((last.entry.dot().n, last.entry.group?))) {
            Some((n, group)) if n + 1 < group.first + group.count => {
                let what =
                    format!("the log ends within the transaction of {} entries from {} on", group.count, group.first);
                broken(Rule::Whole, what)
            }
            _ => Ok(()),
        }
    }

    /// An entry came into the log; which write it is.
    fn logged(
        &mut self,
        at: usize,
        seq: u64,
        entry: &Arc<Entry>,
        pushed: &[Entry],
    ) -> Result<Option<usize>, Violation> {
        let space = &mut self.spaces[at];
        let (dot, now) = (entry.dot(), &space.chronicle.now);
        if seq != now.end() + 1 {
            return broken(Rule::Cursor, format!("entry {seq} follows entry {}", now.end()));
        }
        let wall = space.clock.now().saturating_add(space.settings.limits.drift);
        if entry.origin.time > wall.max(space.greatest.saturating_add(1)) {
            return broken(Rule::Bounded, format!("{dot} is stamped {}, and it is {wall} at most", entry.origin.time));
        }
        space.greatest = space.greatest.max(entry.origin.time);
        let known = now.vector.get(&dot.client).n;
        if dot.n != known + 1 {
            return broken(Rule::Named, format!("{dot} follows number {known} of its client"));
        }
        if let Some(named) = entry.named().find(|named| !now.vector.covers(named)) {
            return broken(Rule::Named, format!("{dot} names {named}, which the log does not have"));
        }
        if let (Action::Update | Action::Delete(_) | Action::Restore, 0) = (entry.action, space.losses)
            && entry.of.iter().all(|create| space.purged.contains(create))
        {
            return broken(Rule::SameAfter, format!("{dot} writes to {}, which is gone", entry.key));
        }
        if entry.action == Action::Purge {
            space.purged.extend(entry.of.iter().cloned());
        }
        if let Some(group) = entry.group {
            let behind = dot.n.saturating_sub(group.first);
            let before = now.log.len().checked_sub(behind as usize).and_then(|first| now.log.get(first..));
            if !before.is_some_and(|before| before.iter().all(|logged| logged.entry.group == Some(group))) {
                return broken(Rule::Whole, format!("{dot} is split from its transaction"));
            }
        }
        if let Some(id) = &entry.foreign_id
            && !space.foreign.insert((entry.origin.author().clone(), id.clone()))
            // What was compacted away is not known any more, and a snapshot that is given back does not tell.
            && !self.plan.faults.has(Fault::HubCompact)
            && space.losses == 0
        {
            return broken(Rule::Once, format!("the foreign entry {id} is in the log twice"));
        }
        let offered = pushed.iter().find(|offered| offered.dot() == dot && offered.hash() == entry.hash());
        let Some(write) = offered.and_then(|offered| self.ledger.find(offered.intent?)) else {
            let is_numbered = entry.foreign_id.is_none() && entry.action != Action::Purge;
            if is_numbered && space.losses == 0 && space.honest.contains(&dot.client) {
                return broken(Rule::Named, format!("somebody else pushed {dot}"));
            }
            return Ok(None);
        };
        space.honest.insert(dot.client.clone());
        let account = self.ledger.get_mut(write);
        if account.is_accepted && !account.may_come_twice {
            return broken(
                Rule::Once,
                format!("the write {:032x} comes into the log as {dot}, and was there", account.intent),
            );
        }
        if !account.is_said_by(entry) {
            return broken(Rule::Named, format!("{dot} is not what was written: {entry:?} instead of {account:?}"));
        }
        (account.is_accepted, account.accepted_at) = (true, seq);
        self.tally.mark(Mark::Accepted);
        if entry.group.is_some() {
            self.tally.mark(Mark::GroupAccepted);
        }
        Ok(Some(write))
    }

    /// The hub has lost data or got some back: which writes it has now, each once.
    pub(super) fn recount(&mut self, at: usize) -> Holds {
        let vector = self.spaces[at].chronicle.now.vector.clone();
        let present = self.writes_in(at, &vector)?;
        for (write, count) in present.iter().filter(|(_, count)| **count > 1) {
            let account = self.ledger.get(*write);
            if !account.may_come_twice {
                return broken(Rule::Once, format!("the hub has {account:?} {count} times"));
            }
            self.tally.mark(Mark::CameTwice);
        }
        let (space, named) = (&mut self.spaces[at], |logged: &&Logged| logged.entry.foreign_id.clone());
        let contents = space.chronicle.contents(&vector).unwrap_or_default();
        let foreign = contents.iter().filter_map(|logged| Some((logged.entry.origin.author().clone(), named(logged)?)));
        space.foreign = foreign.collect();
        let all: Vec<usize> = self.ledger.all().filter(|(_, write)| write.space == at).map(|(at, _)| at).collect();
        for write in all {
            self.ledger.get_mut(write).is_accepted = present.contains_key(&write);
        }
        Ok(())
    }

    /// The writes that a vector stands for, each with how often it is there.
    pub(super) fn writes_in(&self, at: usize, vector: &VersionVector) -> Result<BTreeMap<usize, u32>, Violation> {
        let contents = self.spaces[at].chronicle.contents(vector);
        let contents =
            contents.or_else(|dot| broken(Rule::Named, format!("nobody ever accepted {dot}, and it is there")))?;
        let mut writes = BTreeMap::new();
        for write in contents.iter().filter_map(|logged| logged.write) {
            *writes.entry(write).or_default() += 1;
        }
        Ok(writes)
    }
}
