//! 3 x 3 convolutions by Winograd's minimal filtering: F(4 x 4, 3 x 3) of Lavin & Gray, "Fast Algorithms for Convolutional
//! Neural Networks" (arXiv:1509.09308). A tile of 4 x 4 results takes 36 multiplications instead of 144.
//!
//! In each direction, six inputs that a tile sees and three places of the kernel are mapped to values at six points,
//! multiplied there, and the products are mapped to four results. Channels and the kernel's places in time are summed
//! between the maps, so that what is multiplied are 36 pairs of matrices, one for each pair of points.

use multiversion::multiversion;
use rayon::prelude::*;
use std::array::from_fn;
use std::ops::{Add, Mul, Range, Sub};

use crate::buffer::{add_into, buffer};
use crate::matmul::{Store, Threads, View, multiply};

/// Results of a tile in a direction: rows and columns of a convolution are worked at in groups of so many.
pub const TILE: usize = 4;
/// Inputs that a tile sees in a direction, and points.
const SEEN: usize = TILE + 2;
/// Pairs of points.
const PAIRS: usize = SEEN * SEEN;
/// Tiles beside each other that are mapped at once, so that what lies between the directions stays in the nearest cache.
const RUN: usize = 8;

/// Fewest channels for which the maps are worth their time.
const CHANNELS: usize = 8;

/// The points are 0, these two of either sign, and infinity. At 1 and 2, which the paper takes, sums would lose twice as much
/// to rounding.
const P: f32 = 0.625;
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;

/// Neighbouring numbers that are mapped in the same way.
#[derive(Clone, Copy)]
struct Lanes<const L: usize>([f32; L]);

impl<const L: usize> Add for Lanes<L> {
    type Output = Self;
    #[inline(always)]
    fn add(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a += b;
        }
        self
    }
}

impl<const L: usize> Sub for Lanes<L> {
    type Output = Self;
    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a -= b;
        }
        self
    }
}

impl<const L: usize> Mul<f32> for Lanes<L> {
    type Output = Self;
    #[inline(always)]
    fn mul(mut self, factor: f32) -> Self {
        for a in &mut self.0 {
            *a *= factor;
        }
        self
    }
}

/// A linear map of `N` numbers to `M`.
trait Map<const N: usize, const M: usize> {
    fn map<const L: usize>(x: [Lanes<L>; N]) -> [Lanes<L>; M];

    /// Of each `N` numbers at the same place of `from` to those of `to`.
    #[inline(always)]
    fn along(from: [&[f32]; N], mut to: [&mut [f32]; M]) {
        const L: usize = 8;
        let len = to[0].len();
        let whole = len - len % L;
        for at in (0..whole).step_by(L) {
            Self::at::<L>(&from, &mut to, at);
        }
        for at in whole..len {
            Self::at::<1>(&from, &mut to, at);
        }
    }

    #[inline(always)]
    fn at<const L: usize>(from: &[&[f32]; N], to: &mut [&mut [f32]; M], at: usize) {
        let mut x = [Lanes([0.0; L]); N];
        for (x, from) in x.iter_mut().zip(from) {
            x.0.copy_from_slice(&from[at..at + L]);
        }
        for (y, to) in Self::map(x).iter().zip(to) {
            to[at..at + L].copy_from_slice(&y.0);
        }
    }
}

struct OfInputs;

impl Map<SEEN, SEEN> for OfInputs {
    #[inline(always)]
    fn map<const L: usize>([d0, d1, d2, d3, d4, d5]: [Lanes<L>; SEEN]) -> [Lanes<L>; SEEN] {
        let (even_p, odd_p) = (d4 - d2 * Q2, (d3 - d1 * Q2) * P);
        let (even_q, odd_q) = (d4 - d2 * P2, (d3 - d1 * P2) * Q);
        [
            d0 * (P2 * Q2) - d2 * (P2 + Q2) + d4,
            even_p + odd_p,
            even_p - odd_p,
            even_q + odd_q,
            even_q - odd_q,
            d1 * (P2 * Q2) - d3 * (P2 + Q2) + d5,
        ]
    }
}

/// The kernel's polynomial at the points, each value over the product of the point's distances from the others.
struct OfKernel;

impl Map<3, SEEN> for OfKernel {
    #[inline(always)]
    fn map<const L: usize>([g0, g1, g2]: [Lanes<L>; 3]) -> [Lanes<L>; SEEN] {
        let (even_p, odd_p) = (g0 + g2 * P2, g1 * P);
        let (even_q, odd_q) = (g0 + g2 * Q2, g1 * Q);
        let (by_p, by_q) = (0.5 / (P2 * (P2 - Q2)), 0.5 / (Q2 * (Q2 - P2)));
        [
            g0 * (1.0 / (P2 * Q2)),
            (even_p + odd_p) * by_p,
            (even_p - odd_p) * by_p,
            (even_q + odd_q) * by_q,
            (even_q - odd_q) * by_q,
            g2,
        ]
    }
}

struct ToResults;

impl Map<SEEN, TILE> for ToResults {
    #[inline(always)]
    fn map<const L: usize>([m0, m1, m2, m3, m4, m5]: [Lanes<L>; SEEN]) -> [Lanes<L>; TILE] {
        let (even_p, odd_p) = (m1 + m2, (m1 - m2) * P);
        let (even_q, odd_q) = (m3 + m4, (m3 - m4) * Q);
        [
            m0 + even_p + even_q,
            odd_p + odd_q,
            even_p * P2 + even_q * Q2,
            odd_p * P2 + odd_q * Q2 + m5,
        ]
    }
}

#[multiversion(targets = "simd")]
fn map_inputs(from: [&[f32]; SEEN], to: [&mut [f32]; SEEN]) {
    OfInputs::along(from, to);
}

#[multiversion(targets = "simd")]
fn map_kernel(from: [&[f32]; 3], to: [&mut [f32]; SEEN]) {
    OfKernel::along(from, to);
}

#[multiversion(targets = "simd")]
fn map_products(from: [&[f32]; SEEN], to: [&mut [f32]; TILE]) {
    ToResults::along(from, to);
}

/// The first `N` parts of `width` numbers.
fn parts<const N: usize>(x: &[f32], width: usize) -> [&[f32]; N] {
    from_fn(|i| &x[i * width..][..width])
}

/// The first `N` parts of `width` numbers, of each of them those from `at` on, `len` of them.
fn parts_mut<const N: usize>(
    x: &mut [f32],
    width: usize,
    at: usize,
    len: usize,
) -> [&mut [f32]; N] {
    let mut parts = x.chunks_mut(width);
    from_fn(|_| &mut parts.next().expect("as many parts as are asked for")[at..at + len])
}

/// A kernel at the points: for each pair of them a matrix `[kt in, out]`.
pub(super) struct Filter {
    values: Vec<f32>,
    /// Places in time times input channels.
    inner: usize,
    outputs: usize,
}

/// What one frame of a result sees.
pub(super) struct Seen<'a> {
    /// `[h, w, in]` each.
    pub(super) frames: Vec<&'a [f32]>,
    /// Rows and columns of a frame.
    pub(super) sides: [usize; 2],
    /// Rows and columns of zeros before them.
    pub(super) before: usize,
}

/// What a thread works in.
#[derive(Default)]
struct Space {
    /// For each pair of points a matrix `[tiles, kt in]`.
    inputs: Vec<f32>,
    /// For each pair of points a matrix `[tiles, out]`.
    products: Vec<f32>,
    /// A run of tiles, mapped in one direction: six rows.
    lines: Vec<f32>,
}

/// Whether a convolution of `[outputs, inputs]` channels can be done and gains. Sizes of frames do not matter, so that parts
/// of a frame give the same numbers as the whole.
pub(super) fn fits(channels: [usize; 2], [_, kh, kw]: [usize; 3], stride: usize) -> bool {
    [kh, kw, stride] == [3, 3, 1] && channels.into_iter().all(|count| count >= CHANNELS)
}

impl Filter {
    /// Of a weight `[out, in, kt, 3, 3]`.
    pub(super) fn new(weight: &[f32], [outputs, inputs, kt]: [usize; 3]) -> Self {
        const AT_ONCE: usize = 8; // input channels, which share lines of the cache
        let mut values = buffer(PAIRS * kt * inputs * outputs);
        let mut blocks: Vec<Vec<&mut [f32]>> = Vec::new();
        blocks.resize_with(inputs.div_ceil(AT_ONCE), Vec::new);
        for part in values.chunks_exact_mut(inputs * outputs) {
            let rows = part.chunks_mut(AT_ONCE * outputs);
            let blocks = blocks.iter_mut().zip(rows);
            blocks.for_each(|(block, rows)| block.push(rows));
        }
        let blocks = blocks.into_par_iter().enumerate();
        blocks.for_each(|(block, mut rows)| {
            let mut kernel = vec![0.0; 9 * outputs]; // (3, 3, out)
            let mut lines = vec![0.0; SEEN * 3 * outputs]; // (point, 3, out)
            for row in 0..rows[0].len() / outputs {
                for dt in 0..kt {
                    for output in 0..outputs {
                        let at = ((output * inputs + block * AT_ONCE + row) * kt + dt) * 9;
                        for (place, value) in weight[at..][..9].iter().enumerate() {
                            kernel[place * outputs + output] = *value;
                        }
                    }
                    let width = 3 * outputs;
                    map_kernel(
                        parts(&kernel, width),
                        parts_mut(&mut lines, width, 0, width),
                    );
                    for (point, line) in lines.chunks_exact(width).enumerate() {
                        let mut to = rows[point * SEEN * kt..].iter_mut().skip(dt).step_by(kt);
                        let to = from_fn(|_| {
                            &mut to.next().expect("a part a pair")[row * outputs..][..outputs]
                        });
                        map_kernel(parts(line, outputs), to);
                    }
                }
            }
        });
        Self {
            values,
            inner: kt * inputs,
            outputs,
        }
    }

    /// The result `[high, wide, out]`.
    pub(super) fn apply(&self, seen: &Seen<'_>, bias: &[f32], out: &mut [f32], wide: usize) {
        let line = wide * self.outputs;
        let across = wide.div_ceil(TILE);
        // Tiles that are multiplied at once: the longer the sums, the more of them pay for reading the kernel again.
        let most = (self.inner / 10).clamp(16, 128);
        let rows = (most / across).max(1);
        let strips = out.par_chunks_mut(rows * TILE * line).enumerate();
        strips.for_each_init(Space::default, |space, (strip, out)| {
            let mut strip = Strip {
                top: strip * rows * TILE,
                across,
                wide,
                out,
            };
            let tiles = strip.out.len().div_ceil(TILE * line) * across;
            let at_once = tiles.div_ceil(tiles.div_ceil(most));
            for first in (0..tiles).step_by(at_once) {
                let tiles = first..tiles.min(first + at_once);
                self.block(seen, bias, &mut strip, tiles, space);
            }
        });
    }

    /// The results of some of a strip's tiles.
    fn block(
        &self,
        seen: &Seen<'_>,
        bias: &[f32],
        strip: &mut Strip<'_>,
        tiles: Range<usize>,
        space: &mut Space,
    ) {
        // A product of a single row would sum up in another order.
        let rows = tiles.len().max(2);
        let [inputs, products, values] = [
            rows * self.inner,
            rows * self.outputs,
            self.inner * self.outputs,
        ];
        space.inputs.resize(PAIRS * inputs, 0.0);
        space.products.resize(PAIRS * products, 0.0);
        for run in strip.runs(tiles.clone()) {
            run.inputs(seen, self.inner, space);
        }
        for (pair, out) in space.products.chunks_exact_mut(products).enumerate() {
            let inputs = View::new(&space.inputs[pair * inputs..], rows, self.inner);
            let values = View::new(&self.values[pair * values..], self.inner, self.outputs);
            multiply(
                out,
                self.outputs,
                Store::Overwrite,
                1.0,
                inputs,
                values,
                Threads::One,
            );
        }
        for run in strip.runs(tiles) {
            run.results(bias, strip, space);
        }
    }
}

/// Rows of a result.
struct Strip<'a> {
    /// The first row.
    top: usize,
    /// Columns, and tiles across them.
    wide: usize,
    across: usize,
    out: &'a mut [f32],
}

/// Tiles beside each other.
struct Run {
    /// The place of the first among those that are multiplied at once, and how many there are.
    tile: usize,
    count: usize,
    /// Row and column of their results.
    y: usize,
    x: usize,
}

impl Strip<'_> {
    /// Some of its tiles.
    fn runs(&self, tiles: Range<usize>) -> Vec<Run> {
        let mut runs = Vec::new();
        let mut at = tiles.start;
        while at < tiles.end {
            let (row, column) = (at / self.across, at % self.across);
            let count = RUN.min(self.across - column).min(tiles.end - at);
            runs.push(Run {
                tile: at - tiles.start,
                count,
                y: self.top + row * TILE,
                x: column * TILE,
            });
            at += count;
        }
        runs
    }
}

impl Run {
    /// From frames to matrices of inputs.
    fn inputs(&self, seen: &Seen<'_>, inner: usize, space: &mut Space) {
        let Self { tile, count, y, x } = *self;
        let [high, wide] = seen.sides;
        let channels = inner / seen.frames.len();
        let width = (TILE * count + 2) * channels;
        // Of the numbers of a line, those that are zeros before the frame, and those of the frame.
        let skipped = seen.before.saturating_sub(x);
        let from = (x + skipped - seen.before).min(wide) * channels;
        let skipped = skipped * channels;
        let there = (width - skipped).min(wide * channels - from);
        let zeros = vec![0.0; there];
        let matrix = space.inputs.len() / PAIRS;
        space.lines.resize(space.lines.len().max(SEEN * width), 0.0);
        for (dt, frame) in seen.frames.iter().enumerate() {
            let rows = from_fn(|dy| {
                let row = (y + dy).checked_sub(seen.before).filter(|&row| row < high);
                row.map_or(&zeros[..], |row| {
                    &frame[row * wide * channels + from..][..there]
                })
            });
            map_inputs(rows, parts_mut(&mut space.lines, width, skipped, there));
            let lines = space.lines.chunks_exact_mut(width).take(SEEN);
            for (line, matrices) in lines.zip(space.inputs.chunks_exact_mut(SEEN * matrix)) {
                line[..skipped].fill(0.0);
                line[skipped + there..].fill(0.0);
                for index in 0..count {
                    let seen = parts(&line[index * TILE * channels..], channels);
                    let at = (tile + index) * inner + dt * channels;
                    map_inputs(seen, parts_mut(matrices, matrix, at, channels));
                }
            }
        }
    }

    /// From matrices of products to results.
    fn results(&self, bias: &[f32], strip: &mut Strip<'_>, space: &mut Space) {
        let Self { tile, count, y, x } = *self;
        let outputs = bias.len();
        let width = TILE * count * outputs;
        let matrix = space.products.len() / PAIRS;
        space
            .lines
            .resize(space.lines.len().max((SEEN + TILE) * width), 0.0);
        let (lines, beyond) = space.lines.split_at_mut(SEEN * width);
        let matrices = space.products.chunks_exact(SEEN * matrix);
        for (line, matrices) in lines.chunks_exact_mut(width).zip(matrices) {
            for (index, to) in line.chunks_exact_mut(TILE * outputs).enumerate() {
                let products =
                    from_fn(|j| &matrices[j * matrix + (tile + index) * outputs..][..outputs]);
                map_products(products, parts_mut(to, outputs, 0, outputs));
            }
        }
        let len = width.min((strip.wide - x) * outputs);
        let line = strip.wide * outputs;
        // Rows below the last are put where nobody looks.
        let mut rows = strip.out[(y - strip.top) * line..].chunks_exact_mut(line);
        let mut beyond = beyond.chunks_exact_mut(width);
        let mut to: [&mut [f32]; TILE] = from_fn(|_| match rows.next() {
            Some(row) => &mut row[x * outputs..][..len],
            None => &mut beyond.next().expect("a line a row")[..len],
        });
        map_products(parts(lines, width), to.each_mut().map(|to| &mut **to));
        for to in to {
            to.chunks_exact_mut(outputs)
                .for_each(|to| add_into(to, bias));
        }
    }
}
