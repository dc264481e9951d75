//! How anything on four legs holds and moves itself.

use super::motion::Clock;
use super::rig::{Limb, limb, v};
use crate::vocabulary::{Action, Emotion};
use glam::Vec3;

/// The joints of a four-legged body. Angles in radians, lengths as shares of the height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prowl {
    /// How high the middle of the body hangs, or `None` when it stands on its legs.
    pub hangs: Option<f32>,
    /// Added to the height of the body.
    pub lift: f32,
    /// Of the body, sideways.
    pub shift: f32,
    /// Turn of the body about its middle; positive pitch lowers the front.
    pub body: Vec3,
    /// Turn of the neck against the body.
    pub neck: Vec3,
    /// Turn of the head against the neck.
    pub head: Vec3,
    /// Front left, front right, hind left, hind right.
    pub legs: [Limb; 4],
    /// The tail's pitch (positive is up) and yaw.
    pub tail: [f32; 2],
    /// How far the ears hang, -1 (pricked) to 1 (flat).
    pub ears: f32,
    /// The angle of wings above the horizontal, for those that have them.
    pub wings: f32,
}

fn resting(emotion: Emotion, clock: Clock) -> Prowl {
    let breath = clock.sine(1.5, 0.0);
    let mut is = Prowl {
        hangs: None,
        lift: 0.0,
        shift: 0.0,
        body: v(0.01 * breath, 0.0, 0.0),
        neck: v(0.03 * breath, 0.0, 0.0),
        head: Vec3::ZERO,
        legs: [limb(0.0, 0.03, 0.0); 4],
        tail: [0.2, 0.25 * clock.sine(0.9, 0.0)],
        ears: 0.0,
        wings: 0.45 + 0.06 * breath,
    };
    match emotion {
        Emotion::Neutral => {}
        Emotion::Happy => {
            is.neck.x -= 0.14;
            is.tail = [0.6, 0.8 * clock.sine(0.35, 0.0)];
            is.ears = -0.6;
        }
        Emotion::Sad => {
            is.neck.x += 0.55;
            is.head.x += 0.2;
            is.tail = [-0.8, 0.0];
            is.ears = 1.0;
        }
        Emotion::Angry => {
            is.neck.x += 0.2;
            is.body.x += 0.1;
            is.tail = [0.9, 0.1 * clock.sine(0.3, 0.0)];
            is.ears = 0.7;
            is.legs = [
                limb(0.12, 0.12, 0.0),
                limb(0.12, 0.12, 0.0),
                limb(-0.12, 0.12, 0.0),
                limb(-0.12, 0.12, 0.0),
            ];
        }
        Emotion::Surprised => {
            is.neck.x -= 0.3;
            is.tail = [1.1, 0.0];
            is.ears = -1.0;
            is.legs = [
                limb(0.2, 0.15, 0.0),
                limb(0.2, 0.15, 0.0),
                limb(-0.15, 0.1, 0.0),
                limb(-0.15, 0.1, 0.0),
            ];
        }
        Emotion::Afraid => {
            is.shift = 0.012 * clock.sine(0.21, 0.0);
            is.neck.x += 0.2;
            is.tail = [-1.0, 0.0];
            is.ears = 0.9;
            is.legs = [
                limb(0.35, 0.0, 0.7),
                limb(0.35, 0.0, 0.7),
                limb(0.35, 0.0, 0.7),
                limb(0.35, 0.0, 0.7),
            ];
        }
    }
    is
}

/// The stance of an action at a moment.
pub(super) fn prowl(action: Action, emotion: Emotion, clock: Clock) -> Prowl {
    let mut is = resting(emotion, clock);
    match action {
        Action::Stand | Action::Melt | Action::Flicker => {}
        Action::Walk | Action::Run | Action::Jump | Action::Turn | Action::Spin => {
            step(&mut is, action, clock)
        }
        Action::Wave | Action::Dance | Action::LookAround => gesture(&mut is, action, clock),
        Action::Kneel | Action::Sit | Action::Bow | Action::Drive => settle(&mut is, action, clock),
        Action::Fly | Action::Swim | Action::Float => hang(&mut is, action, clock),
    }
    is
}

fn step(is: &mut Prowl, action: Action, clock: Clock) {
    match action {
        Action::Walk => {
            for (i, lead) in [0.0, 0.5, 0.5, 0.0].into_iter().enumerate() {
                let lifted = clock.sine(0.95, lead + 0.3).max(0.0);
                is.legs[i] = limb(0.5 * clock.sine(0.95, lead), 0.03, 0.7 * lifted);
            }
            is.neck.x += 0.07 * clock.sine(0.475, 0.0);
            is.body.z = 0.03 * clock.sine(0.95, 0.0);
        }
        Action::Run => {
            // A gallop: the front pair and the hind pair, half a cycle apart.
            for (i, lead) in [0.0, 0.08, 0.5, 0.58].into_iter().enumerate() {
                let lifted = clock.sine(0.6, lead + 0.3).max(0.0);
                is.legs[i] = limb(1.0 * clock.sine(0.6, lead), 0.03, 0.15 + 1.0 * lifted);
            }
            is.body.x += 0.16 * clock.sine(0.6, 0.5);
            is.neck.x += 0.25 + 0.12 * clock.sine(0.6, 0.0);
            is.lift = 0.09 * clock.sine(0.6, 0.2).max(0.0);
            is.tail = [0.1, 0.1 * clock.sine(0.6, 0.0)];
            is.ears = 0.5;
        }
        Action::Jump => {
            let (crouch, flight) = clock.jump();
            is.lift = 0.30 * flight;
            let rising = clock.sine(1.0, 0.0);
            is.body.x = 0.25 * crouch - 0.2 * flight * rising.abs();
            let (front, hind) = (
                limb(
                    0.7 * crouch + 0.9 * flight,
                    0.04,
                    1.4 * crouch + 0.5 * flight,
                ),
                limb(0.8 * crouch - 0.7 * flight, 0.04, 1.5 * crouch),
            );
            is.legs = [front, front, hind, hind];
            is.tail[0] = 0.9 * flight;
            is.wings = 0.2 + 0.8 * flight;
        }
        Action::Turn => {
            is.body.y = clock.turned(2.5);
            for (i, lead) in [0.0, 0.5, 0.5, 0.0].into_iter().enumerate() {
                let up = clock.sine(0.7, lead).max(0.0);
                is.legs[i] = limb(0.3 * up, 0.03, 0.7 * up);
            }
        }
        _ => {
            is.body.y = clock.turned(0.8);
            is.legs = [
                limb(0.3, 0.2, 0.0),
                limb(0.3, 0.2, 0.0),
                limb(-0.2, 0.2, 0.0),
                limb(-0.2, 0.2, 0.0),
            ];
            is.tail[0] = 0.6;
        }
    }
}

fn gesture(is: &mut Prowl, action: Action, clock: Clock) {
    match action {
        Action::Wave => {
            seated(is, 1.0);
            is.legs[1] = limb(1.9 + 0.5 * clock.sine(0.6, 0.0), 0.5, -0.4);
        }
        Action::Dance => {
            // On the hind legs, front paws in the air.
            let beat = clock.sine(1.0, 0.0);
            rear(is, 1.15);
            is.body.y = 0.6 * beat;
            is.body.z = 0.2 * beat;
            is.shift = 0.06 * beat;
            is.lift = 0.04 * clock.sine(0.5, 0.0).max(0.0);
            is.legs[0] = limb(0.9 + 0.6 * beat, 0.5, 0.3);
            is.legs[1] = limb(0.9 - 0.6 * beat, 0.5, 0.3);
            is.head.z = 0.25 * beat;
            is.wings = 0.4 + 0.5 * beat;
        }
        _ => {
            let to = clock.sine(1.6, 0.0);
            is.neck.y = 0.6 * to;
            is.head.y = 0.6 * to;
            is.neck.x -= 0.15;
            is.ears = -0.8;
        }
    }
}

fn settle(is: &mut Prowl, action: Action, clock: Clock) {
    let down = clock.ease(0.7);
    match action {
        Action::Sit => seated(is, down),
        Action::Kneel => {
            // One front knee on the ground.
            is.body.x += 0.32 * down;
            is.neck.x += 0.1 * down;
            is.legs[0] = limb(1.2 * down, 0.05, 1.4 * down);
            is.legs[1] = limb(0.3 * down, 0.05, 2.0 * down);
        }
        Action::Bow => {
            // The play-bow: chest down, rump up, front legs out.
            let low = clock.swell(1.7);
            is.body.x += 0.5 * low;
            is.legs[0] = limb(1.75 * low, 0.08, 0.1);
            is.legs[1] = is.legs[0];
            is.legs[2] = limb(0.5 * low, 0.05, 0.0);
            is.legs[3] = is.legs[2];
            is.neck.x += 0.2 * low;
            is.tail[0] = 0.9;
        }
        _ => {
            seated(is, 1.0);
            let steer = 0.2 * clock.sine(1.2, 0.0);
            is.legs[0].swing = 0.9 + steer;
            is.legs[1].swing = 0.9 - steer;
            is.lift = 0.012 * clock.sine(0.3, 0.0);
        }
    }
}

fn hang(is: &mut Prowl, action: Action, clock: Clock) {
    match action {
        Action::Fly => {
            is.hangs = Some(1.25 + 0.05 * clock.sine(1.2, 0.0));
            is.body = v(-0.12, 0.0, 0.12 * clock.sine(1.7, 0.0));
            let kick = 0.12 * clock.sine(0.6, 0.0);
            is.legs = [
                limb(1.5, 0.1, 0.0),
                limb(1.5, 0.1, 0.0),
                limb(-1.35 + kick, 0.1, 0.0),
                limb(-1.35 - kick, 0.1, 0.0),
            ];
            is.neck.x += 0.3;
            is.tail = [0.2, 0.2 * clock.sine(0.8, 0.0)];
            is.ears = 0.6 * clock.sine(0.5, 0.0);
            is.wings = 0.25 + 0.8 * clock.sine(0.6, 0.0);
        }
        Action::Swim => {
            is.hangs = Some(0.40 + 0.03 * clock.sine(1.1, 0.0));
            is.body = v(
                -0.08,
                0.12 * clock.sine(1.1, 0.0),
                0.06 * clock.sine(1.1, 0.2),
            );
            for (i, lead) in [0.0, 0.5, 0.5, 0.0].into_iter().enumerate() {
                is.legs[i] = limb(0.75 + 0.7 * clock.sine(0.7, lead), 0.3, 0.9);
            }
            is.neck.x -= 0.1;
            is.tail = [0.1, 0.6 * clock.sine(1.1, 0.0)];
        }
        _ => {
            let bob = clock.sine(2.0, 0.0);
            is.hangs = Some(1.12 + 0.05 * bob);
            is.body = v(0.1 * clock.sine(2.4, 0.3), 0.0, 0.14 * bob);
            is.legs = [
                limb(0.35, 0.25, 0.3),
                limb(0.2, 0.25, 0.4),
                limb(-0.1, 0.25, 0.4),
                limb(-0.25, 0.25, 0.3),
            ];
            is.ears = -0.4;
            is.wings = 0.3 + 0.3 * bob;
        }
    }
}

/// Rump on the ground, front legs upright; `down` from 0 (standing) to 1.
fn seated(is: &mut Prowl, down: f32) {
    is.body.x = -0.62 * down;
    let front = limb(-0.62 * down, 0.03, 0.0);
    let hind = limb(0.85 * down, 0.22 * down, 0.0);
    is.legs = [front, front, hind, hind];
    is.neck.x += 0.42 * down;
    is.tail[0] -= 0.1 * down;
}

/// Up on the hind legs by `angle`, the head level.
fn rear(is: &mut Prowl, angle: f32) {
    is.body.x = -angle;
    let front = limb(0.8, 0.3, 0.4);
    let hind = limb(-angle, 0.15, 0.0);
    is.legs = [front, front, hind, hind];
    is.neck.x += angle * 0.75;
}
