//! redb with last-writer-wins written by hand: a log table, and a table of states.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use sync_core::Uuid;

use crate::measure::Result;
use crate::workload::{Content, Notes, PlainAction};

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const STATE: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("state");

pub(crate) struct RawRedb(Database);

#[derive(Default, Serialize, Deserialize)]
struct State {
    content: Content,
    stamps: [u64; 4],
    created: bool,
    deleted: bool,
}

impl State {
    fn take(&mut self, action: &PlainAction<'_>) {
        let stamp = action.time << 8 | u64::from(action.client);
        self.created |= action.kind == 0;
        self.deleted |= action.kind == 2;
        put(&mut self.stamps[0], stamp, &mut self.content.title, action.title.map(str::to_owned));
        put(&mut self.stamps[1], stamp, &mut self.content.body, action.body.map(str::to_owned));
        put(&mut self.stamps[2], stamp, &mut self.content.pinned, action.pinned);
        let tags = action.tags.as_ref().map(|tags| tags.iter().map(|tag| (*tag).to_owned()).collect());
        put(&mut self.stamps[3], stamp, &mut self.content.tags, tags);
    }
}

fn put<V>(seen: &mut u64, stamp: u64, field: &mut V, value: Option<V>) {
    if let Some(value) = value.filter(|_| stamp > *seen) {
        *seen = stamp;
        *field = value;
    }
}

impl RawRedb {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let database = Database::create(path)?;
        let transaction = database.begin_write()?;
        transaction.open_table(LOG)?;
        transaction.open_table(STATE)?;
        transaction.commit()?;
        Ok(Self(database))
    }

    /// One that is there.
    pub(crate) fn open_only(path: &Path) -> Result<Self> {
        Ok(Self(Database::open(path)?))
    }

    /// Takes actions, the first of which is the `first` of the log, in one transaction: log and state.
    pub(crate) fn take<'a>(&self, first: u64, actions: impl IntoIterator<Item = &'a PlainAction<'a>>) -> Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let (mut log, mut states) = (transaction.open_table(LOG)?, transaction.open_table(STATE)?);
            let mut changed = FxHashMap::<u128, State>::default();
            for (n, action) in (first..).zip(actions) {
                log.insert(n, &postcard::to_stdvec(action)?[..])?;
                let state = match changed.entry(action.note) {
                    std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::hash_map::Entry::Vacant(unknown) => {
                        let stored = states.get(action.note)?;
                        unknown.insert(
                            stored.map(|row| postcard::from_bytes(row.value())).transpose()?.unwrap_or_default(),
                        )
                    }
                };
                state.take(action);
            }
            let mut changed: Vec<(u128, State)> = changed.into_iter().collect();
            changed.sort_unstable_by_key(|(note, _)| *note);
            for (note, state) in changed {
                states.insert(note, &postcard::to_stdvec(&state)?[..])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Batches, all in one transaction.
    pub(crate) fn take_all(&self, batches: &[Vec<u8>]) -> Result<()> {
        let read: Vec<Vec<PlainAction<'_>>> =
            batches.iter().map(|batch| Ok(postcard::from_bytes(batch)?)).collect::<Result<_>>()?;
        self.take(1, read.iter().flatten())
    }

    /// The log alone: rows, in one transaction.
    pub(crate) fn append<'a>(&self, first: u64, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut log = transaction.open_table(LOG)?;
            for (n, row) in (first..).zip(rows) {
                log.insert(n, row)?;
            }
        }
        Ok(transaction.commit()?)
    }

    pub(crate) fn list(&self) -> Result<Vec<(Uuid, Content)>> {
        let mut notes = Vec::new();
        for row in self.0.begin_read()?.open_table(STATE)?.iter()? {
            let (id, state) = row?;
            let state: State = postcard::from_bytes(state.value())?;
            if state.created && !state.deleted {
                notes.push((Uuid::from_u128(id.value()), state.content));
            }
        }
        Ok(notes)
    }

    pub(crate) fn notes(&self) -> Result<Notes> {
        Ok(self.list()?.into_iter().collect())
    }

    pub(crate) fn compact(mut self) -> Result<()> {
        while self.0.compact()? {}
        Ok(())
    }
}
