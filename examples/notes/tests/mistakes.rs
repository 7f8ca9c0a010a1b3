//! What people, files and other programs get wrong: each is told what happened, and nothing is half done.
//!
//! | bad input | from a person or a file | from a program that speaks to the hub (`sync-http/tests/http`) |
//! |---|---|---|
//! | malformed JSON, wrong types | `one_wrong_line_and_nothing_is_imported` | `requests_that_cannot_be_read_are_told_why` |
//! | 100,000-deep JSON, 1e999, lone surrogates | the same | `an_action_that_is_wrong_has_its_verdict_and_the_rest_theirs` |
//! | times of u64::MAX | the same: times are not taken from files | the same |
//! | an id of 1 MiB | the same, `what_is_not_there_is_said` | both |
//! | an unknown `type` | – | `an_action_that_is_wrong_...` |
//! | a value over the hub's limit | `what_the_hub_would_refuse_for_its_size_is_refused_at_once` | the same, `bodies_are_bounded_compressed_or_not` |
//! | no database; one in use | `files_that_are_no_database_are_left_as_they_are`, `a_file_that_another_process_has_...` | – |
//! | the notes' own file as the one to write | `notes_are_never_written_over_their_own_file` | – |
//! | a hub that answers nonsense | `what_is_no_hub_is_said_to_be_none` | `nonsense_is_called_so` |
//! | a token with which nobody gets in | `a_hub_that_nobody_could_enter_is_not_begun` | – |
//! | an output that takes nothing | `what_is_written_is_said_to_be_also_where_its_id_cannot_be` | – |
//! | an entity that no longer decodes | `a_damaged_row_does_not_hide_the_others` | – |

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use support::{Device, HubProcess, Ran, fed, files, folder, notes, write};

#[test]
fn usage_mistakes_end_with_2() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let cases: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["add"],
        &["edit", "n"],
        &["edit", "n", "--body", "b", "--no-body"],
        &["edit", "n", "--pin", "maybe"],
        &["resolve", "n"],
        &["resolve", "n", "title", "--take", "-1"],
        &["--space", "a/b", "list"],
        &["--space", "", "list"],
        &["--device", "", "list"],
        &["list", "--frob"],
        &["sync"],
        &["--server", "nowhere", "sync"],
        &["--server", "ftp://h", "sync"],
        &["--server", "http://h:99999", "sync"],
        &["serve", "--listen"],
    ];
    for args in cases {
        let said = device.fails(2, args);
        assert!(!said.is_empty(), "{args:?}");
    }
    for args in [&["show", "--json"][..], &["list", "--json", "--frob"], &["sync", "--json", "--watch", "--adopt"]] {
        assert_eq!(device.failure(2, args), "usage", "{args:?}");
    }
    assert!(!device.file.exists(), "a mistake makes no file");
}

#[test]
fn what_is_not_there_is_said() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n"]);
    let log = device.ok(&["log"]);
    let long = "x".repeat(100_000);
    let cases: &[(&[&str], &str)] = &[
        (&["show", "nosuch"], "there is no note \"nosuch\""),
        (&["show", ""], "there is no note \"\""),
        (&["show", &long], "there is no note"),
        (&["edit", "nosuch", "--title", "T"], "there is no note"),
        (&["rm", "nosuch"], "there is no note"),
        (&["rm", ""], "there is no note"),
        (&["restore", "nosuch"], "there is no note"),
        (&["resolve", "nosuch", "title"], "no conflict"),
        (&["resolve", "n", "title"], "no conflict"),
        (&["resolve", "n", "nofield"], "no conflict"),
        (&["refused", "--resubmit", "7"], "no change #7"),
        (&["refused", "--discard", "7"], "no change #7"),
        (&["add", "T", "--id", "n"], "already"),
        (&["add", "T", "--id", ""], "1 to 512 bytes"),
        (&["add", "T", "--id", &long], "1 to 512 bytes"),
        (&["import", "/no/such/file"], "No such file"),
        (&["export", "/no/such/folder/file"], "No such file"),
    ];
    for (args, expected) in cases {
        let said = device.fails(1, args);
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(said.len() < 1_000, "{} bytes", said.len());
    }
    assert!(device.fails(1, &["serve", "--postgres", "postgres://h/d"]).contains("no Postgres"));
    assert_eq!(device.ok(&["log"]), log, "none of them wrote anything");
    assert_eq!(device.failure(1, &["show", "nosuch", "--json"]), "not_found");
}

#[test]
fn what_the_hub_would_refuse_for_its_size_is_refused_at_once() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let half = "x".repeat(100_000);
    let said = device.fails(1, &["add", &half, "--body", &half, "--tag", &half]);
    assert!(said.contains("too large"), "{said}");
    assert!(device.ok(&["log"]).is_empty());
    device.add(&["T", "--id", "n"]);
    let line = format!("{{\"id\":\"n\",\"title\":\"T\",\"body\":\"{}\"}}\n", "x".repeat(1 << 20));
    let said = fed(device.command(&["import", "-"]), line.as_bytes()).fails(1);
    assert!(said.contains("-:1: ") && said.contains("too large"), "{said}");
    assert_eq!(device.json(&["show", "n", "--json"])["body"], serde_json::Value::Null);
}

#[test]
fn one_wrong_line_and_nothing_is_imported() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let long = format!("{{\"id\":\"{}\",\"title\":\"T\"}}", "i".repeat(1 << 20));
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let (deep, deep_unknown) = (format!("{{\"title\":{nested}}}"), format!("{{\"title\":\"T\",\"x\":{nested}}}"));
    let cases: &[(&str, &str)] = &[
        ("{\"title\":", "EOF"),
        ("no JSON", "expected"),
        ("[]", "one note a line"),
        ("[\"id\",\"a title\",null,false,[],0,null,null]", "one note a line"),
        ("{}", "missing field `title`"),
        ("{\"title\":null}", "null"),
        ("{\"title\":\"T\",\"titel\":\"T\"}", "unknown field `titel`"),
        ("{\"title\":\"T\",\"tags\":\"t\"}", "expected"),
        ("{\"title\":\"T\",\"views\":1.5}", "1.5"),
        ("{\"title\":\"T\",\"id\":\"\"}", "1 to 512 bytes"),
        ("{\"title\":\"T\",\"deleted\":true}", "unknown field `deleted`"),
        (&long, "1 to 512 bytes"),
        (&deep, "invalid type"),
        (&deep_unknown, "unknown field `x`"),
        ("{\"title\":\"T\",\"views\":1e999}", "number out of range"),
        ("{\"title\":\"\\ud800\"}", "hex escape"),
        ("{\"title\":\"T\",\"views\":18446744073709551615}", "18446744073709551615"),
    ];
    for (line, expected) in cases {
        let text = format!("{{\"title\":\"good\"}}\n\n{line}\n{{\"title\":\"good\"}}\n");
        let said = fed(device.command(&["import", "-"]), text.as_bytes()).fails(1);
        assert!(said.contains("-:3: ") && said.contains(expected), "{said}");
        assert!(said.contains("nothing was"), "{said}");
    }
    let said = fed(device.command(&["import", "-"]), b"{\"title\":\"good\"}\n{\"title\":\"\xff\"}\n").fails(1);
    assert!(said.contains("line 2"), "{said}");
    let times = format!("{{\"id\":\"late\",\"title\":\"T\",\"updatedAt\":{}}}\n", u64::MAX);
    fed(Device::new(folder.path(), "ben").command(&["import", "-"]), times.as_bytes()).ok();
    let late = Device::new(folder.path(), "ben").json(&["show", "late", "--json"]);
    assert!(late["updatedAt"].as_u64().unwrap() < u64::MAX / 2, "when it was written is what its entries say: {late}");
    let many = "wrong\n".repeat(1_000);
    let said = fed(device.command(&["import", "-"]), many.as_bytes()).fails(1);
    assert!(said.lines().count() < 30 && said.contains("1000 lines"), "{said}");
    assert!(device.ok(&["log"]).is_empty());
}

#[test]
fn files_that_are_no_database_are_left_as_they_are() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    for content in [&b""[..], b"Dear diary,", &[0; 100_000]] {
        write(&device.file, content);
        let code = device.failure(1, &["list", "--json"]);
        assert_eq!(code, "store_damaged");
        assert!(device.fails(1, &["add", "T"]).contains("ana.redb"));
        assert_eq!(std::fs::read(&device.file).unwrap(), content);
    }
    let nowhere = Device::new(&folder.path().join("missing"), "ana");
    assert_eq!(nowhere.failure(1, &["list", "--json"]), "store_io");
    assert!(nowhere.fails(1, &["add", "T"]).contains("there is no folder"));
    let of_folder = Ran::of(notes().arg("--db").arg(folder.path()).args(["list"]).output().unwrap());
    assert!(!of_folder.fails(1).is_empty());
}

#[test]
fn a_file_that_another_process_has_is_waited_for_and_not_for_ever() {
    let folder = folder();
    let device = Device::new(folder.path(), "hub");
    let _hub = HubProcess::start(folder.path());
    let began = std::time::Instant::now();
    assert_eq!(device.failure(1, &["list", "--json"]), "store_locked");
    assert!(device.fails(1, &["add", "T"]).contains("in use by another process"));
    assert!(began.elapsed().as_secs() < 20);
}

#[test]
fn what_is_no_hub_is_said_to_be_none() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n"]);
    let before = device.ok(&["log"]);
    let json = "content-type: application/json\r\n";
    let replies = [
        ("nonsense", "HTTP/1.1 200 OK\r\n".to_owned() + json, "{\"hub\":"),
        ("nonsense", "HTTP/1.1 200 OK\r\n".to_owned() + json, "[]"),
        ("nonsense", "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n".to_owned(), "<html>a router's login</html>"),
        ("nonsense", "HTTP/1.1 404 Not Found\r\n".to_owned(), ""),
        ("denied", "HTTP/1.1 403 Forbidden\r\n".to_owned(), ""),
    ];
    for (code, head, body) in replies {
        let url = answering(format!("{head}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()));
        assert_eq!(device.failure(1, &["--server", &url, "sync", "--json"]), code, "{head}{body}");
        assert_eq!(device.ok(&["log"]), before, "what is pending stays pending");
    }
    // What speaks no HTTP at all may be a network in the way: that will pass.
    let url = answering("SSH-2.0-OpenSSH_9.2\r\n".to_owned());
    assert_eq!(device.failure(3, &["--server", &url, "sync", "--json"]), "offline");
    assert!(device.fails(3, &["--server", "http://127.0.0.1:1", "sync"]).contains("127.0.0.1:1: Connection refused"));
}

/// Something that answers every request alike, for as long as the test runs.
fn answering(reply: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    url
}

#[test]
fn notes_are_never_written_over_their_own_file() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "n"]);
    let spelled = folder.path().join(".").join("ana.redb");
    #[cfg_attr(not(unix), expect(unused_mut, reason = "links are made where there are some"))]
    let mut names = vec![device.file.clone(), spelled];
    #[cfg(unix)]
    {
        let (link, hard) = (folder.path().join("link"), folder.path().join("hard"));
        std::os::unix::fs::symlink("ana.redb", &link).unwrap();
        std::fs::hard_link(&device.file, &hard).unwrap();
        names.extend([link, hard]);
    }
    let there = files(folder.path());
    for name in &names {
        let path = name.to_str().unwrap();
        for args in [&["export", path][..], &["export", "--snapshot", path]] {
            let said = device.fails(1, args);
            assert!(said.contains("the file of the notes themselves"), "{said}");
        }
        let through = Device::new(folder.path(), "ana");
        assert_eq!(through.json(&["show", "n", "--json"])["title"], "T", "{path}");
    }
    // As it is when the notes are named by the link.
    #[cfg(unix)]
    {
        let mut linked = notes();
        linked.arg("--db").arg(folder.path().join("link")).arg("export").arg(&device.file);
        assert!(Ran::of(linked.output().unwrap()).fails(1).contains("the file of the notes themselves"));
    }
    assert_eq!(files(folder.path()), there);
    assert!(device.ok(&["verify"]).ends_with("sound\n"));
}

#[test]
fn a_damaged_row_does_not_hide_the_others() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    device.add(&["T", "--id", "good"]);
    // A note that another program wrote, whose title is no text.
    let hub = HubProcess::start(folder.path());
    let entry = |id: &str, title: &str| {
        let time = 1_795_000_000_000_u64;
        format!(
            r#"{{"id":"{id}-entry","entityId":"{id}","type":"create","clientId":"other","logicalTime":{time},
            "payload":{{"type":"create","id":"{id}","payload":{{"title":{title},"body":"b"}},"logicalTime":{time}}}}}"#
        )
    };
    let body = format!("{{\"actions\":[{},{}]}}", entry("foreign", "\"Foreign\""), entry("odd", "[1]"));
    let (status, reply) = hub.request("POST", "/sync/actions", &body);
    assert_eq!(status, 200, "{reply}");
    let device = Device::of(folder.path(), "ana", &hub);
    device.ok(&["sync"]);
    let foreign = device.json(&["show", "foreign", "--json"]);
    assert_eq!(
        (&foreign["pinned"], &foreign["views"], &foreign["tags"]),
        (&false.into(), &0.into(), &serde_json::json!([]))
    );
    for args in [&["list", "--json"][..], &["list"], &["export"]] {
        let ran = device.run(args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("odd"), "{ran:?}");
        assert!(ran.out.contains("good") && ran.out.contains("foreign"), "{ran:?}");
    }
    let list: serde_json::Value = serde_json::from_str(&device.run(&["list", "--json"]).out).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    // A backup that lacks a note does not take the place of one that has it.
    let backup = folder.path().join("backup.jsonl");
    write(&backup, "complete");
    let said = device.fails(1, &["export", backup.to_str().unwrap()]);
    assert!(said.contains("odd") && said.contains("backup.jsonl was left as it was"), "{said}");
    assert_eq!(std::fs::read(&backup).unwrap(), b"complete");
    assert_eq!(files(folder.path()), ["ana.redb", "backup.jsonl", "hub.redb"]);
}

#[test]
fn a_hub_that_nobody_could_enter_is_not_begun() {
    let folder = folder();
    let file = folder.path().join("hub.redb");
    for token in ["", " secret", "a\nb", "ä"] {
        for by_environment in [false, true] {
            let mut command = notes();
            command.arg("--db").arg(&file).args(["serve", "--listen", "127.0.0.1:0"]);
            match by_environment {
                true => command.env("NOTES_TOKEN", token),
                false => command.args(["--token", token]),
            };
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            child.kill().unwrap();
            let said = Ran::of(child.wait_with_output().unwrap());
            assert_eq!((said.code, &*line), (Some(2), ""), "{token:?}: {said:?}");
            assert!(said.err.contains("--token T"), "{said:?}");
        }
    }
    assert!(!file.exists());
}

/// Whoever adds it again has it twice.
#[cfg(target_os = "linux")]
#[test]
fn what_is_written_is_said_to_be_also_where_its_id_cannot_be() {
    let folder = folder();
    let device = Device::new(folder.path(), "ana");
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Ran::of(device.command(&["add", "T", "--id", "n"]).stdout(full()).output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("the note is written all the same, as n"), "{ran:?}");
    let lines = folder.path().join("lines");
    std::fs::write(&lines, "{\"title\":\"T\"}\n").unwrap();
    let ran = Ran::of(device.command(&["import", lines.to_str().unwrap()]).stdout(full()).output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("imported all the same: 1 note"), "{ran:?}");
    assert_eq!(device.json(&["list", "--json"]).as_array().unwrap().len(), 2);
    let ran = Ran::of(device.command(&["list"]).stdout(full()).output().unwrap());
    assert_eq!((ran.code, ran.err.contains("all the same")), (Some(1), false));
}
