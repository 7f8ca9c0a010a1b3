//! Counters count integers, and sets are collections: said once each, at the field's type.

use serde::{Deserialize, Serialize};
use sync_core::{Entity, Id, Syncable};

struct Opaque;

#[derive(Serialize, Deserialize)]
struct Text(String);

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(merge = "counter")]
    float: f64,
    #[sync(merge = "counter")]
    counted_opaque: Opaque,
    #[sync(merge = "set")]
    no_collection: Text,
    #[sync(merge = "set")]
    list_of_opaque: Vec<Opaque>,
    #[sync(merge = OPAQUE)]
    no_policy: String,
}

const OPAQUE: Opaque = Opaque;

fn entity<E: Entity>() {}

fn main() {
    entity::<Wrong>();
}
