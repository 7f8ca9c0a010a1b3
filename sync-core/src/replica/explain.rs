//! Explaining a value: which entry won, under which rule, over which others.

use serde::Serialize;

use super::conflict::names;
use super::{LogEntry, LogState, Replica};
use crate::entity::{Entity, Id};
use crate::error::Error;
use crate::model::entry::EntityKey;
use crate::model::op::{Family, Op};
use crate::model::record::Record;
use crate::model::register::{Register, Sibling, rank};
use crate::model::stamp::{ClientId, Dot, Origin};
use crate::model::value::Value;
use crate::view;

/// Why a field shows what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// Nobody wrote it: the type's default.
    Default,
    /// It never leaves this device: what was written here last. No entry holds it, so there are no parts and no history.
    Local,
    /// One write, which replaced all that its author saw; nobody wrote without having seen it.
    OnlyWrite,
    /// Several that did not know of each other: the latest stamp wins.
    LatestStamp,
    /// Several that did not know of each other: the earliest stamp wins.
    EarliestStamp,
    /// The greatest value.
    Greatest,
    /// The least value.
    Least,
    /// The sum of all additions.
    Sum,
    /// The elements whose insertion nobody who saw it removed.
    Elements,
    /// What the user's own policy makes of the operations.
    Policy,
}

/// One write that takes part in a field's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The entry's id.
    pub id: String,
    /// Who wrote it.
    pub author: ClientId,
    /// When, in milliseconds since the Unix epoch by the hybrid logical clock.
    pub time: u64,
    /// What it wrote.
    pub value: Value,
    /// Whether the hub has it.
    pub accepted: bool,
    /// What it replaced, as far as the log on this device reaches back: the entries' ids.
    pub replaced: Vec<String>,
}

/// Why a field shows what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Explanation {
    /// The field.
    pub field: String,
    /// Under which rule it shows its value.
    pub rule: Rule,
    /// What shows, the winner first; then what does not, in the order in which it would.
    pub parts: Vec<Part>,
    /// The entries that wrote the field before and were replaced by someone who had seen them, the latest first, as
    /// far as the log on this device reaches back.
    pub history: Vec<Part>,
}

impl Replica {
    /// Explains a field's value. `O(log on this device)`, for it looks up what was replaced.
    ///
    /// ```
    /// # use sync_core::{replica::Rule, Id, MemoryStore, Replica, Syncable};
    /// # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String }
    /// # let replica = Replica::builder().register::<Note>().open(MemoryStore::new())?;
    /// let id = replica.create(Note { id: "n".into(), title: "a".into() })?.wait()?;
    /// replica.edit(&id, |note| note.title = "b".into())?.wait()?;
    /// let why = replica.explain(&id, "title")?;
    /// assert_eq!(why.rule, Rule::OnlyWrite);
    /// assert_eq!(why.parts[0].value.as_str(), "\"b\"");
    /// assert_eq!(why.history[0].value.as_str(), "\"a\"");
    /// assert_eq!(why.parts[0].replaced, [why.history[0].id.clone()]);
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] if the type has no such field; [`Error::Store`].
    pub fn explain<T: Entity>(&self, id: &Id<T, T::Key>, field: &str) -> Result<Explanation, Error> {
        let schema = self.schema(T::SCHEMA.name)?;
        let key = view::key(id);
        let Some(declared) = schema.fields.iter().find(|declared| declared.name == field) else {
            let names: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
            let message = format!("there is no field `{field}`; there are {}", names.join(", "));
            return Err(Error::Invalid { key, field: Some(field.to_owned()), message });
        };
        let record = self.visible(&key)?;
        if record.creates().is_empty() {
            return Err(Error::NotFound { key });
        }
        if declared.local {
            let stored = self.local_fields(&key)?;
            let rule = if view::local_value(declared, &stored).is_some() { Rule::Local } else { Rule::Default };
            return Ok(Explanation { field: field.to_owned(), rule, parts: Vec::new(), history: Vec::new() });
        }
        let family = declared.merge.family();
        let names = names(Some(schema), field);
        let mut parts = self.parts(&record, &names, &family);
        let rule = rule(&family, &parts);
        let history = self.history(&key, &names, &family, &mut parts)?;
        Ok(Explanation { field: field.to_owned(), rule, parts, history })
    }

    /// What takes part in a field's value, under whichever of its names it was written.
    fn parts(&self, record: &Record, names: &[String], family: &Family) -> Vec<Part> {
        let part = |dot: &Dot, author: &ClientId, time, value| Part {
            id: shown(dot),
            author: if dot.is_local() { self.state().client.clone() } else { author.clone() },
            time,
            value,
            accepted: !dot.is_local(),
            replaced: Vec::new(),
        };
        let written = |origin: &Origin, value: &Value| part(&origin.dot, origin.author(), origin.time, value.clone());
        let mut siblings: Vec<&Sibling> = Vec::new();
        let mut elements: Vec<(&Value, &Origin)> = Vec::new();
        let mut sums: Vec<(Dot, i128)> = Vec::new();
        for register in names.iter().filter_map(|name| record.get(name, family)) {
            match register {
                Register::Siblings(_) => siblings.extend(register.siblings()),
                Register::Set(of) => {
                    elements.extend(of.iter().flat_map(|(element, of)| of.iter().map(move |(o, _)| (element, o))));
                }
                Register::Counter { .. } => sums.extend(register.additions()),
            }
        }
        siblings.sort_by(|a, b| rank(family, b, a));
        elements.sort_by_key(|(element, _)| *element);
        let siblings = siblings.into_iter().map(|sibling| written(&sibling.origin, &sibling.value));
        let elements = elements.into_iter().map(|(element, origin)| written(origin, element));
        let sum = |(dot, sum): (Dot, i128)| part(&dot, &dot.client, 0, Value::from_canonical(sum.to_string()));
        siblings.chain(elements).chain(sums.into_iter().map(sum)).collect()
    }

    /// What wrote the field before, from the log; which says of the parts what they replaced, too.
    fn history(
        &self,
        key: &EntityKey,
        names: &[String],
        family: &Family,
        parts: &mut [Part],
    ) -> Result<Vec<Part>, Error> {
        let client = self.state().client.clone();
        let mut history = Vec::new();
        // What was refused wrote nothing.
        let wrote = |line: &LogEntry| line.entry.key == *key && !matches!(line.state, LogState::Rejected(_));
        let is_name = |name: &str| names.iter().any(|known| known == name);
        // What became of one that is pending no more may have been cut off the journal.
        let is_known = |dot: &Dot| !dot.is_local() || self.state().has(dot);
        let log = self.log()?;
        let lines = log.iter().rev().filter(|line| wrote(line));
        let ops = lines.flat_map(|line| line.entry.fields.iter().map(move |(name, op)| (line, name, op)));
        for (line, _, op) in ops.filter(|(_, name, op)| is_name(name) && op.family() == *family) {
            let entry = &line.entry;
            let id = shown(entry.dot());
            // A create writes every field, and to many of them nothing.
            let is_nothing = match op {
                Op::Add(delta) => *delta == 0,
                Op::Set { insert, remove } => insert.is_empty() && remove.is_empty(),
                _ => false,
            };
            if is_nothing {
                continue;
            }
            let replaced = names.iter().flat_map(|name| entry.replaced(name)).filter(|dot| is_known(dot));
            let replaced: Vec<String> = replaced.map(shown).collect();
            let accepted = line.state == LogState::Accepted;
            let author = if entry.dot().is_local() { &client } else { entry.origin.author() };
            // One that was accepted and has not come down yet takes part under its number on this device.
            let pending = line.number.map(|number| shown(&Dot::local(number)));
            let is_it = |part: &&mut Part| part.id == id || pending.as_ref() == Some(&part.id);
            let mut takes_part = false;
            // Each element of a set is a part.
            for part in parts.iter_mut().filter(is_it) {
                let (id, author, replaced) = (id.clone(), author.clone(), replaced.clone());
                *part = Part { id, author, accepted, replaced, value: part.value.clone(), time: part.time };
                takes_part = true;
            }
            if takes_part {
                continue;
            }
            history.push(Part {
                id,
                author: author.clone(),
                time: entry.origin.time,
                value: op.to_json(),
                accepted,
                replaced,
            });
        }
        Ok(history)
    }
}

fn rule(family: &Family, parts: &[Part]) -> Rule {
    match (family, parts.len()) {
        // Of a set that was emptied there is as little as of one that nobody wrote.
        (Family::Set, _) => Rule::Elements,
        (_, 0) => Rule::Default,
        (Family::Max, _) => Rule::Greatest,
        (Family::Min, _) => Rule::Least,
        (Family::Counter, _) => Rule::Sum,
        (Family::Own(_), _) => Rule::Policy,
        (_, 1) => Rule::OnlyWrite,
        (Family::First, _) => Rule::EarliestStamp,
        _ => Rule::LatestStamp,
    }
}

/// An entry without a number is shown by its number on this device.
fn shown(dot: &Dot) -> String {
    if dot.is_local() { format!("pending-{}", dot.n) } else { dot.to_string() }
}
