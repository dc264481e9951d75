//! What colour a surface sends to the eye, in linear light.

use crate::batch::{BATCH, Row, Row3, Target, Targets, fade};
use crate::set::{PointLight, Set};
use crate::shadow::ShadowMap;
use crate::texture::{noise, ramp, split};
use glam::{Vec2, Vec3};
use multiversion::multiversion;

/// How surfaces take light: the part of a look that can't be done on the finished picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// As it is.
    Natural,
    /// Matt, soft and dented by fingers.
    Clay,
    /// In flat bands.
    Cel,
}

/// A ray from an eye to a surface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub point: Vec3,
    /// Scaled so that `depth` counts along the viewing axis.
    pub dir: Vec3,
    /// Metres along the viewing axis.
    pub depth: f32,
}

impl Sight {
    pub fn new(eye: Vec3, dir: Vec3, depth: f32) -> Self {
        Sight {
            point: eye + dir * depth,
            dir,
            depth,
        }
    }
}

/// Brightness of a linear colour.
#[inline(always)]
pub(crate) fn luma(c: Vec3) -> f32 {
    c.x * 0.2126 + c.y * 0.7152 + c.z * 0.0722
}

/// Largest linear light kept of a fragment, so that the edge of a lamp is still smooth.
pub(crate) const BRIGHTEST: f32 = 4.0;

/// Light as it falls on the set, and as on the actors: those keep their own colours better in paler light.
#[derive(Clone, Copy, Debug)]
struct Tint {
    set: Vec3,
    actor: Vec3,
}

impl Tint {
    fn new(colour: Vec3) -> Self {
        Tint {
            set: colour,
            actor: Vec3::splat(luma(colour)).lerp(colour, 0.5),
        }
    }

    #[inline(always)]
    fn on(&self, actor: f32) -> Vec3 {
        self.set + (self.actor - self.set) * actor
    }
}

/// A near light at one moment, ready for use.
#[derive(Clone, Copy, Debug)]
struct Lamp {
    position: Vec3,
    colour: Tint,
    /// Square of its reach.
    limit: f32,
    direction: Vec3,
    /// Cosines at the beam's edge and where it is full; below -1 there is no beam.
    beam: [f32; 2],
}

impl Lamp {
    fn new(light: &PointLight, strength: f32) -> Self {
        Lamp {
            position: light.position,
            colour: Tint::new(light.colour * strength),
            limit: light.reach * light.reach,
            direction: light.beam.map_or(Vec3::Y, |b| b.direction),
            beam: light.beam.map_or([-3.0, -2.0], |b| {
                [b.half_angle.cos(), (b.half_angle * 0.75).cos()]
            }),
        }
    }

    /// Direction to the light and the share of its colour that arrives.
    #[inline(always)]
    fn reach(&self, point: Vec3) -> (Vec3, f32) {
        let to = self.position - point;
        let square = squared(to);
        let toward = to * (1.0 / square.max(1e-8).sqrt());
        let window = (1.0 - square / self.limit).max(0.0);
        // Inverse square, softened near the light and brought to 0 at the reach; 1 at half the reach.
        let strength = window * window / 0.5625 * (0.5 * self.limit) / (square + 0.25 * self.limit);
        (
            toward,
            strength * ramp(self.beam[0], self.beam[1], -toward.dot(self.direction)),
        )
    }
}

/// Everything that lights a frame.
pub(crate) struct World<'a> {
    pub set: &'a Set,
    pub shadows: [&'a ShadowMap; 2],
    pub finish: Finish,
    pub seed: u32,
    pub t: f32,
    key: Tint,
    above: Tint,
    below: Tint,
    lamps: Vec<Lamp>,
}

impl<'a> World<'a> {
    pub fn new(
        set: &'a Set,
        shadows: [&'a ShadowMap; 2],
        finish: Finish,
        seed: u32,
        t: f32,
    ) -> Self {
        let lamp =
            |(i, light): (usize, &PointLight)| Lamp::new(light, flicker(light, i as i32, seed, t));
        World {
            set,
            shadows,
            finish,
            seed,
            t,
            key: Tint::new(set.key.colour),
            above: Tint::new(set.ambient.above),
            below: Tint::new(set.ambient.below),
            lamps: set.lights.iter().enumerate().map(lamp).collect(),
        }
    }
}

/// Strength of a light at a moment; it wavers about four times a second.
fn flicker(light: &PointLight, index: i32, seed: u32, t: f32) -> f32 {
    let (beat, between) = split(t * 8.0);
    let [a, b] = [beat, beat + 1].map(|k| crate::texture::unit(k, index, seed ^ 77));
    1.0 - 0.5 * light.flicker.clamp(0.0, 1.0) * (a + (b - a) * between)
}

/// A fragment of something solid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface {
    pub sight: Sight,
    /// Of any length.
    pub normal: Vec3,
    pub albedo: Vec3,
    pub emission: Vec3,
    pub gloss: f32,
    /// Share of the ambient light that reaches it, before that which the ground keeps off its underside.
    pub open: f32,
    /// Factor on the key light.
    pub gain: f32,
    /// Share of its light that the horizon's replaces.
    pub haze: f32,
    pub is_actor: bool,
}

/// Surfaces to be lit.
pub(crate) struct SurfaceBatch {
    pub targets: Targets,
    point: Row3,
    normal: Row3,
    /// The ray's direction; once prepared, the unit vector to the eye.
    to_eye: Row3,
    albedo: Row3,
    emission: Row3,
    gloss: Row,
    open: Row,
    gain: Row,
    haze: Row,
    /// Depth; once prepared, metres from the eye.
    distance: Row,
    actor: Row,
    /// Share of the key light that no shadow keeps off.
    sun: Row,
    diffuse: Row3,
    highlight: Row3,
    pub colours: Row3,
}

impl SurfaceBatch {
    pub fn new() -> Self {
        let up = Row3([[0.0; BATCH], [1.0; BATCH], [0.0; BATCH]]);
        let (zero, zero3) = ([0.0; BATCH], Row3::ZERO);
        SurfaceBatch {
            targets: Targets::EMPTY,
            point: zero3,
            normal: up,
            to_eye: up,
            albedo: zero3,
            emission: zero3,
            gloss: zero,
            open: zero,
            gain: zero,
            haze: zero,
            distance: zero,
            actor: zero,
            sun: zero,
            diffuse: zero3,
            highlight: zero3,
            colours: zero3,
        }
    }

    pub fn push(&mut self, target: Target, s: &Surface) {
        let i = self.targets.push(target);
        self.point.set(i, s.sight.point);
        self.normal.set(i, s.normal);
        self.to_eye.set(i, s.sight.dir);
        self.albedo.set(i, s.albedo);
        self.emission.set(i, s.emission);
        self.gloss[i] = s.gloss;
        self.open[i] = s.open;
        self.gain[i] = s.gain;
        self.haze[i] = s.haze;
        self.distance[i] = s.sight.depth;
        self.actor[i] = f32::from(u8::from(s.is_actor));
    }
}

/// Lights a batch.
pub(crate) fn light(world: &World, batch: &mut SurfaceBatch) {
    prepare(world, batch);
    let key = &world.set.key;
    if key.shadow > 0.0 {
        for map in world.shadows {
            map.shade(&batch.point, &batch.normal, &mut batch.sun);
        }
    }
    collect(world, batch);
}

/// Brings vectors to unit length and finds what the ground hides.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn prepare(world: &World, b: &mut SurfaceBatch) {
    let level = world
        .set
        .ground
        .map_or(f32::NEG_INFINITY, |ground| ground.level);
    let rise = 1.0 / (0.4 * world.set.scale);
    for i in 0..BATCH {
        let (normal, dir) = (b.normal.get(i), b.to_eye.get(i));
        let normal = normal * (1.0 / squared(normal).max(1e-20).sqrt());
        let stretch = squared(dir).max(1e-20).sqrt();
        b.normal.set(i, normal);
        b.to_eye.set(i, dir * (-1.0 / stretch));
        b.distance[i] *= stretch;
        // Undersides near the ground see little of the sky.
        let height = ((b.point.0[1][i] - level) * rise).max(0.0);
        b.open[i] *= 1.0 - 0.45 * (0.5 - 0.5 * normal.y) / (1.0 + height * height);
        b.sun[i] = 1.0;
    }
}

#[inline(always)]
pub(crate) fn squared(v: Vec3) -> f32 {
    v.x * v.x + v.y * v.y + v.z * v.z
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn collect(world: &World, b: &mut SurfaceBatch) {
    let key = &world.set.key;
    for i in 0..BATCH {
        let (normal, to_eye, actor) = (b.normal.get(i), b.to_eye.get(i), b.actor[i]);
        let (above, below) = (world.above.on(actor), world.below.on(actor));
        let sun = world.key.on(actor) * ((1.0 - key.shadow * (1.0 - b.sun[i])) * b.gain[i]);
        let square = normal.dot(key.direction).max(0.0);
        b.diffuse.set(
            i,
            below.lerp(above, normal.y * 0.5 + 0.5) * b.open[i] + sun * square,
        );
        b.highlight.set(
            i,
            sun * shine(normal, to_eye, b.gloss[i], key.direction, square),
        );
    }
    for lamp in &world.lamps {
        for i in 0..BATCH {
            let (toward, strength) = lamp.reach(b.point.get(i));
            let light = lamp.colour.on(b.actor[i]) * strength;
            let square = b.normal.get(i).dot(toward);
            // A little wraps round the edge, as from a lamp that is not a point.
            b.diffuse.set(
                i,
                b.diffuse.get(i) + light * ((square + 0.2) * (1.0 / 1.2)).max(0.0),
            );
            let shine = shine(
                b.normal.get(i),
                b.to_eye.get(i),
                b.gloss[i],
                toward,
                square.max(0.0),
            );
            b.highlight.set(i, b.highlight.get(i) + light * shine);
        }
    }
    /// Brightness below which the dark on an actor is lifted, so that it can be told at night.
    const DUSK: f32 = 0.17;
    let pale = world.above.actor * (1.0 / luma(world.above.actor).max(0.01));
    for i in 0..BATCH {
        let diffuse = b.diffuse.get(i);
        let bright = luma(diffuse);
        let lift = (bright * bright + DUSK * DUSK).sqrt() - bright;
        b.diffuse.set(i, diffuse + pale * (lift * b.actor[i]));
    }
    if world.finish == Finish::Cel {
        for i in 0..BATCH {
            let diffuse = b.diffuse.get(i);
            let bright = luma(diffuse).max(1e-4);
            b.diffuse.set(i, diffuse * (bands(bright) / bright));
            let highlight = b.highlight.get(i);
            let strong = luma(highlight);
            b.highlight.set(
                i,
                highlight * (if strong > 0.25 { 0.4 / strong } else { 0.0 }),
            );
        }
    }
    let (fog, horizon) = (world.set.fog, world.set.sky.horizon);
    for i in 0..BATCH {
        let facing = b.normal.get(i).dot(b.to_eye.get(i)).clamp(0.0, 1.0);
        // A faint edge light parts every subject from what is behind it.
        let edge = (1.0 - facing) * (1.0 - facing) * (1.0 - facing);
        let sheen = world.above.on(b.actor[i]) * (edge * (0.10 + 0.6 * b.gloss[i]) * b.open[i]);
        let own =
            b.albedo.get(i) * b.diffuse.get(i) + b.highlight.get(i) + sheen + b.emission.get(i);
        let far = own + (horizon - own) * b.haze[i];
        let seen = fog.colour + (far - fog.colour) * fade(fog.density * b.distance[i]);
        b.colours.set(
            i,
            Vec3::new(
                seen.x.min(BRIGHTEST),
                seen.y.min(BRIGHTEST),
                seen.z.min(BRIGHTEST),
            ),
        );
    }
}

/// Blinn's highlight: narrower and stronger with gloss; none on the far side, where `square` is 0.
#[inline(always)]
fn shine(normal: Vec3, to_eye: Vec3, gloss: f32, toward: Vec3, square: f32) -> f32 {
    let half = to_eye + toward;
    let cos = normal.dot(half).max(0.0) / squared(half).max(1e-8).sqrt();
    let power = |x: f32| x * x;
    let broad = power(power(power(power(cos))));
    let narrow = power(power(broad)) * broad;
    let shine = gloss * (0.25 * broad * (1.0 - gloss) + 0.9 * gloss * narrow);
    if square > 0.0 { shine } else { 0.0 }
}

/// Brightness in steps with short soft edges.
#[inline(always)]
fn bands(bright: f32) -> f32 {
    const STEPS: f32 = 3.2;
    let (whole, over) = split(bright * STEPS);
    (whole as f32 + ramp(0.42, 0.58, over) + 0.25) / STEPS
}

/// Modelling clay is a little paler and warmer than paint, and never black.
pub(crate) fn clay_colour(albedo: Vec3) -> Vec3 {
    let grey = Vec3::splat(luma(albedo));
    let strong = grey + (albedo - grey) * 1.1;
    strong.max(Vec3::ZERO) * 0.85 + Vec3::new(0.07, 0.062, 0.055)
}

/// Finger-sized dents, as a change of the normal, at a point in the part's own metres.
pub(crate) fn clay_dents(p: Vec3) -> Vec3 {
    let q = Vec2::new(p.x + 0.7 * p.z, p.y - 0.4 * p.z);
    let wide = Vec2::new(noise(q * 14.0, 51), noise(q * 14.0, 52)) - 0.5;
    let fine = Vec2::new(noise(q * 45.0, 53), noise(q * 45.0, 54)) - 0.5;
    let tilt = wide * 0.9 + fine * 0.45;
    Vec3::new(tilt.x, tilt.y, -0.7 * tilt.x)
}
