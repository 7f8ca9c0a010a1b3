//! What an id may be made of.

use sync_core::{Id, Syncable};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Isbn(u64);

#[derive(Syncable)]
struct Book {
    #[sync(id)]
    id: Id<Book, Isbn>,
}

fn main() {}
