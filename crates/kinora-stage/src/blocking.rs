//! Blocking: where each actor stands, which way it faces and how it travels through a clip.
//!
//! The axes are the camera's at rest: it looks from +z, so +x is to the right of the picture and +z is nearer. The
//! stage is laid out for the middle of the clip, when every relation holds as seen; travel is centred on that moment.

use crate::part::{Part, Shape};
use crate::scene::{Actor, Scene};
use crate::subjects;
use crate::vocabulary::{Action, CameraMove, Relation, Setting, ShotSize, Subject};
use glam::{Affine3A, Mat3A, Quat, Vec3, vec3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f32::consts::TAU;

/// Where each actor is at time `t` of a clip of `duration` seconds, from its own space to the world's, in cast order.
pub fn place(scene: &Scene, t: f32, duration: f32) -> Vec<Affine3A> {
    let blocking = Blocking::new(scene, duration);
    blocking
        .marks
        .iter()
        .map(|mark| mark.at(t, duration))
        .collect()
}

/// Metres in one set unit: the sets are made for an actor of a person's size and scaled to this cast.
pub fn scale(scene: &Scene) -> f32 {
    let size = scene
        .cast
        .iter()
        .map(|actor| size(actor.subject))
        .fold(0.0, f32::max);
    (size / 1.75).powf(0.85).clamp(0.12, 6.0)
}

/// The size that counts for framing: the height, or most of the length where that is much more.
pub(crate) fn size(subject: Subject) -> f32 {
    let extent = subjects::extent(subject);
    extent.height.max(0.6 * extent.length.max(extent.width))
}

/// The room an actor takes about its mark, turned as it stands, in metres.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The corner to the left, below and behind.
    pub min: Vec3,
    /// The opposite corner.
    pub max: Vec3,
}

impl Bounds {
    /// The bounds of parts after a turn.
    fn of(parts: &[Part], turn: Mat3A) -> Self {
        let mut bounds = Self {
            min: Vec3::INFINITY,
            max: Vec3::NEG_INFINITY,
        };
        for part in parts {
            let [x, y, z] = (turn * part.transform.matrix3)
                .to_cols_array_2d()
                .map(Vec3::from);
            let half = match part.shape {
                Shape::Sphere => (x * x + y * y + z * z).map(f32::sqrt),
                _ => x.abs() + y.abs() + z.abs(),
            };
            let centre = Vec3::from(turn * part.transform.translation);
            bounds.min = bounds.min.min(centre - half);
            bounds.max = bounds.max.max(centre + half);
        }
        bounds
    }

    /// Its middle.
    pub fn centre(&self) -> Vec3 {
        (self.min + self.max) / 2.0
    }

    /// Half its size along each axis.
    pub fn half(&self) -> Vec3 {
        (self.max - self.min) / 2.0
    }
}

/// One actor's mark: its place at mid-clip and its path about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Where its origin is at mid-clip.
    pub middle: Vec3,
    /// Turn about y; 0 faces the camera.
    pub yaw: f32,
    /// From its place at the start to that at the end.
    pub travel: Vec3,
    /// The room it takes, about its origin.
    pub bounds: Bounds,
    /// The part of that which a close-up shows: the front of what is long, or else the whole.
    pub front: Bounds,
    /// Height of the slow rise and fall of what floats.
    bob: f32,
    phase: f32,
}

impl Mark {
    /// Its space in the world at time `t`.
    pub fn at(&self, t: f32, duration: f32) -> Affine3A {
        let heave = self.bob * ((t / 3.2 + self.phase) * TAU).sin();
        let position = self.middle + self.travelled(t, duration) + Vec3::Y * heave;
        Affine3A::from_rotation_translation(Quat::from_rotation_y(self.yaw), position)
    }

    /// How far it is from its place at mid-clip.
    pub fn travelled(&self, t: f32, duration: f32) -> Vec3 {
        if duration > 0.0 {
            self.travel * (t / duration - 0.5)
        } else {
            Vec3::ZERO
        }
    }
}

/// The marks of a whole cast.
pub(crate) struct Blocking {
    pub marks: Vec<Mark>,
    /// Height of the frame at the first actor, in metres, that its shot size asks for.
    pub frame: f32,
}

impl Blocking {
    /// Lays out the cast for a clip of `duration` seconds.
    pub fn new(scene: &Scene, duration: f32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(scene.seed);
        rng.set_stream(2);
        let direction = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let frame = frame(scene);
        let mut marks: Vec<Mark> = (scene.cast.iter().enumerate())
            .map(|(i, actor)| {
                let against = scene.relation == Relation::PassesBehind && i == 1;
                let direction = if against { -direction } else { direction };
                mark(
                    scene,
                    actor,
                    scene.seed.wrapping_add(i as u64),
                    direction,
                    frame,
                    duration,
                    &mut rng,
                )
            })
            .collect();
        keep_step(scene.relation, &mut marks);
        arrange(scene.relation, direction, frame, &mut marks, &mut rng);
        for (mark, actor) in marks.iter_mut().zip(&scene.cast) {
            // So far the middle was that of the bounds; from here on it is that of the feet.
            mark.middle -= mark.bounds.centre();
            mark.middle.y = level(scene.setting, actor, size(actor.subject));
        }
        Self { marks, frame }
    }
}

/// Height of the frame at the first actor, in metres. Several actors are never framed closer than in a full shot.
pub(crate) fn frame(scene: &Scene) -> f32 {
    let Some(first) = scene.cast.first() else {
        return 1.0;
    };
    // Who has a face is cut at the waist or the shoulders; anything else is filmed whole, or from the front.
    let upright = first.subject.has_face();
    let share: f32 = match scene.shot.size {
        ShotSize::ExtremeWide => 5.0,
        ShotSize::Wide => 2.8,
        ShotSize::Full => 1.45,
        ShotSize::Medium if upright => 0.68,
        ShotSize::Medium => 0.95,
        ShotSize::CloseUp if upright => 0.45,
        ShotSize::CloseUp => 0.55,
    };
    size(first.subject)
        * if scene.cast.len() > 1 {
            share.max(1.45)
        } else {
            share
        }
}

/// Whether a shot shows only part of its subject.
pub(crate) fn is_near(size: ShotSize) -> bool {
    matches!(size, ShotSize::Medium | ShotSize::CloseUp)
}

/// An actor's mark before it is put beside the others.
fn mark(
    scene: &Scene,
    actor: &Actor,
    build: u64,
    direction: f32,
    frame: f32,
    duration: f32,
    rng: &mut ChaCha8Rng,
) -> Mark {
    let turn = rng.random::<f32>();
    let phase = rng.random::<f32>();
    let moves = actor.action.locomotes();
    // Travellers are seen from the side, turned a little towards the camera, more so where the face is what counts;
    // the others face it within 35 degrees.
    let side = if is_near(scene.shot.size) { 62.0 } else { 82.0 };
    let yaw = if moves {
        direction * (side - 20.0 * turn).to_radians()
    } else {
        (70.0 * turn - 35.0).to_radians()
    };
    let speed = subjects::speed(actor.subject, actor.action);
    let travel = if moves {
        (speed * duration).min(reach(scene, actor, speed, frame, duration))
    } else {
        0.0
    };
    let heading = vec3(yaw.sin(), 0.0, yaw.cos());
    let (turn, mut parts) = (
        Mat3A::from_rotation_y(yaw),
        subjects::pose(actor, build, duration / 2.0),
    );
    let bounds = Bounds::of(&parts, turn);
    let extent = subjects::extent(actor.subject);
    if extent.length > 0.9 * extent.height {
        let depths = parts.iter().map(|part| part.transform.translation.z);
        let (rear, nose) = depths.fold((f32::MAX, f32::MIN), |(rear, nose), z| {
            (rear.min(z), nose.max(z))
        });
        parts.retain(|part| part.transform.translation.z >= rear + 0.6 * (nose - rear));
    }
    let front = Bounds::of(&parts, turn);
    let floats = matches!(
        scene.setting,
        Setting::Sea | Setting::Space | Setting::Underwater
    );
    let bob = if floats {
        0.025 * size(actor.subject)
    } else {
        0.0
    };
    Mark {
        middle: Vec3::ZERO,
        yaw,
        travel: heading * travel,
        bounds,
        front,
        bob,
        phase,
    }
}

/// The longest path, in metres: a quarter of a wide picture at a walk, a half at speed, more in a long clip, yet the
/// actor stays in the picture. When the camera tracks it goes as far as the set and its lights reach.
fn reach(scene: &Scene, actor: &Actor, speed: f32, frame: f32, duration: f32) -> f32 {
    if scene.shot.camera_move == CameraMove::Track {
        return 9.0 * scale(scene);
    }
    if is_near(scene.shot.size) {
        return 0.4 * frame;
    }
    let lively = (speed / size(actor.subject) / 1.5).min(1.0);
    frame * (0.42 + 0.30 * lively) * (duration / 2.0).clamp(1.0, 1.6)
}

/// Those who go the same way go at one pace, so that their relation lasts.
fn keep_step(relation: Relation, marks: &mut [Mark]) {
    if relation == Relation::PassesBehind {
        return;
    }
    let pace = marks
        .iter()
        .map(|mark| mark.travel.length())
        .filter(|&length| length > 0.0)
        .fold(f32::INFINITY, f32::min);
    let lead = marks.first().map_or(0.0, |mark| mark.yaw);
    for mark in marks.iter_mut().filter(|mark| mark.travel != Vec3::ZERO) {
        mark.yaw = lead;
        mark.travel = vec3(lead.sin(), 0.0, lead.cos()) * pace;
    }
}

/// Puts the middles of the cast's bounds on the ground plan so that the relation is seen from the front at mid-clip.
fn arrange(
    relation: Relation,
    direction: f32,
    frame: f32,
    marks: &mut [Mark],
    rng: &mut ChaCha8Rng,
) {
    let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    let widths: Vec<f32> = marks.iter().map(|mark| mark.bounds.half().x).collect();
    let depths: Vec<f32> = marks.iter().map(|mark| mark.bounds.half().z).collect();
    // About the distance of the camera, to allow for perspective: what stands further back must stand further out.
    let distance = 1.4 * frame;
    let out = |x: f32, z: f32| vec3(x * (distance - z) / distance, 0.0, z);
    match (relation, marks) {
        (Relation::LeftOf, [left, right]) | (Relation::RightOf, [right, left]) => {
            let (l, r) = if relation == Relation::LeftOf {
                (0, 1)
            } else {
                (1, 0)
            };
            let apart = widths[l] + widths[r] + 0.25 * widths[l].max(widths[r]);
            left.middle.x = -(apart + widths[r] - widths[l]) / 2.0;
            right.middle.x = left.middle.x + apart;
        }
        (Relation::Behind, [back, front]) | (Relation::InFrontOf, [front, back]) => {
            let (b, f) = if relation == Relation::Behind {
                (0, 1)
            } else {
                (1, 0)
            };
            // A third of the one behind is hidden.
            let apart = widths[f] + 0.3 * widths[b];
            let deep = depths[b] + depths[f] + 0.15 * frame;
            front.middle = out(-side * (apart + widths[b] - widths[f]) / 2.0, 0.35 * deep);
            back.middle = out(side * (apart + widths[f] - widths[b]) / 2.0, -0.65 * deep);
        }
        (Relation::PassesBehind, [passer, stayer]) => {
            passer.yaw = direction * 85f32.to_radians();
            let deep = depths[0] + depths[1] + 0.05 * frame;
            let clear = 1.05 * (widths[0] + widths[1]);
            stayer.middle.z = 0.35 * deep;
            passer.middle.z = -0.65 * deep;
            let start = out(-direction * clear, passer.middle.z);
            passer.travel = vec3(-2.0 * start.x, 0.0, 0.0);
        }
        (Relation::Follows, [follower, leader]) => {
            let apart = 1.2 * (widths[0] + widths[1]);
            let heading = vec3(leader.yaw.sin(), 0.0, leader.yaw.cos());
            leader.middle = heading * apart / 2.0;
            follower.middle = heading * -apart / 2.0;
        }
        (Relation::Crowd, marks) => {
            let (wide, deep) = (
                widths.iter().copied().fold(0.0, f32::max),
                depths.iter().copied().fold(0.0, f32::max),
            );
            // The first in front and near the middle, the others about it and further back.
            let plan = [(-0.25, 0.8), (1.35, -0.2), (-1.75, -0.5), (0.65, -1.9)];
            for (mark, (x, z)) in marks.iter_mut().zip(plan) {
                mark.middle = out(side * x * wide, z * deep.min(1.5 * wide));
            }
        }
        _ => {}
    }
}

/// The height of an actor's origin: on the ground, afloat, or adrift.
fn level(setting: Setting, actor: &Actor, size: f32) -> f32 {
    match setting {
        Setting::Underwater => 0.45 * size,
        Setting::Sea => match actor.action {
            Action::Fly | Action::Float => 0.0,
            _ => -0.12 * subjects::extent(actor.subject).height,
        },
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: f32 = 2.0;

    fn scenes() -> impl Iterator<Item = Scene> {
        (0..300).map(Scene::sample)
    }

    #[test]
    fn travellers_face_where_they_go() {
        for scene in scenes() {
            for (mark, actor) in Blocking::new(&scene, DURATION)
                .marks
                .iter()
                .zip(&scene.cast)
            {
                if actor.action.locomotes() {
                    let facing = Quat::from_rotation_y(mark.yaw) * Vec3::Z;
                    let along = mark.travel.normalize().dot(facing);
                    assert!(
                        along > 0.98,
                        "{actor:?} of seed {} goes sideways: {along}",
                        scene.seed
                    );
                } else {
                    assert_eq!(
                        mark.travel,
                        Vec3::ZERO,
                        "{actor:?} of seed {} slides",
                        scene.seed
                    );
                }
            }
        }
    }

    #[test]
    fn actors_stay_out_of_each_other() {
        for scene in scenes() {
            let marks = Blocking::new(&scene, DURATION).marks;
            for (i, a) in marks.iter().enumerate() {
                for b in &marks[..i] {
                    let apart = (a.middle + a.bounds.centre() - b.middle - b.bounds.centre()).abs();
                    let meets = apart.x < 0.5 * (a.bounds.half().x + b.bounds.half().x)
                        && apart.z < 0.5 * (a.bounds.half().z + b.bounds.half().z);
                    assert!(
                        !meets,
                        "two of {:?} in seed {} stand in one place",
                        scene.relation, scene.seed
                    );
                }
            }
        }
    }
}
