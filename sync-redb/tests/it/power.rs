//! The loss of power between any two steps: of what was not synced yet, any sectors may have reached the disk.

use sync_core::{Checkpoint, Store};
use sync_redb::RedbFile;

use crate::bytes::{Bytes, Done, random};

const SECTOR: usize = 512;
const IMAGES_A_STEP: u32 = 3;

/// A history, and how many steps of the disk each acknowledged append had behind it.
struct History {
    start: Vec<u8>,
    steps: Vec<Done>,
    /// (steps, last position, what the last checkpoint covers)
    acknowledged: Vec<(usize, u64, u64)>,
}

fn history() -> History {
    let made = Bytes::new(vec![]);
    drop(RedbFile::with_backend(made.clone()).expect("a new file"));
    let start = made.copy();
    let disk = Bytes::new(start.clone());
    let store = RedbFile::with_backend(disk.clone()).and_then(|file| file.space("")).expect("the store opens");
    let mut acknowledged = vec![];
    for n in 0..16u64 {
        store.append(n, &[&[n as u8; 700]]).expect("a commit");
        let mut covers = store.heads().expect("the heads").covers;
        acknowledged.push((disk.log().len(), n + 1, covers));
        if n % 5 == 4 {
            covers = n + 1;
            let puts = (0..30u8).map(|key| (vec![key], vec![n as u8; 90])).collect();
            store.checkpoint(&Checkpoint { covers, drop_before: n - 2, puts, drops: vec![] }).expect("a checkpoint");
            acknowledged.push((disk.log().len(), n + 1, covers));
        }
    }
    History { start, steps: disk.log(), acknowledged }
}

/// The disk after `cut` steps and a loss of power. `honest` syncs are waited for; others are not.
fn image(history: &History, cut: usize, honest: bool, seed: &mut u64) -> Vec<u8> {
    let steps = &history.steps[..cut];
    let synced = steps.iter().rposition(|step| honest && matches!(step, Done::Sync)).unwrap_or(0);
    let mut bytes = history.start.clone();
    for (n, step) in steps.iter().enumerate() {
        match step {
            Done::Length(len) => bytes.resize(*len, 0),
            Done::Write(at, data) => {
                let whole = random(seed).is_multiple_of(2);
                for (n_sector, sector) in data.chunks(SECTOR).enumerate() {
                    if n < synced || whole || random(seed).is_multiple_of(2) {
                        let at = at + n_sector * SECTOR;
                        bytes[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
            Done::Sync => {}
        }
    }
    bytes
}

/// What is wrong with the store on that disk.
fn judge(bytes: Vec<u8>, last: u64, covers: u64) -> Result<(), String> {
    let told = |error: sync_core::StoreError| error.to_string();
    let store = RedbFile::with_backend(Bytes::new(bytes)).and_then(|file| file.space("")).map_err(told)?;
    let heads = store.heads().map_err(told)?;
    if heads.last < last || heads.covers < covers {
        return Err(format!("{last} commits and {covers} covered were acknowledged, found {heads:?}"));
    }
    let rows = store.journal(0, usize::MAX).map_err(told)?;
    if rows.iter().any(|(at, bytes)| bytes[..] != [(at - 1) as u8; 700])
        || rows.len() as u64 != heads.last + 1 - heads.first
    {
        return Err("a commit was changed".into());
    }
    let map = store.range(b"", b"", 100).map_err(told)?;
    if map.iter().any(|(_, bytes)| bytes[..] != [(heads.covers - 1) as u8; 90])
        || (heads.covers > 0) != (map.len() == 30)
    {
        return Err(format!("half a checkpoint was found at {heads:?}"));
    }
    store.append(heads.last, &[b"more"]).map(drop).map_err(told)
}

fn failures(honest: bool) -> (u32, Vec<String>) {
    let history = history();
    let (mut images, mut failures, mut seed) = (0, vec![], 1);
    for cut in 0..=history.steps.len() {
        let acknowledged = history.acknowledged.iter().take_while(|(steps, ..)| *steps <= cut).last();
        let (_, last, covers) = acknowledged.copied().unwrap_or_default();
        for _ in 0..IMAGES_A_STEP {
            images += 1;
            let bytes = image(&history, cut, honest, &mut seed);
            failures.extend(judge(bytes, last, covers).err().map(|why| format!("after {cut} steps: {why}")));
        }
    }
    (images, failures)
}

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    let (images, failures) = failures(true);
    assert!(images > 300, "only {images} images");
    assert!(failures.is_empty(), "{} of {images}: {}", failures.len(), failures[0]);
}

#[test]
fn a_disk_that_does_not_wait_is_found_out() {
    let (images, failures) = failures(false);
    assert!(
        failures.len() as u32 > images / 2,
        "only {} of {images} failed: the test above proves nothing",
        failures.len()
    );
}
