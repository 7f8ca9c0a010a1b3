//! A hub whose file was put back as it was a thousand entries ago, or is gone: its replicas give it back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::common::{Rng, assert_alike, assert_sound, ids, import, notes_of, number, seeds, settle, sync};
use crate::support::{Device, HubProcess, folder};

#[test]
fn a_hub_that_was_put_back_gets_back_what_it_lost() {
    for seed in seeds(1) {
        println!("NOTES_SEED={seed}");
        lose(&mut Rng(seed), true);
    }
}

#[test]
fn a_hub_that_lost_its_file_gets_back_everything() {
    for seed in seeds(1) {
        println!("NOTES_SEED={seed}");
        lose(&mut Rng(seed), false);
    }
}

/// What every device has to show in the end: titles by id, `None` for what was deleted.
type Expected = BTreeMap<String, Option<String>>;

fn write(device: &Device, rng: &mut Rng, prefix: &str, n: u64, expected: &mut Expected) {
    let new = ids(prefix, n);
    import(device, &new);
    let title = format!("{prefix} changed");
    let [changed, deleted] = [0, 1].map(|half| new[half * new.len() / 2 + rng.below(new.len() / 2)].clone());
    device.ok(&["edit", &changed, "--title", &title]);
    device.ok(&["rm", &deleted]);
    device.ok(&["edit", "n", "--view"]);
    expected.extend(new.into_iter().map(|id| (id.clone(), Some(id))));
    expected.insert(changed, Some(title));
    expected.insert(deleted, None);
}

fn lose(rng: &mut Rng, put_back: bool) {
    let folder = folder();
    let file = folder.path().join("hub.redb");
    let backup = folder.path().join("backup");
    let mut hub = HubProcess::start(folder.path());
    let devices = ["ana", "ben", "cam"].map(|name| Device::of(folder.path(), name, &hub));
    let [ana, ben, cam] = &devices;
    let mut expected = Expected::new();
    ana.add(&["n", "--id", "n"]);
    expected.insert("n".to_owned(), Some("n".to_owned()));
    write(ana, rng, "old", 20, &mut expected);
    sync(ana);
    sync(ben);
    stopped(&mut hub, || fs::copy(&file, &backup).unwrap());

    // What the hub will have lost, of which each device knows another part: cam nothing but its own.
    let each = number("NOTES_ENTRIES", 1_000) / 4;
    write(ana, rng, "a", each, &mut expected);
    sync(ana);
    sync(ben);
    write(ben, rng, "b", each, &mut expected);
    sync(ben);
    let (before, _) = (sync(ana), write(ana, rng, "c", each, &mut expected));
    sync(ana);
    assert!(before["cursor"].as_u64().unwrap() > 2 * each);
    sync(cam);
    write(cam, rng, "d", each, &mut expected);
    sync(cam);
    // And what was never sent before it was lost.
    write(ben, rng, "p", 4, &mut expected);

    stopped(&mut hub, || restore(&file, put_back.then_some(&*backup)));
    let dan = Device::of(folder.path(), "dan", &hub);
    dan.add(&["by a new device", "--id", "dan"]);
    expected.insert("dan".to_owned(), Some("by a new device".to_owned()));
    sync(&dan);

    let mut order = [ana, ben, cam, &dan];
    rng.shuffle(&mut order);
    let reports = order.map(sync);
    assert!(reports.iter().any(|report| report["hubRestored"] == true), "it is reported: {reports:?}");
    settle(&order);
    let eve = Device::of(folder.path(), "eve", &hub);
    sync(&eve);

    let shown = notes_of(&eve);
    let titles = shown.iter().map(|(id, note)| (id.clone(), note["title"].as_str().map(str::to_owned)));
    assert_eq!(titles.collect::<Expected>(), expected);
    assert_eq!(shown["n"]["views"], 6, "one with each batch");
    assert_alike(&[&eve, ana, ben, cam, &dan]);
    for device in [&eve, ana, ben, cam, &dan] {
        assert_sound(device);
    }
    // And life goes on.
    cam.ok(&["edit", "n", "--view"]);
    settle(&[cam, ana]);
    assert_eq!(notes_of(ana)["n"]["views"], 7);
}

/// Does something while the hub is stopped.
fn stopped<T>(hub: &mut HubProcess, f: impl FnOnce() -> T) {
    hub.kill();
    f();
    hub.crash();
}

fn restore(file: &Path, backup: Option<&Path>) {
    match backup {
        Some(backup) => drop(fs::copy(backup, file).unwrap()),
        None => fs::remove_file(file).unwrap(),
    }
}
