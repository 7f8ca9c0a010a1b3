//! Counters count integers, and sets are collections: said once each, at the field's type.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{Entity, Id, Syncable};

struct Opaque;

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(merge = "counter")]
    float: f64,
    #[sync(merge = "counter", default)]
    option: Option<i64>,
    #[sync(merge = "counter")]
    counted_opaque: Opaque,
    #[sync(merge = "set")]
    text: String,
    #[sync(merge = "set")]
    map: BTreeMap<String, u8>,
    #[sync(merge = "set")]
    set_of_opaque: BTreeSet<Vec<Opaque>>,
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
