//! Attributes of which one says the opposite of another.

use sync_core::{Id, Syncable};

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(skip, merge = "set")]
    skipped_set: Vec<u8>,
    #[sync(rename = "a", skip, alias = "b", with = "c", local)]
    skipped: u8,
    #[sync(local, merge = "counter")]
    local_counter: i64,
    #[sync(merge = "first", local)]
    local_first: String,
    #[sync(merge = PATH, local)]
    local_own: String,
    #[sync(merge = "counter", default = "three")]
    never_absent: i64,
    #[sync(default = three_of_them, merge = "set")]
    never_absent_either: Vec<u8>,
    #[sync(merge = "counter", default)]
    says_nothing_else: i64,
}

fn main() {}
