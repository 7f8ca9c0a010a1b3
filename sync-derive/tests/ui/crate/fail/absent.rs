//! One error if sync-core is not where the struct says it is.

extern crate core as sync_core;
extern crate sync_core as other;

#[derive(other::Syncable)]
struct Renamed {
    #[sync(id)]
    id: other::Id<Renamed>,
    title: String,
}

#[derive(other::Syncable)]
#[sync(crate = "nowhere")]
struct Lost {
    #[sync(id)]
    id: other::Id<Lost>,
    title: String,
}

fn main() {}
