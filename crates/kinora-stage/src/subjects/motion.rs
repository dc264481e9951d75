//! The clock of every movement, and how a subject without limbs moves as one piece.

use super::rig::{joint, v};
use crate::vocabulary::Action;
use glam::{Affine3A, Vec3};
use std::f32::consts::TAU;

/// When it is, for one subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Seconds since the clip began.
    pub t: f32,
    /// Where in its cycles the subject started, 0 to 1.
    pub phase: f32,
}

impl Clock {
    /// A sine of the given period in seconds, `lead` cycles ahead.
    pub fn sine(&self, period: f32, lead: f32) -> f32 {
        ((self.t / period + self.phase + lead) * TAU).sin()
    }

    /// A sine that runs from 0 to 1, and starts at 0 with the clip.
    pub fn swell(&self, period: f32) -> f32 {
        0.5 - 0.5 * (self.t / period * TAU).cos()
    }

    /// The share of a cycle that has passed, 0 to 1.
    pub fn cycle(&self, period: f32) -> f32 {
        (self.t / period + self.phase).rem_euclid(1.0)
    }

    /// 0 at the start of the clip, 1 from `seconds` on, smooth between.
    pub fn ease(&self, seconds: f32) -> f32 {
        let x = (self.t / seconds).clamp(0.0, 1.0);
        x * x * (3.0 - 2.0 * x)
    }

    /// An angle that grows by a turn each `period` seconds.
    pub fn turned(&self, period: f32) -> f32 {
        (self.t / period + self.phase).rem_euclid(1.0) * TAU
    }

    /// The unsteady light of a flame, about 0.35 to 1.
    pub fn flicker(&self) -> f32 {
        0.68 + 0.2 * self.sine(0.5, 0.0) + 0.12 * self.sine(0.17, 0.3)
    }

    /// A jump of one second: how deep the crouch is (0 to 1) and how high the flight (0 to 1).
    pub fn jump(&self) -> (f32, f32) {
        let x = self.cycle(1.0);
        let crouch = 0.36;
        if x < crouch {
            ((x / crouch * TAU * 0.5).sin(), 0.0)
        } else {
            let flight = (x - crouch) / (1.0 - crouch);
            (0.0, 4.0 * flight * (1.0 - flight))
        }
    }
}

/// A rigid movement, sizes as shares of the subject's height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Whole {
    /// How far it is up.
    pub lift: f32,
    /// Pitch, yaw and roll about the pivot.
    pub turn: Vec3,
    /// Height of the pivot.
    pub pivot: f32,
    /// Height against its own; the width makes up for it.
    pub stretch: f32,
}

impl Whole {
    /// The transform of a subject `height` metres tall that stands on a base of half-width `base.x` and half-length
    /// `base.z`: tipping raises it, so that the lower edge stays on the ground.
    pub fn place(&self, height: f32, base: Vec3) -> Affine3A {
        let tip = self.turn.x.sin().abs() * base.z + self.turn.z.sin().abs() * base.x;
        let pivot = v(0.0, self.pivot * height, 0.0);
        let width = self.stretch.max(0.05).sqrt().recip();
        let up = v(0.0, self.lift * height + tip, 0.0);
        joint(Affine3A::IDENTITY, pivot + up, self.turn)
            * Affine3A::from_translation(-pivot)
            * Affine3A::from_scale(v(width, self.stretch, width))
    }
}

/// How a subject without legs gets about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Carriage {
    /// It hops and waddles.
    Hops,
    /// It rolls on wheels or on a keel.
    Rolls,
    /// It hovers at all times.
    Hovers,
}

/// The rigid movement of an action. Melting and glowing change the parts themselves, so they are not here.
pub(super) fn whole(action: Action, carriage: Carriage, clock: Clock) -> Whole {
    let mut is = Whole {
        lift: 0.0,
        turn: Vec3::ZERO,
        pivot: 0.0,
        stretch: 1.0,
    };
    if carriage == Carriage::Hovers {
        is.lift = 0.05 + 0.025 * clock.sine(1.8, 0.0);
    }
    match action {
        Action::Stand | Action::Melt | Action::Flicker => {
            if carriage == Carriage::Hops {
                is.stretch = 1.0 + 0.012 * clock.sine(1.5, 0.0);
            }
        }
        Action::Walk | Action::Run => travel(&mut is, action == Action::Run, carriage, clock),
        Action::Jump => {
            let (crouch, flight) = clock.jump();
            is.lift += 0.30 * flight;
            is.stretch = 1.0 - 0.28 * crouch + 0.1 * flight;
        }
        Action::Turn => is.turn.y = clock.turned(2.5),
        Action::Wave => is.turn.z = 0.16 * clock.sine(0.8, 0.0),
        Action::Dance => {
            is.turn.z = 0.28 * clock.sine(1.0, 0.0);
            is.turn.y = 0.5 * clock.sine(2.0, 0.0);
            is.lift += 0.07 * clock.sine(1.0, 0.0).abs();
            is.stretch = 1.0 + 0.10 * clock.sine(0.5, 0.25);
        }
        Action::Kneel => {
            let down = clock.ease(0.7);
            is.turn.x = 0.24 * down;
            is.stretch = 1.0 - 0.16 * down;
        }
        Action::Sit => {
            let down = clock.ease(0.7);
            is.turn.x = -0.2 * down;
            is.stretch = 1.0 - 0.25 * down;
        }
        Action::Bow => is.turn.x = 0.75 * clock.swell(1.7),
        Action::LookAround => is.turn.y = 0.95 * clock.sine(1.6, 0.0),
        Action::Fly => {
            is.lift += 0.42 + 0.05 * clock.sine(1.1, 0.0);
            is.turn = v(
                0.28 + 0.05 * clock.sine(1.1, 0.2),
                0.0,
                0.16 * clock.sine(1.6, 0.0),
            );
            is.pivot = 0.5;
        }
        Action::Swim => {
            is.turn = v(
                0.2 * clock.sine(1.1, 0.25),
                0.22 * clock.sine(1.1, 0.0),
                0.2 * clock.sine(1.1, 0.1),
            );
            is.lift += 0.05 * clock.sine(0.55, 0.0);
        }
        Action::Drive => {
            is.lift += 0.012 * clock.sine(0.3, 0.0).max(0.0);
            is.turn = v(
                0.02 * clock.sine(0.45, 0.0),
                0.0,
                0.02 * clock.sine(0.6, 0.0),
            );
        }
        Action::Float => {
            is.lift += 0.24 + 0.05 * clock.sine(2.0, 0.0);
            is.turn = v(
                0.06 * clock.sine(2.4, 0.3),
                0.0,
                0.10 * clock.sine(2.0, 0.1),
            );
            is.pivot = 0.5;
        }
        Action::Spin => is.turn.y = clock.turned(0.8),
    }
    if carriage == Carriage::Rolls {
        // Wheels and keels tip less, and sheet metal hardly squashes; flying, the nose is up.
        is.turn.x *= if action == Action::Fly { -0.5 } else { 0.5 };
        is.stretch = 1.0 + 0.45 * (is.stretch - 1.0);
    }
    is
}

fn travel(is: &mut Whole, fast: bool, carriage: Carriage, clock: Clock) {
    let (period, lean) = if fast { (0.6, 0.26) } else { (1.1, 0.07) };
    match carriage {
        Carriage::Hops => {
            let step = clock.sine(period * 2.0, 0.0);
            is.lift += if fast { 0.14 } else { 0.07 } * step.abs();
            is.stretch = 0.94 + 0.1 * step.abs();
            is.turn = v(lean, 0.0, 0.16 * step);
        }
        Carriage::Rolls => {
            is.lift += if fast { 0.03 } else { 0.01 } * clock.sine(period, 0.0).abs();
            is.turn = v(
                if fast { -0.05 } else { 0.0 },
                0.0,
                0.03 * clock.sine(period, 0.2),
            );
        }
        Carriage::Hovers => {
            is.lift += 0.04 * clock.sine(period, 0.0);
            is.turn = v(lean * 1.6, 0.1 * clock.sine(period, 0.2), 0.0);
        }
    }
}
