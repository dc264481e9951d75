//! What a scene plays in: the set with its lights and its air, and the camera. The sets build it, the renderer reads it.
//!
//! Light is in linear RGB and in one unit: a matt white surface square to a key light of 1 comes out just below
//! display white. A daylight set has about 0.9 of key and 0.35 of ambient, a night set about 0.25 and 0.12, bluish.

use crate::part::Part;
use glam::Vec3;

/// All that stands still during a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// Solid things in world space.
    pub parts: Vec<Part>,
    /// The endless plane under everything, if there is one.
    pub ground: Option<Ground>,
    /// What is seen where nothing stands.
    pub sky: Sky,
    /// The one far light that casts shadows.
    pub key: DirectionalLight,
    /// The light from all around.
    pub ambient: Hemisphere,
    /// Near lights; the renderer's time grows with their number, so four or fewer.
    pub lights: Vec<PointLight>,
    /// How distance fades.
    pub fog: Fog,
    /// What moves through the air.
    pub fall: Fall,
    /// Size of the set against one made for people: the patterns of the ground and the air grow with it.
    pub scale: f32,
}

/// The endless ground plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ground {
    /// The pattern drawn on it.
    pub cover: Cover,
    /// Mean linear colour; the pattern varies about it.
    pub albedo: Vec3,
    /// How much it mirrors, 0 (dry) to 1 (a still puddle).
    pub wet: f32,
    /// Its height y in metres.
    pub level: f32,
}

/// The patterns of the ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Fine grit with patches and cracks.
    Asphalt,
    /// Mottled blades.
    Grass,
    /// Wind ripples.
    Sand,
    /// Soft drifts, slightly blue in the hollows.
    Snow,
    /// Moving waves that mirror the sky.
    Water,
    /// Planks along z.
    Wood,
    /// Rough blotches.
    Rock,
    /// Sand under water, with moving caustics.
    Seabed,
    /// Square tiles of 1 m with joints.
    Tiles,
    /// No pattern.
    Plain,
}

/// The sky: a gradient with a disc, stars and clouds on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sky {
    /// Linear colour straight up.
    pub zenith: Vec3,
    /// Linear colour at the horizon; the far ground fades into it when there is fog.
    pub horizon: Vec3,
    /// Linear colour straight down, seen where there is no ground.
    pub nadir: Vec3,
    /// The sun or the moon, if it shows.
    pub disc: Option<Disc>,
    /// Density of the stars, 0 to 1.
    pub stars: f32,
    /// Cover of the clouds, 0 to 1.
    pub clouds: f32,
    /// Linear colour of the clouds.
    pub cloud_colour: Vec3,
}

/// The sun or the moon as it is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disc {
    /// Unit vector from the eye to it.
    pub direction: Vec3,
    /// Linear colour; above 1 it glows.
    pub colour: Vec3,
    /// Angular radius in radians.
    pub radius: f32,
    /// Strength of the halo around it, 0 to 1.
    pub halo: f32,
}

/// A far light, such as the sun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectionalLight {
    /// Unit vector from the scene to the light.
    pub direction: Vec3,
    /// Linear colour times strength.
    pub colour: Vec3,
    /// How dark its shadows are, 0 (none) to 1.
    pub shadow: f32,
}

/// Light from all around: one colour from above, one from below, mixed by the normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hemisphere {
    /// What a surface facing up receives.
    pub above: Vec3,
    /// What a surface facing down receives.
    pub below: Vec3,
}

/// A near light: a lamp, a neon sign, a flame, or with a beam a spotlight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointLight {
    /// In world space.
    pub position: Vec3,
    /// Linear colour times strength, as received half the reach away.
    pub colour: Vec3,
    /// Metres after which it gives nothing.
    pub reach: f32,
    /// How much its strength wavers, 0 (steady) to 1 (a candle in the wind).
    pub flicker: f32,
    /// The cone that it is confined to, if any.
    pub beam: Option<Beam>,
}

/// The cone of a spotlight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    /// Unit vector in which it shines.
    pub direction: Vec3,
    /// Half its opening in radians; the edge is soft.
    pub half_angle: f32,
}

/// Air that hides what is far: a share of 1 - exp(-density * distance) turns to its colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fog {
    /// Linear colour.
    pub colour: Vec3,
    /// Per metre; 0 is clear air.
    pub density: f32,
}

/// What falls or drifts through the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fall {
    /// Nothing.
    None,
    /// Streaks, falling fast.
    Rain,
    /// Flakes, sinking and swaying.
    Snow,
    /// Small bubbles and motes, rising.
    Bubbles,
}

/// The camera at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Where it is.
    pub eye: Vec3,
    /// What it looks at; not the eye itself.
    pub target: Vec3,
    /// Turn about its own axis in radians; positive tips the picture's top to the right.
    pub roll: f32,
    /// Vertical field of view in radians.
    pub fov_y: f32,
    /// Nothing nearer than this many metres is drawn.
    pub near: f32,
}
