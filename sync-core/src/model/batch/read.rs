//! Reading a batch, entry by entry.

use std::sync::Arc;

use super::columns::Columns;
use super::{At, Seen, VERSION, head, rare, replaced};
use crate::model::canonical;
use crate::model::codec::{CodecError, Reader, Result};
use crate::model::entry::{Action, EntityKey, Entry, Group, is_client_text};
use crate::model::ids;
use crate::model::op::Op;
use crate::model::shared;
use crate::model::stamp::{ClientId, Dot, Name, Origin};
use crate::model::value::Value;

/// The entries of a batch.
pub(crate) struct Entries<'a> {
    columns: Columns<Reader<'a>>,
    texts: &'a str,
    left: usize,
    tables: Tables,
    /// How many of the keys were met.
    met: usize,
    client: u32,
    time: u64,
    group: Option<Group>,
    /// Whether no entry has to be seen to be canonical.
    is_trusted: bool,
    /// Lists to use again.
    spare: Vec<Vec<Dot>>,
}

struct Tables {
    names: Vec<Name>,
    /// Each with its last number.
    clients: Vec<(ClientId, u64)>,
    keys: Vec<(EntityKey, Seen)>,
    shapes: Vec<Shape>,
    /// Whether all clients and keys are such as may stand in an entry.
    are_plain: bool,
}

/// The fields that entries write together.
struct Shape {
    fields: Vec<(u32, u64)>,
    /// Whether they stand in their order, each an assignment.
    is_plain: bool,
}

impl Tables {
    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let names: Vec<Name> = r.list(|r| r.text().map(shared::name))?;
        let mut clients = Vec::new();
        let mut are_plain = true;
        ids::read(r, |id| {
            are_plain &= is_client_text(id);
            clients.push((ClientId::new(shared::name(id)), 0));
        })?;
        let mut ids: Vec<Arc<str>> = Vec::new();
        ids::read(r, |id| ids.push(Arc::from(id)))?;
        let mut keys = Vec::with_capacity(ids.len());
        for id in ids {
            let key = EntityKey { entity_type: at(&names, r.u64()?)?.clone(), id };
            are_plain &= canonical::is_plain_key(&key);
            keys.push((key, Seen::default()));
        }
        let shapes = r.list(|r| {
            let fields = r.list(|r| {
                let name = r.u64()?;
                at(&names, name)?;
                Ok((name as u32, r.u64()?))
            })?;
            let names = fields.iter().map(|(name, _)| &names[*name as usize]);
            let is_plain = canonical::are_plain_fields(names) && fields.iter().all(|(_, kind)| *kind == Op::ASSIGN);
            Ok(Shape { fields, is_plain })
        })?;
        Ok(Self { names, clients, keys, shapes, are_plain })
    }

    fn dot(&self, (client, n): At) -> Dot {
        Dot::new(self.clients[client as usize].0.clone(), n)
    }
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
        let mut r = Reader::plain(bytes);
        if r.u8()? != VERSION {
            return Err(CodecError { expected: "a batch of a version that is known" });
        }
        let left = r.count()?;
        let mut columns = Columns::open(&mut r)?;
        r.finish()?;
        let texts = columns.texts.rest();
        let texts = std::str::from_utf8(texts).map_err(|_| CodecError { expected: "values in UTF-8" })?;
        let tables = Tables::read(&mut columns.tables)?;
        // What is made for each key follows the entries, which take some bytes each.
        if tables.keys.len() > left {
            return Err(CodecError { expected: "as many entries as keys" });
        }
        Ok(Self {
            columns,
            texts,
            left,
            tables,
            met: 0,
            client: 0,
            time: 0,
            group: None,
            is_trusted,
            spare: Vec::new(),
        })
    }

    /// Reads the next entry into this one, whose lists are used again; `false` at the end.
    pub(crate) fn read(&mut self, entry: &mut Entry) -> Result<bool> {
        if self.left == 0 {
            self.finish()?;
            return Ok(false);
        }
        self.left -= 1;
        let head = self.columns.heads.u8()?;
        entry.action = Action::from_code(head & 7).ok_or(CodecError { expected: "an action" })?;
        let own = self.number(head)?;
        self.time = self.time.wrapping_add(self.columns.times.i64()? as u64);
        put_client(&mut entry.origin.dot.client, &self.tables.clients[own.0 as usize].0);
        entry.origin.dot.n = own.1;
        entry.origin.time = self.time;
        let key = self.key()?;
        entry.key.clone_from(&self.tables.keys[key].0);
        self.grounds(head, entry, key, own)?;
        let rare = if head & head::RARE == 0 { 0 } else { self.columns.rare.u8()? };
        let is_plain = self.fields(rare, entry, key, own)? && rare == 0;
        entry.group = if head & head::GROUP == 0 { None } else { Some(self.group(own)?) };
        entry.saw.clear();
        if entry.action.is_delete() {
            self.dots(&mut entry.saw)?;
        }
        self.rare(rare, entry)?;
        entry.intent = if head & head::INTENT == 0 { None } else { Some(self.columns.intents.u128()?) };
        let is_plain = is_plain && self.tables.are_plain && entry.has_plain_numbers();
        if !(self.is_trusted || is_plain || entry.is_canonical()) {
            return Err(CodecError { expected: "an entry in its canonical form" });
        }
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
            self.client = self.columns.clients.u64()?.try_into().unwrap_or(u32::MAX);
            jump = self.columns.clients.i64()? as u64;
        }
        let known = self.tables.clients.get_mut(self.client as usize);
        let (_, last) = known.ok_or(CodecError { expected: "a client of the table" })?;
        *last = last.wrapping_add(1).wrapping_add(jump);
        Ok((self.client, *last))
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

    fn grounds(&mut self, head: u8, entry: &mut Entry, key: usize, own: At) -> Result<()> {
        entry.of.clear();
        let is_create = entry.action == Action::Create;
        if head & head::SAME_CREATE != 0 {
            if !is_create {
                let create = self.tables.keys[key].1.create.ok_or(CodecError { expected: "a create" })?;
                entry.of.push(self.tables.dot(create));
            }
        } else if let Some(one) = self.dots(&mut entry.of)?
            && !is_create
        {
            self.tables.keys[key].1.create = Some(one);
        }
        if is_create {
            self.tables.keys[key].1.create = Some(own);
        }
        Ok(())
    }

    /// The fields and what is replaced in them; whether all that is plain.
    fn fields(&mut self, rare: u8, entry: &mut Entry, key: usize, own: At) -> Result<bool> {
        let mut replaces = std::mem::take(&mut entry.replaces);
        self.spare.extend(replaces.drain(..).map(|(_, dots)| dots));
        let shape = self.columns.shapes.u64()?;
        // Taken out, and put back, so that it can be gone through while values are read.
        let place = usize::try_from(shape).unwrap_or(usize::MAX);
        let shape = self.tables.shapes.get_mut(place).ok_or(CodecError { expected: "a shape of the table" })?;
        let fields = std::mem::take(&mut shape.fields);
        let mut is_plain = shape.is_plain;
        entry.fields.clear();
        for (field, kind) in &fields {
            let name = self.tables.names[*field as usize].clone();
            if rare & rare::REPLACES == 0
                && let Some(dots) = self.replaced(key, *field)?
            {
                replaces.push((name.clone(), dots));
            }
            let op = self.op(*kind)?;
            if let (false, Op::Assign(value)) = (self.is_trusted, &op) {
                is_plain = is_plain && canonical::is_plain_value(value);
            }
            entry.fields.push((name, op));
            self.tables.keys[key].1.wrote(*field, own);
        }
        self.tables.shapes[place].fields = fields;
        entry.replaces = replaces;
        Ok(is_plain)
    }

    fn replaced(&mut self, key: usize, field: u32) -> Result<Option<Vec<Dot>>> {
        let code = self.columns.replaced.u64()?;
        if code == replaced::NOTHING {
            return Ok(None);
        }
        let mut dots = self.spare.pop().unwrap_or_default();
        dots.clear();
        if code == replaced::FORESEEN {
            let foreseen = self.tables.keys[key].1.foreseen(field);
            dots.push(self.tables.dot(foreseen.ok_or(CodecError { expected: "a write before" })?));
        } else {
            self.listed(code - replaced::LISTED, &mut dots)?;
        }
        Ok(Some(dots))
    }

    /// Adds a list of dots; its only one, if it has one.
    fn dots(&mut self, dots: &mut Vec<Dot>) -> Result<Option<At>> {
        let count = self.columns.counts.u64()?;
        self.listed(count, dots)
    }

    fn listed(&mut self, count: u64, dots: &mut Vec<Dot>) -> Result<Option<At>> {
        let mut last = None;
        for _ in 0..count {
            let client = self.columns.dot_clients.u64()?;
            let (id, last_n) = at(&self.tables.clients, client)?;
            let n = last_n.wrapping_sub(self.columns.dot_numbers.i64()? as u64);
            dots.push(Dot::new(id.clone(), n));
            last = Some((client as u32, n));
        }
        Ok(last.filter(|_| count == 1))
    }

    fn op(&mut self, kind: u64) -> Result<Op> {
        Ok(match kind {
            Op::ASSIGN => Op::Assign(self.value()?),
            Op::FIRST => Op::First(self.value()?),
            Op::MAX => Op::Max(self.value()?),
            Op::MIN => Op::Min(self.value()?),
            Op::ADD => Op::Add(self.columns.operations.i64()?),
            Op::SET => {
                let (inserts, removes) = (self.columns.operations.u64()?, self.columns.operations.u64()?);
                let insert = (0..inserts).map(|_| self.value()).collect::<Result<_>>()?;
                let mut remove = Vec::new();
                for _ in 0..removes {
                    let (element, mut dots) = (self.value()?, Vec::new());
                    self.dots(&mut dots)?;
                    remove.push((element, dots));
                }
                Op::Set { insert, remove }
            }
            own => Op::Own { family: at(&self.tables.names, own - Op::OWN)?.clone(), body: self.value()? },
        })
    }

    fn value(&mut self) -> Result<Value> {
        self.text().map(Value::from_canonical)
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

    fn rare(&mut self, bits: u8, entry: &mut Entry) -> Result<()> {
        let has = |bit: u8| bits & bit != 0;
        entry.origin.author = None;
        entry.foreign_id = None;
        entry.unknown = None;
        if bits == 0 {
            return Ok(());
        }
        if has(rare::AUTHOR) {
            let author = self.columns.rare.u64()?;
            entry.origin.author = Some(at(&self.tables.clients, author)?.0.clone());
        }
        if has(rare::FOREIGN_ID) {
            entry.foreign_id = Some(Arc::from(self.text()?));
        }
        if has(rare::UNKNOWN) {
            entry.unknown = Some(self.value()?);
        }
        if has(rare::REPLACES) {
            for _ in 0..self.columns.rare.u64()? {
                let name = self.columns.rare.u64()?;
                let (name, mut dots) = (at(&self.tables.names, name)?.clone(), Vec::new());
                self.dots(&mut dots)?;
                entry.replaces.push((name, dots));
            }
        }
        if has(rare::SAW) {
            self.dots(&mut entry.saw)?;
        }
        Ok(())
    }

    /// An entry to read into.
    pub(crate) fn blank() -> Entry {
        let origin = Origin { dot: Dot::local(0), time: 0, author: None };
        Entry::new(origin, EntityKey::new("", ""), Action::Update)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;
    fn next(&mut self) -> Option<Self::Item> {
        let mut entry = Self::blank();
        match self.read(&mut entry) {
            Ok(true) => Some(Ok(entry)),
            Ok(false) => None,
            Err(error) => {
                self.left = 0;
                Some(Err(error))
            }
        }
    }
}

fn put_client(client: &mut ClientId, new: &ClientId) {
    if !Arc::ptr_eq(client.name(), new.name()) {
        *client = new.clone();
    }
}

fn at<T>(table: &[T], place: u64) -> Result<&T> {
    let found = usize::try_from(place).ok().and_then(|place| table.get(place));
    found.ok_or(CodecError { expected: "a place in the table" })
}
