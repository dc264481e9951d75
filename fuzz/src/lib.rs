//! What the targets have in common: the readings of the random damages in `kinora-models`.

#[path = "../../crates/kinora-models/tests/reading/mod.rs"]
pub mod reading;
