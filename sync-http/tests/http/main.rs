//! The protocol over HTTP: its JSON, its client and its server, and the two together.

mod samples;
mod wire;
