//! Hashes, value noise and smooth steps: what procedural patterns are made of.

use glam::Vec2;

/// A well-mixed hash of three numbers.
#[inline(always)]
pub(crate) fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1)
        ^ (y as u32).wrapping_mul(0x85EB_CA77)
        ^ seed.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

/// The hash as a number from 0 to 1.
#[inline(always)]
pub(crate) fn unit(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The scene's seed folded to what the hashes take.
pub(crate) fn fold(seed: u64) -> u32 {
    (seed ^ (seed >> 32)) as u32
}

/// The whole part of a number, rounded down, and what is over it. (`floor` is a call on the oldest x86 machines.)
#[inline(always)]
pub(crate) fn split(x: f32) -> (i32, f32) {
    let whole = x as i32;
    let whole = whole - i32::from((whole as f32) > x);
    (whole, x - whole as f32)
}

/// Smooth noise with features of size 1, from 0 to 1.
#[inline(always)]
pub(crate) fn noise(p: Vec2, seed: u32) -> f32 {
    let ((x, fx), (y, fy)) = (split(p.x), split(p.y));
    let (u, v) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let (a, b) = (unit(x, y, seed), unit(x + 1, y, seed));
    let (c, d) = (unit(x, y + 1, seed), unit(x + 1, y + 1, seed));
    a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v
}

/// 0 below `from`, 1 above `to`, smooth between.
#[inline(always)]
pub(crate) fn ramp(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
