//! A crate without a prelude.

#![no_implicit_prelude]

#[derive(::sync_core::Syncable)]
struct Note {
    #[sync(id)]
    id: ::sync_core::Id<Note>,
    title: ::std::string::String,
    body: ::core::option::Option<::std::string::String>,
    #[sync(merge = "set", default)]
    tags: ::std::collections::BTreeSet<::std::string::String>,
    #[sync(skip)]
    skipped: u8,
}

fn main() {
    let id = ::sync_core::Id::new(::sync_core::Uuid::nil());
    let error = <Note as ::sync_core::Entity>::from_fields(id, &::sync_core::Fields::new());
    ::std::assert!(::core::result::Result::is_err(&error));
    let _ = |note: Note| (note.id, note.title, note.body, note.tags, note.skipped);
}
