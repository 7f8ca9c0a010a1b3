//! Records that somebody else wrote down: whether their form is the one that folding makes.

use std::borrow::Cow;

use super::Record;
use crate::model::codec::CodecError;
use crate::model::op::Family;
use crate::model::register::Register;
use crate::model::stamp::Dot;
use crate::model::value::Value;

impl Record {
    /// Reads a record that came from another machine. As [`decode`](Self::decode), which trusts that the bytes are
    /// those that were written, and checks what all else relies on: the order of everything, the kind of each
    /// register, that every value is canonical JSON, and that every name is one that an entry can have.
    ///
    /// # Errors
    /// If the bytes are no record, or one that no entries make.
    pub fn decode_untrusted(bytes: &[u8]) -> Result<Record, CodecError> {
        let record = Self::decode(bytes)?;
        // Elements that stand twice or out of order are lost in a map: written again, they differ.
        let is_sound = record.is_in_order() && record.values().all(is_canonical) && record.names().all(can_be_named);
        if is_sound && record.encode() == bytes {
            return Ok(record);
        }
        Err(CodecError { expected: "a record in its canonical form" })
    }

    fn is_in_order(&self) -> bool {
        self.creates.is_sorted_by(|a, b| a.dot < b.dot)
            && self.creates.iter().all(|c| c.origin.as_ref().is_none_or(|origin| origin.dot == c.dot))
            && self.lifecycle.is_sorted_by(|a, b| a.origin.dot < b.origin.dot)
            && self.lifecycle.iter().all(|l| l.saw.is_sorted_by(|a, b| a < b))
            && self.fields.is_sorted_by(|a, b| (&a.0, &a.1) < (&b.0, &b.1))
            && self.fields.iter().all(|(_, family, register)| is_register_of(register, family))
            && self.missing.is_sorted_by(|a, b| a < b)
    }

    fn names(&self) -> impl Iterator<Item = Cow<'_, Dot>> {
        let creates = self.creates.iter().map(|create| &create.dot);
        let lifecycle = self.lifecycle.iter().flat_map(|l| l.of.iter().chain(&l.saw).chain([&l.origin.dot]));
        let missing = self.missing.iter().map(|(_, dot)| dot);
        let registers = || self.fields.iter().map(|(_, _, register)| register);
        let written = registers().flat_map(Register::dots).map(Cow::Owned);
        let grounds = registers().flat_map(Register::grounds).flatten();
        creates.chain(lifecycle).chain(missing).chain(grounds).map(Cow::Borrowed).chain(written)
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        let siblings = self.fields.iter().flat_map(|(_, _, register)| register.siblings()).map(|s| &s.value);
        let elements = self.fields.iter().flat_map(|(_, _, register)| register.elements());
        let missing = self.missing.iter().filter_map(|(slot, _)| match slot {
            super::Slot::Element(_, element) => Some(element),
            _ => None,
        });
        siblings.chain(elements).chain(missing)
    }
}

fn is_register_of(register: &Register, family: &Family) -> bool {
    let is_of_family = match register {
        Register::Counter { .. } => *family == Family::Counter,
        Register::Set(_) => *family == Family::Set,
        Register::Siblings(_) => !matches!(family, Family::Counter | Family::Set),
    };
    is_of_family && !register.is_empty() && register.is_in_order()
}

/// Names without a client are those of entries that have no number yet, on one device.
fn can_be_named(dot: Cow<'_, Dot>) -> bool {
    dot.n > 0 && !dot.is_local()
}

fn is_canonical(value: &Value) -> bool {
    Value::parse(value.as_str()).is_ok_and(|parsed| parsed == *value)
}
