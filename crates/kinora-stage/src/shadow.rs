//! Shadows of the key light, as depth seen from it.

use crate::lens::Lens;
use crate::raster::{COARSE, Id, Layer, Placed};
use glam::Vec3;

/// Depth from the light over a square about the scene's middle.
#[derive(Debug)]
pub(crate) struct ShadowMap {
    lens: Lens,
    layer: Layer,
}

impl ShadowMap {
    /// A map of `size` x `size` pixels, with nothing drawn yet.
    pub fn new(size: usize) -> Self {
        ShadowMap { lens: Lens::of_light(Vec3::Y, Vec3::ZERO, 1.0, size), layer: Layer::new(size, size, COARSE) }
    }

    /// A map that shadows nothing.
    pub fn empty() -> Self {
        Self::new(0)
    }

    /// Forgets what was drawn.
    pub fn clear(&mut self) {
        self.layer.clear();
    }

    /// Draws the solid ones of `parts`, `radius` metres about `centre`.
    pub fn draw<'a>(
        &mut self,
        toward_light: Vec3,
        centre: Vec3,
        radius: f32,
        parts: impl IntoIterator<Item = &'a Placed>,
    ) {
        self.layer.clear();
        self.lens = Lens::of_light(toward_light, centre, radius, self.layer.width);
        for placed in parts {
            if placed.part.material.opacity >= 1.0 {
                self.layer.draw(&self.lens, placed, Id::part(0));
            }
        }
    }

    /// Share of the key light that reaches a point: four neighbours compared and blended. Points off the map are lit.
    pub fn lit(&self, point: Vec3, normal: Vec3) -> f32 {
        if self.layer.touched().is_empty() {
            return 1.0;
        }
        // Lifting the point off its surface by about a texel keeps it out of its own shadow.
        let texel = self.lens.scale;
        let lifted = point + normal * (1.2 * texel + 0.005);
        let view = self.lens.view(lifted);
        let at = self.lens.flatten(view) - 0.5;
        let depth = view.z - 0.6 * texel;
        let size = self.layer.width as i32;
        let cell = at.floor();
        let (x, y) = (cell.x as i32, cell.y as i32);
        if x < 0 || y < 0 || x + 1 >= size || y + 1 >= size {
            return 1.0;
        }
        let f = at - cell;
        let first = (y * size + x) as usize;
        let open = |i: usize| if self.layer.depth[i] > depth { 1.0 } else { 0.0 };
        let below = first + size as usize;
        let top = open(first) * (1.0 - f.x) + open(first + 1) * f.x;
        let bottom = open(below) * (1.0 - f.x) + open(below + 1) * f.x;
        top * (1.0 - f.y) + bottom * f.y
    }
}
