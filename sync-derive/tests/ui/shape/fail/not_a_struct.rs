//! Only structs with named fields are entities; what uses the type is not in error too.

use sync_core::{Entity, Syncable};

#[derive(Syncable)]
enum Either {
    One(u8),
    Two { name: String },
}

#[derive(Syncable)]
union Overlapping {
    one: u8,
    two: i8,
}

#[derive(Syncable)]
struct Pair(u8, #[sync(skip)] u8);

#[derive(Syncable)]
struct Unit;

#[derive(Syncable)]
#[sync(entiti = "generic")]
enum Generic<T> {
    One(T),
}

fn entity<E: Entity>() {}

fn main() {
    entity::<Either>();
    entity::<Overlapping>();
    entity::<Pair>();
    entity::<Unit>();
    entity::<Generic<u8>>();
}
