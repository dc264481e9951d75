//! The film stage: a software renderer of procedural 3-D film scenes with captions and ground truth.

mod facts;
mod part;
mod sample;
mod scene;
mod set;
mod validate;
mod vocabulary;

pub use facts::Facts;
pub use part::{Material, Part, Shape};
pub use sample::{is_held_out, reserved};
pub use scene::{Actor, Format, Scene, Shot};
pub use set::{
    Beam, Camera, Cover, DirectionalLight, Disc, Fall, Fog, Ground, Hemisphere, PointLight, Set, Sky,
};
pub use validate::SceneError;
pub use vocabulary::*;
