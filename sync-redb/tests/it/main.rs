//! What the store promises, tried from outside.

#![allow(clippy::print_stdout, reason = "figures, which are shown when they are asked for")]

mod bytes;
mod contract;
mod creation;
mod damage;
mod errors;
mod failing;
mod image;
mod life;
mod pause;
mod pieces;
mod power;
mod rot;
mod spaces;
mod torn;
mod views;

/// A number from the surroundings, to try more than every day or something else.
fn number(name: &str, everyday: u64) -> u64 {
    std::env::var(name).map_or(everyday, |text| text.parse().expect("a number"))
}
