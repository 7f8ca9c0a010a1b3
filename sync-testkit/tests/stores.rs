//! The reference backend passes its own kit.

use std::sync::Arc;

use sync_core::{MemoryStore, Store};

sync_testkit::store_tests!(memory, || {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    move || store.clone()
});
