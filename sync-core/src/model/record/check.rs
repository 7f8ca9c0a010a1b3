//! Records that somebody else wrote down: whether their form is the one that folding makes.

use super::Record;
use crate::model::codec::CodecError;
use crate::model::op::Family;
use crate::model::register::Register;
use crate::model::value::Value;

impl Record {
    /// Reads a record that came from another machine. As [`decode`](Self::decode), which trusts that the bytes are
    /// those that were written, and checks what all else relies on: the order of everything, the kind of each
    /// register, and that every value is canonical JSON.
    ///
    /// # Errors
    /// If the bytes are no record, or one that no entries make.
    pub fn decode_untrusted(bytes: &[u8]) -> Result<Record, CodecError> {
        let record = Self::decode(bytes)?;
        // Elements that stand twice or out of order are lost in a map: written again, they differ.
        if record.is_in_order() && record.values().all(is_canonical) && record.encode() == bytes {
            return Ok(record);
        }
        Err(CodecError { expected: "a record in its canonical form" })
    }

    fn is_in_order(&self) -> bool {
        self.creates.is_sorted_by(|a, b| a.dot < b.dot)
            && self.lifecycle.is_sorted_by(|a, b| a.origin.dot < b.origin.dot)
            && self.lifecycle.iter().all(|l| l.saw.is_sorted_by(|a, b| a < b))
            && self.fields.is_sorted_by(|a, b| (&a.0, &a.1) < (&b.0, &b.1))
            && self.fields.iter().all(|(_, family, register)| is_register_of(register, family))
            && self.missing.is_sorted_by(|a, b| a < b)
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

fn is_canonical(value: &Value) -> bool {
    Value::parse(value.as_str()).is_ok_and(|parsed| parsed == *value)
}
