//! Who wrote what, in which order: client ids, dots, stamps, and which entries a side knows.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::shared;

/// A short text that is shared instead of copied: an entity type, a field, a family.
pub type Name = Arc<str>;

/// The name under which one copy of a space issues its entries.
#[derive(Clone, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(Arc<str>);

impl PartialEq for ClientId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Hash for ClientId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Ord for ClientId {
    fn cmp(&self, other: &Self) -> Ordering {
        // Nearly all that are compared are one and the same text.
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for ClientId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ClientId {
    /// The most bytes that a client id may have.
    pub const MAX_BYTES: usize = 128;

    /// A client id from its text. Texts of foreign clients are taken as they are.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// A fresh client id from 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}").into())
    }

    /// The id under which entries that have no number yet refer to each other on one device.
    pub(crate) fn local() -> Self {
        Self(shared::name(""))
    }

    /// Whether it stands for this device, in the names of entries that have no number yet.
    fn is_local(&self) -> bool {
        self.0.is_empty()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, shared.
    pub(crate) fn name(&self) -> &Name {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The n-th entry that a client issued: an entry's name for ever.
///
/// ```
/// use sync_core::{ClientId, Dot};
/// let dot = Dot::new(ClientId::new("device-a"), 26);
/// assert_eq!(dot.to_string(), "device-a-000000000000001a");
/// assert_eq!("device-a-000000000000001a".parse(), Ok(dot));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Dot {
    /// Who issued it.
    pub client: ClientId,
    /// Its number: 1, 2, 3... without a gap once accepted.
    pub n: u64,
}

impl Dot {
    /// The `n`-th entry of `client`.
    pub fn new(client: ClientId, n: u64) -> Self {
        Self { client, n }
    }

    /// The `n`-th entry written on this device, not numbered yet.
    pub(crate) fn local(n: u64) -> Self {
        Self { client: ClientId::local(), n }
    }

    /// The text, written in one piece.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.client.as_str().len() + 17);
        // A string takes whatever is written.
        let _ = write!(text, "{self}");
        text
    }

    /// Whether this names an entry by its place on this device only.
    pub(crate) fn is_local(&self) -> bool {
        self.client.is_local()
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 16];
        for (at, digit) in digits.iter_mut().rev().enumerate() {
            *digit = b"0123456789abcdef"[(self.n >> (4 * at)) as usize & 15];
        }
        f.write_str(self.client.as_str())?;
        f.write_str("-")?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

/// The text is no dot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry's id is its client's id, `-`, and its number, from 1, as 16 lower-case hex digits")]
pub struct NotADot;

impl FromStr for Dot {
    type Err = NotADot;
    fn from_str(text: &str) -> Result<Self, NotADot> {
        let (client, digits) = text.rsplit_once('-').ok_or(NotADot)?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if client.is_empty() || digits.len() != 16 || !digits.bytes().all(hex) {
            return Err(NotADot);
        }
        let n = u64::from_str_radix(digits, 16).map_err(|_| NotADot)?;
        // Whether an entry that nobody has is known would depend on what else is.
        if n == 0 {
            return Err(NotADot);
        }
        Ok(Self::new(ClientId::new(shared::name(client)), n))
    }
}

/// Where a write comes from: its dot, and what orders it among writes that did not know of each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin {
    /// The entry's name.
    pub dot: Dot,
    /// Its logical time in milliseconds since the Unix epoch.
    pub time: u64,
    /// Its author, where that is not the dot's client: a foreign client, whose entries the hub numbered.
    pub author: Option<ClientId>,
}

impl Origin {
    /// The client that wrote it.
    pub fn author(&self) -> &ClientId {
        self.author.as_ref().unwrap_or(&self.dot.client)
    }

    /// The total order of entries.
    pub fn stamp(&self) -> Stamp {
        Stamp { time: self.time, client: self.author().clone(), n: self.dot.n }
    }

    /// Whether its stamp is greater than this one, without making it.
    pub(crate) fn is_after(&self, stamp: &Stamp) -> bool {
        order(self.time, self.author(), self.dot.n) > order(stamp.time, &stamp.client, stamp.n)
    }

    /// Compares stamps without making them. A foreign client's entries of one time may have one stamp, numbered by a
    /// hub before and after a new start: their names tell them apart.
    pub fn cmp_stamp(&self, other: &Self) -> Ordering {
        order(self.time, self.author(), self.dot.n)
            .cmp(&order(other.time, other.author(), other.dot.n))
            .then_with(|| self.dot.client.cmp(&other.dot.client))
    }
}

/// What stamps are compared by. A write without a number is one of this device's own, and will have a number above
/// those that were accepted: until then it is above all of its time, for it follows what it could see of that time.
fn order(time: u64, client: &ClientId, n: u64) -> (u64, bool, &ClientId, u64) {
    (time, client.is_local(), client, n)
}

/// The total order of entries: logical time, then client, then number, compared as numbers and bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds since the Unix epoch, by a hybrid logical clock (Kulkarni et al. 2014).
    pub time: u64,
    /// The author.
    pub client: ClientId,
    /// The entry's number.
    pub n: u64,
}

impl Ord for Stamp {
    fn cmp(&self, other: &Self) -> Ordering {
        order(self.time, &self.client, self.n).cmp(&order(other.time, &other.client, other.n))
    }
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

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

/// What a side knows of one client: its entries 1 to `n`, and the digest of their sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// The highest number known; all below it are known too.
    pub n: u64,
    /// The digest of entries 1 to `n`.
    pub digest: Digest,
}

impl Known {
    /// What is known with the next entry, of this number and hash.
    pub(super) fn then(self, n: u64, hash: Digest) -> Known {
        Known { n, digest: self.digest.then(hash) }
    }
}

/// For every client the highest number known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VersionVector(BTreeMap<ClientId, Known>);

impl VersionVector {
    /// What is known of a client.
    pub fn get(&self, client: &ClientId) -> Known {
        self.0.get(client).copied().unwrap_or_default()
    }

    /// Whether the entry is known.
    pub fn covers(&self, dot: &Dot) -> bool {
        self.0.get(&dot.client).is_some_and(|known| dot.n <= known.n)
    }

    /// Sets what is known of a client.
    pub fn set(&mut self, client: ClientId, known: Known) {
        self.0.insert(client, known);
    }

    /// Takes the next entry of a client. The caller has seen that it is the next one.
    pub fn push(&mut self, dot: &Dot, hash: Digest) {
        match self.0.get_mut(&dot.client) {
            Some(known) => *known = known.then(dot.n, hash),
            None => {
                self.0.insert(dot.client.clone(), Known::default().then(dot.n, hash));
            }
        }
    }

    /// All clients in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&ClientId, Known)> {
        self.0.iter().map(|(client, known)| (client, *known))
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ClientId, Known)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (ClientId, Known)>>(clients: I) -> Self {
        Self(clients.into_iter().collect())
    }
}

/// One number of a client with two contents: a file was copied or put back, and both copies wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two different entries are named {dot}: a copy of client {} issued entries of its own", dot.client)]
pub struct Forked {
    /// The name, or for two sequences of the same length the last of them.
    pub dot: Dot,
}

/// Which entries a snapshot contains: a version vector, and single entries that arrived before the ones below them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Context {
    vector: VersionVector,
    early: BTreeMap<Dot, Digest>,
}

impl Context {
    /// A context that contains what this vector covers.
    pub fn new(vector: VersionVector) -> Self {
        Self { vector, early: BTreeMap::new() }
    }

    /// The part without gaps.
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// The entries beyond a gap, with the hash of each.
    pub fn early(&self) -> impl Iterator<Item = (&Dot, Digest)> {
        self.early.iter().map(|(dot, hash)| (dot, *hash))
    }

    /// Whether there are entries beyond a gap.
    pub(super) fn has_gaps(&self) -> bool {
        !self.early.is_empty()
    }

    /// Sets what is known of a client while nothing is beyond a gap.
    pub(super) fn set(&mut self, client: ClientId, known: Known) {
        self.vector.set(client, known);
    }

    /// Whether the entry is contained.
    pub fn knows(&self, dot: &Dot) -> bool {
        self.vector.covers(dot) || self.early.contains_key(dot)
    }

    /// Takes an entry; `false` if it was contained already.
    ///
    /// # Errors
    /// [`Forked`] if another entry of that name is contained and that can be seen.
    pub fn add(&mut self, dot: &Dot, hash: Digest) -> Result<bool, Forked> {
        match self.vector.0.get_mut(&dot.client) {
            Some(known) if dot.n <= known.n => return Ok(false),
            Some(known) if dot.n == known.n + 1 && self.early.is_empty() => {
                *known = known.then(dot.n, hash);
                return Ok(true);
            }
            _ => {}
        }
        if let Some(known) = self.early.get(dot) {
            return if *known == hash { Ok(false) } else { Err(Forked { dot: dot.clone() }) };
        }
        if dot.n == self.vector.get(&dot.client).n + 1 {
            self.vector.push(dot, hash);
            self.settle(&dot.client);
        } else {
            self.early.insert(dot.clone(), hash);
        }
        Ok(true)
    }

    /// The context that contains what either contains.
    ///
    /// # Errors
    /// [`Forked`] if one number is seen to have two contents.
    pub fn join(&self, other: &Context) -> Result<Context, Forked> {
        let mut joined = self.clone();
        for (client, theirs) in other.vector.iter() {
            let ours = joined.vector.get(client);
            if ours.n == theirs.n && ours.digest != theirs.digest {
                return Err(Forked { dot: Dot::new(client.clone(), ours.n) });
            }
            if ours.n < theirs.n {
                joined.vector.set(client.clone(), theirs);
            }
        }
        for (dot, hash) in &other.early {
            joined.add(dot, *hash)?;
        }
        let clients: Vec<ClientId> = joined.vector.0.keys().cloned().collect();
        for client in clients {
            joined.settle(&client);
        }
        Ok(joined)
    }

    /// Moves entries that are no longer beyond a gap into the vector.
    fn settle(&mut self, client: &ClientId) {
        loop {
            let known = self.vector.get(client);
            let first = self.early.range(Dot::new(client.clone(), 0)..=Dot::new(client.clone(), u64::MAX)).next();
            let Some((dot, hash)) = first.map(|(dot, hash)| (dot.clone(), *hash)) else { return };
            if dot.n > known.n + 1 {
                return;
            }
            self.early.remove(&dot);
            if dot.n == known.n + 1 {
                self.vector.push(&dot, hash);
            }
        }
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
