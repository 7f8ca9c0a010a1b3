//! A device whose clock is years off, by libfaketime, beside a hub and a device whose clocks are right.

use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::common::{assert_alike, notes_of, settle, sync};
use crate::support::{Device, HubProcess, Ran, folder};

const YEAR: i64 = 365 * 24 * 3_600 * 1_000;

#[test]
fn a_clock_that_is_three_years_ahead() {
    if let Some(library) = faketime() {
        a_wrong_clock(library, "+3y", 3 * YEAR);
    }
}

#[test]
fn a_clock_that_is_three_years_behind() {
    if let Some(library) = faketime() {
        a_wrong_clock(library, "-3y", -3 * YEAR);
    }
}

/// Where libfaketime is. Without it these tests fail where it counts, and are loudly skipped elsewhere.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = folders.chain([PathBuf::from("/usr/lib")]);
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|library| library.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "libfaketime is missing: apt-get install faketime");
        // Not by eprintln, which a passing test keeps to itself.
        let skipped =
            b"\nSKIPPED: libfaketime is missing, and wrong clocks were NOT tested: apt-get install faketime\n\n";
        std::io::stderr().write_all(skipped).unwrap();
    }
    found
}

/// A device whose clock is off.
struct Off {
    device: Device,
    library: PathBuf,
    offset: &'static str,
}

impl Off {
    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.device.command(args);
        command.env("LD_PRELOAD", &self.library).env("FAKETIME", self.offset);
        Ran::of(command.output().unwrap())
    }

    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        self.run(args).ok()
    }

    /// How far its newest entry is dated from now.
    fn newest_is_off_by(&self) -> i64 {
        let log = self.ok(&["log", "--json"]);
        let newest: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        newest["entry"]["logicalTime"].as_i64().unwrap() - now
    }
}

fn a_wrong_clock(library: PathBuf, offset: &'static str, by: i64) {
    let folder = folder();
    let hub = HubProcess::start(folder.path());
    let ben = Device::of(folder.path(), "ben", &hub);
    let off = Off { device: Device::of(folder.path(), "off", &hub), library, offset };
    let title = |device: &Device, id: &str| notes_of(device)[id]["title"].clone();

    // Written before the hub was ever met, and the same ids here and there: of two creates the first one shows.
    off.ok(&["add", "by off", "--id", "off"]);
    off.ok(&["add", "first, by off", "--id", "x"]);
    ben.add(&["second, by ben", "--id", "x"]);
    ben.add(&["first, by ben", "--id", "y"]);
    off.ok(&["add", "second, by off", "--id", "y"]);
    off.ok(&["edit", "off", "--body", "edited"]);
    assert!((off.newest_is_off_by() - by).abs() < YEAR / 10, "the clock of the process is not off");
    sync(&ben);

    // Nothing is refused or held up, and the correction is told.
    let report: Value = serde_json::from_str(&off.ok(&["sync", "--json"])).unwrap();
    assert_eq!((&report["uploaded"], &report["pending"], &report["rejected"]), (&json!(4), &json!(0), &json!(0)));
    let corrected = report["clockCorrected"].as_i64().expect("the correction is reported");
    assert!((corrected + by).abs() < YEAR / 10, "{corrected}");
    assert!(off.ok(&["status"]).contains("ms off, corrected for"));
    sync(&ben);
    let note = &notes_of(&ben)["off"];
    assert_eq!((&note["title"], &note["body"]), (&json!("by off"), &json!("edited")));
    assert_eq!(title(&ben, "x"), "first, by off");
    assert_eq!(title(&ben, "y"), "first, by ben");
    assert_alike(&[&ben, &off.device]);

    // From now on it knows: of two edits unaware of each other the later one shows, whoever made it.
    for _ in 0..2 {
        off.ok(&["edit", "x", "--title", "earlier, by off"]);
        ben.ok(&["edit", "x", "--title", "later, by ben"]);
        ben.ok(&["edit", "y", "--title", "earlier, by ben"]);
        off.ok(&["edit", "y", "--title", "later, by off"]);
        assert!(off.newest_is_off_by().abs() < YEAR / 10, "it is dated by the hub's clock");
        off.ok(&["sync"]);
        settle(&[&ben]);
        off.ok(&["sync"]);
        assert_eq!((title(&ben, "x"), title(&ben, "y")), (json!("later, by ben"), json!("later, by off")));
        assert_alike(&[&ben, &off.device]);
        // And an edit that has seen the other's shows in any case.
        ben.ok(&["edit", "y", "--title", "seen, by ben"]);
        sync(&ben);
        off.ok(&["sync"]);
        assert_eq!(title(&off.device, "y"), "seen, by ben");
        off.ok(&["edit", "x", "--title", "seen, by off"]);
        off.ok(&["sync"]);
        sync(&ben);
        assert_eq!(title(&ben, "x"), "seen, by off");
    }

    // The clock is mended, by hand: that is noticed too.
    off.device.ok(&["edit", "off", "--title", "with a right clock"]);
    let report = sync(&off.device);
    assert!((report["clockCorrected"].as_i64().expect("a correction") - by).abs() < YEAR / 10, "{report}");
    ben.ok(&["edit", "off", "--title", "blind, but later"]);
    settle(&[&ben, &off.device]);
    assert_eq!(title(&off.device, "off"), "blind, but later");
    assert_alike(&[&ben, &off.device]);
}
