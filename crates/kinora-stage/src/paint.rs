//! Routes fragments to the batches that light them, and their light to the pixels.

use crate::batch::Target;
use crate::ground::{self, GroundBatch};
use crate::lens::{Lens, Linear};
use crate::part::Shape;
use crate::raster::{Id, Layer, Placed};
use crate::set::Cover;
use crate::shade::{self, Finish, Sight, Surface, SurfaceBatch, World, clay_colour, clay_dents};
use crate::sky::{self, SkyBatch};
use glam::{Vec2, Vec3};

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

/// The batches, kept from frame to frame.
pub(crate) struct Batches {
    surfaces: SurfaceBatch,
    grounds: GroundBatch,
    skies: SkyBatch,
}

impl Batches {
    pub fn new() -> Self {
        Batches {
            surfaces: SurfaceBatch::new(),
            grounds: GroundBatch::new(),
            skies: SkyBatch::new(),
        }
    }
}

/// The parts as the ground mirrors them.
pub(crate) struct Mirror<'a> {
    pub lens: Lens,
    pub dirs: Linear,
    pub layer: &'a Layer,
}

/// Lights the fragments of one frame.
pub(crate) struct Painter<'a> {
    pub world: &'a World<'a>,
    pub parts: &'a [Placed],
    pub contacts: &'a [Contact],
    pub mirror: Option<Mirror<'a>>,
    pub lens: &'a Lens,
    pub dirs: Linear,
    pub batches: &'a mut Batches,
}

impl Painter<'_> {
    /// The ray through picture point `at`, as far as `depth`.
    pub fn sight(&self, at: Vec2, depth: f32) -> Sight {
        Sight::new(self.lens.eye, self.dirs.at(at.x, at.y), depth)
    }

    /// Takes in what `id` shows at picture point `at`, to be added to `picture`, and returns its normal, of any
    /// length.
    pub fn add(
        &mut self,
        id: Id,
        at: Vec2,
        depth: f32,
        target: Target,
        picture: &mut [Vec3],
    ) -> Vec3 {
        if let Some((part, face)) = id.as_part() {
            let surface = self.surface(part, face, self.sight(at, depth));
            self.add_surface(&surface, target, picture);
            return surface.normal;
        }
        match (id, self.world.set.ground) {
            (Id::GROUND, Some(ground)) => {
                let exact = (ground.level - self.lens.eye.y) / self.dirs.at(at.x, at.y).y;
                let sight = self.sight(at, if exact > 0.0 { exact } else { depth });
                self.batches
                    .grounds
                    .push(target, at, sight, self.lens.scale, self.world.set.scale);
                if self.batches.grounds.targets.is_full() {
                    self.flush_grounds(picture);
                }
                Vec3::Y
            }
            _ => {
                let dir = self.dirs.at(at.x, at.y);
                self.add_sky(dir, target, picture);
                -dir
            }
        }
    }

    /// Lights all that was taken in.
    pub fn finish(&mut self, picture: &mut [Vec3]) {
        self.flush_grounds(picture);
        self.flush_surfaces(picture);
        self.flush_skies(picture);
    }

    fn flush_surfaces(&mut self, picture: &mut [Vec3]) {
        let batch = &mut self.batches.surfaces;
        shade::light(self.world, batch);
        batch.targets.settle(&batch.colours, picture);
    }

    fn flush_skies(&mut self, picture: &mut [Vec3]) {
        let batch = &mut self.batches.skies;
        sky::light(
            self.world.set,
            self.lens.scale,
            self.world.seed,
            self.world.t,
            batch,
        );
        batch.targets.settle(&batch.colours, picture);
    }

    /// Takes in a surface, to be added to `picture`.
    pub fn add_surface(&mut self, surface: &Surface, target: Target, picture: &mut [Vec3]) {
        self.batches.surfaces.push(target, surface);
        if self.batches.surfaces.targets.is_full() {
            self.flush_surfaces(picture);
        }
    }

    fn add_sky(&mut self, dir: Vec3, target: Target, picture: &mut [Vec3]) {
        self.batches.skies.push(target, dir);
        if self.batches.skies.targets.is_full() {
            self.flush_skies(picture);
        }
    }

    /// A part's face where `sight` meets it.
    pub fn surface(&self, index: usize, face: u32, sight: Sight) -> Surface {
        let placed = &self.parts[index];
        let material = placed.part.material;
        let unit = placed.inverse.transform_point3(sight.point);
        let mut normal = placed.normal(face, unit);
        if matches!(placed.part.shape, Shape::Quad | Shape::Triangle) && normal.dot(sight.dir) > 0.0
        {
            normal = -normal;
        }
        let (mut albedo, mut gloss) = (material.albedo, material.gloss);
        if self.world.finish == Finish::Clay {
            let axes = &placed.part.transform.matrix3;
            let size = Vec3::new(
                axes.x_axis.length(),
                axes.y_axis.length(),
                axes.z_axis.length(),
            );
            normal = normal.normalize_or_zero() + clay_dents(unit * size);
            albedo = clay_colour(albedo);
            gloss = 0.0;
        }
        Surface {
            sight,
            normal,
            albedo,
            emission: material.emission,
            gloss,
            open: 1.0,
            gain: 1.0,
            haze: 0.0,
            is_actor: placed.owner > 0,
        }
    }

    /// Paints the ground's pattern and passes on the ground and what it mirrors.
    fn flush_grounds(&mut self, picture: &mut [Vec3]) {
        let Some(ground) = self.world.set.ground else {
            return;
        };
        ground::paint(
            &ground,
            self.world.seed,
            self.world.t,
            &mut self.batches.grounds,
        );
        for i in 0..self.batches.grounds.targets.len() {
            let grounds = &self.batches.grounds;
            let (target, sight, at, point) = (
                grounds.targets.get(i),
                grounds.sights[i],
                grounds.at[i],
                grounds.point(i),
            );
            let normal = Vec3::new(-point.tilt.x, 1.0, -point.tilt.y);
            let mut share = 0.0;
            if point.mirror > 0.0 && self.world.finish != Finish::Clay {
                let (normal, to_eye) = (normal.normalize(), -sight.dir.normalize());
                let facing = normal.dot(to_eye).clamp(0.0, 1.0);
                share = (point.mirror * (0.12 + 0.88 * (1.0 - facing).powi(4))).min(0.9);
                let mut away = normal * (2.0 * normal.dot(to_eye)) - to_eye;
                away.y = away.y.abs();
                self.mirrored(at, point.tilt, away, target.share(share), picture);
            }
            let open = self.contacts.iter().fold(1.0, |open, contact| {
                let away = ((Vec2::new(sight.point.x, sight.point.z) - contact.centre)
                    / contact.radius)
                    .length_squared();
                let near = (1.0 - away).max(0.0);
                open * (1.0 - contact.strength * near * near)
            });
            let albedo = if self.world.finish == Finish::Clay {
                clay_colour(point.albedo)
            } else {
                point.albedo
            };
            let surface = Surface {
                sight,
                normal,
                albedo: albedo * (0.4 + 0.6 * open),
                emission: Vec3::ZERO,
                gloss: if ground.cover == Cover::Water {
                    0.9
                } else {
                    0.5 * point.mirror
                },
                open,
                gain: point.gain,
                // The far ground melts into the horizon.
                haze: sight.depth / (sight.depth + 900.0 * self.world.set.scale),
                is_actor: false,
            };
            self.add_surface(&surface, target.share(1.0 - share), picture);
        }
        self.batches.grounds.targets = crate::batch::Targets::EMPTY;
    }

    /// Takes in what a wet ground mirrors at picture point `at`: a part, looked up where the slope shifts it, or the
    /// sky in direction `away`.
    fn mirrored(&mut self, at: Vec2, tilt: Vec2, away: Vec3, target: Target, picture: &mut [Vec3]) {
        if let Some(mirror) = &self.mirror {
            let shift = tilt * (0.6 / mirror.lens.scale);
            let column = (at.x + shift.x).clamp(0.0, mirror.layer.width as f32 - 1.0) as usize;
            let row = (at.y + shift.y).clamp(0.0, mirror.layer.height as f32 - 1.0) as usize;
            let i = row * mirror.layer.width + column;
            if let Some((part, face)) = Id(mirror.layer.ids[i]).as_part() {
                let dir = mirror.dirs.at(column as f32 + 0.5, row as f32 + 0.5);
                let sight = Sight::new(mirror.lens.eye, dir, mirror.layer.depth[i]);
                let surface = self.surface(part, face, sight);
                self.add_surface(&surface, target, picture);
                return;
            }
        }
        self.add_sky(away, target, picture);
    }
}
