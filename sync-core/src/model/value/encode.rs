//! Writing any `Serialize` type as canonical text.

use std::cell::RefCell;
use std::fmt::{Display, Write};

use serde::ser::{Serialize, Serializer};
use smol_str::SmolStr;

use super::embed::{NUMBER, RAW};
use super::encode_items::{ARRAY, Items, OBJECT};
use super::error::ValueError;
use super::text::write_string;
use super::{Kind, MAX_DEPTH, Value, number};

/// Encodes a value. How many `Some`s in it look like `None`: those that are written as `null`.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<(Value, usize), ValueError> {
    let mut encoder = Encoder { out: SCRATCH.take(), depth: 0, hidden: 0 };
    let done = value.serialize(&mut encoder);
    let Encoder { mut out, hidden, .. } = encoder;
    let value = done.map(|()| (Value(SmolStr::new(&out)), hidden));
    if out.capacity() <= MOST_KEPT {
        out.clear();
        SCRATCH.set(out);
    }
    value
}

thread_local! {
    /// Where a value is written before its length is known, used again for the next one.
    static SCRATCH: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Beyond this a scratch is given back.
const MOST_KEPT: usize = 1 << 16;

/// Writes canonical text.
pub(super) struct Encoder {
    pub(super) out: String,
    depth: usize,
    /// How many `Some`s were written as `null`.
    hidden: usize,
}

impl Encoder {
    pub(super) fn open(&mut self, bracket: char) -> Result<(), ValueError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ValueError::TooDeep { max: MAX_DEPTH });
        }
        self.out.push(bracket);
        Ok(())
    }

    pub(super) fn close(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth -= 1;
    }

    /// Opens the object around an enum variant's content.
    pub(super) fn variant(&mut self, name: &str) -> Result<(), ValueError> {
        self.open('{')?;
        write_string(&mut self.out, name);
        self.out.push(':');
        Ok(())
    }

    /// Writes text that is JSON by itself.
    pub(super) fn embed<T: Serialize + ?Sized>(&mut self, token: &str, text: &T) -> Result<(), ValueError> {
        let mut json = String::new();
        write!(json, "{}", Text(text)).map_err(|_| ValueError::Encode(format!("{token} holds no text")))?;
        let value = Value::parse_with_depth(&json, MAX_DEPTH - self.depth).map_err(|error| match error {
            ValueError::TooDeep { .. } => ValueError::TooDeep { max: MAX_DEPTH },
            other => other,
        })?;
        if token == NUMBER && value.kind() != Kind::Number {
            return Err(ValueError::Encode(format!("{token} holds no number")));
        }
        self.out.push_str(value.as_str());
        Ok(())
    }
}

/// A serializable text, shown: a formatter is a serializer for primitives.
struct Text<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Display for Text<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.serialize(f)
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, number: $type) -> Result<(), ValueError> {
            number::write_integer(&mut self.out, number);
            Ok(())
        })*
    };
}

impl<'a> Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128);
    integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128);

    fn serialize_bool(self, value: bool) -> Result<(), ValueError> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), ValueError> {
        number::write_f32(&mut self.out, value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), ValueError> {
        number::write_f64(&mut self.out, value)
    }

    fn serialize_char(self, value: char) -> Result<(), ValueError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), ValueError> {
        write_string(&mut self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), ValueError> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), ValueError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), ValueError> {
        let start = self.out.len();
        value.serialize(&mut *self)?;
        self.hidden += usize::from(&self.out[start..] == "null");
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), ValueError> {
        self.out.push_str("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), ValueError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), ValueError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), ValueError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), ValueError> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.close('}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, ValueError> {
        Items::open(self, None, ARRAY)
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, ValueError> {
        Items::open(self, None, ARRAY)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, ValueError> {
        Items::open(self, None, ARRAY)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, ValueError> {
        Items::open(self, Some(variant), ARRAY)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a>, ValueError> {
        Items::open(self, None, OBJECT)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'a>, ValueError> {
        if let Some(token) = [RAW, NUMBER].into_iter().find(|token| *token == name) {
            return Ok(Items::embedded(self, token));
        }
        Items::open(self, None, OBJECT)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, ValueError> {
        Items::open(self, Some(variant), OBJECT)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), ValueError> {
        let mut text = String::new();
        write!(text, "{value}").map_err(|_| ValueError::Encode("its Display implementation failed".to_owned()))?;
        self.serialize_str(&text)
    }
}
