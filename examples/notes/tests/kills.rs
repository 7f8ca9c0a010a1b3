//! `kill -9` at any moment: of a device's command, of a hub, while their files are made and while they are used. What a
//! command printed and what a hub accepted is there afterwards; every file opens.
//!
//! `NOTES_KILLS` is how many kills there are, `NOTES_SEED` when they come.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test, also what its functions do")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Device, HubProcess, folder, notes};

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// Within which time a command is killed. How long it takes depends on what else the machine does: the window goes
/// after it, so that about half of the kills come while it is at work.
struct Window(Duration);

impl Window {
    /// As long as the command takes now, at best.
    fn of(mut command: Command) -> Self {
        let mut time = || {
            let began = Instant::now();
            assert!(command.stdout(Stdio::null()).status().unwrap().success());
            began.elapsed()
        };
        Self(time().min(time()).min(time()))
    }

    fn sleep(&self, rng: &mut Rng) {
        std::thread::sleep(Duration::from_micros(rng.below(self.0.as_micros() as u64 + 1)));
    }

    /// Takes notice of whether the command was at work when it was killed.
    fn learn(&mut self, was_at_work: bool) {
        self.0 = if was_at_work { self.0 * 10 / 9 } else { self.0 * 9 / 10 };
    }

    /// Kills a command. What it printed, and whether it was still at work.
    fn kill(&mut self, mut command: Command, rng: &mut Rng) -> (String, bool) {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        self.sleep(rng);
        let _ = child.kill();
        let ran = child.wait_with_output().unwrap();
        let was_at_work = ran.status.code().is_none();
        self.learn(was_at_work);
        (String::from_utf8(ran.stdout).unwrap(), was_at_work)
    }
}

fn ids(device: &Device) -> BTreeSet<String> {
    let list = device.json(&["list", "--json"]);
    list.as_array().unwrap().iter().map(|note| note["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_device_keeps_what_its_commands_printed() {
    let seed = number("NOTES_SEED", u64::from(std::process::id()));
    println!("NOTES_SEED={seed}");
    let (mut rng, kills) = (Rng(seed), number("NOTES_KILLS", 150));
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let old = Device::of(folder.path(), "old", &hub);
    let (mut printed, mut at_work, mut fresh_files, mut made) = (BTreeSet::new(), 0, 0, 0);
    let mut window = Window::of(old.command(&["add", "T"]));
    for n in 0..kills {
        let id = format!("n{n:05}");
        let is_fresh = n % 2 == 0;
        let name = format!("fresh{n}");
        let device = if is_fresh { Device::new(folder.path(), &name) } else { old.clone() };
        let command = match n % 10 {
            3 => old.command(&["sync"]),
            7 => old.command(&["compact"]),
            _ => device.command(&["add", "T", "--id", &id]),
        };
        let (out, was_at_work) = window.kill(command, &mut rng);
        at_work += u64::from(was_at_work);
        let told = out == format!("{id}\n");
        if is_fresh {
            fresh_files += 1;
            made += u64::from(device.file.exists());
            let there = ids(&device);
            assert!(!told || there.contains(&id), "{id} was printed, and is gone");
            assert!(there.is_empty() || there == BTreeSet::from([id]), "{there:?}");
        } else if told {
            printed.insert(id);
        }
        if n % 25 == 24 {
            let there = ids(&old);
            let gone: Vec<_> = printed.difference(&there).collect();
            assert!(gone.is_empty(), "printed, and gone: {gone:?}");
        }
    }
    assert!(old.ok(&["verify"]).contains("sound"));
    println!("{kills} kills, {at_work} of a command at work, {fresh_files} on fresh files, {made} of which were made");
    assert!(at_work > kills / 10, "only {at_work} of {kills} commands were still at work");
}

#[test]
fn a_hub_keeps_what_it_accepted() {
    let seed = number("NOTES_SEED", u64::from(std::process::id()));
    println!("NOTES_SEED={seed}");
    let (mut rng, kills) = (Rng(seed), number("NOTES_KILLS", 150) / 3);
    let folder = folder();
    let mut hub = HubProcess::start(folder.path());
    let device = Device::of(folder.path(), "device", &hub);
    device.add(&["T", "--id", "first"]);
    let mut window = Window::of(device.command(&["sync"]));
    // A hub begins in about the time that a command takes.
    let mut beginning = Window(window.0);
    let (mut accepted, mut interrupted) = (BTreeSet::from(["first".to_owned()]), 0);
    for n in 0..kills {
        if n % 2 == 0 {
            let place = folder.path().join(format!("hub{n}"));
            std::fs::create_dir(&place).unwrap();
            interrupted += u64::from(killed_as_it_begins(&place, &mut beginning, &mut rng));
            continue;
        }
        let id = device.add(&["T", "--id", &format!("n{n:05}")]);
        let mut command = device.command(&["sync"]);
        let mut syncing = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        window.sleep(&mut rng);
        // It stays away until the sync has ended: one that had not begun yet would not notice otherwise.
        hub.kill();
        let was_at_work = !syncing.wait().unwrap().success();
        hub.start_again();
        window.learn(was_at_work);
        interrupted += u64::from(was_at_work);
        if !was_at_work {
            accepted.insert(id);
        }
    }
    device.ok(&["sync"]);
    accepted.extend(ids(&device));
    let fresh = Device::of(folder.path(), "fresh", &hub);
    fresh.ok(&["sync"]);
    assert_eq!(ids(&fresh), accepted, "what the hub accepted, and nothing else");
    assert!(fresh.ok(&["verify"]).contains("hub       the same"));
    println!("{kills} kills of a hub, {interrupted} of them in the middle of something");
    assert!(interrupted > kills / 10, "only {interrupted} of {kills} kills interrupted anything");
}

/// A hub that is killed while it begins, its file not made yet, begins again. Whether it had not begun.
fn killed_as_it_begins(place: &Path, window: &mut Window, rng: &mut Rng) -> bool {
    let mut command = notes();
    command.args(["serve", "--listen", "127.0.0.1:0", "--db"]).arg(place.join("hub.redb"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    window.sleep(rng);
    child.kill().unwrap();
    // It says where it listens once it has begun.
    let had_not_begun = child.wait_with_output().unwrap().stdout.is_empty();
    window.learn(had_not_begun);
    let hub = HubProcess::start(place);
    let device = Device::of(place, "device", &hub);
    device.add(&["T", "--id", "n"]);
    device.ok(&["sync"]);
    had_not_begun
}
