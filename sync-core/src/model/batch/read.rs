//! Reading a batch, entry by entry.

use std::sync::Arc;

use super::rows::{Body, Cell, Row, Rows, SetBody, Span};
use crate::model::codec::{CodecError, Result};
use crate::model::entry::Entry;
use crate::model::interner::{At, Interner};
use crate::model::op::Op;
use crate::model::stamp::{Dots, Origin};
use crate::model::value::Value;

/// The entries of a batch.
pub(crate) struct Entries<'a> {
    rows: Rows<'a>,
    row: Row<'a>,
    is_trusted: bool,
    is_done: bool,
}

impl<'a> Entries<'a> {
    /// The entries of a batch from elsewhere: each is seen to be canonical.
    pub(crate) fn untrusted(bytes: &'a [u8]) -> Result<Self> {
        Self::open(bytes, false)
    }

    /// The entries of a batch that this side wrote.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Result<Self> {
        Self::open(bytes, true)
    }

    fn open(bytes: &'a [u8], is_trusted: bool) -> Result<Self> {
        let rows = Rows::open(bytes, is_trusted, Interner::default())?;
        Ok(Self { rows, row: Row::default(), is_trusted, is_done: false })
    }

    /// How many are to come, by what the batch says.
    pub(crate) fn left(&self) -> usize {
        self.rows.left()
    }

    /// All of them.
    pub(super) fn all(self) -> Result<Vec<Entry>> {
        // How many there are is what the bytes say: room is made for what is usual.
        let mut all = Vec::with_capacity(self.left().min(1 << 10));
        for entry in self {
            all.push(entry?);
        }
        Ok(all)
    }

    fn read(&mut self) -> Result<Option<Entry>> {
        if !self.rows.read(&mut self.row)? {
            return Ok(None);
        }
        let entry = self.row.entry(self.rows.interner());
        if self.is_trusted { Ok(Some(entry)) } else { self.row.seen_canonical(entry).map(Some) }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let read = self.read().transpose();
        self.is_done = !matches!(read, Some(Ok(_)));
        read
    }
}

impl Row<'_> {
    /// The entry, if it is in its canonical form.
    pub(in crate::model) fn seen_canonical(&self, entry: Entry) -> Result<Entry> {
        if self.is_plain || entry.is_canonical() {
            Ok(entry)
        } else {
            Err(CodecError { expected: "an entry in its canonical form" })
        }
    }

    /// The entry that says this.
    pub(in crate::model) fn entry(&self, interner: &Interner) -> Entry {
        let client = |number: u32| interner.client_at(number).0.clone();
        let name = |number: u32| interner.name_at(number).0.clone();
        let dots = |span: Span| self.named(interner, span);
        let author = self.author.map(client);
        let origin = Origin { dot: interner.dot(self.at), time: self.time, author };
        let mut fields = Vec::with_capacity(self.cells.len());
        let replaced = self.cells.iter().filter(|cell| cell.replaced.is_some()).count();
        let mut replaces = Vec::with_capacity(replaced + self.replaces.len());
        for cell in &self.cells {
            fields.push((name(cell.name), self.op(cell, interner)));
            if let Some(replaced) = cell.replaced {
                replaces.push((name(cell.name), dots(replaced)));
            }
        }
        replaces.extend(self.replaces.iter().map(|(number, replaced)| (name(*number), dots(*replaced))));
        Entry {
            origin,
            foreign_id: self.foreign_id.map(Arc::from),
            key: interner.key_at(self.key).key.clone(),
            action: self.action,
            fields,
            replaces,
            of: dots(self.of),
            saw: dots(self.saw),
            group: self.group,
            unknown: self.unknown.map(Value::from_canonical),
            intent: self.intent,
        }
    }

    /// Some of its dots.
    pub(in crate::model) fn dots_of(&self, span: Span) -> &[At] {
        &self.dots[span.range()]
    }

    fn named(&self, interner: &Interner, span: Span) -> Dots {
        self.dots_of(span).iter().map(|at| interner.dot(*at)).collect()
    }

    fn op(&self, cell: &Cell<'_>, interner: &Interner) -> Op {
        let value = |text: &&str| Value::from_canonical(*text);
        match (cell.body, cell.kind.code) {
            (Body::Value(text), Op::ASSIGN) => Op::Assign(value(&text)),
            (Body::Value(text), Op::FIRST) => Op::First(value(&text)),
            (Body::Value(text), Op::MAX) => Op::Max(value(&text)),
            (Body::Value(text), Op::MIN) => Op::Min(value(&text)),
            (Body::Value(text), _) => {
                Op::Own { family: interner.name_at(cell.kind.family).0.clone(), body: value(&text) }
            }
            (Body::Delta(delta), _) => Op::Add(delta),
            (Body::Set(place), _) => {
                let SetBody { insert, remove } = &self.sets[place];
                let removed = remove.iter().map(|(text, dots)| (value(text), self.named(interner, *dots)));
                Op::Set { insert: insert.iter().map(value).collect(), remove: removed.collect() }
            }
        }
    }
}
