//! Depthwise convolution of video, channels-last.

use burn::tensor::Tensor;
use multiversion::multiversion;
use rayon::prelude::*;

use crate::buffer::{add_into, buffer, for_chunks};
use crate::kernel::{Array, Kernel, apply3};

/// Convolves each channel on its own: "valid" in time, so that a model puts its causal context in
/// front, and zero-padded to the same size in height and width.
///
/// `x` is `[B, T, H, W, C]`, `weight` is `[kt, kh, kw, C]`, `bias` is `[C]`; the result is
/// `[B, T - kt + 1, H, W, C]`. As in PyTorch, this is correlation, and of an even kernel's padding
/// the smaller half comes first.
pub fn depthwise_conv3d(x: Tensor<5>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<5> {
    apply3(x, weight, bias, DepthwiseConv)
}

#[derive(Clone, Debug)]
struct DepthwiseConv;

/// The extents of a call.
#[derive(Clone, Copy)]
struct Extents {
    batch: usize,
    frames: usize,
    height: usize,
    width: usize,
    channels: usize,
    /// Kernel extents in time, height and width.
    kernel: [usize; 3],
    frames_out: usize,
}

impl Extents {
    fn new(x: &[usize], weight: &[usize]) -> Self {
        let (&[batch, frames, height, width, channels], &[kt, kh, kw, kc]) = (x, weight) else {
            panic!("depthwise_conv3d works on [B, T, H, W, C], not {x:?}");
        };
        assert!(
            kc == channels && kt > 0 && kh > 0 && kw > 0 && kt <= frames,
            "depthwise_conv3d: weight {weight:?} does not fit an input of {x:?}"
        );
        Self {
            batch,
            frames,
            height,
            width,
            channels,
            kernel: [kt, kh, kw],
            frames_out: frames - kt + 1,
        }
    }

    /// Elements in a row of pixels.
    fn row(&self) -> usize {
        self.width * self.channels
    }

    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Calls `visit(tap, input row)` for the taps in time and height that reach an input row from
    /// output row `y` of frame `t` of item `b`; `tap` is the first along the width.
    fn rows_under(&self, b: usize, t: usize, y: usize, mut visit: impl FnMut(usize, usize)) {
        let [kt, kh, kw] = self.kernel;
        for dt in 0..kt {
            for dy in 0..kh {
                if let Some(from) = (y + dy).checked_sub((kh - 1) / 2)
                    && from < self.height
                {
                    let row = (b * self.frames + t + dt) * self.height + from;
                    visit((dt * kh + dy) * kw, row);
                }
            }
        }
    }

    /// As [`Self::rows_under`], from an input row to the output rows it reaches.
    fn rows_over(&self, b: usize, t: usize, y: usize, mut visit: impl FnMut(usize, usize)) {
        let [kt, kh, kw] = self.kernel;
        for dt in 0..kt {
            let Some(frame) = t.checked_sub(dt).filter(|&f| f < self.frames_out) else {
                continue;
            };
            for dy in 0..kh {
                if let Some(to) = (y + (kh - 1) / 2).checked_sub(dy)
                    && to < self.height
                {
                    let row = (b * self.frames_out + frame) * self.height + to;
                    visit((dt * kh + dy) * kw, row);
                }
            }
        }
    }

    /// For tap `dx` along the width: the first output pixel it serves, the input pixel under it,
    /// and how many there are.
    fn overlap(&self, dx: usize) -> (usize, usize, usize) {
        let pad = (self.kernel[2] - 1) / 2;
        let out = pad.saturating_sub(dx);
        let input = dx.saturating_sub(pad);
        (out, input, self.width.saturating_sub(out.max(input)))
    }

    /// Item, frame and line of a row among `frames` frames an item.
    fn place(&self, row: usize, frames: usize) -> (usize, usize, usize) {
        (
            row / self.height / frames,
            row / self.height % frames,
            row % self.height,
        )
    }
}

impl Kernel<3> for DepthwiseConv {
    type Saved = (Array, Array);

    fn forward(&self, [x, weight, bias]: [Array; 3]) -> (Array, Self::Saved) {
        let e = Extents::new(x.shape(), weight.shape());
        let (row, c) = (e.row(), e.channels);
        assert_eq!(bias.shape(), [c], "depthwise_conv3d: the bias does not fit");
        let mut out = buffer(e.batch * e.frames_out * e.height * row);
        for_chunks(&mut out, row.max(1), |index, out| {
            let (b, t, y) = e.place(index, e.frames_out);
            for pixel in out.chunks_exact_mut(c) {
                pixel.copy_from_slice(bias.data());
            }
            e.rows_under(b, t, y, |tap, from| {
                let input = &x.data()[from * row..][..row];
                for dx in 0..e.kernel[2] {
                    let (to, from, count) = e.overlap(dx);
                    add_products(
                        &mut out[to * c..][..count * c],
                        &input[from * c..][..count * c],
                        &weight.data()[(tap + dx) * c..][..c],
                    );
                }
            });
        });
        let shape = [e.batch, e.frames_out, e.height, e.width, c];
        (Array::new(out, &shape), (x, weight))
    }

    fn backward(
        &self,
        (x, weight): Self::Saved,
        grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let e = Extents::new(x.shape(), weight.shape());
        let (row, c) = (e.row(), e.channels);
        let x_grad = wanted[0].then(|| {
            let mut out = buffer(x.data().len());
            for_chunks(&mut out, row.max(1), |index, out| {
                let (b, t, y) = e.place(index, e.frames);
                out.fill(0.0);
                e.rows_over(b, t, y, |tap, over| {
                    let grad = &grad.data()[over * row..][..row];
                    for dx in 0..e.kernel[2] {
                        let (from, to, count) = e.overlap(dx);
                        add_products(
                            &mut out[to * c..][..count * c],
                            &grad[from * c..][..count * c],
                            &weight.data()[(tap + dx) * c..][..c],
                        );
                    }
                });
            });
            Array::new(out, x.shape())
        });
        let (weight_grad, bias_grad) = Self::parameter_grads(e, &x, &grad);
        [
            x_grad,
            Some(Array::new(weight_grad, weight.shape())),
            Some(Array::new(bias_grad, &[c])),
        ]
    }
}

impl DepthwiseConv {
    /// The gradients of weight and bias: a partial sum for each output frame, then their sum.
    fn parameter_grads(e: Extents, x: &Array, grad: &Array) -> (Vec<f32>, Vec<f32>) {
        let (row, c) = (e.row(), e.channels);
        let parts: Vec<Vec<f32>> = (0..e.batch * e.frames_out)
            .into_par_iter()
            .map(|frame| {
                let mut sums = vec![0.0; (e.taps() + 1) * c];
                let (taps, bias) = sums.split_at_mut(e.taps() * c);
                for y in 0..e.height {
                    let grad = &grad.data()[(frame * e.height + y) * row..][..row];
                    for pixel in grad.chunks_exact(c) {
                        add_into(bias, pixel);
                    }
                    let (b, t) = (frame / e.frames_out, frame % e.frames_out);
                    e.rows_under(b, t, y, |tap, from| {
                        let input = &x.data()[from * row..][..row];
                        for dx in 0..e.kernel[2] {
                            let (to, from, count) = e.overlap(dx);
                            add_correlation(
                                &mut taps[(tap + dx) * c..][..c],
                                &grad[to * c..][..count * c],
                                &input[from * c..][..count * c],
                            );
                        }
                    });
                }
                sums
            })
            .collect();
        let mut total = vec![0.0; (e.taps() + 1) * c];
        for part in &parts {
            add_into(&mut total, part);
        }
        let bias = total.split_off(e.taps() * c);
        (total, bias)
    }
}

/// `out += x * weight` for each pixel.
#[multiversion(targets = "simd")]
fn add_products(out: &mut [f32], x: &[f32], weight: &[f32]) {
    let c = weight.len();
    for (out, x) in out.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
        for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
            *out = x.mul_add(*weight, *out);
        }
    }
}

/// `sum += a * b` over the pixels.
#[multiversion(targets = "simd")]
fn add_correlation(sum: &mut [f32], a: &[f32], b: &[f32]) {
    let c = sum.len();
    for (a, b) in a.chunks_exact(c).zip(b.chunks_exact(c)) {
        for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(*b, *sum);
        }
    }
}
