//! The compact binary form: variable-length integers, texts, and tables of texts that repeat.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use smallvec::SmallVec;

use super::digest::Digest;
use super::ids;
use super::shared;
use super::stamp::{ClientId, Dot, Dots, Name, Origin};
use super::table::{Table, Text};
use super::value::Value;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the bytes end or differ where {expected} is expected")]
pub struct CodecError {
    /// What should stand there.
    pub expected: &'static str,
}

pub(crate) type Result<T> = std::result::Result<T, CodecError>;

/// Writes numbers, texts and lists one behind the other.
#[derive(Default)]
pub(crate) struct Bytes(Vec<u8>);

impl Bytes {
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn written(&self) -> &[u8] {
        &self.0
    }

    /// Forgets what was written, and keeps its memory for what comes.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Room for so many bytes more.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.0.reserve(bytes);
    }

    pub(crate) fn u8(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// LEB128.
    pub(crate) fn u64(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Zigzag, then LEB128.
    pub(crate) fn i64(&mut self, number: i64) {
        self.u64(((number << 1) ^ (number >> 63)) as u64);
    }

    pub(crate) fn u128(&mut self, number: u128) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Bytes whose number is known otherwise.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// How many there are, and each.
    pub(crate) fn each<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.u64(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

/// Writes the compact form; texts that repeat go into a table, or stand in place where there is none.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Bytes,
    table: Option<Table<Text<Name>>>,
}

impl Writer {
    /// What most rows fit into.
    const ROW: usize = 256;

    /// A writer that collects repeated texts in a table before the rest.
    pub(crate) fn with_table() -> Self {
        Self { bytes: Bytes(Vec::with_capacity(Self::ROW)), table: Some(Table::default()) }
    }

    /// A writer whose output depends on what is written alone: for hashing, and for single rows.
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        if self.table.is_none() {
            return self.bytes.finish();
        }
        let mut out = Vec::with_capacity(self.most_bytes());
        self.finish_into(&mut out);
        out
    }

    /// How many bytes there will be, at most.
    pub(crate) fn most_bytes(&self) -> usize {
        let texts = self.table.iter().flat_map(Table::things);
        texts.map(|Text(text)| text.len() + 10).sum::<usize>() + self.bytes.0.len() + 10
    }

    /// Adds what was written to these bytes.
    pub(crate) fn finish_into(self, out: &mut Vec<u8>) {
        if let Some(table) = self.table {
            let mut w = Bytes(std::mem::take(out));
            ids::write(&mut w, table.things().iter().map(|Text(text)| &**text));
            *out = w.finish();
        }
        out.extend_from_slice(&self.bytes.0);
    }

    /// A text that is likely to come again.
    pub(crate) fn name(&mut self, name: &Name) {
        let Some(table) = &mut self.table else { return self.text(name) };
        let place = table.place(Text(name));
        self.u64(u64::from(place));
    }

    pub(crate) fn value(&mut self, value: &Value) {
        self.text(value.as_str());
    }

    pub(crate) fn digest(&mut self, digest: Digest) {
        self.u128(digest.0);
    }

    pub(crate) fn client(&mut self, client: &ClientId) {
        self.name(client.name());
    }

    pub(crate) fn dot(&mut self, dot: &Dot) {
        self.client(&dot.client);
        self.u64(dot.n);
    }

    pub(crate) fn dots(&mut self, dots: &[Dot]) {
        self.list(dots, Self::dot);
    }

    pub(crate) fn origin(&mut self, origin: &Origin) {
        self.dot(&origin.dot);
        self.u64(origin.time);
        self.option(origin.author.as_ref(), Self::client);
    }

    pub(crate) fn option<T>(&mut self, item: Option<&T>, mut write: impl FnMut(&mut Self, &T)) {
        self.u8(u8::from(item.is_some()));
        if let Some(item) = item {
            write(self, item);
        }
    }

    pub(crate) fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.u64(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

/// What needs no table is written behind the rest.
impl Deref for Writer {
    type Target = Bytes;
    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Bytes {
        &mut self.bytes
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Default)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    table: Option<Vec<Name>>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, table: None }
    }

    pub(crate) fn with_table(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Self::plain(bytes);
        let mut table = Vec::new();
        ids::read(&mut reader, |text| table.push(shared::name(text)))?;
        reader.table = Some(table);
        Ok(reader)
    }

    /// Nothing may be left over.
    pub(crate) fn finish(self) -> Result<()> {
        if self.bytes.is_empty() { Ok(()) } else { Err(CodecError { expected: "the end" }) }
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().ok_or(CodecError { expected: "a byte" })?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        if let [first @ ..0x80, rest @ ..] = self.bytes {
            self.bytes = rest;
            return Ok(u64::from(*first));
        }
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CodecError { expected: "a number of 64 bits" })
    }

    pub(crate) fn i64(&mut self) -> Result<i64> {
        let number = self.u64()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn u128(&mut self) -> Result<u128> {
        let (first, rest) = self.bytes.split_first_chunk::<16>().ok_or(CodecError { expected: "16 bytes" })?;
        self.bytes = rest;
        Ok(u128::from_le_bytes(*first))
    }

    /// A count of things that take at least one byte each: never more than there are bytes.
    pub(crate) fn count(&mut self) -> Result<usize> {
        match usize::try_from(self.u64()?) {
            Ok(count) if count <= self.bytes.len() => Ok(count),
            _ => Err(CodecError { expected: "a length within the bytes" }),
        }
    }

    pub(crate) fn raw(&mut self) -> Result<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }

    /// The next bytes, so many.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let split = self.bytes.split_at_checked(length);
        let (first, rest) = split.ok_or(CodecError { expected: "more bytes" })?;
        self.bytes = rest;
        Ok(first)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.raw()?).map_err(|_| CodecError { expected: "UTF-8" })
    }

    pub(crate) fn name(&mut self) -> Result<Name> {
        if self.table.is_none() {
            return self.text().map(Arc::from);
        }
        let index = self.u64()?;
        let table = self.table.as_deref().unwrap_or_default();
        let name = usize::try_from(index).ok().and_then(|at| table.get(at));
        name.cloned().ok_or(CodecError { expected: "a text of the table" })
    }

    pub(crate) fn value(&mut self) -> Result<Value> {
        self.text().map(Value::from_canonical)
    }

    pub(crate) fn digest(&mut self) -> Result<Digest> {
        self.u128().map(Digest)
    }

    pub(crate) fn client(&mut self) -> Result<ClientId> {
        self.name().map(ClientId::new)
    }

    pub(crate) fn dot(&mut self) -> Result<Dot> {
        Ok(Dot::new(self.client()?, self.u64()?))
    }

    pub(crate) fn dots(&mut self) -> Result<Dots> {
        self.few(Self::dot)
    }

    pub(crate) fn origin(&mut self) -> Result<Origin> {
        Ok(Origin { dot: self.dot()?, time: self.u64()?, author: self.option(Self::client)? })
    }

    pub(crate) fn option<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Option<T>> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(CodecError { expected: "0 or 1" }),
        }
    }

    pub(crate) fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.count()?;
        let mut items = Vec::with_capacity(count.min(4096));
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// A list that nearly always has one item, which takes no allocation then.
    pub(crate) fn few<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T>) -> Result<SmallVec<[T; 1]>> {
        let count = self.count()?;
        let mut items = SmallVec::with_capacity(count.min(4096));
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_table_stand_once_however_many_there_are() {
        for count in [1, Table::FEW, Table::FEW + 1, 3 * Table::FEW] {
            // Twice: in order, and backwards from texts of their own.
            let names = || (0..count).map(|n| Name::from(format!("name {n}")));
            let all: Vec<Name> = names().chain(names().rev()).collect();
            let mut w = Writer::with_table();
            all.iter().for_each(|name| w.name(name));
            assert_eq!(w.table.as_ref().map(|table| table.things().len()), Some(count));
            let bytes = w.finish();
            let mut r = Reader::with_table(&bytes).expect("a table was written");
            let read: Result<Vec<Name>> = all.iter().map(|_| r.name()).collect();
            assert_eq!((read, r.finish()), (Ok(all), Ok(())), "{count} texts");
        }
    }
}
