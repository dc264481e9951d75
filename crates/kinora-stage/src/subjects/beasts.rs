//! The subjects on four legs: the common body, dog, cat, fox and horse. Elephant and dragon are in `giants`.

use super::body::SIDES;
use super::face::Face;
use super::motion::Clock;
use super::palette::{INK, IVORY, Traits, WHITE, matt, mix, pale, shiny};
use super::prowl::{Prowl, prowl};
use super::rig::{Rig, joint, v};
use crate::part::{Material, Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Emotion, Subject};
use glam::{Affine3A, Vec3};

/// Proportions of an animal, as shares of its height.
pub(super) struct Frame {
    /// Half-sizes of the trunk.
    pub trunk: Vec3,
    /// Length of a thigh, and of a shin.
    pub leg: f32,
    /// Radius of the legs.
    pub thick: f32,
    /// From the front of the trunk to the middle of the head.
    pub neck: Vec3,
    /// Radius of the neck.
    pub throat: f32,
    /// Radii of the head.
    pub head: Vec3,
    /// Reach of the snout beyond the head's middle, and its radius.
    pub snout: [f32; 2],
}

fn frame(subject: Subject, wide: f32) -> Frame {
    let of = |trunk: Vec3, leg, thick, neck, throat, head, snout| Frame {
        trunk: trunk * v(wide, 1.0, 1.0),
        leg,
        thick,
        neck,
        throat,
        head,
        snout,
    };
    match subject {
        Subject::Dog => of(
            v(0.17, 0.17, 0.36),
            0.20,
            0.066,
            v(0.0, 0.27, 0.12),
            0.12,
            v(0.20, 0.19, 0.19),
            [0.27, 0.11],
        ),
        Subject::Cat => of(
            v(0.145, 0.145, 0.34),
            0.17,
            0.052,
            v(0.0, 0.22, 0.12),
            0.10,
            v(0.21, 0.185, 0.17),
            [0.17, 0.09],
        ),
        Subject::Fox => of(
            v(0.14, 0.145, 0.36),
            0.19,
            0.048,
            v(0.0, 0.25, 0.13),
            0.10,
            v(0.20, 0.165, 0.18),
            [0.34, 0.085],
        ),
        Subject::Horse => of(
            v(0.145, 0.155, 0.29),
            0.215,
            0.046,
            v(0.0, 0.26, 0.17),
            0.115,
            v(0.115, 0.115, 0.13),
            [0.33, 0.09],
        ),
        Subject::Elephant => of(
            v(0.25, 0.25, 0.38),
            0.17,
            0.095,
            v(0.0, 0.16, 0.18),
            0.17,
            v(0.20, 0.20, 0.18),
            [0.16, 0.085],
        ),
        _ => of(
            v(0.17, 0.175, 0.29),
            0.135,
            0.068,
            v(0.0, 0.36, 0.17),
            0.092,
            v(0.155, 0.13, 0.14),
            [0.28, 0.10],
        ),
    }
}

/// An animal being put together.
pub(super) struct Beast {
    pub rig: Rig,
    pub frame: Frame,
    pub is: Prowl,
    /// In metres.
    pub h: f32,
    pub coat: Material,
    pub under: Material,
    pub emotion: Emotion,
    pub clock: Clock,
    pub body: Affine3A,
    pub head: Affine3A,
}

/// The parts of an animal of the given usual height.
pub(super) fn beast(
    actor: &Actor,
    colour: Vec3,
    height: f32,
    traits: Traits,
    clock: Clock,
) -> Vec<Part> {
    let frame = frame(actor.subject, traits.wide);
    let is = prowl(actor.action, actor.emotion, clock);
    let h = height * traits.tall;
    let trunk = frame.trunk;
    // The hips sit a little inside the trunk; the highest demand of the four legs carries it.
    let standing = is
        .legs
        .iter()
        .enumerate()
        .map(|(i, leg)| {
            leg.reach(frame.leg, is.body.x) + is.body.x.sin() * hip(&trunk, i).z
                - is.body.x.cos() * hip(&trunk, i).y
        })
        .fold(trunk.y * 0.9, f32::max);
    let middle = is.hangs.map_or(standing + frame.thick * 0.5, |share| {
        share * (2.0 * frame.leg + trunk.y)
    }) + is.lift;
    let body = joint(Affine3A::IDENTITY, v(is.shift, middle, 0.0) * h, is.body);
    let neck = joint(body, v(0.0, trunk.y * 0.35, trunk.z * 0.78) * h, is.neck);
    let head = joint(neck, frame.neck * h, is.head);
    let coat = match actor.subject {
        Subject::Dragon => shiny(colour, 0.5),
        _ => matt(colour),
    };
    let hoofed = actor.subject == Subject::Horse;
    let mut beast = Beast {
        rig: Rig::default(),
        frame,
        is,
        h,
        coat,
        under: matt(if hoofed { INK } else { pale(colour) }),
        emotion: actor.emotion,
        clock,
        body,
        head,
    };
    beast.trunk(neck);
    match actor.subject {
        Subject::Dog => beast.dog(colour),
        Subject::Cat => beast.cat(colour),
        Subject::Fox => beast.fox(),
        Subject::Horse => beast.horse(neck, colour),
        Subject::Elephant => beast.elephant(),
        _ => beast.dragon(neck, colour),
    }
    beast.rig.parts
}

/// Where leg `i` hangs from the trunk.
fn hip(trunk: &Vec3, i: usize) -> Vec3 {
    let along = if i < 2 { 0.70 } else { -0.70 };
    v(
        SIDES[i % 2] * trunk.x * 0.62,
        -trunk.y * 0.3,
        along * trunk.z,
    )
}

impl Beast {
    /// Trunk, neck and legs; the head and the tail are the animal's own.
    fn trunk(&mut self, neck: Affine3A) {
        let (h, trunk) = (self.h, self.frame.trunk);
        let (coat, rig) = (self.coat, &mut self.rig);
        rig.ball(
            self.body,
            v(0.0, 0.0, trunk.z * 0.32) * h,
            trunk * v(1.0, 1.0, 0.70) * h,
            coat,
        );
        rig.ball(
            self.body,
            v(0.0, 0.02, -trunk.z * 0.38) * h,
            trunk * v(1.0, 0.96, 0.66) * h,
            coat,
        );
        rig.bean(
            neck,
            v(0.0, -0.06, -0.05) * h,
            self.frame.neck * h,
            self.frame.throat * h,
            coat,
        );
        let (leg, thick) = (self.frame.leg * h, self.frame.thick * h);
        for i in 0..4 {
            let upper = self.is.legs[i].upper(self.body, hip(&trunk, i) * h, SIDES[i % 2]);
            let lower = joint(upper, v(0.0, -leg, 0.0), v(self.is.legs[i].bend, 0.0, 0.0));
            rig.bean(
                upper,
                v(0.0, thick * 1.2, 0.0),
                v(0.0, -leg * 1.2, 0.0),
                thick * 1.3,
                coat,
            );
            rig.rod(
                lower,
                v(0.0, thick * 0.4, 0.0),
                v(0.0, -leg, 0.0),
                thick * 0.85,
                coat,
            );
            rig.ball(
                lower,
                v(0.0, -leg, thick * 0.4),
                v(thick * 1.1, thick * 0.6, thick * 1.5),
                self.under,
            );
        }
    }

    /// The head with its snout, nose and face.
    pub fn skull(&mut self, muzzle: Material, nose: f32) {
        let (h, head) = (self.h, self.frame.head * self.h);
        let [reach, radius] = self.frame.snout.map(|share| share * h);
        self.rig.ball(self.head, Vec3::ZERO, head, self.coat);
        let tip = v(0.0, -head.y * 0.32, reach);
        self.rig.bean(
            self.head,
            v(0.0, -head.y * 0.25, -head.z * 0.2),
            tip,
            radius,
            muzzle,
        );
        self.rig.ball(
            self.head,
            tip + v(0.0, radius * 0.3, -radius * 0.15),
            Vec3::splat(nose * h),
            matt(INK),
        );
        self.face(0.25, 0.46, 0.24);
        self.mouth(tip, radius);
    }

    /// Eyes, brows and cheeks.
    pub fn face(&mut self, eye: f32, gap: f32, level: f32) {
        let face = Face {
            head: self.head,
            centre: Vec3::ZERO,
            radii: self.frame.head * self.h,
            eye,
            gap,
            level,
            mouth: -0.62,
            brow: matt(INK),
        };
        face.eyes(&mut self.rig, self.emotion);
    }

    /// A jaw below the snout that opens with the feeling.
    fn mouth(&mut self, tip: Vec3, radius: f32) {
        let gape = match self.emotion {
            Emotion::Happy => 0.45,
            Emotion::Surprised => 0.7,
            Emotion::Afraid | Emotion::Angry => 0.3,
            Emotion::Neutral | Emotion::Sad => return,
        };
        let jaw = joint(
            self.head,
            tip * v(0.0, 1.0, 0.35) - v(0.0, radius * 0.5, 0.0),
            v(gape, 0.0, 0.0),
        );
        let reach = tip.z * 0.5;
        self.rig.ball(
            jaw,
            v(0.0, 0.0, reach * 0.55),
            v(radius * 0.75, radius * 0.3, reach),
            self.coat,
        );
        let inside = if self.emotion == Emotion::Happy {
            v(0.85, 0.12, 0.16)
        } else {
            WHITE
        };
        self.rig.ball(
            jaw,
            v(0.0, radius * 0.2, reach * 0.7),
            v(radius * 0.5, radius * 0.18, reach * 0.85),
            matt(inside),
        );
    }

    /// Where the tail starts.
    pub fn tail(&self, extra: f32) -> Affine3A {
        let trunk = self.frame.trunk;
        let [up, aside] = self.is.tail;
        // Seated, the tail lies along the ground.
        let lowest = if self.is.body.x < -0.2 {
            -0.2 - self.is.body.x
        } else {
            -1.6
        };
        let up = (up + extra).max(lowest);
        joint(
            self.body,
            v(0.0, trunk.y * 0.45, -trunk.z * 0.95) * self.h,
            v(up, aside, 0.0),
        )
    }

    fn dog(&mut self, colour: Vec3) {
        self.skull(self.under, 0.045);
        let (h, head) = (self.h, self.frame.head * self.h);
        let ear = matt(mix(colour * 0.45, v(0.05, 0.03, 0.02), 0.3));
        for side in SIDES {
            let at = joint(
                self.head,
                v(side * head.x * 0.82, head.y * 0.62, -0.01 * h),
                v(0.0, 0.0, side * (0.35 - 0.35 * self.is.ears)),
            );
            self.rig.ball(
                at,
                v(side * 0.02, -0.13, 0.0) * h,
                v(0.05, 0.15, 0.095) * h,
                ear,
            );
        }
        self.rig.put(
            self.body,
            Shape::Cylinder,
            v(0.0, 0.09, 0.335) * h,
            v(0.5, 0.0, 0.0),
            v(0.125, 0.02, 0.125) * h,
            matt(v(0.7, 0.03, 0.03)),
        );
        let tail = self.tail(0.5);
        self.rig.bean(
            tail,
            Vec3::ZERO,
            v(0.0, 0.08, -0.32) * h,
            0.045 * h,
            self.coat,
        );
    }

    /// Two upright ears: `spread` from the middle, `tall` and `wide` as shares of the height.
    fn pricked(&mut self, spread: f32, tall: f32, wide: f32, inner: Vec3) {
        let (h, head) = (self.h, self.frame.head * self.h);
        for side in SIDES {
            let lean = v(
                -0.5 * self.is.ears.max(0.0),
                0.0,
                -side * (0.22 + 0.6 * self.is.ears.max(0.0)),
            );
            let at = joint(
                self.head,
                v(side * head.x * spread, head.y * 0.55, 0.0),
                lean,
            );
            self.rig.cone(
                at,
                v(0.0, tall * 0.5, 0.0) * h,
                v(wide, tall * 0.5, wide * 0.55) * h,
                self.coat,
            );
            self.rig.cone(
                at,
                v(0.0, tall * 0.42, wide * 0.22) * h,
                v(wide * 0.6, tall * 0.36, wide * 0.4) * h,
                matt(inner),
            );
        }
    }

    fn cat(&mut self, colour: Vec3) {
        self.skull(self.under, 0.028);
        let (h, head) = (self.h, self.frame.head * self.h);
        self.pricked(0.58, 0.21, 0.10, v(0.85, 0.4, 0.42));
        for side in SIDES {
            for rise in [0.0, 0.035] {
                let from = v(
                    side * head.x * 0.35,
                    -head.y * 0.30 + rise * h * 0.5,
                    head.z * 1.0,
                );
                self.rig.rod(
                    self.head,
                    from,
                    from + v(side * 0.22, rise * 1.6 - 0.01, 0.02) * h,
                    0.007 * h,
                    matt(WHITE),
                );
            }
        }
        // Long and upright, with a hooked tip.
        let tail = self.tail(0.75);
        self.rig.bean(
            tail,
            Vec3::ZERO,
            v(0.0, 0.34, -0.16) * h,
            0.045 * h,
            self.coat,
        );
        let hook = 0.1 * self.clock.sine(1.3, 0.0);
        self.rig.bean(
            tail,
            v(0.0, 0.28, -0.14) * h,
            v(hook, 0.55, -0.08) * h,
            0.04 * h,
            matt(colour * 0.55),
        );
    }

    fn fox(&mut self) {
        let white = matt(WHITE);
        self.skull(self.coat, 0.036);
        let (h, head) = (self.h, self.frame.head * self.h);
        self.pricked(0.55, 0.25, 0.095, INK);
        for side in SIDES {
            self.rig.ball(
                self.head,
                v(side * head.x * 0.55, -head.y * 0.45, head.z * 0.42),
                v(0.10, 0.07, 0.10) * h,
                white,
            );
        }
        self.rig.ball(
            self.body,
            v(0.0, -0.02, self.frame.trunk.z * 0.78) * h,
            v(0.10, 0.12, 0.11) * h,
            white,
        );
        // A brush as thick as the trunk, with a white tip.
        let tail = self.tail(0.25);
        self.rig.bean(
            tail,
            v(0.0, 0.0, 0.04) * h,
            v(0.0, 0.06, -0.50) * h,
            0.13 * h,
            self.coat,
        );
        self.rig.bean(
            tail,
            v(0.0, 0.05, -0.36) * h,
            v(0.0, 0.09, -0.62) * h,
            0.10 * h,
            white,
        );
    }

    fn horse(&mut self, neck: Affine3A, colour: Vec3) {
        self.skull(matt(mix(colour, IVORY, 0.22)), 0.016);
        let h = self.h;
        let mane = matt(if colour.max_element() < 0.2 {
            v(0.45, 0.36, 0.22)
        } else {
            colour * 0.22
        });
        self.pricked(0.55, 0.13, 0.04, INK);
        // The mane stands along the crest from the brow to the withers.
        let along = self.frame.neck * h;
        for share in [0.0, 0.36, 0.72, 1.08] {
            let crest = along * share + v(0.0, 0.05, -0.085) * h;
            self.rig.ball(neck, crest, v(0.045, 0.085, 0.075) * h, mane);
        }
        self.rig.ball(
            self.head,
            v(0.0, 0.105, 0.05) * h,
            v(0.05, 0.04, 0.085) * h,
            mane,
        );
        let tail = self.tail(-1.0);
        self.rig.bean(
            tail,
            v(0.0, 0.02, 0.0) * h,
            v(0.0, 0.02, -0.42) * h,
            0.075 * h,
            mane,
        );
    }
}
