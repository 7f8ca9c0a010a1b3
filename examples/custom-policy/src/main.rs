//! A field policy of a user's own.
fn main() {}
