//! A bar for what takes a while, where a person watches.

use indicatif::{ProgressBar, ProgressStyle};

use sync_core::replica::{Phase, Status};

use crate::out::is_watched;

/// How far it is. Drawn on standard error if that is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of so many bytes.
    pub(crate) fn bytes(total: u64) -> Self {
        Self::of(ProgressBar::new(total), "{bar:40} {percent:>3}%  {elapsed}")
    }

    /// Of notes, nobody knows how many.
    pub(crate) fn notes() -> Self {
        Self::of(ProgressBar::no_length(), "{spinner} {pos} notes  {elapsed}")
    }

    /// Of an exchange with a hub.
    pub(crate) fn exchange() -> Self {
        Self::of(ProgressBar::no_length(), "{spinner} {msg}")
    }

    /// Shows how far an exchange is.
    pub(crate) fn show(&self, status: &Status) {
        let of = |total: Option<u64>| total.map_or_else(String::new, |total| format!(" of {total}"));
        // What this exchange sent up has grown the hub's log beyond what it was.
        let total = status.total.filter(|total| *total >= status.cursor);
        self.0.set_message(match status.phase {
            Phase::Uploading => format!("↑ {}{}", status.uploaded, of(Some(status.uploaded + status.pending))),
            Phase::Downloading => format!("↓ {}{}", status.cursor, of(total)),
            _ => String::new(),
        });
        self.0.tick();
    }

    fn of(bar: ProgressBar, template: &str) -> Self {
        let bar = if is_watched() { bar } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn advance(&self, by: u64) {
        self.0.inc(by);
    }

    /// Takes it off the screen.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
