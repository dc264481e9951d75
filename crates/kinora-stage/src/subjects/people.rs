//! The figures on two legs: proportions, and those in cloth. Those in metal and suits are in `suits`.

use super::body::{Bones, Build, Outfit, SIDES};
use super::face::Face;
use super::motion::Clock;
use super::palette::{GOLD, INK, NAVY, Traits, WHITE, WOOD, glowing, matt, shiny};
use super::rig::{Rig, joint, v};
use super::stance::stance;
use crate::part::{Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Emotion, Subject};
use glam::{Affine3A, Vec3};

/// A figure being put together.
pub(super) struct Figure {
    pub rig: Rig,
    pub build: Build,
    pub bones: Bones,
    pub emotion: Emotion,
    pub colour: Vec3,
    pub traits: Traits,
    pub clock: Clock,
}

fn build(subject: Subject, height: f32, traits: &Traits) -> Build {
    let adult = Build {
        height: height * traits.tall,
        leg: 0.200,
        foot: 0.03,
        torso: v(0.115 * traits.wide, 0.145, 0.085 * traits.wide),
        head: v(0.132, 0.142, 0.130),
        arm: 0.155,
        sleeve: 0.042,
        trouser: 0.048,
    };
    // Hats, plumes and aerials are part of the height that a figure is known by.
    let crown = match subject {
        Subject::Woman | Subject::Man => 1.0,
        Subject::Child => 1.035,
        Subject::Astronaut => 1.04,
        Subject::Knight => 0.94,
        Subject::Chef => 0.95,
        Subject::Wizard => 0.87,
        _ => 0.955,
    };
    let adult = Build {
        height: adult.height * crown,
        ..adult
    };
    match subject {
        Subject::Woman => Build {
            torso: v(0.095 * traits.wide, 0.145, 0.075),
            sleeve: 0.034,
            trouser: 0.040,
            ..adult
        },
        Subject::Man => Build {
            torso: v(0.135 * traits.wide, 0.150, 0.095),
            sleeve: 0.048,
            trouser: 0.050,
            ..adult
        },
        Subject::Child => Build {
            leg: 0.150,
            foot: 0.035,
            torso: v(0.130, 0.125, 0.100),
            head: v(0.190, 0.185, 0.180),
            arm: 0.130,
            sleeve: 0.050,
            trouser: 0.060,
            ..adult
        },
        Subject::Astronaut => Build {
            leg: 0.175,
            foot: 0.045,
            torso: v(0.160, 0.145, 0.125),
            head: v(0.160, 0.160, 0.155),
            sleeve: 0.066,
            trouser: 0.072,
            ..adult
        },
        Subject::Knight => Build {
            torso: v(0.140, 0.150, 0.100),
            sleeve: 0.052,
            trouser: 0.056,
            ..adult
        },
        Subject::Chef => Build {
            leg: 0.165,
            torso: v(0.150, 0.140, 0.130),
            head: v(0.132, 0.132, 0.128),
            sleeve: 0.050,
            trouser: 0.054,
            ..adult
        },
        Subject::Wizard => Build {
            leg: 0.165,
            torso: v(0.110, 0.140, 0.090),
            head: v(0.130, 0.130, 0.125),
            sleeve: 0.055,
            ..adult
        },
        _ => Build {
            leg: 0.165,
            foot: 0.04,
            torso: v(0.170, 0.165, 0.120),
            head: v(0.150, 0.120, 0.125),
            sleeve: 0.045,
            trouser: 0.052,
            ..adult
        },
    }
}

/// The parts of a figure of the given usual height.
pub(super) fn figure(
    actor: &Actor,
    colour: Vec3,
    height: f32,
    traits: Traits,
    clock: Clock,
) -> Vec<Part> {
    let build = build(actor.subject, height, &traits);
    let bones = build.bones(&stance(actor.action, actor.emotion, clock));
    let mut figure = Figure {
        rig: Rig::default(),
        build,
        bones,
        emotion: actor.emotion,
        colour,
        traits,
        clock,
    };
    match actor.subject {
        Subject::Woman => figure.woman(),
        Subject::Man => figure.man(),
        Subject::Child => figure.child(),
        Subject::Astronaut => figure.astronaut(),
        Subject::Knight => figure.knight(),
        Subject::Chef => figure.chef(),
        Subject::Wizard => figure.wizard(),
        _ => figure.robot(),
    }
    figure.rig.parts
}

impl Figure {
    /// Adds body, arms and legs in these clothes.
    pub fn dress(&mut self, outfit: Outfit) {
        self.build.dress(&mut self.rig, &self.bones, &outfit);
    }

    /// A bare head with a nose and a face.
    fn head(&mut self, brow: Vec3) {
        let (skull, crown) = (self.build.skull(), self.build.crown());
        let skin = matt(self.traits.skin);
        self.rig.ball(self.bones.head, crown, skull, skin);
        let nose = crown + v(0.0, -skull.y * 0.12, skull.z);
        self.rig.ball(
            self.bones.head,
            nose,
            skull * v(0.16, 0.16, 0.2),
            matt(self.traits.skin * 0.85),
        );
        self.face(crown, skull, brow);
    }

    /// Adds the features to an ellipsoid on the head's joint.
    pub fn face(&mut self, centre: Vec3, radii: Vec3, brow: Vec3) {
        let face = Face {
            head: self.bones.head,
            centre,
            radii,
            eye: 0.21,
            gap: 0.40,
            level: 0.16,
            mouth: -0.48,
            brow: matt(brow),
        };
        face.draw(&mut self.rig, self.emotion);
    }

    /// A joint that follows both thighs halfway: what a skirt hangs from.
    fn skirt_joint(&self) -> Affine3A {
        let down = |i: usize| self.bones.legs[i][0].transform_vector3(Vec3::NEG_Y);
        let both = (down(0) + down(1)) * 0.5;
        let local = self.bones.pelvis.inverse().transform_vector3(both);
        let pitch = (-local.z).atan2(-local.y).clamp(-0.6, 0.6);
        joint(self.bones.pelvis, Vec3::ZERO, v(pitch, 0.0, 0.0))
    }

    /// A cone from the waist to `length` (a share of the height) below the hips.
    fn skirt(&mut self, length: f32, radius: f32, material: crate::part::Material) {
        let h = self.build.height;
        let waist = self.build.chest().y * 1.9;
        // Near the ground the cloth spreads instead of going through it.
        let falls = (length * h).min(self.bones.pelvis.translation.y - 0.01 * h);
        let radius = radius * (1.0 + 0.6 * (1.0 - falls / (length * h)));
        let half = (waist + falls) * 0.5;
        let at = v(0.0, waist - half, 0.0);
        let hem = self.skirt_joint();
        let size = v(radius, half / h, radius * 0.9) * h;
        self.rig.cone(hem, at, size, material);
    }

    fn woman(&mut self) {
        let (skin, dress) = (matt(self.traits.skin), matt(self.colour));
        let hair = matt(self.traits.hair);
        self.dress(Outfit {
            torso: dress,
            sleeve: dress,
            hand: skin,
            thigh: dress,
            shin: skin,
            shoe: matt(self.colour * 0.5),
        });
        self.skirt(0.27, 0.205, dress);
        self.head(self.traits.hair * 0.6);
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        self.rig.ball(
            head,
            crown + skull * v(0.0, 0.22, -0.25),
            skull * v(1.18, 1.0, 1.02),
            hair,
        );
        self.rig.ball(
            head,
            crown + skull * v(0.0, -0.75, -0.72),
            skull * v(1.05, 1.45, 0.42),
            hair,
        );
        for side in SIDES {
            self.rig.bean(
                head,
                crown + skull * v(side * 0.92, 0.6, 0.2),
                crown + skull * v(side * 1.08, -1.5, 0.0),
                skull.x * 0.26,
                hair,
            );
        }
    }

    fn man(&mut self) {
        let (skin, jacket) = (matt(self.traits.skin), matt(self.colour));
        let (trousers, chest, h) = (matt(NAVY), self.build.chest(), self.build.height);
        self.dress(Outfit {
            torso: jacket,
            sleeve: jacket,
            hand: skin,
            thigh: trousers,
            shin: trousers,
            shoe: matt(INK),
        });
        // The skirts of the jacket, and a shirt front.
        self.rig.post(
            self.bones.pelvis,
            v(0.0, -0.03 * h, 0.0),
            v(chest.x * 1.02, 0.065 * h, chest.z * 1.08),
            jacket,
        );
        let collar = v(0.0, chest.y * 1.98, chest.z * 1.02);
        let shirt = [
            collar + v(-0.045 * h, 0.0, 0.0),
            collar + v(0.045 * h, 0.0, 0.0),
            collar + v(0.0, -0.12 * h, 0.012 * h),
        ];
        self.rig.fin(self.bones.torso, shirt, matt(WHITE));
        self.head(self.traits.hair * 0.6);
        let (skull, crown) = (self.build.skull(), self.build.crown());
        self.rig.ball(
            self.bones.head,
            crown + skull * v(0.0, 0.36, -0.16),
            skull * v(1.07, 0.78, 0.98),
            matt(self.traits.hair),
        );
    }

    fn child(&mut self) {
        let (skin, shirt, shorts) = (
            matt(self.traits.skin),
            matt(self.colour),
            matt(self.colour * 0.6),
        );
        self.dress(Outfit {
            torso: shirt,
            sleeve: shirt,
            hand: skin,
            thigh: shorts,
            shin: skin,
            shoe: matt(WHITE),
        });
        self.head(self.traits.hair * 0.6);
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        let cap = matt(self.colour);
        self.rig.ball(
            head,
            crown + skull * v(0.0, 0.45, -0.06),
            skull * v(1.08, 0.72, 1.04),
            cap,
        );
        self.rig.put(
            head,
            Shape::Cylinder,
            crown + skull * v(0.0, 0.62, 0.9),
            v(0.15, 0.0, 0.0),
            skull * v(0.72, 0.07, 0.5),
            cap,
        );
        self.rig.ball(
            head,
            crown + skull * v(0.0, 1.17, -0.06),
            skull * 0.14,
            matt(WHITE),
        );
        self.rig.ball(
            head,
            crown + skull * v(0.0, -0.1, -0.35),
            skull * v(1.02, 0.75, 0.75),
            matt(self.traits.hair),
        );
    }

    fn chef(&mut self) {
        let (jacket, white) = (matt(self.colour), matt(WHITE));
        let (h, chest) = (self.build.height, self.build.chest());
        let trousers = matt(self.colour * 0.55);
        self.dress(Outfit {
            torso: jacket,
            sleeve: jacket,
            hand: matt(self.traits.skin),
            thigh: trousers,
            shin: trousers,
            shoe: matt(INK),
        });
        self.rig.ball(
            self.bones.torso,
            v(0.0, chest.y * 0.7, chest.z * 0.2),
            v(chest.x * 1.05, chest.y * 0.9, chest.z * 1.05),
            jacket,
        );
        // The apron: a bib on the belly and a fall below it.
        let bib = v(0.0, chest.y * 0.85, chest.z * 1.22);
        let half = v(chest.x * 0.46, chest.y * 0.62, 0.012 * h);
        self.rig.block(self.bones.torso, bib, half, white);
        let fall = self.skirt_joint();
        self.rig.block(
            fall,
            v(0.0, -0.08 * h, chest.z * 1.1),
            v(chest.x * 0.56, 0.105 * h, 0.012 * h),
            white,
        );
        self.rig.ball(
            self.bones.torso,
            v(0.0, chest.y * 1.96, chest.z * 0.35),
            v(0.075, 0.025, 0.07) * h,
            matt(v(0.75, 0.03, 0.03)),
        );
        self.head(self.traits.hair * 0.6);
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        self.rig.ball(
            head,
            crown + skull * v(0.0, 0.1, -0.25),
            skull * v(1.05, 0.8, 0.9),
            matt(self.traits.hair),
        );
        self.rig.post(
            head,
            crown + skull * v(0.0, 1.15, -0.05),
            skull * v(0.80, 0.60, 0.80),
            white,
        );
        for (x, z) in [(0.45, 0.2), (-0.45, 0.2), (0.0, -0.4)] {
            self.rig.ball(
                head,
                crown + skull * v(x, 1.85, z),
                skull * v(0.78, 0.58, 0.78),
                white,
            );
        }
    }

    fn wizard(&mut self) {
        let (robe, beard) = (matt(self.colour), matt(v(0.75, 0.75, 0.78)));
        let (h, skin) = (self.build.height, matt(self.traits.skin));
        self.dress(Outfit {
            torso: robe,
            sleeve: robe,
            hand: skin,
            thigh: robe,
            shin: robe,
            shoe: matt(WOOD),
        });
        self.skirt(0.34, 0.20, robe);
        for fore in self.bones.arms.map(|arm| arm[1]) {
            self.rig.cone(
                fore,
                v(0.0, -0.09 * h, 0.0),
                v(0.075, 0.08, 0.075) * h,
                robe,
            );
        }
        self.head(v(0.7, 0.7, 0.72));
        let (skull, crown, head) = (self.build.skull(), self.build.crown(), self.bones.head);
        self.rig.put(
            head,
            Shape::Cone,
            crown + skull * v(0.0, -1.55, 0.66),
            v(std::f32::consts::PI, 0.0, 0.0),
            skull * v(0.72, 0.95, 0.42),
            beard,
        );
        for side in SIDES {
            self.rig.bean(
                head,
                crown + skull * v(side * 0.05, -0.32, 1.0),
                crown + skull * v(side * 0.7, -0.7, 0.75),
                skull.x * 0.13,
                beard,
            );
        }
        self.rig.post(
            head,
            crown + skull * v(0.0, 0.66, 0.0),
            skull * v(1.75, 0.07, 1.75),
            robe,
        );
        self.rig.put(
            head,
            Shape::Cone,
            crown + skull * v(0.0, 1.9, -0.18),
            v(-0.14, 0.0, 0.0),
            skull * v(1.05, 1.35, 1.05),
            robe,
        );
        self.rig.post(
            head,
            crown + skull * v(0.0, 0.82, 0.0),
            skull * v(1.08, 0.14, 1.08),
            shiny(GOLD, 0.5),
        );
        // The staff stands along the body whatever the forearm does, as long as the hand hangs.
        let (hand, grip) = (self.bones.arms[0][1], -self.build.arm * h);
        let staff = joint(hand, v(0.0, grip, 0.0), v(0.25, 0.0, 0.0));
        self.rig.rod(
            staff,
            v(0.0, -0.22 * h, 0.05 * h),
            v(0.0, 0.42 * h, 0.05 * h),
            0.016 * h,
            matt(WOOD),
        );
        let orb = 1.1 + 0.4 * self.clock.sine(1.0, 0.0);
        self.rig.ball(
            staff,
            v(0.0, 0.46 * h, 0.05 * h),
            Vec3::splat(0.05 * h),
            glowing(v(0.35, 0.75, 1.0), orb),
        );
    }
}
