//! A sync-core Transport over plain files, as a user would write it.
