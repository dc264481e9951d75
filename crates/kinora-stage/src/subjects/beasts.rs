//! The subjects on four legs: dog, cat, fox, horse, elephant and dragon.

use super::body::SIDES;
use super::face::Face;
use super::motion::Clock;
use super::palette::{BEAK, INK, IVORY, Traits, WHITE, matt, mix, pale, shiny};
use super::prowl::{Prowl, prowl};
use super::rig::{Rig, joint, v};
use crate::part::{Material, Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Emotion, Subject};
use glam::{Affine3A, Vec3};

/// Proportions of an animal, as shares of its height.
struct Frame {
    /// Half-sizes of the trunk.
    trunk: Vec3,
    /// Length of a thigh, and of a shin.
    leg: f32,
    /// Radius of the legs.
    thick: f32,
    /// From the front of the trunk to the middle of the head.
    neck: Vec3,
    /// Radius of the neck.
    throat: f32,
    /// Radii of the head.
    head: Vec3,
    /// Reach of the snout beyond the head's middle, and its radius.
    snout: [f32; 2],
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
            v(0.125, 0.14, 0.30),
            0.225,
            0.038,
            v(0.0, 0.32, 0.18),
            0.085,
            v(0.085, 0.10, 0.11),
            [0.24, 0.07],
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
            v(0.135, 0.145, 0.28),
            0.145,
            0.055,
            v(0.0, 0.40, 0.19),
            0.072,
            v(0.125, 0.11, 0.12),
            [0.25, 0.085],
        ),
    }
}

struct Beast {
    rig: Rig,
    frame: Frame,
    is: Prowl,
    /// In metres.
    h: f32,
    coat: Material,
    under: Material,
    emotion: Emotion,
    clock: Clock,
    body: Affine3A,
    head: Affine3A,
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
    let mut beast = Beast {
        rig: Rig::default(),
        frame,
        is,
        h,
        coat,
        under: matt(pale(colour)),
        emotion: actor.emotion,
        clock,
        body,
        head,
    };
    beast.trunk(neck);
    match actor.subject {
        Subject::Dog => beast.dog(colour),
        Subject::Cat => beast.cat(colour),
        Subject::Fox => beast.fox(colour),
        Subject::Horse => beast.horse(neck, colour),
        Subject::Elephant => beast.elephant(colour),
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
    fn skull(&mut self, muzzle: Material, nose: f32) {
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

    fn face(&mut self, eye: f32, gap: f32, level: f32) {
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
    fn tail(&self, extra: f32) -> Affine3A {
        let trunk = self.frame.trunk;
        let [up, aside] = self.is.tail;
        joint(
            self.body,
            v(0.0, trunk.y * 0.45, -trunk.z * 0.95) * self.h,
            v(up + extra, aside, 0.0),
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

    fn fox(&mut self, _colour: Vec3) {
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
        self.skull(self.coat, 0.022);
        let h = self.h;
        let mane = matt(if colour.max_element() < 0.2 {
            v(0.45, 0.36, 0.22)
        } else {
            colour * 0.22
        });
        self.pricked(0.5, 0.09, 0.028, INK);
        let along = self.frame.neck * h;
        for share in [0.15, 0.42, 0.7, 0.98] {
            self.rig.ball(
                neck,
                along * share + v(0.0, 0.025, -0.075) * h,
                v(0.03, 0.075, 0.055) * h,
                mane,
            );
        }
        self.rig.ball(
            self.head,
            v(0.0, 0.095, 0.03) * h,
            v(0.035, 0.035, 0.07) * h,
            mane,
        );
        let tail = self.tail(-0.75);
        self.rig.bean(
            tail,
            v(0.0, 0.02, 0.0) * h,
            v(0.0, 0.02, -0.40) * h,
            0.055 * h,
            mane,
        );
    }

    fn elephant(&mut self, _colour: Vec3) {
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

    fn dragon(&mut self, neck: Affine3A, colour: Vec3) {
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
                v(side * 0.12, 0.22, -0.14) * h,
                0.036 * h,
                horn,
            );
            let wing = joint(
                self.body,
                v(side * 0.09, 0.10, 0.06) * h,
                v(0.0, 0.0, side * self.is.wings),
            );
            let (elbow, tip) = (
                v(side * 0.26, 0.08, 0.02) * h,
                v(side * 0.60, 0.10, -0.14) * h,
            );
            self.rig.rod(wing, Vec3::ZERO, elbow, 0.022 * h, self.coat);
            self.rig.rod(wing, elbow, tip, 0.016 * h, self.coat);
            self.rig.fin(
                wing,
                [Vec3::ZERO, v(side * 0.16, -0.02, -0.30) * h, elbow],
                membrane,
            );
            self.rig.fin(
                wing,
                [
                    elbow,
                    v(side * 0.16, -0.02, -0.30) * h,
                    v(side * 0.40, 0.0, -0.34) * h,
                ],
                membrane,
            );
            self.rig
                .fin(wing, [elbow, v(side * 0.40, 0.0, -0.34) * h, tip], membrane);
        }
        self.rig.ball(
            self.body,
            v(0.0, -0.035, 0.10) * h,
            v(0.105, 0.12, 0.19) * h,
            self.under,
        );
        for share in [0.35, 0.75] {
            let at = self.frame.neck * h * share + v(0.0, 0.01, -0.06) * h;
            self.rig
                .horn(neck, at, at + v(0.0, 0.07, -0.07) * h, 0.032 * h, horn);
        }
        let sway = self.is.tail[1] * 0.6;
        let mut at = self.tail(-0.45);
        for (length, radius) in [(0.22, 0.085), (0.20, 0.058), (0.18, 0.036)] {
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
