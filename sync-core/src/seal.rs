//! Rows as they are stored: a version, the body, and a checksum over it and the place where it belongs.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::model::codec::{CodecError, Writer};
use crate::store::StoreError;

/// The version of every row's layout.
pub(crate) const VERSION: u8 = 1;

const CHECKSUM: usize = 8;

/// A row for this place: a map's key, or a position in the journal.
pub(crate) fn seal(place: &[u8], body: &[u8]) -> Vec<u8> {
    around(place, body.len(), |row| row.extend_from_slice(body))
}

/// The same of what was written.
pub(crate) fn written(place: &[u8], body: Writer) -> Vec<u8> {
    around(place, body.most_bytes(), |row| body.finish_into(row))
}

fn around(place: &[u8], bytes: usize, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + bytes + CHECKSUM);
    row.push(VERSION);
    body(&mut row);
    let checksum = checksum(place, &row);
    row.extend_from_slice(&checksum);
    row
}

/// The body of a row that was read from this place.
pub(crate) fn open<'a>(place: &[u8], row: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let Some((content, found)) = row.split_last_chunk::<CHECKSUM>() else {
        return Err(damaged(place, "it is too short"));
    };
    if checksum(place, content) != *found {
        return Err(damaged(place, "its checksum does not fit its content"));
    }
    match content.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((version, _)) => Err(damaged(
            place,
            &format!("it has version {version}, and this program knows version {VERSION}: use a newer program"),
        )),
        None => Err(damaged(place, "it is empty")),
    }
}

/// The body of a row that was opened before.
pub(crate) fn body(row: &[u8]) -> &[u8] {
    row.get(1..row.len().saturating_sub(CHECKSUM)).unwrap_or_default()
}

/// A row whose checksum fits and whose content does not.
pub(crate) fn unreadable(place: &[u8], error: &CodecError) -> StoreError {
    damaged(place, &error.to_string())
}

fn checksum(place: &[u8], content: &[u8]) -> [u8; CHECKSUM] {
    // Where a row belongs is part of it: a row that was written to the wrong place is damage too.
    xxh3_64_with_seed(content, xxh3_64_with_seed(place, 0)).to_le_bytes()
}

fn damaged(place: &[u8], message: &str) -> StoreError {
    StoreError::Damaged { what: format!("the row {}", place.escape_ascii()), message: message.to_owned() }
}
