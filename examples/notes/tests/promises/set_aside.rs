//! Histories that cannot be proven equal: refused, reported, and a way out on which nothing is lost.
//!
//! It takes a hub that lost data and a copied file at once: the hub is put back as it was, the copy goes on there
//! first, and what the original sent before has the numbers of what the copy sent now.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::common::{assert_alike, list, notes_of, sync};
use crate::support::{Device, HubProcess, folder};

type Commands<'a> = &'a [&'a [&'a str]];

const OF_ANA: Commands<'static> = &[&["edit", "n", "--title", "of ana"], &["edit", "n", "--view"]];
const OF_COPY: Commands<'static> =
    &[&["edit", "n", "--pin", "true"], &["edit", "n", "--title", "of the copy"], &["edit", "n", "--add-tag", "copy"]];

/// `ana` sent its first writes to a hub that lost them, then `copy`, a copy of it from before, sent its own.
fn diverged(path: &Path, of_ana: Commands<'_>, of_copy: Commands<'_>) -> (HubProcess, Device, Device) {
    let (file, backup) = (path.join("hub.redb"), path.join("backup"));
    let mut hub = HubProcess::start(path);
    let [ana, copy] = ["ana", "copy"].map(|name| Device::of(path, name, &hub));
    ana.add(&["T", "--id", "n"]);
    sync(&ana);
    fs::copy(&ana.file, &copy.file).unwrap();
    hub.kill();
    fs::copy(&file, &backup).unwrap();
    hub.crash();
    of_ana.iter().for_each(|args| drop(ana.ok(args)));
    sync(&ana);
    hub.kill();
    fs::copy(&backup, &file).unwrap();
    hub.crash();
    of_copy.iter().for_each(|args| drop(copy.ok(args)));
    sync(&copy);
    (hub, ana, copy)
}

/// It does not sync, says so with a code and a way out, and changes nothing.
#[track_caller]
fn assert_refused(device: &Device) {
    let before = list(device);
    for _ in 0..2 {
        assert_eq!(device.failure(1, &["sync", "--json"]), "diverged");
        assert!(device.fails(1, &["sync"]).contains("--adopt"), "it says what to do");
        assert_eq!(list(device), before);
    }
}

#[test]
fn what_cannot_be_proven_equal_is_refused_until_the_hub_is_adopted() {
    let folder = folder();
    let (_hub, ana, copy) = diverged(folder.path(), OF_ANA, OF_COPY);
    ana.ok(&["edit", "n", "--notebook", "Waits"]);
    let of_copy = list(&copy);
    assert_refused(&ana);
    sync(&copy);
    assert_eq!(list(&copy), of_copy, "nothing was sent");

    let adopted = ana.json(&["sync", "--adopt", "--json"]);
    assert_eq!((&adopted["bootstrapped"], &adopted["pending"]), (&json!(true), &json!(0)));
    sync(&copy);
    let note = &notes_of(&copy)["n"];
    assert_eq!(
        (&note["title"], &note["pinned"], &note["tags"]),
        (&json!("of the copy"), &json!(true), &json!(["copy"]))
    );
    // The hub no longer tells which of them it has from the copy: what was never sent is set aside, too.
    assert_eq!(note["notebook"], Value::Null);
    let refused = ana.json(&["refused", "--json"]);
    let of_waits = refused.as_array().unwrap().iter().filter(|entry| entry.to_string().contains("Waits"));
    let numbers: Vec<String> = of_waits.map(|entry| entry["number"].to_string()).collect();
    assert_eq!(numbers.len(), 2, "the notebook, and the note that is in it: {refused:#}");
    let log = ana.ok(&["log", "--json"]);
    let is_refused = |line: &str| line.contains("Waits") && line.contains(r#""state":"rejected""#);
    assert_eq!(log.lines().filter(|line| is_refused(line)).count(), 2, "{log}");
    for number in &numbers {
        ana.ok(&["refused", "--resubmit", number]);
    }
    sync(&ana);
    sync(&copy);
    assert_eq!(notes_of(&copy)["n"]["notebook"], "Waits");
    assert_eq!((list(&ana), ana.ok(&["conflicts", "--json"])), (list(&copy), copy.ok(&["conflicts", "--json"])));
}

#[test]
fn what_the_hub_lacks_is_set_aside_and_can_be_written_anew() {
    let folder = folder();
    let (_hub, ana, copy) = diverged(folder.path(), OF_ANA, OF_COPY);
    assert_refused(&ana);
    ana.ok(&["sync", "--adopt"]);
    assert_eq!(list(&ana), list(&copy));

    // It is listed, with its values, and compaction keeps it.
    ana.ok(&["compact"]);
    let refused = ana.json(&["refused", "--json"]);
    let refused = refused.as_array().unwrap();
    assert!(refused.iter().all(|entry| entry["code"] == "diverged"), "{refused:?}");
    assert_eq!(ana.json(&["status", "--json"])["rejected"], refused.len());
    assert!(ana.ok(&["refused", "--json"]).contains("of ana"), "{refused:?}");
    for number in refused.iter().map(|entry| entry["number"].to_string()) {
        ana.ok(&["refused", "--resubmit", &number]);
        assert!(ana.fails(1, &["refused", "--discard", &number]).contains("no change"), "it is no longer set aside");
    }
    sync(&ana);
    sync(&copy);
    let note = &notes_of(&copy)["n"];
    assert_eq!((&note["title"], &note["views"], &note["pinned"]), (&json!("of ana"), &json!(1), &json!(true)));
    assert_alike(&[&copy, &ana]);
}

#[test]
fn a_hub_whose_history_differs_is_not_taken_for_one_that_lost_data() {
    let folder = folder();
    // More writes than the copy made: by their number alone the hub seems to lack the last ones only.
    let of_ana: Vec<&[&str]> = [OF_ANA, &[OF_ANA[1]; 3]].concat();
    let (_hub, ana, copy) = diverged(folder.path(), &of_ana, OF_COPY);
    let of_copy = list(&copy);
    assert_refused(&ana);
    sync(&copy);
    assert_eq!(list(&copy), of_copy, "what the copy wrote is still there");
    ana.ok(&["sync", "--adopt"]);
    assert_eq!(list(&ana), of_copy);
    // What is not wanted any more is let go.
    let refused = ana.json(&["refused", "--json"]);
    assert!(!refused.as_array().unwrap().is_empty());
    for number in refused.as_array().unwrap().iter().map(|entry| entry["number"].to_string()) {
        ana.ok(&["refused", "--discard", &number]);
    }
    assert_eq!(ana.json(&["refused", "--json"]), Value::Array(Vec::new()));
    sync(&ana);
    assert_alike(&[&copy, &ana]);
}
