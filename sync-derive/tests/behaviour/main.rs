//! What the derived code does.
mod a;
