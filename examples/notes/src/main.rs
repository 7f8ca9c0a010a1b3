//! Notes that work offline and sync: the reference example.
fn main() {}
