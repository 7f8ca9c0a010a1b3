//! Counters count integers, sets are collections, and bounds are ordered as they are stored: said once each, at the field's type.

use serde::{Deserialize, Serialize};
use sync_core::{Entity, Id, Syncable};

struct Opaque;

#[derive(Serialize, Deserialize)]
struct Text(String);

#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Low,
    High,
}

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(merge = "counter")]
    float: f64,
    #[sync(merge = "counter")]
    counted_opaque: Opaque,
    #[sync(merge = "max")]
    by_the_alphabet: Level,
    #[sync(merge = "min")]
    by_its_spelling: (u32, u32),
    #[sync(merge = "max")]
    bound_opaque: Opaque,
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
