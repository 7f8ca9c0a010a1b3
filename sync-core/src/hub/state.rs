//! What a hub holds of its space in memory: the end of the log, the clients, and what the checkpoint lacks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::batch::Logged;
use super::index::{Intended, Meta, Place, Standing};
use super::row::{Accepted, Content, Joined, Row};
use super::tail::Tail;
use crate::hashed::HashMap;
use crate::model::context::Known;
use crate::model::digest::Digest;
use crate::model::entry::Action;
use crate::model::stamp::{ClientId, Dot};
use crate::records::{Records, Table};
use crate::store::{Position, StoreError};
use crate::transport::{Cursor, Epochs, Link};

/// The state of one space.
#[derive(Default)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) space: String,
    /// The journal's last row that is in this state, durable or queued.
    pub(super) position: Position,
    /// What the store's checkpoint covers, as far as this state stands on it.
    pub(super) covers: Position,
    /// What a checkpoint under way will cover.
    pub(super) folding: Option<Position>,
    /// The end of the log, with what is queued.
    pub(super) head: Cursor,
    /// The durable end of the log.
    pub(super) durable: Cursor,
    /// The last row that is known to be durable.
    pub(super) durable_position: Position,
    /// Rows whose durability was not yet taken notice of, with the log's end after each.
    queued: VecDeque<(Position, Cursor)>,
    /// The greatest accepted logical time.
    pub(super) greatest: u64,
    pub(super) clients: BTreeMap<ClientId, Standing>,
    /// The clients whose rows in the checkpoint are out of date.
    pub(super) changed: BTreeSet<ClientId>,
    pub(super) tail: Tail,
    pub(super) records: Records,
    /// The table of the store's map that holds the records' checkpoint.
    pub(super) table: Table,
    /// Where in the log the last snapshot was joined.
    pub(super) joined: u64,
    /// The runs in which the log was written.
    pub(super) epochs: Epochs,
    /// What a joined snapshot told of intents, and the checkpoint lacks.
    pub(super) joined_intents: HashMap<u128, Intended>,
    /// What it told of the places of entries, and the checkpoint lacks.
    pub(super) joined_places: HashMap<Dot, Place>,
}

impl State {
    /// The state of a checkpoint.
    pub(super) fn new(meta: Option<Meta>, clients: Vec<(ClientId, Standing)>) -> Self {
        let mut state = State { clients: clients.into_iter().collect(), ..State::default() };
        if let Some(meta) = meta {
            (state.name, state.space) = (meta.name, meta.space);
            (state.position, state.covers) = (meta.covers, meta.covers);
            state.durable_position = meta.covers;
            (state.head, state.durable) = (meta.head, meta.head);
            state.greatest = meta.greatest;
            (state.table, state.joined, state.epochs) = (meta.table, meta.joined, meta.epochs);
        }
        state
    }

    /// What is known of a client.
    pub(super) fn known(&self, client: &ClientId) -> Known {
        self.clients.get(client).map_or(Known::default(), |standing| standing.known)
    }

    /// Where an accepted entry stands, as far as that is known without the checkpoint.
    pub(super) fn place(&self, dot: &Dot) -> Option<Place> {
        self.tail.place(dot).or_else(|| self.joined_places.get(dot).cloned())
    }

    /// Under which name an intent was accepted, as far as that is known without the checkpoint.
    pub(super) fn intent(&self, intent: u128) -> Option<Intended> {
        self.tail.intent(intent).or_else(|| self.joined_intents.get(&intent).cloned())
    }

    /// Whether a cursor of this log is none of it, or no longer.
    pub(super) fn lost(&self, cursor: Cursor) -> bool {
        cursor.seq > self.head.seq || self.epochs.tell(cursor, self.head) == Some(false)
    }

    /// Takes the next row. The caller has seen that it stands at the next position and goes on from the head.
    ///
    /// # Errors
    /// If its entries cannot be read; nothing was changed then.
    pub(super) fn apply(&mut self, row: &Arc<Row>) -> Result<(), StoreError> {
        row.entries()?;
        self.position += 1;
        match &row.content {
            Content::Named { name, space } => (self.name, self.space) = (name.clone(), space.clone()),
            Content::Accepted(accepted) => self.accept(row, accepted),
            Content::Joined(joined) => self.join(joined),
        }
        self.head = row.end;
        if row.steps() > 0 {
            self.epochs.note(row.start.seq, row.end.epoch);
        }
        self.queued.push_back((self.position, self.head));
        Ok(())
    }

    /// Everything accepted before is in the joined records.
    fn join(&mut self, joined: &Joined) {
        self.joined = self.head.seq + 1;
        self.table = joined.table;
        self.records.clear();
        self.tail = Tail::default();
        self.greatest = self.greatest.max(joined.greatest);
        for (client, known) in &joined.vector {
            self.clients.entry(client.clone()).or_default().known = *known;
            self.changed.insert(client.clone());
        }
        let intended = |(intent, dot): &(u128, Dot)| (*intent, Intended { dot: dot.clone(), seq: self.joined });
        self.joined_intents = joined.intents.iter().map(intended).collect();
        let place = |link: &Link| Place { seq: self.joined, hash: link.hash, running: link.digest, intent: None };
        self.joined_places = joined.links.iter().map(|link| (link.dot.clone(), place(link))).collect();
    }

    fn accept(&mut self, row: &Arc<Row>, accepted: &Accepted) {
        for (client, attempt) in &accepted.attempts {
            self.changed.insert(client.clone());
            let standing = self.clients.entry(client.clone()).or_default();
            standing.attempt = standing.attempt.max(*attempt);
            standing.principal.get_or_insert_with(|| accepted.principal.clone());
        }
        let clients = &self.clients;
        self.tail.push(self.position, row, |client| clients.get(client).map_or(Digest::EMPTY, |s| s.known.digest));
        let entries = accepted.batch.entries().unwrap_or_default();
        let mut rest = entries;
        for stretch in accepted.batch.stretches() {
            let those;
            (those, rest) = rest.split_at(stretch.count as usize);
            let standing = self.clients.entry(stretch.client.clone()).or_default();
            let digest = those.iter().fold(standing.known.digest, |digest, logged| digest.then(logged.hash));
            standing.known = Known { n: stretch.last(), digest };
            standing.is_hub |= stretch.is_foreign || those.iter().any(|logged| logged.entry.action == Action::Purge);
            if !standing.is_hub && standing.principal.is_none() {
                standing.principal = Some(accepted.principal.clone());
            }
            self.changed.insert(stretch.client.clone());
        }
        for Logged { entry, .. } in entries {
            self.greatest = self.greatest.max(entry.origin.time);
            self.records.push(entry.clone());
        }
    }

    /// Takes notice of how far the journal is durable; whether the log's durable end went on.
    pub(super) fn settle(&mut self, durable: Position) -> bool {
        let before = self.durable;
        while let Some((position, cursor)) = self.queued.front() {
            if *position > durable {
                break;
            }
            (self.durable_position, self.durable) = (*position, *cursor);
            self.queued.pop_front();
        }
        self.durable != before
    }
}
