//! The columns of a batch, in the order in which they stand.

use std::cell::RefCell;

use crate::model::codec::{Bytes, Reader, Result};

#[derive(Default)]
pub(super) struct Columns<C> {
    pub(super) tables: C,
    pub(super) heads: C,
    pub(super) clients: C,
    pub(super) times: C,
    pub(super) keys: C,
    pub(super) shapes: C,
    pub(super) replaced: C,
    pub(super) counts: C,
    pub(super) dot_clients: C,
    pub(super) dot_numbers: C,
    pub(super) groups: C,
    pub(super) rare: C,
    pub(super) operations: C,
    pub(super) intents: C,
    pub(super) lengths: C,
    pub(super) texts: C,
}

impl<C> Columns<C> {
    fn in_order(&mut self) -> [&mut C; 16] {
        let Columns { tables, heads, clients, times, keys, shapes, replaced, counts, .. } = self;
        let Columns { dot_clients, dot_numbers, groups, rare, operations, intents, lengths, texts, .. } = self;
        [
            tables,
            heads,
            clients,
            times,
            keys,
            shapes,
            replaced,
            counts,
            dot_clients,
            dot_numbers,
            groups,
            rare,
            operations,
            intents,
            lengths,
            texts,
        ]
    }

    fn from_order(columns: [C; 16]) -> Self {
        let [tables, heads, clients, times, keys, shapes, replaced, counts, rest @ ..] = columns;
        let [dot_clients, dot_numbers, groups, rare, operations, intents, lengths, texts] = rest;
        Self {
            tables,
            heads,
            clients,
            times,
            keys,
            shapes,
            replaced,
            counts,
            dot_clients,
            dot_numbers,
            groups,
            rare,
            operations,
            intents,
            lengths,
            texts,
        }
    }
}

thread_local! {
    /// Columns that were written, emptied: sixteen allocations less for every batch of a single entry.
    static SPARE: RefCell<Columns<Bytes>> = RefCell::default();
}

/// Of so many bytes at most a thread keeps the memory.
const KEPT: usize = 1 << 16;

impl Columns<Bytes> {
    /// Columns with nothing in them.
    pub(super) fn empty() -> Self {
        SPARE.with_borrow_mut(std::mem::take)
    }

    /// The lengths of the columns, and the columns, which are empty then.
    pub(super) fn finish(&mut self, out: &mut Bytes) {
        let columns = self.in_order();
        let bytes: usize = columns.iter().map(|column| column.written().len()).sum();
        out.reserve(bytes + 2 * columns.len());
        for column in &columns {
            out.u64(column.written().len() as u64);
        }
        for column in columns.into_iter().filter(|column| !column.written().is_empty()) {
            out.bytes(column.written());
            column.clear();
        }
        if bytes <= KEPT {
            SPARE.with_borrow_mut(|spare| std::mem::swap(spare, self));
        }
    }
}

impl<'a> Columns<Reader<'a>> {
    pub(super) fn open(r: &mut Reader<'a>) -> Result<Self> {
        let mut lengths = [0; 16];
        for length in &mut lengths {
            *length = r.count()?;
        }
        let mut columns = [const { Reader::plain(&[]) }; 16];
        for (column, length) in columns.iter_mut().zip(lengths) {
            *column = Reader::plain(r.take(length)?);
        }
        Ok(Self::from_order(columns))
    }

    /// Nothing may be left over, in any of them.
    pub(super) fn finish(mut self) -> Result<()> {
        self.in_order().into_iter().try_for_each(|column| std::mem::take(column).finish())
    }
}
