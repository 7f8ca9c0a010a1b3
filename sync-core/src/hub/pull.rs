//! Serving the log in pages.

use std::sync::Arc;

use super::inner::{Inner, failed};
use super::row::{Logged, Row};
use crate::model::stamp::{Digest, Dot};
use crate::store::{Position, StoreError};
use crate::transport::{Cursor, Page, PullRequest, TransportError};

/// The most entries in a page, however many are asked for.
const MOST_ENTRIES: u64 = 10_000;
/// About the most bytes in a page.
const MOST_BYTES: usize = 4 << 20;
/// The most entries that are looked at for one page: those left out count too.
const MOST_SCANNED: u64 = 20_000;

/// The most rows of the journal that are read at once.
const MOST_ROWS: usize = 64;

/// What of the log can be served.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) head: Cursor,
    /// The first row of the journal that is kept, and the last durable one.
    first: Position,
    last: Position,
    /// Where a snapshot was joined last.
    joined: u64,
}

impl Inner {
    /// The log as it is now, with what other hubs wrote.
    pub(super) fn extent(&self) -> Result<Extent, TransportError> {
        let (state, heads) = self.fresh().map_err(failed)?;
        Ok(Extent { head: state.durable, first: heads.first, last: state.durable_position, joined: state.joined })
    }

    /// The number of the first entry from which the log can be served as entries.
    pub(super) fn tail(&self, extent: &Extent) -> Result<u64, StoreError> {
        Ok(self.kept(extent)?.max(extent.joined + 1))
    }

    /// The number of the first entry that the log still has.
    pub(super) fn kept(&self, extent: &Extent) -> Result<u64, StoreError> {
        if extent.first <= 1 {
            return Ok(1);
        }
        let row = self.store().journal(extent.first, 1)?;
        let begins = row.first().map(|(position, bytes)| Row::peek(*position, bytes)).transpose()?;
        Ok(begins.unwrap_or(extent.head.seq) + 1)
    }

    /// About `limit` rows with entries, from the one that holds entry number `seq` on.
    pub(super) fn rows_from(&self, extent: &Extent, seq: u64, limit: usize) -> Result<Vec<Arc<Row>>, StoreError> {
        self.rows.from(self.store(), seq, (extent.first.max(1), extent.last), limit)
    }

    /// The digest of the log up to `seq`; `None` if the log does not reach there, or not back there any more.
    pub(super) fn digest_at(&self, extent: &Extent, seq: u64) -> Result<Option<Digest>, StoreError> {
        if seq == 0 {
            return Ok(Some(Digest::EMPTY));
        }
        if seq == extent.head.seq {
            return Ok(Some(extent.head.digest));
        }
        if seq > extent.head.seq || seq + 1 < self.kept(extent)? {
            return Ok(None);
        }
        let rows = self.rows_from(extent, seq + 1, 1)?;
        let row = rows.first().map(|row| row.cursor_at((seq - row.start.seq) as usize));
        Ok(row.map(|cursor| cursor.digest))
    }

    pub(super) fn pull(&self, request: &PullRequest) -> Result<Page, TransportError> {
        let extent = self.extent()?;
        let since = self.checked(&extent, request.since)?;
        let mut page = Filling {
            page: Page { entries: Vec::new(), cursor: since, has_more: false, server_time: 0 },
            limit: request.limit.clamp(1, MOST_ENTRIES) as usize,
            have: request.have.as_ref(),
            weight: 0,
            scanned: 0,
            until: 0,
        };
        let mut at_once = 1;
        'log: while page.page.cursor.seq < extent.head.seq {
            let rows = self.rows_from(&extent, page.page.cursor.seq + 1, at_once).map_err(failed)?;
            if rows.is_empty() {
                return Err(TransportError::Expired);
            }
            // As many more as the page seems to need, if they are like these.
            let entries: usize = rows.iter().map(|row| row.entries().len()).sum();
            at_once = (page.limit * rows.len()).div_ceil(entries.max(1)).clamp(1, MOST_ROWS);
            for row in rows {
                let behind = (page.page.cursor.seq - row.start.seq) as usize;
                for logged in &row.entries()[behind.min(row.entries().len())..] {
                    if page.is_full() {
                        break 'log;
                    }
                    page.take(logged);
                }
            }
        }
        page.page.has_more = page.page.cursor.seq < extent.head.seq;
        page.page.server_time = self.now();
        Ok(page.page)
    }

    /// The cursor with its digest, if it is on this log.
    pub(super) fn checked(&self, extent: &Extent, since: Cursor) -> Result<Cursor, TransportError> {
        if since.seq > extent.head.seq {
            let message = format!("it was shown entry {}, and this log ends at {}", since.seq, extent.head.seq);
            return Err(TransportError::Diverged { message });
        }
        if since.seq + 1 < self.tail(extent).map_err(failed)? {
            return Err(TransportError::Expired);
        }
        let digest = self.digest_at(extent, since.seq).map_err(failed)?.ok_or(TransportError::Expired)?;
        // Readers of the article's dialect have no digest.
        if since.digest != digest && since.digest != Digest::EMPTY {
            let message = format!("the log up to entry {} is another one here", since.seq);
            return Err(TransportError::Diverged { message });
        }
        Ok(Cursor { seq: since.seq, digest })
    }
}

/// A page that is being filled.
struct Filling<'a> {
    page: Page,
    limit: usize,
    have: Option<&'a Dot>,
    weight: usize,
    scanned: u64,
    /// The number in the log up to which the entries of a group go on.
    until: u64,
}

impl Filling<'_> {
    /// Whether the page ends here. A group is never split.
    fn is_full(&self) -> bool {
        let within = self.page.cursor.seq < self.until;
        let over = self.page.entries.len() >= self.limit || self.weight >= MOST_BYTES || self.scanned >= MOST_SCANNED;
        over && !within
    }

    fn take(&mut self, logged: &Logged) {
        let seq = self.page.cursor.seq + 1;
        self.page.cursor = Cursor { seq, digest: self.page.cursor.digest.then(logged.hash) };
        self.scanned += 1;
        let dot = logged.entry.dot();
        if let Some(group) = logged.entry.group {
            // Its entries stand one after the other in the log.
            self.until = seq + (group.first + (group.count - 1)).saturating_sub(dot.n);
        }
        if self.have.is_some_and(|have| have.client == dot.client && dot.n <= have.n) {
            return;
        }
        self.weight += logged.weight();
        self.page.entries.push((seq, logged.entry.clone()));
    }
}
