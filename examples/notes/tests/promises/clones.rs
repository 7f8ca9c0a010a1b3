//! A device's file that was copied, and one that was put back as it was: both go on.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::common::{Rng, assert_alike, assert_sound, ids, import, notes_of, seeds, settle, sync};
use crate::support::{Device, HubProcess, folder};

/// What was acknowledged, whoever wrote it.
#[derive(Default)]
struct Ledger {
    ids: BTreeSet<String>,
    views: i64,
    removed: BTreeSet<String>,
}

impl Ledger {
    fn add(&mut self, device: &Device, id: String) {
        device.add(&[&id, "--id", &id]);
        self.ids.insert(id);
    }

    fn view(&mut self, device: &Device, times: i64) {
        let views = vec!["--view"; usize::try_from(times).unwrap()];
        device.ok(&[&["edit", "n"], &views[..]].concat());
        self.views += times;
    }

    fn remove_tag(&mut self, device: &Device, tag: &str) {
        device.ok(&["edit", "n", "--remove-tag", tag]);
        self.removed.insert(tag.to_owned());
    }

    /// All of it is there, once, and nothing else.
    #[track_caller]
    fn assert_on(&self, device: &Device) {
        let notes = notes_of(device);
        assert_eq!(notes.keys().cloned().collect::<BTreeSet<_>>(), self.ids);
        let note = &notes["n"];
        assert_eq!(note["views"], self.views, "each view once");
        let tags: BTreeSet<&str> = TAGS.into_iter().filter(|tag| !self.removed.contains(*tag)).collect();
        assert_eq!(note["tags"], json!(tags), "removed tags stay removed, the others are there");
    }
}

const TAGS: [&str; 4] = ["t0", "t1", "t2", "t3"];

fn first_note(device: &Device) -> Ledger {
    let mut ledger = Ledger::default();
    let tags: Vec<&str> = TAGS.iter().flat_map(|tag| ["--tag", tag]).collect();
    device.add(&[&["n", "--id", "n"], &tags[..]].concat());
    ledger.ids.insert("n".to_owned());
    ledger
}

#[test]
fn a_copy_and_its_original_both_go_on() {
    for seed in seeds(3) {
        println!("NOTES_SEED={seed}");
        copy_goes_on(&mut Rng(seed));
    }
}

fn copy_goes_on(rng: &mut Rng) {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, copy, cam] = ["ana", "copy", "cam"].map(|name| Device::of(folder.path(), name, &hub));
    let mut ledger = first_note(&ana);
    ledger.view(&ana, 1);
    sync(&ana);
    // What waits to be sent is in both files, and is still one write.
    let shared = rng.below(3);
    for n in 0..shared {
        ledger.add(&ana, format!("shared{n}"));
        ledger.view(&ana, 2);
    }
    fs::copy(&ana.file, &copy.file).unwrap();
    let mut pair = [&ana, &copy];
    for round in 0..2 {
        for (at, device) in [&ana, &copy].into_iter().enumerate() {
            for n in 0..=rng.below(2) {
                ledger.add(device, format!("r{round}d{at}n{n}"));
            }
            ledger.view(device, 1 + rng.below(3) as i64);
            ledger.remove_tag(device, TAGS[2 * round + usize::from(rng.chance(50))]);
        }
        rng.shuffle(&mut pair);
        let reports = pair.map(sync);
        let forked: Vec<&Value> = reports.iter().map(|report| &report["forked"]).collect();
        // Who comes second learns that it is a copy, unless all that it has is what both had.
        assert_eq!(forked, [&json!(false), &json!(round == 0)], "{reports:?}");
    }
    settle(&[&ana, &copy]);
    sync(&cam);
    ledger.assert_on(&cam);
    assert_alike(&[&cam, &ana, &copy]);
    for device in [&ana, &copy, &cam] {
        assert_sound(device);
    }
}

#[test]
fn a_file_that_was_put_back_goes_on() {
    for seed in seeds(2) {
        println!("NOTES_SEED={seed}");
        put_back(&mut Rng(seed));
    }
}

fn put_back(rng: &mut Rng) {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, ben, cam] = ["ana", "ben", "cam"].map(|name| Device::of(folder.path(), name, &hub));
    let mut ledger = first_note(&ana);
    ledger.view(&ana, 2);
    sync(&ana);
    sync(&ben);
    // A backup with something that was not sent yet when it was made, and is sent before it is put back.
    ledger.add(&ana, "waits".to_owned());
    ledger.view(&ana, 1);
    let backup = folder.path().join("backup");
    fs::copy(&ana.file, &backup).unwrap();

    // A hundred writes later.
    for (half, tag) in TAGS.into_iter().take(2).enumerate() {
        ledger.view(&ana, 1 + rng.below(3) as i64);
        ledger.remove_tag(&ana, tag);
        let notes = ids(&format!("h{half}-"), 48);
        import(&ana, &notes);
        ledger.ids.extend(notes);
        sync(&ana);
        ledger.view(&ben, 1);
        sync(&ben);
    }
    fs::copy(&backup, &ana.file).unwrap();
    // It goes on where the backup was, perhaps with a sync first.
    let before = rng.chance(50);
    if before {
        assert_eq!(sync(&ana)["forked"], true);
    }
    ledger.view(&ana, 3);
    ledger.add(&ana, "after".to_owned());
    ledger.remove_tag(&ana, TAGS[2]);
    assert_eq!(sync(&ana)["forked"], !before);
    settle(&[&ana, &ben]);
    sync(&cam);
    ledger.assert_on(&cam);
    assert_alike(&[&cam, &ana, &ben]);
    for device in [&ana, &ben, &cam] {
        assert_sound(device);
    }
}
