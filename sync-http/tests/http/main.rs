//! The protocol over HTTP: its JSON, its client and its server, and the two together.

#![allow(clippy::unwrap_used)] // A helper of a test that fails is a test that fails.

mod conformance;
mod samples;
mod wire;
