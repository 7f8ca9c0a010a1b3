//! The protocol over HTTP: its JSON, its client and its server, and the two together.

#![allow(clippy::unwrap_used)] // A helper of a test that fails is a test that fails.

mod client;
mod conformance;
mod hostile;
mod samples;
mod serving;
mod slow;
mod support;
mod wire;
