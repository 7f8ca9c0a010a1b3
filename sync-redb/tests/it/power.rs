//! The loss of power between any two steps of the disk: of what was not synced yet, any sectors may have reached it.
//!
//! `POWER_IMAGES` is how many disks each life leaves behind if there is time for them, `POWER_SECONDS` how much there is,
//! `POWER_SEED` which ones.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_core::Store;
use sync_redb::{RedbFile, RedbStore};

use crate::bytes::{Bytes, Done, random};
use crate::image::Image;
use crate::life::{Bare, Device, HubAtHome, Life, Mark, judge, new_file, possible};
use crate::number;

/// How often each step is cut off behind at the least.
const ROUNDS: u64 = 4;

/// One in how many images is looked into thoroughly.
const THOROUGHLY: u64 = 64;

struct Found {
    images: u64,
    failures: Vec<String>,
}

/// A life without a failure: what the disk did, and the marks.
fn lived<L: Life>(start: &[u8]) -> (Vec<Done>, Vec<Mark>) {
    let disk = Bytes::new(start.to_vec());
    let mut marks = Vec::new();
    L::live(&disk, &Arc::default(), &mut marks, 60).expect("nothing fails");
    let steps = marks.last().expect("a life has marks").steps;
    (disk.log()[..steps].to_vec(), marks)
}

/// Cuts the power after each step of a life, again and again, until there are so many images or the time is up.
/// `honest` syncs are waited for; others are not.
fn cut<L: Life>(wanted: u64, time: Duration, honest: bool) -> Found {
    let start = Arc::new(new_file());
    let (steps, marks) = lived::<L>(&start);
    let mut found = Found { images: 0, failures: Vec::new() };
    let began = Instant::now();
    for round in 0.. {
        if found.images >= wanted || (round >= ROUNDS && began.elapsed() > time) {
            break;
        }
        cut_each_once::<L>(&start, &steps, &marks, honest, round, &mut found);
    }
    found
}

fn cut_each_once<L: Life>(
    start: &Arc<Vec<u8>>,
    steps: &[Done],
    marks: &[Mark],
    honest: bool,
    round: u64,
    found: &mut Found,
) {
    let (mut durable, mut safe) = (start.clone(), 0);
    for cut in 0..=steps.len() {
        if honest && cut > 0 && matches!(steps[cut - 1], Done::Sync) {
            let bytes = Arc::make_mut(&mut durable);
            steps[safe..cut].iter().for_each(|step| step.carry_out(bytes));
            safe = cut;
        }
        if safe == cut && round > 0 {
            continue; // all that was done is safe: there is but one image
        }
        let possible = possible(marks, cut);
        let beside = &possible.last().expect("there is a mark before each step").beside;
        let mut seed = number("POWER_SEED", 1) ^ (cut as u64) << 32 ^ round << 8;
        let image = Image::survived(&durable, &steps[safe..cut], &mut seed);
        let thoroughly = random(&mut seed).is_multiple_of(THOROUGHLY);
        found.images += 1;
        if let Err(why) = judge::<L>(image, possible, beside, thoroughly) {
            found.failures.push(format!("after {cut} of {} steps, round {round}: {why}", steps.len()));
        }
    }
}

fn nothing_acknowledged_is_lost<L: Life>() {
    let time = Duration::from_secs(number("POWER_SECONDS", 20));
    let began = Instant::now();
    let Found { images, failures } = cut::<L>(number("POWER_IMAGES", 33_400), time, true);
    println!("{images} images, {:.0} a second", images as f64 / began.elapsed().as_secs_f64());
    assert!(images > 1_000, "only {images} images");
    assert!(failures.is_empty(), "{} of {images}: {}", failures.len(), failures[0]);
}

#[test]
fn a_store_keeps_what_it_acknowledged() {
    nothing_acknowledged_is_lost::<Bare>();
}

#[test]
fn a_device_keeps_what_it_acknowledged() {
    nothing_acknowledged_is_lost::<Device>();
}

#[test]
fn a_hub_keeps_what_it_acknowledged() {
    nothing_acknowledged_is_lost::<HubAtHome>();
}

#[test]
fn a_disk_that_does_not_wait_is_found_out() {
    fn found_out<L: Life>(what: &str) {
        let Found { images, failures } = cut::<L>(300, Duration::ZERO, false);
        println!("{what}: {} of {images} images of a disk that lies about syncs are found out", failures.len());
        assert!(failures.len() as u64 > images / 2, "{what}: only {} of {images}", failures.len());
    }
    found_out::<Bare>("store");
    found_out::<Device>("device");
    found_out::<HubAtHome>("hub");
}

/// A new file is made under another name, and has its own only when all of it is safe: what the power leaves of it at
/// any step is swept away, and made anew.
#[test]
fn a_creation_that_was_cut_off_is_made_anew() {
    let made = Bytes::new(vec![]);
    drop(RedbFile::with_backend(made.clone()).expect("a new file"));
    let (steps, nothing) = (made.log(), Arc::new(Vec::new()));
    let dir = tempfile::tempdir().unwrap();
    let mut seed = number("POWER_SEED", 1);
    for cut in 0..=steps.len() {
        let half = dir.path().join(format!(".{cut}.redb.new-cut"));
        fs::write(&half, Image::survived(&nothing, &steps[..cut], &mut seed).bytes()).unwrap();
        let path = dir.path().join(format!("{cut}.redb"));
        let store = RedbStore::open(&path).unwrap_or_else(|error| panic!("after {cut} steps: {error}"));
        assert_eq!(store.append(0, &[b"one"]).unwrap(), 1);
        assert!(!half.exists(), "what was left behind is still there");
    }
    assert!(matches!(steps.last(), Some(Done::Sync)), "a file that gets its name is not synced as a whole");
}
