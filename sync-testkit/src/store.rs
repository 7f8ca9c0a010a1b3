//! The conformance kit for storage backends: [`store_tests!`](crate::store_tests) tries the whole contract of
//! [`Store`] on yours.
//!
//! ```
//! use std::sync::Arc;
//! use sync_core::{MemoryStore, Store};
//!
//! # #[cfg(test)] // so that the module's tests are not compiled as part of an example
//! sync_testkit::store_tests!(memory, || {
//!     let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//!     move || store.clone()
//! });
//! ```
//!
//! This makes a module `memory` with one `#[test]` a case. The expression is called for a *fresh place* (a new
//! directory, schema or name); what it returns is called to *open the store in that place*: once, and again after all
//! that was opened before was dropped, as after a restart. A store in a file:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use sync_core::{MemoryStore, Store};
//! # // Stands for a store in a file: it only has to compile here.
//! # struct FileStore;
//! # impl FileStore { fn open(_: std::path::PathBuf) -> Result<MemoryStore, sync_core::StoreError> { Ok(MemoryStore::new()) } }
//! # fn tempdir() -> Result<std::path::PathBuf, std::io::Error> { Ok(std::env::temp_dir()) }
//! let fresh = || {
//!     let dir = tempdir().expect("a directory for the test");
//!     move || -> Arc<dyn Store> { Arc::new(FileStore::open(dir.join("store")).expect("the store opens")) }
//! };
//! # sync_testkit::store::journal::positions_are_dense(&|| Box::new(fresh()));
//! ```
//!
//! A case is a function that panics where the store breaks the contract; call one by itself to look into it.
//! [`random::behaves_like_memory`] compares random histories with [`MemoryStore`](sync_core::MemoryStore) and prints
//! the shortest one that differs, with its seed; `SYNC_TESTKIT_SEED` and `SYNC_TESTKIT_CASES` choose others.
//!
//! What it cannot try: the loss of power, and a second process.

use std::fmt::Debug;
use std::sync::Arc;

use sync_core::{Checkpoint, Position, Store, StoreError};

pub mod crash;
pub mod durable;
pub mod journal;
pub mod map;
pub mod random;
pub mod threads;

/// Opens the store in one place, again and again.
pub type Open = Box<dyn Fn() -> Arc<dyn Store>>;

/// Makes a fresh place for a store.
pub type Fresh<'a> = dyn Fn() -> Open + 'a;

/// Tries the contract of [`Store`](sync_core::Store) on a backend: one `#[test]` a case, in a module that is named by
/// the first argument, or `store_tests`. See [`store`](crate::store).
#[macro_export]
macro_rules! store_tests {
    ($fresh:expr) => {
        $crate::store_tests!(store_tests, $fresh);
    };
    ($module:ident, $fresh:expr) => {
        #[cfg(test)]
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            $crate::store_tests!(@cases $fresh;
                journal::a_new_store_is_empty,
                journal::positions_are_dense,
                journal::a_moved_journal_refuses,
                journal::an_empty_append_only_checks,
                journal::pages_are_bounded,
                journal::pages_of_large_commits_are_whole,
                journal::commits_are_any_bytes,
                journal::old_commits_are_dropped,
                journal::positions_are_never_reused,
                map::keys_and_values_are_any_bytes,
                map::the_longest_keys_are_told_apart,
                map::large_values_are_whole,
                map::ranges_are_in_order_and_bounded,
                map::ranges_of_large_values_are_whole,
                map::drops_come_before_puts,
                map::a_checkpoint_covers,
                map::a_checkpoint_never_goes_back,
                durable::opening_again_keeps_all,
                durable::reclaiming_keeps_all,
                durable::stores_share_nothing,
                threads::one_append_wins_each_position,
                threads::no_half_of_a_call_is_seen,
                threads::appends_go_on_beside_checkpoints,
                threads::what_returned_is_seen_by_others,
                crash::a_device_keeps_what_it_acknowledged,
                crash::a_hub_keeps_what_it_accepted,
                random::behaves_like_memory,
            );
        }
    };
    (@cases $fresh:expr; $($theme:ident :: $case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            $crate::store::$theme::$case(&|| Box::new(($fresh)()));
        }
    )*};
}

/// The value, or a failure of the test that says which call failed.
#[track_caller]
fn ok<T>(call: &str, result: Result<T, StoreError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("`{call}` failed: {error} ({error:?})"),
    }
}

/// Fails unless the store's answer is the one that the contract asks for.
#[track_caller]
fn expect<T: PartialEq + Debug>(what: &str, found: T, expected: T) {
    assert!(found == expected, "{what}: the store says {found:?}, the contract {expected:?}");
}

/// Appends behind the journal's end, and returns the new end.
#[track_caller]
fn append(store: &dyn Store, commits: &[&[u8]]) -> Position {
    let last = ok("heads", store.heads()).last;
    ok("append", store.append(last, commits))
}

/// More bytes together than what some backends return at once.
fn large() -> Vec<Vec<u8>> {
    (0..72).map(|n| vec![n; 256 << 10]).collect()
}

/// Some keys put.
fn puts(rows: &[(&[u8], &[u8])]) -> Checkpoint {
    let puts = rows.iter().map(|(key, bytes)| (key.to_vec(), bytes.to_vec())).collect();
    Checkpoint { puts, ..Checkpoint::default() }
}

/// A commit's bytes, as the journal returns them.
fn row(position: Position, bytes: &[u8]) -> (Position, Vec<u8>) {
    (position, bytes.to_vec())
}
