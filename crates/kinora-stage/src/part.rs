//! What subjects and settings are built from: simple shapes with a transform and a material.
//!
//! Space is right-handed, in metres, y up. A subject stands on y = 0 with its origin between its feet and faces +z.

use glam::{Affine3A, Vec3};

/// A unit shape; its `Part::transform` scales, turns and places it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Sphere of radius 1 about the origin.
    Sphere,
    /// Cube from -1 to 1 on each axis.
    Cube,
    /// Cylinder of radius 1 about the y axis, y from -1 to 1, closed.
    Cylinder,
    /// Cone of radius 1 at y = -1 with its tip at y = 1, closed.
    Cone,
    /// Flat square in the xz plane from -1 to 1, facing +y, seen from both sides.
    Quad,
    /// Triangle (-1, -1, 0), (1, -1, 0), (0, 1, 0), seen from both sides.
    Triangle,
}

/// How a part takes light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Material {
    /// Linear RGB, 0 to 1.
    pub albedo: Vec3,
    /// Linear RGB light the part sends out itself, 0 for most.
    pub emission: Vec3,
    /// Strength of the highlight, 0 (matt) to 1 (polished).
    pub gloss: f32,
    /// 1 is solid, less lets the background through (ghosts, flames).
    pub opacity: f32,
}

/// One shape of a subject or a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Which unit shape.
    pub shape: Shape,
    /// From the unit shape to the space of its owner.
    pub transform: Affine3A,
    /// How it takes light.
    pub material: Material,
}
