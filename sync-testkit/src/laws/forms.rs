//! What is written down reads back as it was.

use sync_core::model::entry::{decode_batch, encode_batch};
use sync_core::model::value::MAX_DEPTH;
use sync_core::{Entry, Record, Snapshot, Value, reconcile, reconcile_batches};

use super::{Holds, broken, fold};
use crate::rng::Rng;

/// Batches in the compact form.
///
/// # Errors
/// If one does not read back as it was, or folds to something else, or a part of one reads at all.
pub fn batches(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "a batch reads back as it was written";
    let bytes = encode_batch(entries);
    match decode_batch(&bytes) {
        Ok(read) if read == entries => {}
        other => return broken(LAW, format!("{other:?}")),
    }
    // The first part as entries, the rest in batches, wherever one ends.
    let whole = fold(LAW, entries)?;
    let mut entries = entries.to_vec();
    for part in 0..4 {
        let (before, rest) = entries.split_at(if part == 0 { 0 } else { rng.below(entries.len() + 1) });
        let batches: Vec<Vec<u8>> = match part {
            0 => vec![bytes.clone()],
            _ => rest.chunks(1 + rng.below(rest.len() + 1)).map(encode_batch).collect(),
        };
        let folded = reconcile_batches(fold(LAW, before)?, batches.iter().map(Vec::as_slice));
        if folded.as_ref().map_err(|e| e.to_string()) != Ok(&whole) {
            return broken(LAW, format!("folded as {} batches after {}: {folded:?}", batches.len(), before.len()));
        }
        // Next in nearly the same order, at last in any.
        match part {
            0 | 1 if entries.len() > 1 => {
                let (at, to) = (rng.below(entries.len()), rng.below(entries.len()));
                let moved = entries.remove(at);
                entries.insert(to, moved);
            }
            _ => {
                entries.extend(rng.some_of(&entries, 10));
                rng.shuffle(&mut entries);
            }
        }
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
        if Entry::parse_json(&text, MAX_DEPTH).map(|parsed| parsed.entry).as_ref() != Ok(&parsed) {
            return broken(LAW, format!("read at once it is something else: {text}"));
        }
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

/// Bytes that were damaged, or made up: whatever reads at all is as good as what was written.
///
/// # Errors
/// If something is read that is not in its canonical form. Panics are failures too.
pub fn damage(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "what reads at all is canonical";
    let batch = encode_batch(entries);
    let whole = fold(LAW, entries)?;
    for entry in entries {
        let text = String::from_utf8_lossy(&spoilt(entry.to_json_with_intent().as_bytes(), rng)).into_owned();
        let parsed = Value::parse(&text).ok().and_then(|json| Entry::from_json(&json).ok());
        if parsed != Entry::parse_json(&text, MAX_DEPTH).ok() {
            return broken(LAW, format!("read at once it is something else: {text}"));
        }
        if parsed.is_some_and(|parsed| !parsed.entry.is_canonical()) {
            return broken(LAW, text);
        }
    }
    for _ in 0..10 {
        let spoilt = spoilt(&batch, rng);
        let folded = reconcile_batches(Snapshot::default(), [&spoilt[..]]);
        if let Ok(read) = decode_batch(&spoilt) {
            if let Some(entry) = read.iter().find(|entry| !entry.is_canonical()) {
                return broken(LAW, format!("{entry:?}"));
            }
            let mut record = Record::default();
            read.iter().for_each(|entry| record.apply_in_order(entry));
            let _ = record.encode();
            // Two entries of one name are possible here, and are refused.
            if reconcile(Snapshot::default(), &read).ok() != folded.ok() {
                return broken(LAW, format!("as bytes it folds to something else: {read:?}"));
            }
        } else if folded.is_ok() {
            return broken(LAW, "what does not read folds");
        }
    }
    for (key, record) in whole.records() {
        let bytes = spoilt(&record.encode(), rng);
        if let Ok(read) = Record::decode_untrusted(&bytes) {
            if read.encode() != bytes {
                return broken(LAW, format!("{key}: {read:?}"));
            }
            let _ =
                (read.life(), read.hidden_writes(), sync_core::model::conflict::of(&read, |name| vec![name.into()]));
        }
    }
    Ok(())
}

/// The same with a few bytes changed.
fn spoilt(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + rng.below(2) {
        let at = rng.below(bytes.len());
        bytes[at] = if rng.percent(50) { bytes[at] ^ (1 << rng.below(8)) } else { rng.below(256) as u8 };
    }
    bytes
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
        for read in [Record::decode(&bytes), Record::decode_untrusted(&bytes)] {
            match read {
                Ok(read) if read == *record && read.encode() == bytes => {}
                other => return broken(LAW, format!("{key}: {other:?}")),
            }
        }
    }
    Ok(())
}
