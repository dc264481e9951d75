//! The sky as a function of direction.

use crate::batch::{BATCH, Row3, Target, Targets, fade};
use crate::set::{Disc, Set};
use crate::shade::squared;
use crate::texture::{noise, ramp, split, unit};
use glam::{Vec2, Vec3};
use multiversion::multiversion;

/// Directions in which the sky is seen.
pub(crate) struct SkyBatch {
    pub targets: Targets,
    dirs: Row3,
    pub colours: Row3,
}

impl SkyBatch {
    pub fn new() -> Self {
        SkyBatch {
            targets: Targets::EMPTY,
            dirs: Row3([[0.0; BATCH], [1.0; BATCH], [0.0; BATCH]]),
            colours: Row3::ZERO,
        }
    }

    /// Takes in a direction of any length.
    pub fn push(&mut self, target: Target, dir: Vec3) {
        let i = self.targets.push(target);
        self.dirs.set(i, dir);
    }

    #[inline(always)]
    fn each(&mut self, map: impl Fn(Vec3, Vec3) -> Vec3) {
        for i in 0..BATCH {
            self.colours
                .set(i, map(self.dirs.get(i), self.colours.get(i)));
        }
    }
}

/// Works out the linear colours of a batch, seen with `pixel` radians a pixel at `t` seconds.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(crate) fn light(set: &Set, pixel: f32, seed: u32, t: f32, batch: &mut SkyBatch) {
    let sky = &set.sky;
    for i in 0..BATCH {
        let dir = batch.dirs.get(i);
        batch.dirs.set(i, dir * (1.0 / squared(dir).sqrt()));
    }
    batch.each(|dir, _| {
        let low = 1.0 - dir.y.abs();
        let end = if dir.y > 0.0 { sky.zenith } else { sky.nadir };
        sky.horizon.lerp(end, 1.0 - low * low * low)
    });
    if sky.stars > 0.0 {
        batch.each(|dir, colour| colour + stars(dir, sky.stars, pixel, seed));
    }
    if let Some(disc) = &sky.disc {
        batch.each(|dir, colour| draw_disc(disc, dir, pixel, colour));
    }
    if sky.clouds > 0.0 {
        batch.each(|dir, colour| colour.lerp(sky.cloud_colour, clouds(sky.clouds, dir, seed, t)));
    }
    if set.fog.density > 0.0 {
        /// Height of the fog bank in metres of the set: rays that climb leave it.
        const BANK: f32 = 40.0;
        let thickness = set.fog.density * BANK * set.scale;
        batch.each(|dir, colour| {
            set.fog
                .colour
                .lerp(colour, fade(thickness / (dir.y.abs() + 0.02)))
        });
    }
}

#[inline(always)]
fn draw_disc(disc: &Disc, dir: Vec3, pixel: f32, colour: Vec3) -> Vec3 {
    // For small angles 1 - cos is half the angle squared.
    let angle = (2.0 * (1.0 - dir.dot(disc.direction))).max(0.0).sqrt();
    let inside = 1.0 - ramp(disc.radius - pixel * 0.5, disc.radius + pixel * 0.5, angle);
    let near = disc.radius / (disc.radius + angle);
    let halo = disc.halo * near * near * (0.6 + 0.25 * near);
    (colour + disc.colour * halo).lerp(disc.colour, inside)
}

/// Share hidden by a drifting layer of clouds 1 up, thinning to the horizon.
#[inline(always)]
fn clouds(amount: f32, dir: Vec3, seed: u32, t: f32) -> f32 {
    let edge = 0.78 - 0.6 * amount;
    let p = Vec2::new(dir.x, dir.z) * (1.1 / (dir.y.max(0.0) + 0.12)) + Vec2::splat(t * 0.02);
    let n = 0.55 * noise(p, seed ^ 21)
        + 0.3 * noise(p * 2.3, seed ^ 22)
        + 0.15 * noise(p * 5.1, seed ^ 23);
    ramp(edge, edge + 0.22, n) * ramp(0.0, 0.18, dir.y) * 0.85
}

/// Light of the stars: at most one in each cell of the faces of a cube, drawn as a soft dot of about a pixel.
fn stars(dir: Vec3, density: f32, pixel: f32, seed: u32) -> Vec3 {
    const CELLS: f32 = 22.0;
    let size = dir.abs();
    let (face, u, v) = if size.x >= size.y && size.x >= size.z {
        (dir.x.signum() as i32, dir.y / size.x, dir.z / size.x)
    } else if size.y >= size.z {
        (2 * dir.y.signum() as i32, dir.x / size.y, dir.z / size.y)
    } else {
        (3 * dir.z.signum() as i32, dir.x / size.z, dir.y / size.z)
    };
    let p = Vec2::new(u, v) * CELLS;
    let ((x, fx), (y, fy)) = (split(p.x), split(p.y));
    let seed = seed ^ (face as u32).wrapping_mul(0x51_7CC1);
    if unit(x, y, seed) > density * 0.6 {
        return Vec3::ZERO;
    }
    let at = Vec2::new(
        0.2 + 0.6 * unit(x, y, seed ^ 1),
        0.2 + 0.6 * unit(x, y, seed ^ 2),
    );
    let away = (Vec2::new(fx, fy) - at).length() / CELLS / (pixel * 0.75);
    let bright = unit(x, y, seed ^ 3);
    let tint = Vec3::new(1.0, 0.95, 0.9).lerp(Vec3::new(0.8, 0.9, 1.0), unit(x, y, seed ^ 4));
    tint * (0.25 + bright * bright) * (1.0 - away * away * 0.5).max(0.0).powi(3)
}
