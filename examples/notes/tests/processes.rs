//! A hub and three devices, each its own process and file: random edits, syncs in random order, and kills.
//!
//! `NOTES_ROUNDS` makes it longer, `NOTES_SEED` repeats a run (as far as the timing of kills lets it).

#![allow(clippy::unwrap_used, reason = "all of it is a test, also what its functions do")]

mod support;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use support::{Device, HubProcess, Ran, fed, folder};

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn devices_converge_whatever_is_killed() {
    let seed = number("NOTES_SEED", u64::from(std::process::id()));
    println!("NOTES_SEED={seed}");
    let mut world = World::new(seed);
    for _ in 0..number("NOTES_ROUNDS", 16) {
        world.round();
    }
    world.settle();
}

struct World {
    rng: Rng,
    hub: HubProcess,
    devices: Vec<Device>,
    /// Every id that `add` printed, or that was imported.
    printed: BTreeSet<String>,
    /// How many additions of views were written.
    views: i64,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = folder();
        let hub = HubProcess::start(folder.path());
        let devices: Vec<Device> =
            ["ana", "ben", "cam"].iter().map(|name| Device::of(folder.path(), name, &hub)).collect();
        let mut world = Self { rng: Rng(seed), hub, devices, printed: BTreeSet::new(), views: 0, _folder: folder };
        world.add(0, Some("views"));
        world.sync(0);
        world
    }

    fn round(&mut self) {
        let at = self.rng.below(3);
        for _ in 0..=self.rng.below(3) {
            self.write(at);
        }
        match self.rng.below(10) {
            0..5 => self.sync(at),
            5..8 => self.killed_sync(at),
            8 => self.sync_while_the_hub_is_killed(at),
            _ => self.hub.crash(),
        }
    }

    fn write(&mut self, at: usize) {
        let ids: Vec<&String> = self.printed.iter().collect();
        let id = ids[self.rng.below(ids.len())].clone();
        let word = format!("w{}", self.rng.below(1_000));
        let device = &self.devices[at];
        let ran = match self.rng.below(12) {
            0..3 => return self.add(at, None),
            3 if self.rng.chance(30) => return self.import(at),
            3 => return self.killed_write(at),
            4 => {
                let ran = device.run(&["edit", "views", "--view"]);
                self.views += i64::from(ran.code == Some(0));
                ran
            }
            5 | 6 => device.run(&["edit", &id, "--title", &word]),
            7 => device.run(&["edit", &id, "--add-tag", &word[..2]]),
            8 => device.run(&["edit", &id, "--remove-tag", &word[..2], "--body", &word]),
            9 if id != "views" => device.run(&["rm", &id]),
            10 => device.run(&["restore", &id]),
            _ => return self.resolve(at),
        };
        // What this device does not have yet, or what is deleted here, cannot be changed.
        let expected = ran.code == Some(0) || ran.err.contains("there is no note") || ran.err.contains("was deleted");
        assert!(expected, "{ran:?}");
    }

    fn add(&mut self, at: usize, id: Option<&str>) {
        let title = format!("t{}", self.rng.below(1_000));
        let mut args = vec![&*title, "--tag", "w1"];
        args.extend(id.iter().flat_map(|id| ["--id", id]));
        let id = self.devices[at].add(&args);
        self.printed.insert(id);
    }

    /// Enough for syncs to be in the midst of something when they are killed.
    fn import(&mut self, at: usize) {
        let first = self.printed.len();
        let ids: Vec<String> = (first..first + 400).map(|n| format!("i{n:05}")).collect();
        let lines: String = ids.iter().map(|id| format!("{{\"id\":\"{id}\",\"title\":\"{id}\"}}\n")).collect();
        fed(self.devices[at].command(&["import", "-"]), lines.as_bytes()).ok();
        self.printed.extend(ids);
    }

    /// A command that is killed has written all or nothing.
    fn killed_write(&mut self, at: usize) {
        let before = self.views_at(at);
        let mut command = self.devices[at].command(&["edit", "views", "--view"]);
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(self.rng.next() % 20_000));
        let _ = child.kill();
        child.wait().unwrap();
        let written = self.views_at(at) - before;
        assert!((0..=1).contains(&written), "{written}");
        self.views += written;
    }

    fn views_at(&self, at: usize) -> i64 {
        let ran = self.devices[at].run(&["show", "views", "--json"]);
        // It may not have come here yet.
        serde_json::from_str(&ran.out).map_or(0, |note: Value| note["views"].as_i64().unwrap())
    }

    fn resolve(&mut self, at: usize) {
        let device = &self.devices[at];
        let conflicts = device.json(&["conflicts", "--json"]);
        let Some(conflict) = conflicts.as_array().and_then(|all| all.first()) else { return };
        let (id, field) = (conflict["id"].as_str().unwrap(), conflict["field"].as_str().unwrap());
        let take = self.rng.below(2).to_string();
        device.ok(&["resolve", id, field, "--take", &take]);
    }

    fn sync(&mut self, at: usize) {
        self.devices[at].ok(&["sync"]);
    }

    fn killed_sync(&mut self, at: usize) {
        let mut child =
            self.devices[at].command(&["sync"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(self.rng.next() % 60_000));
        let _ = child.kill();
        child.wait().unwrap();
        // What it was in the midst of is no matter to the next one.
        if self.rng.chance(50) {
            self.sync(at);
        }
    }

    fn sync_while_the_hub_is_killed(&mut self, at: usize) {
        let mut command = self.devices[at].command(&["sync"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(self.rng.next() % 60_000));
        self.hub.crash();
        let ran = Ran::of(child.wait_with_output().unwrap());
        let expected = matches!(ran.code, Some(0 | 3)) || ran.err.contains("not reached") || ran.err.contains("busy");
        assert!(expected, "{ran:?}");
    }

    /// Everything is sent; then all have the same, and all that was acknowledged.
    fn settle(&mut self) {
        for at in [0, 1, 2, 0, 1, 2] {
            self.sync(at);
        }
        let lists: Vec<String> =
            self.devices.iter().map(|device| device.ok(&["list", "--json", "--deleted"])).collect();
        assert_eq!(lists[0], lists[1]);
        assert_eq!(lists[0], lists[2]);
        let list: Value = serde_json::from_str(&lists[0]).unwrap();
        let there: BTreeSet<String> =
            list.as_array().unwrap().iter().map(|note| note["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(there, self.printed, "what `add` printed, and nothing else");
        for device in &self.devices {
            assert_eq!(device.json(&["status", "--json"])["pending"], 0);
            assert_eq!(device.json(&["refused", "--json"]), Value::Array(Vec::new()));
            let verified = device.ok(&["verify"]);
            assert!(verified.contains("hub       the same") && verified.ends_with("sound\n"), "{verified}");
        }
        assert_eq!(self.devices[0].ok(&["conflicts", "--json"]), self.devices[1].ok(&["conflicts", "--json"]));
        assert_eq!(self.views_at(2), self.views);
    }
}
