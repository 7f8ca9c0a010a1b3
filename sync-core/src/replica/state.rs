//! What a replica knows: the effect of its journal, kept in memory beyond what the last checkpoint has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::checkpoint::Underway;
use super::cold::Read;
use super::intents::Intents;
use super::keep::Marks;
use super::names::{Namers, Names};
use super::overlay::Shown;
use super::pace::Pace;
use super::pending::{Pending, Queue};
use super::row::{Account, Decision, Logged, Row};
use crate::clock::HybridClock;
use crate::entity::Fields;
use crate::hashed::HashMap;
use crate::model::context::VersionVector;
use crate::model::digest::Digest;
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::{ClientId, Dot};
use crate::records::{Records, Table};
use crate::store::Position;
use crate::transport::{Cursor, Epochs, Limits, Link, Rejection};

/// The state of one replica. Changed by [`apply`](State::apply) alone, alike when a row is written and when it
/// is read again after opening.
pub(crate) struct State {
    /// Under which client id entries are offered.
    pub(crate) client: ClientId,
    /// Under which they were before this file was found to be a copy.
    pub(crate) former: Vec<ClientId>,
    /// The number of the first entry written here since: the others may be pending in another copy too.
    pub(crate) copied: u64,
    /// How many entries of `client` were accepted.
    pub(crate) accepted: u64,
    /// The last push's.
    pub(crate) attempt: u64,
    /// The number of the next entry written here.
    pub(crate) next_local: u64,
    pub(crate) clock: HybridClock,
    /// What the wall clock lacks to the hub's, in milliseconds.
    pub(crate) offset: i64,
    pub(crate) cursor: Cursor,
    /// The furthest that the hub ever told: with a page, or with its verdicts.
    pub(crate) told: Cursor,
    /// Where the epochs of the hub's log began, as far as it told: those up to its greeting.
    pub(crate) epochs: Epochs,
    pub(crate) account: Option<Account>,
    /// Of which hub and space the file was that the records come from, where the replica met no hub yet.
    pub(crate) of: Option<(String, String)>,
    /// When the last sync succeeded, by the hub's clock.
    pub(crate) last_synced: Option<u64>,
    pub(crate) limits: Limits,
    /// Which entries the records contain.
    pub(crate) vector: VersionVector,
    pub(crate) records: Records,
    /// Which table of the store's map holds the records' checkpoint.
    pub(crate) table: Table,
    /// Entries written here that the records do not contain yet.
    pub(crate) pending: Queue,
    /// What those are called that pending entries name and that are pending no more.
    pub(crate) names: Names,
    /// Under which names writes were accepted, since the checkpoint.
    pub(crate) intents: Intents,
    /// What shows of entities with pending entries.
    pub(crate) shown: Shown,
    /// Entries that were refused, by their local numbers.
    pub(crate) aside: BTreeMap<u64, Aside>,
    /// Fields that never leave the device, as far as they changed since the checkpoint.
    pub(crate) local: HashMap<EntityKey, Fields>,
    /// Entities that changed since this was last taken.
    pub(crate) changed: Vec<EntityKey>,
    /// Set-aside entries whose rows the next checkpoint drops, by their local numbers.
    pub(crate) dropped: Vec<u64>,
    /// Where the journal was at which time.
    pub(crate) marks: Marks,
    /// Whether the store's map still holds undecided entries of what was wiped.
    pub(crate) wiped: bool,
    /// How often the replica was wiped, as far as this process knows.
    pub(crate) wipes: u64,
    /// What the store's map covers, as far as this replica brought it there.
    pub(super) covers: Position,
    /// The checkpoint that may or may not be in the store's map by now.
    pub(super) underway: Option<Underway>,
    /// What was offered and is about to be decided, by local numbers, under the names under which it was: nothing but what
    /// [`numbered`](Self::numbered) makes again.
    pub(crate) sent: HashMap<u64, Arc<Entry>>,
    /// How much is offered at once, and asked for.
    pub(crate) push_pace: Pace,
    pub(crate) pull_pace: Pace,
    /// Entries whose place in their client's sequence is noted as they are folded.
    pub(crate) asked: HashMap<Dot, Option<Link>>,
}

/// An entry that was refused: kept until it is discarded or written anew.
#[derive(Debug, Clone)]
pub(crate) struct Aside {
    pub(crate) entry: Arc<Entry>,
    pub(crate) rejection: Rejection,
    pub(crate) stored: bool,
}

impl State {
    pub(crate) fn new(client: ClientId) -> Self {
        Self {
            client,
            former: Vec::new(),
            copied: 0,
            accepted: 0,
            attempt: 0,
            next_local: 1,
            clock: HybridClock::default(),
            offset: 0,
            cursor: Cursor::default(),
            told: Cursor::default(),
            epochs: Epochs::default(),
            account: None,
            of: None,
            last_synced: None,
            limits: Limits::default(),
            vector: VersionVector::default(),
            records: Records::default(),
            table: Table::default(),
            pending: Queue::default(),
            names: Names::default(),
            intents: Intents::default(),
            shown: Shown::default(),
            aside: BTreeMap::new(),
            local: HashMap::default(),
            changed: Vec::new(),
            dropped: Vec::new(),
            marks: Marks::default(),
            wiped: false,
            wipes: 0,
            covers: 0,
            underway: None,
            sent: HashMap::default(),
            push_pace: Pace::default(),
            pull_pace: Pace::default(),
            asked: HashMap::default(),
        }
    }

    /// Takes the effect of a row.
    pub(crate) fn apply(&mut self, row: &Row) {
        match row {
            Row::Client(client) => self.become_client(client.clone()),
            Row::Write { entries, local, forget } => {
                self.forget(forget);
                for entry in entries {
                    self.write(entry.clone());
                }
                for (key, fields) in local {
                    self.local.insert(key.clone(), fields.clone());
                    self.changed.push(key.clone());
                }
            }
            Row::Offer { attempt, numbers } => {
                self.attempt = *attempt;
                for (local, n) in numbers {
                    // It is in memory; but where a wipe comes behind this row, it may be gone from the map already.
                    self.alter(*local, |pending| pending.offered = Some(*n));
                }
            }
            Row::Verdicts { decisions, gone, told } => {
                self.hear_of(*told);
                for (local, entry) in gone {
                    self.alter(*local, |pending| pending.entry = entry.clone());
                }
                let mut namers = Namers::default();
                for (local, decision) in decisions {
                    self.decide(*local, decision, &mut namers);
                }
                self.sent.clear();
            }
            Row::Page { entries, cursor, gone, .. } => {
                self.strand(gone);
                for logged in entries {
                    self.receive(logged);
                }
                self.cursor = *cursor;
                self.hear_of(*cursor);
            }
            Row::Clock { offset, times } => self.correct(*offset, times),
            Row::Bind { account, limits } => {
                self.account = Some(account.clone());
                self.limits = *limits;
            }
            Row::Forget(locals) => self.forget(locals),
            Row::Told(told) => self.hear_of(*told),
            Row::Epochs(told) => self.epochs.learn(told),
            Row::Synced(at) => self.last_synced = Some(*at),
            Row::Wiped { client, table } => self.wipe(client.clone(), Table(*table)),
            Row::Adopted { table, cursor, told, epochs, latest, vector, aside, gone, kept, of } => {
                self.clock.see(*latest);
                self.table = Table(*table);
                (self.cursor, self.told) = (*cursor, *told);
                self.epochs.clone_from(epochs);
                self.of = of.clone();
                // Of another history nothing that was noted is known to hold.
                self.asked.values_mut().for_each(|noted| *noted = None);
                self.vector = vector.iter().cloned().collect();
                self.records.clear();
                self.shown.clear();
                self.accepted = self.vector.get(&self.client).n;
                self.settle_offered();
                self.take_back();
                let mut namers = Namers::default();
                for (local, rejection) in aside {
                    self.set_aside_whole(*local, rejection, &mut namers);
                }
                self.strand(gone);
                for kept in kept {
                    let aside = Aside { entry: kept.entry.clone(), rejection: kept.rejection.clone(), stored: false };
                    self.aside.insert(self.next_local, aside);
                    self.next_local += 1;
                }
                let waiting: BTreeSet<u64> = self.pending.waiting().map(|(_, local)| local).collect();
                for local in waiting {
                    self.land(local);
                }
            }
        }
    }

    /// Entries to what is purged are set aside as these, each with its transaction.
    fn strand(&mut self, gone: &[(u64, Arc<Entry>)]) {
        let mut namers = Namers::default();
        for (local, entry) in gone {
            let group = self.group_of(*local);
            self.alter(*local, |pending| pending.entry = entry.clone());
            self.set_aside(*local, &super::purge::gone_rejection(), &mut namers);
            self.set_aside_group(group, &mut namers);
        }
    }

    /// Keeps the furthest cursor.
    fn hear_of(&mut self, told: Cursor) {
        self.told = self.told.furthest(told);
    }

    /// Entries that were accepted, and that the hub has lost since, are offered again.
    fn take_back(&mut self) {
        let lost = self.pending.waiting().filter(|(dot, _)| !self.vector.covers(dot)).map(|(_, local)| local);
        for local in lost.collect::<Vec<u64>>() {
            self.alter(local, |pending| (pending.accepted_as, pending.offered) = (None, None));
        }
    }

    /// Entries whose verdict was lost are settled by a snapshot that contains them.
    fn settle_offered(&mut self) {
        let settled = self.pending.offered().take_while(|(n, _)| *n <= self.accepted);
        for (n, local) in settled.collect::<Vec<(u64, u64)>>() {
            self.settle(local, &Dot::new(self.client.clone(), n));
        }
    }

    /// Whether nothing was ever written here, and no hub was met: as which client this began nobody knows.
    pub(super) fn is_pristine(&self) -> bool {
        self.next_local == 1 && self.attempt == 0 && self.account.is_none() && self.vector.is_empty()
    }

    fn become_client(&mut self, client: ClientId) {
        if self.is_pristine() {
            self.client = client;
            return;
        }
        if self.client != client {
            let former = std::mem::replace(&mut self.client, client);
            self.former.push(former);
            self.copied = self.next_local;
            // Of equal times the client's name decides, no more the entries' numbers.
            self.clock.see(self.clock.accepted);
        }
        self.accepted = 0;
        let offered = self.pending.iter().filter(|(_, pending)| pending.offered.is_some());
        for local in offered.map(|(local, _)| local).collect::<Vec<u64>>() {
            self.alter(local, |pending| pending.offered = None);
        }
    }

    fn write(&mut self, entry: Arc<Entry>) {
        let local = entry.dot().n;
        self.next_local = self.next_local.max(local + 1);
        self.clock.issued(entry.origin.time);
        self.changed.push(entry.key.clone());
        self.pending.put(local, Pending { entry, offered: None, accepted_as: None });
        self.pending.is_new(local);
    }

    fn forget(&mut self, locals: &[u64]) {
        for local in locals {
            if let Some(aside) = self.aside.remove(local) {
                self.changed.push(aside.entry.key.clone());
                self.dropped.push(*local);
            }
        }
    }

    pub(super) fn alter(&mut self, local: u64, change: impl FnOnce(&mut Pending)) {
        if let Some(key) = self.pending.alter(local, change) {
            self.shown.forget(&key);
            self.changed.push(key);
        }
    }

    fn decide(&mut self, local: u64, decision: &Decision, namers: &mut Namers) {
        match decision {
            Decision::Accepted => {
                let Some(n) = self.pending.get(local).and_then(|pending| pending.offered) else { return };
                self.accepted = self.accepted.max(n);
                let dot = Dot::new(self.client.clone(), n);
                if !self.lands(local, &dot) {
                    self.alter(local, |pending| pending.accepted_as = Some(dot));
                }
            }
            Decision::KnownAs(dot) => {
                self.alter(local, |pending| {
                    pending.offered = None;
                    pending.accepted_as = Some(dot.clone());
                });
                self.land(local);
            }
            Decision::Rejected(rejection) => self.set_aside(local, rejection, namers),
            Decision::Again => self.alter(local, |pending| pending.offered = None),
        }
    }

    /// Moves an accepted entry into the records, if they contain all that it names.
    fn land(&mut self, local: u64) {
        if let Some(dot) = self.pending.get(local).and_then(|pending| pending.accepted_as.clone()) {
            self.lands(local, &dot);
        }
    }

    /// The same of one that was accepted under this name. Says whether it is there.
    fn lands(&mut self, local: u64, dot: &Dot) -> bool {
        if self.vector.covers(dot) {
            // Until now it showed beside itself.
            self.changed.extend(self.pending.get(local).map(|pending| pending.entry.key.clone()));
            self.settle(local, dot);
            return true;
        }
        if dot.client != self.client || dot.n != self.vector.get(&dot.client).n + 1 {
            return false;
        }
        let sent = self.sent.remove(&local).filter(|sent| sent.dot() == dot);
        let entry = sent.or_else(|| self.numbered(local, dot.clone()).map(Arc::new));
        let Some(entry) = entry.filter(|entry| entry.named().all(|named| self.vector.covers(named))) else {
            return false;
        };
        debug_assert_eq!(self.numbered(local, dot.clone()).as_ref(), Some(&*entry));
        let hash = entry.hash();
        self.fold(entry, hash);
        true
    }

    /// Takes an entry of the hub's log.
    fn receive(&mut self, Logged { entry, hash }: &Logged) {
        if self.vector.covers(entry.dot()) {
            return;
        }
        if entry.dot().client == self.client {
            self.accepted = self.accepted.max(entry.dot().n);
        }
        self.fold(entry.clone(), *hash);
    }

    /// Folds an entry into the records; a pending one that it is leaves the queue.
    fn fold(&mut self, entry: Arc<Entry>, hash: Digest) {
        let dot = entry.dot().clone();
        if *entry.origin.author() == self.client {
            self.clock.was_accepted(entry.origin.time);
        } else {
            self.clock.see(entry.origin.time);
        }
        self.vector.push(&dot, hash);
        if let Some(noted) = self.asked.get_mut(&dot) {
            *noted = Some(Link { dot: dot.clone(), hash, digest: self.vector.get(&dot.client).digest });
        }
        self.changed.push(entry.key.clone());
        self.shown.forget(&entry.key);
        if let Some(local) = self.pending_as(&entry.key, &dot) {
            self.settle(local, &dot);
        }
        self.records.push(entry);
    }

    /// The pending entry that is this one of the log.
    pub(super) fn pending_as(&self, key: &EntityKey, dot: &Dot) -> Option<u64> {
        let offered = || self.pending.offered_as(dot.n).filter(|_| dot.client == self.client);
        let local = self.pending.accepted_as(dot).or_else(offered)?;
        self.pending.get(local).is_some_and(|pending| pending.entry.key == *key).then_some(local)
    }

    /// Whether the entry of this name is here, in the records or pending.
    pub(super) fn has(&self, dot: &Dot) -> bool {
        match dot.is_local() {
            true => self.pending.contains(dot.n) || self.pending.cold.range.contains(&dot.n),
            false => self.vector.covers(dot) || self.pending.accepted_as(dot).is_some(),
        }
    }

    /// The greatest number of this client under which this file ever offered an entry.
    pub(crate) fn issued(&self) -> u64 {
        self.pending.last_offered().map_or(self.accepted, |n| n.max(self.accepted))
    }

    /// The wall clock was off: entries never offered take corrected times.
    fn correct(&mut self, offset: i64, times: &[(u64, u64)]) {
        self.offset = offset;
        let mut latest = 0;
        for (local, time) in times {
            latest = latest.max(*time);
            self.alter(*local, |pending| Arc::make_mut(&mut pending.entry).origin.time = *time);
        }
        // Stamps too far ahead were never offered: the clock need not stay beyond them.
        let offered = self.pending.iter().map(|(_, pending)| pending.entry.origin.time).max();
        self.clock.turn_back(latest.max(offered.unwrap_or(0)));
    }

    /// The entries of an entity that lie over its record, in the order in which they were written: those in memory, and
    /// those that were read.
    pub(super) fn over(&self, key: &EntityKey, read: &Read) -> impl Iterator<Item = Arc<Entry>> {
        let mut over = read.entries.clone();
        let resident = self.pending.of(key).filter_map(|local| Some((local, self.pending.get(local)?)));
        over.extend(resident.map(|(local, pending)| (local, pending.entry.clone())));
        over.into_values().map(|entry| self.names.resolved(&entry))
    }
}
