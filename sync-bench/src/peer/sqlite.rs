//! SQLite with last-writer-wins written by hand: a log, and a table with the time of each column's last write.

use std::path::Path;

use rusqlite::{CachedStatement, Connection, params};
use sync_core::Uuid;

use crate::measure::Result;
use crate::workload::{Content, Notes, PlainAction};

pub(crate) struct Sqlite(Connection);

const UPSERT: &str = "INSERT INTO note VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (id) DO UPDATE SET
    title = iif(excluded.title_at > title_at, excluded.title, title), title_at = max(title_at, excluded.title_at),
    body = iif(excluded.body_at > body_at, excluded.body, body), body_at = max(body_at, excluded.body_at),
    pinned = iif(excluded.pinned_at > pinned_at, excluded.pinned, pinned), pinned_at = max(pinned_at, excluded.pinned_at),
    tags = iif(excluded.tags_at > tags_at, excluded.tags, tags), tags_at = max(tags_at, excluded.tags_at),
    created = created OR excluded.created, deleted = deleted OR excluded.deleted";

impl Sqlite {
    /// In a file, write-ahead logged, synced at every commit; or in memory.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS log (client INTEGER, n INTEGER, action BLOB, PRIMARY KEY (client, n)) WITHOUT ROWID;
            CREATE TABLE IF NOT EXISTS note (id BLOB PRIMARY KEY, title TEXT, title_at INTEGER, body TEXT, body_at INTEGER,
                pinned INTEGER, pinned_at INTEGER, tags TEXT, tags_at INTEGER, created INTEGER, deleted INTEGER) WITHOUT ROWID;",
        )?;
        Ok(Self(connection))
    }

    /// One that is there.
    pub(crate) fn open_only(path: &Path) -> Result<Self> {
        Ok(Self(Connection::open(path)?))
    }

    /// Takes actions, the first of which is the `first` of the log, in one transaction.
    pub(crate) fn take<'a>(
        &mut self,
        first: u64,
        actions: impl IntoIterator<Item = &'a PlainAction<'a>>,
    ) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut log = transaction.prepare_cached("INSERT INTO log VALUES (?1, ?2, ?3)")?;
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            for (n, action) in (first..).zip(actions) {
                log.execute(params![action.client, n as i64, postcard::to_stdvec(action)?])?;
                fold(&mut upsert, action)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Batches, all in one transaction.
    pub(crate) fn take_all(&mut self, batches: &[Vec<u8>]) -> Result<()> {
        let read: Vec<Vec<PlainAction<'_>>> =
            batches.iter().map(|batch| Ok(postcard::from_bytes(batch)?)).collect::<Result<_>>()?;
        self.take(1, read.iter().flatten())
    }

    /// The state alone, without a log.
    pub(crate) fn fold_all(&mut self, batches: &[Vec<u8>]) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let mut upsert = transaction.prepare_cached(UPSERT)?;
            for batch in batches {
                let actions: Vec<PlainAction<'_>> = postcard::from_bytes(batch)?;
                actions.iter().try_for_each(|action| fold(&mut upsert, action))?;
            }
        }
        Ok(transaction.commit()?)
    }

    pub(crate) fn list(&self) -> Result<Vec<(Uuid, Content)>> {
        let mut select =
            self.0.prepare_cached("SELECT id, title, body, pinned, tags FROM note WHERE created AND NOT deleted")?;
        let rows = select.query_map([], |row| {
            let (id, tags): ([u8; 16], String) = (row.get(0)?, row.get(4)?);
            Ok((id, Content { title: row.get(1)?, body: row.get(2)?, pinned: row.get(3)?, tags: Vec::new() }, tags))
        })?;
        rows.map(|row| {
            let (id, content, tags) = row?;
            Ok((Uuid::from_bytes(id), Content { tags: serde_json::from_str(&tags)?, ..content }))
        })
        .collect()
    }

    pub(crate) fn notes(&self) -> Result<Notes> {
        Ok(self.list()?.into_iter().collect())
    }

    /// Everything into the main file.
    pub(crate) fn settle(&self) -> Result<()> {
        Ok(self.0.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?)
    }
}

fn fold(upsert: &mut CachedStatement<'_>, action: &PlainAction<'_>) -> Result<()> {
    let stamp = (action.time << 8 | u64::from(action.client)) as i64;
    let at = |written: bool| if written { stamp } else { 0 };
    let tags = action.tags.as_ref().map(serde_json::to_string).transpose()?;
    upsert.execute(params![
        action.note.to_be_bytes(),
        action.title,
        at(action.title.is_some()),
        action.body,
        at(action.body.is_some()),
        action.pinned,
        at(action.pinned.is_some()),
        tags,
        at(tags.is_some()),
        action.kind == 0,
        action.kind == 2,
    ])?;
    Ok(())
}
