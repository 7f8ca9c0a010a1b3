//! What a hub accepts: each client's entries in the order of their numbers, a prefix of them.
//!
//! A pure function of the state and the push. What cannot be decided at all (a fork, a gap) takes nothing in.

use super::batch::Logged;
use super::draft::{Candidate, Draft};
use super::index::Intended;
use super::lane::{Lane, Slot, lanes};
use super::prepared::{Kind, Prepared, reject};
use crate::model::stamp::ClientId;
use crate::transport::{Rejection, TransportError, Verdict};

/// What was decided.
pub(super) struct Decision {
    /// One for each offer, in their order.
    pub(super) verdicts: Vec<Verdict>,
    /// What goes into the log.
    pub(super) accepted: Vec<Logged>,
    /// The clients of the push.
    pub(super) clients: Vec<ClientId>,
}

/// How a lane goes on.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    /// All was accepted so far.
    Open,
    /// Something was not: of what follows only what is invalid by itself is decided.
    Blocked,
    /// Something has another name, and its author has to see it first: of what follows only more of that kind is decided.
    Named,
    /// Nothing more is decided.
    Ended,
}

/// Decides a push of numbered entries.
pub(super) fn decide(
    mut draft: Draft<'_>,
    offers: &[Prepared],
    attempt: Option<u64>,
) -> Result<Decision, TransportError> {
    let lanes = lanes(offers);
    for lane in &lanes {
        check_client(&draft, lane, attempt)?;
    }
    for lane in lanes.iter().filter(|lane| !is_hub(&draft, lane)) {
        lane.check_history(offers, &draft.view)?;
    }
    let undecided = Verdict::Again { after: None, code: None };
    let mut verdicts: Vec<Verdict> = offers
        .iter()
        .map(|offer| match &offer.kind {
            Kind::Malformed { rejection, .. } => Verdict::Rejected(rejection.clone()),
            Kind::Entry { .. } => undecided.clone(),
        })
        .collect();
    for lane in &lanes {
        let course = if is_decided(&draft, lane, attempt) { Course::Ended } else { Course::Open };
        admit(&mut draft, lane, offers, course, &mut verdicts);
    }
    let clients = lanes.into_iter().map(|lane| lane.client).collect();
    Ok(Decision { verdicts, accepted: draft.accepted, clients })
}

/// Whether the client may push now, and on whose behalf.
fn check_client(draft: &Draft<'_>, lane: &Lane, attempt: Option<u64>) -> Result<(), TransportError> {
    let Some(standing) = draft.view.state.clients.get(&lane.client) else { return Ok(()) };
    if standing.principal.as_ref().is_some_and(|owner| owner != draft.rules.principal) {
        let message = format!("client {} belongs to another principal", lane.client);
        return Err(TransportError::Denied { message });
    }
    match attempt {
        Some(attempt) if attempt < standing.attempt => Err(TransportError::Superseded),
        _ => Ok(()),
    }
}

/// Whether this attempt was decided before: what is not in the log by now was refused then, and its author may know.
/// Another verdict would reach nobody.
fn is_decided(draft: &Draft<'_>, lane: &Lane, attempt: Option<u64>) -> bool {
    let standing = draft.view.state.clients.get(&lane.client);
    attempt.is_some_and(|attempt| attempt > 0 && standing.is_some_and(|standing| standing.attempt == attempt))
}

/// Whether the client id is one under which a hub numbers entries.
fn is_hub(draft: &Draft<'_>, lane: &Lane) -> bool {
    lane.client == *draft.rules.own
        || draft.view.state.clients.get(&lane.client).is_some_and(|standing| standing.is_hub)
}

fn admit(draft: &mut Draft<'_>, lane: &Lane, offers: &[Prepared], mut course: Course, verdicts: &mut [Verdict]) {
    if is_hub(draft, lane) {
        let message = "the client id is a hub's own: a replica has another";
        for slot in &lane.slots {
            verdicts[slot.at] = Verdict::Rejected(reject("forbidden", message, Some("clientId")));
        }
        return;
    }
    let known = draft.view.state.known(&lane.client).n;
    let mut first = 0;
    while first < lane.slots.len() {
        let slot = lane.slots[first];
        if (1..=known).contains(&slot.n) {
            if let Kind::Entry { entry, .. } = &offers[slot.at].kind {
                let seq = draft.view.place(entry.dot()).map(|place| place.seq);
                // That it is known was seen when the history was checked.
                verdicts[slot.at] = accepted(seq.unwrap_or_default());
            }
            first += 1;
            continue;
        }
        let (end, faults) = lane.unit(first, offers);
        let slots = &lane.slots[first..end];
        let decided = match course {
            Course::Ended => again(slots),
            Course::Named => {
                let unit = Unit::new(draft, slots, offers);
                let known = unit.known_names();
                if known.is_none() {
                    course = Course::Ended;
                }
                known.unwrap_or_else(|| again(slots))
            }
            _ if faults.iter().any(Option::is_some) => {
                course = Course::Blocked;
                refuse(slots, faults)
            }
            Course::Blocked => again(slots),
            Course::Open => {
                let (decided, onward) = admit_unit(draft, slots, offers);
                course = onward;
                decided
            }
        };
        for (slot, verdict) in slots.iter().zip(decided) {
            verdicts[slot.at] = verdict;
        }
        first = end;
    }
}

/// Entries that stand or fall together.
struct Unit<'a> {
    candidates: Vec<Candidate<'a>>,
    /// Which of them each slot has.
    which: Vec<usize>,
    /// Under which other names they were accepted before.
    known: Vec<Option<Intended>>,
}

impl<'a> Unit<'a> {
    fn new(draft: &Draft<'_>, slots: &[Slot], offers: &'a [Prepared]) -> Self {
        // The same entry may be offered twice in one push: it is taken in once.
        let mut candidates: Vec<Candidate<'_>> = Vec::new();
        let mut which: Vec<usize> = Vec::new();
        for slot in slots {
            let Kind::Entry { entry, intent, hash, .. } = &offers[slot.at].kind else { continue };
            if candidates.last().is_none_or(|(last, ..)| last.dot() != entry.dot()) {
                candidates.push((entry, *hash, *intent));
            }
            which.push(candidates.len() - 1);
        }
        let known = candidates.iter().map(|(entry, _, intent)| draft.known_as(entry, *intent)).collect();
        Self { candidates, which, known }
    }

    /// The verdicts if all were accepted before.
    fn known_names(&self) -> Option<Vec<Verdict>> {
        let known = self.which.iter().map(|at| self.known[*at].as_ref());
        let accepted = |known: &Intended| Verdict::Accepted { seq: known.seq, known_as: Some(known.dot.clone()) };
        known.map(|known| known.map(accepted)).collect()
    }
}

/// Decides entries that stand or fall together and have no fault by themselves.
fn admit_unit(draft: &mut Draft<'_>, slots: &[Slot], offers: &[Prepared]) -> (Vec<Verdict>, Course) {
    let unit = Unit::new(draft, slots, offers);
    if unit.known.iter().any(Option::is_some) {
        let Some(verdicts) = unit.known_names() else {
            let message = "a part of the group was accepted before under other names, and a part was not";
            return (vec![Verdict::Rejected(reject("group", message, Some("group"))); slots.len()], Course::Blocked);
        };
        return (verdicts, Course::Named);
    }
    let Unit { candidates, which, .. } = unit;
    if candidates.iter().any(|(entry, ..)| draft.is_ahead(entry.origin.time)) {
        return (vec![Verdict::Again { after: None, code: Some("clock".to_owned()) }; slots.len()], Course::Blocked);
    }
    match draft.take(&candidates) {
        Ok(seqs) => (which.iter().map(|at| accepted(seqs[*at])).collect(), Course::Open),
        Err((culprit, rejection)) => {
            let faults = which.iter().map(|at| (*at == culprit).then(|| rejection.clone()));
            (refuse(slots, faults.collect()), Course::Blocked)
        }
    }
}

fn again(slots: &[Slot]) -> Vec<Verdict> {
    vec![Verdict::Again { after: None, code: None }; slots.len()]
}

fn accepted(seq: u64) -> Verdict {
    Verdict::Accepted { seq, known_as: None }
}

/// The culprits with their reasons, the rest of the group with theirs.
fn refuse(slots: &[Slot], faults: Vec<Option<Rejection>>) -> Vec<Verdict> {
    let first = slots.first().map_or(0, |slot| slot.n);
    let with = || {
        reject("group", format!("another entry of the transaction from number {first} on was rejected"), Some("group"))
    };
    faults.into_iter().map(|fault| Verdict::Rejected(fault.unwrap_or_else(with))).collect()
}
