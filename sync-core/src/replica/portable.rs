//! The accepted state as a file: for a backup, and for a device that has no hub at hand.

use std::io::{Read, Write};

use super::Replica;
use super::adopt::{Arrived, History};
use super::query::Scan;
use super::row::Account;
use super::session::Session;
use super::snapshot_file::{FileReader, FileWriter, Head, Records, unusable};
use super::state::State;
use super::status::Phase;
use crate::error::Error;
use crate::model::context::VersionVector;
use crate::transport::Epoch;

/// How many bytes of records one block has, about.
const BLOCK: usize = 256 * 1_024;

/// What went into a snapshot's file, or came out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SnapshotSummary {
    /// How many records it has, of deleted entities too.
    pub records: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many entries that are pending on this device are not in it.
    pub pending: u64,
}

impl Replica {
    /// Writes what the hub has accepted, as far as it is here: the snapshot that the hub would serve at this point of its
    /// log. Pending entries are no part of it, nor are fields that never leave the device. Memory follows one block, not
    /// the number of entities. A sync that runs is waited for, and one that begins meanwhile waits.
    ///
    /// ```
    /// # use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
    /// # use std::sync::{Arc, Mutex};
    /// # #[derive(Syncable)] struct Tag { #[sync(id)] id: Id<Tag, String>, colour: String }
    /// # #[derive(Clone, Default)] struct File(Arc<Mutex<Vec<u8>>>);
    /// # impl std::io::Write for File {
    /// #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> { self.0.lock().unwrap().write(bytes) }
    /// #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
    /// # }
    /// # fn open() -> Result<Replica, sync_core::Error> { Replica::builder().register::<Tag>().open(MemoryStore::new()) }
    /// # pollster::block_on(async {
    /// # let transport = Hub::builder().open(MemoryStore::new())?.transport("ann");
    /// let replica = open()?;
    /// replica.create(Tag { id: "a".into(), colour: "red".into() })?.wait()?;
    /// replica.sync(&transport).await?;
    /// # let file = File::default();
    /// let written = replica.export_snapshot(file.clone()).await?;
    /// # let bytes = file.0.lock().unwrap().clone();
    /// let other = open()?;
    /// let read = other.import_snapshot(std::io::Cursor::new(bytes)).await?;
    /// assert_eq!((written.records, read.records), (1, 1));
    /// assert_eq!(other.get::<Tag>(&"a".into())?.map(|tag| tag.colour), Some("red".into()));
    /// # Ok::<(), sync_core::Error>(()) })?;
    /// # Ok::<(), sync_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::SnapshotFile`] if it cannot be written; [`Error::Wiped`] if the replica was wiped meanwhile;
    /// [`Error::Store`]. The file cannot be read then.
    pub async fn export_snapshot(&self, writer: impl Write + Send + 'static) -> Result<SnapshotSummary, Error> {
        let session = self.session().await?;
        let _working = self.working(Phase::Exporting);
        session.offload(move |session| session.write_snapshot(writer)).await
    }

    /// Takes the state from a file that [`export_snapshot`](Self::export_snapshot) wrote, without a hub: for a replica that
    /// is new, or behind what the file has. Pending entries stay pending, and fields that never leave the device stay as
    /// they are. Nothing of it shows before all of it is here; interrupted, it leaves things as they were.
    ///
    /// # Errors
    /// [`Error::SnapshotFile`] if it is damaged, cut off, of another kind or older than what is here;
    /// [`Error::WrongAccount`] if it is another space's; [`Error::Diverged`] if it holds another history;
    /// [`Error::Wiped`] if the replica was wiped meanwhile; [`Error::Store`]. Nothing was changed then.
    pub async fn import_snapshot(&self, reader: impl Read + Send + 'static) -> Result<SnapshotSummary, Error> {
        let session = self.session().await?;
        let _working = self.working(Phase::Importing);
        session.offload(move |session| session.read_snapshot(reader)).await
    }
}

impl Session {
    fn write_snapshot(&self, writer: impl Write) -> Result<SnapshotSummary, Error> {
        let head = {
            let state = self.state();
            Head {
                hub: state.space(),
                cursor: state.cursor,
                told: state.told,
                epochs: state.epochs.clone(),
                vector: state.vector.iter().map(|(client, known)| (client.clone(), known)).collect(),
            }
        };
        let mut file = FileWriter::begin(writer, &head)?;
        let (mut block, mut size) = (Records::new(), 0);
        for item in Scan::accepted(self, None) {
            let (key, record) = item?;
            if record.is_empty() {
                continue;
            }
            size += record.encode().len();
            block.push((key, (*record).clone()));
            if size >= BLOCK {
                file.records(&block)?;
                self.progress(|status| status.work.done = file.records);
                (block, size) = (Records::new(), 0);
            }
        }
        if !block.is_empty() {
            file.records(&block)?;
        }
        // Nothing else takes in what was accepted; but the replica may have been wiped.
        self.check()?;
        let pending = self.state().pending.len();
        let (records, bytes) = file.end()?;
        Ok(SnapshotSummary { records, bytes, pending })
    }

    fn read_snapshot(&self, reader: impl Read) -> Result<SnapshotSummary, Error> {
        let (mut file, head) = FileReader::begin(reader)?;
        let goes_on = self.check_head(&head)?;
        let table = self.begin_snapshot()?;
        let (mut records, mut latest) = (0, 0);
        loop {
            let more = match file.next() {
                Ok(Some(more)) => more,
                Ok(None) => break,
                Err(error) => {
                    self.give_up_snapshot(table)?;
                    return Err(error);
                }
            };
            records += more.len() as u64;
            latest = more.iter().map(|(_, record)| record.latest()).fold(latest, u64::max);
            self.store_records(table, &more, None)?;
            self.progress(|status| status.work.done = records);
        }
        let Head { hub: of, mut cursor, told, epochs, vector } = head;
        // Its device may have looked less far down the log. Where it is not known to be the same log, what comes again is
        // here already.
        if goes_on {
            cursor = cursor.furthest(self.state().cursor);
        }
        let history = History::Known;
        let arrived = Arrived { table, vector, cursor, told, epochs, latest, history, other: None, of };
        if let Err(error) = self.switch_to(arrived) {
            self.give_up_snapshot(table)?;
            return Err(error);
        }
        Ok(SnapshotSummary { records, bytes: file.bytes, pending: self.state().pending.len() })
    }

    /// A file of another space, or one that lacks what is here, is not read at all. Whether it is known that it goes on from
    /// what is here; that may be unknown only where a hub tells of no epochs.
    fn check_head(&self, head: &Head) -> Result<bool, Error> {
        let state = self.state();
        if let (Some(ours), Some(theirs)) = (state.space(), &head.hub)
            && ours != *theirs
        {
            let bound = state.account.as_ref().map_or_else(|| of_file(&ours), Account::to_string);
            return Err(Error::WrongAccount { bound, found: of_file(theirs) });
        }
        let older = |message: String| {
            unusable(format!("it is older than what is here ({message}): take a newer one, or sync with the hub"))
        };
        // All that a file has is in the hub's log up to what its device was told; a hub that lost some of it shows by that.
        if head.told.seq < state.told.seq {
            let (there, here) = (head.told.seq, state.told.seq);
            return Err(older(format!("of the hub's log {there} entries were known there, and {here} are here")));
        }
        let vector: VersionVector = head.vector.iter().cloned().collect();
        match state.check_contained(&vector) {
            Err(Error::HubLostData { message }) => return Err(older(message)),
            checked => checked?,
        }
        let (here, there) = (state.told, head.told);
        let is_told = here.epoch != Epoch::default() && there.epoch != Epoch::default();
        match head.epochs.tell(here, there) {
            Some(true) => Ok(true),
            // As many entries of each client as here, and the same.
            _ if state.vector.iter().all(|(client, ours)| vector.get(client).n == ours.n) => Ok(false),
            Some(false) => Err(Error::Diverged { message: format!("entry {here} is not in the log that it is of") }),
            None if !is_told => Ok(false),
            None => Err(unusable(
                "whether it goes on from what is here cannot be told: the hub was started anew since, and the file does not \
                 say where; sync with the hub, or have the other device sync and write it anew",
            )),
        }
    }
}

/// What a file says that it is of.
pub(super) fn of_file((hub, space): &(String, String)) -> String {
    let space = if space.is_empty() { "default" } else { space };
    format!("a snapshot of hub {hub}, space {space}")
}

impl State {
    /// The hub and the space that this replica belongs to, as far as it knows.
    fn space(&self) -> Option<(String, String)> {
        let account = self.account.as_ref().map(|account| (account.hub.clone(), account.space.clone()));
        account.or_else(|| self.of.clone())
    }
}
