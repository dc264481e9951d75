//! The camera department: shot size, angle and move of a scene as a camera over time.

use crate::blocking::{Blocking, Mark, is_near, size};
use crate::scene::Scene;
use crate::set::Camera;
use crate::vocabulary::{Angle, CameraMove, Setting, ShotSize, Subject};
use glam::{Quat, Vec3, vec3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::f32::consts::TAU;

/// Whole turn of a pan, in degrees.
const PAN: f32 = 40.0;
/// Whole turn of a tilt, in degrees.
const TILT: f32 = 26.0;
/// Whole turn of an orbit, in degrees.
const ORBIT: f32 = 70.0;
/// Share of the distance that a push-in covers.
const DOLLY: f32 = 0.4;
/// Share of the frame's width that a truck covers, and of its height that a boom covers.
const SLIDE: f32 = 0.4;
/// How much a zoom magnifies.
const ZOOM: f32 = 1.6;

/// The camera at time `t` of a clip of `duration` seconds, for pictures `aspect` times as wide as high.
pub fn camera(scene: &Scene, aspect: f32, t: f32, duration: f32) -> Camera {
    let blocking = Blocking::new(scene, duration);
    let rest = Setup::new(scene, &blocking, aspect);
    let progress = if duration > 0.0 {
        (t / duration).clamp(0.0, 1.0)
    } else {
        0.5
    };
    let mut now = rest.moved(scene.shot.camera_move, progress - 0.5, aspect);
    match scene.shot.camera_move {
        CameraMove::Track => {
            now.eye += blocking
                .marks
                .first()
                .map_or(Vec3::ZERO, |mark| mark.travelled(t, duration))
        }
        CameraMove::Handheld => now.shake(scene.seed, t),
        _ => {}
    }
    now.camera()
}

/// A camera on its stand: a place and a direction instead of a target.
#[derive(Clone, Copy, Debug)]
struct Setup {
    eye: Vec3,
    /// Turn about y; 0 looks along -z, positive turns left.
    yaw: f32,
    /// Positive looks up.
    pitch: f32,
    roll: f32,
    /// Tangent of half the vertical field of view.
    lens: f32,
    /// What the shot is about.
    focus: Vec3,
    /// Height of the frame at the focus, in metres.
    frame: f32,
    /// The lowest that the eye may come.
    floor: f32,
}

impl Setup {
    /// The camera at mid-clip.
    fn new(scene: &Scene, blocking: &Blocking, aspect: f32) -> Self {
        let Composition {
            focus,
            frame,
            reach,
        } = Composition::new(scene, blocking, aspect);
        let (angle, camera_move) = (scene.shot.angle, scene.shot.camera_move);
        let (sin, cos) = down(angle).sin_cos();
        // Narrow pictures take a longer view upwards, wide ones sideways.
        let lens = 0.43 / aspect.powf(0.35);
        let distance = frame / 2.0 / lens + (0.6 * reach.z * cos).max(0.9 * reach.y * sin);
        let floor = match scene.setting {
            Setting::Space => f32::NEG_INFINITY,
            Setting::Sea => 0.10 * frame,
            _ => 0.05 * frame,
        };
        // A boom needs room to go down in.
        let boom = matches!(camera_move, CameraMove::BoomUp | CameraMove::BoomDown);
        let room = if boom { SLIDE / 2.0 * frame } else { 0.0 };
        let rise = (distance * sin)
            .max(floor + room - focus.y)
            .min(0.97 * distance);
        let eye = focus + vec3(0.0, rise, (distance * distance - rise * rise).sqrt());
        let height = -(rise / distance).asin();
        let view = 2.0 * lens.atan();
        // In wide shots the subject stands in the lower third, and a low camera always looks up.
        let lift = match (angle, scene.shot.size) {
            _ if matches!(camera_move, CameraMove::TiltUp | CameraMove::TiltDown) => 0.0,
            (Angle::Low, _) => (12f32.to_radians() - height).clamp(0.0, 0.25 * view),
            (Angle::EyeLevel | Angle::Dutch, ShotSize::ExtremeWide | ShotSize::Wide) => 0.10 * view,
            _ => 0.0,
        };
        let roll = if angle == Angle::Dutch {
            dutch_roll(scene.seed)
        } else {
            0.0
        };
        Self {
            eye,
            yaw: 0.0,
            pitch: height + lift,
            roll,
            lens,
            focus,
            frame,
            floor,
        }
    }

    /// The camera at `phase` of its move, -0.5 at the start of the clip and 0.5 at its end.
    fn moved(mut self, camera_move: CameraMove, phase: f32, aspect: f32) -> Self {
        match camera_move {
            CameraMove::Static | CameraMove::Track | CameraMove::Handheld => {}
            CameraMove::PanLeft => self.yaw += phase * self.pan(aspect),
            CameraMove::PanRight => self.yaw -= phase * self.pan(aspect),
            CameraMove::TiltUp => self.pitch += phase * TILT.to_radians(),
            CameraMove::TiltDown => self.pitch -= phase * TILT.to_radians(),
            CameraMove::PushIn => self.dolly(-phase),
            CameraMove::PullOut => self.dolly(phase),
            CameraMove::TruckLeft => self.eye.x -= phase * SLIDE * self.frame * aspect,
            CameraMove::TruckRight => self.eye.x += phase * SLIDE * self.frame * aspect,
            CameraMove::BoomUp => self.eye.y += phase * SLIDE * self.frame,
            CameraMove::BoomDown => self.eye.y -= phase * SLIDE * self.frame,
            CameraMove::OrbitLeft => self.orbit(-phase * ORBIT.to_radians()),
            CameraMove::OrbitRight => self.orbit(phase * ORBIT.to_radians()),
            CameraMove::ZoomIn => self.lens *= ZOOM.powf(-phase),
            CameraMove::ZoomOut => self.lens *= ZOOM.powf(phase),
        }
        self.eye.y = self.eye.y.max(self.floor);
        self
    }

    /// The whole turn of a pan in radians: in a narrow picture no more than the picture shows.
    fn pan(&self, aspect: f32) -> f32 {
        PAN.to_radians().min(2.0 * (self.lens * aspect).atan())
    }

    /// Moves along the line to the focus; the lens and the direction stay.
    fn dolly(&mut self, phase: f32) {
        // At the far end the distance is 1 / (1 - DOLLY) of that at the near end, and 1 in the middle of the way.
        let share = 1.0 + phase * DOLLY / (1.0 - DOLLY / 2.0);
        self.eye = self.focus + (self.eye - self.focus) * share;
    }

    /// Goes round the focus, positive to the right, and keeps facing it.
    fn orbit(&mut self, angle: f32) {
        self.eye = self.focus + Quat::from_rotation_y(angle) * (self.eye - self.focus);
        self.yaw += angle;
    }

    /// The unrest of a camera on a shoulder: slow sway and a little quicker tremor.
    fn shake(&mut self, seed: u64, t: f32) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(4);
        let mut sway = || {
            let (slow, quick) = (rng.random_range(0.35..0.6), rng.random_range(1.1..1.7));
            let (a, b) = (rng.random::<f32>(), rng.random::<f32>());
            ((t * slow + a) * TAU).sin() + 0.4 * ((t * quick + b) * TAU).sin()
        };
        self.eye += vec3(sway(), sway(), 0.5 * sway()) * 0.016 * self.frame;
        self.eye.y = self.eye.y.max(self.floor);
        self.yaw += 0.014 * sway();
        self.pitch += 0.012 * sway();
        self.roll += 0.010 * sway();
    }

    fn camera(&self) -> Camera {
        let (sin, cos) = self.pitch.sin_cos();
        let forward = vec3(-self.yaw.sin() * cos, sin, -self.yaw.cos() * cos);
        Camera {
            eye: self.eye,
            target: self.eye + forward,
            roll: self.roll,
            fov_y: 2.0 * self.lens.atan(),
            near: 0.02 * self.frame,
        }
    }
}

/// What is to be in the picture.
struct Composition {
    /// The middle of the picture.
    focus: Vec3,
    /// Height of the frame at the focus, in metres.
    frame: f32,
    /// How far the cast reaches from the focus, up and towards the camera.
    reach: Vec3,
}

impl Composition {
    fn new(scene: &Scene, blocking: &Blocking, aspect: f32) -> Self {
        let (mut min, mut max) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
        for mark in &blocking.marks {
            min = min.min(mark.middle + mark.bounds.min);
            max = max.max(mark.middle + mark.bounds.max);
        }
        let near = is_near(scene.shot.size);
        let (sin, cos) = down(scene.shot.angle).sin_cos();
        let mut focus = (min + max) / 2.0;
        if let (true, [mark], [actor]) = (near, blocking.marks.as_slice(), scene.cast.as_slice()) {
            // Who has a face is cut at the waist or the shoulders; of anything else a close-up shows the front.
            let shown = if actor.subject.has_face() {
                Some(mark.bounds)
            } else {
                (scene.shot.size == ShotSize::CloseUp).then_some(mark.front)
            };
            if let Some(shown) = shown {
                focus = mark.middle + shown.centre();
                let brow = shown.max.y - headgear(actor.subject) * size(actor.subject);
                focus.y = focus.y.max(mark.middle.y + brow - 0.45 * blocking.frame);
            }
        }
        let travel = |mark: &Mark| match scene.shot.camera_move {
            CameraMove::Track => 0.0,
            _ => mark.travel.x.abs(),
        };
        let (width, height) = if near {
            (
                blocking
                    .marks
                    .iter()
                    .map(|mark| 1.4 * travel(mark))
                    .fold(0.0, f32::max),
                0.0,
            )
        } else {
            let side = |mark: &Mark| {
                (mark.middle.x + mark.bounds.centre().x - focus.x).abs()
                    + mark.bounds.half().x
                    + travel(mark) / 2.0
            };
            (
                2.0 * blocking.marks.iter().map(side).fold(0.0, f32::max),
                (max.y - min.y) * cos + (max.z - min.z) * sin.max(0.0),
            )
        };
        let frame = blocking.frame.max(1.08 * width / aspect).max(1.1 * height);
        Self {
            focus,
            frame,
            reach: (max - focus).max(Vec3::ZERO),
        }
    }
}

/// How far the camera is above the line of sight of its subject, in radians; below it if negative.
fn down(angle: Angle) -> f32 {
    let degrees: f32 = match angle {
        Angle::EyeLevel | Angle::Dutch => 5.0,
        Angle::Low => -20.0,
        Angle::High => 35.0,
        Angle::Overhead => 70.0,
    };
    degrees.to_radians()
}

/// How far a hat or horns push the face down, as a share of the height.
fn headgear(subject: Subject) -> f32 {
    match subject {
        Subject::Wizard => 0.10,
        Subject::Monster => 0.08,
        Subject::Chef | Subject::Snowman => 0.05,
        _ => 0.0,
    }
}

/// How far a Dutch shot tips over, in radians.
fn dutch_roll(seed: u64) -> f32 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(3);
    let side = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
    side * rng.random_range(15.0f32..20.0).to_radians()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Shape;
    use crate::vocabulary::Relation;
    use glam::{Mat4, Vec2};

    const DURATION: f32 = 2.0;
    const ASPECTS: [f32; 4] = [1.5, 16.0 / 9.0, 1.0, 0.5625];

    /// Where a point is in the picture: -1 to 1 from left to right and from bottom to top, if it is before the camera.
    fn project(camera: &Camera, aspect: f32, point: Vec3) -> Option<Vec2> {
        let view = Mat4::from_rotation_z(camera.roll)
            * Mat4::look_at_rh(camera.eye, camera.target, Vec3::Y);
        let seen = view.transform_point3(point);
        let tan = (camera.fov_y / 2.0).tan();
        (seen.z < -camera.near).then(|| Vec2::new(seen.x / (tan * aspect), seen.y / tan) / -seen.z)
    }

    fn inside(point: Option<Vec2>) -> bool {
        point.is_some_and(|point| point.abs().max_element() < 1.0)
    }

    /// Coherent scenes with every setting, size, angle and move among them.
    fn scenes() -> impl Iterator<Item = Scene> {
        (0..17 * 40).map(|seed| {
            let mut scene = Scene::sample(seed);
            let wanted = CameraMove::ALL[seed as usize % CameraMove::ALL.len()];
            if wanted != CameraMove::Track || scene.cast[0].action.locomotes() {
                scene.shot.camera_move = wanted;
            }
            scene
        })
    }

    /// What must be seen of an actor: its middle, or in the near shots what they are about.
    fn subject(scene: &Scene, aspect: f32, t: f32) -> Vec3 {
        let blocking = Blocking::new(scene, DURATION);
        let mark = &blocking.marks[0];
        let middle = if is_near(scene.shot.size) {
            Composition::new(scene, &blocking, aspect).focus
        } else {
            mark.middle + mark.bounds.centre()
        };
        middle + mark.travelled(t, DURATION)
    }

    #[test]
    fn the_first_actor_is_in_the_picture() {
        for scene in scenes() {
            for aspect in ASPECTS {
                let seen = |t: f32| {
                    inside(project(
                        &camera(&scene, aspect, t, DURATION),
                        aspect,
                        subject(&scene, aspect, t),
                    ))
                };
                assert!(
                    seen(DURATION / 2.0),
                    "lost at mid-clip at {aspect}: {scene:?}"
                );
                let share = (0..=10)
                    .filter(|&i| seen(DURATION * i as f32 / 10.0))
                    .count();
                assert!(
                    share >= 6,
                    "in the picture in {share} of 11 moments at {aspect}: {scene:?}"
                );
            }
        }
    }

    #[test]
    fn the_camera_stays_above_the_ground_and_before_the_props() {
        for scene in scenes() {
            for i in 0..=6 {
                let eye = camera(&scene, 1.5, DURATION * i as f32 / 6.0, DURATION).eye;
                assert!(
                    scene.setting == Setting::Space || eye.y > 0.0,
                    "under the ground: {scene:?}"
                );
                let parts = crate::sets::build(&scene).parts;
                for part in parts
                    .iter()
                    .filter(|part| !matches!(part.shape, Shape::Quad | Shape::Triangle))
                {
                    let near = part
                        .transform
                        .inverse()
                        .transform_point3(eye)
                        .abs()
                        .max_element();
                    assert!(near > 1.0, "inside a prop: {scene:?}");
                }
            }
        }
    }

    #[test]
    fn relations_are_seen_at_mid_clip() {
        for scene in scenes().filter(|scene| scene.cast.len() == 2) {
            let blocking = Blocking::new(&scene, DURATION);
            let seen = |actor: usize, t: f32| {
                let mark = &blocking.marks[actor];
                let camera = camera(&scene, 1.5, t, DURATION);
                let middle = mark.middle + mark.travelled(t, DURATION) + mark.bounds.centre();
                (
                    project(&camera, 1.5, middle).map_or(f32::NAN, |point| point.x),
                    middle.z,
                )
            };
            let mid = DURATION / 2.0;
            let ((x0, z0), (x1, z1)) = (seen(0, mid), seen(1, mid));
            let holds = match scene.relation {
                Relation::LeftOf => x0 < x1,
                Relation::RightOf => x0 > x1,
                Relation::Behind => z0 < z1,
                Relation::InFrontOf => z0 > z1,
                Relation::PassesBehind => {
                    let still = Scene {
                        shot: crate::scene::Shot {
                            camera_move: CameraMove::Static,
                            ..scene.shot
                        },
                        ..scene.clone()
                    };
                    let side = |t| {
                        let camera = camera(&still, 1.5, t, DURATION);
                        let at = |mark: &Mark| {
                            let middle =
                                mark.middle + mark.travelled(t, DURATION) + mark.bounds.centre();
                            project(&camera, 1.5, middle).map_or(f32::NAN, |point| point.x)
                        };
                        at(&blocking.marks[0]) - at(&blocking.marks[1])
                    };
                    z0 < z1 && side(0.0) * side(DURATION) < 0.0 && side(mid).abs() < 0.2
                }
                Relation::Follows => (x1 - x0) * blocking.marks[0].travel.x > 0.0,
                Relation::Alone | Relation::Crowd => unreachable!("there are two"),
            };
            assert!(
                holds,
                "{:?} does not hold: {x0} {z0}, {x1} {z1}: {scene:?}",
                scene.relation
            );
        }
    }

    #[test]
    fn each_move_changes_what_it_says_and_nothing_else() {
        for scene in scenes() {
            let at = |progress: f32| camera(&scene, 1.5, DURATION * progress, DURATION);
            let (start, end) = (at(0.0), at(1.0));
            let moved = start.eye.distance(end.eye);
            let turned = (start.target - start.eye)
                .angle_between(end.target - end.eye)
                .to_degrees();
            let zoomed = (end.fov_y / 2.0).tan() / (start.fov_y / 2.0).tan();
            let (still, straight, plain) =
                (moved < 1e-4, turned < 0.1, (zoomed - 1.0).abs() < 1e-4);
            let holds = match scene.shot.camera_move {
                CameraMove::Static => start == at(0.37) && start == end,
                CameraMove::PanLeft | CameraMove::PanRight => still && plain && turned > 10.0,
                CameraMove::TiltUp | CameraMove::TiltDown => {
                    still && plain && (turned - TILT).abs() < 0.5
                }
                CameraMove::ZoomIn => still && straight && (zoomed * ZOOM - 1.0).abs() < 1e-3,
                CameraMove::ZoomOut => still && straight && (zoomed / ZOOM - 1.0).abs() < 1e-3,
                CameraMove::PushIn
                | CameraMove::PullOut
                | CameraMove::BoomUp
                | CameraMove::BoomDown
                | CameraMove::TruckLeft
                | CameraMove::TruckRight
                | CameraMove::Track => moved > 0.0 && straight && plain,
                CameraMove::OrbitLeft | CameraMove::OrbitRight => {
                    moved > 0.0 && turned > 15.0 && plain
                }
                CameraMove::Handheld => at(0.5) != start && turned < 10.0 && plain,
            };
            assert!(
                holds,
                "moved {moved} m, turned {turned} degrees, zoomed {zoomed}: {scene:?}"
            );
        }
    }
}
