//! What goes wrong with devices, hubs and their clocks.

use std::collections::BTreeSet;

use sync_core::{Action, EntityKey, Error, MemoryStore};

use super::disk::Trip;
use super::fault::Fault;
use super::ledger::File;
use super::link::Request;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::oracle::oracle;
use crate::rng::Rng;

/// A year in milliseconds.
const YEAR: i64 = 365 * 24 * 3_600_000;

impl World<'_> {
    /// Something goes wrong.
    pub(super) fn fault(&mut self, fault: Fault, device: usize, space: usize, rng: &mut Rng) -> Holds {
        self.trace.say(format_args!("    at {}, {}", self.devices[device].name, self.spaces[space].name));
        match fault {
            Fault::OneWayCut => self.devices[device].cut = Some((rng.percent(50), self.at + 5 + rng.below(20))),
            Fault::LongOffline => {
                self.tally.fault(fault);
                self.devices[device].offline_until = self.at + 20 + rng.below(60);
            }
            Fault::GivenUp => {
                if self.devices[device].task.take().is_some() {
                    self.tally.fault(fault);
                    self.check_file(device, false)?;
                }
            }
            Fault::DeviceCrash => {
                if self.devices[device].replica.is_some() {
                    self.tally.fault(fault);
                    self.devices[device].stop();
                }
            }
            Fault::DevicePower => {
                let trip = *rng.pick(&[Trip::PowerBefore, Trip::PowerAfter]);
                self.devices[device].disk.arm(rng.below(5) as u32, trip);
            }
            Fault::DeviceIo => {
                let trip = *rng.pick(&[Trip::Error, Trip::ErrorAfter]);
                self.devices[device].disk.arm(rng.below(8) as u32, trip);
            }
            Fault::DeviceFull => self.devices[device].disk.arm(rng.below(4) as u32, Trip::Full),
            Fault::HubCrash => {
                self.tally.fault(fault);
                self.spaces[space].stop();
            }
            Fault::HubPower => {
                let trip = *rng.pick(&[Trip::PowerBefore, Trip::PowerAfter]);
                self.spaces[space].disk.arm(rng.below(4) as u32, trip);
            }
            Fault::HubIo => {
                let trip = *rng.pick(&[Trip::Error, Trip::ErrorAfter]);
                self.spaces[space].disk.arm(rng.below(8) as u32, trip);
            }
            Fault::HubFull => self.spaces[space].disk.arm(rng.below(3) as u32, Trip::Full),
            Fault::SecondHub | Fault::HubsAtOnce => {
                if self.spaces[space].hubs.len() == 1 {
                    self.tally.fault(Fault::SecondHub);
                    self.start_hub(space)?;
                }
            }
            Fault::OldList => self.old_list(device, rng)?,
            Fault::AllAnew => self.write_all_anew(device, rng)?,
            Fault::Reset | Fault::Clone | Fault::Restore => self.file_fault(fault, device, rng)?,
            Fault::Skew => self.set_clock(fault, device, *rng.pick(&[-90_000, -2_000, 2_000, 90_000, 3_600_000])),
            Fault::JumpBack => {
                let skew = self.devices[device].clock.skew().saturating_sub(*rng.pick(&[5_000, 3_600_000, 3 * YEAR]));
                self.set_clock(fault, device, skew);
            }
            Fault::FarFuture => self.set_clock(fault, device, *rng.pick(&[YEAR, 30 * YEAR, i64::MAX])),
            Fault::HubSkew => {
                self.tally.fault(fault);
                self.spaces[space].clock.set_skew(*rng.pick(&[0, -60_000, 60_000, 3_600_000, -3_600_000]));
            }
            Fault::Compact => self.compact(device, rng.percent(50))?,
            Fault::HubCheckpoint => self.hub_checkpoint(space)?,
            Fault::HubCompact => self.hub_compact(space, rng)?,
            Fault::Purge => self.purge(space, rng)?,
            Fault::HubRestored | Fault::HubEmptied => self.lose_hub(fault, space)?,
            Fault::Bootstrap => self.begin(device, true, rng)?,
            Fault::Refusal => self.spaces[space].mood.set(if rng.percent(30) { 0 } else { rng.bits() }),
            Fault::Resubmit => self.see_to_refused(device, rng)?,
            Fault::Schema => self.change_version(device)?,
            Fault::Foreign => self.foreign(space, rng)?,
            Fault::Hostile => self.hostile(space, rng)?,
            Fault::WrongSpace => self.wrong_space(device)?,
            Fault::Wiped => self.wipe(device, rng)?,
            Fault::SnapshotFile => self.snapshot_file(device, rng)?,
            // These meet requests on their way, or are how the world is built.
            Fault::Drop
            | Fault::Duplicate
            | Fault::Reorder
            | Fault::ReplyLost
            | Fault::TornReply
            | Fault::Busy
            | Fault::SmallPages => {}
        }
        Ok(())
    }

    fn set_clock(&mut self, fault: Fault, device: usize, skew: i64) {
        self.tally.fault(fault);
        self.devices[device].clock.set_skew(skew);
    }

    /// A file is lost, copied, or put back.
    pub(super) fn file_fault(&mut self, fault: Fault, at: usize, rng: &mut Rng) -> Holds {
        if fault == Fault::Clone && !self.is_settled(at)? {
            return Ok(());
        }
        let device = &mut self.devices[at];
        match fault {
            Fault::Clone => {
                device.file.is_copied = true;
                let (space, image, file) = (device.space, device.disk.copy(), device.file.clone());
                if let Some(copy) = self.add_device(space, image, file, rng) {
                    self.tally.fault(fault);
                    self.open(copy)?;
                }
            }
            Fault::Restore => {
                if let Some((image, mut file)) = device.backup.take() {
                    self.tally.fault(fault);
                    device.stop();
                    device.disk = super::disk::Disk::new(image);
                    file.is_copied = true;
                    device.file = file;
                    (device.trouble, device.is_counted) = (None, false);
                    self.open(at)?;
                    self.excuse(self.devices[at].space)?;
                }
            }
            _ => {
                self.tally.fault(fault);
                device.stop();
                device.disk = super::disk::Disk::new(MemoryStore::new());
                device.file = File::default();
                (device.trouble, device.is_counted) = (None, false);
                self.excuse(self.devices[at].space)?;
            }
        }
        Ok(())
    }

    /// A device's file is copied for later.
    pub(super) fn back_up(&mut self, at: usize) -> Holds {
        if self.is_settled(at)? {
            let device = &mut self.devices[at];
            device.backup = Some((device.disk.copy(), device.file.clone()));
        }
        Ok(())
    }

    /// Whether a file holds all that its account says: what waited to be written is, first.
    pub(super) fn is_settled(&mut self, at: usize) -> Result<bool, Violation> {
        let Some(replica) = self.at_hand(at)? else { return Ok(false) };
        let device = &self.devices[at];
        Ok(device.trouble.is_none() && device.disk.watched(|| replica.flush()).is_ok())
    }

    /// A checkpoint, or a compaction: nothing that shows may change.
    fn compact(&mut self, at: usize, compacts: bool) -> Holds {
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        self.tally.fault(Fault::Compact);
        let done = if compacts { replica.compact() } else { replica.checkpoint() };
        self.note_trouble(at);
        match done {
            Ok(()) => self.glance(at),
            Err(error) => self.failed(at, &error),
        }
    }

    fn hub_checkpoint(&mut self, at: usize) -> Holds {
        let Some(hub) = self.spaces[at].hubs.first().cloned() else { return Ok(()) };
        self.tally.fault(Fault::HubCheckpoint);
        let done = hub.checkpoint();
        self.note_hub_trouble(at);
        match done {
            Err(error) if self.spaces[at].trouble.is_none() => {
                broken(Rule::NoFailure, format!("the hub's checkpoint: {error} ({error:?})"))
            }
            _ => self.observe(at, &[]),
        }
    }

    /// The hub drops the log's beginning.
    fn hub_compact(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(hub) = self.spaces[at].hubs.first().cloned() else { return Ok(()) };
        self.tally.fault(Fault::HubCompact);
        let done = hub.compact(*rng.pick(&[0, 1, 5, 20]));
        self.note_hub_trouble(at);
        match done {
            Err(error) if self.spaces[at].trouble.is_none() => {
                broken(Rule::NoFailure, format!("the hub's compaction: {error} ({error:?})"))
            }
            _ => self.observe(at, &[]),
        }
    }

    /// The hub purges what was deleted.
    fn purge(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(hub) = self.spaces[at].hubs.first().cloned() else { return Ok(()) };
        let (disputed, end) = (self.disputed(at)?, self.spaces[at].chronicle.now.end());
        let done = hub.purge(if rng.percent(70) { u64::MAX } else { hub.now() });
        self.spaces[at].rows += 1;
        self.note_hub_trouble(at);
        match done {
            Ok(purged) => {
                self.trace.say(format_args!("    {purged} purged"));
                (0..purged).for_each(|_| self.tally.fault(Fault::Purge));
            }
            Err(_) if self.spaces[at].trouble.is_some() => {}
            Err(error) => return broken(Rule::NoFailure, format!("the hub's purge: {error} ({error:?})")),
        }
        self.observe(at, &[])?;
        let now = &self.spaces[at].chronicle.now;
        let new = (end + 1..=now.end()).filter_map(|seq| now.at(seq)).map(|logged| &logged.entry);
        match new.filter(|entry| entry.action == Action::Purge).find(|entry| disputed.contains(&entry.key)) {
            Some(entry) => broken(Rule::Conflicts, format!("{} is purged with what a delete hides", entry.key)),
            None => Ok(()),
        }
    }

    /// The entities that somebody wrote to unaware of their deletion.
    fn disputed(&self, at: usize) -> Result<BTreeSet<EntityKey>, Violation> {
        let chronicle = &self.spaces[at].chronicle;
        let contents = chronicle.contents(&chronicle.now.vector);
        let contents = contents.or_else(|dot| broken(Rule::Named, format!("nobody ever accepted {dot}")))?;
        let forms = oracle(contents.iter().map(|logged| &*logged.entry));
        Ok(forms.into_iter().filter(|(_, form)| !form.hidden.is_empty()).map(|(key, _)| key).collect())
    }

    /// A device goes on with another version of the program.
    fn change_version(&mut self, at: usize) -> Holds {
        self.tally.fault(Fault::Schema);
        let device = &mut self.devices[at];
        device.stop();
        device.version = 1 - device.version;
        self.open(at).map(drop)
    }

    /// A device is started again; somebody may have made room on its disk.
    pub(super) fn reopen(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let device = &mut self.devices[at];
        if device.trouble.is_some() {
            device.stop();
            if rng.percent(50) {
                device.disk.heal();
                (device.trouble, device.is_counted) = (None, false);
            }
        }
        self.open(at).map(drop)
    }

    /// The hub is started again.
    pub(super) fn reopen_hub(&mut self, at: usize) -> Holds {
        let space = &mut self.spaces[at];
        if space.trouble.take().is_some() {
            space.disk.heal();
            space.stop();
        }
        if space.hubs.is_empty() { self.start_hub(at) } else { Ok(()) }
    }

    /// Starts a process of the hub, unless its disk does not let it.
    pub(super) fn start_hub(&mut self, at: usize) -> Holds {
        let started = self.spaces[at].start();
        self.note_hub_trouble(at);
        match started {
            Ok(()) => self.observe(at, &[]),
            Err(_) if self.spaces[at].trouble.is_some() => Ok(()),
            Err(error) => broken(Rule::NoFailure, format!("the hub does not open: {error} ({error:?})")),
        }
    }

    /// Takes notice of what happened to the hub's disk.
    pub(super) fn note_hub_trouble(&mut self, at: usize) {
        let space = &mut self.spaces[at];
        if let Some(trip) = space.disk.take_tripped().or(space.tripped.take()) {
            space.trouble = Some(trip);
            self.trace.say(format_args!("    the hub's disk: {trip:?}"));
            self.tally.fault(match trip {
                Trip::PowerBefore | Trip::PowerAfter => Fault::HubPower,
                Trip::Error | Trip::ErrorAfter => Fault::HubIo,
                Trip::Full => Fault::HubFull,
            });
        }
        if space.disk.is_dead() {
            space.stop();
        }
    }

    /// A device is connected to another space: it says so, and nothing changes.
    fn wrong_space(&mut self, at: usize) -> Holds {
        if self.spaces.len() < 2 || !self.devices[at].file.is_bound || self.devices[at].task.is_some() {
            return Ok(());
        }
        let Some(replica) = self.at_hand(at)? else { return Ok(()) };
        let (own, other) = (self.devices[at].space, 1 - self.devices[at].space);
        if self.spaces[other].hubs.is_empty() {
            return Ok(());
        }
        self.devices[at].begin(&replica, false);
        let greeted = self.devices[at].poll();
        let request = self.devices[at].task.as_ref().and_then(|task| task.link.asked());
        if let (Some(request @ Request::Hello(_)), true) = (request, greeted.is_pending()) {
            let reply = self.serve(other, &request, &mut Rng::new(own as u64))?;
            let excused = reply.is_err();
            if let Some(task) = &self.devices[at].task {
                task.link.answer(reply);
            }
            let ended = self.devices[at].poll();
            let refused = matches!(ended, std::task::Poll::Ready(Err(Error::WrongAccount { .. })));
            if !refused && !excused && self.devices[at].trouble.is_none() {
                return broken(
                    Rule::NoFailure,
                    format!("{} syncs with another space than its own", self.devices[at].name),
                );
            }
            self.tally.fault(Fault::WrongSpace);
        }
        self.devices[at].task = None;
        self.note_trouble(at);
        Ok(())
    }
}
