//! Writing arrays and objects, item by item.

use serde::ser::{self, Serialize};

use super::encode::Encoder;
use super::encode_key::KeyEncoder;
use super::error::ValueError;
use super::text::Keys;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Brackets(char, char);

pub(super) const ARRAY: Brackets = Brackets('[', ']');
pub(super) const OBJECT: Brackets = Brackets('{', '}');

/// An array or an object that is being written.
pub(super) struct Items<'a> {
    encoder: &'a mut Encoder,
    brackets: Brackets,
    start: usize,
    keys: Keys,
    /// Whether an enum variant's object is to be closed too.
    wrapped: bool,
    /// serde_json's own types hand over finished JSON as a struct of this name.
    embedded: Option<&'static str>,
}

impl<'a> Items<'a> {
    /// Opens an array or an object; inside of an enum variant's object, if that is named.
    pub(super) fn open(
        encoder: &'a mut Encoder,
        variant: Option<&str>,
        brackets: Brackets,
    ) -> Result<Self, ValueError> {
        if let Some(name) = variant {
            encoder.variant(name)?;
        }
        let start = encoder.out.len();
        encoder.open(brackets.0)?;
        Ok(Self { encoder, brackets, start, keys: Keys::default(), wrapped: variant.is_some(), embedded: None })
    }

    /// Awaits the only field of one of serde_json's own types.
    pub(super) fn embedded(encoder: &'a mut Encoder, token: &'static str) -> Self {
        let start = encoder.out.len();
        Self { encoder, brackets: OBJECT, start, keys: Keys::default(), wrapped: false, embedded: Some(token) }
    }

    fn comma(&mut self) {
        if self.encoder.out.len() > self.start + 1 {
            self.encoder.out.push(',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        self.comma();
        value.serialize(&mut *self.encoder)
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.comma();
        let start = self.encoder.out.len();
        key.serialize(KeyEncoder(self.encoder))?;
        let out = &mut self.encoder.out;
        self.keys.note(out, start..out.len())?;
        out.push(':');
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), ValueError> {
        if let Some(token) = self.embedded {
            return self.encoder.embed(token, value);
        }
        self.key(key)?;
        value.serialize(&mut *self.encoder)
    }

    fn finish(self) -> Result<(), ValueError> {
        if self.embedded.is_some() {
            return Ok(());
        }
        self.encoder.close(self.brackets.1);
        if self.brackets == OBJECT {
            self.keys.close(&mut self.encoder.out, self.start)?;
        }
        if self.wrapped {
            self.encoder.close('}');
        }
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident $method:ident $own:ident ($($key:ident: $type:ty)?);)*) => {
        $(impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = ValueError;
            fn $method<T: Serialize + ?Sized>(&mut self, $($key: $type,)? value: &T) -> Result<(), ValueError> {
                self.$own($($key,)? value)
            }
            fn end(self) -> Result<(), ValueError> {
                self.finish()
            }
        })*
    };
}

items! {
    SerializeSeq serialize_element element ();
    SerializeTuple serialize_element element ();
    SerializeTupleStruct serialize_field element ();
    SerializeTupleVariant serialize_field element ();
    SerializeStruct serialize_field field (key: &'static str);
    SerializeStructVariant serialize_field field (key: &'static str);
}

impl ser::SerializeMap for Items<'_> {
    type Ok = ();
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ValueError> {
        value.serialize(&mut *self.encoder)
    }

    fn end(self) -> Result<(), ValueError> {
        self.finish()
    }
}
