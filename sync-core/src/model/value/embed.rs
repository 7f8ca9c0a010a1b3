//! A [`Value`] as a part of other JSON.
//!
//! serde_json passes finished JSON text through under a reserved struct name, the way its `RawValue` does. A
//! value goes that way too: so its text arrives unchanged, whatever features of serde_json are switched on.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Kind, MAX_DEPTH, Value, ValueError};

/// serde_json's name for finished JSON.
pub(super) const RAW: &str = "$serde_json::private::RawValue";
/// serde_json's name for a number, if built with `arbitrary_precision`.
pub(super) const NUMBER: &str = "$serde_json::private::Number";

/// An embedded value may be a user's value inside of an operation, which nests a little deeper.
const EMBEDDED_DEPTH: usize = MAX_DEPTH + 8;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(RAW, 1)?;
        raw.serialize_field(RAW, self.as_str())?;
        raw.end()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, ValueVisitor { raw: true })
    }
}

/// Takes finished text from serde_json, and builds the value from its parts when the parts come from elsewhere:
/// from the buffer of an untagged enum, for example.
struct ValueVisitor {
    /// Whether finished text may come.
    raw: bool,
}

fn refuse<E: de::Error>(error: ValueError) -> E {
    E::custom(error)
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor { raw: false })
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        Value::encode(&value).map_err(refuse)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        Value::encode(&value).map_err(refuse)
    }

    fn visit_f32<E: de::Error>(self, value: f32) -> Result<Value, E> {
        Value::encode(&value).map_err(refuse)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Value::encode(&value).map_err(refuse)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::null())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::null())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        Ok(Value::array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if self.raw && key == RAW {
                return Ok(map.next_value::<Finished>()?.0);
            }
            members.push((key, map.next_value()?));
        }
        if let [(key, text)] = members.as_slice()
            && key == NUMBER
            && let Some(number) = text.as_string()
            && let Ok(number) = Value::parse(&number)
            && number.kind() == Kind::Number
        {
            return Ok(number);
        }
        Value::object(members).map_err(refuse)
    }
}

/// A value that arrives as its text.
struct Finished(Value);

impl<'de> Deserialize<'de> for Finished {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FinishedVisitor)
    }
}

struct FinishedVisitor;

impl Visitor<'_> for FinishedVisitor {
    type Value = Finished;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of a JSON value")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Finished, E> {
        Value::parse_with_depth(text, EMBEDDED_DEPTH).map(Finished).map_err(refuse)
    }
}
