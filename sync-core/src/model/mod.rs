//! The model: what entries mean. Pure: no clock, no randomness, no I/O, no async.

pub mod policy;
pub mod value;
