//! Entries of clients that do not number theirs and name nothing that they replace: the hub does both for them.
//!
//! Such a client says what it wants by time alone: it saw what is stamped lower and is in the log already. On
//! logs whose stamps respect causality the state is then exactly what replaying by stamp makes of it.

use std::sync::Arc;

use super::admit::Decision;
use super::draft::{Draft, gone};
use super::prepared::{Kind, Prepared, common_fault, reject};
use super::tail::foreign_content;
use crate::hashed::HashMap;
use crate::model::digest::Digest;
use crate::model::entry::{Action, Entry, LIFECYCLE};
use crate::model::op::{Family, Op};
use crate::model::record::Record;
use crate::model::register::Register;
use crate::model::stamp::{ClientId, Dot, Dots, Origin};
use crate::transport::{Limits, Rejection, Verdict};

/// The fields that the dialect's entities have beside those of the payload.
const RESERVED: [&str; 3] = ["id", "deleted", "updatedAt"];

/// What is wrong with a foreign entry by itself.
pub(super) fn fault(entry: &Entry, limits: &Limits) -> Option<Rejection> {
    let malformed =
        |member: &str, message: &str| Some(reject("malformed", format!("`{member}` {message}"), Some(member)));
    match entry.foreign_id.as_deref() {
        None => return malformed("n", "stands in an entry of the numbered dialect"),
        Some(id) if id.is_empty() || id.len() > 512 => return malformed("id", "is empty or too long"),
        Some(_) => {}
    }
    match entry.action {
        Action::Create | Action::Update => {}
        Action::Delete(_) if entry.fields.is_empty() => {}
        Action::Delete(_) => return malformed("payload", "of a delete has no fields"),
        Action::Restore | Action::Purge => {
            return Some(reject("forbidden", "this dialect has create, update and delete", Some("type")));
        }
    }
    let of_numbered = [
        ("replaces", !entry.replaces.is_empty()),
        ("of", !entry.of.is_empty()),
        ("saw", !entry.saw.is_empty()),
        ("group", entry.group.is_some()),
    ];
    if let Some((member, _)) = of_numbered.iter().find(|(_, present)| *present) {
        return malformed(member, "is for entries with a number");
    }
    for (name, op) in &entry.fields {
        if RESERVED.contains(&&**name) {
            return Some(reject("field", format!("`{name}` is not for writing"), Some(name)));
        }
        if !matches!(op, Op::Assign(_)) {
            return Some(reject("field", format!("`{name}` takes a plain value in this dialect"), Some(name)));
        }
    }
    common_fault(entry, limits)
}

/// What decides the order of a foreign batch: time first, and of one moment the create before what needs it.
fn order(entry: &Entry) -> (u64, u8, ClientId, Option<Arc<str>>) {
    let rank = match entry.action {
        Action::Create => 0,
        Action::Update => 1,
        _ => 2,
    };
    (entry.origin.time, rank, entry.origin.author().clone(), entry.foreign_id.clone())
}

/// Decides foreign entries, each for itself, and numbers those that are accepted.
pub(super) fn decide(mut draft: Draft<'_>, offers: &[Prepared], default_type: &str) -> Decision {
    let own = draft.rules.own.clone();
    let mut n = draft.view.state.known(&own).n;
    let mut fresh: HashMap<(ClientId, Arc<str>), (Digest, u64)> = HashMap::default();
    let mut verdicts: Vec<Option<Verdict>> = vec![None; offers.len()];
    let mut batch: Vec<(usize, &Entry)> = Vec::new();
    for (at, offer) in offers.iter().enumerate() {
        match &offer.kind {
            Kind::Malformed { rejection, .. } => verdicts[at] = Some(Verdict::Rejected(rejection.clone())),
            Kind::Entry { fault: Some(fault), .. } => verdicts[at] = Some(Verdict::Rejected(fault.clone())),
            Kind::Entry { entry, .. } => batch.push((at, &**entry)),
        }
    }
    batch.sort_by_cached_key(|(at, entry)| (order(entry), *at));
    for (at, entry) in batch {
        let author = entry.origin.author().clone();
        let id = entry.foreign_id.clone().unwrap_or_default();
        let content = foreign_content(entry);
        let known = draft.view.foreign(&author, &id).map(|known| (known.content, known.seq));
        let verdict = match known.or_else(|| fresh.get(&(author.clone(), id.clone())).copied()) {
            Some((same, seq)) if same == content => Verdict::Accepted { seq, known_as: None },
            Some(_) => Verdict::Rejected(reject(
                "id_reused",
                format!("another entry of {author} has the id {id:?}"),
                Some("id"),
            )),
            None => match admit(&mut draft, entry, default_type, Dot::new(own.clone(), n + 1)) {
                Ok(seq) => {
                    n += 1;
                    fresh.insert((author, id), (content, seq));
                    Verdict::Accepted { seq, known_as: None }
                }
                Err(rejection) => Verdict::Rejected(rejection),
            },
        };
        verdicts[at] = Some(verdict);
    }
    let undecided = || Verdict::Again { after: None, code: None };
    let verdicts = verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(undecided)).collect();
    Decision { verdicts, accepted: draft.accepted, clients: Vec::new() }
}

fn admit(draft: &mut Draft<'_>, offered: &Entry, default_type: &str, dot: Dot) -> Result<u64, Rejection> {
    if *offered.key.entity_type != *default_type {
        let message = format!("this dialect has entities of type `{default_type}` only");
        return Err(reject("forbidden", message, Some("entityType")));
    }
    let author = offered.origin.author().clone();
    let mut entry = offered.clone();
    let time = if draft.is_ahead(offered.origin.time) { corrected(draft, offered) } else { offered.origin.time };
    entry.origin = Origin { dot, time, author: Some(author) };
    entry.intent = None;
    if let (true, Some(record)) = (entry.action != Action::Create, draft.record(&entry.key)) {
        see(&mut entry, record);
    }
    if entry.action != Action::Create && entry.of.is_empty() {
        return Err(gone(&entry));
    }
    let hash = entry.hash();
    match draft.take(&[(&Arc::new(entry), hash, None)]) {
        Ok(seqs) => Ok(seqs[0]),
        Err((_, rejection)) => Err(rejection),
    }
}

/// The time of an entry whose author's clock is further ahead than the hub admits. These clients take no refusal, they
/// would not send the entry again: so it is taken in with the hub's time, or that of what they wrote to it before.
fn corrected(draft: &Draft<'_>, offered: &Entry) -> u64 {
    let author = offered.origin.author();
    let record = draft.record(&offered.key);
    let before = record.and_then(|record| origins(record).filter(|o| o.author() == author).map(|o| o.time).max());
    before.map_or(draft.rules.now, |before| before.max(draft.rules.now))
}

/// Where everything in a record comes from, but for what was added to counters.
fn origins(record: &Record) -> impl Iterator<Item = &Origin> {
    let created = record.creates().iter().filter_map(|create| create.origin.as_ref());
    let lifecycle = record.lifecycle().iter().map(|write| &write.origin);
    let siblings = record.registers().flat_map(|(_, _, register)| register.siblings()).map(|sibling| &sibling.origin);
    created.chain(lifecycle).chain(siblings)
}

/// Names what the entry's author is taken to have seen: what is there and stamped lower.
fn see(entry: &mut Entry, record: &Record) {
    let origin = entry.origin.clone();
    let seen = |other: &Origin| other.cmp_stamp(&origin).is_lt();
    entry.of = record.grounds();
    if matches!(entry.action, Action::Delete(_)) {
        let lifecycle = record.lifecycle().iter().map(|write| &write.origin);
        let replaced: Dots = lifecycle.filter(|other| seen(other)).map(|other| other.dot.clone()).collect();
        if !replaced.is_empty() {
            entry.replaces.push((LIFECYCLE.into(), replaced));
        }
        entry.saw = record.registers().flat_map(|(_, _, register)| written(register, &seen)).collect();
        entry.saw.sort();
        entry.saw.dedup();
        return;
    }
    for (name, _) in &entry.fields {
        let siblings = record.get(name, &Family::Assign).map_or(&[][..], Register::siblings);
        let replaced = siblings.iter().map(|sibling| &sibling.origin).filter(|other| seen(other));
        let replaced: Dots = replaced.map(|other| other.dot.clone()).collect();
        if !replaced.is_empty() {
            entry.replaces.push((name.clone(), replaced));
        }
    }
}

/// The writes of a register that the author saw. What a client added to a counter has no single stamp: all of it counts as seen.
fn written(register: &Register, seen: &impl Fn(&Origin) -> bool) -> Dots {
    match register {
        Register::Siblings(siblings) => siblings
            .iter()
            .map(|sibling| &sibling.origin)
            .filter(|origin| seen(origin))
            .map(|origin| origin.dot.clone())
            .collect(),
        Register::Set(elements) => {
            let insertions = elements.values().flatten().map(|(origin, _)| origin);
            insertions.filter(|origin| seen(origin)).map(|origin| origin.dot.clone()).collect()
        }
        Register::Counter { .. } => register.dots(),
    }
}
