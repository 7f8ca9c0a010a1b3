//! `export`: all notes as JSON lines.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::device::Device;
use crate::failure::Failure;
use crate::json::NoteJson;
use crate::list::{Dated, Item, each};
use crate::out::{Out, remark};
use crate::progress::Progress;
use crate::target::Target;
use crate::text::count;

pub(crate) fn export(device: &Device, file: Option<&Path>, out: &mut Out) -> Result<(), Failure> {
    let Some(path) = file.filter(|path| *path != Path::new("-")) else {
        return each(device, false, |item| match item {
            Item::Note(Dated { note, updated_at }) => out.json(&NoteJson::new(&note, updated_at)),
            Item::Deleted(_) => Ok(()),
        });
    };
    let target = Target::at(path, device)?;
    let failed = |error: io::Error| target.failed(error);
    let mut writer = BufWriter::new(target.writer()?);
    let progress = Progress::notes();
    let mut notes = 0;
    let read = each(device, false, |item| {
        if let Item::Note(Dated { note, updated_at }) = item {
            serde_json::to_writer(&mut writer, &NoteJson::new(&note, updated_at)).map_err(|e| failed(e.into()))?;
            writer.write_all(b"\n").map_err(failed)?;
            progress.advance(1);
            notes += 1;
        }
        Ok(())
    });
    writer.flush().map_err(failed)?;
    progress.end();
    read.map_err(|failure| match failure {
        Failure::Told => target.lacking(),
        other => other,
    })?;
    target.complete()?;
    remark(format_args!("exported {}", count(notes, "note")));
    Ok(())
}
