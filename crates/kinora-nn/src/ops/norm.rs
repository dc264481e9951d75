//! Layer norm, RMS norm, and layer norm modulated by a condition.

use burn::tensor::Tensor;
use multiversion::multiversion;
use std::sync::Arc;

use crate::buffer::{add_into, buffer, for_chunks, map_chunks, rows_per_chunk};
use crate::kernel::{Array, Kernel, apply2, apply3};
use crate::math::sigmoid;

/// Layer norm over the last dimension (Ba et al., 2016): `(x - mean) / sqrt(var + eps)`, times
/// `weight`, plus `bias`, each `[C]` and each left out when `None`.
pub fn layer_norm<const D: usize>(
    x: Tensor<D>,
    weight: Option<Tensor<1>>,
    bias: Option<Tensor<1>>,
    eps: f32,
) -> Tensor<D> {
    let width = x.dims()[D - 1];
    let device = x.device();
    let weight = weight.unwrap_or_else(|| Tensor::ones([width], &device));
    let bias = bias.unwrap_or_else(|| Tensor::zeros([width], &device));
    let norm = Norm {
        centre: true,
        unit: 0.0,
        eps,
    };
    apply3(x, weight, bias, norm)
}

/// `x / sqrt(mean(x^2) + eps) * weight` over the last dimension (Zhang & Sennrich, 2019).
/// `weight` is `[C]`.
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f32) -> Tensor<D> {
    let norm = Norm {
        centre: false,
        unit: 0.0,
        eps,
    };
    apply2(x, weight, norm)
}

/// `silu(rms_norm(x, weight, eps))`, without a gradient: what is in between never leaves the cache.
///
/// # Panics
/// In a backward pass.
pub fn rms_norm_silu<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f32) -> Tensor<D> {
    apply2(x, weight, NormSilu { eps })
}

/// [`rms_norm`] of each head on its own: `x` is `[B, N, heads * Dh]`, `weight` is `[Dh]`.
pub fn rms_norm_heads(x: Tensor<3>, weight: Tensor<1>, heads: usize, eps: f32) -> Tensor<3> {
    let (width, head) = (x.dims()[2], weight.dims()[0]);
    assert_eq!(
        width,
        heads * head,
        "rms_norm_heads: width {width} is not {heads} heads of {head}"
    );
    rms_norm(x, weight, eps)
}

/// `layer_norm(x) * (1 + scale) + shift`, the conditioning of a diffusion transformer (Peebles &
/// Xie, 2023). `x` is `[B, N, C]`; `shift` and `scale` are `[B, C]`.
pub fn modulate(x: Tensor<3>, shift: Tensor<2>, scale: Tensor<2>, eps: f32) -> Tensor<3> {
    let norm = Norm {
        centre: true,
        unit: 1.0,
        eps,
    };
    apply3(x, scale, shift, norm)
}

/// `norm(x) * (unit + scale) + shift`, over rows as wide as the last extent of `scale`. All
/// extents of `scale` before the last count groups; each takes an equal share of the rows.
#[derive(Clone, Copy, Debug)]
struct Norm {
    centre: bool,
    unit: f32,
    eps: f32,
}

/// What the backward pass needs: the input, the scale, and mean and reciprocal deviation by row.
type Saved = (Array, Array, Arc<[Moments]>);

/// Mean and reciprocal deviation of a row.
#[derive(Clone, Copy, Debug)]
struct Moments {
    mean: f32,
    inverse: f32,
}

/// How the rows of an input fall into groups.
struct Layout {
    width: usize,
    groups: usize,
    /// Elements in a group.
    group: usize,
    /// Elements in a chunk of rows; a chunk never spans two groups.
    chunk: usize,
}

impl Layout {
    fn new(x: &Array, scale: &Array) -> Self {
        let (shape, extents) = (x.shape(), scale.shape());
        let width = extents[extents.len() - 1];
        let groups = extents[..extents.len() - 1].iter().product();
        assert!(
            width > 0
                && shape[shape.len() - 1].is_multiple_of(width)
                && (extents.len() == 1 || shape[0] == groups),
            "norm: scale {extents:?} does not fit an input of {shape:?}"
        );
        Self {
            width,
            groups,
            group: x.data().len() / groups.max(1),
            chunk: rows_per_chunk(width) * width,
        }
    }
}

impl Norm {
    fn run(self, x: Array, scale: Array, shift: Option<&Array>) -> (Array, Saved) {
        let layout = Layout::new(&x, &scale);
        let Layout { width, group, .. } = layout;
        if let Some(shift) = shift {
            assert_eq!(
                shift.shape(),
                scale.shape(),
                "norm: shift and scale differ in shape"
            );
        }
        let zeros = vec![0.0; width];
        let mut out = buffer(x.data().len());
        let by_group = map_chunks(&mut out, group.max(1), |item, out| {
            let x = &x.data()[item * group..][..group];
            let scale = &scale.data()[item * width..][..width];
            let shift = shift.map_or(&zeros[..], |s| &s.data()[item * width..][..width]);
            let by_chunk = map_chunks(out, layout.chunk, |i, out| {
                let x = &x[i * layout.chunk..][..out.len()];
                let mut moments = Vec::with_capacity(out.len() / width);
                for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    let row = moments_of(x, self.centre, self.eps);
                    normalise(out, x, row, scale, shift, self.unit);
                    moments.push(row);
                }
                moments
            });
            by_chunk.concat()
        });
        let out = Array::new(out, x.shape());
        (out, (x, scale, by_group.concat().into()))
    }

    /// The gradients of input, scale and shift.
    fn gradients(self, (x, scale, moments): Saved, grad: &Array) -> [Array; 3] {
        let layout = Layout::new(&x, &scale);
        let Layout { width, group, .. } = layout;
        let mut x_grad = buffer(x.data().len());
        // For each group, the gradients of scale and shift side by side.
        let sums = map_chunks(&mut x_grad, group.max(1), |item, x_grad| {
            let at = item * group;
            let scale = &scale.data()[item * width..][..width];
            let parts = map_chunks(x_grad, layout.chunk, |i, x_grad| {
                let at = at + i * layout.chunk;
                let mut sums = vec![0.0; 2 * width];
                let (scale_grad, shift_grad) = sums.split_at_mut(width);
                let rows = x_grad
                    .chunks_exact_mut(width)
                    .zip(x.data()[at..].chunks_exact(width))
                    .zip(grad.data()[at..].chunks_exact(width))
                    .zip(&moments[at / width..]);
                for (((x_grad, x), grad), row) in rows {
                    normalise_backward(x_grad, scale_grad, shift_grad, x, grad, scale, *row, self);
                }
                sums
            });
            let mut total = vec![0.0; 2 * width];
            for part in &parts {
                add_into(&mut total, part);
            }
            total
        });
        let side = |from: usize| {
            let parts: Vec<&[f32]> = sums.iter().map(|s| &s[from..from + width]).collect();
            let mut side = parts.concat();
            side.resize(layout.groups * width, 0.0);
            Array::new(side, scale.shape())
        };
        [Array::new(x_grad, x.shape()), side(0), side(width)]
    }
}

impl Kernel<2> for Norm {
    type Saved = Saved;

    fn forward(&self, [x, scale]: [Array; 2]) -> (Array, Saved) {
        self.run(x, scale, None)
    }

    fn backward(&self, saved: Saved, grad: Array, _: [bool; 2]) -> [Option<Array>; 2] {
        let [x, scale, _] = self.gradients(saved, &grad);
        [Some(x), Some(scale)]
    }
}

impl Kernel<3> for Norm {
    type Saved = Saved;

    fn forward(&self, [x, scale, shift]: [Array; 3]) -> (Array, Saved) {
        self.run(x, scale, Some(&shift))
    }

    fn backward(&self, saved: Saved, grad: Array, _: [bool; 3]) -> [Option<Array>; 3] {
        self.gradients(saved, &grad).map(Some)
    }
}

#[derive(Clone, Copy, Debug)]
struct NormSilu {
    eps: f32,
}

impl Kernel<2> for NormSilu {
    type Saved = ();

    fn forward(&self, [x, scale]: [Array; 2]) -> (Array, ()) {
        let Layout { width, chunk, .. } = Layout::new(&x, &scale);
        let zeros = vec![0.0; width];
        let mut out = buffer(x.data().len());
        for_chunks(&mut out, chunk, |i, out| {
            let x = &x.data()[i * chunk..][..out.len()];
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let row = moments_of(x, false, self.eps);
                normalise(out, x, row, scale.data(), &zeros, 0.0);
            }
            silu_of(out);
        });
        (Array::new(out, x.shape()), ())
    }

    fn backward(&self, (): (), _: Array, _: [bool; 2]) -> [Option<Array>; 2] {
        panic!("rms_norm_silu has no gradient: the networks that use it are not trained here")
    }
}

/// Partial sums kept side by side, so that the compiler can use vector registers.
const LANES: usize = 16;

#[inline(always)]
fn sum_of(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += term(x);
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|&x| term(x)).sum::<f32>()
}

#[multiversion(targets = "simd")]
fn moments_of(x: &[f32], centre: bool, eps: f32) -> Moments {
    let count = x.len() as f32;
    let mean = if centre {
        sum_of(x, |x| x) / count
    } else {
        0.0
    };
    let variance = sum_of(x, |x| (x - mean) * (x - mean)) / count;
    Moments {
        mean,
        inverse: 1.0 / (variance + eps).sqrt(),
    }
}

#[multiversion(targets = "simd")]
fn normalise(out: &mut [f32], x: &[f32], row: Moments, scale: &[f32], shift: &[f32], unit: f32) {
    for (((out, x), scale), shift) in out.iter_mut().zip(x).zip(scale).zip(shift) {
        *out = ((x - row.mean) * row.inverse).mul_add(unit + scale, *shift);
    }
}

#[multiversion(targets = "simd")]
fn silu_of(x: &mut [f32]) {
    for x in x {
        *x *= sigmoid(*x);
    }
}

/// Writes the gradient of one row, and adds the row's share to the gradients of scale and shift.
#[multiversion(targets = "simd")]
#[allow(clippy::too_many_arguments)]
fn normalise_backward(
    x_grad: &mut [f32],
    scale_grad: &mut [f32],
    shift_grad: &mut [f32],
    x: &[f32],
    grad: &[f32],
    scale: &[f32],
    row: Moments,
    norm: Norm,
) {
    // With n the normalised row and d = grad * (unit + scale), the gradient of the input is
    // (d - mean(d) - n * mean(d * n)) / deviation; without centring, mean(d) does not appear.
    let n = |x: f32| (x - row.mean) * row.inverse;
    let mut sums = [[0.0f32; LANES]; 2];
    let mut whole = 0;
    while whole < x.len() {
        let end = (whole + LANES).min(x.len());
        for (lane, i) in (whole..end).enumerate() {
            let d = grad[i] * (norm.unit + scale[i]);
            let n = n(x[i]);
            sums[0][lane] += d;
            sums[1][lane] += d * n;
            scale_grad[i] += grad[i] * n;
            shift_grad[i] += grad[i];
            x_grad[i] = d;
        }
        whole = end;
    }
    let count = x.len() as f32;
    let mean_d = if norm.centre {
        sums[0].iter().sum::<f32>() / count
    } else {
        0.0
    };
    let mean_dn = sums[1].iter().sum::<f32>() / count;
    for (x_grad, &x) in x_grad.iter_mut().zip(x) {
        *x_grad = (*x_grad - mean_d - n(x) * mean_dn) * row.inverse;
    }
}
