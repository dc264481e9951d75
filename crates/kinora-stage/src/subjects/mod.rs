//! The cast: every subject of the vocabulary as a puppet of simple shapes, posed by action, mood and time.
//!
//! The pictures are small, so proportions are those of film puppets: large heads, chunky features, one main colour.

mod beasts;
mod body;
mod face;
mod flyers;
mod motion;
mod objects;
mod palette;
mod people;
mod prowl;
mod rig;
mod stance;
mod vehicles;

use crate::part::{Material, Part, Shape};
use crate::scene::Actor;
use crate::vocabulary::{Action, Subject};
use glam::{Affine3A, Vec3};
use motion::Clock;
use palette::Traits;
pub use palette::albedo;

/// The box a subject fills when it stands, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Along y, from the ground.
    pub height: f32,
    /// Along x.
    pub width: f32,
    /// Along z, the way it faces.
    pub length: f32,
}

/// How much room a standing subject takes, the small differences between individuals left out.
pub fn extent(subject: Subject) -> Extent {
    let of = |height, width, length| Extent {
        height,
        width,
        length,
    };
    match subject {
        Subject::Woman => of(1.70, 0.80, 0.65),
        Subject::Man => of(1.80, 0.90, 0.65),
        Subject::Child => of(1.15, 0.65, 0.60),
        Subject::Astronaut => of(1.80, 1.10, 0.85),
        Subject::Knight => of(1.90, 1.20, 1.10),
        Subject::Chef => of(2.05, 0.95, 0.80),
        Subject::Wizard => of(2.20, 1.05, 0.90),
        Subject::Robot => of(1.75, 1.10, 0.75),
        Subject::Dog => of(0.95, 0.50, 1.30),
        Subject::Cat => of(0.85, 0.45, 1.00),
        Subject::Fox => of(0.90, 0.45, 1.55),
        Subject::Horse => of(2.00, 0.65, 2.10),
        Subject::Elephant => of(2.30, 1.75, 2.60),
        Subject::Bird => of(0.75, 0.50, 0.75),
        Subject::Fish => of(0.85, 0.60, 1.15),
        Subject::Dragon => of(2.40, 2.60, 3.40),
        Subject::Ghost => of(1.70, 1.10, 1.10),
        Subject::Monster => of(1.60, 1.50, 1.10),
        Subject::Car => of(1.40, 1.70, 3.40),
        Subject::Bus => of(2.35, 1.90, 5.10),
        Subject::Boat => of(3.30, 1.50, 3.40),
        Subject::Airplane => of(2.00, 4.70, 4.10),
        Subject::Rocket => of(3.30, 1.90, 1.90),
        Subject::Candle => of(0.80, 0.50, 0.50),
        Subject::Snowman => of(1.60, 1.10, 0.90),
        Subject::Balloon => of(3.00, 1.95, 1.95),
    }
}

/// Metres a second that a subject moves forward (+z) in an action; 0 for all that is done in place.
pub fn speed(subject: Subject, action: Action) -> f32 {
    let Extent { height, length, .. } = extent(subject);
    match subject {
        Subject::Car | Subject::Bus | Subject::Boat | Subject::Airplane => match action {
            Action::Walk => 0.30 * length,
            Action::Swim => 0.35 * length,
            Action::Drive => 0.70 * length,
            Action::Run | Action::Fly => 0.85 * length,
            _ => 0.0,
        },
        _ => match action {
            Action::Walk => 0.62 * height,
            Action::Run => 1.25 * height,
            Action::Fly => 1.0 * height,
            Action::Swim => 0.6 * height,
            Action::Drive => 1.1 * height,
            _ => 0.0,
        },
    }
}

/// The parts of an actor `t` seconds into the clip, in its own space: origin between the feet, facing +z. What moves it
/// forward is left to the blocking, see [`speed`]; heights above the ground are in the parts. The seed decides where a
/// gait starts, and small differences of build.
pub fn pose(actor: &Actor, seed: u64, t: f32) -> Vec<Part> {
    let traits = Traits::of(seed);
    let clock = Clock {
        t,
        phase: traits.phase,
    };
    let colour = albedo(actor.colour);
    let size = extent(actor.subject);
    let mut parts = match actor.subject {
        Subject::Woman
        | Subject::Man
        | Subject::Child
        | Subject::Astronaut
        | Subject::Knight
        | Subject::Chef
        | Subject::Wizard
        | Subject::Robot => people::figure(actor, colour, size.height, traits, clock),
        Subject::Dog
        | Subject::Cat
        | Subject::Fox
        | Subject::Horse
        | Subject::Elephant
        | Subject::Dragon => beasts::beast(actor, colour, size.height, traits, clock),
        Subject::Bird | Subject::Fish | Subject::Ghost | Subject::Monster => {
            flyers::creature(actor, colour, size.height, traits, clock)
        }
        Subject::Car | Subject::Bus | Subject::Boat | Subject::Airplane | Subject::Rocket => {
            vehicles::vehicle(actor, colour, size.height, clock)
        }
        Subject::Candle | Subject::Snowman | Subject::Balloon => {
            objects::object(actor, colour, size.height, clock)
        }
    };
    match actor.action {
        Action::Melt => melt(&mut parts, colour, size, clock),
        Action::Flicker if actor.subject != Subject::Candle => flicker(&mut parts, clock),
        Action::Drive if !drives_itself(actor.subject) => {
            let up = Affine3A::from_translation(Vec3::Y * vehicles::kart_height(size));
            for part in &mut parts {
                part.transform = up * part.transform;
            }
            vehicles::kart(&mut parts, actor, colour, size, clock);
        }
        _ => {}
    }
    parts
}

fn drives_itself(subject: Subject) -> bool {
    matches!(
        subject,
        Subject::Car | Subject::Bus | Subject::Boat | Subject::Airplane
    )
}

/// Sinks and spreads over two seconds into a puddle of the main colour.
fn melt(parts: &mut Vec<Part>, colour: Vec3, size: Extent, clock: Clock) {
    let gone = clock.ease(2.0);
    let spread = 1.0 + 0.35 * gone;
    let sink = Affine3A::from_scale(Vec3::new(spread, 1.0 - 0.8 * gone, spread));
    for part in parts.iter_mut() {
        part.transform = sink * part.transform;
    }
    let reach = 0.25 + 0.45 * gone;
    let half = Vec3::new(size.width * reach, 0.012 * size.height, size.length * reach);
    let material = Material {
        gloss: 0.7,
        ..palette::matt(colour)
    };
    let transform =
        Affine3A::from_scale_rotation_translation(half, glam::Quat::IDENTITY, Vec3::Y * half.y);
    parts.push(Part {
        shape: Shape::Cylinder,
        transform,
        material,
    });
}

/// Lets everything glow and dim, twice a second.
fn flicker(parts: &mut [Part], clock: Clock) {
    let pulse = 0.5 + 0.5 * clock.sine(0.6, 0.0);
    for part in parts {
        part.material.emission += part.material.albedo * (0.75 * pulse * pulse);
    }
}

#[cfg(test)]
mod tests;
