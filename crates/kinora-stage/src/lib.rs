//! The film stage: a software renderer of procedural 3-D film scenes with captions and ground truth.

mod batch;
mod blocking;
mod camera;
mod caption;
mod facts;
mod frame;
mod ground;
mod hit;
mod lens;
mod look;
mod outline;
mod paint;
mod part;
mod picture;
mod raster;
mod render;
mod sample;
mod scene;
mod set;
mod sets;
mod shade;
mod shadow;
mod sky;
mod subjects;
mod texture;
mod truth;
mod validate;
mod view;
mod vocabulary;
mod weather;

pub use caption::{Fact, Length, caption, describe, moves, phrases, words};
pub use facts::Facts;
pub use part::{Material, Part, Shape};
pub use render::{
    Render, StageError, render, render_range, render_range_with_truth, render_with_truth,
};
pub use sample::{is_held_out, reserved};
pub use scene::{Actor, Format, Scene, Shot};
pub use set::{
    Beam, Camera, Cover, DirectionalLight, Disc, Fall, Fog, Ground, Hemisphere, PointLight, Set,
    Sky,
};
pub use subjects::{Extent, albedo, extent, pose, speed};
pub use truth::{ActorTruth, Bounds, CameraPose, FrameTruth, Truth};
pub use validate::SceneError;
pub use view::{View, views};
pub use vocabulary::*;
