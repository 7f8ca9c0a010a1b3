//! Who had seen what, as the simulator knows it: not from what entries name, but from what their authors' devices held.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::stamp::Name;
use sync_core::{Action, Dot, EntityKey, Family};

use super::chronicle::Logged;
use super::ledger::Write;
use super::tally::Mark;
use super::violation::{Holds, Rule, broken};
use super::world::World;
use crate::oracle::EntityForm;

impl World<'_> {
    /// The siblings of a register are exactly the writes that no author of another one had seen, and so what is listed
    /// as a conflict is what lost to somebody who had not seen it.
    pub(super) fn conflicts(&mut self, at: usize, forms: &BTreeMap<EntityKey, EntityForm>) -> Holds {
        let hidden: u64 = forms.values().filter(|form| !form.hidden.is_empty()).count() as u64;
        let listed: u64 = forms.values().filter(|form| !form.conflicts.is_empty()).count() as u64;
        self.tally.add(Mark::Hidden, hidden);
        self.tally.add(Mark::Conflict, listed);
        let mut registers: BTreeMap<(&EntityKey, &Name, Family), Vec<&Logged>> = BTreeMap::new();
        let mut uncertain: BTreeSet<(&EntityKey, &Name, Family)> = BTreeSet::new();
        if self.spaces[at].losses > 0 {
            // A name may have had two contents: who had seen which is not known here.
            return Ok(());
        }
        let log = &self.spaces[at].chronicle.now.log;
        if self.spaces[at].chronicle.now.base > 0 {
            return Ok(());
        }
        for logged in log {
            // What one copy of a file took for refused, and another one had accepted, was not replaced by the former.
            let is_plain = |account: &Write| account.is_plain && !account.was_refused;
            let is_plain = logged.write.is_some_and(|write| is_plain(self.ledger.get(write)));
            for (name, op) in &logged.entry.fields {
                let register = (&logged.entry.key, name, op.family());
                if !is_plain {
                    // Foreign authors, and forms that were opened earlier: what they saw is not known here.
                    uncertain.insert(register.clone());
                }
                registers.entry(register).or_default().push(logged);
            }
            // Under a field's new name somebody wrote over its former one.
            for (name, _) in &logged.entry.replaces {
                if !logged.entry.fields.iter().any(|(written, _)| written == name) {
                    uncertain.insert((&logged.entry.key, name, Family::Assign));
                }
            }
        }
        let purges = log.iter().filter(|logged| logged.entry.action == Action::Purge);
        let purged: BTreeSet<&EntityKey> = purges.map(|logged| &logged.entry.key).collect();
        for (register, writes) in registers {
            if uncertain.contains(&register)
                || purged.contains(register.0)
                || !matches!(register.2, Family::Assign | Family::First)
            {
                continue;
            }
            let (key, name, family) = register;
            let unseen = writes.iter().filter(|write| !writes.iter().any(|other| self.had_seen(other, write)));
            let expected: BTreeSet<Dot> = unseen.map(|write| write.entry.dot().clone()).collect();
            let form = forms.get(key).and_then(|form| form.fields.get(&(name.clone(), family)));
            let shown: BTreeSet<Dot> =
                form.map(|form| form.ranked.iter().map(|s| s.origin.dot.clone()).collect()).unwrap_or_default();
            if shown != expected {
                let what = format!(
                    "{name} of {key} has the siblings {shown:?}; those that nobody had seen who wrote it are {expected:?}"
                );
                return broken(Rule::Conflicts, what);
            }
        }
        Ok(())
    }

    /// Whether the author of `later` had seen `earlier` and wrote over it.
    fn had_seen(&self, later: &Logged, earlier: &Logged) -> bool {
        let (Some(later_write), Some(_)) = (later.write, earlier.write) else { return false };
        // A create replaces nothing.
        if later.entry.dot() == earlier.entry.dot() || later.entry.action == Action::Create {
            return false;
        }
        let account = self.ledger.get(later_write);
        account.seen.covers(earlier.entry.dot())
            || self.ledger.lineage(account.before).any(|before| earlier.write == Some(before))
    }
}
