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

/// Pictures with the motion of their cells, frame by frame.
struct Frames<'a> {
    picture: &'a Array,
    motion: &'a Array,
    grid: [usize; 2],
    /// Values of a cell in the picture, of its motion, and of the result.
    values: usize,
    moves: usize,
    outputs: usize,
}

impl<'a> Frames<'a> {
    fn new(picture: &'a Array, motion: &'a Array) -> Self {
        let (&[.., h, w, values], &[.., moves]) = (picture.shape(), motion.shape()) else {
            panic!("pictures and motions have five dimensions");
        };
        Self {
            picture,
            motion,
            grid: [h, w],
            values,
            moves,
            outputs: moves / 2 * values,
        }
    }

    fn cells(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// A frame's picture, and the motion of each of its cells.
    fn at(&self, frame: usize, side: usize) -> (Raster, impl Iterator<Item = &'a [f32]>) {
        let part = |array: &'a Array, width: usize| {
            let size = self.cells() * width;
            &array.data()[frame * size..][..size]
        };
        let raster = Raster::new(part(self.picture, self.values), side, self.grid);
        (
            raster,
            part(self.motion, self.moves).chunks_exact(self.moves),
        )
    }
}

impl Kernel<2> for Warp {
    type Saved = (Array, Array);

    fn forward(&self, [picture, motion]: [Array; 2]) -> (Array, (Array, Array)) {
        let frames = Frames::new(&picture, &motion);
        let mut shape = picture.shape().to_vec();
        shape[4] = frames.outputs;
        let mut out = buffer(shape.iter().product());
        for_chunks(&mut out, frames.cells() * frames.outputs, |frame, out| {
            let (raster, motion) = frames.at(frame, self.side);
            let cells = out.chunks_exact_mut(frames.outputs).zip(motion);
            for (cell, (out, motion)) in cells.enumerate() {
                self.visit(&raster, motion, cell, |at, around| {
                    for (colour, out) in out[at..][..COLOURS].iter_mut().enumerate() {
                        *out = around.value(colour);
                    }
                });
            }
        });
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
        let frames = Frames::new(&picture, &motion);
        let size = frames.cells() * frames.outputs;
        let mut out = buffer(motion.data().len());
        for_chunks(&mut out, frames.cells() * frames.moves, |frame, out| {
            let (raster, motion) = frames.at(frame, self.side);
            let grad = &grad.data()[frame * size..][..size];
            let cells = (out.chunks_exact_mut(frames.moves))
                .zip(motion)
                .zip(grad.chunks_exact(frames.outputs));
            for (cell, ((out, motion), grad)) in cells.enumerate() {
                self.visit(&raster, motion, cell, |at, around| {
                    let step = &mut out[at / frames.values * 2..][..2];
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
