//! What may stand on the struct, and how.

use sync_core::{Id, Syncable};

#[derive(Syncable)]
#[sync(
    kind = "note",
    tombstone = "delete_win",
    rename_all = "CamelCase",
    entity = note,
    id,
    merge = "set",
    some::path,
    crate,
    default(3),
)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
}

#[derive(Syncable)]
#[sync]
#[sync = "note"]
#[sync("note")]
#[sync(entity = "a", entity = "b")]
#[sync(tombstone = "delete_wins", rename_all = "camelCase" default)]
#[sync(rename_all = "camelCase", tombstone = "last_writer_wins")]
struct Repeated {
    #[sync(id)]
    id: Id<Repeated>,
}

#[derive(Syncable)]
#[sync(entity = "")]
struct Empty {
    #[sync(id)]
    id: Id<Empty>,
}

#[derive(Syncable)]
#[sync(entity = "$note")]
struct Reserved {
    #[sync(id)]
    id: Id<Reserved>,
}

#[derive(Syncable)]
#[sync(entity = "no\nte")]
struct Control {
    #[sync(id)]
    id: Id<Control>,
}

#[derive(Syncable)]
struct ANameOfAStructThatIsLongerThanAnyHubTakesWhichNobodyWouldWriteByHandButAProgramThatMakesTypesOfASchemaMightDoSoWithoutAnyoneNoticingIt {
    #[sync(id)]
    id: Id<Self>,
}

fn main() {}
