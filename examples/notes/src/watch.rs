//! `sync --watch`: an exchange whenever something changes, here or there.

use std::path::Path;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use sync_core::{Random, SystemRandom, Transport};
use tokio::time::sleep;

use crate::cli::Place;
use crate::device::Device;
use crate::failure::Failure;
use crate::out::{Out, say};
use crate::paint::{good, mark};
use crate::sync::{is_strange, once, tell, will_pass};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How long to wait at most after the first failure, and after any.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The file is open only while it is synced, so that other commands find it free.
pub(crate) async fn watch(place: &Place, transport: &dyn Transport, json: bool, out: &mut Out) -> Result<(), Failure> {
    let mut stop = pin!(tokio::signal::ctrl_c());
    let path = place.notes_file();
    let mut failures = 0;
    let mut first = true;
    loop {
        let next = tokio::select! {
            stopped = &mut stop => return Ok(stopped?),
            synced = exchange(place, transport, first, json, out) => synced,
        };
        let changed = Look::now(&path);
        match next {
            Ok(seq) => {
                if failures > 0 && !json {
                    say(good("the hub is back"));
                }
                (failures, first) = (0, false);
                tokio::select! {
                    stopped = &mut stop => return Ok(stopped?),
                    () = grown(transport, seq) => {}
                    () = changed.differs(&path) => {}
                }
            }
            // What answers where the hub was is there for a while: a network's own page, a proxy that is set up anew.
            Err(failure) if will_pass(&failure) || (!first && is_strange(&failure)) => {
                match failures {
                    0 if json => failure.tell(json),
                    0 => say(mark(format_args!("{failure}; trying again"))),
                    _ => {}
                }
                failures += 1;
                tokio::select! {
                    stopped = &mut stop => return Ok(stopped?),
                    () = sleep(pause(failures)) => {}
                }
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// One exchange; how much of the hub's log is here then. Says something if anything was exchanged.
async fn exchange(
    place: &Place,
    transport: &dyn Transport,
    first: bool,
    json: bool,
    out: &mut Out,
) -> Result<Option<u64>, Failure> {
    let device = Device::open(place)?;
    let report = once(&device, transport).await?;
    if first || report.uploaded + report.downloaded + report.rejected > 0 {
        tell(&device, &report, json, out)?;
    }
    // What the hub put off is offered again soon.
    Ok((report.pending == 0).then(|| device.replica.cursor().seq))
}

/// Waits until the hub's log is longer; where that cannot be told, a while.
async fn grown(transport: &dyn Transport, since: Option<u64>) {
    let Some(since) = since else { return sleep(pause(1)).await };
    loop {
        match transport.live(since).await {
            Ok(head) if head > since => return,
            // The hub ended the stream without news.
            Ok(_) => sleep(LOOK).await,
            // The next exchange finds out what is the matter.
            Err(_) => return sleep(pause(1)).await,
        }
    }
}

/// Full jitter: many devices that lost the same hub do not all come back at once.
fn pause(failures: u32) -> Duration {
    let most = WAIT.0.saturating_mul(1 << failures.min(10)).min(WAIT.1);
    let part = (SystemRandom.bits() & 0xffff_ffff) as f64 / f64::from(u32::MAX);
    WAIT.0 / 2 + most.mul_f64(part)
}

/// How the file looked.
struct Look(Option<(SystemTime, u64)>);

impl Look {
    fn now(path: &Path) -> Self {
        let file = std::fs::metadata(path).ok();
        Self(file.and_then(|file| Some((file.modified().ok()?, file.len()))))
    }

    /// Waits until another command wrote to it.
    async fn differs(&self, path: &Path) {
        while self.0 == Self::now(path).0 {
            sleep(LOOK).await;
        }
    }
}
