//! Draws one frame: what every sample sees, then the light of every pixel.

use crate::lens::{Lens, Linear};
use crate::part::{Material, Part};
use crate::picture::Picture;
use crate::raster::{COARSE, FINE, Id, Layer, Placed};
use crate::set::{Camera, PointLight, Set};
use crate::shade::{Contact, Finish, Lamp, Shaded, Sight, World};
use crate::shadow::ShadowMap;
use crate::texture::{split, unit};
use glam::{Vec2, Vec3};

/// What stays the same through a clip.
pub(crate) struct Take<'a> {
    pub set: &'a Set,
    pub fixed: &'a [Placed],
    pub fixed_shadow: &'a ShadowMap,
    pub finish: Finish,
    pub seed: u32,
}

/// One instant of a clip.
pub(crate) struct Moment {
    /// Seconds from the start.
    pub t: f32,
    pub camera: Camera,
    /// Each actor's parts in world space.
    pub actors: Vec<Vec<Part>>,
}

/// Buffers that one thread uses for frame after frame.
pub(crate) struct Canvas {
    main: Layer,
    mirror: Layer,
    glass: Layer,
    shadow: ShadowMap,
    parts: Vec<Placed>,
    pub picture: Picture,
}

impl Canvas {
    pub fn new(width: usize, height: usize) -> Self {
        const SHADOW_SIZE: usize = 192;
        Canvas {
            main: Layer::new(width, height, FINE),
            mirror: Layer::new(width, height, COARSE),
            glass: Layer::new(width, height, FINE),
            shadow: ShadowMap::new(SHADOW_SIZE),
            parts: Vec::new(),
            picture: Picture::new(width, height),
        }
    }
}

/// Largest linear light kept of a sample, so that the edge of a lamp is still smooth.
const BRIGHTEST: Vec3 = Vec3::splat(4.0);

impl Take<'_> {
    /// Fills the canvas's picture with linear light, depth, normals and owners.
    pub fn draw(&self, moment: &Moment, canvas: &mut Canvas) -> Lens {
        let Canvas { main, mirror, glass, shadow, parts, picture } = canvas;
        let lens = Lens::of_camera(&moment.camera, main.width, main.height);
        parts.clear();
        parts.extend_from_slice(self.fixed);
        for (k, actor) in moment.actors.iter().enumerate() {
            parts.extend(actor.iter().filter_map(|part| Placed::new(*part, k as u8 + 1)));
        }
        let cast = &parts[self.fixed.len()..];
        self.cast_shadows(cast, shadow);
        let contacts = self.contacts(&moment.actors);
        let lamp = |(i, light): (usize, &PointLight)| Lamp::new(light, self.flicker(light, i, moment.t));
        let lamps: Vec<Lamp> = self.set.lights.iter().enumerate().map(lamp).collect();
        let world = World {
            set: self.set,
            lamps: &lamps,
            shadows: [self.fixed_shadow, shadow],
            contacts: &contacts,
            finish: self.finish,
            seed: self.seed,
            t: moment.t,
        };
        main.clear();
        if let Some(ground) = self.set.ground {
            main.draw_ground(&lens, ground.level);
        }
        for (i, placed) in parts.iter().enumerate().filter(|(_, p)| is_solid(p)) {
            main.draw(&lens, placed, Id::part(i));
        }
        let mirrored = self.set.ground.filter(|g| g.wet > 0.02 || g.cover == crate::set::Cover::Water).map(|ground| {
            let lens = lens.mirrored(ground.level);
            mirror.clear();
            for (i, placed) in parts.iter().enumerate().filter(|(_, p)| is_solid(p)) {
                mirror.draw(&lens, placed, Id::part(i));
            }
            Mirror { lens, dirs: lens.directions(), layer: mirror, parts, world: &world }
        });
        let view = View { lens: &lens, dirs: lens.directions(), world: &world, parts, mirror: mirrored.as_ref() };
        view.resolve(main, picture);
        view.blend_glass(main, glass, picture);
        lens
    }

    fn cast_shadows(&self, cast: &[Placed], shadow: &mut ShadowMap) {
        /// Metres; a crowd or a long beast fits.
        const LARGEST: f32 = 14.0;
        let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
        for placed in cast {
            let (centre, half) = bounds(&placed.part);
            low = low.min(centre - half);
            high = high.max(centre + half);
        }
        if !low.is_finite() || self.set.key.shadow <= 0.0 {
            shadow.clear();
            return;
        }
        let radius = ((high - low).length() * 0.5).min(LARGEST);
        shadow.draw(self.set.key.direction, (low + high) * 0.5, radius, cast);
    }

    /// The dark spots where actors touch the ground.
    fn contacts(&self, actors: &[Vec<Part>]) -> Vec<Contact> {
        let Some(ground) = self.set.ground else { return Vec::new() };
        let spot = |parts: &Vec<Part>| {
            let boxes = || parts.iter().filter(|p| p.material.opacity >= 1.0).map(bounds);
            let (bottom, top) = boxes().fold((f32::INFINITY, f32::NEG_INFINITY), |(bottom, top), (centre, half)| {
                (bottom.min(centre.y - half.y), top.max(centre.y + half.y))
            });
            if !bottom.is_finite() {
                return None;
            }
            let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
            for (centre, half) in boxes().filter(|(c, h)| c.y - h.y < bottom + 0.3 * (top - bottom)) {
                low = low.min(centre - half);
                high = high.max(centre + half);
            }
            let lift = (bottom - ground.level).max(0.0) / (0.3 * (top - bottom) + 0.05);
            let (middle, half) = ((low + high) * 0.5, (high - low) * 0.5);
            let spread = 0.05 + 0.12 * (top - bottom).min(2.0);
            Some(Contact {
                centre: Vec2::new(middle.x, middle.z),
                radius: Vec2::new(half.x, half.z) + spread,
                strength: 0.6 / (1.0 + lift * lift),
            })
        };
        actors.iter().filter_map(spot).collect()
    }

    /// Strength of a light at this moment; it wavers about four times a second.
    fn flicker(&self, light: &PointLight, index: usize, t: f32) -> f32 {
        let (beat, between) = split(t * 8.0);
        let [a, b] = [beat, beat + 1].map(|k| unit(k, index as i32, self.seed ^ 77));
        1.0 - 0.5 * light.flicker.clamp(0.0, 1.0) * (a + (b - a) * between)
    }
}

fn is_solid(placed: &Placed) -> bool {
    placed.part.material.opacity >= 1.0
}

/// Middle and half size of a part's box in the world, tight for round shapes.
fn bounds(part: &Part) -> (Vec3, Vec3) {
    let m = part.transform.matrix3;
    let (x, y, z) = (Vec3::from(m.x_axis), Vec3::from(m.y_axis), Vec3::from(m.z_axis));
    (part.transform.translation.into(), (x * x + y * y + z * z).map(f32::sqrt))
}

/// The parts as the ground mirrors them.
struct Mirror<'a> {
    lens: Lens,
    dirs: Linear,
    layer: &'a Layer,
    parts: &'a [Placed],
    world: &'a World<'a>,
}

impl Mirror<'_> {
    /// What a wet ground at picture point (x, y) shows of the parts; its slope shifts the place that is looked up.
    fn look(&self, x: f32, y: f32, tilt: Vec2) -> Option<Vec3> {
        let shift = tilt * (0.6 / self.lens.scale);
        let column = (x + shift.x).clamp(0.0, self.layer.width as f32 - 1.0) as usize;
        let row = (y + shift.y).clamp(0.0, self.layer.height as f32 - 1.0) as usize;
        let i = row * self.layer.width + column;
        let (part, face) = Id(self.layer.ids[i]).as_part()?;
        let dir = self.dirs.at(column as f32 + 0.5, row as f32 + 0.5);
        let sight = Sight::new(self.lens.eye, dir, self.layer.depth[i], self.lens.scale);
        Some(self.world.part(&self.parts[part], face, &sight).colour.min(BRIGHTEST))
    }
}

/// One frame from the camera.
struct View<'a> {
    lens: &'a Lens,
    dirs: Linear,
    world: &'a World<'a>,
    parts: &'a [Placed],
    mirror: Option<&'a Mirror<'a>>,
}

impl View<'_> {
    fn shade(&self, id: Id, at: Vec2, depth: f32) -> Shaded {
        let dir = self.dirs.at(at.x, at.y);
        let sight = |depth: f32| Sight::new(self.lens.eye, dir, depth, self.lens.scale);
        if let Some((part, face)) = id.as_part() {
            return self.world.part(&self.parts[part], face, &sight(depth));
        }
        match (id, self.world.set.ground) {
            (Id::GROUND, Some(ground)) => {
                let exact = (ground.level - self.lens.eye.y) / dir.y;
                let depth = if exact > 0.0 { exact } else { depth };
                self.world.ground(&sight(depth), |tilt| self.mirror?.look(at.x, at.y, tilt))
            }
            _ => self.world.sky(&sight(1.0)),
        }
    }

    fn owner(&self, id: Id) -> u8 {
        id.as_part().map_or(0, |(part, _)| self.parts[part].owner)
    }

    /// Shades each surface that a pixel sees once and mixes them by the samples they cover.
    fn resolve(&self, layer: &Layer, picture: &mut Picture) {
        let (width, samples) = (layer.width, layer.pattern.0);
        let many = samples.len();
        for y in 0..layer.height {
            for x in 0..width {
                let corner = Vec2::new(x as f32, y as f32);
                let index = |s: usize| (y * many + s) * width + x;
                let id = |s: usize| layer.ids[index(s)];
                let pixel = y * width + x;
                if (1..many).all(|s| id(s) == id(0)) {
                    // The samples' middle is the pixel's.
                    let depth = (0..many).map(|s| layer.depth[index(s)]).sum::<f32>() / many as f32;
                    let shaded = self.shade(Id(id(0)), corner + 0.5, depth);
                    picture.set(pixel, shaded.colour.min(BRIGHTEST), depth, shaded.normal, self.owner(Id(id(0))));
                    continue;
                }
                let mut colour = Vec3::ZERO;
                let (mut most, mut front) = (0, None);
                for s in 0..many {
                    if (0..s).any(|earlier| id(earlier) == id(s)) {
                        continue;
                    }
                    let (mut at, mut depth, mut count) = (Vec2::ZERO, 0.0, 0);
                    for k in (s..many).filter(|&k| id(k) == id(s)) {
                        at += samples[k];
                        depth += layer.depth[index(k)];
                        count += 1;
                    }
                    let share = 1.0 / count as f32;
                    let shaded = self.shade(Id(id(s)), corner + at * share, depth * share);
                    colour += shaded.colour.min(BRIGHTEST) * count as f32;
                    if count > most {
                        most = count;
                        front = Some((Id(id(s)), depth * share, shaded.normal));
                    }
                }
                if let Some((id, depth, normal)) = front {
                    picture.set(pixel, colour / many as f32, depth, normal, self.owner(id));
                }
            }
        }
    }

    /// Blends the see-through parts over the picture, far ones first. Parts of one owner and material count as one
    /// body, of which only the nearest surface shows.
    fn blend_glass(&self, solid: &Layer, glass: &mut Layer, picture: &mut Picture) {
        let mut bodies: Vec<(u8, Material, Vec<usize>)> = Vec::new();
        for (i, placed) in self.parts.iter().enumerate().filter(|(_, p)| !is_solid(p)) {
            let (owner, material) = (placed.owner, placed.part.material);
            match bodies.iter_mut().find(|(o, m, _)| *o == owner && *m == material) {
                Some(body) => body.2.push(i),
                None => bodies.push((owner, material, vec![i])),
            }
        }
        let middle = |body: &[usize]| {
            let depth = |&i: &usize| self.lens.view(self.parts[i].part.transform.translation.into()).z;
            body.iter().map(depth).sum::<f32>() / body.len() as f32
        };
        bodies.sort_by(|a, b| middle(&b.2).total_cmp(&middle(&a.2)));
        for (owner, material, body) in bodies {
            glass.clear();
            for i in body {
                glass.draw(self.lens, &self.parts[i], Id::part(i));
            }
            self.blend_body(owner, &material, solid, glass, picture);
        }
    }

    fn blend_body(&self, owner: u8, material: &Material, solid: &Layer, glass: &Layer, picture: &mut Picture) {
        let (width, samples) = (glass.width, glass.pattern.0);
        for y in glass.touched() {
            for x in 0..width {
                let (mut at, mut depth, mut count, mut id) = (Vec2::ZERO, 0.0, 0, Id::SKY);
                for (s, offset) in samples.iter().enumerate() {
                    let i = (y * samples.len() + s) * width + x;
                    if glass.depth[i] < solid.depth[i] {
                        at += *offset;
                        depth += glass.depth[i];
                        count += 1;
                        id = Id(glass.ids[i]);
                    }
                }
                if count == 0 {
                    continue;
                }
                let share = 1.0 / count as f32;
                let shaded = self.shade(id, Vec2::new(x as f32, y as f32) + at * share, depth * share);
                let cover = count as f32 / samples.len() as f32;
                // Seen edge-on there is more of it to look through.
                let edge = (1.0 - shaded.facing) * (1.0 - shaded.facing);
                let share_seen = material.opacity + (1.0 - material.opacity) * 0.5 * edge * material.opacity;
                let pixel = y * width + x;
                let colour = picture.colour[pixel].lerp(shaded.colour.min(BRIGHTEST), cover * share_seen);
                if cover >= 0.5 && owner > 0 {
                    picture.set(pixel, colour, depth * share, shaded.normal, owner);
                } else {
                    picture.colour[pixel] = colour;
                }
            }
        }
    }
}
