//! The cast: every subject of the vocabulary as a puppet of simple shapes, posed by action, mood and time.
//!
//! The pictures are small, so proportions are those of film puppets: large heads, chunky features, one main colour.

mod beasts;
mod body;
mod face;
mod flyers;
mod giants;
mod motion;
mod objects;
mod palette;
mod people;
mod prowl;
mod rig;
mod stance;
mod suits;
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
        Subject::Woman => of(1.70, 0.75, 0.60),
        Subject::Man => of(1.80, 0.95, 0.55),
        Subject::Child => of(1.15, 0.62, 0.58),
        Subject::Astronaut => of(1.80, 1.20, 0.80),
        Subject::Knight => of(2.00, 1.15, 1.15),
        Subject::Chef => of(2.05, 1.10, 0.65),
        Subject::Wizard => of(2.20, 1.05, 0.85),
        Subject::Robot => of(1.75, 1.00, 0.50),
        Subject::Dog => of(0.92, 0.55, 1.15),
        Subject::Cat => of(0.82, 0.50, 0.80),
        Subject::Fox => of(0.92, 0.40, 1.45),
        Subject::Horse => of(1.90, 0.52, 2.60),
        Subject::Elephant => of(2.15, 2.10, 3.20),
        Subject::Bird => of(0.78, 0.45, 0.85),
        Subject::Fish => of(0.85, 0.72, 1.20),
        Subject::Dragon => of(2.40, 2.70, 3.70),
        Subject::Ghost => of(1.70, 1.15, 0.95),
        Subject::Monster => of(1.60, 1.45, 1.10),
        Subject::Car => of(1.40, 1.70, 3.40),
        Subject::Bus => of(2.35, 1.90, 5.10),
        Subject::Boat => of(3.30, 1.50, 3.40),
        Subject::Airplane => of(1.95, 3.60, 3.70),
        Subject::Rocket => of(3.30, 1.70, 1.70),
        Subject::Candle => of(0.80, 0.55, 0.50),
        Subject::Snowman => of(1.60, 1.30, 0.90),
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
            vehicles::vehicle(actor, colour, size, clock)
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

/// Where in its movements the actor of a seed begins, 0 to 1.
pub(crate) fn phase(seed: u64) -> f32 {
    Traits::of(seed).phase
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
