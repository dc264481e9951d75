//! Draws one frame: what every sample sees, then the light of every pixel.

use crate::batch::Target;
use crate::lens::Lens;
use crate::paint::{Batches, Contact, Mirror, Painter};
use crate::part::{Material, Part};
use crate::picture::Picture;
use crate::raster::{COARSE, FINE, Id, Layer, Pattern, Placed};
use crate::set::{Camera, Cover, Set};
use crate::shade::{Finish, World};
use crate::shadow::ShadowMap;
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
    batches: Batches,
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
            batches: Batches::new(),
            picture: Picture::new(width, height),
        }
    }
}

impl Take<'_> {
    /// Fills the canvas's picture with linear light, depth, normals and owners.
    pub fn draw(&self, moment: &Moment, canvas: &mut Canvas) -> Lens {
        let Canvas {
            main,
            mirror,
            glass,
            shadow,
            parts,
            batches,
            picture,
        } = canvas;
        let lens = Lens::of_camera(&moment.camera, main.width, main.height);
        parts.clear();
        parts.extend_from_slice(self.fixed);
        for (k, actor) in moment.actors.iter().enumerate() {
            parts.extend(
                actor
                    .iter()
                    .filter_map(|part| Placed::new(*part, k as u8 + 1)),
            );
        }
        let cast = &parts[self.fixed.len()..];
        self.cast_shadows(cast, shadow);
        let contacts = self.contacts(&moment.actors);
        let world = World::new(
            self.set,
            [self.fixed_shadow, shadow],
            self.finish,
            self.seed,
            moment.t,
        );
        main.clear();
        if let Some(ground) = self.set.ground {
            main.draw_ground(&lens, ground.level);
        }
        for (i, placed) in parts.iter().enumerate().filter(|(_, p)| is_solid(p)) {
            main.draw(&lens, placed, Id::part(i));
        }
        let mirror = self
            .set
            .ground
            .filter(|g| g.wet > 0.02 || g.cover == Cover::Water)
            .map(|ground| {
                let lens = lens.mirrored(ground.level);
                mirror.clear();
                for (i, placed) in parts.iter().enumerate().filter(|(_, p)| is_solid(p)) {
                    mirror.draw(&lens, placed, Id::part(i));
                }
                Mirror {
                    lens,
                    dirs: lens.directions(),
                    layer: mirror,
                }
            });
        let dirs = lens.directions();
        let painter = Painter {
            world: &world,
            parts,
            contacts: &contacts,
            mirror,
            lens: &lens,
            dirs,
            batches,
        };
        let mut view = View { painter, picture };
        view.resolve(main);
        view.blend_glass(main, glass);
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
        let Some(ground) = self.set.ground else {
            return Vec::new();
        };
        let spot = |parts: &Vec<Part>| {
            let boxes = || {
                parts
                    .iter()
                    .filter(|p| p.material.opacity >= 1.0)
                    .map(bounds)
            };
            let (bottom, top) = boxes().fold(
                (f32::INFINITY, f32::NEG_INFINITY),
                |(bottom, top), (centre, half)| {
                    (bottom.min(centre.y - half.y), top.max(centre.y + half.y))
                },
            );
            if !bottom.is_finite() {
                return None;
            }
            let (mut low, mut high) = (Vec3::INFINITY, Vec3::NEG_INFINITY);
            for (centre, half) in boxes().filter(|(c, h)| c.y - h.y < bottom + 0.3 * (top - bottom))
            {
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
}

fn is_solid(placed: &Placed) -> bool {
    placed.part.material.opacity >= 1.0
}

/// Middle and half size of a part's box in the world, tight for round shapes.
fn bounds(part: &Part) -> (Vec3, Vec3) {
    let m = part.transform.matrix3;
    let (x, y, z) = (
        Vec3::from(m.x_axis),
        Vec3::from(m.y_axis),
        Vec3::from(m.z_axis),
    );
    (
        part.transform.translation.into(),
        (x * x + y * y + z * z).map(f32::sqrt),
    )
}

/// One frame from the camera.
struct View<'a> {
    painter: Painter<'a>,
    picture: &'a mut Picture,
}

impl View<'_> {
    fn owner(&self, id: Id) -> u8 {
        id.as_part()
            .map_or(0, |(part, _)| self.painter.parts[part].owner)
    }

    /// Shades each surface that a pixel sees once and mixes them by the samples they cover.
    fn resolve(&mut self, layer: &Layer) {
        let (width, many) = (layer.width, layer.pattern.0.len());
        self.picture.colour.fill(Vec3::ZERO);
        let (mut ids, mut depths) = (vec![0; width], vec![0.0; width]);
        for y in 0..layer.height {
            layer.merge_row(y, &mut ids, &mut depths);
            for (x, (&id, &depth)) in ids.iter().zip(&depths).enumerate() {
                let corner = Vec2::new(x as f32, y as f32);
                let pixel = y * width + x;
                if Id(id) == Id::MIXED {
                    let first = y * many * width + x;
                    let sample = |s: usize| {
                        (
                            Id(layer.ids[first + s * width]),
                            layer.depth[first + s * width],
                        )
                    };
                    self.resolve_edge(layer.pattern, sample, corner, pixel);
                    continue;
                }
                // The samples' middle is the pixel's.
                let target = Target {
                    pixel: pixel as u32,
                    weight: 1.0,
                };
                let normal = self.painter.add(
                    Id(id),
                    corner + 0.5,
                    depth,
                    target,
                    &mut self.picture.colour,
                );
                self.picture.set(pixel, depth, normal, self.owner(Id(id)));
            }
        }
        self.painter.finish(&mut self.picture.colour);
    }

    /// A pixel whose samples see different surfaces; the one seen by most samples counts as the pixel's own.
    fn resolve_edge(
        &mut self,
        pattern: Pattern,
        sample: impl Fn(usize) -> (Id, f32),
        corner: Vec2,
        pixel: usize,
    ) {
        let many = pattern.0.len();
        let mut most = 0;
        for s in 0..many {
            let (id, _) = sample(s);
            if (0..s).any(|earlier| sample(earlier).0 == id) {
                continue;
            }
            let (mut at, mut depth, mut count) = (Vec2::ZERO, 0.0, 0);
            for k in (s..many).filter(|&k| sample(k).0 == id) {
                at += pattern.0[k];
                depth += sample(k).1;
                count += 1;
            }
            let share = 1.0 / count as f32;
            let target = Target {
                pixel: pixel as u32,
                weight: count as f32 / many as f32,
            };
            let at = corner + at * share;
            let normal = self
                .painter
                .add(id, at, depth * share, target, &mut self.picture.colour);
            if count > most {
                most = count;
                self.picture
                    .set(pixel, depth * share, normal, self.owner(id));
            }
        }
    }

    /// Blends the see-through parts over the picture, far ones first. Parts of one owner and material count as one
    /// body, of which only the nearest surface shows.
    fn blend_glass(&mut self, solid: &Layer, glass: &mut Layer) {
        let parts = self.painter.parts;
        let mut bodies: Vec<(u8, Material, Vec<usize>)> = Vec::new();
        for (i, placed) in parts.iter().enumerate().filter(|(_, p)| !is_solid(p)) {
            let (owner, material) = (placed.owner, placed.part.material);
            match bodies
                .iter_mut()
                .find(|(o, m, _)| *o == owner && *m == material)
            {
                Some(body) => body.2.push(i),
                None => bodies.push((owner, material, vec![i])),
            }
        }
        let lens = self.painter.lens;
        let middle = |body: &[usize]| {
            let depth = |&i: &usize| lens.view(parts[i].part.transform.translation.into()).z;
            body.iter().map(depth).sum::<f32>() / body.len() as f32
        };
        bodies.sort_by(|a, b| middle(&b.2).total_cmp(&middle(&a.2)));
        for (owner, material, body) in bodies {
            glass.clear();
            for i in body {
                glass.draw(lens, &parts[i], Id::part(i));
            }
            self.blend_body(owner, &material, solid, glass);
        }
    }

    fn blend_body(&mut self, owner: u8, material: &Material, solid: &Layer, glass: &Layer) {
        let (width, samples) = (glass.width, glass.pattern.0);
        for y in glass.touched() {
            for x in 0..width {
                let (mut at, mut depth, mut count, mut front) = (Vec2::ZERO, 0.0, 0, None);
                for (s, offset) in samples.iter().enumerate() {
                    let i = (y * samples.len() + s) * width + x;
                    if glass.depth[i] < solid.depth[i] {
                        at += *offset;
                        depth += glass.depth[i];
                        count += 1;
                        front = Id(glass.ids[i]).as_part();
                    }
                }
                let Some((part, face)) = front else { continue };
                let share = 1.0 / count as f32;
                let pixel = y * width + x;
                let at = Vec2::new(x as f32, y as f32) + at * share;
                let sight = self.painter.sight(at, depth * share);
                let surface = self.painter.surface(part, face, sight);
                // Seen edge-on there is more of it to look through.
                let facing = -surface
                    .normal
                    .normalize_or_zero()
                    .dot(sight.dir.normalize());
                let edge = (1.0 - facing.clamp(0.0, 1.0)).powi(2);
                let opacity = material.opacity * (1.0 + 0.5 * (1.0 - material.opacity) * edge);
                let cover = count as f32 / samples.len() as f32;
                let target = Target {
                    pixel: pixel as u32,
                    weight: cover * opacity,
                };
                self.picture.colour[pixel] *= 1.0 - target.weight;
                self.painter
                    .add_surface(&surface, target, &mut self.picture.colour);
                if cover >= 0.5 && owner > 0 {
                    self.picture
                        .set(pixel, depth * share, surface.normal, owner);
                }
            }
        }
        self.painter.finish(&mut self.picture.colour);
    }
}

#[cfg(test)]
mod tests;
