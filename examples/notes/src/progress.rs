//! A bar for what takes a while, where a person watches.

use indicatif::{ProgressBar, ProgressStyle};

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
