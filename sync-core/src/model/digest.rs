//! Digests: 128-bit hashes of entries and of sequences of them, and hex digits as they are read.

use std::fmt;
use std::str::FromStr;

/// A 128-bit hash: of one entry's content, or of a sequence of entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub u128);

impl Digest {
    /// The digest of no entries.
    pub const EMPTY: Digest = Digest(0);

    /// The digest of a sequence that goes on with this entry.
    #[must_use]
    pub fn then(self, entry: Digest) -> Digest {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&self.0.to_le_bytes());
        both[16..].copy_from_slice(&entry.0.to_le_bytes());
        Digest(xxhash_rust::xxh3::xxh3_128(&both))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not so many hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is written with {digits} hex digits")]
pub struct NotHex {
    digits: usize,
}

/// Reads exactly so many hex digits, at most 32.
pub(crate) fn hex(text: &str, digits: usize) -> Result<u128, NotHex> {
    // A sign would be taken too.
    let is_hex = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().ok_or(NotHex { digits })
}

impl FromStr for Digest {
    type Err = NotHex;
    fn from_str(text: &str) -> Result<Self, NotHex> {
        hex(text, 32).map(Digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Epoch;

    #[test]
    fn digests_and_epochs_are_read_with_all_their_digits_and_no_sign() {
        let (digest, epoch) = (Digest(0xab), Epoch(0xab));
        assert_eq!((digest.to_string().parse(), epoch.to_string().parse()), (Ok(digest), Ok(epoch)));
        for text in ["", "ab", "+b", "-0"] {
            let padded = |digits: usize| format!("{text:0>digits$}");
            assert!(text.parse::<Digest>().is_err() && text.parse::<Epoch>().is_err(), "{text:?}");
            assert_eq!(padded(32).parse::<Digest>().is_ok(), text.is_empty() || text == "ab", "{text:?}");
            assert_eq!(padded(16).parse::<Epoch>().is_ok(), text.is_empty() || text == "ab", "{text:?}");
        }
        assert!(format!("+{:031x}", 5).parse::<Digest>().is_err() && format!("+{:015x}", 5).parse::<Epoch>().is_err());
    }
}
