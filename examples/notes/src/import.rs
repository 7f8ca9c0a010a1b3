//! `import`: notes from JSON lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use sync_core::replica::Transaction;
use sync_core::{Commit, Error};

use crate::device::Device;
use crate::failure::Failure;
use crate::json::NoteLine;
use crate::note::{Note, NoteId, Notebook};
use crate::out::{Out, say};
use crate::paint::bad;
use crate::progress::Progress;
use crate::text::{count, cut, plain};

/// How many writes may be on their way to the disk before the next waits for them.
const AHEAD: usize = 1_000;

/// How many lines at fault are told one by one.
const TOLD: u64 = 20;

/// What can be read twice.
trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

fn opened(path: &Path) -> io::Result<Box<dyn Source>> {
    let file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(Box::new(file)) } else { kept(file) }
}

/// What a pipe or a terminal says once.
fn kept(mut from: impl Read) -> io::Result<Box<dyn Source>> {
    let mut text = Vec::new();
    from.read_to_end(&mut text)?;
    Ok(Box::new(Cursor::new(text)))
}

/// Every line is tried before the first is written: if one cannot be imported, none is.
pub(crate) fn import(device: &Device, path: &Path, out: &mut Out) -> Result<(), Failure> {
    let name = path.display().to_string();
    let failed = |error| Failure::file(&name, error);
    let mut source = if name == "-" { kept(io::stdin().lock()) } else { opened(path) }.map_err(failed)?;
    let bytes = source.seek(io::SeekFrom::End(0)).map_err(failed)?;
    let progress = Progress::bytes(2 * bytes);
    rehearse(device, &name, &mut source, &progress)?;
    let lines = write(device, &name, &mut source, &progress)?;
    progress.end();
    let notes = count(lines, "note");
    out.last_line(format_args!("imported {notes}"), format_args!("imported all the same: {notes}"))
}

fn rehearse(device: &Device, name: &str, source: &mut dyn Source, progress: &Progress) -> Result<(), Failure> {
    let mut wrong: u64 = 0;
    each_line(name, source, progress, |number, line| {
        let tried = parse(device, line).and_then(|note| would_take(device, note));
        if let Err(message) = tried {
            wrong += 1;
            if wrong <= TOLD {
                say(format_args!("{} {name}:{number}: {}", bad("error:"), cut(&plain(&message), 300)));
            }
        }
        Ok(())
    })?;
    match wrong {
        0 => Ok(()),
        n => {
            let message = format!("{} of {name} cannot be imported: nothing was", count(n, "line"));
            Err(Failure::own("malformed", message))
        }
    }
}

fn write(device: &Device, name: &str, source: &mut dyn Source, progress: &Progress) -> Result<u64, Failure> {
    let mut written = 0;
    let mut last: Option<Commit<NoteId>> = None;
    let done = each_line(name, source, progress, |number, line| {
        let changed = |message| Failure::own("malformed", format!("{name}:{number}: {message}"));
        let note = parse(device, line).map_err(changed)?;
        // Each note is a write of its own, and many of them share one sync to the disk.
        let commit = device.replica.transaction(|tx| put(tx, note))?;
        written += 1;
        if written % AHEAD == 0 {
            commit.wait().map(drop)?
        } else {
            last = Some(commit)
        }
        Ok(())
    });
    // What was written is on the disk before anything is said about it.
    if let Some(commit) = last {
        commit.wait()?;
    }
    done.map_err(|failure| {
        let message = format!("{failure}; the {} before it are imported", count(written as u64, "note"));
        Failure::own("interrupted", message)
    })?;
    Ok(written as u64)
}

fn put(tx: &mut Transaction<'_>, note: Note) -> Result<NoteId, Error> {
    if let Some(notebook) = &note.notebook
        && tx.get(notebook)?.is_none()
    {
        tx.put(Notebook::called(notebook.key()))?;
    }
    tx.put(note)
}

/// Writes the note and gives it up again.
fn would_take(device: &Device, note: Note) -> Result<(), String> {
    let tried = device.replica.transaction(|tx| {
        put(tx, note)?;
        Err::<(), _>(Error::aborted("a rehearsal"))
    });
    match tried {
        Ok(_) | Err(Error::Aborted(_)) => Ok(()),
        Err(error) => Err(Failure::from(error).to_string()),
    }
}

fn parse(device: &Device, line: &str) -> Result<Note, String> {
    // As serde has it, an array would do for an object: its fields in their order.
    if line.starts_with('[') {
        return Err(
            "this is an array, and a note is an object: write one note a line, such as {\"title\":\"T\"}".to_owned()
        );
    }
    let line: NoteLine = serde_json::from_str(line).map_err(|error| error.to_string())?;
    Ok(line.into_note(|| device.replica.new_text_id()))
}

/// The lines with their numbers, but for empty ones.
fn each_line(
    name: &str,
    source: &mut dyn Source,
    progress: &Progress,
    mut f: impl FnMut(u64, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error| Failure::file(name, error);
    source.rewind().map_err(failed)?;
    let mut lines = BufReader::new(source);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read = lines.read_until(b'\n', &mut bytes).map_err(failed)?;
        if read == 0 {
            break;
        }
        progress.advance(read as u64);
        let not_text = |error| failed(io::Error::new(io::ErrorKind::InvalidData, format!("line {number}: {error}")));
        let text = std::str::from_utf8(&bytes).map_err(not_text)?;
        // Some editors mark a text as UTF-8.
        let marked = text.strip_prefix('\u{feff}').filter(|_| number == 1);
        let line = marked.unwrap_or(text).trim();
        if !line.is_empty() {
            f(number, line)?;
        }
    }
    Ok(())
}
