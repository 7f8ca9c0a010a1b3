//! What the checkpoint keeps beside the records: the replica's own state, and entries that are not decided.

use std::sync::Arc;

use super::row::{
    read_account, read_cursor, read_known, read_limits, read_rejection, write_account, write_cursor, write_known,
    write_limits, write_rejection,
};
use super::state::{Aside, Pending, State};
use crate::clock::HybridClock;
use crate::model::codec::{self, Reader, Writer};
use crate::model::entry::Entry;
use crate::model::stamp::{ClientId, Known};
use crate::records::{Records, Table};
use crate::seal;
use crate::store::{Store, StoreError};

const META: &[u8] = b"m";
/// Pending entries, by local number.
const PENDING: u8 = b'p';
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
    write_cursor(&mut w, &state.cursor);
    w.option(state.account.as_ref(), write_account);
    w.option(state.last_synced.as_ref(), |w, at| w.u64(*at));
    write_limits(&mut w, &state.limits);
    w.u8(state.table.0);
    let vector: Vec<(ClientId, Known)> = state.vector.iter().map(|(client, known)| (client.clone(), known)).collect();
    w.list(&vector, write_known);
    (META.to_vec(), seal::seal(META, &w.finish()))
}

/// The state that a checkpoint holds; `None` if there was none.
pub(super) fn load(store: &dyn Store) -> Result<Option<State>, StoreError> {
    let Some(row) = store.get(META)? else { return Ok(None) };
    let body = seal::open(META, &row)?;
    let mut state = read(body).map_err(|error| seal::unreadable(META, &error))?;
    each(store, PENDING, |local, r| {
        let pending = Pending {
            entry: Arc::new(Entry::read(r)?),
            offered: r.option(Reader::u64)?,
            accepted_as: r.option(Reader::dot)?,
            stored: true,
        };
        state.pending_of.entry(pending.entry.key.clone()).or_default().push(local);
        state.pending.insert(local, pending);
        Ok(())
    })?;
    each(store, ASIDE, |local, r| {
        let aside = Aside { entry: Arc::new(Entry::read(r)?), rejection: read_rejection(r)?, stored: true };
        state.aside.insert(local, aside);
        Ok(())
    })?;
    Ok(Some(state))
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
    state.cursor = read_cursor(&mut r)?;
    state.account = r.option(read_account)?;
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
pub(super) const WIPED: [&[u8]; 3] = [&[PENDING], &[ASIDE], b"l"];

/// Where an undecided entry is kept.
pub(super) fn pending_place(local: u64) -> Vec<u8> {
    place(PENDING, local)
}

/// Where an entry that was set aside is kept.
pub(super) fn aside_place(local: u64) -> Vec<u8> {
    place(ASIDE, local)
}

fn place(prefix: u8, local: u64) -> Vec<u8> {
    let mut place = vec![prefix];
    place.extend_from_slice(&local.to_be_bytes());
    place
}

pub(super) fn pending_row(local: u64, pending: &Pending) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    pending.entry.write(&mut w);
    w.option(pending.offered.as_ref(), |w, n| w.u64(*n));
    w.option(pending.accepted_as.as_ref(), Writer::dot);
    let place = pending_place(local);
    let row = seal::seal(&place, &w.finish());
    (place, row)
}

pub(super) fn aside_row(local: u64, aside: &Aside) -> (Vec<u8>, Vec<u8>) {
    let mut w = Writer::with_table();
    aside.entry.write(&mut w);
    write_rejection(&mut w, &aside.rejection);
    let place = aside_place(local);
    let row = seal::seal(&place, &w.finish());
    (place, row)
}
