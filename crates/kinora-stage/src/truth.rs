//! What is known of a rendered clip without looking at it.

use crate::lens::Lens;
use crate::set::Camera;
use glam::{Vec3, vec3};
use serde::{Deserialize, Serialize};

/// Ground truth of a clip, one entry a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// In the order of the frames.
    pub frames: Vec<FrameTruth>,
}

/// Ground truth of one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameTruth {
    /// Where the camera was.
    pub camera: CameraPose,
    /// One entry an actor, in cast order.
    pub actors: Vec<ActorTruth>,
    /// Which actor each pixel shows, row-major [height * width]: 0 for none, k + 1 for actor k.
    pub owners: Vec<u8>,
    /// Depth along the viewing axis in metres, row-major [height * width]; infinite for the sky.
    pub depth: Vec<f32>,
}

impl FrameTruth {
    /// Visible mask of actor `k`, row-major [height * width].
    pub fn mask(&self, k: usize) -> Vec<bool> {
        self.owners
            .iter()
            .map(|&owner| usize::from(owner) == k + 1)
            .collect()
    }

    /// Where what shows in the middle of the pixel `[x, y]` of this frame is in `other`, a frame of the same clip, as
    /// pixels from the left and from the top; both are `[width, height]` large. Of an actor it is where its box has it. `None`
    /// where that can't be told: the actor is cut by a border, or what shows is behind the other camera.
    pub fn place_in(
        &self,
        other: &FrameTruth,
        [x, y]: [u32; 2],
        size @ [width, height]: [u32; 2],
    ) -> Option<[f32; 2]> {
        let pixel = (y * width + x) as usize;
        let at = [x as f32 + 0.5, y as f32 + 0.5];
        if let Some(actor) = usize::from(self.owners[pixel]).checked_sub(1) {
            let whole = |frame: &FrameTruth| {
                let bounds = frame.actors.get(actor)?.bounds?;
                let inside = bounds.left > 0
                    && bounds.top > 0
                    && bounds.right < width
                    && bounds.bottom < height;
                inside.then_some(bounds)
            };
            let (here, there) = (whole(self)?, whole(other)?);
            let along = |at: f32, from: [u32; 2], to: [u32; 2]| {
                let [from, to] = [from, to].map(|ends| ends.map(|end| end as f32));
                to[0] + (at - from[0]) / (from[1] - from[0]) * (to[1] - to[0])
            };
            return Some([
                along(at[0], [here.left, here.right], [there.left, there.right]),
                along(at[1], [here.top, here.bottom], [there.top, there.bottom]),
            ]);
        }
        let ray = self.camera.ray(at, size);
        let depth = self.depth[pixel];
        let from_other = match depth.is_finite() {
            true => {
                let place = Vec3::from(self.camera.eye) + ray * depth;
                place - Vec3::from(other.camera.eye)
            }
            false => ray, // as far as the sky
        };
        other.camera.pixel(from_other, size)
    }
}

/// The camera at one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraPose {
    /// World to camera, rows first: a world point (x, y, z, 1) goes to metres right, up and ahead.
    pub view: [[f32; 4]; 4],
    /// Position in metres.
    pub eye: [f32; 3],
    /// The point looked at.
    pub target: [f32; 3],
    /// Vertical field of view in radians.
    pub fov_y: f32,
}

impl CameraPose {
    /// The axes right, up and ahead, in world coordinates.
    fn axes(&self) -> [Vec3; 3] {
        [0, 1, 2].map(|row| {
            let [x, y, z, _] = self.view[row];
            vec3(x, y, z)
        })
    }

    /// Tangent per pixel of a picture so high.
    fn scale(&self, height: u32) -> f32 {
        2.0 * (self.fov_y / 2.0).tan() / height as f32
    }

    /// The way to a point of the picture, a metre along the viewing axis.
    fn ray(&self, [x, y]: [f32; 2], [width, height]: [u32; 2]) -> Vec3 {
        let [right, up, ahead] = self.axes();
        let scale = self.scale(height);
        let (x, y) = (x - width as f32 / 2.0, height as f32 / 2.0 - y);
        ahead + right * (x * scale) + up * (y * scale)
    }

    /// Where the picture shows what lies in the direction `way`, if it is before the camera.
    fn pixel(&self, way: Vec3, [width, height]: [u32; 2]) -> Option<[f32; 2]> {
        let [right, up, ahead] = self.axes().map(|axis| axis.dot(way));
        let scale = self.scale(height) * ahead;
        let (x, y) = (right / scale, up / scale);
        (ahead > 1e-3).then_some([width as f32 / 2.0 + x, height as f32 / 2.0 - y])
    }

    pub(crate) fn new(camera: &Camera, lens: &Lens) -> Self {
        let row = |axis: glam::Vec3| [axis.x, axis.y, axis.z, -axis.dot(lens.eye)];
        CameraPose {
            view: [
                row(lens.right),
                row(lens.up),
                row(lens.forward),
                [0.0, 0.0, 0.0, 1.0],
            ],
            eye: camera.eye.to_array(),
            target: camera.target.to_array(),
            fov_y: camera.fov_y,
        }
    }
}

/// What a frame shows of one actor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActorTruth {
    /// Extents of the visible pixels; none if no pixel shows the actor.
    pub bounds: Option<Bounds>,
    /// Number of visible pixels.
    pub pixels: u32,
    /// Mean depth of the visible pixels in metres; none if there are none.
    pub depth: Option<f32>,
}

/// A box in pixels: left and top inside, right and bottom just outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// One past the last column.
    pub right: u32,
    /// One past the last row.
    pub bottom: u32,
}

/// Gathers each actor's truth from the pixels' owners and depths.
pub(crate) fn actors(width: usize, owners: &[u8], depth: &[f32], count: usize) -> Vec<ActorTruth> {
    let mut found = vec![
        ActorTruth {
            bounds: None,
            pixels: 0,
            depth: None
        };
        count
    ];
    let mut sums = vec![0.0f64; count];
    for (i, (&owner, &z)) in owners.iter().zip(depth).enumerate() {
        let Some(k) = usize::from(owner).checked_sub(1).filter(|k| *k < count) else {
            continue;
        };
        let (x, y) = ((i % width) as u32, (i / width) as u32);
        let old = found[k].bounds.unwrap_or(Bounds {
            left: x,
            top: y,
            right: x + 1,
            bottom: y + 1,
        });
        found[k].bounds = Some(Bounds {
            left: old.left.min(x),
            top: old.top.min(y),
            right: old.right.max(x + 1),
            bottom: old.bottom.max(y + 1),
        });
        found[k].pixels += 1;
        sums[k] += f64::from(z);
    }
    for (actor, sum) in found.iter_mut().zip(sums) {
        actor.depth = (actor.pixels > 0).then(|| (sum / f64::from(actor.pixels)) as f32);
    }
    found
}
