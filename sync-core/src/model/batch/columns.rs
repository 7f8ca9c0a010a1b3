//! The columns of a batch, in the order in which they stand.

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
    fn in_order(self) -> [C; 16] {
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

impl Columns<Bytes> {
    /// The lengths of the columns, and the columns.
    pub(super) fn finish(self, out: &mut Bytes) {
        let columns = self.in_order().map(Bytes::finish);
        for column in &columns {
            out.u64(column.len() as u64);
        }
        for column in &columns {
            out.bytes(column);
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
    pub(super) fn finish(self) -> Result<()> {
        self.in_order().into_iter().try_for_each(Reader::finish)
    }
}
