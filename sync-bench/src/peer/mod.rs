//! Everyone who takes part.

#[cfg(feature = "crdts")]
pub(crate) mod automerge;
pub(crate) mod case;
#[cfg(feature = "crdts")]
pub(crate) mod crdt;
#[cfg(not(feature = "crdts"))]
#[path = "without_crdts.rs"]
pub(crate) mod crdt;
pub(crate) mod http;
pub(crate) mod limit;
#[cfg(feature = "crdts")]
pub(crate) mod loro;
pub(crate) mod ours;
pub(crate) mod raw_redb;
pub(crate) mod sqlite;
#[cfg(feature = "crdts")]
pub(crate) mod yrs;
