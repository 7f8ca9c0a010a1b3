//! A hub over HTTP: [`HubService`] answers requests, [`serve`](serve()) accepts connections.
//!
//! `HubService` is a [`tower_service::Service`] over any request body, so it runs as well inside axum or under tower
//! layers (CORS, tracing, rate limits) as by itself:
//!
//! ```no_run
//! # async fn run(hub: sync_core::Hub) -> std::io::Result<()> {
//! use sync_http::server::{HubService, ServeOptions, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let shutdown = std::future::pending();
//! serve(listener, HubService::for_hub(hub), shutdown, ServeOptions::default()).await;
//! # Ok(())
//! # }
//! ```
//!
//! What a connection may take is for whoever serves it: [`ServeOptions`] are of [`serve`](serve()) alone. Another
//! server needs deadlines of its own for heads, for idling, and for clients that do not read their replies; of the
//! service itself are those for bodies, and all that [`RequestLimits`] has.

mod activity;
mod auth;
mod body;
mod call;
mod endpoints;
mod handle;
mod live;
mod metrics;
mod options;
mod pages;
mod reply;
mod route;
mod serve;
mod service;
mod streams;
mod timed;

pub use auth::{Anyone, Authenticate, Refusal, Tokens};
pub use options::{RequestLimits, ServeOptions};
pub use reply::ReplyBody;
pub use serve::{Listener, serve};
pub use service::{HubService, HubServiceBuilder};
