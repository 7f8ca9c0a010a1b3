//! What all of these tests use.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use crate::support::{Device, fed};

/// SplitMix64.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

pub(super) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// The seeds to try. A failing test prints the one it was at.
pub(super) fn seeds(everyday: u64) -> Range<u64> {
    let first = number("NOTES_SEED", 1);
    first..first + number("NOTES_SEEDS", everyday)
}

#[track_caller]
pub(super) fn sync(device: &Device) -> Value {
    device.json(&["sync", "--json"])
}

/// Everyone sends, and then takes what the others sent.
#[track_caller]
pub(super) fn settle(devices: &[&Device]) {
    for device in [devices, devices].concat() {
        sync(device);
    }
}

/// Writes notes whose ids and titles are alike, each an entry of its own.
#[track_caller]
pub(super) fn import(device: &Device, ids: &[String]) {
    let lines: String = ids.iter().map(|id| format!("{{\"id\":\"{id}\",\"title\":\"{id}\"}}\n")).collect();
    fed(device.command(&["import", "-"]), lines.as_bytes()).ok();
}

pub(super) fn ids(prefix: &str, n: u64) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{i:04}")).collect()
}

/// All that a device shows, tombstones too.
#[track_caller]
pub(super) fn list(device: &Device) -> String {
    device.ok(&["list", "--json", "--deleted"])
}

/// All that a device shows, by id.
#[track_caller]
pub(super) fn notes_of(device: &Device) -> BTreeMap<String, Value> {
    let list: Vec<Value> = serde_json::from_str(&list(device)).unwrap();
    list.into_iter().map(|note| (note["id"].as_str().unwrap().to_owned(), note)).collect()
}

/// They show the same to the byte, also as conflicts, have nothing left to send, and nothing was refused.
#[track_caller]
pub(super) fn assert_alike(devices: &[&Device]) {
    let shown = |device: &Device| (list(device), device.ok(&["conflicts", "--json"]));
    let first = shown(devices[0]);
    for device in devices {
        assert_eq!(shown(device), first, "{}", device.file.display());
        let status = device.json(&["status", "--json"]);
        assert_eq!((status["pending"].as_u64(), status["rejected"].as_u64()), (Some(0), Some(0)), "{status}");
    }
}

/// The file is sound, and its log is the hub's.
#[track_caller]
pub(super) fn assert_sound(device: &Device) {
    let verified = device.ok(&["verify"]);
    assert!(verified.contains("hub       the same") && verified.ends_with("sound\n"), "{verified}");
}
