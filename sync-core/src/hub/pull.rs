//! Serving the log in pages.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::batch::{Batch, Logged, Stretch};
use super::inner::{Inner, failed};
use super::row::Row;
use crate::model::digest::Digest;
use crate::model::entry::Entry;
use crate::model::stamp::Dot;
use crate::store::{Position, StoreError};
use crate::transport::compact::PackedPage;
use crate::transport::{Cursor, Epoch, Page, PullRequest, TransportError};

/// The most entries in a page, however many are asked for.
const MOST_ENTRIES: u64 = 10_000;
/// About the most bytes in a page.
const MOST_BYTES: usize = 1 << 20;
/// The most entries that are looked at for one page: those left out count too.
const MOST_SCANNED: u64 = 20_000;

/// The most rows of the journal that are read at once.
const MOST_ROWS: u64 = 64;

/// Fewer entries are put together with others: each batch has its own table of texts.
const WORTHWHILE: u64 = 32;

/// What of the log can be served.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) head: Cursor,
    /// The first row of the journal that is kept, and the last durable one.
    pub(super) first: Position,
    last: Position,
    /// Where a snapshot was joined last.
    joined: u64,
}

impl Inner {
    /// The log as it is now, with what other hubs wrote.
    pub(super) fn extent(&self) -> Result<Extent, TransportError> {
        let (state, heads) = self.settled().map_err(failed)?;
        Ok(Extent { head: state.durable, first: heads.first, last: state.durable_position, joined: state.joined })
    }

    /// The number of the first entry from which the log can be served as entries.
    pub(super) fn tail(&self, extent: &Extent) -> Result<u64, StoreError> {
        let tail = self.kept(extent)?.max(extent.joined + 1);
        self.tail_seen.fetch_max(tail, Relaxed);
        Ok(tail)
    }

    /// The number of the first entry that the log still has.
    pub(super) fn kept(&self, extent: &Extent) -> Result<u64, StoreError> {
        if extent.first <= 1 {
            return Ok(1);
        }
        Ok(self.rows.begins(self.store(), extent.first)?.map_or(extent.head.seq, |(seq, _)| seq) + 1)
    }

    /// About `limit` rows with entries, from the one that holds entry number `seq` on.
    pub(super) fn rows_from(&self, extent: &Extent, seq: u64, limit: usize) -> Result<Vec<Arc<Row>>, StoreError> {
        self.rows.from(self.store(), seq, (extent.first.max(1), extent.last), limit)
    }

    /// The log's cursor at `seq`; `None` if the log does not reach there, or not back there any more.
    pub(super) fn cursor_at(&self, extent: &Extent, seq: u64) -> Result<Option<Cursor>, StoreError> {
        if seq == 0 {
            return Ok(Some(Cursor::default()));
        }
        if seq == extent.head.seq {
            return Ok(Some(extent.head));
        }
        if seq > extent.head.seq || seq + 1 < self.kept(extent)? {
            return Ok(None);
        }
        let rows = self.rows_from(extent, seq + 1, 1)?;
        let Some(row) = rows.first() else { return Ok(None) };
        // Nearly all ask where a row ends.
        if seq == row.start.seq {
            return Ok(Some(row.start));
        }
        Ok(Some(row.cursor_at(seq - row.start.seq)?))
    }

    pub(super) fn pull(&self, request: &PullRequest) -> Result<Page, TransportError> {
        let mut entries = Vec::new();
        let (cursor, has_more) = self.fill(request, false, |piece| {
            if let Piece::Entry(seq, entry) = piece {
                entries.push((seq, entry.clone()));
            }
        })?;
        Ok(Page { entries: entries.into(), cursor, has_more, server_time: self.now() })
    }

    /// As `pull`, with what was accepted together left as it is kept, where all of it is wanted.
    pub(super) fn pull_packed(&self, request: &PullRequest) -> Result<PackedPage, TransportError> {
        let mut page = PackedPage::new(request.since);
        let mut loose: Vec<Arc<Entry>> = Vec::new();
        let (cursor, has_more) = self.fill(request, true, |piece| match piece {
            Piece::Entry(seq, entry) => {
                page.note(seq, 1);
                page.note_client(&entry.dot().client, entry.dot().n);
                loose.push(entry.clone());
            }
            Piece::Batch(seq, batch) => {
                page.add(&std::mem::take(&mut loose));
                page.note(seq, batch.len());
                for stretch in batch.stretches() {
                    page.note_client(&stretch.client, stretch.first);
                }
                page.batches.push((batch.len(), batch.bytes().clone()));
            }
        })?;
        page.add(&loose);
        (page.cursor, page.has_more) = (cursor, has_more);
        Ok(page)
    }

    /// Hands over what is in a page, in order; where it ends, and whether the log goes on behind it.
    fn fill(
        &self,
        request: &PullRequest,
        takes_batches: bool,
        mut take: impl FnMut(Piece<'_>),
    ) -> Result<(Cursor, bool), TransportError> {
        let extent = self.extent()?;
        let mut page = Filling {
            cursor: self.checked(&extent, request.since, request.told)?,
            count: 0,
            limit: request.limit.clamp(1, MOST_ENTRIES),
            have: request.have.as_ref(),
            weight: 0,
            scanned: 0,
            until: 0,
        };
        let mut at_once = 1;
        'log: while page.cursor.seq < extent.head.seq {
            let rows = self.rows_from(&extent, page.cursor.seq + 1, at_once).map_err(failed)?;
            if rows.is_empty() {
                return Err(TransportError::Expired);
            }
            // As many more as the page seems to need, if they are like these.
            let entries: u64 = rows.iter().map(|row| row.steps()).sum();
            at_once = (page.limit * rows.len() as u64).div_ceil(entries.max(1)).clamp(1, MOST_ROWS) as usize;
            for row in rows {
                if page.is_full() {
                    break 'log;
                }
                let behind = (page.cursor.seq - row.start.seq) as usize;
                if let Some(batch) = row.batch().filter(|_| behind == 0) {
                    match page.whole(batch, takes_batches) {
                        Whole::LeftOut => {
                            page.skip(&row);
                            continue;
                        }
                        Whole::Taken => {
                            take(Piece::Batch(row.start.seq + 1, batch));
                            page.take_batch(&row, batch);
                            continue;
                        }
                        Whole::Later => break 'log,
                        Whole::No => {}
                    }
                }
                let entries = row.entries().map_err(failed)?;
                for logged in &entries[behind.min(entries.len())..] {
                    if page.is_full() {
                        break 'log;
                    }
                    if page.take(logged, row.end.epoch) {
                        take(Piece::Entry(page.cursor.seq, &logged.entry));
                    }
                }
            }
        }
        Ok((page.cursor, page.cursor.seq < extent.head.seq))
    }

    /// The cursor with its digest, if it is on this log.
    pub(super) fn checked(&self, extent: &Extent, since: Cursor, told: Cursor) -> Result<Cursor, TransportError> {
        if self.state().lost(told) {
            return Err(another_log(told));
        }
        if since.seq > extent.head.seq {
            return Err(another_log(since));
        }
        if since.seq + 1 < self.tail(extent).map_err(failed)? {
            return Err(if self.state().lost(since) { another_log(since) } else { TransportError::Expired });
        }
        let here = self.cursor_at(extent, since.seq).map_err(failed)?.ok_or(TransportError::Expired)?;
        // Readers of the article's dialect have no digest.
        if since.digest != here.digest && since.digest != Digest::EMPTY {
            return Err(another_log(since));
        }
        Ok(here)
    }
}

/// What a replica is told that knows another log than this one, or more of it.
pub(super) fn another_log(told: Cursor) -> TransportError {
    let message = format!("entry {} was shown, and this log ends before it or went on another way", told.seq);
    TransportError::Diverged { message }
}

/// A part of a page.
enum Piece<'a> {
    /// An entry and its number in the log.
    Entry(u64, &'a Arc<Entry>),
    /// Entries as they are kept, and the number of the first.
    Batch(u64, &'a Batch),
}

/// What becomes of a row as a whole.
enum Whole {
    /// Nothing of it is wanted.
    LeftOut,
    /// All of it is wanted, as it is kept.
    Taken,
    /// It would be, and the page has no room for it any more.
    Later,
    /// Its entries have to be looked at.
    No,
}

/// A page that is being filled.
struct Filling<'a> {
    cursor: Cursor,
    count: u64,
    limit: u64,
    have: Option<&'a Dot>,
    weight: usize,
    scanned: u64,
    /// The number in the log up to which the entries of a group go on.
    until: u64,
}

impl Filling<'_> {
    /// Whether the page ends here. A group is never split.
    fn is_full(&self) -> bool {
        let within = self.cursor.seq < self.until;
        let over = self.count >= self.limit || self.weight >= MOST_BYTES || self.scanned >= MOST_SCANNED;
        over && !within
    }

    fn whole(&self, batch: &Batch, takes_batches: bool) -> Whole {
        let has =
            |stretch: &Stretch| self.have.is_some_and(|have| have.client == stretch.client && stretch.first <= have.n);
        let has_all = |stretch: &Stretch| has(stretch) && self.have.is_some_and(|have| stretch.last() <= have.n);
        let length = batch.len();
        if length > 0 && batch.stretches().iter().all(has_all) {
            return Whole::LeftOut;
        }
        if !takes_batches || length < WORTHWHILE || length > self.limit || batch.stretches().iter().any(has) {
            return Whole::No;
        }
        if self.count + length <= self.limit { Whole::Taken } else { Whole::Later }
    }

    fn skip(&mut self, row: &Row) {
        self.cursor = row.end;
        // Nothing in it had to be looked at.
        self.scanned += row.steps().div_ceil(16);
    }

    fn take_batch(&mut self, row: &Row, batch: &Batch) {
        self.cursor = row.end;
        self.count += batch.len();
        self.scanned += batch.len();
        self.weight += batch.bytes().len();
    }

    /// Whether the entry is part of the page.
    fn take(&mut self, logged: &Logged, epoch: Epoch) -> bool {
        let seq = self.cursor.seq + 1;
        self.cursor = Cursor { seq, digest: self.cursor.digest.then(logged.hash), epoch };
        self.scanned += 1;
        let dot = logged.entry.dot();
        if let Some(group) = logged.entry.group {
            // Its entries stand one after the other in the log.
            self.until = seq + (group.first + (group.count - 1)).saturating_sub(dot.n);
        }
        if self.have.is_some_and(|have| have.client == dot.client && dot.n <= have.n) {
            return false;
        }
        self.count += 1;
        self.weight += logged.weight();
        true
    }
}
