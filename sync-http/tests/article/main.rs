//! The article's client, re-enacted to the letter, against the hub: its own devices converge with each other, and the
//! hub shows what they show.

#![allow(clippy::unwrap_used)] // A helper of a test that fails is a test that fails.

mod api_client;
mod contracts;
mod device;
mod domain;
mod replicas;
mod served;
mod wal_store;

use std::cell::Cell;
use std::rc::Rc;

use serde_json::json;
use sync_testkit::rng::Rng;

use contracts::Note;
use device::{Device, Now};
use domain::note;
use served::{Served, shown};

const START: u64 = 1_700_000_000_000;

fn clock() -> Now {
    Rc::new(Cell::new(START))
}

fn tick(now: &Now) {
    now.set(now.get() + 1);
}

#[tokio::test]
async fn two_devices_that_edited_the_same_note_offline_agree() {
    let hub = Served::start(START).await;
    let now = clock();
    let mut a = Device::new("device-a", &hub.url, now.clone(), 1);
    let mut b = Device::new("device-b", &hub.url, now.clone(), 2);
    let id = a.create_note("Note #45", Some("body"));
    a.run_sync_cycle().await.unwrap();
    b.run_sync_cycle().await.unwrap();
    assert_eq!(a.notes, b.notes);
    // Both offline: each edits the title; one the body too.
    tick(&now);
    a.update_note(&id, json!({ "title": "Shopping", "body": "milk" }));
    tick(&now);
    b.update_note(&id, json!({ "title": "Groceries" }));
    for _ in 0..2 {
        a.run_sync_cycle().await.unwrap();
        b.run_sync_cycle().await.unwrap();
    }
    assert_eq!(a.notes, b.notes);
    let shown_there = note(&a.notes, &id);
    assert_eq!((&shown_there["title"], &shown_there["body"]), (&json!("Groceries"), &json!("milk")));
    assert_eq!(shown_there["updatedAt"], START + 2);
    assert_eq!(shown(&hub.hub, &id), *shown_there);
}

#[tokio::test]
async fn a_delete_wins_over_what_others_wrote_meanwhile() {
    let hub = Served::start(START).await;
    let now = clock();
    let mut a = Device::new("device-a", &hub.url, now.clone(), 1);
    let mut b = Device::new("device-b", &hub.url, now.clone(), 2);
    let id = a.create_note("kept?", None);
    a.run_sync_cycle().await.unwrap();
    b.run_sync_cycle().await.unwrap();
    tick(&now);
    a.delete_note(&id);
    tick(&now);
    b.update_note(&id, json!({ "title": "too late" }));
    for _ in 0..2 {
        b.run_sync_cycle().await.unwrap();
        a.run_sync_cycle().await.unwrap();
    }
    assert_eq!(a.notes, b.notes);
    assert_eq!((&note(&a.notes, &id)["deleted"], &note(&a.notes, &id)["title"]), (&json!(true), &json!("kept?")));
    assert_eq!(shown(&hub.hub, &id)["deleted"], json!(true));
}

#[tokio::test]
async fn what_was_downloaded_is_not_sent_back_and_what_was_sent_twice_is_there_once() {
    let hub = Served::start(START).await;
    let now = clock();
    let mut a = Device::new("device-a", &hub.url, now.clone(), 1);
    let mut b = Device::new("device-b", &hub.url, now.clone(), 2);
    for n in 0..5 {
        tick(&now);
        a.create_note(&format!("note {n}"), None);
    }
    // The reply is lost: the device does not know that all has arrived.
    let mut unaware = a.clone();
    a.upload_pending_actions().await.unwrap();
    unaware.run_sync_cycle().await.unwrap();
    b.run_sync_cycle().await.unwrap();
    assert!(b.wal_store.get_pending().is_empty(), "downloads came back as pending: they would be sent again");
    assert_eq!(hub.hub.head().seq, 5);
    assert_eq!(unaware.notes, b.notes);
    // The article's cursor is where the next download begins.
    b.run_sync_cycle().await.unwrap();
    assert_eq!(b.wal_store.get_all().len(), 5);
}

#[tokio::test]
async fn a_device_that_was_offline_for_long_sends_all_of_it_at_once() {
    let hub = Served::start(START).await;
    let now = clock();
    let mut a = Device::new("device-a", &hub.url, now.clone(), 1);
    for n in 0..2_500 {
        tick(&now);
        a.write_unseen(&format!("note {n}"), None);
    }
    a.run_sync_cycle().await.unwrap();
    let mut b = Device::new("device-b", &hub.url, now, 2);
    b.run_sync_cycle().await.unwrap();
    assert_eq!((hub.hub.head().seq, b.notes.len()), (2_500, 2_500));
    assert_eq!(a.notes, b.notes);
}

#[tokio::test]
async fn what_the_article_has_no_words_for_is_left_out() {
    let hub = Served::start(START).await;
    let create = |n: u64, kind: &str, fields: &str| {
        let id = format!("rust-{n:016x}");
        format!(
            r#"{{"id":"{id}","entityType":"{kind}","entityId":"e{n}","type":"create","payload":{fields},"clientId":"rust","logicalTime":{START},"n":{n}}}"#
        )
    };
    let odd = r#"{"title":"t","views":{"$add":3},"tags":{"$insert":["a"]},"like":{"$value":{"$add":1}}}"#;
    let restore = format!(
        r#"{{"id":"rust-0000000000000003","entityType":"note","entityId":"e2","type":"restore","payload":null,"of":["rust-0000000000000002"],"clientId":"rust","logicalTime":{START},"n":3}}"#
    );
    hub.push(&[create(1, "notebook", odd), create(2, "note", odd), restore]);
    let mut device = Device::new("device-a", &hub.url, clock(), 1);
    device.run_sync_cycle().await.unwrap();
    let entries = device.wal_store.get_all();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].payload["payload"], json!({ "title": "t", "like": { "$add": 1 } }));
    assert_eq!(entries[0].id, "rust-0000000000000002");
    // The cursor went on over what was left out.
    hub.push(&[create(4, "note", odd)]);
    device.run_sync_cycle().await.unwrap();
    assert_eq!(device.wal_store.get_all().len(), 2);
}

#[tokio::test]
async fn a_long_log_comes_in_one_reply_as_far_as_it_is_bounded() {
    let hub = Served::start(START).await;
    let now = clock();
    let mut a = Device::new("device-a", &hub.url, now.clone(), 1);
    let body = "x".repeat(100_000);
    for n in 0..120 {
        tick(&now);
        a.write_unseen(&format!("note {n}"), Some(&body));
        if n % 60 == 59 {
            a.upload_pending_actions().await.unwrap();
        }
    }
    let mut b = Device::new("device-b", &hub.url, now, 2);
    b.run_sync_cycle().await.unwrap();
    assert_eq!(b.notes.len(), 120);
}

#[tokio::test]
async fn a_server_that_is_gone_loses_nothing() {
    let now = clock();
    let mut a = Device::new("device-a", "http://127.0.0.1:1", now, 1);
    let id = a.create_note("offline", None);
    assert!(a.run_sync_cycle().await.is_err());
    assert_eq!(a.wal_store.get_pending().len(), 1);
    assert_eq!(note(&a.notes, &id)["title"], json!("offline"));
}

/// What is there of a note to see: of a deleted one only that, and since when. (The hub keeps for a restore what was
/// written meanwhile; the article passes over it.)
fn visible(note: &Note) -> Note {
    let mut note = note.clone();
    if note["deleted"] == json!(true) {
        note.retain(|name, _| ["id", "deleted", "updatedAt"].contains(&name.as_str()));
    }
    note
}

/// One history of several devices, from a seed. `skew` is how far their clocks are apart.
async fn history(seed: u64, skew: u64) {
    let mut rng = Rng::new(seed);
    let hub = Served::start(START).await;
    let clocks: Vec<Now> = (0..3).map(|_| clock()).collect();
    let ids = ["device-a", "device-b", "device-c"];
    let mut devices: Vec<Device> = ids
        .iter()
        .zip(&clocks)
        .zip(seed * 10..)
        .map(|((id, now), seed)| Device::new(id, &hub.url, now.clone(), seed))
        .collect();
    let mut time = START;
    for step in 0..60 {
        let at = rng.below(devices.len());
        // One time for all, on clocks that differ; no two actions at once.
        time += 1 + rng.below(3) as u64;
        clocks[at].set(time + skew * at as u64);
        let device = &mut devices[at];
        let notes: Vec<String> = device.notes.keys().cloned().collect();
        match rng.below(10) {
            0 | 1 => drop(device.create_note(&format!("title {step}"), rng.percent(50).then_some("body"))),
            2..=5 if !notes.is_empty() => {
                let data = if rng.percent(50) {
                    json!({ "title": format!("title {step}") })
                } else {
                    json!({ "body": format!("body {step}") })
                };
                device.update_note(rng.pick::<String>(&notes), data);
            }
            6 if !notes.is_empty() => device.delete_note(rng.pick::<String>(&notes)),
            7 => {
                // The reply is lost.
                let before = device.wal_store.clone();
                device.upload_pending_actions().await.unwrap();
                device.wal_store = before;
            }
            _ => device.run_sync_cycle().await.unwrap(),
        }
    }
    for _ in 0..2 {
        for device in &mut devices {
            device.run_sync_cycle().await.unwrap();
        }
    }
    let [a, b, c] = &devices[..] else { panic!("three devices") };
    assert_eq!(a.notes, b.notes, "seed {seed}");
    assert_eq!(a.notes, c.notes, "seed {seed}");
    assert_eq!(a.wal_store.get_all(), c.wal_store.get_all(), "seed {seed}");
    assert!(devices.iter().all(|device| device.wal_store.get_pending().is_empty()));
    assert_eq!(hub.hub.head().seq, a.wal_store.get_all().len() as u64);
    if skew == 0 {
        for id in a.notes.keys() {
            assert_eq!(visible(&shown(&hub.hub, id)), visible(note(&a.notes, id)), "seed {seed}, {id}");
        }
    }
}

#[tokio::test]
async fn devices_converge_and_the_hub_shows_what_they_show() {
    for seed in 0..25 {
        history(seed, 0).await;
    }
}

#[tokio::test]
async fn devices_converge_whatever_their_clocks_say() {
    for seed in 100..110 {
        history(seed, 7_000).await;
    }
}
