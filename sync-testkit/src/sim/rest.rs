//! When all is well again: everything comes to rest, and everybody shows the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sync_core::{EntityKey, Error, Hub, MemoryStore, Record, Store, TransportError};

use super::check::{forms, shown};
use super::hands::Dice;
use super::ledger::File;
use super::tally::Mark;
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::oracle::{difference, oracle};
use crate::rng::Rng;

/// In how many rounds of everybody's syncs all must be quiet.
const ROUNDS: u64 = 8;

type Records = BTreeMap<EntityKey, Record>;

impl World<'_> {
    /// Heals everything, has everybody sync until nothing moves, and compares.
    pub(super) fn come_to_rest(&mut self) -> Holds {
        self.at = usize::MAX;
        self.trace.say(format_args!("all is well again"));
        self.heal()?;
        self.round_after_round()?;
        let mut records = Vec::new();
        for at in 0..self.spaces.len() {
            records.push(self.compare(at)?);
        }
        for (at, records) in records.iter().enumerate() {
            self.same_anew(at, records)?;
        }
        for device in &self.devices {
            self.trace.note(device.disk.written());
        }
        for space in &self.spaces {
            self.trace.note(space.disk.written());
        }
        Ok(())
    }

    fn heal(&mut self) -> Holds {
        let mut rng = Rng::new(self.plan.seed);
        for at in 0..self.spaces.len() {
            self.spaces[at].disk.heal();
            self.spaces[at].clock.set_skew(0);
            self.spaces[at].mood.set(0);
            self.spaces[at].trouble = None;
            self.spaces[at].stop();
            self.start_hub(at)?;
            while !self.spaces[at].strays.is_empty() {
                self.stray(at, &mut rng)?;
            }
        }
        for at in 0..self.devices.len() {
            let device = &mut self.devices[at];
            (device.offline_until, device.cut) = (0, None);
            device.clock.set_skew(0);
            (device.task, device.form) = (None, None);
            if device.trouble.is_some() || device.replica.is_none() {
                device.stop();
            }
            device.disk.heal();
            (device.trouble, device.is_counted) = (None, false);
            self.open(at)?;
            self.check_file(at, false)?;
        }
        Ok(())
    }

    fn round_after_round(&mut self) -> Holds {
        let pending =
            self.devices.iter().filter_map(|d| d.replica.as_ref()).map(|r| r.status().pending).max().unwrap_or(0);
        let page = self.spaces.iter().map(|space| space.settings.limits.batch_entries).min().unwrap_or(1);
        let rounds = 4 * pending.div_ceil(page) + ROUNDS;
        for round in 0..rounds {
            self.time.fetch_add(60_000, Ordering::Relaxed);
            let mut moved = false;
            for at in 0..self.devices.len() {
                moved |= self.sync_undisturbed(at)?;
            }
            if !moved {
                return Ok(());
            }
            self.trace.say(format_args!("round {round} is over"));
        }
        broken(Rule::Quiet, format!("after {rounds} rounds something still moves"))
    }

    /// A sync without any fault; whether it moved anything.
    fn sync_undisturbed(&mut self, at: usize) -> Result<bool, Violation> {
        let Some(replica) = self.at_hand(at)? else { return Ok(false) };
        let mut rng = Rng::new(1);
        let space = self.devices[at].space;
        self.devices[at].begin(&replica, false);
        let mut polled = self.devices[at].poll();
        let mut requests = 0;
        while polled.is_pending() {
            let request = self.devices[at].task.as_ref().and_then(|task| task.link.asked());
            let Some(request) = request else { return broken(Rule::Quiet, "a sync waits for nothing") };
            requests += 1;
            if requests > 2_000 {
                return broken(Rule::Quiet, format!("{} does not come to the end of its sync", self.devices[at].name));
            }
            let reply = self.serve(space, &request, &mut rng)?;
            if let Some(task) = &self.devices[at].task {
                task.link.answer(reply);
            }
            polled = self.devices[at].poll();
        }
        self.devices[at].task = None;
        self.check_file(at, false)?;
        let std::task::Poll::Ready(ended) = polled else { return Ok(false) };
        match ended {
            Ok(report) => {
                self.trace.say(format_args!("    {} synced: {report:?}", self.devices[at].name));
                if report.forked && !self.may_be_doubted(at) {
                    return broken(
                        Rule::NoFailure,
                        format!("{} takes itself for a copy, and there was none", self.devices[at].name),
                    );
                }
                let moved = report.uploaded + report.downloaded + report.rejected + report.pending > 0;
                Ok(moved || report.hub_restored || report.bootstrapped)
            }
            Err(error) if self.is_way_out(at, &error) => self.adopt_undisturbed(at),
            // A copy may have made later attempts under the same name: a few tries overtake them. Whoever gave
            // something back to the hub is not interrupted.
            Err(Error::Transport(TransportError::Superseded | TransportError::Busy { .. }))
                if self.may_be_doubted(at) =>
            {
                Ok(true)
            }
            Err(error) => {
                let what = format!("with all well again {}: {error} ({error:?})", self.devices[at].name);
                broken(Rule::Quiet, what)
            }
        }
    }

    /// Whether hub and device may hold what cannot be proven to be one history.
    fn may_be_doubted(&self, at: usize) -> bool {
        self.devices[at].file.is_copied || self.spaces[self.devices[at].space].losses > 0
    }

    /// Whether the device's user is asked to take over the hub's state.
    fn is_way_out(&self, at: usize, error: &Error) -> bool {
        let diverged = matches!(error, Error::Diverged { .. } | Error::Transport(TransportError::Diverged { .. }));
        // A stranger may have taken the name of a client that the hub does not know any more.
        let refused = matches!(error, Error::HubLostData { .. } | Error::Transport(TransportError::Denied { .. }));
        (diverged && self.may_be_doubted(at)) || (refused && self.spaces[self.devices[at].space].losses > 0)
    }

    /// A device takes over the hub's state, without any fault.
    fn adopt_undisturbed(&mut self, at: usize) -> Result<bool, Violation> {
        self.tally.mark(Mark::Diverged);
        self.trace.say(format_args!("    {} takes over the hub's state", self.devices[at].name));
        self.begin(at, true, &mut Rng::new(1))?;
        while self.devices[at].task.is_some() {
            self.undisturbed(at)?;
        }
        Ok(true)
    }

    /// The hub, every device, and everybody who begins anew show what the log's entries make.
    fn compare(&mut self, at: usize) -> Result<Records, Violation> {
        let vector = self.spaces[at].vector().or_else(|error| broken(Rule::NoFailure, error.to_string()))?;
        if vector != self.spaces[at].chronicle.now.vector {
            return broken(Rule::Named, "the hub does not have what it accepted".to_owned());
        }
        let present = self.spaces[at].chronicle.contents(&vector);
        let present = present.or_else(|dot| broken(Rule::Named, format!("nobody ever accepted {dot}")))?;
        let expected = oracle(present.iter().map(|logged| &*logged.entry));
        let hub = self.spaces[at].hubs.first().cloned();
        let Some(hub) = hub else { return broken(Rule::Quiet, "the hub is down") };
        let records = hub_records(&hub, expected.keys())?;
        let made = forms(&records);
        if made != expected {
            let what = format!(
                "the hub does not show what its log makes (left it, right the oracle):\n{}",
                difference(&made, &expected)
            );
            return broken(Rule::Converges, what);
        }
        self.bounded(at)?;
        self.all_kept(at)?;
        self.conflicts(at, &expected)?;
        for device in (0..self.devices.len()).filter(|device| self.devices[*device].space == at).collect::<Vec<_>>() {
            self.same_on(device, &records)?;
        }
        Ok(records)
    }

    /// A device shows this; compacted and started again it still does.
    fn same_on(&mut self, at: usize, records: &Records) -> Holds {
        let Some(replica) = self.devices[at].replica.clone() else { return broken(Rule::Quiet, "a device is down") };
        let name = self.devices[at].name.clone();
        let failed = |error: sync_core::Error| Violation { rule: Rule::NoFailure, what: format!("{name}: {error}") };
        if replica.status().pending > 0 {
            return broken(Rule::Quiet, format!("{name} still has {} entries pending", replica.status().pending));
        }
        same(&name, &shown(&replica, records.keys()).map_err(failed)?, records)?;
        let found = replica.verify().map_err(failed)?;
        if !found.is_sound() {
            return broken(Rule::SameAfter, format!("{name} is not sound: {:?}", found.problems));
        }
        replica.compact().map_err(failed)?;
        same(&format!("{name}, compacted,"), &shown(&replica, records.keys()).map_err(failed)?, records)?;
        let heads = self.devices[at].disk.heads().map_err(|error| failed(error.into()))?;
        if heads.first <= heads.last {
            return broken(Rule::Bounded, format!("{name}, compacted, keeps {} rows", heads.last - heads.first + 1));
        }
        drop(replica);
        self.devices[at].stop();
        self.open(at)?;
        let Some(replica) = self.devices[at].replica.clone() else { return broken(Rule::Quiet, "a device is down") };
        same(&format!("{name}, started again,"), &shown(&replica, records.keys()).map_err(failed)?, records)
    }

    /// A hub that is started on the same store, a device that reads the log, and one that takes the snapshot.
    fn same_anew(&mut self, at: usize, records: &Records) -> Holds {
        let mut rng = Rng::new(self.plan.seed ^ 0xf5e5);
        let hub = Hub::builder().clock(Arc::new(self.spaces[at].clock.clone())).random(Arc::new(Dice::new(9)));
        let hub = hub.open(self.spaces[at].disk.copy());
        let hub =
            hub.or_else(|error| broken(Rule::SameAfter, format!("a copy of the hub's store does not open: {error}")))?;
        same("the hub, started again,", &hub_records(&hub, records.keys())?, records)?;
        // Those who begin anew are no part of the world: they leave nothing at the hub.
        self.devices.truncate(MOST_BEFORE_FRESH);
        for adopts in [false, true] {
            let Some(fresh) = self.add_device(at, MemoryStore::new(), File::default(), &mut rng) else { return Ok(()) };
            self.devices[fresh].name =
                if adopts { "a device that took the snapshot" } else { "a new device" }.to_owned();
            self.open(fresh)?;
            if adopts {
                self.begin(fresh, true, &mut rng)?;
                while self.devices[fresh].task.is_some() {
                    self.undisturbed(fresh)?;
                }
            } else {
                self.sync_undisturbed(fresh)?;
            }
            let Some(replica) = self.devices[fresh].replica.clone() else {
                return broken(Rule::Quiet, "a device is down");
            };
            let failed = |error: sync_core::Error| Violation { rule: Rule::NoFailure, what: error.to_string() };
            same(&self.devices[fresh].name, &shown(&replica, records.keys()).map_err(failed)?, records)?;
            self.devices.truncate(fresh);
        }
        Ok(())
    }

    /// One request of a sync, carried out and answered.
    fn undisturbed(&mut self, at: usize) -> Holds {
        let request = self.devices[at].task.as_ref().and_then(|task| task.link.asked());
        let Some(request) = request else { return broken(Rule::Quiet, "a sync waits for nothing") };
        let reply = self.serve(self.devices[at].space, &request, &mut Rng::new(1))?;
        if let Some(task) = &self.devices[at].task {
            task.link.answer(reply);
        }
        self.poll(at)
    }

    /// The hub's journal has at most a row for each push, and one for its name.
    fn bounded(&self, at: usize) -> Holds {
        let space = &self.spaces[at];
        let heads = space.disk.heads().or_else(|error| broken(Rule::NoFailure, error.to_string()))?;
        if heads.last > space.rows + 1 + u64::from(space.losses) {
            let what = format!("after {} requests the hub's journal has {} rows", space.rows, heads.last);
            return broken(Rule::Bounded, what);
        }
        Ok(())
    }
}

/// With two more there are still no more devices than a world may have.
const MOST_BEFORE_FRESH: usize = 5;

fn hub_records<'a>(hub: &Hub, keys: impl Iterator<Item = &'a EntityKey>) -> Result<Records, Violation> {
    let mut records = Records::new();
    for key in keys {
        match hub.record(key) {
            Ok(record) => records.extend(record.map(|record| (key.clone(), record))),
            Err(error) => return broken(Rule::NoFailure, format!("the hub cannot read {key}: {error}")),
        }
    }
    Ok(records)
}

/// Whole records are compared: what shows, and what does not.
fn same(who: &str, theirs: &Records, records: &Records) -> Holds {
    if theirs == records {
        return Ok(());
    }
    let what = format!(
        "{who} does not show what the hub does (left it, right the hub):\n{}",
        difference(&forms(theirs), &forms(records))
    );
    broken(Rule::Converges, what)
}
