//! How points of the world fall on the picture, and which ray looks through a point of it.
//!
//! Picture coordinates are pixels, x to the right and y down, (0, 0) the top left corner. A ray is origin + t * dir,
//! with dir scaled so that t is the depth along the viewing axis in metres.

use crate::set::Camera;
use glam::{Vec2, Vec3};

/// A perspective camera or a parallel (shadow) view over a picture of a given size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens {
    pub eye: Vec3,
    pub right: Vec3,
    pub up: Vec3,
    pub forward: Vec3,
    /// Perspective: tangent per pixel. Parallel: metres per pixel.
    pub scale: f32,
    pub centre: Vec2,
    pub projection: Projection,
    /// 1 / nearest depth at a point of the picture is near[0] + x * near[1] + y * near[2].
    pub near: [f32; 3],
}

/// Whether rays meet in the eye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Projection {
    Perspective,
    Parallel,
}

/// A vector that is linear in the picture's coordinates: at(x, y) = origin + x * dx + y * dy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub origin: Vec3,
    pub dx: Vec3,
    pub dy: Vec3,
}

impl Linear {
    pub fn at(&self, x: f32, y: f32) -> Vec3 {
        self.origin + x * self.dx + y * self.dy
    }
}

/// Depths nearer than this are never projected.
const CLOSEST: f32 = 0.02;

impl Lens {
    /// The lens of a camera over `width` x `height` square pixels.
    pub fn of_camera(camera: &Camera, width: usize, height: usize) -> Self {
        let forward = (camera.target - camera.eye)
            .try_normalize()
            .unwrap_or(Vec3::NEG_Z);
        let side = forward.cross(Vec3::Y).try_normalize().unwrap_or(Vec3::X);
        let over = side.cross(forward);
        let (sin, cos) = camera.roll.sin_cos();
        let right = side * cos - over * sin;
        let up = over * cos + side * sin;
        Lens {
            eye: camera.eye,
            right,
            up,
            forward,
            scale: 2.0 * (camera.fov_y * 0.5).tan() / height as f32,
            centre: Vec2::new(width as f32, height as f32) * 0.5,
            projection: Projection::Perspective,
            near: [1.0 / camera.near.max(CLOSEST), 0.0, 0.0],
        }
    }

    /// A square parallel view against `toward_light` of `size` pixels, showing `radius` metres about `centre`.
    pub fn of_light(toward_light: Vec3, centre: Vec3, radius: f32, size: usize) -> Self {
        const DISTANCE: f32 = 200.0;
        let (right, up) = toward_light.any_orthonormal_pair();
        Lens {
            eye: centre + toward_light * DISTANCE,
            right,
            up,
            forward: -toward_light,
            scale: 2.0 * radius / size as f32,
            centre: Vec2::splat(size as f32 * 0.5),
            projection: Projection::Parallel,
            near: [1.0 / CLOSEST, 0.0, 0.0],
        }
    }

    /// The lens as a mirror at height `level` shows it: it sees only what is above the mirror.
    pub fn mirrored(&self, level: f32) -> Self {
        let flip = |v: Vec3| Vec3::new(v.x, -v.y, v.z);
        let mut lens = Lens {
            eye: flip(self.eye) + Vec3::new(0.0, 2.0 * level, 0.0),
            right: flip(self.right),
            up: flip(self.up),
            forward: flip(self.forward),
            ..*self
        };
        // The mirror lies at depth (level - eye.y) / dir.y.
        let dir = lens.directions();
        let rise = (level - lens.eye.y).max(CLOSEST);
        lens.near = [dir.origin.y / rise, dir.dx.y / rise, dir.dy.y / rise];
        lens
    }

    /// Ray directions over the picture.
    pub fn directions(&self) -> Linear {
        match self.projection {
            Projection::Parallel => Linear {
                origin: self.forward,
                dx: Vec3::ZERO,
                dy: Vec3::ZERO,
            },
            Projection::Perspective => {
                let (dx, dy) = (self.right * self.scale, -self.up * self.scale);
                Linear {
                    origin: self.forward - dx * self.centre.x - dy * self.centre.y,
                    dx,
                    dy,
                }
            }
        }
    }

    /// Ray origins over the picture.
    pub fn origins(&self) -> Linear {
        match self.projection {
            Projection::Perspective => Linear {
                origin: self.eye,
                dx: Vec3::ZERO,
                dy: Vec3::ZERO,
            },
            Projection::Parallel => {
                let (dx, dy) = (self.right * self.scale, -self.up * self.scale);
                Linear {
                    origin: self.eye - dx * self.centre.x - dy * self.centre.y,
                    dx,
                    dy,
                }
            }
        }
    }

    /// A point in view axes: metres right, up and ahead.
    pub fn view(&self, point: Vec3) -> Vec3 {
        self.turn(point - self.eye)
    }

    /// A direction in view axes.
    pub fn turn(&self, direction: Vec3) -> Vec3 {
        Vec3::new(
            direction.dot(self.right),
            direction.dot(self.up),
            direction.dot(self.forward),
        )
    }

    /// Where a point in view axes falls on the picture; call it for points with `ahead` of at least `closest()`.
    pub fn flatten(&self, view: Vec3) -> Vec2 {
        let unit = match self.projection {
            Projection::Perspective => self.scale * view.z,
            Projection::Parallel => self.scale,
        };
        self.centre + Vec2::new(view.x, -view.y) / unit
    }

    /// Depth of the plane that polygons are clipped to.
    pub fn closest(&self) -> f32 {
        CLOSEST
    }

    /// The picture point and depth of a world point, if it lies ahead.
    pub fn project(&self, point: Vec3) -> Option<(Vec2, f32)> {
        let view = self.view(point);
        (view.z >= CLOSEST).then(|| (self.flatten(view), view.z))
    }
}
