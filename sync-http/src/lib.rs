//! Sync over HTTP: a [`Transport`](sync_core::Transport) for devices, and a server for hubs.
//!
//! - [`HttpTransport`] (feature `client`) is a device's way to a hub.
//! - [`server::HubService`] (feature `server`) is a hub as a tower service; [`server::serve`] runs it.
//! - [`wire`] is the protocol's JSON without any I/O, for other clients and servers.
//!
//! Features: `client`, `server` and `zstd` are on by default; `tls` adds `https://` to the client.

pub mod wire;

#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "client", feature = "server"))]
mod coding;
#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "client")]
pub use client::HttpTransport;
#[cfg(feature = "server")]
pub use server::{HubService, serve};

// The first program that anybody copies has to compile. Here, where all of its crates are at hand.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
