//! Shadows of the key light, as depth seen from it.

use crate::lens::Lens;
use crate::raster::{COARSE, Id, Layer, Placed};
use crate::texture::split;
use glam::Vec3;

/// Depth from the light over a square about the scene's middle.
#[derive(Debug)]
pub(crate) struct ShadowMap {
    /// World to texels across, texels down and metres from the light: each is axis . point + offset.
    axes: [Vec3; 3],
    offsets: [f32; 3],
    /// Metres.
    texel: f32,
    layer: Layer,
    drawn: bool,
}

impl ShadowMap {
    /// A map of `size` x `size` pixels, with nothing drawn yet.
    pub fn new(size: usize) -> Self {
        let layer = Layer::new(size, size, COARSE);
        ShadowMap { axes: [Vec3::ZERO; 3], offsets: [0.0; 3], texel: 0.0, layer, drawn: false }
    }

    /// A map that shadows nothing.
    pub fn empty() -> Self {
        Self::new(0)
    }

    /// Forgets what was drawn.
    pub fn clear(&mut self) {
        self.layer.clear();
        self.drawn = false;
    }

    /// Draws the solid ones of `parts`, `radius` metres about `centre`.
    pub fn draw<'a>(
        &mut self,
        toward_light: Vec3,
        centre: Vec3,
        radius: f32,
        parts: impl IntoIterator<Item = &'a Placed>,
    ) {
        self.clear();
        let lens = Lens::of_light(toward_light, centre, radius, self.layer.width);
        self.texel = lens.scale;
        self.axes = [lens.right / lens.scale, -lens.up / lens.scale, lens.forward];
        self.offsets = [lens.centre.x, lens.centre.y, 0.0];
        for (offset, axis) in self.offsets.iter_mut().zip(self.axes) {
            *offset -= axis.dot(lens.eye);
        }
        for placed in parts {
            if placed.part.material.opacity >= 1.0 {
                self.layer.draw(&lens, placed, Id::part(0));
                self.drawn = true;
            }
        }
    }

    /// Share of the key light that reaches a point: four neighbours compared and blended. Points off the map are lit.
    pub fn lit(&self, point: Vec3, normal: Vec3) -> f32 {
        if !self.drawn {
            return 1.0;
        }
        // Lifting the point off its surface by about a texel keeps it out of its own shadow.
        let lifted = point + normal * (1.2 * self.texel + 0.005);
        let along = |k: usize| self.axes[k].dot(lifted) + self.offsets[k];
        let ((x, u), (y, v)) = (split(along(0) - 0.5), split(along(1) - 0.5));
        let depth = along(2) - 0.6 * self.texel;
        let size = self.layer.width as i32;
        if x < 0 || y < 0 || x + 1 >= size || y + 1 >= size {
            return 1.0;
        }
        let first = (y * size + x) as usize;
        let below = first + size as usize;
        let open = |i: usize| if self.layer.depth[i] > depth { 1.0 } else { 0.0 };
        let top = open(first) * (1.0 - u) + open(first + 1) * u;
        let bottom = open(below) * (1.0 - u) + open(below + 1) * u;
        top * (1.0 - v) + bottom * v
    }
}
