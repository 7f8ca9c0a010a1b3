//! What the store promises, tried from outside.

mod bytes;
mod contract;
mod creation;
mod damage;
mod failing;
mod power;
mod spaces;
