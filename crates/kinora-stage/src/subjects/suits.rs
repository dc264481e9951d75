//! The figures that wear a shell: astronaut, knight and robot.

use super::body::{Outfit, SIDES};
use super::palette::{GOLD, INK, NAVY, STEEL, WHITE, glowing, matt, shiny};
use super::people::Figure;
use super::rig::{joint, v};
use crate::part::Shape;
use crate::vocabulary::Emotion;
use glam::Vec3;

impl Figure {
    /// The astronaut.
    pub fn astronaut(&mut self) {
        let (suit, white) = (matt(self.colour), shiny(WHITE, 0.3));
        let (h, chest) = (self.build.height, self.build.chest());
        self.dress(Outfit {
            torso: suit,
            sleeve: suit,
            hand: white,
            thigh: suit,
            shin: suit,
            shoe: white,
        });
        self.rig.block(
            self.bones.torso,
            v(0.0, chest.y * 1.1, -chest.z * 1.35),
            v(chest.x * 0.95, chest.y * 0.95, chest.z * 0.5),
            white,
        );
        self.rig.block(
            self.bones.torso,
            v(0.0, chest.y * 1.15, chest.z * 1.0),
            v(0.07, 0.045, 0.025) * h,
            white,
        );
        for (side, light) in [(-0.035, v(1.0, 0.05, 0.03)), (0.035, v(0.05, 0.9, 0.1))] {
            self.rig.ball(
                self.bones.torso,
                v(side * h, chest.y * 1.15, chest.z * 1.0 + 0.025 * h),
                Vec3::splat(0.016 * h),
                glowing(light, 0.8),
            );
        }
        self.rig.post(
            self.bones.pelvis,
            v(0.0, 0.0, 0.0),
            v(chest.x, 0.018 * h, chest.z * 1.05),
            white,
        );
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        self.rig.ball(head, crown, skull, white);
        let (visor, size) = (
            crown + skull * v(0.0, -0.02, 0.36),
            skull * v(0.80, 0.66, 0.76),
        );
        self.rig.ball(head, visor, size, shiny(GOLD, 1.0));
        if self.emotion != Emotion::Neutral {
            self.face(visor, size, INK);
        }
    }

    /// The knight.
    pub fn knight(&mut self) {
        // Armour takes the colour but keeps its metal highlight.
        let plate = shiny(self.colour, 0.9);
        let steel = shiny(STEEL, 0.9);
        let (h, chest) = (self.build.height, self.build.chest());
        self.dress(Outfit {
            torso: plate,
            sleeve: plate,
            hand: steel,
            thigh: plate,
            shin: plate,
            shoe: steel,
        });
        self.rig.cone(
            self.bones.pelvis,
            v(0.0, 0.0, 0.0),
            v(chest.x * 1.25, 0.10 * h, chest.z * 1.4),
            plate,
        );
        for side in SIDES {
            let at = v(side * chest.x * 1.25, chest.y * 1.85, 0.0);
            self.rig
                .ball(self.bones.torso, at, v(0.07, 0.055, 0.07) * h, steel);
        }
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        self.rig.ball(
            head,
            crown + skull * v(0.0, 0.12, -0.12),
            skull * v(1.14, 1.1, 1.1),
            steel,
        );
        let (face, size) = (
            crown + skull * v(0.0, -0.1, 0.22),
            skull * v(0.86, 0.80, 0.90),
        );
        self.rig.ball(head, face, size, matt(self.traits.skin));
        self.face(face, size, INK);
        self.rig.put(
            head,
            Shape::Sphere,
            crown + skull * v(0.0, 1.35, -0.45),
            v(-0.5, 0.0, 0.0),
            skull * v(0.24, 0.62, 0.95),
            matt(v(0.75, 0.03, 0.03)),
        );
        let (sword, arm) = (self.bones.arms[1][1], -self.build.arm * h);
        self.rig.block(
            sword,
            v(0.0, arm, 0.26 * h),
            v(0.018, 0.008, 0.22) * h,
            shiny(v(0.75, 0.78, 0.82), 1.0),
        );
        self.rig.block(
            sword,
            v(0.0, arm, 0.05 * h),
            v(0.06, 0.012, 0.012) * h,
            shiny(GOLD, 0.8),
        );
        let shield = joint(
            self.bones.arms[0][1],
            v(0.05 * h, arm * 0.6, 0.02 * h),
            v(0.0, 0.9, 0.0),
        );
        self.rig.plate(
            shield,
            v(0.0, 0.0, 0.03 * h),
            v(0.115, 0.145, 0.012) * h,
            steel,
        );
        self.rig.plate(
            shield,
            v(0.0, 0.0, 0.04 * h),
            v(0.095, 0.125, 0.012) * h,
            plate,
        );
    }

    /// The robot.
    pub fn robot(&mut self) {
        let (paint, joints) = (shiny(self.colour, 0.6), shiny(STEEL, 0.7));
        let (h, chest) = (self.build.height, self.build.chest());
        let bones = &self.bones;
        let rig = &mut self.rig;
        rig.block(
            bones.torso,
            v(0.0, chest.y * 1.05, 0.0),
            v(chest.x, chest.y * 0.95, chest.z),
            paint,
        );
        rig.block(
            bones.torso,
            v(0.0, chest.y * 1.2, chest.z),
            v(chest.x * 0.6, chest.y * 0.4, 0.012 * h),
            matt(NAVY),
        );
        let beat = 0.5 + 0.3 * self.clock.sine(0.8, 0.0);
        for (x, light) in [
            (-0.3, v(1.0, 0.1, 0.05)),
            (0.0, v(1.0, 0.8, 0.1)),
            (0.3, v(0.1, 0.9, 0.2)),
        ] {
            rig.ball(
                bones.torso,
                v(x * chest.x, chest.y * 1.2, chest.z + 0.012 * h),
                Vec3::splat(0.022 * h),
                glowing(light, beat),
            );
        }
        rig.block(
            bones.pelvis,
            v(0.0, 0.0, 0.0),
            v(chest.x * 0.75, 0.035 * h, chest.z * 0.8),
            joints,
        );
        let (arm, leg, foot) = (self.build.arm * h, self.build.leg * h, self.build.foot * h);
        let (sleeve, trouser) = (self.build.sleeve * h, self.build.trouser * h);
        for [upper, fore] in bones.arms {
            rig.ball(upper, Vec3::ZERO, Vec3::splat(sleeve * 1.5), joints);
            rig.rod(
                upper,
                v(0.0, 0.0, 0.0),
                v(0.0, -arm, 0.0),
                sleeve * 0.7,
                joints,
            );
            rig.block(
                fore,
                v(0.0, -arm * 0.45, 0.0),
                v(sleeve * 1.15, arm * 0.5, sleeve * 1.15),
                paint,
            );
            rig.block(
                fore,
                v(0.0, -arm * 1.05, 0.0),
                v(sleeve * 0.8, sleeve * 0.7, sleeve * 1.0),
                joints,
            );
        }
        for [thigh, shin] in bones.legs {
            rig.rod(
                thigh,
                v(0.0, 0.0, 0.0),
                v(0.0, -leg, 0.0),
                trouser * 0.75,
                joints,
            );
            rig.block(
                shin,
                v(0.0, -leg * 0.45, 0.0),
                v(trouser * 1.2, leg * 0.5, trouser * 1.2),
                paint,
            );
            rig.block(
                shin,
                v(0.0, -leg, trouser * 0.6),
                v(trouser * 1.3, foot, trouser * 2.0),
                joints,
            );
        }
        self.robot_head();
    }

    fn robot_head(&mut self) {
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        let (paint, joints) = (shiny(self.colour, 0.6), shiny(STEEL, 0.7));
        let rig = &mut self.rig;
        rig.block(head, crown + skull * v(0.0, 0.12, 0.0), skull, paint);
        rig.post(
            head,
            crown + skull * v(0.0, -0.95, 0.0),
            skull * v(0.35, 0.2, 0.35),
            joints,
        );
        let screen = crown + skull * v(0.0, 0.1, 1.0);
        rig.block(head, screen, skull * v(0.86, 0.78, 0.06), matt(NAVY));
        rig.rod(
            head,
            crown + skull * v(0.0, 1.1, 0.0),
            crown + skull * v(0.0, 1.85, 0.0),
            skull.x * 0.07,
            joints,
        );
        rig.ball(
            head,
            crown + skull * v(0.0, 1.95, 0.0),
            Vec3::splat(skull.x * 0.2),
            glowing(v(1.0, 0.12, 0.05), 0.6 + 0.4 * self.clock.sine(0.8, 0.0)),
        );
        let light = glowing(v(0.25, 0.95, 1.0), 1.0);
        // Eyes and mouth are lights on a flat screen: how tall, how slanted, how curved.
        let (tall, slant, curve, gape) = match self.emotion {
            Emotion::Neutral => (0.24, 0.0, 0.0, 0.0),
            Emotion::Happy => (0.26, 0.0, 0.22, 0.0),
            Emotion::Sad => (0.14, 0.5, -0.22, 0.0),
            Emotion::Angry => (0.12, -0.55, -0.12, 0.0),
            Emotion::Surprised => (0.38, 0.0, 0.0, 0.2),
            Emotion::Afraid => (0.34, 0.4, -0.1, 0.08),
        };
        let front = screen + skull * v(0.0, 0.0, 0.08);
        for side in SIDES {
            let eye = front + skull * v(side * 0.42, 0.25, 0.0);
            rig.put(
                head,
                Shape::Sphere,
                eye,
                v(0.0, 0.0, -side * slant),
                skull * v(0.25, tall, 0.08),
                light,
            );
            let from = front + skull * v(0.0, -0.38, 0.0);
            rig.rod(
                head,
                from,
                from + skull * v(side * 0.4, curve, 0.0),
                skull.x * 0.065,
                light,
            );
            rig.wheel(
                head,
                crown + skull * v(side * 1.08, 0.1, 0.0),
                skull.x * 0.3,
                skull.x * 0.1,
                joints,
            );
        }
        if gape > 0.0 {
            rig.ball(
                head,
                front + skull * v(0.0, -0.38, 0.0),
                skull * v(0.24, gape, 0.08),
                light,
            );
        }
    }
}
