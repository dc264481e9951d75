//! How anybody on two legs holds and moves itself.

use super::motion::Clock;
use super::rig::{Limb, limb, v};
use crate::vocabulary::{Action, Emotion};
use glam::Vec3;

/// What carries the hips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hips {
    /// The lower foot stands on the ground.
    Planted,
    /// They hang this high, as a share of the height.
    At(f32),
}

/// The joints of a two-legged body. Angles in radians, lengths as shares of the height; limbs left (+x) first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stance {
    pub hips: Hips,
    /// Added to the height of the hips.
    pub lift: f32,
    /// Of the hips, sideways.
    pub shift: f32,
    /// Turn of the whole body at the hips.
    pub body: Vec3,
    /// Turn of the upper body.
    pub torso: Vec3,
    pub head: Vec3,
    pub arms: [Limb; 2],
    pub legs: [Limb; 2],
}

/// What the emotion alone makes of somebody who stands.
fn resting(emotion: Emotion, clock: Clock) -> Stance {
    let breath = clock.sine(1.5, 0.0);
    let mut is = Stance {
        hips: Hips::Planted,
        lift: 0.0,
        shift: 0.008 * clock.sine(3.0, 0.2),
        body: Vec3::ZERO,
        torso: v(0.015 * breath, 0.0, 0.02 * clock.sine(3.0, 0.2)),
        head: v(0.02 * breath, 0.0, 0.03 * clock.sine(3.0, 0.0)),
        arms: [limb(0.05, 0.20 + 0.03 * breath, 0.25); 2],
        legs: [limb(0.0, 0.07, 0.0); 2],
    };
    match emotion {
        Emotion::Neutral => {}
        Emotion::Happy => {
            is.head.x -= 0.12;
            is.torso.x -= 0.05;
            is.arms = [limb(0.15, 0.5 + 0.08 * breath, 0.5); 2];
        }
        Emotion::Sad => {
            is.head.x += 0.24;
            is.torso.x += 0.22;
            is.arms = [limb(0.28, 0.05, 0.05); 2];
        }
        Emotion::Angry => {
            is.head.x += 0.05;
            is.torso.x += 0.2;
            is.arms = [limb(-0.2, 0.55, 1.1); 2];
            is.legs = [limb(0.0, 0.2, 0.0); 2];
        }
        Emotion::Surprised => {
            is.head.x -= 0.1;
            is.torso.x -= 0.14;
            is.arms = [limb(0.3, 1.15, 0.7); 2];
            is.legs = [limb(0.0, 0.14, 0.0); 2];
        }
        Emotion::Afraid => {
            is.shift += 0.012 * clock.sine(0.21, 0.0);
            is.torso.x += 0.12;
            is.arms = [limb(0.7 + 0.05 * clock.sine(0.17, 0.0), -0.15, 2.0); 2];
            is.legs = [limb(0.3, -0.02, 0.6); 2];
        }
    }
    is
}

/// The stance of an action at a moment.
pub(super) fn stance(action: Action, emotion: Emotion, clock: Clock) -> Stance {
    let mut is = resting(emotion, clock);
    match action {
        Action::Stand | Action::Melt | Action::Flicker => {}
        Action::Walk | Action::Run | Action::Jump | Action::Turn | Action::Spin => {
            step(&mut is, action, emotion, clock)
        }
        Action::Wave | Action::Dance | Action::LookAround | Action::Bow => {
            gesture(&mut is, action, clock)
        }
        Action::Kneel | Action::Sit | Action::Drive => settle(&mut is, action, clock),
        Action::Fly | Action::Swim | Action::Float => hang(&mut is, action, clock),
    }
    is
}

fn step(is: &mut Stance, action: Action, emotion: Emotion, clock: Clock) {
    // Fear and surprise keep their arms while walking: it is what shows them from afar.
    let arms_show = matches!(emotion, Emotion::Surprised | Emotion::Afraid);
    match action {
        Action::Walk => {
            for (i, lead) in [0.0, 0.5].into_iter().enumerate() {
                let stride = clock.sine(1.1, lead);
                is.legs[i] = limb(
                    0.52 * stride,
                    0.04,
                    0.1 + 0.55 * clock.sine(1.1, lead + 0.3).max(0.0),
                );
                is.arms[i].swing -= 0.6 * stride * if arms_show { 0.3 } else { 1.0 };
            }
            is.body.z = 0.04 * clock.sine(1.1, 0.25);
            is.torso.y = 0.12 * clock.sine(1.1, 0.5);
        }
        Action::Run => {
            for (i, lead) in [0.0, 0.5].into_iter().enumerate() {
                let stride = clock.sine(0.66, lead);
                is.legs[i] = limb(
                    0.2 + 0.95 * stride,
                    0.04,
                    0.35 + 1.1 * clock.sine(0.66, lead + 0.3).max(0.0),
                );
                if !arms_show {
                    is.arms[i] = limb(-1.1 * stride, 0.2, 1.5);
                }
            }
            is.torso.x += 0.36;
            is.head.x -= 0.28;
            is.lift = 0.05 * clock.sine(0.33, 0.0).max(0.0);
            is.torso.y = 0.2 * clock.sine(0.66, 0.5);
        }
        Action::Jump => {
            let (crouch, flight) = clock.jump();
            is.lift = 0.28 * flight;
            is.torso.x += 0.45 * crouch;
            is.head.x -= 0.25 * crouch;
            is.legs = [limb(
                0.85 * crouch + 0.1,
                0.08 + 0.3 * flight,
                1.7 * crouch + 0.3 * flight + 0.1,
            ); 2];
            is.arms = [limb(-0.7 * crouch, 0.3 + 2.2 * flight, 0.3 * crouch); 2];
        }
        Action::Turn => {
            is.body.y = clock.turned(2.5);
            for (i, lead) in [0.0, 0.5].into_iter().enumerate() {
                let up = clock.sine(0.7, lead).max(0.0);
                is.legs[i] = limb(0.35 * up, 0.07, 0.7 * up);
            }
        }
        _ => {
            is.body.y = clock.turned(0.8);
            is.arms = [limb(0.0, 1.45, 0.0); 2];
            is.legs = [limb(0.0, 0.05, 0.0), limb(0.5, 0.1, 1.5)];
        }
    }
}

fn gesture(is: &mut Stance, action: Action, clock: Clock) {
    match action {
        Action::Wave => {
            let to = clock.sine(0.6, 0.0);
            is.arms[1] = limb(0.0, 2.55 + 0.42 * to, 0.0);
            is.torso.z = 0.07;
            is.head.z += 0.1 * to;
        }
        Action::Dance => {
            let beat = clock.sine(1.0, 0.0);
            is.shift = 0.07 * beat;
            is.body = v(0.0, 0.5 * clock.sine(2.0, 0.1), 0.2 * beat);
            is.torso = v(0.0, 0.0, -0.36 * beat);
            is.head.z = 0.25 * beat;
            is.arms = [
                limb(0.2, 2.0 + 0.6 * beat, 0.6),
                limb(0.2, 2.0 - 0.6 * beat, 0.6),
            ];
            let dip = 0.25 + 0.25 * clock.sine(0.5, 0.0);
            is.legs = [
                limb(0.6 * dip + 0.3 * beat.max(0.0), 0.22, 1.2 * dip),
                limb(0.6 * dip - 0.3 * beat.min(0.0), 0.22, 1.2 * dip),
            ];
        }
        Action::Bow => {
            let down = clock.swell(1.8);
            is.torso.x += 1.15 * down;
            is.head.x += 0.25 * down;
            is.arms = [
                limb(0.9 * down, 0.15, 1.2 * down),
                limb(-0.5 * down, 0.35 + 0.6 * down, 0.1),
            ];
        }
        _ => {
            let to = clock.sine(1.6, 0.0);
            is.head.y = 1.05 * to;
            is.torso.y = 0.35 * to;
            is.arms[1] = limb(1.5, 0.35, 2.2);
        }
    }
}

fn settle(is: &mut Stance, action: Action, clock: Clock) {
    let down = clock.ease(0.7);
    match action {
        Action::Kneel => {
            is.legs = [
                limb(1.5 * down, 0.12, 1.5 * down),
                limb(-0.05 * down, 0.08, 1.5 * down),
            ];
            is.torso.x += 0.12 * down;
            is.head.x += 0.15 * down;
            is.arms = [
                limb(0.75 * down, 0.1, 0.7 * down),
                limb(0.2 * down, 0.15, 0.3),
            ];
        }
        Action::Sit => {
            is.legs = [limb(1.85 * down, 0.2 * down + 0.05, 0.75 * down); 2];
            is.torso.x -= 0.06 * down;
            is.arms = [limb(0.7 * down, 0.2, 0.5 * down); 2];
        }
        _ => {
            is.legs = [limb(1.6, 0.22, 0.45); 2];
            let steer = 0.18 * clock.sine(1.2, 0.0);
            is.arms = [limb(1.2 + steer, 0.1, 0.25), limb(1.2 - steer, 0.1, 0.25)];
            is.lift = 0.012 * clock.sine(0.3, 0.0);
            is.torso.z = 0.08 * clock.sine(1.2, 0.0);
        }
    }
}

fn hang(is: &mut Stance, action: Action, clock: Clock) {
    match action {
        Action::Fly => {
            is.hips = Hips::At(0.74 + 0.04 * clock.sine(1.2, 0.0));
            is.body = v(1.15, 0.0, 0.18 * clock.sine(1.7, 0.0));
            is.head = v(-0.85, 0.0, 0.0);
            is.arms = [limb(2.9, 0.12, 0.0); 2];
            let kick = 0.1 * clock.sine(0.6, 0.0);
            is.legs = [limb(kick, 0.08, 0.1), limb(-kick, 0.08, 0.1)];
        }
        Action::Swim => {
            is.hips = Hips::At(0.15 + 0.02 * clock.sine(1.1, 0.0));
            is.body = v(1.3, 0.0, 0.22 * clock.sine(1.1, 0.0));
            is.head = v(-0.95, 0.0, 0.0);
            // A crawl: each arm goes round once a stroke.
            let round = clock.turned(1.1);
            is.arms = [
                limb(round, 0.25, 0.2),
                limb(round + std::f32::consts::PI, 0.25, 0.2),
            ];
            let kick = 0.45 * clock.sine(0.5, 0.0);
            is.legs = [limb(kick, 0.06, 0.2), limb(-kick, 0.06, 0.2)];
        }
        _ => {
            let bob = clock.sine(2.0, 0.0);
            is.hips = Hips::At(0.70 + 0.05 * bob);
            is.body = v(0.06 * clock.sine(2.4, 0.3), 0.0, 0.1 * clock.sine(2.4, 0.0));
            is.arms = [limb(0.2, 1.0 + 0.15 * bob, 0.3); 2];
            is.legs = [
                limb(0.35 + 0.1 * bob, 0.15, 0.7),
                limb(0.1 - 0.1 * bob, 0.12, 0.45),
            ];
        }
    }
}
