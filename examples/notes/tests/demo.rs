//! The demo shows what it says that it shows.

mod support;

use support::{Ran, notes};

#[test]
fn the_demo_keeps_its_promises() {
    let run = || Ran::of(notes().arg("demo").output().unwrap()).ok();
    let shown = run();
    for promised in [
        "1. Ana writes two notes",
        "offline: 4 changes kept",
        "“Market day” shows: neither had seen the other's; ben's is later",
        "“Groceries” lost, and is kept",
        "#home #market",
        "3: what is logged is + 2 and + 1",
        "deleted: ana's delete hides what it had not seen",
        "“the 9:04 train”",
        "title --take 1",
        "the title is “Groceries”",
        "deleted --take 1",
        "cam  synced",
        "The three lists are equal, byte for byte",
        "Shown: ",
    ] {
        assert!(shown.contains(promised), "{promised:?} is missing in\n{shown}");
    }
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "longer than 80 columns: {line}");
        assert!(!line.contains('\x1b'), "colours where no terminal is: {line:?}");
    }
    let of = |name: &str| {
        let from = shown.rfind(&format!("   {name}  Groceries")).unwrap();
        shown[from + 8..].lines().take(2).map(str::trim).collect::<Vec<_>>().join("|")
    };
    assert_eq!(of("ana"), of("ben"));
    assert_eq!(of("ana"), of("cam"));
    assert!(of("ana").contains("3 views") && of("ana").contains("Trip to Oslo"), "{}", of("ana"));
}

#[test]
fn the_demo_wants_nothing_and_leaves_nothing() {
    let folder = support::folder();
    let mut command = notes();
    command.arg("demo").env("TMPDIR", folder.path()).current_dir(folder.path());
    Ran::of(command.output().unwrap()).ok();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
