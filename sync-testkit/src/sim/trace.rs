//! What happened: a running hash of everything that can be observed, and lines for people where they are wanted.

use std::fmt::Arguments;

/// Goes on hashing with these bytes.
pub(super) fn mix(hash: u64, bytes: &[u8]) -> u64 {
    let mut hash = hash ^ (bytes.len() as u64).wrapping_mul(PRIME);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix_word(hash, u64::from_le_bytes(word));
    }
    hash
}

const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

/// Goes on hashing with this number.
pub(super) fn mix_word(hash: u64, word: u64) -> u64 {
    let mixed = (hash.rotate_left(5) ^ word).wrapping_mul(PRIME);
    mixed ^ (mixed >> 29)
}

/// A running hash of everything observed, and the lines of a replay.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(wants_lines: bool) -> Self {
        Self { hash: 0, lines: wants_lines.then(Vec::new) }
    }

    /// Takes notice of a number.
    pub(super) fn note(&mut self, word: u64) {
        self.hash = mix_word(self.hash, word);
    }

    /// Takes notice of bytes.
    pub(super) fn note_bytes(&mut self, bytes: &[u8]) {
        self.hash = mix(self.hash, bytes);
    }

    /// Says something, if anybody listens; building what is said costs nothing otherwise.
    pub(super) fn say(&mut self, what: Arguments<'_>) {
        if let Some(lines) = &mut self.lines {
            lines.push(what.to_string());
        }
    }

    pub(super) fn is_heard(&self) -> bool {
        self.lines.is_some()
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    /// What was said, with short names for what is long and random.
    pub(super) fn into_lines(self) -> Vec<String> {
        let mut names = Names::default();
        self.lines.unwrap_or_default().iter().map(|line| names.shorten(line)).collect()
    }
}

/// Short names for 32 digits in a row: client ids, intents, digests.
#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn shorten(&mut self, line: &str) -> String {
        let mut short = String::new();
        let mut rest = line;
        while !rest.is_empty() {
            let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            let digits = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
            if digits == 32 {
                let name = &rest[..32];
                let at = self.0.iter().position(|other| other == name).unwrap_or_else(|| {
                    self.0.push(name.to_owned());
                    self.0.len() - 1
                });
                short.push_str(&format!("~{at}"));
            } else {
                short.push_str(&rest[..digits]);
            }
            rest = &rest[digits..];
            let others = rest.find(is_digit).unwrap_or(rest.len());
            short.push_str(&rest[..others]);
            rest = &rest[others..];
        }
        short.replace("0000000000000000", "0").replace("-00000000000000", "-")
    }
}
