//! What a decision has to know of the checkpoint: read without the state's lock, and good for as long as no
//! further checkpoint was made.

use std::sync::Arc;

use super::index::{Finder, Foreign, Intended, Place, Run};
use super::state::State;
use crate::hashed::HashMap;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::model::stamp::{ClientId, Dot, Dots};
use crate::records::Table;
use crate::store::{Position, Store, StoreError};

/// Which facts are needed.
#[derive(Default)]
pub(super) struct Questions {
    /// What the checkpoint covered when it was asked.
    pub(super) covers: Position,
    pub(super) table: Table,
    pub(super) dots: Dots,
    pub(super) intents: Vec<u128>,
    pub(super) foreign: Vec<(ClientId, Arc<str>)>,
    pub(super) keys: Vec<EntityKey>,
    /// Entities of which only the creates are asked for.
    pub(super) grounds: Vec<EntityKey>,
}

/// What the checkpoint says to them.
#[derive(Default)]
pub(super) struct Facts {
    covers: Position,
    table: Table,
    dots: HashMap<Dot, Place>,
    intents: HashMap<u128, Intended>,
    foreign: HashMap<(ClientId, Arc<str>), Foreign>,
    /// Of every entity that was asked for.
    records: HashMap<EntityKey, Option<Record>>,
    grounds: HashMap<EntityKey, Dots>,
}

impl Questions {
    /// Leaves out what the state knows by itself.
    pub(super) fn keep_open(&mut self, state: &mut State) {
        (self.covers, self.table) = (state.covers, state.table);
        self.dots.retain(|dot| state.place(dot).is_none() && state.known(&dot.client).n >= dot.n);
        // Those of one row one after the other: it is read once then, however many are asked for.
        self.dots.sort_unstable();
        self.dots.dedup();
        self.intents.retain(|intent| state.intent(*intent).is_none());
        self.foreign.retain(|(author, id)| state.tail.foreign(author, id).is_none());
        self.keys.sort();
        self.keys.dedup();
        self.keys.retain(|key| state.records.peek(key).is_none());
        self.grounds.retain(|key| !state.records.has_base(key));
    }

    pub(super) fn answer(&self, store: &dyn Store) -> Result<Facts, StoreError> {
        let mut facts = Facts { covers: self.covers, table: self.table, ..Facts::default() };
        if self.covers == 0 {
            facts.records.extend(self.keys.iter().map(|key| (key.clone(), None)));
            facts.grounds.extend(self.grounds.iter().map(|key| (key.clone(), Dots::new())));
            return Ok(facts);
        }
        let mut finder = Finder::new(store);
        for dot in &self.dots {
            if let Some(place) = finder.place(dot)? {
                facts.dots.insert(dot.clone(), place);
            }
        }
        facts.intents.extend(Run::find(store, self.intents.clone())?);
        for (author, id) in &self.foreign {
            if let Some(foreign) = Foreign::load(store, author, id)? {
                facts.foreign.insert((author.clone(), id.clone()), foreign);
            }
        }
        for key in &self.keys {
            facts.records.insert(key.clone(), self.table.load(store, key)?);
        }
        for key in &self.grounds {
            facts.grounds.insert(key.clone(), self.table.load_grounds(store, key)?);
        }
        Ok(facts)
    }
}

impl Facts {
    /// Whether they are of the checkpoint on which the state stands.
    pub(super) fn fit(&self, state: &State) -> bool {
        (self.covers, self.table) == (state.covers, state.table)
    }

    pub(super) fn place(&self, dot: &Dot) -> Option<&Place> {
        self.dots.get(dot)
    }

    pub(super) fn intent(&self, intent: u128) -> Option<&Intended> {
        self.intents.get(&intent)
    }
}

/// The state together with what the checkpoint says: all that a decision looks at.
pub(super) struct View<'a> {
    pub(super) state: &'a State,
    facts: Facts,
    records: HashMap<EntityKey, Arc<Record>>,
    grounds: HashMap<EntityKey, Dots>,
}

impl<'a> View<'a> {
    /// The caller has seen that the facts are of the checkpoint on which the state stands. `None` if a record
    /// that was in memory when the questions were asked is not any more.
    pub(super) fn new(state: &'a mut State, mut facts: Facts, keys: &[EntityKey]) -> Option<Self> {
        let mut records = HashMap::with_capacity_and_hasher(keys.len(), Default::default());
        for key in keys {
            let record = match state.records.peek(key) {
                Some(record) => record,
                None => {
                    let generation = state.records.generation();
                    state.records.give(key, generation, facts.records.remove(key)?);
                    state.records.peek(key)?
                }
            };
            records.insert(key.clone(), record);
        }
        Some(Self { state, facts, records, grounds: HashMap::default() })
    }

    /// As `new`, with only the creates of these entities.
    pub(super) fn with_grounds(state: &'a mut State, facts: Facts, keys: &[EntityKey]) -> Option<Self> {
        let mut grounds = HashMap::with_capacity_and_hasher(keys.len(), Default::default());
        for key in keys {
            grounds.insert(key.clone(), state.records.grounds(key, facts.grounds.get(key))?);
        }
        Some(Self { state, facts, records: HashMap::default(), grounds })
    }

    /// Where an accepted entry stands; `None` if there is none, or it is no longer known.
    pub(super) fn place(&self, dot: &Dot) -> Option<Place> {
        self.state.place(dot).or_else(|| self.facts.place(dot).cloned())
    }

    pub(super) fn intent(&self, intent: u128) -> Option<Intended> {
        self.state.intent(intent).or_else(|| self.facts.intents.get(&intent).cloned())
    }

    pub(super) fn foreign(&self, author: &ClientId, id: &Arc<str>) -> Option<&Foreign> {
        let known = self.state.tail.foreign(author, id);
        known.or_else(|| self.facts.foreign.get(&(author.clone(), id.clone())))
    }

    /// The records that were asked for.
    pub(super) fn take_records(&mut self) -> HashMap<EntityKey, Arc<Record>> {
        std::mem::take(&mut self.records)
    }

    /// The creates that were asked for.
    pub(super) fn take_grounds(&mut self) -> HashMap<EntityKey, Dots> {
        std::mem::take(&mut self.grounds)
    }
}
