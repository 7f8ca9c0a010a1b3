//! What the audience sees: steps, who does what, and facts.

use std::fmt::Display;
use std::io::{IsTerminal, stdout};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{bold, dim, name};

/// How long a line stands alone, for those who watch.
const PAUSE: Duration = Duration::from_millis(45);

/// Where the demo is shown.
pub(super) struct Stage<'a> {
    out: &'a mut Out,
    pub(super) runtime: &'a Runtime,
    steps: u32,
    watched: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn new(out: &'a mut Out, runtime: &'a Runtime) -> Self {
        Self { out, runtime, steps: 0, watched: stdout().is_terminal() }
    }

    /// A line, as it happens.
    pub(super) fn say(&mut self, line: impl Display) -> Result<(), Failure> {
        self.out.line(line)?;
        self.out.flush()?;
        if self.watched {
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The next step.
    pub(super) fn step(&mut self, what: &str) -> Result<(), Failure> {
        self.steps += 1;
        let steps = self.steps;
        self.say("")?;
        self.say(format_args!("{} {}", dim(format_args!("{steps}.")), bold(what)))
    }

    /// Somebody does something.
    pub(super) fn act(&mut self, who: &str, what: impl Display) -> Result<(), Failure> {
        self.say(format_args!("   {}  {what}", name(who)))
    }

    /// Something is so.
    pub(super) fn fact(&mut self, of: &str, what: impl Display) -> Result<(), Failure> {
        self.say(format_args!("   {}  {what}", dim(format_args!("{of:<8}"))))
    }
}
