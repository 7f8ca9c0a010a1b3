//! Tables of ids: what is a UUID, or 128 bits in hex digits, takes 16 bytes.

use uuid::Uuid;

use crate::model::codec::{CodecError, Reader, Result, Writer};

/// How an id stands in the table: as its length more than these, or as one of them.
const UUID: u64 = 0;
const HEX: u64 = 1;
const TEXT: u64 = 2;

/// Writes the forms of all ids, then their bytes.
pub(super) fn write<'a>(w: &mut Writer, ids: impl Iterator<Item = &'a str> + Clone) {
    for id in ids.clone() {
        w.u64(packed(id).map_or(TEXT + id.len() as u64, |(form, _)| form));
    }
    for id in ids {
        match packed(id) {
            Some((_, bits)) => w.bytes(&bits.to_be_bytes()),
            None => w.bytes(id.as_bytes()),
        }
    }
}

/// Reads so many ids.
pub(super) fn read<'a>(r: &mut Reader<'a>, count: usize, mut each: impl FnMut(&str)) -> Result<()> {
    let forms: Vec<u64> = (0..count).map(|_| r.u64()).collect::<Result<_>>()?;
    let mut digits = [0; 36];
    for form in forms {
        let length = if form < TEXT { 16 } else { form - TEXT };
        let bytes = usize::try_from(length).ok().map(|length| r.take(length));
        let bytes: &'a [u8] = bytes.ok_or(CodecError { expected: "an id within the bytes" })??;
        let id = match (form, bytes.first_chunk::<16>()) {
            (UUID, Some(bits)) => &*Uuid::from_bytes(*bits).hyphenated().encode_lower(&mut digits),
            (HEX, Some(bits)) => &*Uuid::from_bytes(*bits).simple().encode_lower(&mut digits),
            _ => std::str::from_utf8(bytes).map_err(|_| CodecError { expected: "an id in UTF-8" })?,
        };
        each(id);
    }
    Ok(())
}

/// An id's form and bits, if they give the same text again.
fn packed(id: &str) -> Option<(u64, u128)> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let form = match id.len() {
        36 if id
            .bytes()
            .enumerate()
            .all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { b == b'-' } else { digit(b) }) =>
        {
            UUID
        }
        32 if id.bytes().all(digit) => HEX,
        _ => return None,
    };
    Uuid::try_parse(id).ok().map(|uuid| (form, uuid.as_u128()))
}
