//! Bird, fish, ghost and monster: soft bodies that move as a whole, with wings, fins or short arms of their own.

use super::body::SIDES;
use super::face::Face;
use super::motion::{Carriage, Clock, whole};
use super::palette::{BEAK, INK, IVORY, MOUTH, Traits, WHITE, matt, pale, shiny};
use super::rig::{Rig, joint, v};
use super::stance::stance;
use crate::part::{Material, Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Action, Emotion, Subject};
use glam::{Affine3A, Vec3};

/// The parts of a bird, fish, ghost or monster of the given usual height.
pub(super) fn creature(
    actor: &Actor,
    colour: Vec3,
    height: f32,
    traits: Traits,
    clock: Clock,
) -> Vec<Part> {
    let h = height * traits.tall;
    match actor.subject {
        Subject::Bird => bird(actor, colour, h, clock),
        Subject::Fish => fish(actor, colour, h, clock),
        Subject::Ghost => ghost(actor, colour, h, clock),
        _ => monster(actor, colour, h, traits, clock),
    }
}

/// How a mood tips a body that has no neck: positive is forward.
fn slump(emotion: Emotion) -> f32 {
    match emotion {
        Emotion::Neutral => 0.0,
        Emotion::Happy => -0.08,
        Emotion::Sad => 0.26,
        Emotion::Angry => 0.2,
        Emotion::Surprised => -0.16,
        Emotion::Afraid => 0.08,
    }
}

/// The frame of a soft body: its rigid movement, its mood, and the trembling of fear.
fn soft(actor: &Actor, carriage: Carriage, h: f32, clock: Clock) -> Affine3A {
    let place = whole(actor.action, carriage, clock).place(h, v(0.15, 0.0, 0.12) * h);
    let tremble = if actor.emotion == Emotion::Afraid {
        0.015 * clock.sine(0.21, 0.0)
    } else {
        0.0
    };
    joint(
        place,
        v(tremble * h, 0.0, 0.0),
        v(slump(actor.emotion), 0.0, 0.0),
    )
}

fn bird(actor: &Actor, colour: Vec3, h: f32, clock: Clock) -> Vec<Part> {
    let mut rig = Rig::default();
    let (coat, under, orange) = (matt(colour), matt(pale(colour)), matt(BEAK));
    let base = soft(actor, Carriage::Hops, h, clock);
    let airborne = matches!(actor.action, Action::Fly | Action::Float | Action::Swim);
    let body = joint(
        base,
        v(0.0, 0.44, 0.0) * h,
        v(if airborne { 0.45 } else { 0.0 }, 0.0, 0.0),
    );
    rig.ball(body, Vec3::ZERO, v(0.235, 0.25, 0.31) * h, coat);
    rig.ball(
        body,
        v(0.0, -0.04, 0.12) * h,
        v(0.19, 0.19, 0.21) * h,
        under,
    );
    let look = if actor.action == Action::LookAround {
        0.9 * clock.sine(1.6, 0.2)
    } else {
        0.0
    };
    let head = joint(
        body,
        v(0.0, 0.34, 0.17) * h,
        v(if airborne { -0.4 } else { 0.0 }, look, 0.0),
    );
    rig.ball(head, Vec3::ZERO, v(0.20, 0.19, 0.19) * h, coat);
    rig.horn(
        head,
        v(0.0, -0.02, 0.14) * h,
        v(0.0, -0.05, 0.38) * h,
        0.075 * h,
        orange,
    );
    if matches!(
        actor.emotion,
        Emotion::Happy | Emotion::Surprised | Emotion::Angry | Emotion::Afraid
    ) {
        rig.horn(
            head,
            v(0.0, -0.07, 0.12) * h,
            v(0.0, -0.20, 0.29) * h,
            0.05 * h,
            orange,
        );
    }
    let radii = v(0.20, 0.19, 0.19) * h;
    Face {
        head,
        centre: Vec3::ZERO,
        radii,
        eye: 0.26,
        gap: 0.52,
        level: 0.25,
        mouth: -0.5,
        brow: matt(INK),
    }
    .eyes(&mut rig, actor.emotion);
    for lean in [-0.25, 0.05, 0.35] {
        rig.horn(
            head,
            v(0.0, 0.15, -0.04) * h,
            v(lean * 0.12, 0.30, -0.06 - 0.2 * lean) * h,
            0.035 * h,
            coat,
        );
    }
    wings(&mut rig, body, actor, colour, h, clock);
    let tail = joint(
        body,
        v(0.0, 0.03, -0.24) * h,
        v(-0.25 + 0.1 * clock.sine(0.8, 0.0), 0.0, 0.0),
    );
    rig.ball(
        tail,
        v(0.0, 0.0, -0.17) * h,
        v(0.11, 0.025, 0.22) * h,
        matt(colour * 0.55),
    );
    for (i, side) in SIDES.into_iter().enumerate() {
        let swing = match actor.action {
            Action::Walk => 0.5 * clock.sine(0.7, i as f32 * 0.5),
            Action::Run => 0.8 * clock.sine(0.4, i as f32 * 0.5),
            Action::Fly | Action::Swim => -1.2,
            Action::Sit | Action::Kneel => 1.2 * clock.ease(0.7),
            _ => 0.0,
        };
        let leg = joint(base, v(side * 0.10, 0.24, 0.0) * h, v(-swing, 0.0, 0.0));
        rig.rod(leg, Vec3::ZERO, v(0.0, -0.21, 0.0) * h, 0.024 * h, orange);
        rig.ball(
            leg,
            v(0.0, -0.215, 0.05) * h,
            v(0.06, 0.022, 0.10) * h,
            orange,
        );
    }
    rig.parts
}

fn wings(rig: &mut Rig, body: Affine3A, actor: &Actor, colour: Vec3, h: f32, clock: Clock) {
    for (i, side) in SIDES.into_iter().enumerate() {
        // Raised from the hanging wing, 0, to above the back, about 2.4.
        let raise = match actor.action {
            Action::Fly => 1.55 + 0.85 * clock.sine(0.5, 0.0),
            Action::Float => 1.5 + 0.35 * clock.sine(1.0, 0.0),
            Action::Swim => 0.9 + 0.6 * clock.sine(0.8, 0.0),
            Action::Jump => 0.3 + 1.6 * clock.jump().1,
            Action::Dance => 1.1 + 0.9 * clock.sine(1.0, i as f32 * 0.5),
            Action::Wave if i == 1 => 2.1 + 0.5 * clock.sine(0.6, 0.0),
            Action::Spin => 1.4,
            Action::Run => 0.5 + 0.25 * clock.sine(0.4, 0.0),
            _ if actor.emotion == Emotion::Surprised => 1.3,
            _ if actor.emotion == Emotion::Happy => 0.55 + 0.2 * clock.sine(0.5, 0.0),
            _ => 0.12 + 0.04 * clock.sine(1.5, 0.0),
        };
        let wing = joint(
            body,
            v(side * 0.20, 0.13, -0.02) * h,
            v(0.0, 0.0, side * raise),
        );
        rig.ball(
            wing,
            v(side * 0.01, -0.20, -0.03) * h,
            v(0.035, 0.24, 0.14) * h,
            matt(colour * 0.8),
        );
        rig.ball(
            wing,
            v(side * 0.01, -0.36, -0.08) * h,
            v(0.03, 0.17, 0.09) * h,
            matt(colour * 0.5),
        );
    }
}

fn fish(actor: &Actor, colour: Vec3, h: f32, clock: Clock) -> Vec<Part> {
    let mut rig = Rig::default();
    let base = soft(actor, Carriage::Hovers, h, clock);
    let (period, sway) = match actor.action {
        Action::Swim | Action::Run => (0.6, 0.65),
        Action::Walk | Action::Fly | Action::Dance => (0.8, 0.45),
        _ => (1.4, 0.22),
    };
    let (scales, finned) = (shiny(colour, 0.5), matt(colour * 0.55));
    let body = joint(
        base,
        v(0.0, 0.44, 0.0) * h,
        v(0.0, 0.25 * sway * clock.sine(period, 0.0), 0.0),
    );
    rig.ball(body, v(0.0, 0.0, 0.10) * h, v(0.24, 0.38, 0.52) * h, scales);
    rig.ball(
        body,
        v(0.0, -0.06, 0.12) * h,
        v(0.225, 0.31, 0.47) * h,
        matt(pale(colour)),
    );
    // One pale band, as clownfish wear.
    rig.ball(
        body,
        v(0.0, 0.01, 0.10) * h,
        v(0.246, 0.385, 0.07) * h,
        matt(WHITE),
    );
    let rear = joint(
        body,
        v(0.0, 0.0, -0.30) * h,
        v(0.0, sway * clock.sine(period, 0.8), 0.0),
    );
    rig.ball(
        rear,
        v(0.0, 0.0, -0.12) * h,
        v(0.12, 0.19, 0.27) * h,
        scales,
    );
    let tail = joint(
        rear,
        v(0.0, 0.0, -0.30) * h,
        v(0.0, sway * 1.2 * clock.sine(period, 0.6), 0.0),
    );
    rig.ball(
        tail,
        v(0.0, 0.15, -0.14) * h,
        v(0.035, 0.21, 0.13) * h,
        finned,
    );
    rig.ball(
        tail,
        v(0.0, -0.15, -0.14) * h,
        v(0.035, 0.21, 0.13) * h,
        finned,
    );
    rig.fin(
        body,
        [
            v(0.0, 0.30, 0.30) * h,
            v(0.0, 0.30, -0.30) * h,
            v(0.0, 0.60, -0.18) * h,
        ],
        finned,
    );
    rig.ball(
        body,
        v(0.0, 0.36, 0.0) * h,
        v(0.035, 0.16, 0.24) * h,
        finned,
    );
    let fan = 0.4 * clock.sine(period, 0.2);
    for side in SIDES {
        let paddle = if side < 0.0 && actor.action == Action::Wave {
            1.2 + 0.6 * clock.sine(0.6, 0.0)
        } else {
            -0.3 + fan
        };
        let at = joint(
            body,
            v(side * 0.20, -0.06, 0.12) * h,
            v(0.0, side * 0.5, side * paddle),
        );
        rig.ball(
            at,
            v(side * 0.13, 0.0, -0.05) * h,
            v(0.17, 0.03, 0.10) * h,
            finned,
        );
        let eye = v(side * 0.165, 0.10, 0.42) * h;
        fish_eye(&mut rig, body, eye, side, actor.emotion, h);
    }
    let (wide, tall, at) = match actor.emotion {
        Emotion::Surprised | Emotion::Afraid => (0.07, 0.085, 0.58),
        Emotion::Happy => (0.11, 0.05, 0.58),
        _ => (0.07, 0.03, 0.595),
    };
    rig.ball(
        body,
        v(0.0, -0.09, at) * h,
        v(wide, tall, 0.04) * h,
        matt(MOUTH),
    );
    rig.parts
}

fn fish_eye(rig: &mut Rig, body: Affine3A, eye: Vec3, side: f32, emotion: Emotion, h: f32) {
    let (open, slope) = match emotion {
        Emotion::Neutral => (1.0, 0.0),
        Emotion::Happy => (1.0, 0.2),
        Emotion::Sad => (0.8, 0.6),
        Emotion::Angry => (0.8, -0.6),
        Emotion::Surprised | Emotion::Afraid => (1.35, 0.3),
    };
    let out = v(side * 0.8, 0.0, 0.6);
    rig.ball(
        body,
        eye,
        v(0.085, 0.085 * open, 0.085) * h,
        shiny(WHITE, 0.3),
    );
    rig.ball(body, eye + out * 0.05 * h, Vec3::splat(0.05 * h), matt(INK));
    if slope != 0.0 {
        let brow = eye + v(side * 0.03, 0.075 + 0.05 * open, 0.05) * h;
        rig.put(
            body,
            Shape::Cube,
            brow,
            v(0.0, side * 0.9, -side * slope),
            v(0.09, 0.018, 0.02) * h,
            matt(INK),
        );
    }
}

fn ghost(actor: &Actor, colour: Vec3, h: f32, clock: Clock) -> Vec<Part> {
    let mut rig = Rig::default();
    // A little light of its own lets the sheet show in the dark.
    let sheet = Material {
        emission: colour * 0.12,
        opacity: 0.75,
        ..matt(colour)
    };
    let base = soft(actor, Carriage::Hovers, h, clock);
    let dome = v(0.0, 0.68, 0.0) * h;
    rig.ball(base, dome, v(0.27, 0.30, 0.24) * h, sheet);
    rig.post(base, v(0.0, 0.42, 0.0) * h, v(0.27, 0.26, 0.24) * h, sheet);
    // The hem: lappets that ripple round the edge.
    for i in 0..6 {
        let angle = i as f32 / 6.0 * std::f32::consts::TAU;
        let dip = 0.035 * clock.sine(1.0, i as f32 / 3.0);
        let at = v(0.20 * angle.sin(), 0.15 + dip, 0.17 * angle.cos()) * h;
        rig.put(
            base,
            Shape::Cone,
            at,
            v(std::f32::consts::PI, 0.0, 0.0),
            v(0.11, 0.13, 0.10) * h,
            sheet,
        );
    }
    let is = stance(actor.action, actor.emotion, clock);
    for (i, side) in SIDES.into_iter().enumerate() {
        // The arms of a sheet point forward at rest.
        let mut arm = is.arms[i];
        if arm.spread < 0.9 && arm.swing.abs() < 1.2 {
            arm.swing += 1.0;
            arm.spread += 0.35;
        }
        let upper = arm.upper(base, v(side * 0.23, 0.58, 0.03) * h, side);
        rig.bean(
            upper,
            v(0.0, 0.05, 0.0) * h,
            v(0.0, -0.30, 0.0) * h,
            0.075 * h,
            sheet,
        );
    }
    let (tall, slope, gape) = match actor.emotion {
        Emotion::Neutral => (0.085, 0.0, 0.045),
        Emotion::Happy => (0.075, 0.0, 0.0),
        Emotion::Sad => (0.06, 0.5, 0.0),
        Emotion::Angry => (0.055, -0.6, 0.0),
        Emotion::Surprised => (0.115, 0.0, 0.10),
        Emotion::Afraid => (0.11, 0.4, 0.06),
    };
    let dark = matt(if colour.max_element() < 0.05 {
        v(0.8, 0.85, 0.9)
    } else {
        INK
    });
    for side in SIDES {
        rig.put(
            base,
            Shape::Sphere,
            v(side * 0.10, 0.74, 0.215) * h,
            v(-0.15, 0.0, -side * slope),
            v(0.062, tall, 0.05) * h,
            dark,
        );
        if gape == 0.0 {
            let curve = if actor.emotion == Emotion::Happy {
                0.055
            } else {
                -0.055
            };
            rig.rod(
                base,
                v(0.0, 0.575 - curve * 0.3, 0.25) * h,
                v(side * 0.12, 0.575 + curve, 0.225) * h,
                0.02 * h,
                dark,
            );
        }
    }
    if gape > 0.0 {
        rig.ball(
            base,
            v(0.0, 0.57, 0.235) * h,
            v(0.055, gape, 0.04) * h,
            dark,
        );
    }
    rig.parts
}

fn monster(actor: &Actor, colour: Vec3, h: f32, traits: Traits, clock: Clock) -> Vec<Part> {
    let mut rig = Rig::default();
    let (fur, dark, horn) = (matt(colour), matt(colour * 0.6), matt(IVORY));
    let is = stance(actor.action, actor.emotion, clock);
    let base = soft(actor, Carriage::Hops, h, clock);
    let middle = v(0.0, 0.50, 0.0) * h;
    let radii = v(0.37, 0.36, 0.33) * h;
    rig.ball(base, middle, radii, fur);
    // Tufts round the outline.
    for i in 0..9 {
        let angle = (i as f32 - 4.0) * 0.52;
        let out = v(angle.sin(), angle.cos(), 0.0);
        let root = middle + out * radii * v(0.9, 0.9, 0.0) - v(0.0, 0.0, 0.04) * h;
        rig.horn(
            base,
            root,
            root + (out * 0.13 + v(0.0, -0.03, 0.0)) * h,
            0.095 * h,
            dark,
        );
    }
    for (i, side) in SIDES.into_iter().enumerate() {
        rig.horn(
            base,
            v(side * 0.19, 0.76, 0.0) * h,
            v(side * 0.30, 1.02, 0.0) * h,
            0.07 * h,
            horn,
        );
        let upper = is.arms[i].upper(base, v(side * 0.33, 0.50, 0.05) * h, side);
        rig.bean(
            upper,
            v(0.0, 0.06, 0.0) * h,
            v(0.0, -0.30, 0.0) * h,
            0.075 * h,
            fur,
        );
        rig.ball(upper, v(0.0, -0.30, 0.0) * h, Vec3::splat(0.075 * h), dark);
        let leg = is.legs[i].upper(base, v(side * 0.16, 0.20, 0.0) * h, side);
        rig.bean(
            leg,
            v(0.0, 0.06, 0.0) * h,
            v(0.0, -0.17, 0.0) * h,
            0.085 * h,
            fur,
        );
        rig.ball(
            leg,
            v(0.0, -0.16, 0.06) * h,
            v(0.095, 0.045, 0.14) * h,
            dark,
        );
    }
    monster_face(&mut rig, base, middle, radii, actor.emotion, traits.variant);
    rig.parts
}

fn monster_face(
    rig: &mut Rig,
    base: Affine3A,
    middle: Vec3,
    radii: Vec3,
    emotion: Emotion,
    three: bool,
) {
    let unit = radii.x;
    let (open, pupil, slope) = match emotion {
        Emotion::Neutral => (1.0, 0.55, 0.0),
        Emotion::Happy => (1.0, 0.6, 0.15),
        Emotion::Sad => (0.75, 0.55, 0.5),
        Emotion::Angry => (0.75, 0.5, -0.55),
        Emotion::Surprised => (1.25, 0.4, 0.0),
        Emotion::Afraid => (1.25, 0.28, 0.45),
    };
    let eyes: &[(f32, f32, f32)] = if three {
        &[(-0.5, 0.28, 0.2), (0.0, 0.40, 0.24), (0.5, 0.28, 0.2)]
    } else {
        &[(0.0, 0.32, 0.38)]
    };
    for &(x, y, size) in eyes {
        let at = middle + radii * v(x, y, (1.0 - x * x - y * y).sqrt());
        let eye = size * unit;
        rig.ball(base, at, v(eye, eye * open, eye * 0.6), shiny(WHITE, 0.3));
        rig.ball(
            base,
            at + v(0.0, 0.0, eye * 0.45),
            v(pupil * eye, pupil * eye, eye * 0.3),
            matt(INK),
        );
    }
    let brows: &[f32] = if emotion == Emotion::Neutral {
        &[]
    } else {
        &SIDES
    };
    for &side in brows {
        let brow = middle + radii * v(side * 0.3, 0.78, 0.72);
        rig.put(
            base,
            Shape::Cube,
            brow,
            v(0.0, 0.0, -side * slope),
            v(0.26, 0.06, 0.08) * unit,
            matt(INK),
        );
    }
    let (wide, gape, curve) = match emotion {
        Emotion::Neutral => (0.45, 0.10, 0.0),
        Emotion::Happy => (0.58, 0.20, 0.16),
        Emotion::Sad => (0.40, 0.06, -0.18),
        Emotion::Angry => (0.55, 0.16, -0.10),
        Emotion::Surprised => (0.26, 0.30, 0.0),
        Emotion::Afraid => (0.48, 0.14, -0.06),
    };
    let on = |x: f32, y: f32| middle + radii * v(x, y, (1.0 - x * x - y * y).max(0.05).sqrt());
    let at = on(0.0, -0.30);
    rig.ball(base, at, v(wide * 0.85, gape, 0.10) * unit, matt(MOUTH));
    for side in SIDES {
        rig.rod(
            base,
            at,
            on(side * wide, -0.30 + curve),
            0.06 * unit,
            matt(MOUTH),
        );
        let tooth = at + v(side * wide * 0.42, gape * 0.75, 0.07) * unit;
        rig.horn(
            base,
            tooth,
            tooth - v(0.0, 0.20, 0.0) * unit,
            0.075 * unit,
            matt(WHITE),
        );
    }
}
