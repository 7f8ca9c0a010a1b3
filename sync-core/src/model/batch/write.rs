//! Writing a batch.

use super::columns::Columns;
use super::{At, Seen, VERSION, head, rare, replaced};
use crate::model::codec::Bytes;
use crate::model::entry::{Action, EntityKey, Entry};
use crate::model::ids;
use crate::model::op::Op;
use crate::model::stamp::{ClientId, Dot, Dots, Name};
use crate::model::table::{Table, Text};
use crate::model::value::Value;

#[derive(Default)]
struct Batch<'a> {
    columns: Columns<Bytes>,
    count: u64,
    names: Table<Text<&'a Name>>,
    clients: Table<Text<&'a Name>>,
    /// The last number of each client.
    last: Vec<u64>,
    keys: Table<&'a EntityKey>,
    seen: Vec<Seen>,
    shapes: Table<Vec<(u32, u64)>>,
    /// The tables' part of the shapes, and the shape of the entry at hand.
    shape_table: Bytes,
    shape: Vec<(u32, u64)>,
    /// The client, the time and the group of the entry before.
    client: u32,
    time: u64,
    group: Option<(u64, u64)>,
}

pub(super) fn encode<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u8> {
    let mut batch = Batch { columns: Columns::empty(), ..Batch::default() };
    for entry in entries {
        batch.entry(entry);
    }
    batch.finish()
}

impl<'a> Batch<'a> {
    fn finish(&mut self) -> Vec<u8> {
        let tables = &mut self.columns.tables;
        tables.each(self.names.things(), |w, Text(name)| w.text(name));
        ids::write(tables, self.clients.things().iter().map(|Text(client)| &***client));
        ids::write(tables, self.keys.things().iter().map(|key| &*key.id));
        for key in self.keys.things() {
            tables.u64(u64::from(self.names.place(Text(&key.entity_type))));
        }
        tables.u64(self.shapes.things().len() as u64);
        tables.bytes(self.shape_table.written());
        let mut out = Bytes::default();
        out.u8(VERSION);
        out.u64(self.count);
        self.columns.finish(&mut out);
        out.finish()
    }

    fn entry(&mut self, entry: &'a Entry) {
        self.count += 1;
        let mut head = entry.action.code();
        let at = self.number(entry, &mut head);
        self.columns.times.i64(entry.origin.time.wrapping_sub(self.time) as i64);
        self.time = entry.origin.time;
        let key = self.key(&entry.key);
        self.grounds(entry, key, at, &mut head);
        let rare = self.fields(entry, key, at);
        if let Some(group) = entry.group {
            head |= head::GROUP;
            self.group(at, (group.first, group.count));
        }
        if entry.action.is_delete() {
            self.dots(&entry.saw);
        }
        self.rare(entry, rare, &mut head);
        if let Some(intent) = entry.intent {
            head |= head::INTENT;
            self.columns.intents.u128(intent);
        }
        self.columns.heads.u8(head);
    }

    fn client(&mut self, client: &'a ClientId) -> u32 {
        let place = self.clients.place(Text(client.name()));
        if self.last.len() < self.clients.things().len() {
            self.last.push(0);
        }
        place
    }

    /// The entry's own name.
    fn number(&mut self, entry: &'a Entry, head: &mut u8) -> At {
        let dot = &entry.origin.dot;
        let client = self.client(&dot.client);
        let last = &mut self.last[client as usize];
        let jump = dot.n.wrapping_sub(last.wrapping_add(1));
        *last = dot.n;
        if client == self.client && jump == 0 {
            *head |= head::NEXT;
        } else {
            self.columns.clients.u64(u64::from(client));
            self.columns.clients.i64(jump as i64);
        }
        self.client = client;
        (client, dot.n)
    }

    fn key(&mut self, key: &'a EntityKey) -> usize {
        let known = self.keys.things().len();
        let place = self.keys.place(key) as usize;
        if place == known {
            self.name(&key.entity_type);
            self.seen.push(Seen::default());
            self.columns.keys.u64(0);
        } else {
            self.columns.keys.u64((known - place) as u64);
        }
        place
    }

    /// The creates that it stands on.
    fn grounds(&mut self, entry: &'a Entry, key: usize, at: At, head: &mut u8) {
        let named = match &entry.of[..] {
            [one] => Some((self.client(&one.client), one.n)),
            _ => None,
        };
        let seen = &mut self.seen[key];
        let is_create = entry.action == Action::Create;
        let foreseen = if is_create { entry.of.is_empty() } else { named.is_some() && named == seen.create };
        if is_create {
            seen.create = Some(at);
        } else if named.is_some() {
            seen.create = named;
        }
        if foreseen {
            *head |= head::SAME_CREATE;
        } else {
            self.dots(&entry.of);
        }
    }

    /// The fields, and what is replaced in them; the bits of what is rare in that.
    fn fields(&mut self, entry: &'a Entry, key: usize, at: At) -> u8 {
        let mut shape = std::mem::take(&mut self.shape);
        shape.clear();
        for (name, op) in &entry.fields {
            let kind = match op {
                Op::Own { family, .. } => op.code() + u64::from(self.name(family)),
                _ => op.code(),
            };
            shape.push((self.name(name), kind));
        }
        let is_regular = is_part_of(&entry.replaces, &entry.fields);
        let mut listed = entry.replaces.iter().peekable();
        for ((name, op), (place, _)) in entry.fields.iter().zip(&shape) {
            if is_regular {
                let dots = listed.next_if(|(of, _)| of == name).map(|(_, dots)| &dots[..]);
                self.replaced(key, *place, dots);
            }
            self.op(op);
            self.seen[key].wrote(*place, at);
        }
        let place = self.place_of(&shape);
        self.columns.shapes.u64(place);
        self.shape = shape;
        if is_regular { 0 } else { rare::REPLACES }
    }

    fn name(&mut self, name: &'a Name) -> u32 {
        self.names.place(Text(name))
    }

    fn place_of(&mut self, shape: &[(u32, u64)]) -> u64 {
        let known = self.shapes.things().len();
        let place = self.shapes.place(shape);
        if place as usize == known {
            self.shape_table.each(shape, |w, (name, kind)| {
                w.u64(u64::from(*name));
                w.u64(*kind);
            });
        }
        u64::from(place)
    }

    fn replaced(&mut self, key: usize, field: u32, dots: Option<&'a [Dot]>) {
        let code = match dots {
            None => replaced::NOTHING,
            Some([one]) if Some((self.client(&one.client), one.n)) == self.seen[key].foreseen(field) => {
                replaced::FORESEEN
            }
            Some(dots) => {
                dots.iter().for_each(|dot| self.dot(dot));
                replaced::LISTED + dots.len() as u64
            }
        };
        self.columns.replaced.u64(code);
    }

    fn dots(&mut self, dots: &'a [Dot]) {
        self.columns.counts.u64(dots.len() as u64);
        dots.iter().for_each(|dot| self.dot(dot));
    }

    fn dot(&mut self, dot: &'a Dot) {
        let client = self.client(&dot.client);
        self.columns.dot_clients.u64(u64::from(client));
        self.columns.dot_numbers.i64(self.last[client as usize].wrapping_sub(dot.n) as i64);
    }

    fn op(&mut self, op: &'a Op) {
        match op {
            Op::Assign(value) | Op::First(value) | Op::Max(value) | Op::Min(value) => self.value(value),
            Op::Own { body, .. } => self.value(body),
            Op::Add(delta) => self.columns.operations.i64(*delta),
            Op::Set { insert, remove } => {
                self.columns.operations.u64(insert.len() as u64);
                self.columns.operations.u64(remove.len() as u64);
                insert.iter().for_each(|element| self.value(element));
                for (element, dots) in remove {
                    self.value(element);
                    self.dots(dots);
                }
            }
        }
    }

    fn value(&mut self, value: &Value) {
        self.text(value.as_str());
    }

    fn text(&mut self, text: &str) {
        self.columns.lengths.u64(text.len() as u64);
        self.columns.texts.bytes(text.as_bytes());
    }

    fn group(&mut self, at: At, group: (u64, u64)) {
        if self.group.replace(group) == Some(group) {
            self.columns.groups.u64(0);
        } else {
            // Whatever the numbers are: one that begins behind its own entry stands as one that begins far before it.
            self.columns.groups.u64(1);
            self.columns.groups.u64(at.1.wrapping_sub(group.0));
            self.columns.groups.u64(group.1);
        }
    }

    fn rare(&mut self, entry: &'a Entry, mut bits: u8, head: &mut u8) {
        let has = |bit: u8, has: bool| if has { bit } else { 0 };
        bits |= has(rare::AUTHOR, entry.origin.author.is_some());
        bits |= has(rare::FOREIGN_ID, entry.foreign_id.is_some());
        bits |= has(rare::UNKNOWN, entry.unknown.is_some());
        bits |= has(rare::SAW, !entry.action.is_delete() && !entry.saw.is_empty());
        if bits == 0 {
            return;
        }
        *head |= head::RARE;
        self.columns.rare.u8(bits);
        if let Some(author) = &entry.origin.author {
            let author = self.client(author);
            self.columns.rare.u64(u64::from(author));
        }
        if let Some(id) = &entry.foreign_id {
            self.text(id);
        }
        if let Some(unknown) = &entry.unknown {
            self.value(unknown);
        }
        if bits & rare::REPLACES != 0 {
            self.columns.rare.u64(entry.replaces.len() as u64);
            for (name, dots) in &entry.replaces {
                let name = self.name(name);
                self.columns.rare.u64(u64::from(name));
                self.dots(dots);
            }
        }
        if bits & rare::SAW != 0 {
            self.dots(&entry.saw);
        }
    }
}

/// Whether these names are those of some of the fields, in their order.
fn is_part_of(replaces: &[(Name, Dots)], fields: &[(Name, Op)]) -> bool {
    let mut fields = fields.iter();
    replaces.iter().all(|(name, _)| fields.any(|(field, _)| field == name))
}
