//! Conformance kits, laws and simulation for sync-core.

mod devices;
pub mod history;
pub mod laws;
pub mod oracle;
pub mod rng;
pub mod sim;
pub mod store;
pub mod transport;

pub use devices::{Device, Devices, devices};
