//! The model: what entries mean. Pure: no clock, no randomness, no I/O, no async.
//!
//! Read in this order: [`value`], [`stamp`], [`digest`], [`context`], [`op`], [`entry`], [`batch`], [`register`], [`record`], [`snapshot`].

pub mod batch;
mod canonical;
pub mod codec;
pub mod conflict;
pub mod context;
pub mod digest;
pub mod entry;
mod fold;
mod hash;
mod ids;
mod interner;
mod join;
pub mod json;
pub mod op;
pub mod policy;
pub mod record;
pub mod register;
pub(crate) mod shared;
pub mod snapshot;
pub mod stamp;
mod table;
pub mod value;
