//! A scene as a typed value: all that a caption can say of a clip, and the seed of all that it can't.

use crate::vocabulary::{
    Action, Angle, CameraMove, Colour, Emotion, Light, Look, Relation, Setting, ShotSize, Subject,
    Weather,
};
use serde::{Deserialize, Serialize};

/// One subject in the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who or what it is.
    pub subject: Subject,
    /// Its main colour.
    pub colour: Colour,
    /// What it does.
    pub action: Action,
    /// What it shows.
    pub emotion: Emotion,
}

/// How the scene is filmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shot {
    /// How much of the first subject fills the frame.
    pub size: ShotSize,
    /// Where the camera looks from.
    pub angle: Angle,
    /// How the camera moves.
    pub camera_move: CameraMove,
}

/// A film scene. Two equal scenes render to the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scene {
    /// Decides what no field names: textures, phases, the exact placement.
    pub seed: u64,
    /// Where it plays.
    pub setting: Setting,
    /// The light.
    pub light: Light,
    /// The weather.
    pub weather: Weather,
    /// The finish of the picture.
    pub look: Look,
    /// One to four subjects.
    pub cast: Vec<Actor>,
    /// How the subjects stand to each other; `Alone` if and only if there is one.
    pub relation: Relation,
    /// How it is filmed.
    pub shot: Shot,
}

/// Size, length and rate of a rendered clip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Format {
    /// Pixels across, at least 1.
    pub width: u32,
    /// Pixels down, at least 1.
    pub height: u32,
    /// Number of frames, at least 1.
    pub frames: u32,
    /// Frames a second.
    pub fps: f32,
}
