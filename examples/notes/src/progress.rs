//! A bar for what takes a while, where a person watches.

use indicatif::{ProgressBar, ProgressStyle};

use std::sync::mpsc;
use std::time::Duration;

use sync_core::replica::{self, Phase, Status};

use crate::device::Device;
use crate::out::is_watched;

/// How often the bar moves.
pub(crate) const FRAME: Duration = Duration::from_millis(100);

/// Does what takes a while, and shows how far the replica is with it.
pub(crate) fn watched<T>(device: &Device, work: impl FnOnce() -> T) -> T {
    if !is_watched() {
        return work();
    }
    let (done, ended) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let bar = Progress::exchange();
            // Woken when the other end is dropped.
            while ended.recv_timeout(FRAME) == Err(mpsc::RecvTimeoutError::Timeout) {
                bar.show(&device.replica.status());
            }
            bar.end();
        });
        let result = work();
        drop(done);
        result
    })
}

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

    /// Shows how far the replica is with what it does.
    pub(crate) fn show(&self, status: &Status) {
        self.0.set_message(match status.phase {
            Phase::Idle | Phase::Greeting => "",
            Phase::Uploading => "↑",
            Phase::Downloading => "↓",
            Phase::Bootstrapping => "↓ snapshot",
            Phase::Compacting => "compacting",
            Phase::Exporting => "exporting",
            Phase::Importing => "importing",
            Phase::Verifying => "verifying",
            _ => "working",
        });
        let replica::Progress { done, total, .. } = status.progress;
        let template = match total {
            Some(total) => {
                self.0.set_length(total);
                "{spinner} {msg} {bar:40} {pos} of {len}"
            }
            None if done > 0 => "{spinner} {msg} {pos}",
            None => "{spinner} {msg}",
        };
        self.0.set_position(done);
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
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
