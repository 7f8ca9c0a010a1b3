//! Devices and a hub: syncing, conflicts, being offline, tokens, spaces.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Device, HubProcess, folder};

#[test]
fn a_conflict_is_listed_on_both_sides_and_the_loser_can_be_taken() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
    ana.add(&["Shopping", "--id", "n", "--tag", "food"]);
    assert_eq!(ana.json(&["sync", "--json"])["uploaded"], 1);
    assert_eq!(ben.json(&["sync", "--json"])["downloaded"], 1);
    ana.ok(&["edit", "n", "--title", "Groceries", "--add-tag", "home", "--view"]);
    ben.ok(&["edit", "n", "--title", "Market", "--remove-tag", "food", "--view", "--view"]);
    for device in [&ana, &ben, &ana] {
        device.ok(&["sync"]);
    }
    let list = ana.ok(&["list", "--json", "--deleted"]);
    assert_eq!(list, ben.ok(&["list", "--json", "--deleted"]));
    let note: Value = serde_json::from_str::<Value>(&list).unwrap()[0].clone();
    assert_eq!((&note["title"], &note["tags"], &note["views"]), (&json!("Market"), &json!(["home"]), &json!(3)));

    let conflicts = ana.json(&["conflicts", "--json"]);
    assert_eq!(conflicts, ben.json(&["conflicts", "--json"]));
    assert_eq!((&conflicts[0]["field"], &conflicts[0]["winner"]["value"]), (&json!("title"), &json!("Market")));
    let loser = &conflicts[0]["losers"][0];
    assert_eq!((&loser["value"], &loser["take"]), (&json!("Groceries"), &json!(1)));
    assert!(ana.ok(&["conflicts"]).contains("notes resolve n title --take 1"));
    assert!(ana.fails(1, &["resolve", "n", "title", "--take", "2"]).contains("goes from 0"));
    ana.ok(&["resolve", "n", "title", "--take", "1"]);
    for device in [&ana, &ben] {
        device.ok(&["sync"]);
        assert_eq!(device.json(&["show", "n", "--json"])["title"], "Groceries");
        assert_eq!(device.json(&["conflicts", "--json"]), json!([]));
        assert!(device.ok(&["verify"]).contains("the same"));
    }
}

#[test]
fn an_edit_that_a_delete_hides_is_kept() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
    for id in ["kept", "dropped"] {
        ana.add(&["T", "--id", id]);
    }
    for device in [&ana, &ben] {
        device.ok(&["sync"]);
    }
    for id in ["kept", "dropped"] {
        ana.ok(&["rm", id]);
        ben.ok(&["edit", id, "--body", "typed meanwhile"]);
    }
    for device in [&ana, &ben, &ana] {
        device.ok(&["sync"]);
        assert!(device.ok(&["list"]).contains("no notes") || device.file == ben.file);
    }
    let conflicts = ana.json(&["conflicts", "--json"]);
    assert_eq!((&conflicts[1]["id"], &conflicts[1]["field"]), (&json!("kept"), &json!("deleted")));
    assert_eq!(
        (&conflicts[1]["losers"][0]["field"], &conflicts[1]["losers"][0]["value"]),
        (&json!("body"), &json!("typed meanwhile"))
    );
    ana.ok(&["resolve", "kept", "deleted", "--take", "1"]);
    ana.ok(&["resolve", "dropped", "deleted"]);
    for device in [&ana, &ben] {
        device.ok(&["sync"]);
        assert_eq!(device.json(&["conflicts", "--json"]), json!([]));
        let list = device.json(&["list", "--json"]);
        assert_eq!((list.as_array().unwrap().len(), &list[0]["body"]), (1, &json!("typed meanwhile")));
    }
}

#[test]
fn offline_is_3_with_pending_work_and_1_without() {
    let folder = folder();
    let mut hub = HubProcess::start(folder.path());
    let device = Device::of(folder.path(), "ana", &hub);
    device.add(&["T", "--id", "n"]);
    device.ok(&["sync"]);
    hub.kill();
    assert_eq!(device.failure(1, &["sync", "--json"]), "offline");
    device.ok(&["edit", "n", "--title", "U"]);
    assert_eq!(device.failure(3, &["sync", "--json"]), "offline");
    assert!(device.fails(3, &["sync"]).contains("1 change kept here"));
    let verified = device.run(&["verify"]);
    assert!(verified.code == Some(1) && verified.err.contains("not reached"), "{verified:?}");
    hub.crash();
    device.ok(&["sync"]);
    assert_eq!(device.json(&["status", "--json"])["pending"], 0);
}

#[test]
fn only_who_has_the_token_is_let_in() {
    let folder = folder();
    let hub = HubProcess::start_with_token(folder.path(), "secret");
    let device = Device::of(folder.path(), "ana", &hub);
    device.add(&["T"]);
    assert_eq!(device.failure(1, &["sync", "--json"]), "denied");
    assert_eq!(device.failure(1, &["--token", "guess", "sync", "--json"]), "denied");
    device.ok(&["--token", "secret", "sync"]);
    assert_eq!(device.json(&["status", "--json"])["pending"], 0);
}

#[test]
fn spaces_of_a_hub_are_apart() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
    ana.ok(&["--space", "work", "add", "T", "--id", "n"]);
    ana.ok(&["--space", "work", "sync"]);
    ben.ok(&["sync"]);
    assert_eq!(ben.json(&["list", "--json"]), json!([]));
    ben.ok(&["--space", "work", "sync"]);
    assert_eq!(ben.json(&["--space", "work", "list", "--json"])[0]["id"], "n");
}

#[test]
fn notes_belong_to_one_hub() {
    let folder = folder();
    let other = support::folder();
    let (hub, another) = (HubProcess::start(folder.path()), HubProcess::start(other.path()));
    let device = Device::of(folder.path(), "ana", &hub);
    device.add(&["T"]);
    device.ok(&["sync"]);
    let strayed = Device::of(folder.path(), "ana", &another);
    assert_eq!(strayed.failure(1, &["sync", "--json"]), "wrong_account");
    assert!(strayed.run(&["verify"]).err.contains("not the hub of these notes"));
}

#[test]
fn a_copied_file_goes_on_as_a_device_of_its_own() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, copy] = ["ana", "copy"].map(|name| Device::of(folder.path(), name, &hub));
    ana.add(&["T", "--id", "n"]);
    ana.ok(&["sync"]);
    std::fs::copy(&ana.file, &copy.file).unwrap();
    ana.add(&["of ana", "--id", "a"]);
    copy.add(&["of the copy", "--id", "c"]);
    for device in [&ana, &copy, &ana] {
        device.ok(&["sync"]);
    }
    let list = ana.ok(&["list", "--json"]);
    assert_eq!(list, copy.ok(&["list", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&list).unwrap().as_array().unwrap().len(), 3);
    assert!(copy.ok(&["verify"]).contains("sound"));
}

#[test]
fn a_hub_that_lost_everything_has_it_back_from_its_devices() {
    let folder = folder();
    let mut hub = HubProcess::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
    ana.add(&["T", "--id", "n"]);
    for device in [&ana, &ben] {
        device.ok(&["sync"]);
    }
    ben.ok(&["edit", "n", "--body", "pending"]);
    hub.lose_everything();
    assert!(ana.run(&["sync"]).err.contains("the hub had lost data"));
    for device in [&ben, &ana] {
        device.ok(&["sync"]);
    }
    let fresh = Device::of(folder.path(), "cam", &hub);
    fresh.ok(&["sync"]);
    let list = fresh.ok(&["list", "--json"]);
    assert!(list.contains("pending"), "{list}");
    assert_eq!(list, ana.ok(&["list", "--json"]));
    assert_eq!(list, ben.ok(&["list", "--json"]));
}

#[test]
fn watching_takes_what_is_written_here_and_there() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
    let mut watching = ana.command(&["sync", "--watch"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The file is free for other commands meanwhile.
    ana.add(&["of ana", "--id", "a"]);
    ben.add(&["of ben", "--id", "b"]);
    ben.ok(&["sync"]);
    let until = Instant::now() + Duration::from_secs(20);
    let both = |device: &Device| device.json(&["list", "--json"]).as_array().unwrap().len() == 2;
    while !(both(&ana) && {
        ben.ok(&["sync"]);
        both(&ben)
    }) {
        assert!(Instant::now() < until, "{}", ana.ok(&["list"]));
        std::thread::sleep(Duration::from_millis(50));
    }
    watching.kill().unwrap();
    watching.wait().unwrap();
}

/// A laptop is carried into a network that shows its own page first, or the proxy before the hub is set up anew.
#[test]
fn watching_outlasts_what_answers_in_the_hubs_place_for_a_while() {
    let folder = folder();
    let mut hub = HubProcess::start(folder.path());
    let [ana, ben] = ["ana", "ben"].map(|name| Device::of(folder.path(), name, &hub));
    ana.add(&["of ana", "--id", "a"]);
    let watch = ana.command(&["sync", "--watch"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut watching = watch.unwrap();
    let mut said = String::new();
    BufReader::new(watching.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert!(said.starts_with("synced"), "{said}");
    hub.kill();
    let portal = TcpListener::bind(hub.address()).unwrap();
    portal.set_nonblocking(true).unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    for _ in 0..2 {
        let mut stream = loop {
            match portal.accept() {
                Ok((stream, _)) => break stream,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
            assert_eq!(watching.try_wait().unwrap(), None, "it goes on");
            assert!(Instant::now() < until, "it asks again");
        };
        stream.set_nonblocking(false).unwrap();
        let mut head = BufReader::new(stream.try_clone().unwrap()).lines();
        while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let page =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\nlog in";
        stream.write_all(page).unwrap();
    }
    drop(portal);
    hub.start_again();
    ben.add(&["of ben", "--id", "b"]);
    ben.ok(&["sync"]);
    let until = Instant::now() + Duration::from_secs(20);
    while ana.json(&["list", "--json"]).as_array().unwrap().len() < 2 {
        assert_eq!(watching.try_wait().unwrap(), None, "it goes on");
        assert!(Instant::now() < until, "{}", ana.ok(&["list"]));
        std::thread::sleep(Duration::from_millis(50));
    }
    watching.kill().unwrap();
    watching.wait().unwrap();
}

/// Who gave the wrong address is told so.
#[test]
fn watching_ends_where_no_hub_ever_answered() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let device = Device::at(folder.path(), "ana", &format!("{}/elsewhere", hub.url));
    assert!(device.fails(1, &["sync", "--watch"]).contains("not a hub"));
}

#[cfg(unix)]
#[test]
fn a_hub_ends_in_order_when_it_is_asked_to() {
    let folder = folder();
    for signal in ["-INT", "-TERM"] {
        let mut hub = HubProcess::start(folder.path());
        let device = Device::of(folder.path(), "ana", &hub);
        device.add(&["T"]);
        device.ok(&["sync"]);
        let (status, ready) = hub.request("GET", "/readyz", "");
        assert_eq!((status, ready.as_str()), (200, "ready\n"));
        assert_eq!(hub.ask_to_end(signal), Some(0), "{signal}");
    }
}
