//! Opening: files that are missing, half made, foreign, in use.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redb::{Database, TableDefinition};
use sync_core::{Store, StoreError};
use sync_redb::{RedbFile, RedbStore};

/// Not a test of its own: the process that the tests here start, to kill it or to be kept out by it.
#[test]
#[ignore = "started by the other tests"]
fn child() {
    let (Ok(role), Ok(place)) = (std::env::var("CHILD_ROLE"), std::env::var("CHILD_PLACE")) else { return };
    let place = PathBuf::from(place);
    match role.as_str() {
        "create" => (0..1_000_000).for_each(|n| drop(RedbFile::open(place.join(format!("{n}.redb"))).unwrap())),
        "hold" => {
            let _held = RedbFile::open(&place).unwrap();
            fs::write(place.with_extension("held"), "").unwrap();
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "append" => {
            while RedbFile::open(&place).and_then(|file| append(&file)).is_err_and(|error| error.is_retryable()) {}
        }
        other => panic!("no such role: {other}"),
    }
}

fn append(file: &RedbFile) -> Result<(), StoreError> {
    let store = file.space("")?;
    store.append(store.heads()?.last, &[b"from a child"]).map(drop)
}

fn start(role: &str, place: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this test's own program"));
    command.args(["--exact", "creation::child", "--ignored"]).env("CHILD_ROLE", role).env("CHILD_PLACE", place);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the child starts")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("the directory is read");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn killed_at_any_moment_a_creation_leaves_a_whole_file_or_none() {
    let mut interrupted = 0;
    for round in 0..40u64 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = start("create", dir.path());
        while names(dir.path()).is_empty() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(round * 7919 % 6000));
        child.kill().unwrap();
        child.wait().unwrap();
        let (half, whole): (Vec<_>, Vec<_>) = names(dir.path()).into_iter().partition(|name| name.starts_with('.'));
        for name in whole {
            let file =
                RedbFile::open(dir.path().join(&name)).unwrap_or_else(|e| panic!("{name} in round {round}: {e}"));
            append(&file).unwrap();
        }
        for name in half {
            interrupted += 1;
            let path = dir.path().join(name.trim_start_matches('.').split(".new-").next().unwrap());
            append(&RedbFile::open(&path).unwrap()).unwrap();
            assert!(!dir.path().join(&name).exists(), "{name} was left behind by the next creation");
        }
    }
    assert!(interrupted >= 10, "only {interrupted} of 40 kills came in the middle of a creation");
}

#[test]
fn many_processes_may_create_it_at_once() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shared.redb");
        let children: Vec<_> = (0..4).map(|_| start("append", &path)).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(RedbStore::open(&path).unwrap().heads().unwrap().last, 4);
        assert_eq!(names(dir.path()), ["shared.redb"]);
    }
}

#[test]
fn a_file_in_use_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.redb");
    let mut child = start("hold", &path);
    while !path.with_extension("held").exists() {
        std::thread::yield_now();
    }
    let error = RedbFile::open(&path).unwrap_err();
    assert!(matches!(&error, StoreError::Locked { what } if what.ends_with("notes.redb")), "{error:?}");
    assert!(error.is_retryable());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let held = RedbFile::open(&path).unwrap();
    assert!(matches!(RedbFile::open(&path).unwrap_err(), StoreError::Locked { .. }), "in the same process");
    held.close().unwrap();
    RedbFile::open(&path).unwrap();
}

#[test]
fn a_closed_file_answers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = RedbStore::open(dir.path().join("notes.redb")).unwrap();
    store.file().close().unwrap();
    store.file().close().unwrap();
    for error in [store.heads().unwrap_err(), store.append(0, &[b"x"]).unwrap_err(), store.reclaim().unwrap_err()] {
        assert_eq!(error.code(), "store_io");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("closed"), "{source}");
    }
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for (content, reason) in [
        (vec![], "empty"),
        (b"hello".to_vec(), "magic"),
        (vec![0; 100_000], "magic"),
        (b"SQLite format 3\0".repeat(9000), "magic"),
    ] {
        fs::File::create(&path).unwrap().write_all(&content).unwrap();
        let error = RedbFile::open(&path).unwrap_err();
        assert_eq!(error.code(), "store_damaged", "{error:?}");
        let text = error.to_string();
        assert!(text.contains("file is damaged") && text.contains(reason), "{text}");
        assert_eq!(fs::read(&path).unwrap(), content, "the file was changed");
    }
}

#[test]
fn another_programs_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.redb");
    let table = TableDefinition::<u64, u64>::new("theirs");
    put(&path, table, 1, 1);
    let error = RedbFile::open(&path).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
    // One that happens to use a name of ours.
    let path = dir.path().join("alike.redb");
    put(&path, TableDefinition::<u64, u64>::new("layout"), 1, 1);
    assert_eq!(RedbFile::open(&path).unwrap_err().code(), "store_damaged");
}

#[test]
fn a_newer_layout_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.redb");
    drop(RedbFile::open(&path).unwrap());
    put(&path, TableDefinition::<&str, u32>::new("layout"), "version", 7);
    let error = RedbFile::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 7, known: 2, .. }), "{error:?}");
    assert!(!error.is_retryable());
}

fn put<'a, K: redb::Key, V: redb::Value>(
    path: &Path,
    table: TableDefinition<'_, K, V>,
    key: K::SelfType<'a>,
    value: V::SelfType<'a>,
) {
    let database = Database::create(path).expect("the database opens");
    let txn = database.begin_write().expect("a transaction begins");
    txn.open_table(table).expect("the table opens").insert(key, value).expect("the row is put");
    txn.commit().expect("the transaction commits");
}

#[test]
fn a_missing_directory_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = RedbFile::open(dir.path().join("nowhere").join("notes.redb")).unwrap_err();
    assert_eq!(error.code(), "store_io");
    assert!(error.to_string().contains("notes.redb"), "{error}");
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    assert!(reason.as_deref().is_some_and(|reason| reason.contains("there is no folder")), "{reason:?}");
    assert_eq!(RedbFile::open("").unwrap_err().code(), "store_io");
    assert_eq!(RedbFile::open(dir.path()).unwrap_err().code(), "store_io");
}
