//! Everyone who takes part.

pub(crate) mod automerge;
pub(crate) mod case;
pub(crate) mod http;
pub(crate) mod limit;
pub(crate) mod loro;
pub(crate) mod ours;
pub(crate) mod raw_redb;
pub(crate) mod sqlite;
pub(crate) mod yrs;
