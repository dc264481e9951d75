//! Where rays meet the unit shapes, in loops over neighbouring samples that the compiler turns into vector code.

use crate::part::Shape;
use multiversion::multiversion;

/// Faces of cylinders and cones; 0 is their round side. A cube's face is 2 * axis, plus 1 on its positive side.
pub(crate) const CAP_BELOW: u32 = 1;
pub(crate) const CAP_ABOVE: u32 = 2;

/// The rays of neighbouring samples in the space of the unit shape.
pub(crate) struct Rays {
    pub origin: [f32; 3],
    pub origin_step: [f32; 3],
    pub dir: [f32; 3],
    pub dir_step: [f32; 3],
    /// Depth at the origins.
    pub depth: f32,
    /// 1 / nearest depth.
    pub near: f32,
    pub near_step: f32,
}

/// Draws a shape over neighbouring samples, where it is nearer than `depth`; `id` has face 0.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn draw_row(shape: Shape, depth: &mut [f32], ids: &mut [u32], rays: &Rays, id: u32) {
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
fn walk(
    depth: &mut [f32],
    ids: &mut [u32],
    rays: &Rays,
    id: u32,
    hit: impl Fn([f32; 3], [f32; 3]) -> (f32, u32),
) {
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
        face = if first > enter {
            2 * axis as u32 + u32::from(d[axis] < 0.0)
        } else {
            face
        };
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
    (
        low(a, b),
        high(a, b),
        if dy < 0.0 { CAP_ABOVE } else { CAP_BELOW },
    )
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
    (
        if inside { enter } else { f32::INFINITY },
        if cap_in > side_in { cap } else { 0 },
    )
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
        if a > 0.0 {
            first
        } else if dq > 0.0 {
            last
        } else {
            f32::NEG_INFINITY
        },
        if a > 0.0 {
            last
        } else if dq > 0.0 {
            f32::INFINITY
        } else {
            first
        },
    );
    let (cap_in, cap_out, cap) = slab(o[1], d[1]);
    let enter = high(cap_in, side_in);
    let inside = (root >= 0.0) & (enter <= low(side_out, cap_out));
    (
        if inside { enter } else { f32::INFINITY },
        if cap_in > side_in { cap } else { 0 },
    )
}

#[inline(always)]
fn quad(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let t = -o[1] / d[1];
    let (x, z) = (o[0] + t * d[0], o[2] + t * d[2]);
    (
        if (x.abs() <= 1.0) & (z.abs() <= 1.0) {
            t
        } else {
            f32::INFINITY
        },
        0,
    )
}

#[inline(always)]
fn triangle(o: [f32; 3], d: [f32; 3]) -> (f32, u32) {
    let t = -o[2] / d[2];
    let (x, y) = (o[0] + t * d[0], o[1] + t * d[1]);
    (
        if (y >= -1.0) & (2.0 * x.abs() <= 1.0 - y) {
            t
        } else {
            f32::INFINITY
        },
        0,
    )
}
