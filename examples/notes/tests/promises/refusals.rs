//! What a hub refuses: kept on its device with the reason, in nobody's way, and written anew or let go.

use serde_json::{Value, json};

use super::common::{assert_alike, assert_sound, ids, import, list, notes_of, sync};
use super::proxy::{FAULTS, Fault, Proxy};
use super::ruled_hub::RuledHub;
use crate::support::{Device, folder};

fn refused(device: &Device) -> Vec<Value> {
    device.json(&["refused", "--json"]).as_array().unwrap().clone()
}

fn codes(device: &Device) -> Vec<String> {
    refused(device).iter().map(|refused| refused["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_refused_note_among_many_is_in_nobodys_way_and_can_be_mended() {
    let folder = folder();
    let mut hub = RuledHub::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::at(folder.path(), name, &hub.url()));
    ben.add(&["of ben", "--id", "ben"]);
    sync(&ben);
    import(&ana, &[ids("a", 700), vec!["bad".into()], ids("z", 700)].concat());
    ana.ok(&["edit", "bad", "--add-tag", "kept"]);
    let report = sync(&ana);
    let counts = ["uploaded", "rejected", "pending", "downloaded"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(counts, [1_400, 2, 0, 1]);
    assert!(!notes_of(&ana).contains_key("bad"), "its effect left what shows");

    // It stays there through compaction, restarts and other syncs.
    ana.ok(&["compact"]);
    hub.crash();
    sync(&ana);
    assert_eq!(
        (codes(&ana), &ana.json(&["status", "--json"])["rejected"]),
        (vec!["invalid".into(), "gone".into()], &json!(2))
    );
    let shown = ana.ok(&["refused"]);
    assert!(shown.contains("no note may be called bad"), "{shown}");
    assert!(shown.contains("tags{+“kept”}"), "what was written is shown: {shown}");
    sync(&ben);
    assert_eq!(list(&ana), list(&ben));

    // As it is it is refused again; mended it is not.
    let numbers =
        |device: &Device| -> Vec<String> { refused(device).iter().map(|r| r["number"].to_string()).collect() };
    let number = numbers(&ana)[0].clone();
    assert_eq!(ana.run(&["refused", "--resubmit", &number, "--body", "b"]).code, Some(0));
    sync(&ana);
    let again = refused(&ana).into_iter().find(|refused| refused["code"] == "invalid").unwrap();
    assert_eq!(again["entry"]["payload"]["body"], "b");
    ana.ok(&["refused", "--resubmit", &again["number"].to_string(), "--title", "good"]);
    let of_tag = &numbers(&ana)[0];
    assert!(ana.fails(1, &["refused", "--resubmit", of_tag, "--title", "T"]).contains("wrote no title"));
    ana.ok(&["refused", "--resubmit", of_tag]);
    sync(&ana);
    sync(&ben);
    let mended = &notes_of(&ben)["bad"];
    assert_eq!((&mended["title"], &mended["body"], &mended["tags"]), (&json!("good"), &json!("b"), &json!(["kept"])));

    // Or it is let go.
    ana.ok(&["edit", "bad", "--title", "bad again"]);
    sync(&ana);
    assert_eq!((codes(&ana), &notes_of(&ana)["bad"]["title"]), (vec!["invalid".into()], &json!("good")));
    ana.ok(&["refused", "--discard", &numbers(&ana)[0]]);
    assert_alike(&[&ana, &ben]);
    assert_sound(&ana);
}

#[test]
fn what_was_written_together_is_refused_together_and_arrives_together() {
    let folder = folder();
    let hub = RuledHub::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::at(folder.path(), name, &hub.url()));
    ana.add(&["bad", "--id", "n", "--notebook", "Work"]);
    assert_eq!(sync(&ana)["rejected"], 2);
    let mut both = codes(&ana);
    both.sort();
    assert_eq!(both, ["group", "invalid"]);
    sync(&ben);
    assert_eq!(ben.ok(&["log"]), "", "neither the note nor its notebook arrived");
    ana.add(&["good", "--id", "m", "--notebook", "Home"]);
    sync(&ana);
    sync(&ben);
    let log = ben.ok(&["log", "--json"]);
    let entries: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|line| line["entry"]["group"] == json!({"first": 1, "count": 2})), "{log}");
}

#[test]
fn a_fault_at_any_request_doubles_and_loses_no_refusal() {
    let folder = folder();
    let hub = RuledHub::start(folder.path());
    let proxy = Proxy::start(&hub.address);
    let [ana, ben] = ["ana", "ben"].map(|name| Device::at(folder.path(), name, &hub.url()));
    let mut rounds = 0;
    for fault in FAULTS {
        // Hello, push, pull.
        for first in 0..3 {
            rounds += 1;
            ana.add(&["good", "--id", &format!("good {rounds}")]);
            ana.add(&["bad", "--id", &format!("bad {rounds}")]);
            let times = if matches!(fault, Fault::Late) { 1 } else { 9 };
            let through = Device::new(folder.path(), "ana").command(&["sync", "--server", &proxy.url]);
            let outcome = proxy.run(through, fault, first, times);
            assert!(outcome.requests > first, "{fault:?} at {first} did not happen: {outcome:?}");
            let report = sync(&ana);
            assert_eq!((&report["pending"], &report["cursor"]), (&json!(0), &json!(rounds)), "{fault:?} at {first}");
            assert_eq!(codes(&ana), vec!["invalid"; rounds], "{fault:?} at {first}");
        }
    }
    sync(&ben);
    assert_eq!(list(&ana), list(&ben));
    assert_sound(&ana);
}
