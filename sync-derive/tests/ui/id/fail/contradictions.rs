//! There is one id, and it is not one of the stored fields.

use sync_core::{Id, Syncable};

#[derive(Syncable)]
struct Twice {
    #[sync(id)]
    id: Id<Twice>,
    #[sync(id)]
    other: Id<Twice>,
    #[sync(id)]
    third: Id<Twice>,
}

#[derive(Syncable)]
struct Overloaded {
    #[sync(id, skip, local, default, rename = "key", alias = "uid", merge = "first", with = "text")]
    id: Id<Overloaded>,
}

#[derive(Syncable)]
struct Repeated {
    #[sync(id, id)]
    #[sync(id)]
    id: Id<Repeated>,
}

fn main() {}
