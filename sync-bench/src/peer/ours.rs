//! This project, through its public API.

use std::path::Path;
use std::sync::Arc;

use sync_core::model::entry::encode_batch;
use sync_core::transport::compact::{self, PackedPage};
use sync_core::transport::{
    ClientStanding, Hello, HelloRequest, Limits, Numbered, Page, PullRequest, PushReply, PushRequest, SnapshotPage,
    SnapshotRequest,
};
use sync_core::{
    BoxFuture, Clock, Cursor, Entity, Entry, Family, Fields, Record, Replica, Snapshot, Store, StoreError, SystemClock,
    Transport, TransportError, reconcile, reconcile_batches,
};
use sync_redb::RedbStore;

use crate::measure::{Error, Result};
use crate::workload::Note;

/// Entries in their compact form, in batches.
pub(crate) fn batches(entries: &[Entry], batch: usize) -> Vec<Vec<u8>> {
    entries.chunks(batch).map(encode_batch).collect()
}

/// Entries as pages of the protocol's JSON.
pub(crate) fn json_pages(entries: &[Entry], batch: usize) -> Vec<Vec<u8>> {
    let mut seq = 0;
    let pages = entries.chunks(batch).map(|entries| {
        let numbered = entries.iter().map(|entry| {
            seq += 1;
            (seq, Arc::new(entry.clone()))
        });
        let entries: Numbered = numbered.collect();
        let cursor = Cursor { seq: entries.last().map_or(0, |(seq, _)| *seq), ..Cursor::default() };
        let page = Page { entries, cursor, has_more: false, server_time: 0 };
        sync_http::wire::page::page(&page).into_bytes()
    });
    pages.collect()
}

/// Batches to the notes that live.
pub(crate) fn fold(batches: &[Vec<u8>]) -> Result<Vec<Note>> {
    typed(&reconcile_batches(Snapshot::default(), batches.iter().map(Vec::as_slice))?)
}

/// Pages of JSON to the notes that live.
pub(crate) fn fold_json(pages: &[Vec<u8>]) -> Result<Vec<Note>> {
    let mut snapshot = Snapshot::default();
    for page in pages {
        let page = sync_http::wire::page::read_page(page)?;
        snapshot = reconcile(snapshot, page.entries.iter().map(|(_, entry)| &**entry))?;
    }
    typed(&snapshot)
}

/// Entries that were decoded before, folded: what remains is the merge.
pub(crate) fn fold_entries(entries: &[Entry]) -> Result<Snapshot> {
    Ok(reconcile(Snapshot::default(), entries)?)
}

fn typed(snapshot: &Snapshot) -> Result<Vec<Note>> {
    let live = snapshot.records().filter(|(_, record)| record.is_alive());
    live.map(|(key, record)| Ok(Note::from_fields(key.id.parse()?, &fields(record))?)).collect()
}

fn fields(record: &Record) -> Fields {
    let mut fields = Fields::new();
    for field in Note::SCHEMA.fields {
        let winner = record.get(field.name, &Family::Assign).and_then(|register| register.winner(&Family::Assign));
        if let Some(winner) = winner {
            fields.insert(field.name, winner.value.clone());
        }
    }
    fields
}

/// A replica of the workload's notes.
pub(crate) fn replica(store: impl Store + 'static) -> Result<Replica> {
    Ok(Replica::builder().register::<Note>().open(store)?)
}

pub(crate) fn on_disk(path: &Path) -> Result<Replica> {
    replica(RedbStore::open(path)?)
}

/// Drops the last handle, and waits until the file is free.
pub(crate) fn close(replica: Replica, path: &Path) -> Result<()> {
    drop(replica);
    for _ in 0..500 {
        match RedbStore::open(path) {
            Err(StoreError::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(10)),
            other => return Ok(other.map(drop)?),
        }
    }
    Err("the replica's file stays locked".into())
}

/// All notes that a replica shows.
pub(crate) fn list(replica: &Replica) -> Result<Vec<Note>> {
    replica.list::<Note>()?.map(|note| note.map_err(Error::from)).collect()
}

/// Runs one sync to its end on this thread.
pub(crate) fn sync(replica: &Replica, transport: &dyn Transport) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(replica.sync(transport))?;
    Ok(())
}

/// A hub that has its pages ready in memory, in the compact form: what is measured is the replica.
pub(crate) struct Canned {
    /// Each page, with how many entries it has and the digest of the log behind it.
    pages: Vec<(Vec<u8>, Cursor)>,
    /// How many of them are served yet.
    served: std::sync::atomic::AtomicUsize,
}

impl Canned {
    /// Pages of `sizes` entries each.
    pub(crate) fn new(entries: &[Entry], sizes: impl IntoIterator<Item = usize>) -> Self {
        let (mut cursor, mut rest, mut pages) = (Cursor::default(), entries, Vec::new());
        for size in sizes {
            let (page, more) = rest.split_at(size.min(rest.len()));
            rest = more;
            let mut entries = Numbered::default();
            for entry in page {
                cursor = Cursor { seq: cursor.seq + 1, digest: cursor.digest.then(entry.hash()), ..cursor };
                entries.to_mut().push((cursor.seq, Arc::new(entry.clone())));
            }
            let page = Page { entries, cursor, has_more: !rest.is_empty(), server_time: SystemClock.now() };
            let mut bytes = PackedPage::of(&page).encode();
            bytes.extend(PackedPage::encode_time(page.server_time));
            pages.push((bytes, cursor));
        }
        let served = std::sync::atomic::AtomicUsize::new(pages.len());
        Self { pages, served }
    }

    /// Serves the first `pages` only.
    pub(crate) fn serve(&self, pages: usize) {
        self.served.store(pages, std::sync::atomic::Ordering::Relaxed);
    }

    fn served(&self) -> &[(Vec<u8>, Cursor)] {
        &self.pages[..self.served.load(std::sync::atomic::Ordering::Relaxed)]
    }

    fn greet(&self, request: &HelloRequest) -> Hello {
        let standing = |(client, _): &(sync_core::ClientId, _)| ClientStanding {
            client: client.clone(),
            known: sync_core::Known::default(),
            digest_there: None,
        };
        Hello {
            hub: "bench".into(),
            space: "default".into(),
            principal: "ada".into(),
            server_time: SystemClock.now(),
            head: self.served().last().map_or(Cursor::default(), |(_, cursor)| *cursor),
            tail: 1,
            on_chain: true,
            limits: Limits::default(),
            protocols: vec![1],
            clients: request.clients.iter().map(standing).collect(),
            may_join: false,
            epochs: Vec::new(),
        }
    }

    fn page(&self, request: &PullRequest) -> std::result::Result<Page, TransportError> {
        let nonsense = |message: &str| TransportError::Nonsense { message: message.to_owned() };
        let served = self.served();
        let at = served.partition_point(|(_, cursor)| cursor.seq <= request.since.seq);
        let Some((bytes, _)) = served.get(at) else {
            let entries = Numbered::default();
            return Ok(Page { entries, cursor: request.since, has_more: false, server_time: SystemClock.now() });
        };
        let page = compact::read_page(bytes).map_err(|error| nonsense(&error.to_string()))?;
        Ok(Page { has_more: at + 1 < served.len(), ..page })
    }
}

impl Transport for Canned {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, std::result::Result<Hello, TransportError>> {
        Box::pin(async { Ok(self.greet(request)) })
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, std::result::Result<Page, TransportError>> {
        Box::pin(async { self.page(request) })
    }

    fn push<'a>(&'a self, _: &'a PushRequest) -> BoxFuture<'a, std::result::Result<PushReply, TransportError>> {
        Box::pin(async { Err(unserved()) })
    }

    fn snapshot<'a>(
        &'a self,
        _: &'a SnapshotRequest,
    ) -> BoxFuture<'a, std::result::Result<SnapshotPage, TransportError>> {
        Box::pin(async { Err(unserved()) })
    }

    fn join<'a>(&'a self, _: &'a SnapshotPage) -> BoxFuture<'a, std::result::Result<(), TransportError>> {
        Box::pin(async { Err(unserved()) })
    }

    fn live(&self, since: u64) -> BoxFuture<'_, std::result::Result<u64, TransportError>> {
        Box::pin(async move { Ok(since) })
    }
}

fn unserved() -> TransportError {
    TransportError::Hub { message: "this hub only serves pages".into() }
}
