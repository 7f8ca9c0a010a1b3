//! Who had seen what, and so which conflicts there are: told by the definition alone, from the history of a test.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// How `notes conflicts` calls the register of deletes and restores.
pub(super) const DELETED: &str = "deleted";

/// A write, by its place in the order in which all were made.
struct Write {
    author: &'static str,
    note: &'static str,
    /// A field, or [`DELETED`].
    field: &'static str,
    /// Its value; whether it deletes, in [`DELETED`].
    value: Value,
    seen: BTreeSet<usize>,
}

/// All writes of a history. Devices know some of them.
#[derive(Default)]
pub(super) struct Oracle(Vec<Write>);

pub(super) type Known = BTreeSet<usize>;

impl Oracle {
    /// Notes a write by one who had seen this; its place.
    pub(super) fn write(
        &mut self,
        seen: &Known,
        author: &'static str,
        note: &'static str,
        field: &'static str,
        value: Value,
    ) -> usize {
        self.0.push(Write { author, note, field, value, seen: seen.clone() });
        self.0.len() - 1
    }

    /// What nobody overwrote who had seen it, the latest first.
    fn siblings(&self, known: &Known, note: &str, field: &str) -> Vec<usize> {
        let of_register = |at: &&usize| self.0[**at].note == note && self.0[**at].field == field;
        let all: Vec<usize> = known.iter().filter(of_register).copied().collect();
        let unseen = |at: &&usize| !all.iter().any(|other| self.0[*other].seen.contains(*at));
        all.iter().rev().filter(|at| unseen(at)).copied().collect()
    }

    pub(super) fn is_deleted(&self, known: &Known, note: &str) -> bool {
        self.siblings(known, note, DELETED).iter().any(|at| self.0[*at].value == true)
    }

    /// What a device shows that knows this: the latest of those that nobody knowingly overwrote.
    pub(super) fn shown(&self, known: &Known, note: &str, field: &str) -> &Value {
        &self.0[self.siblings(known, note, field)[0]].value
    }

    /// Every conflict that one who knows this has to see, in the order of the list.
    pub(super) fn conflicts(&self, known: &Known, notes: &[&str], fields: &[&'static str]) -> Vec<Value> {
        let mut found = Vec::new();
        for note in notes {
            if self.is_deleted(known, note) {
                found.extend(self.hidden(known, note, fields));
                continue;
            }
            for field in fields {
                let siblings = self.siblings(known, note, field);
                let differs = |at: &&usize| self.0[**at].value != self.0[siblings[0]].value;
                let losers: Vec<Value> = siblings.iter().filter(differs).map(|at| self.side(*at)).collect();
                if !losers.is_empty() {
                    found.push(json!({"id": note, "field": field, "winner": self.side(siblings[0]), "losers": losers}));
                }
            }
        }
        found
    }

    /// What a delete hides: restores and edits of those who had not seen it, and that its author had not seen.
    fn hidden(&self, known: &Known, note: &str, fields: &[&'static str]) -> Option<Value> {
        let (deletes, restores): (Vec<usize>, Vec<usize>) =
            self.siblings(known, note, DELETED).into_iter().partition(|at| self.0[*at].value == true);
        let mut edits: Vec<usize> = fields.iter().flat_map(|field| self.siblings(known, note, field)).collect();
        edits.retain(|at| !deletes.iter().any(|delete| self.0[*delete].seen.contains(at)));
        edits.sort_by_key(|at| std::cmp::Reverse(*at));
        let losers: Vec<Value> = restores.iter().chain(&edits).map(|at| self.side(*at)).collect();
        let conflict = json!({"id": note, "field": DELETED, "winner": self.side(deletes[0]), "losers": losers});
        (!losers.is_empty()).then_some(conflict)
    }

    fn side(&self, at: usize) -> Value {
        let Write { author, field, value, .. } = &self.0[at];
        match *field {
            DELETED => json!({"author": author, "value": null}),
            _ => json!({"author": author, "value": value}),
        }
    }
}
