//! `sync`: one exchange with the hub.

use std::io;
use std::pin::pin;

use serde::Serialize;
use sync_core::replica::Report;
use sync_core::{Error, Transport, TransportError};
use sync_http::HttpTransport;
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use crate::cli::Place;
use crate::device::Device;
use crate::failure::Failure;
use crate::out::{Out, say};
use crate::paint::{good, mark};
use crate::progress::{FRAME, Progress, watched};
use crate::text::count;
use crate::watch;

/// What was done, as JSON.
#[derive(Serialize)]
struct Synced<'a> {
    #[serde(flatten)]
    report: &'a Report,
    cursor: u64,
}

pub(crate) fn sync(place: &Place, go_on: bool, json: bool, out: &mut Out) -> Result<(), Failure> {
    let runtime = runtime()?;
    let transport = hub(place)?;
    if go_on {
        return runtime.block_on(watch::watch(place, &transport, json, out));
    }
    let device = Device::open(place)?;
    let report = runtime.block_on(once(&device, &transport))?;
    tell(&device, &report, json, out)
}

/// Takes the hub's state over. What only this device has is set aside, and stays there until it is written anew.
pub(crate) fn adopt(place: &Place, json: bool, out: &mut Out) -> Result<(), Failure> {
    let transport = hub(place)?;
    let device = Device::open(place)?;
    let runtime = runtime()?;
    let adopted = watched(&device, || runtime.block_on(device.replica.adopt_hub(&transport)));
    let report = adopted.map_err(|error| explained(&device, error))?;
    tell(&device, &report, json, out)
}

fn hub(place: &Place) -> Result<HttpTransport, Failure> {
    place.transport()?.ok_or_else(|| Failure::usage("which hub? give --server URL, or set NOTES_SERVER"))
}

/// A runtime for what waits for the network.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::own("system", format!("the system gave no timer or network: {error}")))
}

/// One exchange. What the hub was not reached with is kept, and the failure says how much that is.
pub(crate) async fn once(device: &Device, transport: &dyn Transport) -> Result<Report, Failure> {
    let bar = Progress::exchange();
    let mut exchange = pin!(device.replica.sync(transport));
    let synced = loop {
        tokio::select! {
            synced = &mut exchange => break synced,
            () = sleep(FRAME) => bar.show(&device.replica.status()),
        }
    };
    bar.end();
    synced.map_err(|error| explained(device, error))
}

fn explained(device: &Device, error: Error) -> Failure {
    let offline = error.is_offline();
    match error {
        Error::Transport(reason) if offline => Failure::Offline { pending: device.replica.status().pending, reason },
        other => other.into(),
    }
}

/// Says what was done.
pub(crate) fn tell(device: &Device, report: &Report, json: bool, out: &mut Out) -> Result<(), Failure> {
    let done = "what there was to exchange was exchanged all the same";
    if json {
        let synced = serde_json::to_string(&Synced { report, cursor: device.replica.cursor().seq });
        return out.last_line(synced.map_err(io::Error::from)?, done);
    }
    let pending = match report.pending {
        0 => String::new(),
        n => mark(format_args!(", {} still pending", count(n, "change"))),
    };
    out.last_line(format_args!("{}  ↑ {}  ↓ {}{pending}", good("synced"), report.uploaded, report.downloaded), done)?;
    if report.rejected > 0 {
        say(mark(format_args!("{} refused and kept here: `notes refused` says why", count(report.rejected, "change"))));
    }
    if let Some(off) = report.clock_corrected {
        say(mark(format_args!("this clock is {off} ms off the hub's: what was not sent yet was dated anew")));
    }
    if report.forked {
        say(mark("this file is a copy of one that went on elsewhere: it goes on as a device of its own"));
    }
    if report.bootstrapped {
        say("everything was taken from the hub's snapshot");
    }
    if report.hub_restored {
        say(mark("the hub had lost data: it has back what is here"));
    }
    Ok(())
}

/// Whether a failure will pass: the hub is away, or another command has the file.
pub(crate) fn will_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Offline { .. } => true,
        Failure::Core(error) => error.is_retryable(),
        _ => false,
    }
}

/// Whether something answered that is no hub.
pub(crate) fn is_strange(failure: &Failure) -> bool {
    matches!(failure, Failure::Core(Error::Transport(TransportError::Nonsense { .. })))
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::own("system", error.to_string())
    }
}
