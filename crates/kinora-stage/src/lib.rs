//! The film stage: a software renderer of procedural 3-D film scenes with captions and ground truth.

mod part;
mod scene;
mod set;
mod vocabulary;

pub use part::{Material, Part, Shape};
pub use scene::{Actor, Format, Scene, Shot};
pub use set::{
    Beam, Camera, Cover, DirectionalLight, Disc, Fall, Fog, Ground, Hemisphere, PointLight, Set, Sky,
};
pub use vocabulary::*;
