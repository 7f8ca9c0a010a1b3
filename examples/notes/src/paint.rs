//! Colours. They are written always, and taken out again where no terminal wants them.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const MARK: Style = AnsiColor::Yellow.on_default();
const NAME: Style = AnsiColor::Cyan.on_default();

fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// What matters.
pub(crate) fn bold(text: impl Display) -> String {
    paint(BOLD, text)
}

/// What does not.
pub(crate) fn dim(text: impl Display) -> String {
    paint(DIM, text)
}

/// What is wrong.
pub(crate) fn bad(text: impl Display) -> String {
    paint(BAD, text)
}

/// What is as it should be.
pub(crate) fn good(text: impl Display) -> String {
    paint(GOOD, text)
}

/// What asks to be looked at.
pub(crate) fn mark(text: impl Display) -> String {
    paint(MARK, text)
}

/// Who.
pub(crate) fn name(text: impl Display) -> String {
    paint(NAME, text)
}
