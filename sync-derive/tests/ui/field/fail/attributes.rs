//! What may stand on a field, and how. All of one struct's mistakes are reported together.

use sync_core::{Entity, Id, Syncable};

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(skipp, primary_key = "yes", indexed(unique))]
    unknown: u8,
    #[sync(entity = "x", tombstone = "delete_wins", crate = "y", rename_all = "camelCase")]
    misplaced: u8,
    #[sync(rename, alias, with, merge)]
    valueless: u8,
    #[sync(rename = 3, alias = name, with = 4, merge = 5, default = 6)]
    mistyped: u8,
    #[sync(with = "not a path", default = "1 + 1", merge = "a b")]
    no_paths: u8,
    #[sync(local = true, skip = "yes", default(x))]
    not_flags: u8,
    #[sync]
    bare: u8,
    #[sync = "skip"]
    assigned: u8,
    #[sync("skip")]
    quoted: u8,
    #[sync(default local)]
    no_comma: u8,
}

#[derive(Syncable)]
struct Repeated {
    #[sync(id)]
    id: Id<Repeated>,
    #[sync(skip, skip)]
    skip: u8,
    #[sync(local)]
    #[sync(local)]
    local: u8,
    #[sync(default, default = "x")]
    default: u8,
    #[sync(rename = "a", rename = "b")]
    rename: u8,
    #[sync(merge = "max", merge = "min")]
    merge: u8,
    #[sync(with = "a", with = "b")]
    with: u8,
}

fn entity<E: Entity>() {}

fn main() {
    entity::<Wrong>();
    entity::<Repeated>();
}
