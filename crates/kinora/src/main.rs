//! crates/kinora
fn main() {}
