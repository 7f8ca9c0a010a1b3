//! A type that cannot be stored, or has no default, is said once, at the field's type; also beside other mistakes.

use serde::{Deserialize, Serialize};
use sync_core::{Entity, Id, Syncable};

struct Opaque;

#[derive(Serialize)]
struct WriteOnly;

#[derive(Serialize, Deserialize)]
struct NoDefault;

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    opaque: Opaque,
    write_only: WriteOnly,
    borrowed: &'static str,
    #[sync(local)]
    local: Opaque,
    #[sync(skip)]
    skipped: NoDefault,
    #[sync(default)]
    defaulted: NoDefault,
    #[sync(default = "number")]
    mistyped: String,
    #[sync(skip, default = "number")]
    mistyped_too: String,
}

fn number() -> u8 {
    1
}

#[derive(Syncable)]
struct WrongTwice {
    #[sync(id)]
    id: Id<WrongTwice>,
    #[sync(renam = "x")]
    misspelt: Opaque,
    opaque: Opaque,
}

fn entity<E: Entity>() {}

fn main() {
    entity::<Wrong>();
    entity::<WrongTwice>();
}
