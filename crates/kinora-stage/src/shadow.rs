//! Shadows of the key light, as depth seen from it.

use crate::batch::{BATCH, Row, Row3};
use crate::lens::Lens;
use crate::raster::{COARSE, Id, Layer, Placed};
use crate::texture::split;
use glam::Vec3;
use multiversion::multiversion;

/// Depth from the light over a square about the scene's middle.
#[derive(Debug)]
pub(crate) struct ShadowMap {
    view: View,
    layer: Layer,
    drawn: bool,
}

/// How the light sees the world.
#[derive(Clone, Copy, Debug)]
struct View {
    /// World to texels across, texels down and metres from the light: each is axis . point + offset.
    axes: [Vec3; 3],
    offsets: [f32; 3],
    /// Metres.
    texel: f32,
    /// Texels on a side.
    size: i32,
}

impl ShadowMap {
    /// A map of `size` x `size` pixels, with nothing drawn yet.
    pub fn new(size: usize) -> Self {
        let view = View {
            axes: [Vec3::ZERO; 3],
            offsets: [0.0; 3],
            texel: 0.0,
            size: size as i32,
        };
        ShadowMap {
            view,
            layer: Layer::new(size, size, COARSE),
            drawn: false,
        }
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
        let axes = [lens.right / lens.scale, -lens.up / lens.scale, lens.forward];
        let mut offsets = [lens.centre.x, lens.centre.y, 0.0];
        for (offset, axis) in offsets.iter_mut().zip(axes) {
            *offset -= axis.dot(lens.eye);
        }
        self.view = View {
            axes,
            offsets,
            texel: lens.scale,
            ..self.view
        };
        for placed in parts {
            if placed.part.material.opacity >= 1.0 {
                self.layer.draw(&lens, placed, Id::part(0));
                self.drawn = true;
            }
        }
    }

    /// Lowers `lit`, the share of the key light that reaches each point, where something is nearer to the light: four
    /// neighbours compared and blended. Points off the map keep their share.
    pub fn shade(&self, points: &Row3, normals: &Row3, lit: &mut Row) {
        if !self.drawn {
            return;
        }
        let mut taps = Taps {
            first: [0; BATCH],
            u: [0.0; BATCH],
            v: [0.0; BATCH],
            depth: [0.0; BATCH],
        };
        find(&self.view, points, normals, &mut taps);
        let mut near = [[0.0; BATCH]; 4];
        let below = self.layer.width;
        for (i, &first) in taps.first.iter().enumerate() {
            let first = first as usize;
            for (row, k) in
                near.iter_mut()
                    .zip([first, first + 1, first + below, first + below + 1])
            {
                row[i] = self.layer.depth[k];
            }
        }
        compare(&taps, &near, lit);
    }
}

/// Where in the map each point looks.
struct Taps {
    /// Index of the first of the four neighbours.
    first: [u32; BATCH],
    u: Row,
    v: Row,
    /// Metres from the light; 0 off the map.
    depth: Row,
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn find(view: &View, points: &Row3, normals: &Row3, taps: &mut Taps) {
    let View {
        axes,
        offsets,
        texel,
        size,
    } = *view;
    for i in 0..BATCH {
        // Lifting the point off its surface by about a texel keeps it out of its own shadow.
        let lifted = points.get(i) + normals.get(i) * (1.2 * texel + 0.005);
        let along = |k: usize| axes[k].dot(lifted) + offsets[k];
        let ((x, u), (y, v)) = (split(along(0) - 0.5), split(along(1) - 0.5));
        let inside = (x >= 0) & (y >= 0) & (x + 1 < size) & (y + 1 < size);
        taps.first[i] = if inside { (y * size + x) as u32 } else { 0 };
        taps.u[i] = u;
        taps.v[i] = v;
        taps.depth[i] = if inside { along(2) - 0.6 * texel } else { 0.0 };
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn compare(taps: &Taps, near: &[Row; 4], lit: &mut Row) {
    for i in 0..BATCH {
        let open = |k: usize| if near[k][i] > taps.depth[i] { 1.0 } else { 0.0 };
        let (u, v) = (taps.u[i], taps.v[i]);
        let top = open(0) * (1.0 - u) + open(1) * u;
        let bottom = open(2) * (1.0 - u) + open(3) * u;
        lit[i] = lit[i].min(top * (1.0 - v) + bottom * v);
    }
}
