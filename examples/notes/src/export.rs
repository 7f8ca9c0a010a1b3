//! `export`: all notes as JSON lines.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::device::Device;
use crate::failure::Failure;
use crate::json::NoteJson;
use crate::list::{Dated, Item, each};
use crate::out::{Out, remark};
use crate::progress::Progress;
use crate::text::count;

pub(crate) fn export(device: &Device, file: Option<&Path>, out: &mut Out) -> Result<(), Failure> {
    let Some(path) = file.filter(|path| *path != Path::new("-")) else {
        return each(device, false, |item| match item {
            Item::Note(Dated { note, updated_at }) => out.json(&NoteJson::new(&note, updated_at)),
            Item::Deleted(_) => Ok(()),
        });
    };
    let failed = |error: io::Error| Failure::file(path.display().to_string(), error);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The file is there when it is complete, and until then what was there before.
    let new = new_file(parent).map_err(failed)?;
    let mut writer = BufWriter::new(new);
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
    let new = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(path).map_err(|refused| failed(refused.error))?;
    progress.end();
    remark(format_args!("exported {}", count(notes, "note")));
    read
}

/// A file that others may read as far as they may what this user makes.
pub(crate) fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
