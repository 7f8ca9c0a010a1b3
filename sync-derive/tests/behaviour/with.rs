//! Fields that are stored by functions of their own.

use sync_core::{Entity, FieldError, Id, Syncable};

use crate::{fields, stored};

/// Not serializable, like many a type of another crate.
#[derive(Debug, PartialEq, Default, Clone, Copy)]
struct Color(u8, u8, u8);

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Color;

    pub(super) fn serialize<S: Serializer>(color: &Color, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:02x}{:02x}{:02x}", color.0, color.1, color.2))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Color, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u32::from_str_radix(&text, 16).map_err(D::Error::custom)?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Color(red, green, blue))
    }

    pub(super) mod option {
        use super::{Color, Deserialize, Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            color: &Option<Color>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match color {
                Some(color) => super::serialize(color, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Color>, D::Error> {
            let Some(text) = <Option<&str>>::deserialize(deserializer)? else {
                return Ok(None);
            };
            super::deserialize(serde::de::value::BorrowedStrDeserializer::new(text)).map(Some)
        }
    }
}

/// Functions that know nothing of the type.
mod list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        [value].serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        <[T; 1]>::deserialize(deserializer).map(|[value]| value)
    }
}

#[derive(Syncable, Debug, PartialEq)]
struct Pen {
    #[sync(id)]
    id: Id<Pen, u64>,
    width: u8,
    #[sync(with = "hex")]
    ink: Color,
    #[sync(with = hex::option)]
    cap: Option<Color>,
    #[sync(with = "crate::with::hex", default)]
    nib: Color,
    /// What the functions write is for them to say: an integer is not asked for.
    #[sync(with = "list", merge = "set")]
    owner: String,
}

#[test]
fn the_functions_write_and_read_the_field() {
    let cap = Some(Color(0, 255, 0));
    let pen = Pen { id: Id::new(1), width: 2, ink: Color(1, 2, 255), cap, nib: Color(0, 0, 0), owner: "me".into() };
    let expected =
        [("cap", "\"00ff00\""), ("ink", "\"0102ff\""), ("nib", "\"000000\""), ("owner", "[\"me\"]"), ("width", "2")];
    assert_eq!(stored(&pen), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(Pen::from_fields(pen.id, &pen.to_fields().unwrap()).unwrap(), pen);
}

#[test]
fn an_absent_field_is_what_its_function_makes_of_null() {
    let stored = [("ink", "\"010203\""), ("width", "1"), ("owner", "[\"me\"]")];
    let pen = Pen::from_fields(Id::new(1), &fields(&stored)).unwrap();
    assert_eq!((pen.cap, pen.nib), (None, Color(0, 0, 0)));
    let error = Pen::from_fields(Id::new(1), &fields(&[("width", "1")])).unwrap_err();
    assert_eq!(error, FieldError::Missing { field: "ink".into() });
}
