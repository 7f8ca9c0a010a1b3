//! Folding batches by the hundred: usual entries are folded as numbers and slices of the bytes they came in, in rows
//! that lie side by side, and only what remains at the end is copied and made into records.
//!
//! Usual is a create of an entity that is new, an update of one create that assigns values and replaces what has
//! arrived, and the first delete of it, each the next entry of its client. Whatever is not usual is folded as an entry, by the one implementation of
//! what entries mean, into the record of its entity, which from then on stays one.

use smallvec::smallvec;

use super::Snapshot;
use crate::entity::Tombstone;
use crate::model::batch::BatchError;
use crate::model::batch::{Body, Row, Rows};
use crate::model::context::Known;
use crate::model::entry::Action;
use crate::model::hash::Hasher;
use crate::model::interner::{At, Interner};
use crate::model::op::Family;
use crate::model::record::{Create, Lifecycle, Record};
use crate::model::register::{Register, Sibling};
use crate::model::stamp::{Dots, Origin, Stamp};
use crate::model::value::Value;

/// A snapshot that takes batches in.
pub(super) struct Bulk<'a> {
    snapshot: Snapshot,
    interner: Interner,
    clients: Vec<Client>,
    /// Those of which the snapshot does not know all.
    ahead: Vec<u32>,
    places: Vec<Place>,
    nodes: Vec<Node<'a>>,
    /// Nodes to use again.
    free: Vec<u32>,
    /// The nodes that an entry replaces, each behind the place of its cell, in the order of the cells.
    replaced: Vec<(usize, u32)>,
    hasher: Hasher,
}

/// What is known of a client, and whether that is more than the snapshot knows.
struct Client {
    known: Known,
    is_ahead: bool,
}

/// Where an entity's state is.
enum Place {
    /// There is none.
    Nowhere,
    Flat(Flat),
    Record,
}

/// An entity with one create, one delete at most, and nothing but assigned values.
struct Flat {
    create: Write,
    updated: Option<Write>,
    deleted: Option<Box<Deleted>>,
    /// The first of its nodes.
    first: u32,
}

struct Deleted {
    write: Write,
    policy: Tombstone,
    saw: Vec<At>,
}

#[derive(Clone, Copy)]
struct Write {
    at: At,
    time: u64,
}

/// One write of a field that nobody replaced.
struct Node<'a> {
    field: u32,
    next: u32,
    write: Write,
    value: &'a str,
}

/// No node.
const END: u32 = u32::MAX;

impl<'a> Bulk<'a> {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            interner: Interner::default(),
            clients: Vec::new(),
            ahead: Vec::new(),
            places: Vec::new(),
            nodes: Vec::new(),
            free: Vec::new(),
            replaced: Vec::new(),
            hasher: Hasher::default(),
        }
    }

    /// Folds a batch from elsewhere in.
    pub(super) fn fold(&mut self, batch: &'a [u8]) -> Result<(), BatchError> {
        let mut rows = Rows::open(batch, false, std::mem::take(&mut self.interner))?;
        self.make_room(rows.interner());
        let mut row = Row::default();
        while rows.read(&mut row)? {
            if !self.usual(&row, rows.interner()) {
                self.entry(&row, rows.interner())?;
            }
        }
        self.interner = rows.into_interner();
        Ok(())
    }

    /// The snapshot with all that was folded.
    pub(super) fn finish(mut self) -> Snapshot {
        let interner = std::mem::take(&mut self.interner);
        self.catch_up(&interner);
        self.snapshot.records.reserve(self.places.len());
        for key in 0..self.places.len() {
            self.make_record(key as u32, &interner);
        }
        self.snapshot
    }

    /// Room for the clients and keys that this batch was the first to name.
    fn make_room(&mut self, interner: &Interner) {
        let (clients, keys) = interner.met();
        for client in self.clients.len()..clients {
            let known = self.snapshot.context.vector().get(&interner.client_at(client as u32).0);
            self.clients.push(Client { known, is_ahead: false });
        }
        let is_new = self.snapshot.records.is_empty();
        for key in self.places.len()..keys {
            let is_here = !is_new && self.snapshot.records.contains_key(&interner.key_at(key as u32).key);
            self.places.push(if is_here { Place::Record } else { Place::Nowhere });
        }
    }

    /// Folds what is usual; `false` if this is not, and nothing was changed.
    fn usual(&mut self, row: &Row<'a>, interner: &Interner) -> bool {
        let (client, n) = row.at;
        let next = self.clients[client as usize].known.n.wrapping_add(1);
        let is_whole = self.snapshot.waiting.is_empty() && !self.snapshot.context.has_gaps();
        if !row.is_plain || n != next || !is_whole {
            return false;
        }
        let is_folded = match row.action {
            Action::Create => self.create(row),
            Action::Update => self.update(row, interner),
            Action::Delete(policy) => self.delete(row, policy),
            _ => false,
        };
        if is_folded {
            let Client { known, is_ahead } = &mut self.clients[client as usize];
            *known = known.then(n, self.hasher.row(row, interner));
            if !std::mem::replace(is_ahead, true) {
                self.ahead.push(client);
            }
        }
        is_folded
    }

    fn create(&mut self, row: &Row<'a>) -> bool {
        let is_new = matches!(self.places[row.key as usize], Place::Nowhere) && row.of.is_empty();
        if !is_new || row.cells.iter().any(|cell| cell.replaced.is_some()) {
            return false;
        }
        let write = Write { at: row.at, time: row.time };
        let mut flat = Flat { create: write, updated: None, deleted: None, first: END };
        // From the last to the first, so that they are gone through as they lie.
        for cell in row.cells.iter().rev() {
            if let Body::Value(value) = cell.body {
                flat.first = self.node(Node { field: cell.name, next: flat.first, write, value });
            }
        }
        self.places[row.key as usize] = Place::Flat(flat);
        true
    }

    fn update(&mut self, row: &Row<'a>, interner: &Interner) -> bool {
        let Place::Flat(Flat { create, mut first, .. }) = self.places[row.key as usize] else { return false };
        if row.dots_of(row.of) != [create.at] || !self.find_replaced(first, row) {
            return false;
        }
        let write = Write { at: row.at, time: row.time };
        let replaced = std::mem::take(&mut self.replaced);
        let mut left = replaced.iter().peekable();
        for (place, cell) in row.cells.iter().enumerate() {
            let Body::Value(value) = cell.body else { continue };
            let mut of_cell = std::iter::from_fn(|| left.next_if(|(of, _)| *of == place));
            match of_cell.next() {
                Some((_, node)) => {
                    let Node { next, .. } = self.nodes[*node as usize];
                    self.nodes[*node as usize] = Node { field: cell.name, next, write, value };
                    for (_, also) in of_cell {
                        self.unlink(&mut first, *also);
                    }
                }
                None => first = self.node(Node { field: cell.name, next: first, write, value }),
            }
        }
        self.replaced = replaced;
        if let Place::Flat(flat) = &mut self.places[row.key as usize] {
            flat.first = first;
            if flat.updated.is_none_or(|updated| is_after(write, updated, interner)) {
                flat.updated = Some(write);
            }
        }
        true
    }

    fn delete(&mut self, row: &Row<'a>, policy: Tombstone) -> bool {
        let Place::Flat(flat) = &mut self.places[row.key as usize] else { return false };
        let saw = row.dots_of(row.saw);
        let has_arrived = |at: &At| at.1 <= self.clients[at.0 as usize].known.n;
        if row.dots_of(row.of) != [flat.create.at] || flat.deleted.is_some() || !saw.iter().all(has_arrived) {
            return false;
        }
        let write = Write { at: row.at, time: row.time };
        flat.deleted = Some(Box::new(Deleted { write, policy, saw: saw.to_vec() }));
        true
    }

    /// Finds the nodes that an entry replaces; whether each one that is not here was replaced before.
    fn find_replaced(&mut self, first: u32, row: &Row<'a>) -> bool {
        self.replaced.clear();
        for (place, cell) in row.cells.iter().enumerate() {
            for at in cell.replaced.iter().flat_map(|span| row.dots_of(*span)) {
                let is_it = |node: &Node<'_>| node.field == cell.name && node.write.at == *at;
                let found = self.nodes_from(first).find(|node| is_it(&self.nodes[*node as usize]));
                match found {
                    Some(node) if self.replaced.contains(&(place, node)) => {}
                    Some(node) => self.replaced.push((place, node)),
                    None if at.1 <= self.clients[at.0 as usize].known.n => {}
                    None => return false,
                }
            }
        }
        true
    }

    fn nodes_from(&self, first: u32) -> impl Iterator<Item = u32> {
        let next = |node: &u32| Some(self.nodes[*node as usize].next).filter(|next| *next != END);
        std::iter::successors(Some(first).filter(|first| *first != END), next)
    }

    fn node(&mut self, node: Node<'a>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.nodes[place as usize] = node;
            return place;
        }
        self.nodes.push(node);
        u32::try_from(self.nodes.len() - 1).expect("2^32 writes fit into no memory")
    }

    fn unlink(&mut self, first: &mut u32, node: u32) {
        let next = self.nodes[node as usize].next;
        let before = self.nodes_from(*first).find(|before| self.nodes[*before as usize].next == node);
        match before {
            Some(before) => self.nodes[before as usize].next = next,
            None => *first = next,
        }
        self.free.push(node);
    }

    /// Folds whatever an entry says.
    fn entry(&mut self, row: &Row<'a>, interner: &Interner) -> Result<(), BatchError> {
        self.catch_up(interner);
        self.make_record(row.key, interner);
        self.places[row.key as usize] = Place::Record;
        let entry = row.seen_canonical(row.entry(interner))?;
        self.snapshot.apply(&entry)?;
        self.clients[row.at.0 as usize].known = self.snapshot.context.vector().get(&entry.origin.dot.client);
        Ok(())
    }

    /// The snapshot learns what is known.
    fn catch_up(&mut self, interner: &Interner) {
        for number in self.ahead.drain(..) {
            let client = &mut self.clients[number as usize];
            client.is_ahead = false;
            self.snapshot.context.set(interner.client_at(number).0.clone(), client.known);
        }
    }

    /// An entity that is flat gets its record.
    fn make_record(&mut self, key: u32, interner: &Interner) {
        let place = std::mem::replace(&mut self.places[key as usize], Place::Record);
        let Place::Flat(flat) = place else { return };
        let origin = |write: Write| Origin { dot: interner.dot(write.at), time: write.time, author: None };
        let mut nodes: smallvec::SmallVec<[u32; 16]> = self.nodes_from(flat.first).collect();
        let order = |node: &u32| {
            let node = &self.nodes[*node as usize];
            (&interner.name_at(node.field).0, &interner.client_at(node.write.at.0).0, node.write.at.1)
        };
        nodes.sort_by(|a, b| order(a).cmp(&order(b)));
        let create = origin(flat.create);
        let mut record = Record::default();
        record.fields.reserve(nodes.len());
        for node in &nodes {
            let Node { field, write, value, .. } = self.nodes[*node as usize];
            let name = &interner.name_at(field).0;
            let sibling = Sibling {
                origin: origin(write),
                of: smallvec![create.dot.clone()],
                value: Value::from_canonical(value),
            };
            match record.fields.last_mut() {
                Some((last, _, Register::Siblings(siblings))) if last == name => siblings.push(sibling),
                _ => record.fields.push((name.clone(), Family::Assign, Register::Siblings(smallvec![sibling]))),
            }
        }
        let updated = flat.updated.map(|write| {
            let dot = interner.dot(write.at);
            Stamp { time: write.time, client: dot.client, n: dot.n }
        });
        if let Some(deleted) = flat.deleted {
            let Deleted { write, policy, saw } = *deleted;
            let mut saw: Dots = saw.iter().map(|at| interner.dot(*at)).collect();
            saw.sort();
            saw.dedup();
            let of = smallvec![create.dot.clone()];
            record.lifecycle.push(Lifecycle { origin: origin(write), of, delete: Some(policy), saw });
        }
        record.creates = smallvec![Create { dot: create.dot.clone(), origin: Some(create), updated }];
        self.free.extend(nodes);
        self.snapshot.records.insert(interner.key_at(key).key.clone(), record);
    }
}

/// Whether a write's stamp is the greater one.
fn is_after(write: Write, other: Write, interner: &Interner) -> bool {
    let client = |write: Write| &interner.client_at(write.at.0).0;
    (write.time, client(write), write.at.1) > (other.time, client(other), other.at.1)
}
