//! Serving the state in pages, while it goes on changing.
//!
//! First come all records in the order of their keys, each page as of its own making. Then come the records that
//! the log touched since the first page was made, as they are by then, until nothing was touched that was not
//! served after it. So whoever keeps of every entity the record that came last has the state as of the last page,
//! exactly: its cursor and its vector say what that contains. (A fuzzy checkpoint, as databases know it.)

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::facts::{Facts, Questions, View};
use super::inner::{Inner, failed};
use super::page_token::Token;
use super::pull::Extent;
use super::read::Reading;
use super::state::State;
use crate::error::Error;
use crate::model::context::Known;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::model::stamp::ClientId;
use crate::records::{Scanned, Stored, Table};
use crate::store::{Store, StoreError};
use crate::transport::{Cursor, SnapshotPage, SnapshotRequest, TransportError};

/// The most records in a page.
const MOST_RECORDS: usize = 512;
/// How many records are read first, before it is known how large they are.
const AT_ONCE: usize = 16;
/// About the most bytes in a page.
const MOST_BYTES: usize = 4 << 20;
/// The most entries of the log that are looked at for one page.
const MOST_SCANNED: u64 = 20_000;
/// How many rows of the journal are read at once.
const ROWS_AT_ONCE: usize = 16;

/// Entities, each with where the log was before it touched them.
type Touched = BTreeMap<EntityKey, Cursor>;

impl Inner {
    pub(super) fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError> {
        let token: Token = request.page.parse()?;
        if let Token::Records { from, .. } | Token::Touched { from } = &token {
            let extent = self.extent()?;
            let is_cut = from.seq.saturating_add(1) < self.tail(&extent).map_err(failed)?;
            let here = self.cursor_at(&extent, from.seq).map_err(failed)?;
            if is_cut || here.is_none_or(|here| here.digest != from.digest) {
                return Err(TransportError::Expired);
            }
        }
        match token {
            Token::First => self.records_page(None, None).map_err(failed),
            Token::Records { from, after } => self.records_page(Some(from), Some(&after)).map_err(failed),
            Token::Touched { from } => self.touched_page(from),
        }
    }

    /// Records in the order of their keys. `from` is where the log ended when the first page was made.
    fn records_page(&self, from: Option<Cursor>, after: Option<&EntityKey>) -> Result<SnapshotPage, Error> {
        self.read_with(
            || {
                let table = self.state().table;
                scan(table, self.store(), after)
            },
            |state, (scanned, is_last_scan)| {
                let end = if is_last_scan { None } else { scanned.last().map(|(key, _)| key.clone()) };
                let mut records: BTreeMap<EntityKey, Arc<Record>> = BTreeMap::new();
                for (key, record) in scanned {
                    records.insert(key, Arc::new(record?));
                }
                let from_key = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
                let to_key = end.map_or(Bound::Unbounded, Bound::Included);
                let touched: Vec<EntityKey> = state.records.touched_within((from_key, to_key)).cloned().collect();
                for key in touched {
                    let base = records.remove(&key).map(Arc::unwrap_or_clone).unwrap_or_default();
                    records.insert(key.clone(), state.records.with_tail(&key, base));
                }
                let mut page = SnapshotPage { cursor: state.head, ..SnapshotPage::default() };
                let (mut bytes, mut last) = (0, None);
                let all = records.len();
                let mut seen = 0;
                for (key, record) in records {
                    if seen == MOST_RECORDS || bytes >= MOST_BYTES {
                        break;
                    }
                    seen += 1;
                    last = Some(key.clone());
                    if !record.is_empty() {
                        bytes += record.encode().len();
                        page.records.push((key, Arc::unwrap_or_clone(record)));
                    }
                }
                let from_here = from.unwrap_or(state.head);
                page.next = match last {
                    Some(after) if seen < all || !is_last_scan => {
                        Some(Token::Records { from: from_here, after }.to_string())
                    }
                    // Made in one go: nothing was touched since.
                    _ if from_here == state.head => None,
                    _ => Some(Token::Touched { from: from_here }.to_string()),
                };
                if page.next.is_none() {
                    page.vector = vector(state);
                }
                Ok(Reading::Done(page))
            },
        )
    }

    /// Records that the log touched after `from`, as they are now; an empty one is one that was purged.
    fn touched_page(&self, from: Cursor) -> Result<SnapshotPage, TransportError> {
        let extent = self.extent()?;
        if from.seq.saturating_add(1) < self.tail(&extent).map_err(failed)? {
            return Err(TransportError::Expired);
        }
        let (touched, end) = self.touched(&extent, from)?;
        let asked = RefCell::new(touched);
        let ask = || Questions { keys: asked.borrow().keys().cloned().collect(), ..Questions::default() };
        let take = |state: &mut State, facts: Facts| {
            let mut keys = asked.borrow_mut();
            // What came after the rows that were read is in memory, unless there was a checkpoint in between.
            let reaches_back = state.head.seq - state.tail.len() as u64 <= end.seq;
            if reaches_back && keys.len() < MOST_RECORDS {
                let before = keys.len();
                for key in state.tail.last((state.head.seq - end.seq) as usize) {
                    keys.entry(key.clone()).or_insert(end);
                }
                if keys.len() > before {
                    return Some(Reading::Again);
                }
            }
            let is_final =
                reaches_back && state.tail.last((state.head.seq - end.seq) as usize).all(|key| keys.contains_key(key));
            let all: Vec<EntityKey> = keys.keys().cloned().collect();
            let mut page = SnapshotPage { cursor: state.head, ..SnapshotPage::default() };
            let vector = is_final.then(|| vector(state));
            let mut records = View::new(state, facts, &all)?.take_records();
            // In the order of the log: where the page is full, the next one goes on from there.
            let mut in_order: Vec<(&EntityKey, &Cursor)> = keys.iter().collect();
            in_order.sort_by_key(|(_, before)| before.seq);
            let (mut bytes, mut rest) = (0, (!is_final).then_some(end));
            for (key, before) in in_order {
                if bytes >= MOST_BYTES {
                    rest = Some(*before);
                    break;
                }
                let Some(record) = records.remove(key) else { continue };
                bytes += record.encode().len();
                page.records.push((key.clone(), Arc::unwrap_or_clone(record)));
            }
            match rest {
                Some(from) => page.next = Some(Token::Touched { from }.to_string()),
                None => page.vector = vector.unwrap_or_default(),
            }
            page.records.sort_by(|(a, _), (b, _)| a.cmp(b));
            Some(Reading::Done(page))
        };
        self.read(ask, take).map_err(failed)
    }

    /// The entities that the log touched after `from`, each with where the log was before that, and how far it was read.
    fn touched(&self, extent: &Extent, from: Cursor) -> Result<(Touched, Cursor), TransportError> {
        let (mut keys, mut end) = (Touched::new(), from);
        let is_full = |keys: &Touched, end: Cursor| keys.len() >= MOST_RECORDS || end.seq - from.seq >= MOST_SCANNED;
        while end.seq < extent.head.seq && !is_full(&keys, end) {
            let rows = self.rows_from(extent, end.seq + 1, ROWS_AT_ONCE).map_err(failed)?;
            if rows.is_empty() {
                return Err(TransportError::Expired);
            }
            for row in rows {
                if is_full(&keys, end) {
                    break;
                }
                let behind = (end.seq - row.start.seq) as usize;
                for logged in row.entries().map_err(failed)?.iter().skip(behind) {
                    keys.entry(logged.entry.key.clone()).or_insert(end);
                    let digest = end.digest.then(logged.hash);
                    end = Cursor { seq: end.seq + 1, digest, epoch: row.end.epoch };
                }
            }
        }
        Ok((keys, end))
    }
}

/// As many records after this one as may be in a page, or about as many bytes; and whether these are the last. They may be
/// large: how many are read next is told by those before.
fn scan(
    table: Table,
    store: &dyn Store,
    after: Option<&EntityKey>,
) -> Result<(Vec<Scanned<Record>>, bool), StoreError> {
    let (mut records, mut bytes, mut step) = (Vec::new(), 0, AT_ONCE);
    loop {
        let after = records.last().map(|(key, _): &Scanned<Record>| key).or(after);
        let rows = table.scan_rows(store, None, after, step)?;
        let is_last = rows.len() < step;
        for (key, row) in rows {
            bytes += row.as_ref().map_or(0, Stored::bytes);
            records.push((key, row.and_then(|row| row.record())));
        }
        if is_last || records.len() >= MOST_RECORDS || bytes >= MOST_BYTES {
            return Ok((records, is_last));
        }
        step = ((MOST_BYTES - bytes) * records.len() / bytes.max(1)).clamp(1, MOST_RECORDS - records.len());
    }
}

/// What the state contains.
fn vector(state: &State) -> Vec<(ClientId, Known)> {
    let known = state.clients.iter().map(|(client, standing)| (client.clone(), standing.known));
    known.filter(|(_, known)| known.n > 0).collect()
}
