//! Why a value could not be taken, written or read.

use std::fmt;

/// Why a value could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The text is not JSON.
    #[error("this is not JSON: {message} at byte {at}")]
    Syntax {
        /// The byte at which it went wrong.
        at: usize,
        /// What is wrong there.
        message: &'static str,
    },
    /// Arrays and objects are nested too deeply.
    #[error("the value nests deeper than {max} levels: flatten it, or split it over several entities")]
    TooDeep {
        /// The deepest nesting that is taken.
        max: usize,
    },
    /// A number is NaN, infinite, or too large for an `f64`.
    #[error("a number is NaN, infinite or too large for an f64: JSON cannot carry it, use an Option or a string")]
    NotFinite,
    /// An object has the same key twice.
    #[error("an object has the key {key:?} twice: readers would disagree about which counts, so name each key once")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A string holds one half of a surrogate pair.
    #[error("a string holds an escape for half a character (a lone surrogate): it is not Unicode text")]
    Surrogate,
    /// An integer has more digits than any integer type.
    #[error("an integer has more than {max} digits: write it as a string", max = super::number::MAX_DIGITS)]
    NumberTooLong,
    /// A `Some` is written as `null`, and read as `None`.
    #[error(
        "a `Some` is written as `null`, and would be read as `None`: for an `Option` within an `Option`, or of what is \
         itself `null`, make an enum that tells the two apart"
    )]
    SomeNull,
    /// The type cannot be written as JSON.
    #[error("the value cannot be written as JSON: {0}")]
    Encode(String),
    /// The value does not fit the type that it was read as.
    #[error("the value does not fit the type: {0}")]
    Decode(String),
}

impl ValueError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "value_syntax",
            Self::TooDeep { .. } => "value_too_deep",
            Self::NotFinite => "value_not_finite",
            Self::DuplicateKey { .. } => "value_duplicate_key",
            Self::Surrogate => "value_surrogate",
            Self::NumberTooLong => "value_number_too_long",
            Self::SomeNull => "value_some_null",
            Self::Encode(_) => "value_encode",
            Self::Decode(_) => "value_decode",
        }
    }
}

/// So that a `Serialize` implementation can refuse with its own words.
impl serde::ser::Error for ValueError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Encode(message.to_string())
    }
}
