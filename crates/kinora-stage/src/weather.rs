//! What falls and drifts through the air, as particles that keep their place in the world while the camera moves.

use crate::lens::Lens;
use crate::picture::Picture;
use crate::set::{Fall, Set};
use crate::shade::luma;
use crate::texture::unit;
use glam::{Vec2, Vec3};

/// How one kind of particle looks and moves; lengths in set units.
struct Kind {
    count: i32,
    /// Sides of the box about the camera that the particles fill.
    room: Vec3,
    /// Metres a second.
    velocity: Vec3,
    /// Side to side, metres.
    sway: f32,
    radius: f32,
    /// Seconds that a particle is smeared over.
    shutter: f32,
    opacity: f32,
}

fn kind(fall: Fall) -> Option<Kind> {
    match fall {
        Fall::None => None,
        Fall::Rain => Some(Kind {
            count: 1100,
            room: Vec3::new(14.0, 9.0, 14.0),
            velocity: Vec3::new(0.6, -8.5, 0.2),
            sway: 0.0,
            radius: 0.006,
            shutter: 0.04,
            opacity: 0.5,
        }),
        Fall::Snow => Some(Kind {
            count: 1500,
            room: Vec3::new(14.0, 9.0, 14.0),
            velocity: Vec3::new(0.25, -1.1, 0.1),
            sway: 0.12,
            radius: 0.026,
            shutter: 0.0,
            opacity: 0.9,
        }),
        Fall::Bubbles => Some(Kind {
            count: 260,
            room: Vec3::new(10.0, 7.0, 10.0),
            velocity: Vec3::new(0.05, 0.45, 0.0),
            sway: 0.08,
            radius: 0.016,
            shutter: 0.0,
            opacity: 0.4,
        }),
    }
}

/// Draws the set's fall over linear light, behind what is nearer than each particle.
pub(crate) fn draw(set: &Set, lens: &Lens, seed: u32, t: f32, picture: &mut Picture) {
    let Some(kind) = kind(set.fall) else { return };
    let light = set.ambient.above * 1.6 + set.key.colour * 0.35 + set.fog.colour * 0.2;
    // Even a dark night shows a little of it.
    let light = light * (0.22 / luma(light).max(0.01)).max(1.0);
    let room = kind.room * set.scale;
    // The box sits ahead of the eye, where it can be seen.
    let middle = lens.eye + lens.forward * (room.x * 0.42);
    for i in 0..kind.count {
        let random = |k: u32| unit(i, k as i32, seed ^ 0x0A17);
        let phase = random(3) * std::f32::consts::TAU;
        let pace = 0.8 + 0.4 * random(4);
        let swing =
            Vec3::new((t * 1.7 + phase).sin(), 0.0, (t * 1.3 + phase * 2.0).cos()) * kind.sway;
        let start = Vec3::new(random(0), random(1), random(2)) * room;
        let place = start + (kind.velocity * (pace * t) + swing) * set.scale;
        // The same pattern fills all space, box by box, so a particle never jumps when the camera moves.
        let offset = (place - middle) / room;
        let offset = offset - offset.round();
        let head = middle + offset * room;
        let rim = offset.abs().max_element() * 2.0;
        let tail = head - kind.velocity * (pace * kind.shutter * set.scale);
        let (Some((a, depth)), Some((b, _))) = (lens.project(head), lens.project(tail)) else {
            continue;
        };
        let near = ((depth / set.scale - 0.5) / 0.8).clamp(0.0, 1.0);
        let opacity = kind.opacity * near * (1.0 - rim.powi(4)) * (0.6 + 0.4 * random(5));
        let radius = kind.radius * set.scale / (lens.scale * depth);
        if opacity > 0.01 {
            streak(picture, a, b, radius, depth, light, opacity);
        }
    }
}

/// Draws a soft-edged line of half-width `radius` pixels; thinner than a pixel it grows fainter instead.
fn streak(
    picture: &mut Picture,
    a: Vec2,
    b: Vec2,
    radius: f32,
    depth: f32,
    light: Vec3,
    opacity: f32,
) {
    const THIN: f32 = 0.55;
    let wide = radius.max(THIN);
    let along = b - a;
    let opacity = if along.length_squared() > 1.0 {
        opacity * radius / wide
    } else {
        opacity * (radius / wide).powi(2)
    };
    if opacity < 0.012 {
        return;
    }
    let reach = wide + 0.5;
    let (low, high) = (a.min(b) - reach, a.max(b) + reach);
    let range = |low: f32, high: f32, most: usize| {
        low.clamp(0.0, most as f32) as usize..high.ceil().clamp(0.0, most as f32) as usize
    };
    for y in range(low.y, high.y, picture.height) {
        for x in range(low.x, high.x, picture.width) {
            let i = y * picture.width + x;
            if picture.depth[i] < depth {
                continue;
            }
            let to = Vec2::new(x as f32 + 0.5, y as f32 + 0.5) - a;
            let share = (to.dot(along) / along.length_squared().max(1e-6)).clamp(0.0, 1.0);
            let away = (to - along * share).length();
            let cover = (reach - away).clamp(0.0, 1.0);
            picture.colour[i] = picture.colour[i].lerp(light, cover * opacity);
        }
    }
}
