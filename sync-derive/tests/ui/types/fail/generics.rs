//! A parameter is bound by what the fields need: said where an argument does not fit.

use sync_core::{Entity, Id, Syncable};

struct Opaque;

#[derive(Syncable)]
struct Holder<T> {
    #[sync(id)]
    id: Id<Holder<T>>,
    #[sync(default)]
    value: T,
}

#[derive(Syncable)]
struct Counted<T> {
    #[sync(id)]
    id: Id<Self>,
    #[sync(merge = "counter")]
    count: T,
}

fn entity<E: Entity>() {}

fn main() {
    entity::<Holder<u8>>();
    entity::<Holder<Opaque>>();
    entity::<Counted<u8>>();
    entity::<Counted<f64>>();
}
