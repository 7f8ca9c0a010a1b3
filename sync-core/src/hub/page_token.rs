//! Which page of a snapshot comes next.

use std::fmt;
use std::str::FromStr;

use crate::model::entry::EntityKey;
use crate::transport::{Cursor, TransportError};

/// Which page of a snapshot comes next. A page is not bound to the hub process that named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// The first.
    First,
    /// The records after this key; the log ended at `from` when the first page was made.
    Records { from: Cursor, after: EntityKey },
    /// The records that the log touched after `from`.
    Touched { from: Cursor },
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::First => Ok(()),
            Token::Records { from, after } => {
                write!(f, "r.{}.{}.{}.", from.seq, from.digest, from.epoch)?;
                after.entity_type.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(".")?;
                after.id.bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Token::Touched { from } => write!(f, "t.{}.{}.{}", from.seq, from.digest, from.epoch),
        }
    }
}

impl FromStr for Token {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        // What no hub named is answered like what is too old: begin with the first page.
        parse(text).ok_or(TransportError::Expired)
    }
}

fn parse(text: &str) -> Option<Token> {
    if text.is_empty() {
        return Some(Token::First);
    }
    let mut parts = text.split('.');
    let kind = parts.next()?;
    let (seq, digest) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let from = Cursor { seq, digest, epoch: parts.next()?.parse().ok()? };
    let token = match kind {
        "r" => Token::Records { from, after: EntityKey::new(unhex(parts.next()?)?, unhex(parts.next()?)?) },
        "t" => Token::Touched { from },
        _ => return None,
    };
    // Numbers would be read with a sign too, or in capital letters.
    (token.to_string() == text).then_some(token)
}

fn unhex(text: &str) -> Option<String> {
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use crate::transport::Epoch;

    #[test]
    fn a_token_is_read_as_it_was_written_alone() {
        let from = Cursor { seq: 5, digest: Digest(0xa), epoch: Epoch(0xb) };
        for token in
            [Token::First, Token::Touched { from }, Token::Records { from, after: EntityKey::new("n", "\u{e9}") }]
        {
            let text = token.to_string();
            assert_eq!(parse(&text), Some(token));
            for (spelled, otherwise) in
                [(".5.", ".+5."), (".5.", ".05."), ("a.", "A."), ("000b", "+00b"), ("6e", "+e"), ("c3", "C3")]
            {
                let other = text.replacen(spelled, otherwise, 1);
                assert!(other == text || parse(&other).is_none(), "{other}");
            }
            assert_eq!(parse(&format!("{text}.")), None);
        }
    }
}
