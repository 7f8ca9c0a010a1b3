//! One client's part of a push, in the order of its numbers.

use super::facts::View;
use super::index::Place;
use super::prepared::{Kind, Prepared, reject};
use crate::hashed::HashMap;
use crate::model::digest::Digest;
use crate::model::entry::{Entry, Group};
use crate::model::stamp::{ClientId, Dot};
use crate::transport::{Rejection, TransportError};

/// One client's part of a push.
pub(super) struct Lane {
    pub(super) client: ClientId,
    /// Each offer's number and its place in the push.
    pub(super) slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) n: u64,
    pub(super) at: usize,
}

/// Sorts a push by clients and numbers. What has no name that can be read stands behind its neighbour.
pub(super) fn lanes(offers: &[Prepared]) -> Vec<Lane> {
    let named: Vec<Option<Dot>> = offers
        .iter()
        .map(|offer| match &offer.kind {
            Kind::Entry { entry, .. } => Some(entry.dot().clone()),
            Kind::Malformed { dot, .. } => dot.clone(),
        })
        .collect();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut places: HashMap<ClientId, usize> = HashMap::default();
    let mut last: Option<Dot> = None;
    for (at, dot) in named.iter().enumerate() {
        let next =
            || named[at..].iter().flatten().next().map(|dot| Dot::new(dot.client.clone(), dot.n.saturating_sub(1)));
        let behind = || last.as_ref().map(|dot| Dot::new(dot.client.clone(), dot.n.saturating_add(1)));
        let Some(dot) = dot.clone().or_else(behind).or_else(next) else { continue };
        let place = *places.entry(dot.client.clone()).or_insert_with(|| {
            lanes.push(Lane { client: dot.client.clone(), slots: Vec::new() });
            lanes.len() - 1
        });
        lanes[place].slots.push(Slot { n: dot.n, at });
        last = Some(dot);
    }
    for lane in &mut lanes {
        lane.slots.sort_by_key(|slot| slot.n);
    }
    lanes
}

impl Lane {
    /// Whether the lane goes on from what is known of its client, and names nothing that nobody knows.
    /// Nothing of a push is taken in if it does not.
    pub(super) fn check_history(&self, offers: &[Prepared], view: &View<'_>) -> Result<(), TransportError> {
        let known = view.state.known(&self.client).n;
        let mut next = known.saturating_add(1);
        let mut contents: HashMap<u64, (Digest, Option<u128>)> = HashMap::default();
        for slot in &self.slots {
            let Kind::Entry { entry, hash, fault, intent } = &offers[slot.at].kind else {
                next = next.max(slot.n.saturating_add(1));
                continue;
            };
            if slot.n == 0 {
                // No client's number: the entry is at fault by itself.
                continue;
            }
            if slot.n <= known {
                self.check_known(entry, *hash, *intent, view)?;
                continue;
            }
            if slot.n > next {
                let message = format!(
                    "the push goes on with {}, and the hub knows this client's entries up to {known}",
                    entry.dot()
                );
                return Err(TransportError::Diverged { message });
            }
            next = next.max(slot.n.saturating_add(1));
            if *contents.entry(slot.n).or_insert((*hash, *intent)) != (*hash, *intent) {
                return Err(TransportError::Forked {
                    message: format!("the push has two different entries named {}", entry.dot()),
                });
            }
            if fault.is_none() {
                self.check_named(entry, view)?;
            }
        }
        Ok(())
    }

    fn check_known(
        &self,
        entry: &Entry,
        hash: Digest,
        intent: Option<u128>,
        view: &View<'_>,
    ) -> Result<(), TransportError> {
        // Two copies of a file may write the same at the same time: only what was meant tells them apart.
        let means_another = |place: &Place| match (intent, place.intent) {
            (Some(intent), Some(known)) => intent != known,
            (Some(intent), None) => view.intent(intent).is_some_and(|known| known.dot != *entry.dot()),
            (None, _) => false,
        };
        match view.place(entry.dot()) {
            Some(place) if place.hash == hash && !means_another(&place) => Ok(()),
            Some(_) => Err(TransportError::Forked { message: format!("{} is another entry here", entry.dot()) }),
            None => {
                let message =
                    format!("{} was accepted so long ago that its content is not known any more", entry.dot());
                Err(TransportError::Diverged { message })
            }
        }
    }

    fn check_named(&self, entry: &Entry, view: &View<'_>) -> Result<(), TransportError> {
        let own = |dot: &Dot| dot.client == self.client && dot.n < entry.dot().n;
        match entry.named().find(|dot| dot.n > view.state.known(&dot.client).n && !own(dot)) {
            None => Ok(()),
            Some(dot) => {
                let message = format!("{} names {dot}, which this hub does not have", entry.dot());
                Err(TransportError::Diverged { message })
            }
        }
    }

    /// The slots from `first` on that stand or fall together, and what is wrong with each by itself. Nothing of them was
    /// accepted before.
    pub(super) fn unit(&self, first: usize, offers: &[Prepared]) -> (usize, Vec<Option<Rejection>>) {
        let fault = |slot: &Slot| match &offers[slot.at].kind {
            Kind::Entry { fault, .. } => fault.clone(),
            Kind::Malformed { rejection, .. } => Some(rejection.clone()),
        };
        let same = |at: usize| self.slots[at..].iter().take_while(|slot| slot.n == self.slots[at].n).count();
        let Some(group) = self.group(first, offers) else {
            let end = first + same(first);
            return (end, self.slots[first..end].iter().map(fault).collect());
        };
        let members = self.slots[first..].iter().take_while(|slot| slot.n - group.first < group.count).count();
        let slots = &self.slots[first..first + members];
        let mut faults: Vec<Option<Rejection>> = slots.iter().map(fault).collect();
        if faults.iter().all(Option::is_none) && !self.is_whole(slots, group, offers) {
            let message =
                format!("the group of {} entries from {} on is not complete in the push", group.count, group.first);
            faults.fill(Some(reject("malformed", message, Some("group"))));
        }
        (first + members, faults)
    }

    /// The group that the slot is in; what cannot be read is in the one of the next entry that can.
    fn group(&self, at: usize, offers: &[Prepared]) -> Option<Group> {
        let n = self.slots[at].n;
        let contains = |group: &Group, n: u64| n >= group.first && n - group.first < group.count;
        let readable = self.slots[at..].iter().find_map(|slot| match &offers[slot.at].kind {
            Kind::Entry { entry, .. } => Some(entry),
            Kind::Malformed { .. } => None,
        })?;
        // A group that does not contain its own entry is that entry's fault alone.
        readable.group.filter(|group| contains(group, readable.dot().n) && contains(group, n))
    }

    /// Whether these are all of the group's entries, each saying so.
    fn is_whole(&self, slots: &[Slot], group: Group, offers: &[Prepared]) -> bool {
        let says_so = |slot: &Slot| match &offers[slot.at].kind {
            Kind::Entry { entry, .. } => entry.group == Some(group),
            Kind::Malformed { .. } => true,
        };
        let mut numbers: Vec<u64> = slots.iter().map(|slot| slot.n).collect();
        numbers.dedup();
        numbers.first() == Some(&group.first) && numbers.len() as u64 == group.count && slots.iter().all(says_so)
    }
}
