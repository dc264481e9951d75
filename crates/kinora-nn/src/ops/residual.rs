//! The gated residual of adaptive-norm transformers.

use burn::tensor::Tensor;
use multiversion::multiversion;

use crate::buffer::{buffer, for_chunks, map_chunks, rows_per_chunk};
use crate::kernel::{Array, Kernel, apply3};

/// `x + gate * y`, with the gate of each batch item spread over its tokens (Peebles & Xie, 2023).
///
/// `x` and `y` are `[B, N, C]`, `gate` is `[B, C]`.
pub fn gated_residual(x: Tensor<3>, y: Tensor<3>, gate: Tensor<2>) -> Tensor<3> {
    apply3(x, y, gate, GatedResidual)
}

#[derive(Clone, Debug)]
struct GatedResidual;

impl Kernel<3> for GatedResidual {
    type Saved = (Array, Array);

    fn forward(&self, [x, y, gate]: [Array; 3]) -> (Array, Self::Saved) {
        let &[batch, tokens, width] = x.shape() else {
            panic!("gated_residual works on [B, N, C], not {:?}", x.shape());
        };
        assert!(
            y.shape() == x.shape() && gate.shape() == [batch, width],
            "gated_residual: x {:?}, y {:?} and gate {:?} do not fit together",
            x.shape(),
            y.shape(),
            gate.shape()
        );
        let mut out = buffer(x.data().len());
        let chunk = rows_per_chunk(width);
        for_chunks(&mut out, chunk * width, |i, out| {
            let at = i * chunk * width;
            let rows = out
                .chunks_exact_mut(width)
                .zip(x.data()[at..].chunks_exact(width))
                .zip(y.data()[at..].chunks_exact(width));
            for (row, ((out, x), y)) in rows.enumerate() {
                let item = (i * chunk + row) / tokens;
                add_scaled(out, x, y, &gate.data()[item * width..][..width]);
            }
        });
        (Array::new(out, x.shape()), (y, gate))
    }

    fn backward(
        &self,
        (y, gate): Self::Saved,
        grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let &[_, tokens, width] = y.shape() else {
            unreachable!("the forward pass checked the shape")
        };
        let mut y_grad = buffer(y.data().len());
        let gate_grad = map_chunks(&mut y_grad, tokens * width, |item, y_grad| {
            let at = item * tokens * width;
            let gate = &gate.data()[item * width..][..width];
            let mut gate_grad = vec![0.0; width];
            let rows = y_grad
                .chunks_exact_mut(width)
                .zip(y.data()[at..].chunks_exact(width))
                .zip(grad.data()[at..].chunks_exact(width));
            for ((y_grad, y), grad) in rows {
                scale_and_sum(y_grad, &mut gate_grad, y, gate, grad);
            }
            gate_grad
        });
        let shape = y.shape();
        [
            wanted[0].then_some(grad),
            wanted[1].then(|| Array::new(y_grad, shape)),
            wanted[2].then(|| Array::new(gate_grad.concat(), gate.shape())),
        ]
    }
}

#[multiversion(targets = "simd")]
fn add_scaled(out: &mut [f32], x: &[f32], y: &[f32], gate: &[f32]) {
    for (((out, x), y), gate) in out.iter_mut().zip(x).zip(y).zip(gate) {
        *out = gate.mul_add(*y, *x);
    }
}

#[multiversion(targets = "simd")]
fn scale_and_sum(y_grad: &mut [f32], gate_grad: &mut [f32], y: &[f32], gate: &[f32], grad: &[f32]) {
    let items = y_grad.iter_mut().zip(gate_grad).zip(y).zip(gate).zip(grad);
    for ((((y_grad, gate_grad), y), gate), grad) in items {
        *y_grad = gate * grad;
        *gate_grad = y.mul_add(*grad, *gate_grad);
    }
}
