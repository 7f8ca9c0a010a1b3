//! What the checkpoint keeps beside the records: the replica's own state, and entries that are not decided.

use std::ops::Range;
use std::sync::Arc;

use super::cold::{self, Cold};
use super::keep::Marks;
use super::names::Names;
use super::pending::Pending;
use super::row::{
    read_account, read_known, read_limits, read_rejection, read_space, write_account, write_known, write_limits,
    write_rejection, write_space,
};
use super::state::{Aside, State};
use crate::clock::HybridClock;
use crate::model::codec::{self, Reader, Writer};
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::{ClientId, Known};
use crate::records::{Records, Table};
use crate::seal;
use crate::store::{KeyValue, Store, StoreError};
use crate::transport::Cursor;

const META: &[u8] = b"m";
/// What those are called that pending entries name and that are pending no more.
const NAMES: &[u8] = b"n";
/// Where the journal was at which time.
const MARKS: &[u8] = b"k";
/// Pending entries, by local number.
const PENDING: u8 = b'p';
/// Which pending entries are an entity's.
const PENDING_OF: u8 = b'q';
/// Entries that were set aside, by local number.
const ASIDE: u8 = b'x';
/// How many rows are read at a time.
const PAGE: usize = 1_024;

/// The row with everything that is small.
pub(super) fn row(state: &State) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    w.client(&state.client);
    w.list(&state.former, Writer::client);
    for number in [state.copied, state.accepted, state.attempt, state.next_local] {
        w.u64(number);
    }
    for number in [state.clock.own, state.clock.accepted, state.clock.foreign] {
        w.u64(number);
    }
    w.i64(state.offset);
    state.cursor.write(&mut w);
    state.told.write(&mut w);
    w.option(state.account.as_ref(), write_account);
    w.option(state.of.as_ref(), write_space);
    w.option(state.last_synced.as_ref(), |w, at| w.u64(*at));
    write_limits(&mut w, &state.limits);
    w.u8(state.table.0);
    let vector: Vec<(ClientId, Known)> = state.vector.iter().map(|(client, known)| (client.clone(), known)).collect();
    w.list(&vector, write_known);
    (META.to_vec(), seal::written(META, w))
}

/// The row with what those are called that pending entries name, and how many pending entries there are.
pub(super) fn names_row(state: &State) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    state.names.write(&mut w);
    w.u64(state.pending.len());
    (NAMES.to_vec(), seal::written(NAMES, w))
}

/// The row with where the journal was at which time.
pub(super) fn marks_row(marks: &Marks) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    marks.write(&mut w);
    (MARKS.to_vec(), seal::written(MARKS, w))
}

/// What a row holds; nothing if there is none, in a file of an earlier version.
fn read_row<T: Default>(
    store: &dyn Store,
    place: &[u8],
    read: impl FnOnce(&mut Reader<'_>) -> codec::Result<T>,
) -> Result<T, StoreError> {
    let Some(row) = store.get(place)? else { return Ok(T::default()) };
    let body = seal::open(place, &row)?;
    let content = Reader::with_table(body).and_then(|mut r| {
        let content = read(&mut r)?;
        r.finish()?;
        Ok(content)
    });
    content.map_err(|error| seal::unreadable(place, &error))
}

/// The state that a checkpoint holds; `None` if there was none.
pub(super) fn load(store: &dyn Store, front: Option<usize>) -> Result<Option<State>, StoreError> {
    let Some(row) = store.get(META)? else { return Ok(None) };
    let body = seal::open(META, &row)?;
    let mut state = read(body).map_err(|error| seal::unreadable(META, &error))?;
    let names = read_row(store, NAMES, |r| Ok(Some((Names::read(r)?, r.u64()?))))?;
    state.marks = read_row(store, MARKS, Marks::read)?;
    let is_indexed = names.is_some();
    let (names, count) = names.unwrap_or_else(|| (Names::default(), u64::MAX));
    state.names = names;
    state.pending.cold.front = front.unwrap_or(Cold::default().front);
    load_pending(store, &mut state, count)?;
    if !is_indexed {
        // An earlier version did not say where the entries of an entity are.
        state.pending.all_are_new();
    }
    each(store, ASIDE, |local, r| {
        let aside = Aside { entry: Arc::new(Entry::read(r)?), rejection: read_rejection(r)?, stored: true };
        state.aside.insert(local, aside);
        Ok(())
    })?;
    Ok(Some(state))
}

/// Brings the first pending entries into memory, and all whose verdict is not known: those are among the first.
fn load_pending(store: &dyn Store, state: &mut State, count: u64) -> Result<(), StoreError> {
    let (mut next, end) = (0, state.next_local);
    loop {
        let page = cold::read_page(store, &(next..end), state.pending.cold.front)?;
        let is_open = page.is_open();
        next = state.pending.take_page(page);
        let left = count.saturating_sub(state.pending.resident() as u64);
        if next >= end || left == 0 {
            return Ok(());
        }
        // A count of all of them is known where they are found by their entities.
        if is_open && count != u64::MAX {
            state.pending.leave_out(next..end, left);
            return Ok(());
        }
    }
}

/// Pending entries of a range of local numbers, and whether there may be more.
pub(super) fn pending_page(
    store: &dyn Store,
    locals: Range<u64>,
    limit: usize,
) -> Result<(Vec<(u64, Pending)>, bool), StoreError> {
    let rows = store.range(&pending_place(locals.start), &pending_place(locals.end), limit)?;
    let more = rows.len() == limit;
    let page: Result<_, StoreError> = rows.iter().map(|(place, row)| read_pending(place, row)).collect();
    Ok((page?, more))
}

/// One pending entry.
pub(super) fn pending(store: &dyn Store, local: u64) -> Result<Option<Pending>, StoreError> {
    let place = pending_place(local);
    let row = store.get(&place)?;
    row.map(|row| read_pending(&place, &row).map(|(_, pending)| pending)).transpose()
}

fn read_pending(place: &[u8], row: &[u8]) -> Result<(u64, Pending), StoreError> {
    let body = seal::open(place, row)?;
    let read = || {
        let local = local_of(place)?;
        let mut r = Reader::with_table(body)?;
        let pending = Pending {
            entry: Arc::new(Entry::read(&mut r)?),
            offered: r.option(Reader::u64)?,
            accepted_as: r.option(Reader::dot)?,
        };
        r.finish()?;
        Ok((local, pending))
    };
    read().map_err(|error| seal::unreadable(place, &error))
}

fn local_of(place: &[u8]) -> codec::Result<u64> {
    let number = place.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
    number.ok_or(codec::CodecError { expected: "a number in the key" })
}

/// The local numbers of an entity's pending entries within a range.
pub(super) fn pending_of(store: &dyn Store, key: &EntityKey, locals: Range<u64>) -> Result<Vec<u64>, StoreError> {
    if locals.is_empty() {
        return Ok(Vec::new());
    }
    let (mut from, end) = (pending_of_place(key, locals.start), pending_of_place(key, locals.end));
    let mut found = Vec::new();
    loop {
        let rows = store.range(&from, &end, PAGE)?;
        for (place, row) in &rows {
            seal::open(place, row)?;
            found.push(local_of(place).map_err(|error| seal::unreadable(place, &error))?);
        }
        match rows.last() {
            Some((place, _)) if rows.len() == PAGE => {
                from.clone_from(place);
                from.push(0);
            }
            _ => return Ok(found),
        }
    }
}

/// The entities with pending entries in the map: behind one, of one type, up to one. One look each.
pub(super) fn entities(
    store: &dyn Store,
    after: Option<&EntityKey>,
    of_type: Option<&str>,
    to: Option<&EntityKey>,
) -> Result<Vec<EntityKey>, StoreError> {
    let of_types = |name: &str, last: u8| [&[PENDING_OF], name.as_bytes(), &[last]].concat();
    let behind = |key: &EntityKey| {
        let mut place = of_entity(key);
        place.push(BEHIND);
        place
    };
    let mut from = match (after, of_type) {
        (Some(key), _) => behind(key),
        (None, Some(name)) => of_types(name, 0),
        (None, None) => vec![PENDING_OF],
    };
    let end = match (to, of_type) {
        (Some(key), _) => behind(key),
        (None, Some(name)) => of_types(name, 1),
        (None, None) => vec![PENDING_OF + 1],
    };
    let mut found = Vec::new();
    while let Some((place, _)) = store.range(&from, &end, 1)?.first() {
        let unreadable = || seal::unreadable(place, &codec::CodecError { expected: "an entity in the key" });
        let key = entity_of(place).ok_or_else(unreadable)?;
        from = behind(&key);
        found.push(key);
    }
    Ok(found)
}

/// Where it stands that a pending entry is an entity's. The places have the order of the keys, whatever ids are made of:
/// an id's zero byte is followed by 255, and its end is a zero and a one.
pub(super) fn pending_of_place(key: &EntityKey, local: u64) -> Vec<u8> {
    let mut place = of_entity(key);
    place.push(END);
    place.extend_from_slice(&local.to_be_bytes());
    place
}

/// What follows the zero byte behind an id, and what is greater than that and no part of an id.
const END: u8 = 1;
const BEHIND: u8 = 2;
const WITHIN: u8 = 255;

fn of_entity(key: &EntityKey) -> Vec<u8> {
    // With room for what follows behind it, and for an escape.
    let mut place = Vec::with_capacity(key.entity_type.len() + key.id.len() + 16);
    place.push(PENDING_OF);
    place.extend_from_slice(key.entity_type.as_bytes());
    place.push(0);
    for (at, part) in key.id.as_bytes().split(|byte| *byte == 0).enumerate() {
        if at > 0 {
            place.extend_from_slice(&[0, WITHIN]);
        }
        place.extend_from_slice(part);
    }
    place.push(0);
    place
}

fn entity_of(place: &[u8]) -> Option<EntityKey> {
    let text = place.get(1..place.len().checked_sub(10)?)?;
    let at = text.iter().position(|byte| *byte == 0)?;
    let mut id = Vec::new();
    let mut bytes = text[at + 1..].iter();
    while let Some(byte) = bytes.next() {
        id.push(*byte);
        if *byte == 0 && bytes.next() != Some(&WITHIN) {
            return None;
        }
    }
    Some(EntityKey::new(std::str::from_utf8(&text[..at]).ok()?, String::from_utf8(id).ok()?))
}

fn read(body: &[u8]) -> codec::Result<State> {
    let mut r = Reader::with_table(body)?;
    let mut state = State::new(r.client()?);
    state.former = r.list(Reader::client)?;
    state.copied = r.u64()?;
    state.accepted = r.u64()?;
    state.attempt = r.u64()?;
    state.next_local = r.u64()?;
    state.clock = HybridClock { own: r.u64()?, accepted: r.u64()?, foreign: r.u64()? };
    state.offset = r.i64()?;
    state.cursor = Cursor::read(&mut r)?;
    state.told = Cursor::read(&mut r)?;
    state.account = r.option(read_account)?;
    state.of = r.option(read_space)?;
    state.last_synced = r.option(Reader::u64)?;
    state.limits = read_limits(&mut r)?;
    state.table = Table(r.u8()?);
    state.vector = r.list(read_known)?.into_iter().collect();
    state.records = Records::default();
    r.finish()?;
    Ok(state)
}

fn each(
    store: &dyn Store,
    prefix: u8,
    mut take: impl FnMut(u64, &mut Reader<'_>) -> codec::Result<()>,
) -> Result<(), StoreError> {
    let (mut from, end) = (vec![prefix], [prefix + 1]);
    loop {
        let rows = store.range(&from, &end, PAGE)?;
        for (place, row) in &rows {
            let body = seal::open(place, row)?;
            let number = place[1..].first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
            let local = number.ok_or(codec::CodecError { expected: "a number in the key" });
            let taken = local.and_then(|local| {
                let mut r = Reader::with_table(body)?;
                take(local, &mut r)?;
                r.finish()
            });
            taken.map_err(|error| seal::unreadable(place, &error))?;
        }
        match rows.last() {
            Some((place, _)) if rows.len() == PAGE => {
                from.clone_from(place);
                from.push(0);
            }
            _ => return Ok(()),
        }
    }
}

/// The rows of entries that are not decided, and of fields that never leave the device.
pub(super) const WIPED: [&[u8]; 4] = [&[PENDING], &[PENDING_OF], &[ASIDE], b"l"];

/// Where an undecided entry is kept.
pub(super) fn pending_place(local: u64) -> Vec<u8> {
    place(PENDING, local)
}

/// Where an entry that was set aside is kept.
pub(super) fn aside_place(local: u64) -> Vec<u8> {
    place(ASIDE, local)
}

fn place(prefix: u8, local: u64) -> Vec<u8> {
    let mut place = Vec::with_capacity(9);
    place.push(prefix);
    place.extend_from_slice(&local.to_be_bytes());
    place
}

/// The rows of a pending entry: itself, and that it is its entity's.
pub(super) fn pending_rows(local: u64, pending: &Pending) -> [KeyValue; 2] {
    let mut w = Writer::with_table();
    pending.entry.write(&mut w);
    w.option(pending.offered.as_ref(), |w, n| w.u64(*n));
    w.option(pending.accepted_as.as_ref(), Writer::dot);
    let place = pending_place(local);
    let row = seal::written(&place, w);
    let of = pending_of_place(&pending.entry.key, local);
    let mark = seal::seal(&of, &[]);
    [(place, row), (of, mark)]
}

pub(super) fn aside_row(local: u64, aside: &Aside) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    aside.entry.write(&mut w);
    write_rejection(&mut w, &aside.rejection);
    let place = aside_place(local);
    let row = seal::written(&place, w);
    (place, row)
}
