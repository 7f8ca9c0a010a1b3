//! The faults, by what they concern.

mod exchange;
mod log;
mod order;
mod rules;

use crate::article::device::Device as Theirs;
use crate::article::server::Server;
use crate::ours::{Device as Ours, hub};
use sync_core::{Action, EntityKey, Entry, Op, Snapshot, reconcile};
use sync_testkit::history::Device as Author;

/// Noon of some day.
const NOON: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;

fn two_theirs() -> (Theirs, Theirs, Server) {
    (Theirs::new("a", NOON), Theirs::new("b", NOON), Server::default())
}

fn two_ours() -> (Ours, Ours, sync_core::Hub) {
    let hub = hub(NOON);
    (Ours::new("a", &hub, NOON), Ours::new("b", &hub, NOON), hub)
}

fn write(author: &mut Author, wall: u64, action: Action, title: &str) -> Entry {
    let mut entry = author.entry(wall, EntityKey::new("note", "n"), action);
    entry.fields = vec![("title".into(), Op::Assign(title.into()))];
    entry
}

fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Snapshot {
    reconcile(Snapshot::default(), entries).unwrap()
}

fn title(snapshot: &Snapshot) -> Option<String> {
    let (_, record) = snapshot.records().next()?;
    let register = record.get("title", &sync_core::Family::Assign)?;
    register.winner(&sync_core::Family::Assign)?.value.as_string().map(|title| title.into_owned())
}
