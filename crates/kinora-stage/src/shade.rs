//! What colour a surface sends to the eye, in linear light.

use crate::raster::Placed;
use crate::set::{Cover, PointLight, Set};
use crate::shadow::ShadowMap;
use crate::sky;
use crate::texture::{self, noise, ramp};
use glam::{Vec2, Vec3};

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

/// The soft dark spot under an actor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contact {
    /// Where on the ground, (x, z).
    pub centre: Vec2,
    /// Half its size along x and z.
    pub radius: Vec2,
    /// 0 to 1.
    pub strength: f32,
}

/// Everything that lights a frame.
pub(crate) struct World<'a> {
    pub set: &'a Set,
    /// The set's near lights at this moment.
    pub lamps: &'a [Lamp],
    pub shadows: [&'a ShadowMap; 2],
    pub contacts: &'a [Contact],
    pub finish: Finish,
    pub seed: u32,
    pub t: f32,
}

/// A ray and how far along it the surface lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight {
    pub point: Vec3,
    pub to_eye: Vec3,
    /// Metres from the eye to the point.
    pub distance: f32,
    /// Metres along the viewing axis.
    pub depth: f32,
    /// Tangent of one pixel.
    pub pixel: f32,
}

impl Sight {
    /// `dir` is scaled so that `depth` counts along the viewing axis.
    pub fn new(eye: Vec3, dir: Vec3, depth: f32, pixel: f32) -> Self {
        let stretch = dir.length();
        Sight { point: eye + dir * depth, to_eye: dir / -stretch, distance: depth * stretch, depth, pixel }
    }
}

/// A near light at one moment, ready for use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lamp {
    position: Vec3,
    /// What falls on the set, and on the actors: those keep their own colours better in paler light.
    colours: [Vec3; 2],
    /// Square of its reach.
    limit: f32,
    /// Direction, and the cosines at the beam's edge and where it is full.
    beam: Option<(Vec3, f32, f32)>,
}

impl Lamp {
    /// The light with its strength times `strength`.
    pub fn new(light: &PointLight, strength: f32) -> Self {
        let colour = light.colour * strength;
        Lamp {
            position: light.position,
            colours: [colour, Vec3::splat(luma(colour)).lerp(colour, 0.55)],
            limit: light.reach * light.reach,
            beam: light.beam.map(|b| (b.direction, b.half_angle.cos(), (b.half_angle * 0.75).cos())),
        }
    }

    /// Direction to the light and the share of its colour that arrives.
    fn reach(&self, point: Vec3) -> Option<(Vec3, f32)> {
        let to = self.position - point;
        let square = to.length_squared();
        if square >= self.limit {
            return None;
        }
        let toward = to / square.sqrt().max(1e-4);
        let window = 1.0 - square / self.limit;
        // Inverse square, softened near the light and brought to 0 at the reach; 1 at half the reach.
        let mut strength = window * window / 0.5625 * (0.5 * self.limit) / (square + 0.25 * self.limit);
        if let Some((direction, edge, full)) = self.beam {
            strength *= ramp(edge, full, -toward.dot(direction));
        }
        (strength > 0.0).then_some((toward, strength))
    }
}

/// A shaded surface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shaded {
    pub colour: Vec3,
    pub normal: Vec3,
    /// 1 seen square, 0 seen edge-on.
    pub facing: f32,
}

/// Brightness of a linear colour.
pub(crate) fn luma(c: Vec3) -> f32 {
    c.dot(Vec3::new(0.2126, 0.7152, 0.0722))
}

struct Surface {
    point: Vec3,
    normal: Vec3,
    to_eye: Vec3,
    albedo: Vec3,
    gloss: f32,
    /// Share of the ambient light that reaches it.
    open: f32,
    /// Factor on the key light.
    gain: f32,
    is_actor: bool,
}

impl World<'_> {
    /// A part's face seen by `sight`.
    pub fn part(&self, placed: &Placed, face: u32, sight: &Sight) -> Shaded {
        let (point, to_eye) = (sight.point, sight.to_eye);
        let unit = placed.inverse.transform_point3(point);
        let mut normal = placed.normal(face, unit);
        if normal.dot(to_eye) < 0.0 && is_flat(placed) {
            normal = -normal;
        }
        let material = &placed.part.material;
        let (mut albedo, mut gloss) = (material.albedo, material.gloss);
        if self.finish == Finish::Clay {
            let axes = &placed.part.transform.matrix3;
            let size = Vec3::new(axes.x_axis.length(), axes.y_axis.length(), axes.z_axis.length());
            let dents = clay_dents(unit * size);
            normal = (normal + dents).normalize_or(normal);
            albedo = clay_colour(albedo);
            gloss = 0.0;
        }
        // Undersides near the ground see little of the sky.
        let open = match self.set.ground {
            Some(ground) => {
                let height = (point.y - ground.level).max(0.0) / (0.4 * self.set.scale);
                1.0 - 0.45 * (0.5 - 0.5 * normal.y) / (1.0 + height * height)
            }
            None => 1.0,
        };
        let surface = Surface { point, normal, to_eye, albedo, gloss, open, gain: 1.0, is_actor: placed.owner > 0 };
        let colour = self.lit(&surface) + material.emission;
        Shaded { colour: self.through_air(colour, sight), normal, facing: normal.dot(to_eye).clamp(0.0, 1.0) }
    }

    /// The ground seen by `sight`; `mirrored` gives what a ray leaving it with a tilt sees of the parts, if any.
    pub fn ground(&self, sight: &Sight, mirrored: impl Fn(Vec2) -> Option<Vec3>) -> Shaded {
        let Some(ground) = self.set.ground else {
            return self.sky(sight);
        };
        let (point, to_eye) = (sight.point, sight.to_eye);
        let steep = to_eye.y.max(0.02);
        // The geometric mean of a pixel's two sides on the ground.
        let pixel = sight.pixel * sight.depth / steep.sqrt();
        let at = texture::cover(
            ground.cover,
            ground.albedo,
            ground.wet,
            Vec2::new(point.x, point.z) / self.set.scale,
            pixel / self.set.scale,
            self.seed,
            self.t,
        );
        let normal = Vec3::new(-at.tilt.x, 1.0, -at.tilt.y).normalize();
        let albedo = if self.finish == Finish::Clay { clay_colour(at.albedo) } else { at.albedo };
        let open = self.contacts.iter().fold(1.0, |open, contact| {
            let away = ((Vec2::new(point.x, point.z) - contact.centre) / contact.radius).length_squared();
            let near = (1.0 - away).max(0.0);
            open * (1.0 - contact.strength * near * near)
        });
        let gloss = if ground.cover == Cover::Water { 0.9 } else { 0.5 * at.mirror };
        let surface = Surface { point, normal, to_eye, albedo, gloss, open, gain: at.gain, is_actor: false };
        let mut colour = self.lit(&surface) * (0.4 + 0.6 * open);
        if at.mirror > 0.02 && self.finish != Finish::Clay {
            let facing = normal.dot(to_eye).clamp(0.0, 1.0);
            let share = at.mirror * (0.12 + 0.88 * (1.0 - facing).powi(4));
            let seen = mirrored(at.tilt).unwrap_or_else(|| {
                let mut away = normal * (2.0 * normal.dot(to_eye)) - to_eye;
                away.y = away.y.abs();
                sky::colour(self.set, away.normalize(), sight.pixel, self.seed, self.t)
            });
            colour = colour.lerp(seen, share.min(0.9));
        }
        // The far ground melts into the horizon.
        let haze = sight.depth / (sight.depth + 900.0 * self.set.scale);
        colour = colour.lerp(self.set.sky.horizon, haze);
        Shaded { colour: self.through_air(colour, sight), normal: Vec3::Y, facing: to_eye.y.clamp(0.0, 1.0) }
    }

    /// The sky in the direction of `sight`.
    pub fn sky(&self, sight: &Sight) -> Shaded {
        let dir = -sight.to_eye;
        let colour = sky::colour(self.set, dir, sight.pixel, self.seed, self.t);
        Shaded { colour, normal: -dir, facing: 1.0 }
    }

    fn through_air(&self, colour: Vec3, sight: &Sight) -> Vec3 {
        let fog = &self.set.fog;
        if fog.density <= 0.0 {
            return colour;
        }
        let clear = (-fog.density * sight.distance).exp();
        fog.colour + (colour - fog.colour) * clear
    }

    fn lit(&self, s: &Surface) -> Vec3 {
        let ambient = &self.set.ambient;
        let facing = s.normal.dot(s.to_eye).clamp(0.0, 1.0);
        let mut diffuse = ambient.below.lerp(ambient.above, s.normal.y * 0.5 + 0.5) * s.open;
        let mut highlight = Vec3::ZERO;
        let key = &self.set.key;
        let square = s.normal.dot(key.direction);
        if square > 0.0 && key.colour != Vec3::ZERO {
            let lit = if key.shadow > 0.0 {
                let open = self.shadows.iter().map(|map| map.lit(s.point, s.normal)).fold(1.0, f32::min);
                1.0 - key.shadow * (1.0 - open)
            } else {
                1.0
            };
            let light = key.colour * (lit * s.gain);
            diffuse += light * square;
            highlight += light * shine(s, key.direction);
        }
        for lamp in self.lamps {
            let Some((toward, strength)) = lamp.reach(s.point) else { continue };
            let light = lamp.colours[usize::from(s.is_actor)] * strength;
            let square = s.normal.dot(toward);
            // A little wraps round the edge, as from a lamp that is not a point.
            diffuse += light * ((square + 0.2) / 1.2).max(0.0);
            if square > 0.0 {
                highlight += light * shine(s, toward);
            }
        }
        if self.finish == Finish::Cel {
            let bright = luma(diffuse).max(1e-4);
            diffuse *= bands(bright) / bright;
            highlight = if luma(highlight) > 0.25 { highlight.normalize_or_zero() * 0.5 } else { Vec3::ZERO };
        }
        // A faint edge light parts every subject from what is behind it.
        let edge = (1.0 - facing) * (1.0 - facing) * (1.0 - facing);
        let sheen = ambient.above * (edge * (0.10 + 0.6 * s.gloss) * s.open);
        s.albedo * diffuse + highlight + sheen
    }
}

fn is_flat(placed: &Placed) -> bool {
    matches!(placed.part.shape, crate::part::Shape::Quad | crate::part::Shape::Triangle)
}

/// Blinn's highlight: narrower and stronger with gloss.
fn shine(s: &Surface, toward: Vec3) -> f32 {
    if s.gloss <= 0.0 {
        return 0.0;
    }
    let half = (s.to_eye + toward).normalize_or_zero();
    let cos = s.normal.dot(half).max(0.0);
    let broad = cos.powi(16);
    let narrow = broad.powi(5);
    s.gloss * (0.25 * broad * (1.0 - s.gloss) + 0.9 * s.gloss * narrow)
}

/// Brightness in steps with short soft edges.
fn bands(bright: f32) -> f32 {
    const STEPS: f32 = 3.2;
    let x = bright * STEPS;
    let whole = x.floor();
    (whole + ramp(0.42, 0.58, x - whole) + 0.25) / STEPS
}

/// Modelling clay is a little paler and warmer than paint, and never black.
fn clay_colour(albedo: Vec3) -> Vec3 {
    let grey = Vec3::splat(luma(albedo));
    let strong = grey + (albedo - grey) * 1.15;
    strong.max(Vec3::ZERO) * 0.88 + Vec3::new(0.05, 0.045, 0.04)
}

/// Finger-sized dents, as a change of the normal, at a point in the part's own metres.
fn clay_dents(p: Vec3) -> Vec3 {
    let q = Vec2::new(p.x + 0.7 * p.z, p.y - 0.4 * p.z);
    let wide = Vec2::new(noise(q * 14.0, 51), noise(q * 14.0, 52)) - 0.5;
    let fine = Vec2::new(noise(q * 45.0, 53), noise(q * 45.0, 54)) - 0.5;
    let tilt = wide * 0.7 + fine * 0.35;
    Vec3::new(tilt.x, tilt.y, -0.7 * tilt.x)
}
