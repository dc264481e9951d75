//! Model definitions, one folder a family, and the registry of what can be used.

pub mod kinora1;
pub mod registry;
pub mod wan;
