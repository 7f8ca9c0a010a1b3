//! One call to the disk fails, whichever it is: a read, a write, a sync. What was acknowledged is there afterwards, and
//! after a sync that failed it is there whatever of the rest reached the disk.

use std::sync::Arc;

use crate::bytes::{Bytes, Done};
use crate::image::Image;
use crate::life::{Bare, Device, HubAtHome, Life, Mark, judge, new_file};

/// How long the lives are: each does everything in so many steps.
const STEPS: u64 = 24;

/// How many disks are looked at that a sync which failed may have left.
const AFTER_A_SYNC: u64 = 4;

fn every_call_fails_once<L: Life>() {
    let start = new_file();
    let disk = Bytes::new(start.clone());
    let mut healthy = Vec::new();
    L::live(&disk, &Arc::default(), &mut healthy, STEPS).expect("nothing fails");
    let calls = disk.calls();
    drop(disk);
    let (mut noticed, mut unsynced) = (0, 0);
    for call in 0..calls {
        let disk = Bytes::new(start.clone());
        disk.fail_once(call);
        let (beside, mut marks) = (Arc::default(), Vec::new());
        noticed += u64::from(L::live(&disk, &beside, &mut marks, STEPS).is_err());
        disk.fail_once(u64::MAX);
        let possible = left(&healthy, marks.len());
        let told = |left: &str, why: String| panic!("call {call} of {calls} failed, {left}: {why}");
        // As a program finds it that ends and is started again.
        let image = Image::of(Arc::new(disk.copy()));
        judge::<L>(image, possible, &beside.copy(), call % 8 == 0).unwrap_or_else(|why| told("opened again", why));
        // As the next start of the machine finds it, if the power goes too: what a failed sync left may be gone.
        let steps = disk.log();
        let (durable, since) = synced(&start, &steps);
        for n in 0..if since.is_empty() { 0 } else { AFTER_A_SYNC } {
            unsynced += 1;
            let mut seed = call << 8 ^ n;
            let image = Image::survived(&durable, since, &mut seed);
            judge::<L>(image, possible, &beside.copy(), n == 0).unwrap_or_else(|why| told("and then the power", why));
        }
    }
    println!("{calls} calls failed, {noticed} were noticed, {unsynced} disks of which not all was synced");
    assert!(noticed > calls / 4, "only {noticed} of {calls} were noticed");
    assert!(unsynced > 100, "only {unsynced} disks had something that was not synced");
}

/// What may be found where so many marks were made: what the last one says that was acknowledged, up to the next that
/// would have been.
fn left(healthy: &[Mark], made: usize) -> &[Mark] {
    let first = healthy[..made].iter().rposition(|mark| mark.acknowledged).unwrap_or(0);
    let next = healthy[made..].iter().position(|mark| mark.acknowledged).map_or(healthy.len(), |n| made + n + 1);
    &healthy[first..next]
}

/// What is safe, and what was done since.
fn synced<'a>(start: &[u8], steps: &'a [Done]) -> (Arc<Vec<u8>>, &'a [Done]) {
    let safe = steps.iter().rposition(|step| matches!(step, Done::Sync)).map_or(0, |last| last + 1);
    let mut bytes = start.to_vec();
    for step in &steps[..safe] {
        step.carry_out(&mut bytes);
    }
    (Arc::new(bytes), &steps[safe..])
}

#[test]
fn a_store_survives_an_error_of_any_call() {
    every_call_fails_once::<Bare>();
}

#[test]
fn a_device_survives_an_error_of_any_call() {
    every_call_fails_once::<Device>();
}

#[test]
fn a_hub_survives_an_error_of_any_call() {
    every_call_fails_once::<HubAtHome>();
}
