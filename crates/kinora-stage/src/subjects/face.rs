//! Faces: large eyes, brows and a mouth on the front of an ellipsoid head, set by the emotion.

use super::palette::{BLUSH, INK, MOUTH, TEAR, WHITE, matt, shiny};
use super::rig::{Rig, v};
use crate::part::{Material, Shape};
use crate::vocabulary::Emotion;
use glam::{Affine3A, Vec3};

/// Where a face sits and how big its features are.
pub(super) struct Face {
    /// The joint of the head.
    pub head: Affine3A,
    /// Middle of the ellipsoid that carries the face, in the joint's space.
    pub centre: Vec3,
    /// Its radii.
    pub radii: Vec3,
    /// Radius of an eye, as a share of the head's half-width.
    pub eye: f32,
    /// Distance of each eye from the middle, as a share of the half-width.
    pub gap: f32,
    /// Height of the eyes, as a share of the half-height.
    pub level: f32,
    /// Height of the mouth, likewise.
    pub mouth: f32,
    /// The brows.
    pub brow: Material,
}

struct Expression {
    /// Height of the open eye against its width.
    open: f32,
    /// Pupil against eye.
    pupil: f32,
    /// How far the brows are up, in eye radii.
    raise: f32,
    /// Slope of the brows; positive lifts the inner ends.
    slope: f32,
    /// Half the mouth's width, against the head's half-width.
    width: f32,
    /// How far the corners of the mouth are up.
    curve: f32,
    /// Half the height of the opening; 0 is closed.
    gape: f32,
}

fn expression(emotion: Emotion) -> Expression {
    let of = |open, pupil, raise, slope, width, curve, gape| Expression {
        open,
        pupil,
        raise,
        slope,
        width,
        curve,
        gape,
    };
    match emotion {
        Emotion::Neutral => of(1.0, 0.62, 1.55, 0.0, 0.24, 0.0, 0.0),
        Emotion::Happy => of(0.95, 0.68, 1.9, 0.15, 0.46, 0.24, 0.13),
        Emotion::Sad => of(0.75, 0.62, 1.6, 0.55, 0.36, -0.24, 0.0),
        Emotion::Angry => of(0.75, 0.55, 1.05, -0.6, 0.42, -0.12, 0.07),
        Emotion::Surprised => of(1.45, 0.42, 2.5, 0.0, 0.27, 0.0, 0.27),
        Emotion::Afraid => of(1.45, 0.30, 2.2, 0.5, 0.40, -0.06, 0.10),
    }
}

impl Face {
    /// A point of the face, `x` and `y` as shares of the radii.
    fn on(&self, x: f32, y: f32) -> Vec3 {
        let z = (1.0 - x * x - y * y).max(0.05).sqrt();
        self.centre + self.radii * v(x, y, z)
    }

    /// Adds the features.
    pub fn draw(&self, rig: &mut Rig, emotion: Emotion) {
        self.eyes(rig, emotion);
        self.draw_mouth(rig, emotion, &expression(emotion));
    }

    /// Adds eyes, brows and the marks of the cheeks, for faces whose mouth is a snout or a beak.
    pub fn eyes(&self, rig: &mut Rig, emotion: Emotion) {
        let look = expression(emotion);
        let unit = self.radii.x;
        let eye = self.eye * unit;
        for side in [1.0, -1.0] {
            let at = self.on(side * self.gap, self.level);
            rig.ball(
                self.head,
                at,
                v(eye, eye * look.open, eye * 0.6),
                shiny(WHITE, 0.3),
            );
            let pupil = eye * look.pupil;
            rig.ball(
                self.head,
                at + v(0.0, 0.0, eye * 0.42),
                v(pupil, pupil * look.open.max(1.0), eye * 0.35),
                matt(INK),
            );
            // A face at rest goes without brows: at this size a straight one reads as a frown.
            if emotion != Emotion::Neutral {
                let brow = at + v(-side * eye * 0.05, eye * look.raise, eye * 0.1);
                let half = v(eye * 1.05, eye * 0.24, eye * 0.3);
                rig.put(
                    self.head,
                    Shape::Cube,
                    brow,
                    v(0.0, 0.0, -side * look.slope),
                    half,
                    self.brow,
                );
            }
            self.mark(rig, emotion, side);
        }
    }

    fn draw_mouth(&self, rig: &mut Rig, emotion: Emotion, look: &Expression) {
        let unit = self.radii.x;
        let thick = 0.055 * unit;
        let middle = self.on(0.0, self.mouth) + v(0.0, 0.0, 0.02 * unit);
        if look.gape > 0.0 {
            let half = v(look.width * 0.85, look.gape, 0.08) * unit;
            rig.ball(self.head, middle, half, matt(MOUTH));
            let inside = middle + v(0.0, 0.0, 0.045 * unit);
            let dark = half * v(0.72, 0.72, 0.6);
            rig.ball(self.head, inside, dark, matt(INK));
        }
        if matches!(emotion, Emotion::Happy | Emotion::Afraid | Emotion::Angry) {
            let half = v(look.width * 0.6 * unit, 0.045 * unit, 0.06 * unit);
            rig.block(
                self.head,
                middle + v(0.0, 0.045 * unit, 0.05 * unit),
                half,
                matt(WHITE),
            );
        }
        if emotion != Emotion::Surprised {
            for side in [1.0, -1.0] {
                let corner =
                    self.on(side * look.width, self.mouth + look.curve) + v(0.0, 0.0, 0.02 * unit);
                let start = middle - v(0.0, look.gape * 0.6 * unit, 0.0);
                rig.rod(self.head, start, corner, thick, matt(MOUTH));
            }
        }
    }

    /// Raised cheeks, a tear, an angry flush.
    fn mark(&self, rig: &mut Rig, emotion: Emotion, side: f32) {
        let unit = self.radii.x;
        let cheek = self.on(
            side * (self.gap + 0.22).min(0.75),
            self.level * 0.4 + self.mouth * 0.6,
        );
        match emotion {
            Emotion::Happy => rig.ball(self.head, cheek, v(0.15, 0.12, 0.07) * unit, matt(BLUSH)),
            Emotion::Angry => rig.ball(
                self.head,
                cheek,
                v(0.13, 0.08, 0.05) * unit,
                matt(v(0.7, 0.05, 0.03)),
            ),
            Emotion::Sad => {
                let tear = self.on(side * self.gap, self.level * 0.55 + self.mouth * 0.45);
                rig.ball(
                    self.head,
                    tear,
                    v(0.09, 0.17, 0.08) * unit,
                    shiny(TEAR, 0.5),
                );
            }
            Emotion::Neutral | Emotion::Surprised | Emotion::Afraid => {}
        }
    }
}
