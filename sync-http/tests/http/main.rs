//! The protocol over HTTP: its JSON, its client and its server, and the two together.

#![allow(clippy::unwrap_used)] // A helper of a test that fails is a test that fails.
#![allow(clippy::print_stdout)] // Figures, which are shown when they are asked for.

mod abuse;
mod apart;
mod client;
mod compact;
mod conformance;
mod hostile;
mod huge;
mod limits;
mod proxies;
mod samples;
mod serving;
mod slow;
mod support;
mod wire;

/// A number from the surroundings, to try more than every day or something else.
fn number(name: &str, everyday: u64) -> u64 {
    std::env::var(name).map_or(everyday, |text| text.parse().expect("a number"))
}
