//! Devices that change hands, and devices that take their state from a file: what replaces all that a replica holds.

use std::io::{self, Cursor, Write};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use sync_core::{Error, Replica};

use super::fault::Fault;
use super::hands::Dice;
use super::ledger::File;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::rng::Rng;

impl World<'_> {
    /// A device is wiped, whatever it is doing, and goes on in the same space or in another.
    pub(super) fn wipe(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let (even_unsynced, moves) = (rng.percent(50), rng.percent(50));
        self.wipe_so(at, even_unsynced, moves)
    }

    pub(super) fn wipe_so(&mut self, at: usize, even_unsynced: bool, moves: bool) -> Holds {
        if !self.is_settled(at)? {
            return Ok(());
        }
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let before = replica.status().client;
        let held = self.held(at, &replica)?;
        let wiped = replica.wipe(even_unsynced);
        self.note_trouble(at);
        self.trace.say(format_args!("    wiped, even what is unsynced: {even_unsynced}; {wiped:?}"));
        let is_wiped = match wiped {
            Ok(()) => true,
            Err(Error::Unsynced { .. }) if !even_unsynced => false,
            Err(error) => {
                self.failed(at, &error)?;
                // Whether it came to that is in the file.
                self.devices[at].stop();
                self.client_of(at)? != before
            }
        };
        if !is_wiped {
            return Ok(());
        }
        if !even_unsynced && !held.is_empty() {
            return broken(Rule::Kept, format!("{} is wiped with what the hub never had", self.devices[at].name));
        }
        self.tally.fault(Fault::Wiped);
        let left = self.devices[at].space;
        let device = &mut self.devices[at];
        device.file = File::default();
        if let Some(task) = &mut device.task {
            task.is_overtaken = true;
        }
        if moves {
            device.space = (left + 1) % self.spaces.len();
            device.backup = None;
        }
        self.excuse(left)?;
        let Some(replica) = self.devices[at].replica.clone() else { return Ok(()) };
        if replica.status().account.is_some() || !replica.vector().is_empty() {
            return broken(Rule::Kept, format!("{} was wiped, and is not a new one", self.devices[at].name));
        }
        self.glance(at)
    }

    /// As which client a device's file will go on.
    fn client_of(&self, at: usize) -> Result<sync_core::ClientId, Violation> {
        let device = &self.devices[at];
        let builder = Replica::builder().clock(device.clock.clone()).random(Dice::new(5)).threadless();
        let opened = builder.open(device.disk.copy());
        let opened =
            opened.or_else(|error| broken(Rule::NoFailure, format!("a copy of a file does not open: {error}")));
        Ok(opened?.status().client)
    }

    /// A device writes its state to a file, or takes it from one.
    pub(super) fn snapshot_file(&mut self, at: usize, rng: &mut Rng) -> Holds {
        if self.devices[at].task.is_some() {
            return Ok(());
        }
        let takes = rng.percent(60);
        self.snapshot_file_so(at, takes)
    }

    /// Takes it from a file, if there is one.
    pub(super) fn snapshot_file_so(&mut self, at: usize, takes: bool) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let space = self.devices[at].space;
        let file = self.spaces[space].file.clone().filter(|_| takes);
        let Some(file) = file else {
            let written = Shared::default();
            let done = at_once(replica.export_snapshot(written.clone()));
            self.note_trouble(at);
            return match done {
                Ok(_) => {
                    self.spaces[space].file = Some(written.bytes());
                    Ok(())
                }
                Err(error) => self.failed(at, &error),
            };
        };
        let taken = at_once(replica.import_snapshot(Cursor::new(file)));
        self.note_trouble(at);
        self.trace.say(format_args!("    takes a file: {taken:?}"));
        if let Some(replica) = &self.devices[at].replica {
            // Of another run of the hub it may have less of the log.
            self.devices[at].file.cursor = self.devices[at].file.cursor.min(replica.cursor().seq);
            self.check_file(at, false)?;
        }
        let may_differ = self.spaces[space].losses > 0 || self.devices[at].file.is_copied;
        match taken {
            Ok(_) => {
                self.tally.fault(Fault::SnapshotFile);
                self.glance(at)
            }
            // It is older than what is here.
            Err(Error::SnapshotFile { .. }) => self.glance(at),
            Err(Error::Diverged { .. } | Error::HubLostData { .. }) if may_differ => self.glance(at),
            Err(error) => self.failed(at, &error),
        }
    }
}

/// A file that can be looked at after it was written.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a future comes to that has nobody to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("no sync is under way, and there are no threads"),
    }
}
