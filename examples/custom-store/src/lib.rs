//! A sync-core Store over SQLite, as a user would write it.
