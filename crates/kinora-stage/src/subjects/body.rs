//! The two-legged body: proportions, bones from a stance, and the clothes every figure has.

use super::rig::{Rig, joint, v};
use super::stance::{Hips, Stance};
use crate::part::Material;
use glam::{Affine3A, Vec3};

/// Proportions of a figure; all but the height are shares of it.
#[derive(Clone, Copy)]
pub(super) struct Build {
    /// In metres.
    pub height: f32,
    /// Length of a thigh, and of a shin.
    pub leg: f32,
    /// Height of the ankle.
    pub foot: f32,
    /// Half-sizes of the upper body.
    pub torso: Vec3,
    /// Radii of the head.
    pub head: Vec3,
    /// Length of an upper arm, and of a forearm.
    pub arm: f32,
    /// Radius of the arms.
    pub sleeve: f32,
    /// Radius of the legs.
    pub trouser: f32,
}

/// Where everything hangs.
pub(super) struct Bones {
    pub pelvis: Affine3A,
    pub torso: Affine3A,
    /// At the neck.
    pub head: Affine3A,
    /// Upper arm and forearm, left first.
    pub arms: [[Affine3A; 2]; 2],
    /// Thigh and shin, left first.
    pub legs: [[Affine3A; 2]; 2],
}

/// What a figure wears, from the top down.
#[derive(Clone, Copy)]
pub(super) struct Outfit {
    pub torso: Material,
    pub sleeve: Material,
    pub hand: Material,
    pub thigh: Material,
    pub shin: Material,
    pub shoe: Material,
}

/// The sides of a body in the order of its limbs: its left is at +x.
pub(super) const SIDES: [f32; 2] = [1.0, -1.0];

impl Build {
    /// Half-sizes of the upper body, in metres.
    pub fn chest(&self) -> Vec3 {
        self.torso * self.height
    }

    /// Radii of the head, in metres.
    pub fn skull(&self) -> Vec3 {
        self.head * self.height
    }

    /// Middle of the head above the neck.
    pub fn crown(&self) -> Vec3 {
        v(0.0, self.skull().y * 0.92, 0.0)
    }

    /// The bones in a stance.
    pub fn bones(&self, stance: &Stance) -> Bones {
        let h = self.height;
        let planted = stance
            .legs
            .iter()
            .map(|leg| leg.reach(self.leg, stance.body.x))
            .fold(f32::MIN, f32::max);
        let hips = match stance.hips {
            Hips::Planted => planted.max(self.torso.z * 0.8) + self.foot,
            Hips::At(share) => share * (self.leg * 2.0 + self.foot) / 0.44,
        };
        let at = v(stance.shift * h, (hips + stance.lift) * h, 0.0);
        let pelvis = joint(Affine3A::IDENTITY, at, stance.body);
        let torso = joint(pelvis, Vec3::ZERO, stance.torso);
        let chest = self.chest();
        let head = joint(torso, v(0.0, chest.y * 2.0, 0.0), stance.head);
        let reach = self.arm * h;
        let arms = [0, 1].map(|i| {
            let shoulder = v(
                SIDES[i] * (chest.x + self.sleeve * h * 0.5),
                chest.y * 1.82,
                0.0,
            );
            let upper = stance.arms[i].upper(torso, shoulder, SIDES[i]);
            [
                upper,
                joint(
                    upper,
                    v(0.0, -reach, 0.0),
                    v(-stance.arms[i].bend, 0.0, 0.0),
                ),
            ]
        });
        let stride = self.leg * h;
        let legs = [0, 1].map(|i| {
            let hip = v(SIDES[i] * chest.x * 0.55, 0.0, 0.0);
            let thigh = stance.legs[i].upper(pelvis, hip, SIDES[i]);
            [
                thigh,
                joint(
                    thigh,
                    v(0.0, -stride, 0.0),
                    v(stance.legs[i].bend, 0.0, 0.0),
                ),
            ]
        });
        Bones {
            pelvis,
            torso,
            head,
            arms,
            legs,
        }
    }

    /// Adds the body, arms and legs; the head is the figure's own.
    pub fn dress(&self, rig: &mut Rig, bones: &Bones, outfit: &Outfit) {
        let (h, chest) = (self.height, self.chest());
        rig.post(
            bones.torso,
            v(0.0, chest.y * 0.92, 0.0),
            v(chest.x * 0.92, chest.y, chest.z),
            outfit.torso,
        );
        let shoulders = v(chest.x * 1.12, chest.y * 0.36, chest.z * 1.05);
        rig.ball(
            bones.torso,
            v(0.0, chest.y * 1.78, 0.0),
            shoulders,
            outfit.torso,
        );
        self.limbs(rig, bones, outfit, h);
    }

    fn limbs(&self, rig: &mut Rig, bones: &Bones, outfit: &Outfit, h: f32) {
        let (arm, sleeve) = (self.arm * h, self.sleeve * h);
        for [upper, fore] in bones.arms {
            rig.bean(
                upper,
                v(0.0, sleeve, 0.0),
                v(0.0, -arm * 1.15, 0.0),
                sleeve * 1.15,
                outfit.sleeve,
            );
            rig.bean(
                fore,
                v(0.0, sleeve, 0.0),
                v(0.0, -arm, 0.0),
                sleeve,
                outfit.sleeve,
            );
            rig.ball(
                fore,
                v(0.0, -arm * 1.02, 0.0),
                Vec3::splat(sleeve * 1.05),
                outfit.hand,
            );
        }
        let (leg, trouser, foot) = (self.leg * h, self.trouser * h, self.foot * h);
        for [thigh, shin] in bones.legs {
            rig.bean(
                thigh,
                v(0.0, trouser, 0.0),
                v(0.0, -leg * 1.15, 0.0),
                trouser * 1.2,
                outfit.thigh,
            );
            rig.rod(
                shin,
                v(0.0, trouser * 0.5, 0.0),
                v(0.0, -leg, 0.0),
                trouser * 0.85,
                outfit.shin,
            );
            rig.ball(
                shin,
                v(0.0, -leg, trouser * 0.7),
                v(trouser, foot, trouser * 1.9),
                outfit.shoe,
            );
        }
    }
}
