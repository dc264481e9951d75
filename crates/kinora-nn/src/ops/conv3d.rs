//! A dense convolution over time, height and width.

use burn::tensor::Tensor;
use rayon::prelude::*;

use crate::buffer::buffer;
use crate::kernel::{Array, Kernel, apply3, apply5};
use crate::matmul::{Precision, Right, View, accumulate};
use crate::ops::winograd::{self, Filter, Seen};

/// Positions of the result that are worked at together: bounds what a thread copies of its input.
const STRIP: usize = 1024;

const NO_GRADIENT: &str = "conv3d has no gradient: the networks that use it are not trained here";

/// How a kernel walks over a clip. It sees no time before or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Frames from one position to the next.
    pub stride_time: usize,
    /// Pixels from one position to the next, in both directions.
    pub stride: usize,
    /// Rows and columns of zeros before and behind each frame.
    pub padding: [usize; 2],
}

/// The convolution of `x` `[B, T, H, W, in]` with `weight` `[out, in, kt, kh, kw]` and `bias` `[out]`, to
/// `[B, (T - kt) / st + 1, (H + p - kh) / s + 1, (W + p - kw) / s + 1, out]`.
///
/// Kernels of 3 x 3 places without strides are multiplied by Winograd's minimal filtering, except in bf16. Otherwise, the products
/// of each place of the kernel are summed up over strips of rows. No columns are copied out, so it takes little more memory
/// than its input, its weight and its result. Parts of a frame that begin at rows and columns of the whole that are multiples
/// of [`CONV_TILE`] give the same numbers as the whole.
///
/// # Panics
/// If the shapes do not fit, and in a backward pass: there is no gradient.
pub fn conv3d(
    precision: Precision,
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Tensor<1>,
    walk: Walk,
) -> Tensor<5> {
    apply3(x, weight, bias, Conv3d { precision, walk })
}

/// [`conv3d`] of `x` with two single frames before it, `[B, 1, H, W, in]` each, without joining them.
///
/// # Panics
/// As [`conv3d`].
pub fn conv3d_behind(
    precision: Precision,
    [first, second]: [Tensor<5>; 2],
    x: Tensor<5>,
    weight: Tensor<5>,
    bias: Tensor<1>,
    walk: Walk,
) -> Tensor<5> {
    let kernel = Conv3d { precision, walk };
    apply5([first, second, x], weight, bias, kernel)
}

#[derive(Clone, Debug)]
struct Conv3d {
    precision: Precision,
    walk: Walk,
}

/// The extents of a call.
struct Extents {
    input: [usize; 5],
    kernel: [usize; 3],
    /// Frames, rows, columns and channels of the result.
    out: [usize; 4],
}

/// Clips `[B, T, H, W, C]` that follow each other.
struct Frames<'a>(&'a [Array]);

impl<'a> Frames<'a> {
    /// The extents of all of them together.
    fn shape(&self) -> [usize; 5] {
        let shapes = self.0.iter().map(|part| match *part.shape() {
            [b, t, h, w, c] => [b, t, h, w, c],
            ref other => panic!("conv3d works on [B, T, H, W, C], not {other:?}"),
        });
        let joined = shapes.reduce(|[b, t, h, w, c], [b2, more, h2, w2, c2]| {
            assert_eq!([b, h, w, c], [b2, h2, w2, c2], "conv3d: frames differ");
            [b, t + more, h, w, c]
        });
        joined.expect("there are frames")
    }

    /// A frame `[H, W, C]` of an item.
    fn get(&self, item: usize, mut t: usize) -> &'a [f32] {
        for part in self.0 {
            let (frames, size) = (part.shape()[1], part.shape()[2..].iter().product::<usize>());
            if t < frames {
                return &part.data()[(item * frames + t) * size..][..size];
            }
            t -= frames;
        }
        panic!("a frame beyond the last");
    }
}

impl Conv3d {
    fn extents(&self, x: &Frames<'_>, weight: &Array, bias: &Array) -> Extents {
        let [b, t, h, w, c] = x.shape();
        let &[outputs, inputs, kt, kh, kw] = weight.shape() else {
            panic!(
                "conv3d: a weight is [out, in, kt, kh, kw], not {:?}",
                weight.shape()
            );
        };
        let Walk {
            stride_time,
            stride,
            padding: [before, behind],
        } = self.walk;
        let side = |size: usize| size + before + behind;
        assert!(
            c == inputs
                && bias.shape() == [outputs]
                && stride_time > 0
                && stride > 0
                && kt * kh * kw > 0
                && t >= kt
                && side(h) >= kh
                && side(w) >= kw,
            "conv3d: x {:?}, weight {:?} and bias {:?} do not fit together",
            [b, t, h, w, c],
            weight.shape(),
            bias.shape()
        );
        Extents {
            input: [b, t, h, w, c],
            kernel: [kt, kh, kw],
            out: [
                (t - kt) / stride_time + 1,
                (side(h) - kh) / stride + 1,
                (side(w) - kw) / stride + 1,
                outputs,
            ],
        }
    }

    /// The input that `rows` rows of the result see from row `y` of frame `t` on, zeros around it:
    /// `[kt, (rows - 1) s + kh, W + p, in]`.
    fn slab(
        &self,
        x: &Frames<'_>,
        e: &Extents,
        item: usize,
        t: usize,
        y: usize,
        rows: usize,
    ) -> Vec<f32> {
        let ([.., h, w, c], [kt, kh, _]) = (e.input, e.kernel);
        let [before, behind] = self.walk.padding;
        let (wide, high) = (w + before + behind, (rows - 1) * self.walk.stride + kh);
        let mut slab = vec![0.0; kt * high * wide * c];
        for (index, line) in slab.chunks_exact_mut(wide * c).enumerate() {
            let frame = x.get(item, t * self.walk.stride_time + index / high);
            let row = (y * self.walk.stride + index % high).checked_sub(before);
            if let Some(row) = row.filter(|&row| row < h) {
                line[before * c..][..w * c].copy_from_slice(&frame[row * w * c..][..w * c]);
            }
        }
        slab
    }
}

/// `[out, in, kt, kh, kw]` as a matrix `[out, in]` for each place of the kernel.
fn by_place(weight: &Array, places: usize) -> Vec<f32> {
    let values = weight.data();
    let pairs = values.len() / places;
    let mut out = buffer(values.len());
    out.par_chunks_exact_mut(pairs)
        .enumerate()
        .for_each(|(place, out)| {
            let values = values[place..].iter().step_by(places);
            out.iter_mut().zip(values).for_each(|(out, v)| *out = *v);
        });
    out
}

impl Conv3d {
    /// Strips of rows, place by place of the kernel.
    fn direct(&self, x: &Frames<'_>, weight: &Array, bias: &[f32], e: &Extents, out: &mut [f32]) {
        let [_, _, _, w, c] = e.input;
        let [kt, kh, kw] = e.kernel;
        let [frames, high, wide, outputs] = e.out;
        let padded = w + self.walk.padding.iter().sum::<usize>();
        let places = by_place(weight, kt * kh * kw);
        // Rows of a strip are one matrix if their positions are neighbours, those of the padding between them included.
        let most = match self.walk.stride {
            1 => (STRIP / wide).clamp(1, high),
            _ => 1,
        };
        let planes = out.par_chunks_exact_mut((high * wide * outputs).max(1));
        planes.enumerate().for_each(|(plane, out)| {
            let strips = out.par_chunks_mut(most * wide * outputs).enumerate();
            strips.for_each(|(strip, out)| {
                let rows = out.len() / (wide * outputs);
                let (item, t) = (plane / frames, plane % frames);
                let slab = self.slab(x, e, item, t, strip * most, rows);
                let slab_rows = slab.len() / (kt * padded * c);
                let positions = (rows - 1) * padded + wide;
                let mut sums = bias.repeat(positions);
                for place in 0..kt * kh * kw {
                    let (dt, dy, dx) = (place / (kh * kw), place / kw % kh, place % kw);
                    let first = ((dt * slab_rows + dy) * padded + dx) * c;
                    let seen = View::strided(&slab[first..], positions, c, self.walk.stride * c);
                    let weight = &places[place * outputs * c..][..outputs * c];
                    let weight = Right::Dense(View::new(weight, outputs, c).t());
                    accumulate(self.precision, &mut sums, seen, weight);
                }
                for (row, out) in out.chunks_exact_mut(wide * outputs).enumerate() {
                    out.copy_from_slice(&sums[row * padded * outputs..][..wide * outputs]);
                }
            });
        });
    }

    /// By minimal filtering.
    fn filtered(&self, x: &Frames<'_>, weight: &Array, bias: &[f32], e: &Extents, out: &mut [f32]) {
        let [.., h, w, c] = e.input;
        let [kt, _, _] = e.kernel;
        let [frames, high, wide, outputs] = e.out;
        let filter = Filter::new(weight.data(), [outputs, c, kt]);
        let planes = out.par_chunks_exact_mut(high * wide * outputs);
        planes.enumerate().for_each(|(plane, out)| {
            let (item, t) = (plane / frames, plane % frames * self.walk.stride_time);
            let seen = Seen {
                frames: (t..t + kt).map(|t| x.get(item, t)).collect(),
                sides: [h, w],
                before: self.walk.padding[0],
            };
            filter.apply(&seen, bias, out, wide);
        });
    }

    fn run(&self, x: &Frames<'_>, weight: &Array, bias: &Array) -> Array {
        let e = self.extents(x, weight, bias);
        let ([b, .., inputs], [frames, high, wide, outputs]) = (e.input, e.out);
        let mut out = buffer(b * frames * high * wide * outputs);
        let fits = winograd::fits([outputs, inputs], e.kernel, self.walk.stride);
        match fits && self.precision != Precision::Bf16 {
            true => self.filtered(x, weight, bias.data(), &e, &mut out),
            false => self.direct(x, weight, bias.data(), &e, &mut out),
        }
        Array::new(out, &[b, frames, high, wide, outputs])
    }
}

impl Kernel<3> for Conv3d {
    type Saved = ();

    fn forward(&self, [x, weight, bias]: [Array; 3]) -> (Array, ()) {
        (self.run(&Frames(&[x]), &weight, &bias), ())
    }

    fn backward(&self, (): (), _: Array, _: [bool; 3]) -> [Option<Array>; 3] {
        panic!("{NO_GRADIENT}")
    }
}

impl Kernel<5> for Conv3d {
    type Saved = ();

    fn forward(&self, [first, second, x, weight, bias]: [Array; 5]) -> (Array, ()) {
        (self.run(&Frames(&[first, second, x]), &weight, &bias), ())
    }

    fn backward(&self, (): (), _: Array, _: [bool; 5]) -> [Option<Array>; 5] {
        panic!("{NO_GRADIENT}")
    }
}
