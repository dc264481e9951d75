//! Procedural patterns: hashes, value noise, and the covers of the ground.

use crate::set::Cover;
use glam::{Vec2, Vec3};

/// A well-mixed hash of three numbers.
#[inline]
pub(crate) fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77) ^ seed.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h ^ (h >> 15)
}

/// The hash as a number from 0 to 1.
#[inline]
pub(crate) fn unit(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// The scene's seed folded to what the hashes take.
pub(crate) fn fold(seed: u64) -> u32 {
    (seed ^ (seed >> 32)) as u32
}

/// The whole part of a number, rounded down, and what is over it. (`floor` is a call on the oldest x86 machines.)
#[inline]
pub(crate) fn split(x: f32) -> (i32, f32) {
    let whole = x as i32;
    let whole = whole - i32::from((whole as f32) > x);
    (whole, x - whole as f32)
}

/// Smooth noise with features of size 1, from 0 to 1.
#[inline]
pub(crate) fn noise(p: Vec2, seed: u32) -> f32 {
    let ((x, fx), (y, fy)) = (split(p.x), split(p.y));
    let (u, v) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
    let (a, b) = (unit(x, y, seed), unit(x + 1, y, seed));
    let (c, d) = (unit(x, y + 1, seed), unit(x + 1, y + 1, seed));
    a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v
}

/// 0 below `from`, 1 above `to`, smooth between.
#[inline]
pub(crate) fn ramp(from: f32, to: f32, x: f32) -> f32 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Noise about 0 (-0.5 to 0.5) that fades out where a pixel covers more than its features of `size` metres.
fn detail(p: Vec2, size: f32, pixel: f32, seed: u32) -> f32 {
    let keep = 1.0 - ramp(0.35, 1.1, pixel / size);
    if keep <= 0.0 { 0.0 } else { (noise(p / size, seed) - 0.5) * keep }
}

/// The ground at one point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroundPoint {
    /// Linear colour.
    pub albedo: Vec3,
    /// Slope along x and z that bends light and mirrored rays.
    pub tilt: Vec2,
    /// How much it mirrors, 0 to 1.
    pub mirror: f32,
    /// Extra light from above, such as caustics, as a factor on the key light.
    pub gain: f32,
}

/// Draws a cover at ground point `p` = (x, z) seen with `pixel` metres a pixel, at `t` seconds.
pub(crate) fn cover(cover: Cover, base: Vec3, wet: f32, p: Vec2, pixel: f32, seed: u32, t: f32) -> GroundPoint {
    let mut point = GroundPoint { albedo: base, tilt: Vec2::ZERO, mirror: wet * 0.6, gain: 1.0 };
    match cover {
        Cover::Plain => {}
        Cover::Asphalt => {
            let grit = detail(p, 0.09, pixel, seed);
            let patch = detail(p, 1.7, pixel, seed ^ 1);
            point.albedo *= 1.0 + 0.7 * grit + 0.6 * patch;
            if wet > 0.0 {
                let puddle = ramp(-0.08, 0.12, detail(p, 2.3, pixel, seed ^ 2));
                point.mirror = wet * (0.25 + 0.75 * puddle);
                let rough = 0.05 * (1.0 - puddle) + 0.012;
                point.tilt = rough * Vec2::new(detail(p, 0.3, pixel, seed ^ 3), detail(p, 0.3, pixel, seed ^ 4));
                point.albedo *= 1.0 - 0.35 * wet * puddle;
            }
        }
        Cover::Grass => {
            let blades = detail(Vec2::new(p.x, p.y * 0.5), 0.11, pixel, seed);
            let tufts = detail(p, 0.6, pixel, seed ^ 1);
            let patch = detail(p, 4.0, pixel, seed ^ 2);
            point.albedo *= (1.0 + 0.7 * blades + 0.6 * tufts).max(0.1);
            point.albedo *= Vec3::ONE + Vec3::new(0.9, 0.35, 0.1) * patch;
        }
        Cover::Sand => {
            let drift = noise(p * 0.6, seed) * 2.5;
            let phase = (p.y * 0.9 + p.x * 0.35 + drift) * 11.0;
            let keep = 1.0 - ramp(0.08, 0.3, pixel);
            point.tilt = Vec2::new(0.12, 0.3) * (phase.cos() * keep * 0.5);
            let grain = detail(p, 0.05, pixel, seed ^ 1);
            point.albedo *= 1.0 + 0.25 * grain + 0.3 * detail(p, 3.0, pixel, seed ^ 2) + 0.06 * keep * phase.sin();
        }
        Cover::Snow => {
            let drift = detail(p, 2.4, pixel, seed);
            let small = detail(p, 0.35, pixel, seed ^ 1);
            point.tilt = Vec2::new(detail(p, 1.1, pixel, seed ^ 2), detail(p, 1.1, pixel, seed ^ 3)) * 0.5;
            let hollow = (0.5 - drift - 0.4 * small).clamp(0.0, 1.0);
            point.albedo *= Vec3::ONE - Vec3::new(0.24, 0.15, 0.04) * hollow;
        }
        Cover::Water => {
            point.tilt = waves(p, pixel, seed, t);
            point.mirror = 1.0;
            point.albedo *= 1.0 + 0.8 * detail(p + Vec2::splat(t * 0.4), 2.8, pixel, seed ^ 5);
        }
        Cover::Wood => {
            const PLANK: f32 = 0.24;
            let (plank, _) = split(p.x / PLANK);
            let shift = unit(plank, 7, seed) * 3.0;
            let (board, _) = split((p.y + shift) / 2.6);
            let tint = unit(plank, board, seed) - 0.5;
            let veins = detail(Vec2::new(p.x, p.y * 0.12), 0.045, pixel, seed ^ 1);
            let side = joint(p.x / PLANK, 0.035, pixel / PLANK);
            let end = joint((p.y + shift) / 2.6, 0.004, pixel / 2.6);
            point.albedo *= (1.0 + 0.5 * tint + 0.45 * veins) * (1.0 - 0.6 * side.max(end));
        }
        Cover::Rock => {
            let big = detail(p, 1.6, pixel, seed);
            let mid = detail(p, 0.45, pixel, seed ^ 1);
            let fine = detail(p, 0.1, pixel, seed ^ 2);
            point.albedo *= (1.0 + 0.9 * big + 0.6 * mid + 0.4 * fine).max(0.15);
            point.tilt = Vec2::new(mid, detail(p, 0.45, pixel, seed ^ 3)) * 0.8;
        }
        Cover::Seabed => {
            point.albedo *= 1.0 + 0.4 * detail(p, 0.12, pixel, seed) + 0.4 * detail(p, 2.0, pixel, seed ^ 1);
            let ripple = (p.y * 5.0 + noise(p * 0.8, seed ^ 2) * 5.0).cos() * (1.0 - ramp(0.1, 0.5, pixel));
            point.tilt = Vec2::new(0.05, 0.15) * ripple;
            point.gain = caustics(p, pixel, seed, t);
        }
        Cover::Tiles => {
            let tint = unit(split(p.x).0, split(p.y).0, seed) - 0.5;
            let gap = joint(p.x, 0.03, pixel).max(joint(p.y, 0.03, pixel));
            point.albedo *= (1.0 + 0.25 * tint + 0.15 * detail(p, 0.2, pixel, seed)) * (1.0 - 0.55 * gap);
        }
    }
    point
}

/// Share of a dark joint of `width` about each whole number, blurred to a pixel.
fn joint(x: f32, width: f32, pixel: f32) -> f32 {
    let away = 0.5 - (split(x).1 - 0.5).abs();
    let soft = pixel.max(width * 0.5);
    (width / soft).min(1.0) * (1.0 - ramp(width * 0.5, width * 0.5 + soft, away))
}

/// Slope of the water.
fn waves(p: Vec2, pixel: f32, seed: u32, t: f32) -> Vec2 {
    // Direction, wave number per metre, slope; angular speed follows the deep-water law sqrt(g k).
    const WAVES: [(Vec2, f32, f32); 4] = [
        (Vec2::new(0.94, 0.34), 0.9, 0.05),
        (Vec2::new(0.64, -0.77), 1.9, 0.06),
        (Vec2::new(-0.31, 0.95), 3.7, 0.06),
        (Vec2::new(0.17, 0.98), 7.9, 0.05),
    ];
    let mut slope = Vec2::ZERO;
    let wobble = noise(p * 0.3, seed) * 4.0;
    for (along, k, steep) in WAVES {
        let keep = 1.0 - ramp(0.2, 0.6, pixel * k / std::f32::consts::TAU);
        if keep > 0.0 {
            slope += along * (steep * keep * (along.dot(p) * k + wobble - (9.81 * k).sqrt() * t).cos());
        }
    }
    slope
}

/// Bright moving lines that waves cast on the bottom.
fn caustics(p: Vec2, pixel: f32, seed: u32, t: f32) -> f32 {
    let keep = 1.0 - ramp(0.15, 0.5, pixel);
    if keep <= 0.0 {
        return 1.0;
    }
    let ridge = |n: f32| 1.0 - (2.0 * n - 1.0).abs();
    let a = ridge(noise(p * 1.7 + Vec2::new(t * 0.5, t * 0.3), seed ^ 8));
    let b = ridge(noise(p * 1.9 - Vec2::new(t * 0.4, -t * 0.35), seed ^ 9));
    1.0 + keep * (2.2 * (a * b).powi(3) - 0.25)
}
