//! A sync-core Store in a redb file.
