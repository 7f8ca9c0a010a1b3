//! What the store promises, tried from outside.

mod bytes;
mod contract;
mod creation;
mod damage;
mod errors;
mod failing;
mod image;
mod life;
mod power;
mod spaces;
