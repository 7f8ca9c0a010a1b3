//! The generated code stands on its own names, whatever the user's are.

use sync_core::Entity as _;

/// Nothing of the prelude is what it seems.
mod shadowed {
    #![allow(dead_code, reason = "they are there to be in the way")]
    #![allow(non_camel_case_types, reason = "primitive types can be shadowed too")]

    pub(super) struct Result;
    pub(super) struct Option;
    pub(super) struct Ok;
    pub(super) struct Err;
    pub(super) struct Some;
    pub(super) struct None;
    pub(super) struct String;
    pub(super) struct Vec;
    pub(super) struct Box;
    pub(super) struct usize;
    pub(super) struct str;
    pub(super) trait Default {}
    pub(super) trait Sized {}
    pub(super) trait Fn {}
    pub(super) trait From {}
    pub(super) trait Into {}
    pub(super) trait Iterator {}
    pub(super) trait Clone {}
    pub(super) trait Entity {}
    pub(super) struct Schema;
    pub(super) struct Field;
    pub(super) struct Fields;
    pub(super) struct FieldError;
    pub(super) struct Merge;
    pub(super) struct Tombstone;
    pub(super) struct Value;
    pub(super) struct Id;
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) mod serde {}
    pub(super) mod sync_core {}

    #[derive(::sync_core::Syncable)]
    pub(super) struct Note {
        #[sync(id)]
        pub(super) id: ::sync_core::Id<Note>,
        pub(super) title: ::std::string::String,
        #[sync(default, merge = "counter")]
        pub(super) count: i64,
        #[sync(default = "nothing")]
        pub(super) body: ::core::option::Option<::std::string::String>,
        #[sync(with = "by_hand")]
        pub(super) flag: bool,
        #[sync(skip)]
        pub(super) skipped: ::std::vec::Vec<u8>,
    }

    fn nothing<T>() -> ::core::option::Option<T> {
        ::core::option::Option::None
    }

    pub(super) mod by_hand {
        use ::serde::{Deserialize, Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            flag: &bool,
            serializer: S,
        ) -> ::core::result::Result<S::Ok, S::Error> {
            serializer.serialize_bool(*flag)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> ::core::result::Result<bool, D::Error> {
            bool::deserialize(deserializer)
        }
    }
}

/// No prelude at all.
mod bare {
    #![no_implicit_prelude]

    #[derive(::sync_core::Syncable)]
    #[sync(tombstone = "last_writer_wins")]
    pub(super) struct Note {
        #[sync(id)]
        pub(super) id: ::sync_core::Id<Note, ::std::string::String>,
        pub(super) title: ::std::string::String,
        #[sync(merge = "counter", default)]
        pub(super) count: i64,
        #[sync(skip)]
        pub(super) skipped: u8,
    }
}

/// Names that the generated code could have for itself.
#[derive(sync_core::Syncable, Debug, PartialEq)]
#[expect(non_snake_case, reason = "odd names are the point")]
struct r#Odd {
    #[sync(id)]
    __id: sync_core::Id<Odd, u64>,
    __fields: u8,
    __sync_fields: u8,
    __sync_id: u8,
    __sync_schema: u8,
    __sync_codecs: u8,
    r#type: u8,
    r#match: Option<u8>,
    fields: u8,
    CODECS: u8,
}

/// Associated names that get in the way of the trait's.
#[expect(dead_code, reason = "they are there to be in the way")]
impl Odd {
    const SCHEMA: () = ();
    const CODECS: () = ();
    fn id(&self) {}
    fn to_fields(&self) {}
    fn from_fields() {}
    fn default() {}
}

#[test]
fn shadowed_and_absent_preludes_do_not_matter() {
    use sync_core::{Entity, Id};
    let id = Id::new(sync_core::Uuid::nil());
    let note = shadowed::Note { id, title: "t".into(), count: 1, body: None, flag: true, skipped: vec![1] };
    let back = shadowed::Note::from_fields(id, &note.to_fields().unwrap()).unwrap();
    assert_eq!((back.title, back.count, back.body, back.flag), (note.title, 1, None, true));
    assert_eq!(back.skipped, [0; 0]);
    let note = bare::Note { id: "a".into(), title: "t".into(), count: 1, skipped: 4 };
    let back = bare::Note::from_fields("a".into(), &note.to_fields().unwrap()).unwrap();
    assert_eq!((back.id, back.title, back.count, back.skipped), (note.id, note.title, 1, 0));
}

#[test]
fn raw_and_odd_names_are_stored_as_they_are_spelt() {
    use sync_core::{Entity, Id};
    let expected = "__fields __sync_fields __sync_id __sync_schema __sync_codecs type match fields CODECS";
    assert_eq!(crate::names::<Odd>(), expected.split(' ').collect::<Vec<_>>());
    assert_eq!(<Odd as Entity>::SCHEMA.name, "odd");
    let odd = Odd {
        __id: Id::new(1),
        __fields: 1,
        __sync_fields: 2,
        __sync_id: 3,
        __sync_schema: 4,
        __sync_codecs: 5,
        r#type: 6,
        r#match: None,
        fields: 7,
        CODECS: 8,
    };
    let stored = <Odd as Entity>::to_fields(&odd).unwrap();
    assert_eq!(<Odd as Entity>::from_fields(Id::new(1), &stored).unwrap(), odd);
}

/// Structs in functions see what the function's block sees.
#[test]
fn structs_in_functions_work() {
    use sync_core::Id;

    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Local(u8);

    #[derive(sync_core::Syncable)]
    struct Inner {
        #[sync(id)]
        id: Id<Inner, u8>,
        local: Local,
    }

    let inner = Inner { id: Id::new(3), local: Local(4) };
    let back = Inner::from_fields(inner.id, &inner.to_fields().unwrap()).unwrap();
    assert_eq!((back.id, back.local), (inner.id, inner.local));
}

/// A struct that a macro makes, whose tokens come from two places.
macro_rules! entity {
    ($name:ident, $id:ty, $($field:ident: $ty:ty = $merge:expr),*) => {
        #[derive(sync_core::Syncable)]
        struct $name {
            #[sync(id)]
            id: $id,
            $(#[sync(merge = $merge)] $field: $ty,)*
        }
    };
}

entity!(Made, sync_core::Id<Made, u8>, count: i64 = "counter", tags: Vec<String> = "set");

#[test]
fn structs_that_macros_make_work() {
    let made = Made { id: sync_core::Id::new(1), count: 2, tags: vec!["a".into()] };
    let back = Made::from_fields(made.id, &made.to_fields().unwrap()).unwrap();
    assert_eq!((back.id, back.count, back.tags), (made.id, made.count, made.tags));
}
