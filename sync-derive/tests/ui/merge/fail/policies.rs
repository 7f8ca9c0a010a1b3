//! Names of policies.

use sync_core::{Id, Syncable};

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(merge = "last_writer_wins")]
    misspelt: u8,
    #[sync(merge = "")]
    empty: u8,
    #[sync(merge = counter)]
    unquoted: i64,
}

fn main() {}
