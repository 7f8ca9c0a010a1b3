//! `export --snapshot` and `import --snapshot`: what the hub has accepted, as one file.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::device::Device;
use crate::failure::Failure;
use crate::out::{Out, remark, say};
use crate::paint::mark;
use crate::progress::watched;
use crate::sync::runtime;
use crate::target::Target;
use crate::text::count;

pub(crate) fn export(device: &Device, path: &Path, out: &mut Out) -> Result<(), Failure> {
    let target = Target::at(path, device)?;
    let writer = target.writer()?;
    let runtime = runtime()?;
    let written = watched(device, || runtime.block_on(device.replica.export_snapshot(writer)))?;
    let is_output = target.is_output();
    target.complete()?;
    let done = format!("exported {}, {} kB", count(written.records, "record"), written.bytes.div_ceil(1024));
    if is_output {
        remark(done);
    } else {
        out.line(done)?;
        out.flush()?;
    }
    if written.pending > 0 {
        let pending = count(written.pending, "change");
        say(mark(format_args!("not in it: {pending} that the hub has not accepted yet; `notes sync` first")));
    }
    Ok(())
}

pub(crate) fn import(device: &Device, path: &Path, out: &mut Out) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path.display().to_string(), error))?;
    let runtime = runtime()?;
    let read = watched(device, || runtime.block_on(device.replica.import_snapshot(BufReader::new(file))))?;
    let pending = match read.pending {
        0 => String::new(),
        n => format!(", {} still pending", count(n, "change")),
    };
    out.line(format_args!("imported {}{pending}", count(read.records, "record")))
}
