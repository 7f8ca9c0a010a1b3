//! What reads look at: the file as of its last commit, with tables that are open already.
//!
//! Opening a table takes redb six times as long as finding a row in it, and a checkpoint finds thousands of them. So reads
//! share a view until something is written.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{Database, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, TableDefinition};

use crate::fault::Fault;
use crate::layout::{self, JOURNAL, MAP, SPACES};

/// A table of ours: all values are bytes.
type Table<K> = ReadOnlyTable<K, &'static [u8]>;

/// The file as of one commit.
pub(crate) struct View {
    txn: ReadTransaction,
    spaces: OnceLock<Table<&'static str>>,
    journal: OnceLock<Table<layout::Key>>,
    map: OnceLock<Table<(u32, &'static [u8])>>,
}

impl View {
    fn new(database: &Database) -> Result<Self, Fault> {
        let (spaces, journal, map) = Default::default();
        Ok(Self { txn: database.begin_read()?, spaces, journal, map })
    }

    pub(crate) fn spaces(&self) -> Result<&Table<&'static str>, Fault> {
        opened(&self.spaces, &self.txn, SPACES)
    }

    pub(crate) fn journal(&self) -> Result<&Table<layout::Key>, Fault> {
        opened(&self.journal, &self.txn, JOURNAL)
    }

    pub(crate) fn map(&self) -> Result<&Table<(u32, &'static [u8])>, Fault> {
        opened(&self.map, &self.txn, MAP)
    }
}

fn opened<'a, K: Key>(
    table: &'a OnceLock<Table<K>>,
    txn: &ReadTransaction,
    definition: TableDefinition<'_, K, &'static [u8]>,
) -> Result<&'a Table<K>, Fault> {
    match table.get() {
        Some(table) => Ok(table),
        None => {
            let opened = txn.open_table(definition)?;
            Ok(table.get_or_init(|| opened))
        }
    }
}

/// The view that reads share. All of them look through it, so that nobody who saw a write looks at what was before it.
#[derive(Default)]
pub(crate) struct Latest(Mutex<Option<Arc<View>>>);

impl Latest {
    /// A view of what was committed up to now.
    pub(crate) fn view(&self, database: &Database) -> Result<Arc<View>, Fault> {
        // Begun and shared in one step: beside a commit one may be of before it, and is forgotten with all of them behind it.
        let mut shared = self.lock();
        if let Some(view) = &*shared {
            return Ok(view.clone());
        }
        let view = Arc::new(View::new(database)?);
        Ok(shared.insert(view).clone())
    }

    /// Lets go of the view, which redb would keep the old state's pages for: behind each write, before it is acknowledged,
    /// and before what redb does only while nobody reads.
    pub(crate) fn forget(&self) {
        let view = self.lock().take();
        drop(view);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<View>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
