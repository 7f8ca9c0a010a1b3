//! Writing the keys of maps.

use std::fmt::Display;

use serde::ser::{Impossible, Serialize, Serializer};

use super::encode::Encoder;
use super::error::ValueError;
use super::number;

/// Writes a map's key: a string, or what is a string in JSON's eyes.
pub(super) struct KeyEncoder<'a>(pub(super) &'a mut Encoder);

fn refused<T>(what: &str) -> Result<T, ValueError> {
    Err(ValueError::Encode(format!(
        "a map's key is {what}: only strings, chars, integers, bools and enum variants without content can be keys"
    )))
}

macro_rules! integers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, key: $type) -> Result<(), ValueError> {
            self.0.out.push('"');
            number::write_integer(&mut self.0.out, key);
            self.0.out.push('"');
            Ok(())
        })*
    };
}

type Never = Impossible<(), ValueError>;

impl Serializer for KeyEncoder<'_> {
    type Ok = ();
    type Error = ValueError;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128);
    integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128);

    fn serialize_bool(self, key: bool) -> Result<(), ValueError> {
        self.serialize_str(if key { "true" } else { "false" })
    }

    fn serialize_f32(self, _: f32) -> Result<(), ValueError> {
        refused("a float")
    }

    fn serialize_f64(self, _: f64) -> Result<(), ValueError> {
        refused("a float")
    }

    fn serialize_char(self, key: char) -> Result<(), ValueError> {
        self.0.serialize_char(key)
    }

    fn serialize_str(self, key: &str) -> Result<(), ValueError> {
        self.0.serialize_str(key)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), ValueError> {
        refused("made of bytes")
    }

    fn serialize_none(self) -> Result<(), ValueError> {
        refused("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<(), ValueError> {
        key.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), ValueError> {
        refused("the unit")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), ValueError> {
        refused("a unit struct")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), ValueError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, key: &T) -> Result<(), ValueError> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), ValueError> {
        refused("an enum variant with content")
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Never, ValueError> {
        refused("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, ValueError> {
        refused("a tuple")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, ValueError> {
        refused("a tuple struct")
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, ValueError> {
        refused("an enum variant with content")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never, ValueError> {
        refused("a map")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Never, ValueError> {
        refused("a struct")
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Never, ValueError> {
        refused("an enum variant with content")
    }

    fn collect_str<T: Display + ?Sized>(self, key: &T) -> Result<(), ValueError> {
        self.0.collect_str(key)
    }
}
