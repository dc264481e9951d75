//! What is driven, sailed and flown; and the little kart for everybody who drives but has no wheels.

use super::body::SIDES;
use super::motion::{Carriage, Clock, whole};
use super::palette::{
    FLAME, GLASS, GOLD, NAVY, RUBBER, STEEL, WHITE, WOOD, glowing, matt, mix, pale, shiny,
};
use super::rig::{Rig, joint, v};
use super::{Extent, speed};
use crate::part::{Material, Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Action, Subject};
use glam::{Affine3A, Vec3};
use std::f32::consts::{FRAC_PI_2, TAU};

/// The parts of a vehicle of the given size.
pub(super) fn vehicle(actor: &Actor, colour: Vec3, size: Extent, clock: Clock) -> Vec<Part> {
    let mut rig = Rig::default();
    let carriage = if actor.subject == Subject::Rocket {
        Carriage::Hops
    } else {
        Carriage::Rolls
    };
    // A boat that floats is on the water, not above it.
    let moored = actor.subject == Subject::Boat && actor.action == Action::Float;
    let action = if moored { Action::Stand } else { actor.action };
    let base =
        whole(action, carriage, clock).place(size.height, v(size.width, 0.0, size.length) * 0.33);
    match actor.subject {
        Subject::Car => car(&mut rig, base, colour, actor, clock),
        Subject::Bus => bus(&mut rig, base, colour, actor, clock),
        Subject::Boat => boat(&mut rig, base, colour, actor, clock),
        Subject::Airplane => airplane(&mut rig, base, colour, actor, clock),
        _ => rocket(&mut rig, base, colour, actor, clock),
    }
    rig.parts
}

/// Adds a kart for a driver of the given size; the driver sits on it `kart_height` up.
pub(super) fn kart(parts: &mut Vec<Part>, actor: &Actor, colour: Vec3, size: Extent, clock: Clock) {
    let mut rig = Rig::default();
    let radius = kart_height(size) * 0.55;
    let long = size.length.min(size.height * 1.4).max(size.width);
    let half = v(size.width * 0.45, radius * 0.45, long * 0.6);
    let bounce = 0.04 * radius * clock.sine(0.3, 0.0);
    let base = Affine3A::from_translation(v(0.0, bounce, 0.0));
    rig.block(base, v(0.0, radius * 1.35, 0.0), half, matt(colour * 0.75));
    rig.ball(
        base,
        v(0.0, radius * 1.35, half.z),
        v(half.x, radius * 0.6, radius * 0.9),
        matt(colour * 0.75),
    );
    wheels(
        &mut rig,
        base,
        v(half.x, radius, half.z * 0.72),
        radius,
        speed(actor.subject, actor.action),
        clock,
    );
    parts.append(&mut rig.parts);
}

/// How high a kart's floor is for a driver of the given size.
pub(super) fn kart_height(size: Extent) -> f32 {
    size.height.min(1.8) * 0.16
}

/// Four wheels at `±at.x, at.y, ±at.z` that roll at `pace` metres a second.
fn wheels(rig: &mut Rig, base: Affine3A, at: Vec3, radius: f32, pace: f32, clock: Clock) {
    let angle = (pace * clock.t / radius).rem_euclid(TAU);
    for side in SIDES {
        for along in [1.0, -1.0] {
            let axle = joint(base, v(side * at.x, at.y, along * at.z), v(angle, 0.0, 0.0));
            rig.wheel(axle, Vec3::ZERO, radius, radius * 0.38, matt(RUBBER));
            // A bar across the hub shows that the wheel turns.
            rig.block(
                axle,
                v(side * radius * 0.2, 0.0, 0.0),
                v(radius * 0.22, radius * 0.78, radius * 0.24),
                shiny(v(0.65, 0.66, 0.68), 0.6),
            );
        }
    }
}

/// Lamps burn unless parked; flickering switches them.
fn lamps(action: Action, clock: Clock) -> f32 {
    match action {
        Action::Stand => 0.35,
        Action::Flicker => 0.5 + 0.5 * clock.sine(0.5, 0.0),
        _ => 1.0,
    }
}

fn car(rig: &mut Rig, base: Affine3A, colour: Vec3, actor: &Actor, clock: Clock) {
    let (paint, glass) = (shiny(colour, 0.8), shiny(GLASS * 0.35, 0.9));
    rig.block(base, v(0.0, 0.56, 0.0), v(0.74, 0.24, 1.45), paint);
    rig.put(
        base,
        Shape::Cylinder,
        v(0.0, 0.56, 1.45),
        v(0.0, 0.0, FRAC_PI_2),
        v(0.24, 0.74, 0.2),
        paint,
    );
    rig.put(
        base,
        Shape::Cylinder,
        v(0.0, 0.56, -1.45),
        v(0.0, 0.0, FRAC_PI_2),
        v(0.24, 0.74, 0.2),
        paint,
    );
    // The cabin: windows all round below a roof in the colour.
    rig.put(
        base,
        Shape::Cylinder,
        v(0.0, 0.98, -0.2),
        v(0.0, 0.0, FRAC_PI_2),
        v(0.38, 0.64, 0.88),
        glass,
    );
    rig.put(
        base,
        Shape::Cylinder,
        v(0.0, 1.22, -0.2),
        v(0.0, 0.0, FRAC_PI_2),
        v(0.16, 0.66, 0.66),
        paint,
    );
    rig.block(base, v(0.0, 1.0, -0.25), v(0.665, 0.26, 0.07), paint);
    rig.block(
        base,
        v(0.0, 0.40, 1.62),
        v(0.72, 0.07, 0.06),
        shiny(STEEL, 0.9),
    );
    rig.block(
        base,
        v(0.0, 0.40, -1.62),
        v(0.72, 0.07, 0.06),
        shiny(STEEL, 0.9),
    );
    let light = lamps(actor.action, clock);
    for side in SIDES {
        rig.ball(
            base,
            v(side * 0.5, 0.62, 1.62),
            v(0.15, 0.13, 0.06),
            glowing(v(1.0, 0.92, 0.65), light),
        );
        rig.ball(
            base,
            v(side * 0.55, 0.62, -1.63),
            v(0.14, 0.09, 0.05),
            glowing(v(0.9, 0.02, 0.02), light),
        );
    }
    wheels(
        rig,
        base,
        v(0.70, 0.33, 0.92),
        0.33,
        speed(actor.subject, actor.action),
        clock,
    );
}

fn bus(rig: &mut Rig, base: Affine3A, colour: Vec3, actor: &Actor, clock: Clock) {
    let (paint, glass) = (shiny(colour, 0.5), shiny(GLASS * 0.3, 0.9));
    rig.block(base, v(0.0, 1.30, 0.0), v(0.85, 0.95, 2.5), paint);
    rig.block(base, v(0.0, 2.28, 0.0), v(0.78, 0.06, 2.4), matt(WHITE));
    rig.block(base, v(0.0, 0.98, 0.0), v(0.865, 0.05, 2.51), matt(WHITE));
    for side in SIDES {
        for i in 0..5 {
            let z = -1.9 + 0.92 * i as f32;
            rig.block(base, v(side * 0.84, 1.62, z), v(0.02, 0.32, 0.36), glass);
        }
    }
    rig.block(base, v(0.0, 1.55, 2.49), v(0.70, 0.38, 0.02), glass);
    rig.block(
        base,
        v(0.0, 2.08, 2.5),
        v(0.45, 0.10, 0.02),
        glowing(v(1.0, 0.65, 0.15), 0.8),
    );
    rig.block(base, v(0.0, 1.62, -2.49), v(0.60, 0.30, 0.02), glass);
    let light = lamps(actor.action, clock);
    for side in SIDES {
        rig.ball(
            base,
            v(side * 0.58, 0.68, 2.5),
            v(0.15, 0.15, 0.06),
            glowing(v(1.0, 0.92, 0.65), light),
        );
        rig.ball(
            base,
            v(side * 0.62, 0.68, -2.5),
            v(0.13, 0.11, 0.05),
            glowing(v(0.9, 0.02, 0.02), light),
        );
    }
    wheels(
        rig,
        base,
        v(0.80, 0.40, 1.55),
        0.40,
        speed(actor.subject, actor.action),
        clock,
    );
}

fn boat(rig: &mut Rig, base: Affine3A, colour: Vec3, actor: &Actor, clock: Clock) {
    // A boat is never quite still; under way it rocks more.
    let rough = match actor.action {
        Action::Stand | Action::Flicker => 0.3,
        Action::Float => 0.7,
        _ => 1.0,
    };
    let rock = v(
        0.05 * clock.sine(1.6, 0.0),
        0.0,
        0.09 * clock.sine(1.9, 0.2),
    ) * rough;
    let hull = joint(
        base,
        v(0.0, 0.03 * rough * clock.sine(1.6, 0.25), 0.0),
        rock,
    );
    let (paint, deck) = (shiny(colour, 0.4), matt(mix(WOOD, WHITE, 0.25)));
    let (bow, keel) = (v(0.0, 0.92, 1.75), v(0.0, 0.06, 0.95));
    for side in SIDES {
        let (beam, stern, foot) = (
            v(side * 0.68, 0.72, 0.25),
            v(side * 0.52, 0.80, -1.45),
            v(side * 0.34, 0.04, -1.15),
        );
        rig.fin(hull, [beam, bow, keel], paint);
        rig.fin(hull, [stern, beam, foot], paint);
        rig.fin(hull, [beam, keel, foot], paint);
        rig.fin(hull, [stern, v(0.0, 0.80, -1.45), foot], paint);
        rig.rod(hull, bow, beam, 0.05, matt(WHITE));
        rig.rod(hull, beam, stern, 0.05, matt(WHITE));
        rig.fin(
            hull,
            [
                beam - v(0.0, 0.06, 0.0),
                bow - v(0.0, 0.06, 0.0),
                v(0.0, 0.66, 0.25),
            ],
            deck,
        );
        rig.fin(
            hull,
            [
                stern - v(0.0, 0.06, 0.0),
                beam - v(0.0, 0.06, 0.0),
                v(0.0, 0.66, 0.25),
            ],
            deck,
        );
    }
    rig.fin(
        hull,
        [
            v(0.52, 0.74, -1.45),
            v(-0.52, 0.74, -1.45),
            v(0.0, 0.66, 0.25),
        ],
        deck,
    );
    rig.fin(
        hull,
        [
            v(0.34, 0.04, -1.15),
            v(-0.34, 0.04, -1.15),
            v(0.0, 0.80, -1.45),
        ],
        paint,
    );
    rig.rod(hull, v(0.0, 0.5, 0.2), v(0.0, 3.3, 0.2), 0.05, matt(WOOD));
    // The sails stand out to one side, so that they show from the front and from the side.
    let belly = 0.45 + 0.12 * clock.sine(1.6, 0.5);
    let boom = v(belly, 1.05, -1.35);
    rig.rod(hull, v(0.0, 1.05, 0.2), boom, 0.035, matt(WOOD));
    rig.fin(
        hull,
        [
            v(0.0, 1.12, 0.12),
            boom + v(0.0, 0.06, 0.0),
            v(0.0, 3.2, 0.14),
        ],
        matt(colour),
    );
    rig.fin(
        hull,
        [
            v(0.0, 1.0, 1.62),
            v(belly * 0.8, 1.1, 0.3),
            v(0.0, 2.9, 0.26),
        ],
        matt(WHITE),
    );
    let wave = 0.15 * clock.sine(0.6, 0.0);
    rig.fin(
        hull,
        [v(0.0, 3.28, 0.2), v(0.0, 3.08, 0.2), v(wave, 3.18, -0.25)],
        matt(colour),
    );
}

fn airplane(rig: &mut Rig, base: Affine3A, colour: Vec3, actor: &Actor, clock: Clock) {
    let flying = matches!(actor.action, Action::Fly | Action::Float | Action::Swim);
    // On the ground it sits on its tail wheel.
    let hull = joint(
        base,
        v(0.0, 1.0, 0.0),
        v(if flying { 0.0 } else { -0.07 }, 0.0, 0.0),
    );
    let (paint, wing) = (shiny(colour, 0.6), shiny(colour * 0.8, 0.5));
    rig.bean(hull, v(0.0, 0.0, -0.9), v(0.0, 0.0, 1.75), 0.58, paint);
    rig.horn(hull, v(0.0, 0.02, 0.3), v(0.0, 0.22, -1.85), 0.52, paint);
    rig.block(hull, v(0.0, -0.08, 0.35), v(1.6, 0.09, 0.50), wing);
    for side in SIDES {
        rig.ball(
            hull,
            v(side * 1.6, -0.08, 0.35),
            v(0.22, 0.09, 0.48),
            matt(WHITE),
        );
        rig.ball(
            hull,
            v(side * 1.0, -0.02, 0.35),
            v(0.22, 0.06, 0.22),
            matt(WHITE),
        );
        rig.rod(
            hull,
            v(side * 0.30, -0.3, 0.55),
            v(side * 0.48, -0.70, 0.65),
            0.05,
            shiny(STEEL, 0.5),
        );
        rig.wheel(hull, v(side * 0.50, -0.74, 0.65), 0.22, 0.09, matt(RUBBER));
    }
    rig.block(hull, v(0.0, 0.20, -1.55), v(0.75, 0.05, 0.25), wing);
    rig.block(hull, v(0.0, 0.58, -1.62), v(0.06, 0.42, 0.28), wing);
    rig.put(
        hull,
        Shape::Cube,
        v(0.0, 0.95, -1.67),
        v(0.0, 0.0, 0.0),
        v(0.07, 0.10, 0.25),
        matt(WHITE),
    );
    rig.ball(
        hull,
        v(0.0, 0.44, 0.30),
        v(0.28, 0.30, 0.50),
        shiny(GLASS * 0.5, 1.0),
    );
    rig.plate(
        hull,
        v(0.0, 0.0, 1.42),
        v(0.36, 0.36, 0.12),
        shiny(STEEL, 0.8),
    );
    rig.horn(
        hull,
        v(0.0, 0.0, 1.5),
        v(0.0, 0.0, 1.86),
        0.15,
        matt(pale(colour)),
    );
    let parked = matches!(actor.action, Action::Stand | Action::Sit | Action::Kneel);
    let angle = if parked { 0.5 } else { clock.turned(0.37) };
    let blades = joint(hull, v(0.0, 0.0, 1.72), v(0.0, 0.0, angle));
    rig.block(blades, Vec3::ZERO, v(0.085, 0.80, 0.025), matt(NAVY));
    if !parked {
        let blur = Material {
            opacity: 0.22,
            ..matt(v(0.7, 0.7, 0.72))
        };
        rig.plate(hull, v(0.0, 0.0, 1.70), v(0.80, 0.80, 0.012), blur);
    }
}

fn rocket(rig: &mut Rig, base: Affine3A, colour: Vec3, actor: &Actor, clock: Clock) {
    let (paint, fins) = (shiny(colour, 0.6), shiny(colour * 0.6, 0.5));
    rig.ball(base, v(0.0, 1.55, 0.0), v(0.56, 1.25, 0.56), paint);
    rig.post(base, v(0.0, 1.25, 0.0), v(0.53, 0.62, 0.53), paint);
    rig.cone(base, v(0.0, 2.72, 0.0), v(0.42, 0.55, 0.42), matt(WHITE));
    rig.post(base, v(0.0, 2.18, 0.0), v(0.50, 0.06, 0.50), matt(WHITE));
    rig.post(base, v(0.0, 0.62, 0.0), v(0.50, 0.06, 0.50), matt(WHITE));
    rig.cone(
        base,
        v(0.0, 0.48, 0.0),
        v(0.36, 0.28, 0.36),
        shiny(STEEL * 0.4, 0.6),
    );
    rig.plate(
        base,
        v(0.0, 1.68, 0.52),
        v(0.27, 0.27, 0.06),
        shiny(GOLD, 0.8),
    );
    rig.plate(
        base,
        v(0.0, 1.68, 0.56),
        v(0.20, 0.20, 0.06),
        shiny(GLASS, 1.0),
    );
    for i in 0..4 {
        let at = joint(base, Vec3::ZERO, v(0.0, i as f32 * FRAC_PI_2 + 0.785, 0.0));
        rig.fin(
            at,
            [v(0.0, 1.25, 0.45), v(0.0, 0.45, 0.40), v(0.0, 0.0, 1.05)],
            fins,
        );
        rig.put(
            at,
            Shape::Cube,
            v(0.0, 0.48, 0.70),
            v(-0.62, 0.0, 0.0),
            v(0.06, 0.50, 0.17),
            fins,
        );
    }
    let thrust = match actor.action {
        Action::Fly => 1.1,
        Action::Float => 0.7,
        Action::Jump => clock.jump().1,
        Action::Walk | Action::Run | Action::Swim | Action::Flicker => 0.45,
        _ => 0.0,
    };
    if thrust > 0.05 {
        let fire = clock.flicker() * thrust;
        flame(
            rig,
            base,
            v(0.0, 0.34, 0.0),
            0.32,
            -(0.4 + 1.1 * fire),
            clock,
        );
    }
}

/// A flame from `root`, `reach` metres along y.
pub(super) fn flame(
    rig: &mut Rig,
    base: Affine3A,
    root: Vec3,
    radius: f32,
    reach: f32,
    clock: Clock,
) {
    let sway = v(0.12, 0.0, 0.06) * reach.abs() * clock.sine(0.45, 0.2);
    let outer = Material {
        opacity: 0.9,
        ..glowing(FLAME, 1.0)
    };
    rig.bean(
        base,
        root - v(0.0, 0.12 * reach, 0.0),
        root + v(0.0, 0.72 * reach, 0.0) + sway * 0.5,
        radius,
        outer,
    );
    rig.horn(
        base,
        root + v(0.0, 0.3 * reach, 0.0),
        root + v(0.0, reach, 0.0) + sway,
        radius * 0.8,
        outer,
    );
    rig.bean(
        base,
        root,
        root + v(0.0, 0.5 * reach, 0.0) + sway * 0.3 + v(0.0, 0.0, radius * 0.6),
        radius * 0.6,
        glowing(v(1.0, 0.85, 0.35), 1.0),
    );
}
