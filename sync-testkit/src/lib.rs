//! Conformance kits, laws and simulation for sync-core.

pub mod store;
