//! A device's way to a hub: [`HttpTransport`].

mod address;
mod builder;
mod exchange;
mod greeting;
mod http_client;
mod live;
mod retry;
mod transport;

pub use address::BadAddress;
pub use builder::HttpTransportBuilder;
pub use http_client::{HttpBody, HttpClient, HyperClient};
pub use transport::HttpTransport;
