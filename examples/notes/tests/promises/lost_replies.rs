//! Requests and replies that are lost, requests that come late, replicas that are killed between any two of them:
//! nothing is doubled, nothing lost.

use super::common::{Rng, assert_alike, assert_sound, ids, import, notes_of, number, sync};
use super::proxy::{FAULTS, Fault, Outcome, Proxy};
use crate::support::{Device, HubProcess, folder};

/// The requests of a sync that sends something and takes something: hello, push, pull.
const REQUESTS: usize = 3;

struct World {
    rng: Rng,
    hub: HubProcess,
    proxy: Proxy,
    ana: Device,
    ben: Device,
    /// Acknowledged writes, each an entry.
    entries: u64,
    notes: usize,
    views: i64,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(seed: u64) -> Self {
        println!("NOTES_SEED={seed}");
        let folder = folder();
        let hub = HubProcess::start(folder.path());
        let proxy = Proxy::start(hub.address());
        let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
        let mut world = Self { rng: Rng(seed), hub, proxy, ana, ben, entries: 0, notes: 0, views: 0, _folder: folder };
        world.import(1);
        sync(&world.ana);
        sync(&world.ben);
        world
    }

    fn import(&mut self, n: u64) {
        import(&self.ana, &ids(&format!("i{}-", self.notes), n));
        self.notes += n as usize;
        self.entries += n;
    }

    /// Both write, ben sends, and ana's sync meets with a fault.
    fn round(&mut self, fault: Fault, first: usize, times: usize) -> Outcome {
        for _ in 0..=self.rng.below(2) {
            self.ana.ok(&["edit", "i0-0000", "--view"]);
            self.views += 1;
            self.entries += 1;
        }
        if self.rng.chance(50) {
            self.import(1);
        }
        self.ben.ok(&["edit", "i0-0000", "--view"]);
        self.views += 1;
        self.entries += 1;
        sync(&self.ben);
        let outcome = self.proxy.run(self.through_proxy(), fault, first, times);
        assert!(outcome.requests > first, "{fault:?} at {first} did not happen: {outcome:?}");
        outcome
    }

    fn through_proxy(&self) -> std::process::Command {
        let folder = self.ana.file.parent().unwrap();
        Device::new(folder, "ana").command(&["sync", "--server", &self.proxy.url])
    }

    /// The next sync sends and takes everything, and the log has each write once.
    fn check(&self) {
        let report = sync(&self.ana);
        assert_eq!((&report["pending"], &report["rejected"], &report["forked"]), (&0.into(), &0.into(), &false.into()));
        assert_eq!(report["cursor"], self.entries, "each write is in the hub's log once: {report}");
        let notes = notes_of(&self.ana);
        assert_eq!((notes.len(), notes["i0-0000"]["views"].as_i64()), (self.notes, Some(self.views)));
    }

    fn end(self) {
        sync(&self.ben);
        assert_alike(&[&self.ana, &self.ben]);
        assert_sound(&self.ana);
        assert_sound(&self.ben);
        drop(self.hub);
    }
}

#[test]
fn a_fault_at_any_request_doubles_and_loses_nothing() {
    let mut world = World::new(number("NOTES_SEED", 1));
    for fault in FAULTS {
        for first in 0..REQUESTS {
            // What is lost once is tried again by itself; what stays lost is left for the next sync.
            let times = if world.rng.chance(50) { 1 } else { 9 };
            let killed = matches!(fault, Fault::KilledBefore | Fault::KilledAfter);
            let outcome = world.round(fault, first, times);
            let expected = match (killed, times) {
                (true, _) => None,
                (false, 1) => Some(0),
                // Behind the push nothing is pending, if the reply to it arrived.
                (false, _) => Some(if first == 2 { 1 } else { 3 }),
            };
            assert_eq!(outcome.code, expected, "{fault:?} at {first}, {times} times: {outcome:?}");
            world.check();
        }
    }
    world.end();
}

#[test]
fn a_fault_amid_many_pushes_doubles_and_loses_nothing() {
    let mut world = World::new(number("NOTES_SEED", 1));
    for fault in [Fault::ReplyLost, Fault::Late, Fault::KilledAfter] {
        // More than go into one push.
        world.import(1_100);
        let second_push = 2;
        world.round(fault, second_push, 9);
        world.check();
    }
    world.end();
}
