//! Puts parts together: joints as transforms, and the few ways of placing a unit shape on one.

use crate::part::{Material, Part, Shape};
use glam::{Affine3A, EulerRot, Mat3A, Quat, Vec3};

/// A point or a size, in metres.
pub(super) fn v(x: f32, y: f32, z: f32) -> Vec3 {
    Vec3::new(x, y, z)
}

/// A joint at `at` on its parent, turned by pitch (x; positive leans forward), yaw (y) and roll (z) in radians.
pub(super) fn joint(parent: Affine3A, at: Vec3, turn: Vec3) -> Affine3A {
    let rotation = Quat::from_euler(EulerRot::YXZ, turn.y, turn.x, turn.z);
    parent * Affine3A::from_rotation_translation(rotation, at)
}

/// How a limb hangs: 0 is straight down. Radians.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limb {
    /// Forward from the shoulder or hip.
    pub swing: f32,
    /// Outward from the body.
    pub spread: f32,
    /// At the elbow (forward) or knee (backward).
    pub bend: f32,
}

/// A limb with its three angles.
pub(super) fn limb(swing: f32, spread: f32, bend: f32) -> Limb {
    Limb {
        swing,
        spread,
        bend,
    }
}

impl Limb {
    /// The joint that carries the limb, for the body's side `side` (+1 is its left, at +x).
    pub fn upper(&self, parent: Affine3A, at: Vec3, side: f32) -> Affine3A {
        let rotation =
            Quat::from_rotation_z(side * self.spread) * Quat::from_rotation_x(-self.swing);
        parent * Affine3A::from_rotation_translation(rotation, at)
    }

    /// How far below its joint a leg of two halves, each `half` long, reaches when the body is pitched by `pitch`.
    pub fn reach(&self, half: f32, pitch: f32) -> f32 {
        let upper = self.swing - pitch;
        half * self.spread.cos() * (upper.cos() + (upper - self.bend).cos())
    }
}

/// The parts put together so far.
#[derive(Default)]
pub(super) struct Rig {
    pub parts: Vec<Part>,
}

impl Rig {
    /// Any shape with half-sizes `half`, turned and placed on a joint.
    pub fn put(
        &mut self,
        joint_at: Affine3A,
        shape: Shape,
        at: Vec3,
        turn: Vec3,
        half: Vec3,
        material: Material,
    ) {
        let transform = joint(joint_at, at, turn) * Affine3A::from_scale(half);
        self.parts.push(Part {
            shape,
            transform,
            material,
        });
    }

    /// An ellipsoid.
    pub fn ball(&mut self, joint: Affine3A, at: Vec3, half: Vec3, material: Material) {
        self.put(joint, Shape::Sphere, at, Vec3::ZERO, half, material);
    }

    /// A box.
    pub fn block(&mut self, joint: Affine3A, at: Vec3, half: Vec3, material: Material) {
        self.put(joint, Shape::Cube, at, Vec3::ZERO, half, material);
    }

    /// An upright cylinder.
    pub fn post(&mut self, joint: Affine3A, at: Vec3, half: Vec3, material: Material) {
        self.put(joint, Shape::Cylinder, at, Vec3::ZERO, half, material);
    }

    /// An upright cone.
    pub fn cone(&mut self, joint: Affine3A, at: Vec3, half: Vec3, material: Material) {
        self.put(joint, Shape::Cone, at, Vec3::ZERO, half, material);
    }

    /// A wheel of a given radius and half-width, its axle along x.
    pub fn wheel(
        &mut self,
        joint: Affine3A,
        at: Vec3,
        radius: f32,
        width: f32,
        material: Material,
    ) {
        let turn = v(0.0, 0.0, std::f32::consts::FRAC_PI_2);
        self.put(
            joint,
            Shape::Cylinder,
            at,
            turn,
            v(radius, width, radius),
            material,
        );
    }

    /// A disc facing z.
    pub fn plate(&mut self, joint: Affine3A, at: Vec3, half: Vec3, material: Material) {
        let turn = v(std::f32::consts::FRAC_PI_2, 0.0, 0.0);
        self.put(
            joint,
            Shape::Cylinder,
            at,
            turn,
            v(half.x, half.z, half.y),
            material,
        );
    }

    /// A cylinder between two points.
    pub fn rod(&mut self, joint: Affine3A, from: Vec3, to: Vec3, radius: f32, material: Material) {
        self.along(joint, Shape::Cylinder, from, to, radius, material);
    }

    /// A cone from the middle of its base to its tip.
    pub fn horn(
        &mut self,
        joint: Affine3A,
        base: Vec3,
        tip: Vec3,
        radius: f32,
        material: Material,
    ) {
        self.along(joint, Shape::Cone, base, tip, radius, material);
    }

    /// An ellipsoid that reaches from one point to another.
    pub fn bean(&mut self, joint: Affine3A, from: Vec3, to: Vec3, radius: f32, material: Material) {
        self.along(joint, Shape::Sphere, from, to, radius, material);
    }

    /// A triangle with the given corners.
    pub fn fin(&mut self, joint: Affine3A, corners: [Vec3; 3], material: Material) {
        let [a, b, c] = corners;
        let origin = (a + b) * 0.25 + c * 0.5;
        let (x, y) = ((b - a) * 0.5, c - origin);
        let matrix = Mat3A::from_cols(x.into(), y.into(), x.cross(y).normalize_or(Vec3::Z).into());
        let transform = joint
            * Affine3A {
                matrix3: matrix,
                translation: origin.into(),
            };
        self.parts.push(Part {
            shape: Shape::Triangle,
            transform,
            material,
        });
    }

    fn along(
        &mut self,
        joint: Affine3A,
        shape: Shape,
        from: Vec3,
        to: Vec3,
        radius: f32,
        material: Material,
    ) {
        let span = to - from;
        let rotation = Quat::from_rotation_arc(Vec3::Y, span.normalize_or(Vec3::Y));
        let half = v(radius, span.length() * 0.5, radius);
        let transform =
            joint * Affine3A::from_scale_rotation_translation(half, rotation, (from + to) * 0.5);
        self.parts.push(Part {
            shape,
            transform,
            material,
        });
    }
}
