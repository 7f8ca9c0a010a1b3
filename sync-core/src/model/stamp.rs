//! Who wrote what, in which order: client ids, dots and stamps.

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

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

/// Some dots: nearly always one, which takes no allocation.
pub type Dots = SmallVec<[Dot; 1]>;

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
