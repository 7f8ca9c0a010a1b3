//! Standard output and standard error: nothing else writes to them.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstream::AutoStream;
use serde::Serialize;

use crate::failure::Failure;

/// Standard output: buffered, without colours unless it is a terminal that wants them.
pub(crate) struct Out(BufWriter<AutoStream<StdoutLock<'static>>>);

impl Out {
    pub(crate) fn new() -> Self {
        Self(BufWriter::new(anstream::stdout().lock()))
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(Failure::Output)
    }

    /// Writes the last line of a command, behind what cannot be taken back: that was `done`, whether or not this is read.
    pub(crate) fn last_line(&mut self, line: impl Display, done: impl Display) -> Result<(), Failure> {
        let written = writeln!(self.0, "{line}").and_then(|()| self.0.flush());
        written.map_err(|source| Failure::Unsaid { done: done.to_string(), source })
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: impl Display) -> Result<(), Failure> {
        write!(self.0, "{text}").map_err(Failure::Output)
    }

    /// Writes JSON, and ends the line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        self.json_without_end(value)?;
        self.line("")
    }

    /// Writes JSON.
    pub(crate) fn json_without_end(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| Failure::Output(error.into()))
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::Output)
    }
}

/// Tells a person something. That nobody reads it is no reason to fail.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Tells a person who watches something that a script has no use for.
pub(crate) fn remark(line: impl Display) {
    if is_watched() {
        say(line);
    }
}

/// Whether a person watches standard error.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}
