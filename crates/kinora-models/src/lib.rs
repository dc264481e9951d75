//! Model definitions, one folder a family, and the registry of what can be used.

pub mod kinora1;
mod model;
pub mod registry;
pub mod wan;

pub use model::{Blocks, Cache, Family, Geometry, Levels, Model, Reading, Text, run_all};
