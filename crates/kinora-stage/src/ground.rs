//! The covers of the ground: procedural patterns fixed to the world.

use crate::batch::{BATCH, Row, Row3, Target, Targets, cosine};
use crate::set::{Cover, Ground};
use crate::shade::Sight;
use crate::texture::{noise, ramp, split, unit};
use glam::{Vec2, Vec3};
use multiversion::multiversion;

/// Places where the ground is seen.
pub(crate) struct GroundBatch {
    pub targets: Targets,
    pub sights: [Sight; BATCH],
    /// Picture coordinates, for what is mirrored there.
    pub at: [Vec2; BATCH],
    x: Row,
    z: Row,
    /// The pattern's metres a pixel, the geometric mean of a pixel's two sides.
    pixel: Row,
    points: Points,
}

/// The ground at each place.
struct Points {
    albedo: Row3,
    tilt_x: Row,
    tilt_z: Row,
    mirror: Row,
    gain: Row,
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
    /// Factor on the key light, for caustics.
    pub gain: f32,
}

impl GroundBatch {
    pub fn new() -> Self {
        let zero = [0.0; BATCH];
        GroundBatch {
            targets: Targets::EMPTY,
            sights: [Sight::new(Vec3::ZERO, Vec3::Y, 1.0); BATCH],
            at: [Vec2::ZERO; BATCH],
            x: zero,
            z: zero,
            pixel: [1.0; BATCH],
            points: Points {
                albedo: Row3::ZERO,
                tilt_x: zero,
                tilt_z: zero,
                mirror: zero,
                gain: zero,
            },
        }
    }

    /// Takes in a place of the ground seen with `pixel` of tangent a pixel; the pattern's metres are `scale` of the
    /// world's.
    pub fn push(&mut self, target: Target, at: Vec2, sight: Sight, pixel: f32, scale: f32) {
        let i = self.targets.push(target);
        self.at[i] = at;
        self.x[i] = sight.point.x / scale;
        self.z[i] = sight.point.z / scale;
        let steep = (-sight.dir.y).max(0.02);
        self.pixel[i] = pixel * sight.depth / (steep.sqrt() * scale);
        self.sights[i] = sight;
    }

    /// The ground at place `i`, once painted.
    pub fn point(&self, i: usize) -> GroundPoint {
        let points = &self.points;
        GroundPoint {
            albedo: points.albedo.get(i),
            tilt: Vec2::new(points.tilt_x[i], points.tilt_z[i]),
            mirror: points.mirror[i],
            gain: points.gain[i],
        }
    }

    #[inline(always)]
    fn each(&mut self, cover: impl Fn(Vec2, f32) -> GroundPoint) {
        let points = &mut self.points;
        for i in 0..BATCH {
            let point = cover(Vec2::new(self.x[i], self.z[i]), self.pixel[i]);
            points.albedo.set(i, point.albedo);
            points.tilt_x[i] = point.tilt.x;
            points.tilt_z[i] = point.tilt.y;
            points.mirror[i] = point.mirror;
            points.gain[i] = point.gain;
        }
    }
}

/// Noise about 0 (-0.5 to 0.5) that fades out where a pixel covers more than its features of `size` metres.
#[inline(always)]
fn detail(p: Vec2, size: f32, pixel: f32, seed: u32) -> f32 {
    (noise(p / size, seed) - 0.5) * (1.0 - ramp(0.35, 1.1, pixel / size))
}

/// Two independent details.
#[inline(always)]
fn bumps(p: Vec2, size: f32, pixel: f32, seed: u32) -> Vec2 {
    Vec2::new(
        detail(p, size, pixel, seed),
        detail(p, size, pixel, seed ^ 0x5A5A),
    )
}

/// Paints a batch at `t` seconds.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn paint(ground: &Ground, seed: u32, t: f32, batch: &mut GroundBatch) {
    let (base, wet) = (ground.albedo, ground.wet);
    let dry = |albedo: Vec3, tilt: Vec2| GroundPoint {
        albedo,
        tilt,
        mirror: wet * 0.6,
        gain: 1.0,
    };
    match ground.cover {
        Cover::Plain => batch.each(|_, _| dry(base, Vec2::ZERO)),
        Cover::Asphalt => batch.each(|p, pixel| {
            let grit = detail(p, 0.09, pixel, seed);
            let patch = detail(p, 1.7, pixel, seed ^ 1);
            let puddle = ramp(-0.08, 0.12, detail(p, 2.3, pixel, seed ^ 2));
            let rough = 0.012 + 0.05 * (1.0 - puddle);
            GroundPoint {
                albedo: base * ((1.0 + 0.7 * grit + 0.6 * patch) * (1.0 - 0.35 * wet * puddle)),
                tilt: rough * wet * bumps(p, 0.3, pixel, seed ^ 3),
                mirror: wet * (0.25 + 0.75 * puddle),
                gain: 1.0,
            }
        }),
        Cover::Grass => batch.each(|p, pixel| {
            let blades = detail(Vec2::new(p.x, p.y * 0.5), 0.11, pixel, seed);
            let tufts = detail(p, 0.6, pixel, seed ^ 1);
            let patch = detail(p, 4.0, pixel, seed ^ 2);
            let tint = Vec3::ONE + Vec3::new(0.9, 0.35, 0.1) * patch;
            dry(
                base * tint * (1.0 + 0.7 * blades + 0.6 * tufts).max(0.1),
                Vec2::ZERO,
            )
        }),
        Cover::Sand => batch.each(|p, pixel| {
            let drift = noise(p * 0.6, seed) * 2.5;
            let phase = (p.y * 0.9 + p.x * 0.35 + drift) * 11.0;
            let keep = 1.0 - ramp(0.08, 0.3, pixel);
            let grain = detail(p, 0.05, pixel, seed ^ 1);
            let wide = detail(p, 3.0, pixel, seed ^ 2);
            let slope = Vec2::new(0.12, 0.3) * (cosine(phase) * keep * 0.5);
            dry(
                base * (1.0 + 0.25 * grain + 0.3 * wide + 0.06 * keep * cosine(phase - 1.57)),
                slope,
            )
        }),
        Cover::Snow => batch.each(|p, pixel| {
            let drift = detail(p, 2.4, pixel, seed);
            let small = detail(p, 0.35, pixel, seed ^ 1);
            let hollow = (0.5 - drift - 0.4 * small).clamp(0.0, 1.0);
            let tint = Vec3::ONE - Vec3::new(0.24, 0.15, 0.04) * hollow;
            dry(base * tint, bumps(p, 1.1, pixel, seed ^ 2) * 0.5)
        }),
        Cover::Water => batch.each(|p, pixel| {
            let swell = detail(p + Vec2::splat(t * 0.4), 2.8, pixel, seed ^ 5);
            GroundPoint {
                albedo: base * (1.0 + 0.8 * swell),
                tilt: waves(p, pixel, seed, t),
                mirror: 1.0,
                gain: 1.0,
            }
        }),
        Cover::Wood => batch.each(|p, pixel| {
            const WIDTH: f32 = 0.24;
            const LENGTH: f32 = 2.6;
            let (plank, _) = split(p.x / WIDTH);
            let along = (p.y + unit(plank, 7, seed) * 3.0) / LENGTH;
            let tint = unit(plank, split(along).0, seed) - 0.5;
            let veins = detail(Vec2::new(p.x, p.y * 0.12), 0.045, pixel, seed ^ 1);
            let gap =
                joint(p.x / WIDTH, 0.035, pixel / WIDTH).max(joint(along, 0.004, pixel / LENGTH));
            dry(
                base * ((1.0 + 0.5 * tint + 0.45 * veins) * (1.0 - 0.6 * gap)),
                Vec2::ZERO,
            )
        }),
        Cover::Rock => batch.each(|p, pixel| {
            let big = detail(p, 1.6, pixel, seed);
            let mid = bumps(p, 0.45, pixel, seed ^ 1);
            let fine = detail(p, 0.1, pixel, seed ^ 2);
            dry(
                base * (1.0 + 0.9 * big + 0.6 * mid.x + 0.4 * fine).max(0.15),
                mid * 0.8,
            )
        }),
        Cover::Seabed => batch.each(|p, pixel| {
            let grain = detail(p, 0.12, pixel, seed) + detail(p, 2.0, pixel, seed ^ 1);
            let ripple =
                cosine(p.y * 5.0 + noise(p * 0.8, seed ^ 2) * 5.0) * (1.0 - ramp(0.1, 0.5, pixel));
            let gain = caustics(p, pixel, seed, t);
            GroundPoint {
                gain,
                ..dry(base * (1.0 + 0.4 * grain), Vec2::new(0.05, 0.15) * ripple)
            }
        }),
        Cover::Tiles => batch.each(|p, pixel| {
            let tint = unit(split(p.x).0, split(p.y).0, seed) - 0.5;
            let gap = joint(p.x, 0.03, pixel).max(joint(p.y, 0.03, pixel));
            let worn = detail(p, 0.2, pixel, seed);
            dry(
                base * ((1.0 + 0.25 * tint + 0.15 * worn) * (1.0 - 0.55 * gap)),
                Vec2::ZERO,
            )
        }),
    }
}

/// Share of a dark joint of `width` about each whole number, blurred to a pixel.
#[inline(always)]
fn joint(x: f32, width: f32, pixel: f32) -> f32 {
    let away = 0.5 - (split(x).1 - 0.5).abs();
    let soft = pixel.max(width * 0.5);
    (width / soft).min(1.0) * (1.0 - ramp(width * 0.5, width * 0.5 + soft, away))
}

/// Slope of the water.
#[inline(always)]
fn waves(p: Vec2, pixel: f32, seed: u32, t: f32) -> Vec2 {
    // Direction, wave number per metre, slope; angular speed follows the deep-water law sqrt(g k).
    const WAVES: [(Vec2, f32, f32); 4] = [
        (Vec2::new(0.94, 0.34), 0.9, 0.05),
        (Vec2::new(0.64, -0.77), 1.9, 0.06),
        (Vec2::new(-0.31, 0.95), 3.7, 0.06),
        (Vec2::new(0.17, 0.98), 7.9, 0.05),
    ];
    let wobble = noise(p * 0.3, seed) * 4.0;
    let mut slope = Vec2::ZERO;
    for (along, k, steep) in WAVES {
        let keep = 1.0 - ramp(0.2, 0.6, pixel * k / std::f32::consts::TAU);
        slope += along * (steep * keep * cosine(along.dot(p) * k + wobble - (9.81 * k).sqrt() * t));
    }
    slope
}

/// Bright moving lines that waves cast on the bottom, as a factor on the light.
#[inline(always)]
fn caustics(p: Vec2, pixel: f32, seed: u32, t: f32) -> f32 {
    let ridge = |n: f32| 1.0 - (2.0 * n - 1.0).abs();
    let a = ridge(noise(p * 1.7 + Vec2::new(t * 0.5, t * 0.3), seed ^ 8));
    let b = ridge(noise(p * 1.9 - Vec2::new(t * 0.4, -t * 0.35), seed ^ 9));
    let line = a * b;
    1.0 + (1.0 - ramp(0.15, 0.5, pixel)) * (2.2 * line * line * line - 0.25)
}
