//! A page of the log.

use std::sync::Arc;

use super::{Kind, begin, open, pack, unpack};
use crate::model::codec::{self, CodecError, Writer};
use crate::model::entry::Entry;
use crate::model::stamp::ClientId;
use crate::transport::{Cursor, Numbered, Page};

/// A page whose entries are in batches, as they are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedPage {
    /// Where in the log the entries stand: the first number of each run, and how many follow it.
    pub(crate) runs: Vec<(u64, u64)>,
    /// The batches, with the number of entries in each.
    pub(crate) batches: Vec<(u64, Arc<[u8]>)>,
    /// Whose entries they are, each client with the least number among them.
    pub(crate) clients: Vec<(ClientId, u64)>,
    /// What a replica has that has taken this page.
    pub cursor: Cursor,
    /// Whether there was more at the time.
    pub has_more: bool,
}

impl PackedPage {
    /// A page in which nothing is yet.
    pub(crate) fn new(since: Cursor) -> Self {
        Self { runs: Vec::new(), batches: Vec::new(), clients: Vec::new(), cursor: since, has_more: false }
    }

    /// The same page, packed.
    pub fn of(page: &Page) -> Self {
        let mut packed = Self::outline(page);
        packed.add(&page.entries.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>());
        packed
    }

    /// What is said of a page's entries, without them.
    pub fn outline(page: &Page) -> Self {
        let mut outline = Self { has_more: page.has_more, ..Self::new(page.cursor) };
        for (seq, entry) in &page.entries {
            outline.note(*seq, 1);
            outline.note_client(&entry.dot().client, entry.dot().n);
        }
        outline
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|(_, count)| count).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whose entries they are, each client with the least number among them.
    pub fn into_clients(self) -> Vec<(ClientId, u64)> {
        self.clients
    }

    /// Entries stand at these places of the log.
    pub(crate) fn note(&mut self, seq: u64, count: u64) {
        match self.runs.last_mut() {
            Some((first, length)) if first.wrapping_add(*length) == seq => *length += count,
            _ => self.runs.push((seq, count)),
        }
    }

    pub(crate) fn note_client(&mut self, client: &ClientId, n: u64) {
        match self.clients.iter_mut().find(|(known, _)| known == client) {
            Some((_, least)) => *least = n.min(*least),
            None => self.clients.push((client.clone(), n)),
        }
    }

    /// Adds a batch of these entries.
    pub(crate) fn add(&mut self, entries: &[Arc<Entry>]) {
        if !entries.is_empty() {
            let batch = pack(entries.iter().map(|entry| &**entry));
            self.batches.push((entries.len() as u64, batch.into()));
        }
    }

    /// The message but for its last part, which says when it was sent: all else stays the same for as long as the
    /// page does.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = begin(Kind::Page);
        w.list(&self.runs, |w, (first, count)| {
            w.u64(*first);
            w.u64(*count);
        });
        w.list(&self.batches, |w, (count, batch)| {
            w.u64(*count);
            w.raw(batch);
        });
        self.cursor.write(&mut w);
        w.u8(u8::from(self.has_more));
        w.finish()
    }

    /// The message's last part: the hub's clock in milliseconds since the Unix epoch.
    pub fn encode_time(server_time: u64) -> Vec<u8> {
        let mut w = Writer::plain();
        w.u64(server_time);
        w.finish()
    }
}

/// Reads a page.
///
/// # Errors
/// If it is none, or one of its entries is not in its canonical form.
pub fn read_page(bytes: &[u8]) -> codec::Result<Page> {
    let mut r = open(bytes, Kind::Page)?;
    let runs = r.list(|r| Ok((r.u64()?, r.u64()?)))?;
    let batches = r.list(|r| Ok((r.u64()?, r.raw()?)))?;
    let cursor = Cursor::read(&mut r)?;
    let has_more = match r.u8()? {
        0 => false,
        1 => true,
        _ => return Err(CodecError { expected: "0 or 1" }),
    };
    let server_time = r.u64()?;
    r.finish()?;
    let mut entries: Vec<Arc<Entry>> = Vec::new();
    for (count, batch) in &batches {
        unpack(batch, *count, &mut entries)?;
    }
    let placed = runs.iter().try_fold(0_u64, |all, (first, count)| {
        first.checked_add(*count)?;
        all.checked_add(*count)
    });
    if placed != Some(entries.len() as u64) {
        return Err(CodecError { expected: "a place for each entry" });
    }
    let seqs = runs.into_iter().flat_map(|(first, count)| first..first + count);
    let batches = batches.into_iter().map(|(_, batch)| batch.into()).collect();
    Ok(Page { entries: Numbered::read(seqs.zip(entries).collect(), batches), cursor, has_more, server_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_not_those_of_the_entries_are_refused() {
        let page = |runs: Vec<(u64, u64)>| {
            let mut bytes = PackedPage { runs, ..PackedPage::new(Cursor::default()) }.encode();
            bytes.extend(PackedPage::encode_time(1));
            read_page(&bytes)
        };
        assert!(page(vec![]).is_ok_and(|page| page.entries.is_empty()));
        for runs in [vec![(1, 1)], vec![(u64::MAX, u64::MAX)], vec![(0, u64::MAX), (0, 1)], vec![(1, u64::MAX)]] {
            assert!(page(runs.clone()).is_err(), "{runs:?}");
        }
    }
}
