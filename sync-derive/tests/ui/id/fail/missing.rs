//! One error for a missing id, and none where the type is used.

use sync_core::{Entity, Id, Syncable};

#[derive(Syncable)]
struct Nameless {
    title: String,
}

#[derive(Syncable)]
struct Unmarked {
    parent: Id<Nameless>,
    id: Id<Unmarked>,
}

#[derive(Syncable)]
struct Misspelt {
    #[sync(Id)]
    id: Id<Misspelt>,
}

fn entity<E: Entity>(entity: &E) -> &Id<E, E::Key> {
    entity.id()
}

fn used(nameless: &Nameless, unmarked: &Unmarked, misspelt: &Misspelt) {
    entity(nameless);
    entity(unmarked);
    entity(misspelt);
}

fn main() {}
