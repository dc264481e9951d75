//! Activation functions.

use burn::tensor::Tensor;
use multiversion::multiversion;

use crate::buffer::{GRAIN, buffer, for_chunks};
use crate::kernel::{Array, Kernel, apply1};
use crate::math::sigmoid;

/// The Gaussian error linear unit in its tanh form (Hendrycks & Gimpel, 2016), as PyTorch's
/// `gelu(approximate="tanh")`.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply1(x, Activation::Gelu)
}

/// `x * sigmoid(x)`.
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply1(x, Activation::Silu)
}

#[derive(Clone, Copy, Debug)]
enum Activation {
    Gelu,
    Silu,
}

impl Kernel<1> for Activation {
    type Saved = Array;

    fn forward(&self, [x]: [Array; 1]) -> (Array, Array) {
        let mut out = buffer(x.data().len());
        for_chunks(&mut out, GRAIN, |i, out| {
            let x = &x.data()[i * GRAIN..][..out.len()];
            match self {
                Self::Gelu => gelu_forward(x, out),
                Self::Silu => silu_forward(x, out),
            }
        });
        (Array::new(out, x.shape()), x)
    }

    fn backward(&self, x: Array, grad: Array, _: [bool; 1]) -> [Option<Array>; 1] {
        let mut out = buffer(x.data().len());
        for_chunks(&mut out, GRAIN, |i, out| {
            let x = &x.data()[i * GRAIN..][..out.len()];
            let grad = &grad.data()[i * GRAIN..][..out.len()];
            match self {
                Self::Gelu => gelu_backward(x, grad, out),
                Self::Silu => silu_backward(x, grad, out),
            }
        });
        [Some(Array::new(out, x.shape()))]
    }
}

// The tanh form x/2 * (1 + tanh(u)) equals x * sigmoid(2u), u = sqrt(2/pi) * (x + 0.044715 x^3).
const LINEAR: f32 = 1.595_769;
const CUBIC: f32 = LINEAR * 0.044_715;

#[multiversion(targets = "simd")]
fn gelu_forward(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = x * sigmoid(x * (x * x).mul_add(CUBIC, LINEAR));
    }
}

#[multiversion(targets = "simd")]
fn gelu_backward(x: &[f32], grad: &[f32], out: &mut [f32]) {
    for ((out, &x), &grad) in out.iter_mut().zip(x).zip(grad) {
        let square = x * x;
        let s = sigmoid(x * square.mul_add(CUBIC, LINEAR));
        let slope = x * square.mul_add(3.0 * CUBIC, LINEAR);
        *out = grad * s * slope.mul_add(1.0 - s, 1.0);
    }
}

#[multiversion(targets = "simd")]
fn silu_forward(x: &[f32], out: &mut [f32]) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = x * sigmoid(x);
    }
}

#[multiversion(targets = "simd")]
fn silu_backward(x: &[f32], grad: &[f32], out: &mut [f32]) {
    for ((out, &x), &grad) in out.iter_mut().zip(x).zip(grad) {
        let s = sigmoid(x);
        *out = grad * s * x.mul_add(1.0 - s, 1.0);
    }
}
