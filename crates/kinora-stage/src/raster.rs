//! Which surface each sample of the picture sees.
//!
//! No triangles: every part is a convex unit shape under an affine map, so a ray meets it in closed form. A part is
//! drawn by walking the samples inside the convex outline of its projected bounds and solving for the exact depth, in
//! loops that the compiler turns into vector code. Outlines are therefore round at any size, and normals are exact.

use crate::hit::{CAP_ABOVE, CAP_BELOW, Rays, draw_row};
use crate::lens::{Lens, Linear};
use crate::outline::Outline;
use crate::part::{Part, Shape};
use glam::{Affine3A, Mat3, Vec2, Vec3};
use multiversion::multiversion;

/// What a sample sees: nothing, the ground, or a face of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub u32);

impl Id {
    pub const SKY: Id = Id(0);
    pub const GROUND: Id = Id(1);
    /// Samples that differ; no sample has it.
    pub const MIXED: Id = Id(u32::MAX);
    const FIRST_PART: u32 = 2;
    const FACE_BITS: u32 = 3;

    /// Face 0 of part number `index`.
    pub fn part(index: usize) -> Self {
        Id((index as u32 + Self::FIRST_PART) << Self::FACE_BITS)
    }

    /// The part number and the face, unless it is the sky or the ground.
    pub fn as_part(self) -> Option<(usize, u32)> {
        let part = self.0 >> Self::FACE_BITS;
        (part >= Self::FIRST_PART).then(|| {
            (
                (part - Self::FIRST_PART) as usize,
                self.0 & ((1 << Self::FACE_BITS) - 1),
            )
        })
    }
}

/// A part in world space with what drawing it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub part: Part,
    /// World to unit shape.
    pub inverse: Affine3A,
    /// Turns normals of the unit shape to the world, up to their length.
    normals: Mat3,
    /// 0 for the set, k + 1 for actor k.
    pub owner: u8,
}

impl Placed {
    /// Makes ready a part that is already in world space; none if it is squashed to nothing.
    pub fn new(mut part: Part, owner: u8) -> Option<Self> {
        let axes = &mut part.transform.matrix3;
        // A flat shape has no use for its third axis, which may be of length zero.
        match part.shape {
            Shape::Quad => axes.y_axis = axes.z_axis.cross(axes.x_axis).try_normalize()?,
            Shape::Triangle => axes.z_axis = axes.x_axis.cross(axes.y_axis).try_normalize()?,
            _ => {}
        }
        let scale = axes.x_axis.length() * axes.y_axis.length() * axes.z_axis.length();
        let solid =
            axes.determinant().abs() > 1e-6 * scale && scale > 0.0 && part.transform.is_finite();
        solid.then(|| {
            let inverse = part.transform.inverse();
            Placed {
                part,
                inverse,
                normals: inverse.matrix3.transpose().into(),
                owner,
            }
        })
    }

    /// World normal, of any length, of a face at a point of the unit shape.
    pub fn normal(&self, face: u32, p: Vec3) -> Vec3 {
        let unit = match (self.part.shape, face) {
            (Shape::Sphere, _) => p,
            (Shape::Cube, _) => {
                let sign = if face & 1 == 0 { -1.0 } else { 1.0 };
                [Vec3::X, Vec3::Y, Vec3::Z][(face as usize >> 1).min(2)] * sign
            }
            (Shape::Cylinder | Shape::Cone, CAP_BELOW) => Vec3::NEG_Y,
            (Shape::Cylinder, CAP_ABOVE) => Vec3::Y,
            (Shape::Cylinder, _) => Vec3::new(p.x, 0.0, p.z),
            (Shape::Cone, _) => Vec3::new(p.x, (1.0 - p.y) * 0.25, p.z),
            (Shape::Quad, _) => Vec3::Y,
            (Shape::Triangle, _) => Vec3::Z,
        };
        self.normals * unit
    }
}

/// Where the samples of one pixel row lie, as (x, y) within the pixel: one for each sample row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern(pub &'static [Vec2]);

/// Four rotated-grid samples: four distinct steps on near-horizontal and near-vertical edges alike.
pub(crate) const FINE: Pattern = Pattern(&[
    Vec2::new(0.375, 0.125),
    Vec2::new(0.875, 0.375),
    Vec2::new(0.125, 0.625),
    Vec2::new(0.625, 0.875),
]);
/// One sample in the middle.
pub(crate) const COARSE: Pattern = Pattern(&[Vec2::new(0.5, 0.5)]);

/// Depth and identity of every sample, in sample rows of `width` samples.
#[derive(Debug)]
pub(crate) struct Layer {
    pub width: usize,
    pub height: usize,
    pub pattern: Pattern,
    pub depth: Vec<f32>,
    pub ids: Vec<u32>,
    /// Rows of samples drawn on since the last clear.
    touched: std::ops::Range<usize>,
    spans: Vec<(f32, f32)>,
}

impl Layer {
    pub fn new(width: usize, height: usize, pattern: Pattern) -> Self {
        let rows = height * pattern.0.len();
        Layer {
            width,
            height,
            pattern,
            depth: vec![f32::INFINITY; width * rows],
            ids: vec![Id::SKY.0; width * rows],
            touched: 0..0,
            spans: Vec::new(),
        }
    }

    /// Back to sky everywhere.
    pub fn clear(&mut self) {
        let range = self.touched.start * self.width..self.touched.end * self.width;
        self.depth[range.clone()].fill(f32::INFINITY);
        self.ids[range].fill(Id::SKY.0);
        self.touched = 0..0;
    }

    /// The pixel rows drawn on since the last clear.
    pub fn touched(&self) -> std::ops::Range<usize> {
        let per = self.pattern.0.len();
        self.touched.start / per..self.touched.end.div_ceil(per)
    }

    fn touch(&mut self, rows: std::ops::Range<usize>) {
        self.touched = if self.touched.is_empty() {
            rows
        } else {
            self.touched.start.min(rows.start)..self.touched.end.max(rows.end)
        };
    }

    /// The identity that all samples of each pixel of row `y` share, or `MIXED`, and their mean depth.
    pub fn merge_row(&self, y: usize, ids: &mut [u32], depth: &mut [f32]) {
        let many = self.pattern.0.len();
        let rows = y * many * self.width..(y + 1) * many * self.width;
        merge(&self.ids[rows.clone()], &self.depth[rows], ids, depth);
    }

    /// Picture coordinates of the first sample of a sample row.
    fn row_start(&self, row: usize) -> Vec2 {
        let per = self.pattern.0.len();
        self.pattern.0[row % per] + Vec2::new(0.0, (row / per) as f32)
    }

    /// Draws the endless plane y = `level`, seen from above.
    pub fn draw_ground(&mut self, lens: &Lens, level: f32) {
        const FAR: f32 = 4000.0;
        let drop = level - lens.eye.y;
        if drop >= 0.0 {
            return;
        }
        let dir = lens.directions();
        let rows = self.height * self.pattern.0.len();
        for row in 0..rows {
            let start = self.row_start(row);
            let (at, step) = (dir.at(start.x, start.y).y / drop, dir.dx.y / drop);
            let range = row * self.width..(row + 1) * self.width;
            ground_row(
                &mut self.depth[range.clone()],
                &mut self.ids[range],
                at,
                step,
                1.0 / FAR,
            );
        }
        self.touch(0..rows);
    }

    /// Draws a part where it is nearer than what was drawn before.
    pub fn draw(&mut self, lens: &Lens, placed: &Placed, id: Id) {
        let mut outline = Outline::of(placed, lens);
        let Some(rows) = outline.spans(self.height, self.pattern, &mut self.spans) else {
            return;
        };
        let centre = lens.view(placed.part.transform.translation.into()).z;
        let (dirs, origins) = (lens.directions(), lens.origins());
        let axes = placed.inverse.matrix3;
        let d = Linear {
            origin: axes * dirs.origin,
            dx: axes * dirs.dx,
            dy: axes * dirs.dy,
        };
        // Rays start at the depth of the shape's middle, so that small far shapes lose no digits.
        let o = Linear {
            origin: placed.inverse.transform_point3(origins.origin) + centre * d.origin,
            dx: axes * origins.dx + centre * d.dx,
            dy: axes * origins.dy + centre * d.dy,
        };
        for (row, &(left, right)) in rows.clone().zip(&self.spans) {
            let start = self.row_start(row);
            let first = (left - start.x).ceil().max(0.0) as usize;
            let end = ((right - start.x).floor() + 1.0).clamp(0.0, self.width as f32) as usize;
            if first >= end {
                continue;
            }
            let (x, y) = (start.x + first as f32, start.y);
            let rays = Rays {
                origin: o.at(x, y).to_array(),
                origin_step: o.dx.to_array(),
                dir: d.at(x, y).to_array(),
                dir_step: d.dx.to_array(),
                depth: centre,
                near: lens.near[0] + x * lens.near[1] + y * lens.near[2],
                near_step: lens.near[1],
            };
            let range = row * self.width + first..row * self.width + end;
            draw_row(
                placed.part.shape,
                &mut self.depth[range.clone()],
                &mut self.ids[range],
                &rays,
                id.0,
            );
        }
        self.touch(rows);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn merge(ids: &[u32], depths: &[f32], id: &mut [u32], depth: &mut [f32]) {
    let width = id.len();
    id.copy_from_slice(&ids[..width]);
    depth.copy_from_slice(&depths[..width]);
    for (ids, depths) in ids
        .chunks_exact(width)
        .zip(depths.chunks_exact(width))
        .skip(1)
    {
        for ((mine, sum), (other, z)) in id
            .iter_mut()
            .zip(depth.iter_mut())
            .zip(ids.iter().zip(depths))
        {
            *mine = if *mine == *other { *mine } else { Id::MIXED.0 };
            *sum += *z;
        }
    }
    let share = width as f32 / ids.len() as f32;
    for sum in depth {
        *sum *= share;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn ground_row(depth: &mut [f32], ids: &mut [u32], at: f32, step: f32, far: f32) {
    for (i, (z, id)) in depth.iter_mut().zip(ids).enumerate() {
        let inverse = at + i as i32 as f32 * step;
        let seen = inverse > far;
        *z = if seen { 1.0 / inverse } else { *z };
        *id = if seen { Id::GROUND.0 } else { *id };
    }
}

#[cfg(test)]
mod tests;
