//! A type that the macro has never heard of may be an alias of an `Id`, so it is the compiler that says no.

use sync_core::{Id, Syncable};

type NoteId = Id<Note>;

#[derive(Syncable)]
struct Note {
    #[sync(id)]
    id: NoteId,
}

struct Handle;

#[derive(Syncable)]
struct Handled {
    #[sync(id)]
    id: Handle,
}

fn main() {}
