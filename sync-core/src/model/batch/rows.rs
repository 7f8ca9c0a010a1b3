//! Reading a batch row by row: what an entry says, in numbers of the interner and slices of the bytes.

use super::columns::Columns;
use super::{Seen, VERSION, head, rare, replaced};
use crate::model::canonical;
use crate::model::codec::{CodecError, Reader, Result};
use crate::model::entry::{Action, Group, is_client_text};
use crate::model::ids;
use crate::model::interner::{At, Interner};
use crate::model::op::Op;

/// A part of a row's dots.
#[derive(Clone, Copy, Default)]
pub(in crate::model) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(in crate::model) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// What one entry says. Its lists are used again for the next one.
pub(in crate::model) struct Row<'a> {
    pub(in crate::model) action: Action,
    pub(in crate::model) at: At,
    pub(in crate::model) time: u64,
    pub(in crate::model) key: u32,
    pub(in crate::model) cells: Vec<Cell<'a>>,
    pub(super) sets: Vec<SetBody<'a>>,
    /// All dots that it names.
    pub(in crate::model) dots: Vec<At>,
    pub(in crate::model) of: Span,
    pub(in crate::model) saw: Span,
    pub(in crate::model) group: Option<Group>,
    pub(in crate::model) intent: Option<u128>,
    /// Whether it has none of what follows.
    pub(in crate::model) is_usual: bool,
    pub(super) author: Option<u32>,
    pub(super) foreign_id: Option<&'a str>,
    pub(super) unknown: Option<&'a str>,
    /// What it replaces, where that does not stand with its fields.
    pub(super) replaces: Vec<(u32, Span)>,
    /// Whether its canonical form was seen; `false` says nothing.
    pub(in crate::model) is_plain: bool,
}

impl Default for Row<'_> {
    fn default() -> Self {
        Self {
            action: Action::Update,
            at: At::default(),
            time: 0,
            key: 0,
            cells: Vec::new(),
            sets: Vec::new(),
            dots: Vec::new(),
            of: Span::default(),
            saw: Span::default(),
            group: None,
            intent: None,
            is_usual: true,
            author: None,
            foreign_id: None,
            unknown: None,
            replaces: Vec::new(),
            is_plain: false,
        }
    }
}

/// What an entry does to one field.
#[derive(Clone, Copy)]
pub(in crate::model) struct Cell<'a> {
    pub(in crate::model) name: u32,
    /// [`Op::code`], and more for a family of its own.
    pub(in crate::model) kind: Kind,
    pub(in crate::model) replaced: Option<Span>,
    pub(in crate::model) body: Body<'a>,
}

/// Which operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct Kind {
    pub(in crate::model) code: u64,
    /// The name of a family of its own.
    pub(in crate::model) family: u32,
}

/// An operation's operands.
#[derive(Clone, Copy)]
pub(in crate::model) enum Body<'a> {
    Value(&'a str),
    Delta(i64),
    /// The place of one of the row's sets.
    Set(usize),
}

/// What a set gains and loses.
pub(super) struct SetBody<'a> {
    pub(super) insert: Vec<&'a str>,
    pub(super) remove: Vec<(&'a str, Span)>,
}

/// The rows of a batch.
pub(in crate::model) struct Rows<'a> {
    columns: Columns<Reader<'a>>,
    texts: &'a str,
    left: usize,
    tables: Tables,
    /// How many of the keys were met.
    met: usize,
    client: usize,
    time: u64,
    group: Option<Group>,
    /// Whether no value has to be seen to be canonical.
    is_trusted: bool,
    interner: Interner,
}

/// What stands once in a batch, in the interner's numbers.
struct Tables {
    names: Vec<u32>,
    /// Each with its last number.
    clients: Vec<At>,
    keys: Vec<(u32, Seen)>,
    shapes: Vec<Shape>,
    /// Whether all clients and keys are such as may stand in an entry.
    are_plain: bool,
}

/// The fields that entries write together.
struct Shape {
    fields: Vec<(u32, Kind)>,
    /// Whether they stand in their order, each an assignment.
    is_plain: bool,
}

impl Tables {
    fn read(r: &mut Reader<'_>, interner: &mut Interner) -> Result<Self> {
        let names: Vec<u32> = r.list(|r| r.text().map(|text| interner.name(text)))?;
        let mut clients = Vec::new();
        let mut are_plain = true;
        ids::read(r, |id| {
            are_plain &= is_client_text(id);
            clients.push((interner.client(id), 0));
        })?;
        let ids = ids::parts(r)?;
        let mut keys = Vec::with_capacity(ids.len());
        for (form, bytes) in ids {
            let id = ids::Id::at(form, bytes)?;
            let key = interner.key(*at(&names, r.u64()?)?, id);
            are_plain &= canonical::is_plain_key(&interner.key_at(key).key);
            keys.push((key, Seen::default()));
        }
        let shapes = r.list(|r| Shape::read(r, &names, interner))?;
        Ok(Self { names, clients, keys, shapes, are_plain })
    }
}

impl Shape {
    fn read(r: &mut Reader<'_>, names: &[u32], interner: &Interner) -> Result<Self> {
        let fields = r.list(|r| {
            let (name, code) = (*at(names, r.u64()?)?, r.u64()?);
            let kind = match code.checked_sub(Op::OWN) {
                Some(family) => Kind { code: Op::OWN, family: *at(names, family)? },
                None => Kind { code, family: 0 },
            };
            Ok((name, kind))
        })?;
        let texts = fields.iter().map(|(name, _)| &interner.name_at(*name).0);
        let is_plain = canonical::are_plain_fields(texts) && fields.iter().all(|(_, kind)| kind.code == Op::ASSIGN);
        Ok(Self { fields, is_plain })
    }
}

impl<'a> Rows<'a> {
    /// The rows of a batch, for whom names mean what they mean in this interner.
    pub(in crate::model) fn open(bytes: &'a [u8], is_trusted: bool, mut interner: Interner) -> Result<Self> {
        let mut r = Reader::plain(bytes);
        if r.u8()? != VERSION {
            return Err(CodecError { expected: "a batch of a version that is known" });
        }
        let left = r.count()?;
        let mut columns = Columns::open(&mut r)?;
        r.finish()?;
        let texts = columns.texts.rest();
        let texts = std::str::from_utf8(texts).map_err(|_| CodecError { expected: "values in UTF-8" })?;
        let tables = Tables::read(&mut columns.tables, &mut interner)?;
        // What is made for each key follows the entries, which take some bytes each.
        if tables.keys.len() > left {
            return Err(CodecError { expected: "as many entries as keys" });
        }
        Ok(Self { columns, texts, left, tables, met: 0, client: 0, time: 0, group: None, is_trusted, interner })
    }

    /// How many are to come.
    pub(in crate::model) fn left(&self) -> usize {
        self.left
    }

    pub(in crate::model) fn interner(&self) -> &Interner {
        &self.interner
    }

    /// The interner, with what this batch added.
    pub(in crate::model) fn into_interner(self) -> Interner {
        self.interner
    }

    /// Reads the next entry into this row; `false` at the end.
    pub(in crate::model) fn read(&mut self, row: &mut Row<'a>) -> Result<bool> {
        if self.left == 0 {
            self.finish()?;
            return Ok(false);
        }
        self.left -= 1;
        let head = self.columns.heads.u8()?;
        let action = Action::from_code(head & 7).ok_or(CodecError { expected: "an action" })?;
        row.action = action;
        row.at = self.number(head)?;
        self.time = self.time.wrapping_add(self.columns.times.i64()? as u64);
        row.time = self.time;
        row.dots.clear();
        let key = self.key()?;
        row.key = self.tables.keys[key].0;
        self.grounds(head, row, key, action)?;
        let rare = if head & head::RARE == 0 { 0 } else { self.columns.rare.u8()? };
        row.is_usual = rare == 0;
        let is_plain = self.fields(rare, row, key)?;
        row.group = if head & head::GROUP == 0 { None } else { Some(self.group(row.at)?) };
        row.saw = Span::default();
        if action.is_delete() {
            row.saw = self.dots(&mut row.dots)?;
        }
        self.rare(rare, row)?;
        row.intent = if head & head::INTENT == 0 { None } else { Some(self.columns.intents.u128()?) };
        let writes = matches!(action, Action::Create | Action::Update);
        row.is_plain = is_plain
            && row.is_usual
            && self.tables.are_plain
            && (writes || row.cells.is_empty())
            && row.dots.iter().all(|(_, n)| *n > 0)
            && canonical::are_plain_numbers(row.at.1, row.time, row.group);
        Ok(true)
    }

    fn finish(&mut self) -> Result<()> {
        let left_over = self.met < self.tables.keys.len() || !self.texts.is_empty();
        if left_over {
            return Err(CodecError { expected: "the end" });
        }
        std::mem::take(&mut self.columns).finish()
    }

    /// An entry's own name.
    fn number(&mut self, head: u8) -> Result<At> {
        let mut jump = 0;
        if head & head::NEXT == 0 {
            self.client = self.columns.clients.u64()?.try_into().unwrap_or(usize::MAX);
            jump = self.columns.clients.i64()? as u64;
        }
        let known = self.tables.clients.get_mut(self.client);
        let (client, last) = known.ok_or(CodecError { expected: "a client of the table" })?;
        *last = last.wrapping_add(1).wrapping_add(jump);
        Ok((*client, *last))
    }

    fn key(&mut self) -> Result<usize> {
        let back = self.columns.keys.u64()?;
        let place = match usize::try_from(back) {
            Ok(0) => {
                self.met += 1;
                Some(self.met - 1)
            }
            Ok(back) => self.met.checked_sub(back),
            Err(_) => None,
        };
        place.filter(|place| *place < self.tables.keys.len()).ok_or(CodecError { expected: "a key of the table" })
    }

    fn grounds(&mut self, head: u8, row: &mut Row<'a>, key: usize, action: Action) -> Result<()> {
        let is_create = action == Action::Create;
        row.of = Span::default();
        if head & head::SAME_CREATE != 0 {
            if !is_create {
                let create = self.tables.keys[key].1.create.ok_or(CodecError { expected: "a create" })?;
                row.dots.push(create);
                row.of = Span { start: 0, end: 1 };
            }
        } else {
            row.of = self.dots(&mut row.dots)?;
            if let ([one], false) = (&row.dots[..], is_create) {
                self.tables.keys[key].1.create = Some(*one);
            }
        }
        if is_create {
            self.tables.keys[key].1.create = Some(row.at);
        }
        Ok(())
    }

    /// The fields and what is replaced in them; whether all that is plain.
    fn fields(&mut self, rare: u8, row: &mut Row<'a>, key: usize) -> Result<bool> {
        row.cells.clear();
        row.sets.clear();
        let place = usize::try_from(self.columns.shapes.u64()?).unwrap_or(usize::MAX);
        // Taken out, and put back, so that it can be gone through while values are read.
        let shape = self.tables.shapes.get_mut(place).ok_or(CodecError { expected: "a shape of the table" })?;
        let fields = std::mem::take(&mut shape.fields);
        let mut is_plain = shape.is_plain;
        for (name, kind) in &fields {
            let replaced = if rare & rare::REPLACES == 0 { self.replaced(key, *name, &mut row.dots)? } else { None };
            let body = self.body(kind.code, row)?;
            if let Body::Value(text) = body {
                is_plain = is_plain && (self.is_trusted || canonical::is_plain_text(text));
            }
            row.cells.push(Cell { name: *name, kind: *kind, replaced, body });
            self.tables.keys[key].1.wrote(*name, row.at);
        }
        self.tables.shapes[place].fields = fields;
        Ok(is_plain)
    }

    fn replaced(&mut self, key: usize, field: u32, dots: &mut Vec<At>) -> Result<Option<Span>> {
        match self.columns.replaced.u64()? {
            replaced::NOTHING => Ok(None),
            replaced::FORESEEN => {
                let foreseen = self.tables.keys[key].1.foreseen(field);
                let start = dots.len() as u32;
                dots.push(foreseen.ok_or(CodecError { expected: "a write before" })?);
                Ok(Some(Span { start, end: start + 1 }))
            }
            code => self.listed(code - replaced::LISTED, dots).map(Some),
        }
    }

    /// Adds a list of dots.
    fn dots(&mut self, dots: &mut Vec<At>) -> Result<Span> {
        let count = self.columns.counts.u64()?;
        self.listed(count, dots)
    }

    fn listed(&mut self, count: u64, dots: &mut Vec<At>) -> Result<Span> {
        let start = dots.len() as u32;
        for _ in 0..count {
            let (client, last) = *at(&self.tables.clients, self.columns.dot_clients.u64()?)?;
            dots.push((client, last.wrapping_sub(self.columns.dot_numbers.i64()? as u64)));
        }
        Ok(Span { start, end: dots.len() as u32 })
    }

    fn body(&mut self, code: u64, row: &mut Row<'a>) -> Result<Body<'a>> {
        Ok(match code {
            Op::ADD => Body::Delta(self.columns.operations.i64()?),
            Op::SET => {
                let (inserts, removes) = (self.columns.operations.u64()?, self.columns.operations.u64()?);
                let insert = (0..inserts).map(|_| self.text()).collect::<Result<_>>()?;
                let mut remove = Vec::new();
                for _ in 0..removes {
                    remove.push((self.text()?, self.dots(&mut row.dots)?));
                }
                row.sets.push(SetBody { insert, remove });
                Body::Set(row.sets.len() - 1)
            }
            _ => Body::Value(self.text()?),
        })
    }

    fn text(&mut self) -> Result<&'a str> {
        let length = usize::try_from(self.columns.lengths.u64()?).unwrap_or(usize::MAX);
        let split = self.texts.split_at_checked(length);
        let (text, rest) = split.ok_or(CodecError { expected: "a text within the bytes" })?;
        self.texts = rest;
        Ok(text)
    }

    fn group(&mut self, (_, n): At) -> Result<Group> {
        let group = match self.columns.groups.u64()? {
            0 => self.group.ok_or(CodecError { expected: "a group before" })?,
            1 => Group { first: n.wrapping_sub(self.columns.groups.u64()?), count: self.columns.groups.u64()? },
            _ => return Err(CodecError { expected: "0 or 1" }),
        };
        self.group = Some(group);
        Ok(group)
    }

    fn rare(&mut self, bits: u8, row: &mut Row<'a>) -> Result<()> {
        row.replaces.clear();
        (row.author, row.foreign_id, row.unknown) = (None, None, None);
        if bits == 0 {
            return Ok(());
        }
        let has = |bit: u8| bits & bit != 0;
        if has(rare::AUTHOR) {
            row.author = Some(at(&self.tables.clients, self.columns.rare.u64()?)?.0);
        }
        if has(rare::FOREIGN_ID) {
            row.foreign_id = Some(self.text()?);
        }
        if has(rare::UNKNOWN) {
            row.unknown = Some(self.text()?);
        }
        if has(rare::REPLACES) {
            for _ in 0..self.columns.rare.u64()? {
                let name = *at(&self.tables.names, self.columns.rare.u64()?)?;
                let dots = self.dots(&mut row.dots)?;
                row.replaces.push((name, dots));
            }
        }
        if has(rare::SAW) {
            if row.action.is_delete() {
                return Err(CodecError { expected: "one list of what a delete saw" });
            }
            row.saw = self.dots(&mut row.dots)?;
        }
        Ok(())
    }
}

fn at<T>(table: &[T], place: u64) -> Result<&T> {
    let found = usize::try_from(place).ok().and_then(|place| table.get(place));
    found.ok_or(CodecError { expected: "a place in the table" })
}
