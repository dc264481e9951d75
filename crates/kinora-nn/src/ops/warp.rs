//! A picture as it looks after everything in it has moved.

use crate::buffer::{buffer, for_chunks};
use crate::kernel::{Array, Kernel, apply2};
use burn::tensor::Tensor;
use std::array;

/// Colours of a pixel.
const COLOURS: usize = 3;

/// Pictures moved along fields of motion, differentiable in the motion (the sampler of arXiv:1506.02025).
///
/// `picture` `[B, T, h, w, s s 3]` holds the pixels of cells of `side` s, row by row; `motion` `[B, T, h, w, 2 F]` says for
/// each cell and each of `F` frames how many pixels further right and further down what it shows is taken from; the result
/// is `[B, T, h, w, F s s 3]`. Between pixels it is linear in both directions, and beyond the border lies the border.
/// The picture itself is taken as a constant.
///
/// # Panics
/// If the shapes do not fit.
pub fn warp(picture: Tensor<5>, motion: Tensor<5>, side: usize) -> Tensor<5> {
    let [cells, moves] = [picture.dims(), motion.dims()];
    assert_eq!(cells[..4], moves[..4], "warp: a motion for each cell");
    assert_eq!(cells[4], side * side * COLOURS, "warp: the pixels of cells");
    apply2(picture, motion, Warp { side })
}

#[derive(Clone, Copy, Debug)]
struct Warp {
    side: usize,
}

/// A picture row by row.
struct Raster {
    pixels: Vec<f32>,
    height: usize,
    width: usize,
}

/// What surrounds a place between pixels, and how far it is from the first of them.
struct Around {
    /// Top left, top right, bottom left, bottom right.
    corners: [[f32; COLOURS]; 4],
    right: f32,
    down: f32,
}

impl Raster {
    fn new(cells: &[f32], side: usize, [h, w]: [usize; 2]) -> Self {
        let (height, width) = (h * side, w * side);
        let mut pixels = buffer(height * width * COLOURS);
        let line = side * COLOURS;
        for (cell, values) in cells.chunks_exact(side * line).enumerate() {
            for (row, values) in values.chunks_exact(line).enumerate() {
                let to = ((cell / w * side + row) * width + cell % w * side) * COLOURS;
                pixels[to..][..line].copy_from_slice(values);
            }
        }
        Self {
            pixels,
            height,
            width,
        }
    }

    fn around(&self, x: f32, y: f32) -> Around {
        let bound = |at: f32, count: usize| {
            let first = (at.max(0.0) as usize).min(count - 1); // of NaN, the first one
            let next = if at < 0.0 {
                first
            } else {
                (first + 1).min(count - 1)
            };
            (first, next, (at - first as f32).clamp(0.0, 1.0))
        };
        let (left, next, right) = bound(x, self.width);
        let (top, below, down) = bound(y, self.height);
        let pixel = |y: usize, x: usize| {
            let at = (y * self.width + x) * COLOURS;
            array::from_fn(|colour| self.pixels[at + colour])
        };
        Around {
            corners: [
                pixel(top, left),
                pixel(top, next),
                pixel(below, left),
                pixel(below, next),
            ],
            right,
            down,
        }
    }
}

impl Around {
    fn value(&self, colour: usize) -> f32 {
        let [a, b, c, d] = self.corners.map(|corner| corner[colour]);
        let (top, bottom) = (a + (b - a) * self.right, c + (d - c) * self.right);
        top + (bottom - top) * self.down
    }

    /// How the value changes to the right and down.
    fn slope(&self, colour: usize) -> [f32; 2] {
        let [a, b, c, d] = self.corners.map(|corner| corner[colour]);
        let right = (b - a) + ((d - c) - (b - a)) * self.down;
        let down = (c - a) + ((d - b) - (c - a)) * self.right;
        [right, down]
    }
}

impl Warp {
    /// Calls `visit(value, around)` for each value of a frame's cells, where `motion` takes it from.
    fn visit(
        self,
        raster: &Raster,
        motion: &[f32],
        cell: usize,
        mut visit: impl FnMut(usize, &Around),
    ) {
        let columns = raster.width / self.side;
        let (row, column) = (cell / columns, cell % columns);
        let area = self.side * self.side;
        for (frame, step) in motion.chunks_exact(2).enumerate() {
            for pixel in 0..area {
                let x = (column * self.side + pixel % self.side) as f32 + step[0];
                let y = (row * self.side + pixel / self.side) as f32 + step[1];
                visit((frame * area + pixel) * COLOURS, &raster.around(x, y));
            }
        }
    }
}

impl Kernel<2> for Warp {
    type Saved = (Array, Array);

    fn forward(&self, [picture, motion]: [Array; 2]) -> (Array, (Array, Array)) {
        let &[b, t, h, w, values] = picture.shape() else {
            panic!("pictures have five dimensions, not {:?}", picture.shape());
        };
        let moves = motion.shape()[4];
        let outputs = moves / 2 * values;
        let mut out = buffer(b * t * h * w * outputs);
        for_chunks(&mut out, h * w * outputs, |frame, out| {
            let cells = &picture.data()[frame * h * w * values..][..h * w * values];
            let raster = Raster::new(cells, self.side, [h, w]);
            let motion = &motion.data()[frame * h * w * moves..][..h * w * moves];
            let cells = out
                .chunks_exact_mut(outputs)
                .zip(motion.chunks_exact(moves));
            for (cell, (out, motion)) in cells.enumerate() {
                self.visit(&raster, motion, cell, |at, around| {
                    for (colour, out) in out[at..][..COLOURS].iter_mut().enumerate() {
                        *out = around.value(colour);
                    }
                });
            }
        });
        let shape = [b, t, h, w, outputs];
        (Array::new(out, &shape), (picture, motion))
    }

    fn backward(
        &self,
        (picture, motion): (Array, Array),
        grad: Array,
        [_, moved]: [bool; 2],
    ) -> [Option<Array>; 2] {
        if !moved {
            return [None, None];
        }
        let &[b, t, h, w, values] = picture.shape() else {
            panic!("pictures have five dimensions, not {:?}", picture.shape());
        };
        let moves = motion.shape()[4];
        let outputs = moves / 2 * values;
        let mut out = buffer(b * t * h * w * moves);
        for_chunks(&mut out, h * w * moves, |frame, out| {
            let cells = &picture.data()[frame * h * w * values..][..h * w * values];
            let raster = Raster::new(cells, self.side, [h, w]);
            let motion = &motion.data()[frame * h * w * moves..][..h * w * moves];
            let grad = &grad.data()[frame * h * w * outputs..][..h * w * outputs];
            let cells = (out.chunks_exact_mut(moves))
                .zip(motion.chunks_exact(moves))
                .zip(grad.chunks_exact(outputs));
            for (cell, ((out, motion), grad)) in cells.enumerate() {
                self.visit(&raster, motion, cell, |at, around| {
                    let step = &mut out[at / values * 2..][..2];
                    for (colour, grad) in grad[at..][..COLOURS].iter().enumerate() {
                        let [right, down] = around.slope(colour);
                        step[0] += grad * right;
                        step[1] += grad * down;
                    }
                });
            }
        });
        [None, Some(Array::new(out, motion.shape()))]
    }
}
