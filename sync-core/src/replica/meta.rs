//! What the checkpoint keeps beside the records: the replica's own state, and entries that are not decided.

use std::ops::Range;
use std::sync::Arc;

use super::blocks::{PENDING, PENDING_OF};
use super::cold::{self, Cold};
use super::intents::INTENTS;
use super::keep::Marks;
use super::names::Names;
use super::row::{
    read_account, read_known, read_limits, read_rejection, read_space, write_account, write_known, write_limits,
    write_rejection, write_space,
};
use super::state::{Aside, State};
use crate::clock::HybridClock;
use crate::model::codec::{self, Reader, Writer};
use crate::model::context::Known;
use crate::model::entry::Entry;
use crate::model::stamp::ClientId;
use crate::records::{Records, Table};
use crate::seal;
use crate::store::{Store, StoreError};
use crate::transport::{Cursor, Epochs};

const META: &[u8] = b"m";
/// What is known of all pending entries.
const NAMES: &[u8] = b"n";
/// Where the journal was at which time.
const MARKS: &[u8] = b"k";
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
    state.epochs.write(&mut w);
    w.option(state.account.as_ref(), write_account);
    w.option(state.of.as_ref(), write_space);
    w.option(state.last_synced.as_ref(), |w, at| w.u64(*at));
    write_limits(&mut w, &state.limits);
    w.u8(state.table.0);
    let vector: Vec<(ClientId, Known)> = state.vector.iter().map(|(client, known)| (client.clone(), known)).collect();
    w.list(&vector, write_known);
    (META.to_vec(), seal::written(META, w))
}

/// The row of what is known of all pending entries: what those are called that they name, how many there are, and what the
/// index tells of.
pub(super) fn pending_row(state: &State, runs: &[Range<u64>]) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    state.names.write(&mut w);
    w.u64(state.pending.len());
    w.list(runs, |w, run| {
        w.u64(run.start);
        w.u64(run.end);
    });
    (NAMES.to_vec(), seal::written(NAMES, w))
}

/// The row with where the journal was at which time.
pub(super) fn marks_row(marks: &Marks) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    marks.write(&mut w);
    (MARKS.to_vec(), seal::written(MARKS, w))
}

/// What a row holds; nothing if there is none.
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
    let pending = read_row(store, NAMES, |r| {
        Ok(Some((Names::read(r)?, r.u64()?, r.list(|r| Ok(Range { start: r.u64()?, end: r.u64()? }))?)))
    })?;
    let unknown = || (Names::default(), u64::MAX, Vec::new());
    let count;
    (state.names, count, state.pending.cold.runs) = pending.unwrap_or_else(unknown);
    state.marks = read_row(store, MARKS, Marks::read)?;
    state.pending.cold.front = front.unwrap_or(Cold::default().front);
    load_pending(store, &mut state, count)?;
    each(store, ASIDE, |local, r| {
        let aside = Aside { entry: Arc::new(Entry::read(r)?), rejection: read_rejection(r)?, stored: true };
        state.aside.insert(local, aside);
        Ok(())
    })?;
    Ok(Some(state))
}

/// Brings the first pending entries into memory, with all whose verdict is not known, which are among them; and the last
/// ones, which never left it.
fn load_pending(store: &dyn Store, state: &mut State, count: u64) -> Result<(), StoreError> {
    let (mut next, end, indexed) = (0, state.next_local, state.pending.indexed());
    while next < end && (state.pending.resident() as u64) < count {
        let page = cold::read_page(store, &(next..end), state.pending.cold.front)?;
        let is_open = page.is_open();
        next = state.pending.take_page(page);
        if is_open && indexed.contains(&next) {
            let cold = next..indexed.end;
            next = cold.end;
            while next < end {
                next = state.pending.take_page(cold::read_page(store, &(next..end), state.pending.cold.front)?);
            }
            let left = count.saturating_sub(state.pending.resident() as u64);
            state.pending.leave_out(cold, left);
        }
    }
    Ok(())
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
    state.epochs = Epochs::read(&mut r)?;
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

/// The rows of entries that are not decided, of what those were that are, and of fields that never leave the device.
pub(super) const WIPED: [&[u8]; 5] = [&[PENDING], &[PENDING_OF], &[ASIDE], &[INTENTS], b"l"];

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

pub(super) fn aside_row(local: u64, aside: &Aside) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    aside.entry.write(&mut w);
    write_rejection(&mut w, &aside.rejection);
    let place = aside_place(local);
    let row = seal::written(&place, w);
    (place, row)
}
