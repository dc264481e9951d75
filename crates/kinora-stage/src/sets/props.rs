//! The prop department: simple shapes put together to trees, rocks, buildings and furniture, in set units.

use crate::part::{Material, Part, Shape};
use glam::{Affine3A, Quat, Vec3, vec3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Matt paint.
pub(super) const fn matt(red: f32, green: f32, blue: f32) -> Material {
    Material {
        albedo: vec3(red, green, blue),
        emission: Vec3::ZERO,
        gloss: 0.0,
        opacity: 1.0,
    }
}

/// Polished paint, glass, wet stone.
pub(super) const fn polished(red: f32, green: f32, blue: f32) -> Material {
    Material {
        albedo: vec3(red, green, blue),
        emission: Vec3::ZERO,
        gloss: 0.7,
        opacity: 1.0,
    }
}

/// Something that shines by itself; black where it does not.
pub(super) fn glow(colour: Vec3) -> Material {
    Material {
        albedo: colour.min(Vec3::ONE) * 0.2,
        emission: colour,
        gloss: 0.0,
        opacity: 1.0,
    }
}

/// The parts placed so far, and the dice that place them.
pub(super) struct Props {
    /// Everything placed, in set units.
    pub parts: Vec<Part>,
    rng: ChaCha8Rng,
}

impl Props {
    /// An empty set whose placement follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Self {
            parts: Vec::new(),
            rng,
        }
    }

    /// A number from `low` to `high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.rng.random::<f32>()
    }

    /// One of the choices.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.random_range(0..choices.len())]
    }

    /// -1 or 1.
    pub fn side(&mut self) -> f32 {
        self.pick(&[-1.0, 1.0])
    }

    /// `count` spots on the ground, evenly strewn over `-half_width..half_width` in x and `far..near` in z.
    pub fn strew(&mut self, count: usize, half_width: f32, near: f32, far: f32) -> Vec<Vec3> {
        (0..count)
            .map(|i| {
                let along = (i as f32 + self.range(0.1, 0.9)) / count as f32;
                vec3((2.0 * along - 1.0) * half_width, 0.0, self.range(far, near))
            })
            .collect()
    }

    /// Like [`Props::strew`], but with the middle left open, so that the actors stand against the distance.
    pub fn strew_aside(
        &mut self,
        count: usize,
        gap: f32,
        half_width: f32,
        near: f32,
        far: f32,
    ) -> Vec<Vec3> {
        let mut spots = self.strew(count, half_width - gap, near, far);
        for spot in &mut spots {
            spot.x += gap.copysign(spot.x);
        }
        spots
    }

    /// The paint, a little lighter or darker.
    pub fn varied(&mut self, paint: Material) -> Material {
        Material {
            albedo: paint.albedo * self.range(0.8, 1.2),
            ..paint
        }
    }

    /// A shape with half extents `half`, turned, then put at `centre`.
    pub fn put(&mut self, shape: Shape, centre: Vec3, half: Vec3, turn: Quat, material: Material) {
        let transform = Affine3A::from_scale_rotation_translation(half, turn, centre);
        self.parts.push(Part {
            shape,
            transform,
            material,
        });
    }

    /// A box standing on `foot`.
    pub fn block(&mut self, foot: Vec3, half: Vec3, material: Material) {
        self.put(
            Shape::Cube,
            foot + Vec3::Y * half.y,
            half,
            Quat::IDENTITY,
            material,
        );
    }

    /// A ball or an egg about `centre`.
    pub fn ball(&mut self, centre: Vec3, half: Vec3, material: Material) {
        self.put(Shape::Sphere, centre, half, Quat::IDENTITY, material);
    }

    /// A round rod from `from` to `to`.
    pub fn rod(&mut self, from: Vec3, to: Vec3, radius: f32, material: Material) {
        self.between(Shape::Cylinder, from, to, radius, material);
    }

    /// A cone with its base about `from` and its tip at `to`.
    pub fn spike(&mut self, from: Vec3, to: Vec3, radius: f32, material: Material) {
        self.between(Shape::Cone, from, to, radius, material);
    }

    fn between(&mut self, shape: Shape, from: Vec3, to: Vec3, radius: f32, material: Material) {
        let axis = to - from;
        let turn = Quat::from_rotation_arc(Vec3::Y, axis.normalize());
        self.put(
            shape,
            (from + to) / 2.0,
            vec3(radius, axis.length() / 2.0, radius),
            turn,
            material,
        );
    }

    /// A level sheet at `centre`, such as a road or a rug.
    pub fn sheet(&mut self, centre: Vec3, half_x: f32, half_z: f32, material: Material) {
        self.put(
            Shape::Quad,
            centre,
            vec3(half_x, 1.0, half_z),
            Quat::IDENTITY,
            material,
        );
    }

    /// An upright board facing +z, such as a window or a picture.
    pub fn board(&mut self, centre: Vec3, half_x: f32, half_y: f32, material: Material) {
        let upright = Quat::from_rotation_x(std::f32::consts::FRAC_PI_2);
        self.put(
            Shape::Quad,
            centre,
            vec3(half_x, 1.0, half_y),
            upright,
            material,
        );
    }

    /// A rock: a squashed ball or a tilted block, sunk into the ground.
    pub fn rock(&mut self, spot: Vec3, size: f32, material: Material) {
        let half = vec3(
            self.range(0.8, 1.3),
            self.range(0.5, 0.8),
            self.range(0.7, 1.1),
        ) * size;
        let turn = Quat::from_rotation_y(self.range(0.0, 3.0))
            * Quat::from_rotation_z(self.range(-0.3, 0.3));
        let shape = self.pick(&[Shape::Sphere, Shape::Sphere, Shape::Cube]);
        let material = self.varied(material);
        self.put(shape, spot + Vec3::Y * half.y * 0.35, half, turn, material);
    }

    /// A fir of `tiers` cones.
    pub fn fir(&mut self, foot: Vec3, height: f32, tiers: usize, needles: Material) {
        self.rod(
            foot,
            foot + Vec3::Y * height * 0.3,
            height * 0.035,
            matt(0.10, 0.055, 0.03),
        );
        let needles = self.varied(needles);
        for tier in 0..tiers {
            let low = 0.16 + 0.56 * tier as f32 / tiers as f32;
            let high = (low + 0.5).min(1.0);
            let radius = height * 0.24 * (1.0 - 0.75 * low);
            self.spike(
                foot + Vec3::Y * height * low,
                foot + Vec3::Y * height * high,
                radius,
                needles,
            );
        }
    }

    /// A tree with a round crown of two balls.
    pub fn leafy(&mut self, foot: Vec3, height: f32, leaves: Material) {
        let lean = vec3(self.range(-0.06, 0.06), 1.0, 0.0) * height;
        self.rod(
            foot,
            foot + lean * 0.6,
            height * 0.045,
            matt(0.13, 0.075, 0.04),
        );
        let leaves = self.varied(leaves);
        self.ball(foot + lean * 0.68, vec3(0.30, 0.27, 0.30) * height, leaves);
        let bough = vec3(self.range(-0.2, 0.2), 0.0, 0.1) * height;
        self.ball(
            foot + lean * 0.84 + bough,
            vec3(0.19, 0.16, 0.19) * height,
            self::lighter(leaves, 1.25),
        );
    }

    /// A palm: a bent trunk and a star of drooping fronds.
    pub fn palm(&mut self, foot: Vec3, height: f32, fronds: Material) {
        let bend = self.range(0.08, 0.25) * self.side();
        let knee = foot + vec3(bend * 0.35, 0.5, 0.0) * height;
        let top = foot + vec3(bend, 1.0, 0.0) * height;
        let bark = matt(0.22, 0.14, 0.08);
        self.rod(foot, knee, height * 0.035, bark);
        self.rod(knee, top, height * 0.028, bark);
        for i in 0..7 {
            let turn = Quat::from_rotation_y(i as f32 * 0.9 + self.range(-0.2, 0.2))
                * Quat::from_rotation_z(self.range(-0.55, -0.2));
            let material = self.varied(fronds);
            let centre = top + turn * Vec3::X * height * 0.2;
            self.put(
                Shape::Sphere,
                centre,
                vec3(0.22, 0.018, 0.06) * height,
                turn,
                material,
            );
        }
    }

    /// A street lamp with a burning bulb.
    pub fn lamp(&mut self, foot: Vec3, height: f32, bulb: Vec3) {
        let iron = matt(0.04, 0.04, 0.05);
        self.rod(foot, foot + Vec3::Y * height, height * 0.018, iron);
        self.ball(
            foot + Vec3::Y * height,
            Vec3::splat(height * 0.05),
            glow(bulb),
        );
    }

    /// A mountain with a capped top.
    pub fn mountain(
        &mut self,
        foot: Vec3,
        height: f32,
        width: f32,
        stone: Material,
        cap: Option<Material>,
    ) {
        let stone = self.varied(stone);
        let turn = Quat::from_rotation_y(self.range(0.0, 3.0));
        let half = vec3(width, height / 2.0, width);
        self.put(Shape::Cone, foot + Vec3::Y * half.y, half, turn, stone);
        if let Some(cap) = cap {
            // A little wider than the cone at that height, so that it covers it.
            let share = 0.34;
            let half = vec3(width * share * 1.06, half.y * share, width * share * 1.06);
            self.put(
                Shape::Cone,
                foot + Vec3::Y * (height * 1.005 - half.y),
                half,
                turn,
                cap,
            );
        }
    }
}

/// The paint with its colour scaled.
pub(super) fn lighter(material: Material, share: f32) -> Material {
    Material {
        albedo: (material.albedo * share).min(Vec3::ONE),
        ..material
    }
}
