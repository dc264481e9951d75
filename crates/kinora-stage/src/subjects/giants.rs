//! The two largest on four legs: elephant and dragon.

use super::beasts::Beast;
use super::body::SIDES;
use super::palette::{BEAK, INK, IVORY, matt, mix};
use super::rig::{joint, v};
use crate::part::Material;
use crate::vocabulary::Emotion;
use glam::{Affine3A, Vec3};

impl Beast {
    /// The elephant: ears, tusks and trunk.
    pub fn elephant(&mut self) {
        let (h, head) = (self.h, self.frame.head * self.h);
        self.rig.ball(self.head, Vec3::ZERO, head, self.coat);
        self.face(0.19, 0.52, 0.22);
        let flap = 0.25 * self.clock.sine(1.2, 0.0) - 0.35 * self.is.ears;
        for side in SIDES {
            let at = joint(
                self.head,
                v(side * head.x * 0.8, head.y * 0.2, -head.z * 0.1),
                v(0.0, -side * (0.35 + flap), 0.0),
            );
            self.rig.ball(
                at,
                v(side * 0.17, -0.02, 0.0) * h,
                v(0.19, 0.22, 0.03) * h,
                self.coat,
            );
            self.rig.ball(
                at,
                v(side * 0.165, -0.02, 0.02) * h,
                v(0.13, 0.155, 0.02) * h,
                matt(v(0.75, 0.38, 0.36)),
            );
            self.rig.horn(
                self.head,
                v(side * 0.09, -0.12, 0.14) * h,
                v(side * 0.12, -0.20, 0.36) * h,
                0.03 * h,
                matt(IVORY),
            );
        }
        // The trunk hangs in three pieces; joy and surprise lift it.
        let lift = match self.emotion {
            Emotion::Happy | Emotion::Surprised => -0.75,
            Emotion::Angry => -0.45,
            Emotion::Neutral => 0.0,
            Emotion::Sad | Emotion::Afraid => 0.15,
        };
        let sway = 0.12 * self.clock.sine(1.4, 0.0);
        let mut at = joint(
            self.head,
            v(0.0, -0.05, 0.14) * h,
            v(-0.55 + lift, 0.0, sway),
        );
        for (length, radius) in [(0.18, 0.085), (0.16, 0.068), (0.15, 0.055)] {
            self.rig.bean(
                at,
                v(0.0, 0.04, 0.0) * h,
                v(0.0, -length - 0.02, 0.0) * h,
                radius * h,
                self.coat,
            );
            at = joint(at, v(0.0, -length, 0.0) * h, v(0.3 + lift, 0.0, sway));
        }
        let tail = self.tail(-0.9);
        self.rig.rod(
            tail,
            Vec3::ZERO,
            v(0.0, 0.0, -0.24) * h,
            0.016 * h,
            self.coat,
        );
        self.rig.ball(
            tail,
            v(0.0, 0.0, -0.26) * h,
            Vec3::splat(0.032 * h),
            matt(INK),
        );
    }

    /// The dragon: wings, horns, spines and a long tail.
    pub fn dragon(&mut self, neck: Affine3A, colour: Vec3) {
        self.skull(self.coat, 0.012);
        let (h, head) = (self.h, self.frame.head * self.h);
        let horn = matt(IVORY);
        let membrane = Material {
            gloss: 0.2,
            ..matt(mix(colour, BEAK, 0.35))
        };
        for side in SIDES {
            self.rig.horn(
                self.head,
                v(side * head.x * 0.55, head.y * 0.6, -0.02 * h),
                v(side * 0.14, 0.25, -0.14) * h,
                0.045 * h,
                horn,
            );
            let wing = joint(
                self.body,
                v(side * 0.10, 0.12, 0.06) * h,
                v(0.0, 0.0, side * self.is.wings),
            );
            let (elbow, tip) = (
                v(side * 0.26, 0.12, 0.04) * h,
                v(side * 0.62, 0.14, -0.16) * h,
            );
            self.rig.rod(wing, Vec3::ZERO, elbow, 0.022 * h, self.coat);
            self.rig.rod(wing, elbow, tip, 0.016 * h, self.coat);
            self.rig.fin(
                wing,
                [Vec3::ZERO, v(side * 0.16, -0.02, -0.36) * h, elbow],
                membrane,
            );
            self.rig.fin(
                wing,
                [
                    elbow,
                    v(side * 0.16, -0.02, -0.36) * h,
                    v(side * 0.42, 0.0, -0.40) * h,
                ],
                membrane,
            );
            self.rig
                .fin(wing, [elbow, v(side * 0.42, 0.0, -0.40) * h, tip], membrane);
        }
        self.rig.ball(
            self.body,
            v(0.0, -0.045, 0.12) * h,
            v(0.135, 0.155, 0.19) * h,
            self.under,
        );
        for share in [0.35, 0.75] {
            let at = self.frame.neck * h * share + v(0.0, 0.01, -0.07) * h;
            self.rig
                .horn(neck, at, at + v(0.0, 0.07, -0.07) * h, 0.032 * h, horn);
        }
        let sway = self.is.tail[1] * 0.6;
        let mut at = self.tail(-0.45);
        for (length, radius) in [(0.17, 0.095), (0.16, 0.068), (0.14, 0.044)] {
            self.rig.bean(
                at,
                v(0.0, 0.0, 0.05) * h,
                v(0.0, 0.0, -length - 0.02) * h,
                radius * h,
                self.coat,
            );
            self.rig.horn(
                at,
                v(0.0, radius * 0.7, -length * 0.4) * h,
                v(0.0, radius + 0.06, -length * 0.6) * h,
                0.028 * h,
                horn,
            );
            at = joint(at, v(0.0, 0.0, -length) * h, v(0.28, sway, 0.0));
        }
        self.rig.fin(
            at,
            [
                v(-0.07, 0.0, 0.0) * h,
                v(0.07, 0.0, 0.0) * h,
                v(0.0, 0.0, -0.14) * h,
            ],
            membrane,
        );
    }
}
