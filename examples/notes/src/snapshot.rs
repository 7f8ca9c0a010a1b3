//! `export --snapshot` and `import --snapshot`: what the hub has accepted, as one file.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use crate::device::Device;
use crate::export::new_file;
use crate::failure::Failure;
use crate::out::{Out, say};
use crate::paint::mark;
use crate::progress::watched;
use crate::sync::runtime;
use crate::text::count;

pub(crate) fn export(device: &Device, path: &Path, out: &mut Out) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(path.display().to_string(), error);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The file is there when it is complete, and until then what was there before.
    let new = new_file(parent).map_err(failed)?;
    let writer = new.as_file().try_clone().map_err(failed)?;
    let runtime = runtime()?;
    let written = watched(device, || runtime.block_on(device.replica.export_snapshot(writer)))?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(path).map_err(|refused| failed(refused.error))?;
    out.line(format_args!("exported {}, {} kB", count(written.records, "record"), written.bytes.div_ceil(1024)))?;
    out.flush()?;
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
