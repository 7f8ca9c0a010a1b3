//! Stored names: reserved ones, and two of one name.

use sync_core::{Id, Syncable};

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(rename = "")]
    empty: u8,
    #[sync(rename = "$add")]
    reserved: u8,
    #[sync(alias = "", alias = "$value")]
    aliases: u8,
}

#[derive(Syncable)]
struct Repeated {
    #[sync(id)]
    id: Id<Repeated>,
    title: u8,
    #[sync(rename = "title")]
    renamed: u8,
    #[sync(alias = "title")]
    aliased: u8,
    #[sync(alias = "later")]
    earlier: u8,
    later: u8,
    #[sync(rename = "x", alias = "x", alias = "y", alias = "y")]
    own: u8,
}

#[derive(Syncable)]
#[sync(rename_all = "lowercase")]
#[allow(non_snake_case)]
struct Cased {
    #[sync(id)]
    id: Id<Cased>,
    dueDate: u8,
    #[sync(rename = "dueDate")]
    due: u8,
}

fn main() {}
