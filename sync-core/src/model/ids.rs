//! Tables of texts, many of which are ids: what is a UUID, or 128 bits in hex digits, takes 16 bytes.

use smallvec::SmallVec;
use uuid::Uuid;

use super::codec::{Bytes, CodecError, Reader, Result};

/// How an id stands in the table: as its length more than these, or as one of them.
const UUID: u64 = 0;
const HEX: u64 = 1;
const TEXT: u64 = 2;

/// Writes how many there are and the forms of all, then their bytes.
pub(super) fn write<'a>(w: &mut Bytes, ids: impl ExactSizeIterator<Item = &'a str>) {
    w.u64(ids.len() as u64);
    let ids: SmallVec<[Id<'_>; 4]> = ids.map(Id::of).collect();
    for id in &ids {
        w.u64(match id {
            Id::Packed(form, _) => *form,
            Id::Text(text) => TEXT + text.len() as u64,
        });
    }
    for id in &ids {
        match id {
            Id::Packed(_, bits) => w.bytes(&bits.to_be_bytes()),
            Id::Text(text) => w.bytes(text.as_bytes()),
        }
    }
}

/// Reads a table.
pub(super) fn read(r: &mut Reader<'_>, mut each: impl FnMut(&str)) -> Result<()> {
    let mut digits = [0; 36];
    for (form, bytes) in parts(r)? {
        each(Id::at(form, bytes)?.spell(&mut digits));
    }
    Ok(())
}

/// A text of a table; every text has one way to stand here.
#[derive(Clone, Copy)]
pub(super) enum Id<'a> {
    /// Which of the forms, and its bits.
    Packed(u64, u128),
    Text(&'a str),
}

impl<'a> Id<'a> {
    /// What a text is: packed, if that gives the same text again.
    fn of(text: &'a str) -> Self {
        let form = match text.len() {
            36 => UUID,
            32 => HEX,
            _ => return Id::Text(text),
        };
        let packed = Uuid::try_parse(text).map(|uuid| Id::Packed(form, uuid.as_u128()));
        packed.ok().filter(|id| id.spell(&mut [0; 36]) == text).unwrap_or(Id::Text(text))
    }

    /// The text of this form.
    pub(super) fn at(form: u64, bytes: &'a [u8]) -> Result<Self> {
        match (text(form, bytes)?, bytes.first_chunk::<16>()) {
            (Some(text), _) => Ok(Id::of(text)),
            (None, Some(bits)) => Ok(Id::Packed(form, u128::from_be_bytes(*bits))),
            (None, None) => Err(CodecError { expected: "16 bytes" }),
        }
    }

    /// The text itself.
    pub(super) fn spell<'b>(&self, digits: &'b mut [u8; 36]) -> &'b str
    where
        'a: 'b,
    {
        match self {
            Id::Packed(UUID, bits) => Uuid::from_u128(*bits).hyphenated().encode_lower(digits),
            Id::Packed(_, bits) => Uuid::from_u128(*bits).simple().encode_lower(digits),
            Id::Text(text) => text,
        }
    }
}

/// For each text its form and its bytes.
pub(super) type Parts<'a> = SmallVec<[(u64, &'a [u8]); 16]>;

/// Reads a table as it stands.
pub(super) fn parts<'a>(r: &mut Reader<'a>) -> Result<Parts<'a>> {
    let count = r.count()?;
    let mut parts = Parts::new();
    for _ in 0..count {
        parts.push((r.u64()?, &[][..]));
    }
    for (form, bytes) in &mut parts {
        let length = if *form < TEXT { 16 } else { *form - TEXT };
        let length = usize::try_from(length).map_err(|_| CodecError { expected: "an id within the bytes" })?;
        *bytes = r.take(length)?;
    }
    Ok(parts)
}

/// A text that stands as it is; `None` for one that is packed.
pub(super) fn text(form: u64, bytes: &[u8]) -> Result<Option<&str>> {
    if form < TEXT {
        return Ok(None);
    }
    std::str::from_utf8(bytes).map(Some).map_err(|_| CodecError { expected: "a text in UTF-8" })
}
