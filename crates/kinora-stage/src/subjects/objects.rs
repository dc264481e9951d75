//! Candle, snowman and balloon: things that the film brings to life.

use super::body::SIDES;
use super::face::Face;
use super::motion::{Carriage, Clock, whole};
use super::palette::{BEAK, GOLD, INK, WHITE, WOOD, matt, mix, shiny};
use super::rig::{Rig, joint, v};
use super::stance::stance;
use super::vehicles::flame;
use crate::part::{Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Action, Emotion, Subject};
use glam::{Affine3A, Vec3};

/// The parts of a candle, snowman or balloon of the given usual height.
pub(super) fn object(actor: &Actor, colour: Vec3, height: f32, clock: Clock) -> Vec<Part> {
    let mut rig = Rig::default();
    let stand = match actor.subject {
        Subject::Candle => 0.27,
        Subject::Snowman => 0.12,
        _ => 0.08,
    };
    let base =
        whole(actor.action, Carriage::Hops, clock).place(height, v(stand, 0.0, stand) * height);
    match actor.subject {
        Subject::Candle => candle(&mut rig, base, colour, height, actor.action, clock),
        Subject::Snowman => snowman(&mut rig, base, colour, height, actor, clock),
        _ => balloon(&mut rig, base, colour, height, clock),
    }
    rig.parts
}

fn candle(rig: &mut Rig, base: Affine3A, colour: Vec3, h: f32, action: Action, clock: Clock) {
    let (wax, brass) = (matt(colour), shiny(GOLD * 0.7, 0.8));
    rig.post(base, v(0.0, 0.03, 0.0) * h, v(0.30, 0.03, 0.30) * h, brass);
    rig.post(
        base,
        v(0.0, 0.10, 0.0) * h,
        v(0.185, 0.05, 0.185) * h,
        brass,
    );
    for (turn, at) in [(0.0, 0.0), (1.57, 0.0)] {
        rig.put(
            base,
            Shape::Cube,
            v(0.34, 0.08 + at, 0.0) * h,
            v(0.0, 0.0, turn),
            v(0.055, 0.018, 0.03) * h,
            brass,
        );
    }
    rig.post(base, v(0.0, 0.40, 0.0) * h, v(0.15, 0.30, 0.15) * h, wax);
    rig.ball(base, v(0.0, 0.70, 0.0) * h, v(0.155, 0.035, 0.155) * h, wax);
    // Runs of wax down the side; they lengthen as it melts.
    let run = 0.10
        + if action == Action::Melt {
            0.2 * clock.ease(2.0)
        } else {
            0.0
        };
    for (angle, length) in [(0.3f32, 1.0), (1.9, 0.6), (3.4, 1.2), (5.0, 0.8)] {
        let at = v(
            angle.sin() * 0.15,
            0.70 - run * length * 0.5,
            angle.cos() * 0.15,
        );
        rig.ball(
            base,
            at * h,
            v(0.035, run * length * 0.6 + 0.03, 0.035) * h,
            matt(mix(colour, WHITE, 0.15)),
        );
    }
    rig.post(
        base,
        v(0.0, 0.75, 0.0) * h,
        v(0.012, 0.04, 0.012) * h,
        matt(INK),
    );
    let light = match action {
        Action::Flicker => 0.5 + 0.45 * clock.sine(0.6, 0.0) + 0.15 * clock.sine(0.23, 0.4),
        _ => 0.85 + 0.25 * (clock.flicker() - 0.68),
    };
    flame(
        rig,
        base,
        v(0.0, 0.78, 0.0) * h,
        (0.055 + 0.03 * light) * h,
        (0.10 + 0.17 * light) * h,
        clock,
    );
}

fn snowman(rig: &mut Rig, base: Affine3A, colour: Vec3, h: f32, actor: &Actor, clock: Clock) {
    let (snow, wool, knit) = (matt(v(0.84, 0.87, 0.92)), matt(colour), matt(colour * 0.65));
    // The hat stands above the three balls.
    let h = h * 0.93;
    let is = stance(actor.action, actor.emotion, clock);
    let tremble = if actor.emotion == Emotion::Afraid {
        0.015 * clock.sine(0.21, 0.0)
    } else {
        0.0
    };
    rig.ball(base, v(0.0, 0.22, 0.0) * h, v(0.27, 0.235, 0.27) * h, snow);
    // A jumper covers the middle ball.
    let bust = joint(
        base,
        v(tremble, 0.42, 0.0) * h,
        v(is.torso.x.min(0.4) * 0.6, 0.0, is.torso.z * 0.5),
    );
    rig.ball(bust, v(0.0, 0.05, 0.0) * h, v(0.215, 0.19, 0.215) * h, wool);
    rig.post(
        bust,
        v(0.0, -0.08, 0.0) * h,
        v(0.185, 0.035, 0.185) * h,
        wool,
    );
    for y in [0.0, 0.09] {
        rig.ball(
            bust,
            v(0.0, y, 0.205) * h,
            v(0.028, 0.028, 0.02) * h,
            matt(INK),
        );
    }
    let head = joint(bust, v(0.0, 0.22, 0.0) * h, is.head);
    let skull = v(0.0, 0.10, 0.0) * h;
    let radii = v(0.165, 0.15, 0.16) * h;
    rig.ball(head, skull, radii, snow);
    Face {
        head,
        centre: skull,
        radii,
        eye: 0.20,
        gap: 0.40,
        level: 0.22,
        mouth: -0.50,
        brow: matt(INK),
    }
    .draw(rig, actor.emotion);
    rig.horn(
        head,
        skull + v(0.0, -0.01, 0.13) * h,
        skull + v(0.0, -0.03, 0.34) * h,
        0.035 * h,
        matt(BEAK),
    );
    rig.post(
        head,
        skull + v(0.0, 0.125, 0.0) * h,
        v(0.19, 0.016, 0.19) * h,
        wool,
    );
    rig.post(
        head,
        skull + v(0.0, 0.225, 0.0) * h,
        v(0.125, 0.10, 0.125) * h,
        wool,
    );
    rig.post(
        head,
        skull + v(0.0, 0.155, 0.0) * h,
        v(0.13, 0.02, 0.13) * h,
        matt(WHITE),
    );
    rig.post(
        bust,
        v(0.0, 0.225, 0.0) * h,
        v(0.165, 0.032, 0.165) * h,
        knit,
    );
    rig.put(
        bust,
        Shape::Cube,
        v(0.09, 0.12, 0.19) * h,
        v(-0.15, 0.0, 0.12),
        v(0.04, 0.11, 0.018) * h,
        knit,
    );
    for (i, side) in SIDES.into_iter().enumerate() {
        let mut arm = is.arms[i];
        arm.spread = arm.spread.max(0.0) + 0.75 * (1.0 - (arm.spread / 2.0).clamp(0.0, 1.0));
        let upper = arm.upper(bust, v(side * 0.19, 0.10, 0.0) * h, side);
        rig.rod(
            upper,
            Vec3::ZERO,
            v(0.0, -0.25, 0.0) * h,
            0.016 * h,
            matt(WOOD),
        );
        rig.ball(
            upper,
            v(0.0, -0.26, 0.0) * h,
            v(0.055, 0.06, 0.045) * h,
            wool,
        );
    }
}

fn balloon(rig: &mut Rig, base: Affine3A, colour: Vec3, h: f32, clock: Clock) {
    // The envelope swings a little over its basket.
    let sway = v(
        0.03 * clock.sine(1.9, 0.1),
        0.0,
        0.05 * clock.sine(2.3, 0.0),
    );
    let envelope = joint(base, v(0.0, 0.18, 0.0) * h, sway);
    let (cloth, seam) = (matt(colour), matt(mix(colour, WHITE, 0.75)));
    rig.ball(
        envelope,
        v(0.0, 0.50, 0.0) * h,
        v(0.315, 0.32, 0.315) * h,
        cloth,
    );
    rig.put(
        envelope,
        Shape::Cone,
        v(0.0, 0.22, 0.0) * h,
        v(std::f32::consts::PI, 0.0, 0.0),
        v(0.235, 0.19, 0.235) * h,
        cloth,
    );
    rig.post(
        envelope,
        v(0.0, 0.50, 0.0) * h,
        v(0.322, 0.03, 0.322) * h,
        seam,
    );
    rig.ball(
        envelope,
        v(0.0, 0.805, 0.0) * h,
        v(0.07, 0.025, 0.07) * h,
        seam,
    );
    for i in 0..4 {
        let turn = i as f32 * 0.785;
        rig.put(
            envelope,
            Shape::Sphere,
            v(0.0, 0.50, 0.0) * h,
            v(0.0, turn, 0.0),
            v(0.319, 0.324, 0.03) * h,
            matt(colour * 0.6),
        );
    }
    for side in SIDES {
        for along in [1.0, -1.0] {
            rig.rod(
                base,
                v(side * 0.075, 0.16, along * 0.075) * h,
                v(side * 0.11, 0.33, along * 0.11) * h,
                0.007 * h,
                matt(INK),
            );
        }
    }
    let basket = matt(WOOD * 1.6);
    rig.block(
        base,
        v(0.0, 0.085, 0.0) * h,
        v(0.085, 0.085, 0.085) * h,
        basket,
    );
    rig.block(
        base,
        v(0.0, 0.165, 0.0) * h,
        v(0.095, 0.016, 0.095) * h,
        matt(WOOD * 0.6),
    );
    flame(
        rig,
        base,
        v(0.0, 0.19, 0.0) * h,
        0.022 * h,
        (0.05 + 0.03 * clock.flicker()) * h,
        clock,
    );
}
