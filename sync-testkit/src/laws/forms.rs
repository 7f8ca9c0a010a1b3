//! What is written down reads back as it was.

use sync_core::model::entry::{decode_batch, encode_batch};
use sync_core::{Entry, Record, Value};

use super::{Holds, broken, fold};
use crate::rng::Rng;

/// Batches in the compact form.
///
/// # Errors
/// If one does not read back as it was, or a part of one reads at all.
pub fn batches(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "a batch reads back as it was written";
    let bytes = encode_batch(entries);
    match decode_batch(&bytes) {
        Ok(read) if read == entries => {}
        other => return broken(LAW, format!("{other:?}")),
    }
    for _ in 0..10 {
        let length = rng.below(bytes.len());
        if decode_batch(&bytes[..length]).is_ok_and(|read| read == entries) {
            return broken(LAW, format!("{length} of {} bytes read as all", bytes.len()));
        }
    }
    Ok(())
}

/// Entries in JSON.
///
/// # Errors
/// If one does not read back as it was, with the same hash and the same text.
pub fn json(entries: &[Entry]) -> Holds {
    const LAW: &str = "an entry's JSON reads back as it was written";
    for entry in entries {
        let text = entry.to_json_with_intent();
        let parsed = match Value::parse(&text).map_err(|e| e.to_string()).and_then(|value| read(&value)) {
            Ok(parsed) => parsed,
            Err(error) => return broken(LAW, format!("{error}\n{text}")),
        };
        if parsed != *entry || parsed.hash() != entry.hash() || parsed.to_json_with_intent() != text {
            return broken(LAW, format!("{text}\n{}", parsed.to_json_with_intent()));
        }
    }
    Ok(())
}

fn read(value: &Value) -> Result<Entry, String> {
    let parsed = Entry::from_json(value).map_err(|e| e.to_string())?;
    if parsed.numbered { Ok(parsed.entry) } else { Err("its number was lost".into()) }
}

/// Records in the compact form.
///
/// # Errors
/// If one does not read back as it was.
pub fn records(entries: &[Entry]) -> Holds {
    const LAW: &str = "a record reads back as it was written";
    let half = fold(LAW, entries.iter().step_by(2))?;
    let whole = fold(LAW, entries)?;
    for (key, record) in whole.records().chain(half.records()) {
        let bytes = record.encode();
        match Record::decode(&bytes) {
            Ok(read) if read == *record && read.encode() == bytes => {}
            other => return broken(LAW, format!("{key}: {other:?}")),
        }
    }
    Ok(())
}
