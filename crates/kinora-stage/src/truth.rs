//! What is known of a rendered clip without looking at it.

use crate::lens::Lens;
use crate::set::Camera;
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
