//! The sky as a function of direction.

use crate::set::Set;
use crate::texture::{noise, ramp, split, unit};
use glam::{Vec2, Vec3};

/// Linear colour seen in unit direction `dir` by a pixel of `pixel` radians.
pub(crate) fn colour(set: &Set, dir: Vec3, pixel: f32, seed: u32, t: f32) -> Vec3 {
    let (sky, fog) = (&set.sky, &set.fog);
    let above = dir.y > 0.0;
    let rise = dir.y.abs();
    let fade = 1.0 - (1.0 - rise) * (1.0 - rise) * (1.0 - rise);
    let mut colour = sky.horizon.lerp(if above { sky.zenith } else { sky.nadir }, fade);
    if sky.stars > 0.0 {
        colour += stars(dir, sky.stars, pixel, seed);
    }
    if let Some(disc) = sky.disc {
        let cos = dir.dot(disc.direction);
        // For small angles 1 - cos is half the angle squared.
        let angle = (2.0 * (1.0 - cos)).max(0.0).sqrt();
        let inside = 1.0 - ramp(disc.radius - pixel * 0.5, disc.radius + pixel * 0.5, angle);
        let near = disc.radius / (disc.radius + angle);
        colour += disc.colour * (disc.halo * (0.6 * near * near + 0.25 * near * near * near));
        colour = colour.lerp(disc.colour, inside);
    }
    if sky.clouds > 0.0 && above {
        let veil = clouds(dir, sky.clouds, seed, t);
        colour = colour.lerp(sky.cloud_colour, veil);
    }
    if fog.density > 0.0 {
        /// Height of the fog bank in metres of the set: rays that climb leave it.
        const BANK: f32 = 40.0;
        let path = BANK * set.scale / (rise + 0.02);
        colour = fog.colour + (colour - fog.colour) * (-fog.density * path).exp();
    }
    colour
}

/// Cover of the clouds in a direction: a drifting layer 1 up, thinning to the horizon.
fn clouds(dir: Vec3, amount: f32, seed: u32, t: f32) -> f32 {
    let p = Vec2::new(dir.x, dir.z) / (dir.y + 0.12) * 1.1 + Vec2::splat(t * 0.02);
    let n = 0.55 * noise(p, seed ^ 21) + 0.3 * noise(p * 2.3, seed ^ 22) + 0.15 * noise(p * 5.1, seed ^ 23);
    let edge = 0.78 - 0.6 * amount;
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
    let at = Vec2::new(0.2 + 0.6 * unit(x, y, seed ^ 1), 0.2 + 0.6 * unit(x, y, seed ^ 2));
    let away = (Vec2::new(fx, fy) - at).length() / CELLS / (pixel * 0.75);
    let bright = unit(x, y, seed ^ 3);
    let tint = Vec3::new(1.0, 0.95, 0.9).lerp(Vec3::new(0.8, 0.9, 1.0), unit(x, y, seed ^ 4));
    tint * (0.25 + bright * bright) * (1.0 - away * away * 0.5).max(0.0).powi(3)
}
