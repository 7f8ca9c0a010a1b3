//! What waits for a checkpoint is bounded by what it weighs, not by its number alone.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{MemoryStore, Store};

use super::support::{Set, builder, hub_on, note, run};

/// Whether a checkpoint was made of a few notes with titles of so many bytes, that came down or were written here.
fn is_due(bytes: usize, comes_down: bool) -> bool {
    let clock = Set::new();
    let hub = hub_on(MemoryStore::new(), &clock).transport("tester");
    let stores = [Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new())];
    let replicas = stores.clone().map(|store| builder(&clock).checkpoint_after(100).open(store).unwrap());
    for n in 0..80 {
        replicas[0].create(note(&n.to_string(), &"x".repeat(bytes))).unwrap().wait().unwrap();
    }
    if comes_down {
        for replica in &replicas {
            run(replica.sync(&hub)).unwrap();
        }
    }
    // It is made beside whoever brought what it is made of.
    for _ in 0..if bytes > 100 { 1_000 } else { 20 } {
        if stores[usize::from(comes_down)].heads().unwrap().covers > 0 {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

#[test]
fn a_checkpoint_is_due_sooner_where_entries_are_large() {
    for comes_down in [false, true] {
        assert!(!is_due(10, comes_down), "eighty small entries are fewer than a hundred");
        assert!(is_due(8 << 10, comes_down), "eighty large ones are more");
    }
}
