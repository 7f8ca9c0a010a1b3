//! Every command on one device.

mod support;

use serde_json::{Value, json};
use support::{Device, HubProcess, Ran, fed, folder, notes, write};

#[test]
fn a_note_is_written_changed_deleted_and_restored() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let id = device.add(&["Shopping", "--body", "- milk", "--tag", "food", "--tag", "home", "--pin"]);
    assert_eq!(id.len(), 36, "a UUID: {id}");
    let note = device.json(&["show", &id, "--json"]);
    let updated = note["updatedAt"].as_u64().unwrap();
    let expected = json!({
        "id": id, "title": "Shopping", "body": "- milk", "pinned": true, "tags": ["food", "home"],
        "views": 0, "notebook": null, "updatedAt": updated,
    });
    assert_eq!(note, expected);

    device.ok(&[
        "edit",
        &id,
        "--title",
        "Groceries",
        "--no-body",
        "--add-tag",
        "shop",
        "--remove-tag",
        "home",
        "--pin",
        "false",
    ]);
    let note = device.json(&["show", &id, "--json"]);
    assert_eq!((&note["title"], &note["body"], &note["pinned"]), (&json!("Groceries"), &Value::Null, &json!(false)));
    assert_eq!(note["tags"], json!(["food", "shop"]));
    assert!(note["updatedAt"].as_u64().unwrap() >= updated);

    device.ok(&["rm", &id]);
    assert_eq!(device.json(&["list", "--json"]), json!([]));
    let deleted = device.json(&["list", "--json", "--deleted"]);
    assert_eq!(deleted, json!([{ "id": id, "deleted": true, "updatedAt": deleted[0]["updatedAt"] }]));
    assert_eq!(device.failure(1, &["show", &id, "--json"]), "deleted");
    assert!(device.ok(&["show", &id, "--why"]).contains("deleted by ana"));

    device.ok(&["restore", &id]);
    assert_eq!(device.json(&["show", &id, "--json"])["title"], "Groceries");
}

#[test]
fn what_is_not_said_is_left_as_it_is() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n", "--body", "b", "--tag", "t", "--notebook", "Work"]);
    let before = device.json(&["show", "n", "--json"]);
    assert_eq!(before["notebook"], "Work");
    // A title that is what it was is no change: nothing is logged.
    let pending = || device.json(&["status", "--json"])["pending"].clone();
    let waits = pending();
    device.ok(&["edit", "n", "--title", "T"]);
    assert_eq!((device.json(&["show", "n", "--json"]), pending()), (before, waits));
    device.ok(&["edit", "n", "--view", "--view", "--no-notebook"]);
    let after = device.json(&["show", "n", "--json"]);
    assert_eq!((&after["views"], &after["notebook"], &after["body"]), (&json!(2), &Value::Null, &json!("b")));
}

#[test]
fn reading_writes_nothing() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n"]);
    let log = device.ok(&["log", "--json"]);
    for args in
        [&["show", "n"][..], &["show", "n", "--why"], &["list"], &["status"], &["conflicts"], &["verify"], &["export"]]
    {
        device.ok(args);
    }
    assert_eq!(device.ok(&["log", "--json"]), log);
}

#[test]
fn lists_are_sorted_and_a_note_is_found_by_the_end_of_its_id() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let made_up = device.add(&["A"]);
    device.add(&["B", "--id", "zz"]);
    device.add(&["C", "--id", "Z"]);
    let list = device.json(&["list", "--json"]);
    let ids: Vec<&str> = list.as_array().unwrap().iter().map(|note| note["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&made_up, "Z", "zz"]);
    assert_eq!(device.json(&["show", &made_up[28..], "--json"])["title"], "A");
    // An id that somebody chose is not abbreviated.
    device.fails(1, &["show", "z"]);
    let text = device.ok(&["list"]);
    assert!(text.contains(&made_up[28..]) && text.contains("3 notes"), "{text}");
    assert!(!text.contains('\x1b'), "no colours where no terminal is: {text:?}");
}

#[test]
fn the_log_the_status_and_why() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n"]);
    device.ok(&["edit", "n", "--title", "U", "--add-tag", "t"]);
    let log = device.ok(&["log", "--json"]);
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["entry"]["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["create", "update"]);
    assert!(lines.iter().all(|line| line["state"] == "pending"));
    assert!(lines[1]["entry"]["clientId"].as_str().unwrap().starts_with("ana-"));
    assert_eq!(lines[1]["entry"]["payload"], json!({ "title": "U", "tags": { "$insert": ["t"] } }));
    assert_eq!(device.ok(&["log"]).lines().count(), 2);

    let status = device.json(&["status", "--json"]);
    assert_eq!((&status["pending"], &status["rejected"], &status["conflicts"]), (&json!(2), &json!(0), &json!(0)));
    assert_eq!((&status["device"], &status["hub"]), (&json!("ana"), &Value::Null));
    assert!(device.ok(&["status"]).contains("2 changes"));

    let why = device.json(&["show", "n", "--why", "--json"])["why"].clone();
    let title = why["fields"].as_array().unwrap().iter().find(|field| field["field"] == "title").unwrap();
    assert_eq!((&title["parts"][0]["value"], &title["history"][0]["value"]), (&json!("U"), &json!("T")));
    assert_eq!(title["parts"][0]["accepted"], false);
    let text = device.ok(&["show", "n", "--why"]);
    assert!(text.contains("shows   “U”") && text.contains("before  “T”") && text.contains("↑ pending"), "{text}");
}

#[test]
fn export_and_import_carry_every_note() {
    let folder = folder();
    let (ana, ben) = (Device::new(folder.path(), "ana"), Device::new(folder.path(), "ben"));
    ana.add(&["A", "--id", "a", "--body", "two\nlines \u{1f600}", "--tag", "x", "--pin", "--notebook", "Work"]);
    ana.add(&["B", "--id", "b"]);
    ana.ok(&["edit", "b", "--view"]);
    ana.add(&["C", "--id", "c"]);
    ana.ok(&["rm", "c"]);
    let file = folder.path().join("notes.jsonl");
    let path = file.to_str().unwrap();
    ana.ok(&["export", path]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), ana.ok(&["export"]));
    assert_eq!(ben.ok(&["import", path]), "imported 2 notes\n");
    let without_dates = |device: &Device| {
        let mut list = device.json(&["list", "--json"]);
        list.as_array_mut()
            .unwrap()
            .iter_mut()
            .for_each(|note| drop(note.as_object_mut().unwrap().remove("updatedAt")));
        list
    };
    assert_eq!(without_dates(&ana), without_dates(&ben));
    // Once more changes nothing, and a title is enough for a note.
    let before = ben.ok(&["log"]);
    ben.ok(&["import", path]);
    assert_eq!(ben.ok(&["log"]), before);
    let fed = fed(ben.command(&["import", "-"]), b"\n{\"title\":\"D\"}\r\n\n");
    assert_eq!(fed.ok(), "imported 1 note\n");
    assert_eq!(ben.json(&["list", "--json"]).as_array().unwrap().len(), 3);
}

#[test]
fn a_snapshot_carries_what_the_hub_accepted() {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let of = |name| Device::of(folder.path(), name, &hub);
    let (ana, ben) = (of("ana"), of("ben"));
    ana.add(&["A", "--tag", "x"]);
    ana.ok(&["sync"]);
    ana.add(&["B"]);
    let file = folder.path().join("snapshot");
    let path = file.to_str().unwrap();
    let said = ana.run(&["export", "--snapshot", path]);
    assert!(said.out.starts_with("exported 1 record, "), "{said:#?}");
    assert!(said.err.contains("not in it: 1 change"), "{said:#?}");
    assert_eq!(ben.ok(&["import", "--snapshot", path]), "imported 1 record\n");
    assert!(ben.ok(&["list"]).contains("A"));
    ana.ok(&["sync"]);
    ben.ok(&["sync"]);
    assert_eq!(ben.ok(&["export"]), ana.ok(&["export"]));
    write(&file, "no snapshot");
    let said = ben.fails(1, &["import", "--snapshot", path]);
    assert!(said.contains("another kind of file"), "{said}");
    ben.fails(2, &["import", "--snapshot", path, path]);
    ben.fails(2, &["import"]);
}

#[cfg(unix)]
#[test]
fn an_import_reads_what_can_be_read_once() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let imported = fed(device.command(&["import", "/dev/stdin"]), b"{\"title\":\"A\"}\n");
    assert_eq!(imported.ok(), "imported 1 note\n");
    // As some editors begin a text.
    let marked = fed(device.command(&["import", "-"]), b"\xef\xbb\xbf{\"title\":\"B\"}\n");
    assert_eq!(marked.ok(), "imported 1 note\n");
}

#[cfg(unix)]
#[test]
fn an_export_goes_where_its_path_leads() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n"]);
    let lines = device.ok(&["export"]);
    let at = |name: &str| folder.path().join(name);
    let export = |path: &std::path::Path| device.ok(&["export", path.to_str().unwrap()]);
    // Behind a link, to what is there and to what is not yet.
    write(&at("old"), "what was there");
    for (link, file) in [("to-old", "old"), ("to-new", "new")] {
        std::os::unix::fs::symlink(file, at(link)).unwrap();
        export(&at(link));
        assert_eq!(std::fs::read_to_string(at(file)).unwrap(), lines, "{link}");
        assert!(at(link).is_symlink(), "{link}");
    }
    // Into a pipe, which stays one.
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let pipe = at("pipe");
    let reader = std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap());
    export(&at("pipe"));
    assert_eq!(reader.join().unwrap(), lines);
    assert!(!at("pipe").is_file());
    export(std::path::Path::new("/dev/null"));
    // Standard output by its name, behind what was in the file before.
    assert_eq!(export(std::path::Path::new("/dev/stdout")), lines);
    write(&at("log"), "before\n");
    let log = std::fs::File::options().append(true).open(at("log")).unwrap();
    let status = device.command(&["export", "/dev/stdout"]).stdout(log).status().unwrap();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(at("log")).unwrap(), "before\n".to_owned() + &lines);
    // A snapshot there is nothing but the snapshot.
    device.ok(&["export", "--snapshot", at("file").to_str().unwrap()]);
    let output = device.command(&["export", "--snapshot", "/dev/stdout"]).output().unwrap();
    assert_eq!(output.stdout, std::fs::read(at("file")).unwrap());
}

#[test]
fn thousands_are_imported_and_every_one_is_there() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let lines: String = (0..3_000).map(|i| format!("{{\"id\":\"n{i:05}\",\"title\":\"Note {i}\"}}\n")).collect();
    let file = folder.path().join("many.jsonl");
    write(&file, lines);
    device.ok(&["import", file.to_str().unwrap()]);
    let list = device.json(&["list", "--json"]);
    assert_eq!(list.as_array().unwrap().len(), 3_000);
    assert_eq!(list[2_999]["title"], "Note 2999");
    assert!(device.ok(&["verify"]).ends_with("sound\n"));
    device.ok(&["compact"]);
    assert_eq!(device.json(&["list", "--json"]), list);
    assert!(device.ok(&["verify"]).ends_with("sound\n"));
}

#[test]
fn spaces_are_apart() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["in the default one", "--id", "n"]);
    device.ok(&["--space", "work", "add", "in another", "--id", "n"]);
    assert_eq!(device.json(&["show", "n", "--json"])["title"], "in the default one");
    assert_eq!(device.json(&["--space", "work", "show", "n", "--json"])["title"], "in another");
}

#[test]
fn the_environment_names_the_file() {
    let folder = folder();
    let file = folder.path().join("mine.redb");
    let run = |args: &[&str]| Ran::of(notes().env("NOTES_DB", &file).args(args).output().unwrap());
    run(&["add", "T", "--id", "n"]).ok();
    assert!(file.exists());
    assert!(run(&["show", "n"]).ok().starts_with("T\n"));
    // A name that is empty is none, as those of the others.
    let named =
        |name: &str| Ran::of(notes().env("NOTES_DB", &file).env("NOTES_DEVICE", name).arg("list").output().unwrap());
    named("").ok();
    assert!(named(&"x".repeat(65)).fails(2).contains("NOTES_DEVICE"));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let list = |wishes: &[(&str, &str)]| {
        let mut command = device.command(&["list"]);
        Ran::of(command.envs(wishes.iter().copied()).output().unwrap()).ok().contains('\x1b')
    };
    assert!(!list(&[]));
    assert!(list(&[("CLICOLOR_FORCE", "1")]));
    assert!(!list(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[cfg(unix)]
#[test]
fn whoever_stops_reading_is_no_failure() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let lines: String = (0..2_000).map(|i| format!("{{\"title\":\"Note {i}\"}}\n")).collect();
    fed(device.command(&["import", "-"]), lines.as_bytes()).ok();
    let mut child = device.command(&["list", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
