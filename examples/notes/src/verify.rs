//! `verify` and `compact`: looking after the file.

use sync_core::Transport;
use sync_core::transport::HelloRequest;

use crate::cli::Place;
use crate::device::Device;
use crate::failure::Failure;
use crate::out::{Out, say};
use crate::paint::{bad, good};
use crate::progress::watched;
use crate::sync::runtime;
use crate::text::{count, plain};

pub(crate) fn verify(device: &Device, place: &Place, out: &mut Out) -> Result<(), Failure> {
    let found = watched(device, || device.replica.verify())?;
    let mut problems = found.problems.clone();
    let (journal, map) = (count(found.journal_rows, "row"), count(found.map_rows, "row"));
    out.line(format_args!("read      {journal} of the log, {map} of records: every checksum compared"))?;
    out.line(match found.folded_again {
        Some(n) => format!("folded    {} again from the log and compared", count(n, "record")),
        None => "folded    nothing again: the log was compacted, or begins with a snapshot".to_owned(),
    })?;
    if device.store.file().verify()? {
        out.line("file      its pages are sound")?;
    } else {
        problems.push("the file was not sound, and could be mended".to_owned());
    }
    match place.transport()? {
        None => out.line("hub       not asked: --server URL compares the log's digest with the hub's")?,
        Some(transport) => match compare(device, &transport)? {
            Ok(agreement) => out.line(format_args!("hub       {agreement}"))?,
            Err(problem) => problems.push(problem),
        },
    }
    if problems.is_empty() {
        return out.line(good("sound"));
    }
    for problem in &problems {
        say(format_args!("{} {}", bad("problem:"), plain(problem)));
    }
    let message =
        format!("{} found in {}: keep a copy of it", count(problems.len() as u64, "problem"), device.path.display());
    Err(Failure::own("unsound", message))
}

/// Whether the part of the hub's log that is here is what the hub has there.
fn compare(device: &Device, transport: &impl Transport) -> Result<Result<String, String>, Failure> {
    let cursor = device.replica.cursor();
    let request = HelloRequest { cursor, ..HelloRequest::default() };
    let hello = runtime()?.block_on(transport.hello(&request)).map_err(sync_core::Error::from)?;
    if let Some(account) = device.replica.status().account.filter(|account| account.hub != hello.hub) {
        return Ok(Err(format!("this is not the hub of these notes: {} is, and {} answered", account.hub, hello.hub)));
    }
    if !hello.on_chain {
        let (here, there) = (cursor.seq, hello.head.seq);
        return Ok(Err(format!("the log differs from the hub's: {here} entries here, {there} there")));
    }
    let behind = hello.head.seq.saturating_sub(cursor.seq);
    Ok(Ok(match behind {
        0 => format!("the same {}", count(cursor.seq, "entry")),
        n => format!("the same {}, and {} more there", count(cursor.seq, "entry"), count(n, "entry")),
    }))
}

pub(crate) fn compact(device: &Device, out: &mut Out) -> Result<(), Failure> {
    let bytes = || std::fs::metadata(&device.path).map(|file| file.len());
    let of_file = |error| Failure::file(device.path.display().to_string(), error);
    let before = bytes().map_err(of_file)?;
    watched(device, || device.replica.compact())?;
    let after = bytes().map_err(of_file)?;
    out.line(format_args!("{} kB, {} kB before", after.div_ceil(1024), before.div_ceil(1024)))
}
