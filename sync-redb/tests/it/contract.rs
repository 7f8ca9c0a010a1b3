//! The contract of `Store`, kept by a file of its own and by the spaces of a shared one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use sync_core::Store;
use sync_redb::{RedbFile, RedbStore};

sync_testkit::store_tests!(own_file, || {
    let dir = tempfile::tempdir().unwrap();
    move || -> Arc<dyn Store> { Arc::new(RedbStore::open(dir.path().join("store.redb")).unwrap()) }
});

/// One file for all the cases at once, so that each sees that the others' spaces are not in its way.
static SHARED: LazyLock<RedbFile> = LazyLock::new(|| {
    let backend = redb::backends::InMemoryBackend::new();
    RedbFile::with_backend(backend).expect("a database in memory")
});
static SPACES: AtomicU32 = AtomicU32::new(0);

sync_testkit::store_tests!(shared_file, || {
    let name = format!("space {}", SPACES.fetch_add(1, Ordering::Relaxed));
    move || -> Arc<dyn Store> { Arc::new(SHARED.space(&name).unwrap()) }
});
