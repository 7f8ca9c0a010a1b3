//! The id is an `Id` of this struct.

use sync_core::{Entity, Id, Syncable, Uuid};

#[derive(Syncable)]
struct Text {
    #[sync(id)]
    id: String,
}

#[derive(Syncable)]
struct Number {
    #[sync(id)]
    id: u64,
}

#[derive(Syncable)]
struct Signed {
    #[sync(id)]
    id: i32,
}

#[derive(Syncable)]
struct Bare {
    #[sync(id)]
    id: Uuid,
}

#[derive(Syncable)]
struct Borrowed {
    #[sync(id)]
    id: &'static str,
}

#[derive(Syncable)]
struct Copied {
    #[sync(id)]
    id: Id<Text>,
}

#[derive(Syncable)]
struct CopiedWithKey {
    #[sync(id)]
    id: Id<Text, u8>,
}

fn entity<E: Entity>(entity: &E) -> &Id<E, E::Key> {
    entity.id()
}

fn used(text: &Text, number: &Number, copied: &Copied, with_key: &CopiedWithKey) {
    entity(text);
    entity(number);
    entity(copied);
    entity(with_key);
}

fn main() {}
