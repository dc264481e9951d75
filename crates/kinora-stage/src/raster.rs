//! Which surface each sample of the picture sees.
//!
//! No triangles: every part is a convex unit shape under an affine map, so a ray meets it in closed form. A part is
//! drawn by walking the samples inside the convex outline of its projected bounds and solving for the exact depth, in
//! loops that the compiler turns into vector code. Outlines are therefore round at any size, and normals are exact.

use crate::lens::{Lens, Linear};
use crate::part::{Part, Shape};
use glam::{Affine3A, Mat3, Vec2, Vec3};
use multiversion::multiversion;

/// What a sample sees: nothing, the ground, or a face of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(pub u32);

impl Id {
    pub const SKY: Id = Id(0);
    pub const GROUND: Id = Id(1);
    const FIRST_PART: u32 = 2;
    const FACE_BITS: u32 = 3;

    /// Face 0 of part number `index`.
    pub fn part(index: usize) -> Self {
        Id((index as u32 + Self::FIRST_PART) << Self::FACE_BITS)
    }

    /// The part number and the face, unless it is the sky or the ground.
    pub fn as_part(self) -> Option<(usize, u32)> {
        let part = self.0 >> Self::FACE_BITS;
        (part >= Self::FIRST_PART).then(|| ((part - Self::FIRST_PART) as usize, self.0 & ((1 << Self::FACE_BITS) - 1)))
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
        let solid = axes.determinant().abs() > 1e-6 * scale && scale > 0.0 && part.transform.is_finite();
        solid.then(|| {
            let inverse = part.transform.inverse();
            Placed { part, inverse, normals: inverse.matrix3.transpose().into(), owner }
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

const CAP_BELOW: u32 = 1;
const CAP_ABOVE: u32 = 2;

/// Where the samples of one pixel row lie, as (x, y) within the pixel: one for each sample row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern(pub &'static [Vec2]);

/// Four rotated-grid samples: four distinct steps on near-horizontal and near-vertical edges alike.
pub(crate) const FINE: Pattern =
    Pattern(&[Vec2::new(0.375, 0.125), Vec2::new(0.875, 0.375), Vec2::new(0.125, 0.625), Vec2::new(0.625, 0.875)]);
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
            ground_row(&mut self.depth[range.clone()], &mut self.ids[range], at, step, 1.0 / FAR);
        }
        self.touch(0..rows);
    }

    /// Draws a part where it is nearer than what was drawn before.
    pub fn draw(&mut self, lens: &Lens, placed: &Placed, id: Id) {
        let mut outline = Outline::of(placed, lens);
        let Some(rows) = outline.spans(self.height, self.pattern, &mut self.spans) else { return };
        let centre = lens.view(placed.part.transform.translation.into()).z;
        let (dirs, origins) = (lens.directions(), lens.origins());
        let axes = placed.inverse.matrix3;
        let d = Linear { origin: axes * dirs.origin, dx: axes * dirs.dx, dy: axes * dirs.dy };
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
            draw_row(placed.part.shape, &mut self.depth[range.clone()], &mut self.ids[range], &rays, id.0);
        }
        self.touch(rows);
    }
}

/// Up to 24 points whose convex hull is a part's outline on the picture.
struct Outline {
    points: [Vec2; 24],
    count: usize,
}

impl Outline {
    fn of(placed: &Placed, lens: &Lens) -> Self {
        let mut outline = Outline { points: [Vec2::ZERO; 24], count: 0 };
        let m = &placed.part.transform;
        let centre = lens.view(m.translation.into());
        let [x, y, z] = [m.matrix3.x_axis, m.matrix3.y_axis, m.matrix3.z_axis].map(|axis| lens.turn(axis.into()));
        let mut corners = [Vec3::ZERO; 8];
        let corners = match placed.part.shape {
            Shape::Sphere | Shape::Cube | Shape::Cylinder => {
                for (i, corner) in corners.iter_mut().enumerate() {
                    let sign = |bit: usize| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
                    *corner = centre + sign(0) * x + sign(1) * y + sign(2) * z;
                }
                &corners[..]
            }
            Shape::Cone => {
                let base = centre - y;
                corners[..5].copy_from_slice(&[base - x - z, base + x - z, base - x + z, base + x + z, centre + y]);
                &corners[..5]
            }
            Shape::Quad => {
                corners[..4]
                    .copy_from_slice(&[centre - x - z, centre + x - z, centre - x + z, centre + x + z]);
                &corners[..4]
            }
            Shape::Triangle => {
                corners[..3].copy_from_slice(&[centre - x - y, centre + x - y, centre + y]);
                &corners[..3]
            }
        };
        let near = lens.closest();
        for (i, &a) in corners.iter().enumerate() {
            if a.z >= near {
                outline.push(lens.flatten(a));
                continue;
            }
            // Every line from a hidden to a seen corner, edge or not, is inside the solid: its cut adds no excess.
            for &b in corners.iter().enumerate().filter(|(k, b)| *k != i && b.z >= near).map(|(_, b)| b) {
                let cut = a + (b - a) * ((near - a.z) / (b.z - a.z));
                outline.push(lens.flatten(Vec3::new(cut.x, cut.y, near)));
            }
        }
        outline
    }

    fn push(&mut self, point: Vec2) {
        self.points[self.count] = point;
        self.count += 1;
    }

    /// Fills `spans` with the outline's left and right bound on each sample row it crosses, and returns those rows.
    fn spans(
        &mut self,
        height: usize,
        pattern: Pattern,
        spans: &mut Vec<(f32, f32)>,
    ) -> Option<std::ops::Range<usize>> {
        /// Slack in pixels against rounding; the exact test of each sample makes good for it.
        const SLACK: f32 = 0.01;
        let points = &mut self.points[..self.count];
        points.sort_unstable_by(|a, b| a.y.total_cmp(&b.y));
        let (top, bottom) = (points.first()?.y, points.last()?.y);
        let per = pattern.0.len() as f32;
        // Row r lies at y = (r + 1/2) / per in both patterns.
        let row_at = |y: f32| (y * per - 0.5).clamp(-1.0, height as f32 * per);
        let first = row_at(top - SLACK).ceil() as usize;
        let end = (row_at(bottom + SLACK).floor() + 1.0).clamp(0.0, height as f32 * per) as usize;
        if first >= end {
            return None;
        }
        spans.clear();
        spans.resize(end - first, (f32::INFINITY, f32::NEG_INFINITY));
        for side in [1.0f32, -1.0] {
            // The left (side 1) or right (side -1) chain of the hull, from top to bottom.
            let mut chain = [Vec2::ZERO; 24];
            let mut length = 0;
            for &point in points.iter() {
                while length >= 2 && side * (chain[length - 1] - chain[length - 2]).perp_dot(point - chain[length - 1]) >= 0.0 {
                    length -= 1;
                }
                chain[length] = point;
                length += 1;
            }
            for edge in chain[..length].windows(2) {
                let (a, b) = (edge[0], edge[1]);
                let slope = (b.x - a.x) / (b.y - a.y).max(1e-6);
                let from = (row_at(a.y - SLACK).ceil() as usize).max(first);
                let to = ((row_at(b.y + SLACK).floor() + 1.0).max(0.0) as usize).min(end);
                for row in from..to {
                    let y = ((row as f32 + 0.5) / per).clamp(a.y, b.y);
                    let x = a.x + (y - a.y) * slope;
                    let span = &mut spans[row - first];
                    *span = (span.0.min(x - SLACK), span.1.max(x + SLACK));
                }
            }
        }
        Some(first..end)
    }
}

/// The rays of neighbouring samples in the space of the unit shape.
struct Rays {
    origin: [f32; 3],
    origin_step: [f32; 3],
    dir: [f32; 3],
    dir_step: [f32; 3],
    /// Depth at the origins.
    depth: f32,
    /// 1 / nearest depth.
    near: f32,
    near_step: f32,
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

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn draw_row(shape: Shape, depth: &mut [f32], ids: &mut [u32], rays: &Rays, id: u32) {
    match shape {
        Shape::Sphere => walk(depth, ids, rays, id, sphere),
        Shape::Cube => walk(depth, ids, rays, id, cube),
        Shape::Cylinder => walk(depth, ids, rays, id, cylinder),
        Shape::Cone => walk(depth, ids, rays, id, cone),
        Shape::Quad => walk(depth, ids, rays, id, quad),
        Shape::Triangle => walk(depth, ids, rays, id, triangle),
    }
}

/// Keeps the nearest hit of each sample; `hit` gives the depth past the ray's origin (NaN or infinity for a miss) and
/// the face.
#[inline(always)]
fn walk(depth: &mut [f32], ids: &mut [u32], rays: &Rays, id: u32, hit: impl Fn([f32; 3], [f32; 3]) -> (f32, u32)) {
    for (i, (z, k)) in depth.iter_mut().zip(ids).enumerate() {
        let x = i as i32 as f32;
        let o = [0, 1, 2].map(|a| rays.origin[a] + x * rays.origin_step[a]);
        let d = [0, 1, 2].map(|a| rays.dir[a] + x * rays.dir_step[a]);
        let (t, face) = hit(o, d);
        let t = t + rays.depth;
        let seen = (t < *z) & (t * (rays.near + x * rays.near_step) > 1.0);
        *z = if seen { t } else { *z };
        *k = if seen { id | face } else { *k };
    }
}

/// Minimum that the compiler can turn into one instruction.
#[inline(always)]
fn low(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Maximum that the compiler can turn into one instruction.
#[inline(always)]
fn high(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn sphere(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
    let b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2];
    let c = o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1.0;
    ((-b - (b * b - a * c).sqrt()) / a, 0)
}

#[inline(always)]
fn cube(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let (mut enter, mut exit, mut face) = (f32::NEG_INFINITY, f32::INFINITY, 0);
    for axis in 0..3 {
        let inverse = 1.0 / d[axis];
        let (a, b) = ((-1.0 - o[axis]) * inverse, (1.0 - o[axis]) * inverse);
        let (first, last) = (low(a, b), high(a, b));
        face = if first > enter { 2 * axis as u32 + u32::from(d[axis] < 0.0) } else { face };
        enter = high(first, enter);
        exit = low(last, exit);
    }
    (if enter <= exit { enter } else { f32::INFINITY }, face)
}

/// The interval of a ray inside -1 <= y <= 1, and the face it enters by.
#[inline(always)]
fn slab(oy: f32, dy: f32) -> (f32, f32, u32) {
    let inverse = 1.0 / dy;
    let (a, b) = ((-1.0 - oy) * inverse, (1.0 - oy) * inverse);
    (low(a, b), high(a, b), if dy < 0.0 { CAP_ABOVE } else { CAP_BELOW })
}

#[inline(always)]
fn cylinder(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    // The floor on `a` keeps rays along the axis (shadows at noon) apart from 0 / 0.
    let a = high(d[0] * d[0] + d[2] * d[2], 1e-18);
    let b = o[0] * d[0] + o[2] * d[2];
    let c = o[0] * o[0] + o[2] * o[2] - 1.0;
    let root = (b * b - a * c).sqrt();
    let (side_in, side_out) = ((-b - root) / a, (-b + root) / a);
    let (cap_in, cap_out, cap) = slab(o[1], d[1]);
    let enter = high(cap_in, side_in);
    let inside = (root >= 0.0) & (enter <= low(side_out, cap_out));
    (if inside { enter } else { f32::INFINITY }, if cap_in > side_in { cap } else { 0 })
}

#[inline(always)]
fn cone(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let (q, dq) = ((1.0 - o[1]) * 0.5, -0.5 * d[1]);
    let a = d[0] * d[0] + d[2] * d[2] - dq * dq;
    let a = if a.abs() > 1e-12 { a } else { 1e-12 };
    let b = o[0] * d[0] + o[2] * d[2] - q * dq;
    let c = o[0] * o[0] + o[2] * o[2] - q * q;
    let root = (b * b - a * c).sqrt();
    let (r, s) = ((-b - root) / a, (-b + root) / a);
    let (first, last) = (low(r, s), high(r, s));
    // A steep ray (a < 0) is inside beyond one root only: past the last going down, before the first going up.
    let (side_in, side_out) = (
        if a > 0.0 { first } else if dq > 0.0 { last } else { f32::NEG_INFINITY },
        if a > 0.0 { last } else if dq > 0.0 { f32::INFINITY } else { first },
    );
    let (cap_in, cap_out, cap) = slab(o[1], d[1]);
    let enter = high(cap_in, side_in);
    let inside = (root >= 0.0) & (enter <= low(side_out, cap_out));
    (if inside { enter } else { f32::INFINITY }, if cap_in > side_in { cap } else { 0 })
}

#[inline(always)]
fn quad(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let t = -o[1] / d[1];
    let (x, z) = (o[0] + t * d[0], o[2] + t * d[2]);
    (if (x.abs() <= 1.0) & (z.abs() <= 1.0) { t } else { f32::INFINITY }, 0)
}

#[inline(always)]
fn triangle(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let t = -o[2] / d[2];
    let (x, y) = (o[0] + t * d[0], o[1] + t * d[1]);
    (if (y >= -1.0) & (2.0 * x.abs() <= 1.0 - y) { t } else { f32::INFINITY }, 0)
}
