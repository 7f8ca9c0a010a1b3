pub use sync_core as _c;
