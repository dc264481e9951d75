//! How the camera sees each actor, without rendering anything.

use crate::blocking::{self, size};
use crate::lens::Lens;
use crate::render::StageError;
use crate::scene::{Format, Scene};
use crate::subjects;
use crate::{camera, render};
use glam::Vec3;

/// Side of an actor's window, in its size: it stays inside when it jumps, flies or spreads its wings.
const ROOM: f32 = 1.75;
/// Height of the window's middle, in the actor's height.
const MIDDLE: f32 = 0.55;

/// One actor as the camera sees it: a square window about it, and from where it is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Middle of the window, in frame heights right of and below the middle of the frame.
    pub place: [f32; 2],
    /// Side of the window, in frame heights.
    pub side: f32,
    /// Where the actor faces, in radians: 0 looks at the camera, a quarter turn to the right of the picture.
    pub yaw: f32,
    /// From how far above it is seen, in radians.
    pub above: f32,
    /// How far the picture is turned clockwise about the line of sight, in radians.
    pub roll: f32,
    /// Distance along the line of sight, in metres.
    pub depth: f32,
    /// Where in its movements the actor began, 0 to 1.
    pub phase: f32,
    /// Seconds since the clip began.
    pub time: f32,
}

/// The views of a frame's actors, in cast order; none of an actor behind the camera. Frames past the end count as the last one.
///
/// # Errors
/// If the scene is not coherent, or the format is empty or too large.
pub fn views(scene: &Scene, format: Format, frame: u32) -> Result<Vec<Option<View>>, StageError> {
    scene.validate()?;
    render::check(&format)?;
    let duration = (format.frames - 1) as f32 / format.fps;
    let t = frame.min(format.frames - 1) as f32 / format.fps;
    let (width, height) = (format.width as f32, format.height as f32);
    let now = camera::camera(scene, width / height, t, duration);
    let lens = Lens::of_camera(&now, format.width as usize, format.height as usize);
    let places = blocking::place(scene, t, duration);
    let of = |(index, place): (usize, &glam::Affine3A)| {
        let actor = &scene.cast[index];
        let origin = Vec3::from(place.translation);
        let middle = origin + Vec3::Y * (MIDDLE * subjects::extent(actor.subject).height);
        let (at, depth) = lens.project(middle)?;
        let away = now.eye - middle;
        let facing = Vec3::from(place.matrix3.z_axis);
        Some(View {
            place: [
                (at.x - width / 2.0) / height,
                (at.y - height / 2.0) / height,
            ],
            side: ROOM * size(actor.subject) / (depth * lens.scale * height),
            yaw: turn(facing.x.atan2(facing.z) - away.x.atan2(away.z)),
            above: away.y.atan2(away.x.hypot(away.z)),
            roll: now.roll,
            depth,
            phase: subjects::phase(scene.seed.wrapping_add(index as u64)),
            time: t,
        })
    };
    Ok(places.iter().enumerate().map(of).collect())
}

/// The same angle within half a turn of 0.
fn turn(angle: f32) -> f32 {
    let whole = std::f32::consts::TAU;
    angle - whole * (angle / whole).round()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Relation, ShotSize, render_with_truth};

    const FORMAT: Format = Format {
        width: 96,
        height: 64,
        frames: 1,
        fps: 12.0,
    };

    #[test]
    fn actors_are_within_their_windows() {
        let whole =
            |scene: &Scene| scene.relation == Relation::Alone && scene.shot.size == ShotSize::Wide;
        let scenes = (0..).map(Scene::sample).filter(whole);
        for scene in scenes.take(12) {
            let (_, truth) = render_with_truth(&scene, FORMAT).unwrap();
            let Some(bounds) = truth.frames[0].actors[0].bounds else {
                continue;
            };
            let view = views(&scene, FORMAT, 0).unwrap()[0].unwrap();
            let along = |axis: usize, side: u32| {
                let middle = [96.0, 64.0][axis] / 2.0 + view.place[axis] * 64.0;
                (side as f32 - middle).abs() / (view.side * 32.0)
            };
            let reach = [
                along(0, bounds.left),
                along(0, bounds.right),
                along(1, bounds.top),
                along(1, bounds.bottom),
            ];
            assert!(
                reach.iter().all(|share| *share < 1.25),
                "{reach:?} {scene:?}"
            );
            assert!(
                reach.iter().any(|share| *share > 0.3),
                "{reach:?} {scene:?}"
            );
        }
    }

    #[test]
    fn who_goes_right_faces_right() {
        let long = Format {
            frames: 25,
            ..FORMAT
        };
        let scenes = (0..).map(Scene::sample);
        let walkers = scenes.filter(|scene| {
            scene.cast[0].action.locomotes()
                && scene.shot.camera_move == crate::CameraMove::Static
                && scene.shot.size == ShotSize::Wide
        });
        for scene in walkers.take(6) {
            let at = |frame| views(&scene, long, frame).unwrap()[0].unwrap();
            let right = at(24).place[0] - at(0).place[0];
            assert!(right * at(12).yaw > 0.0, "{scene:?}");
        }
    }
}
