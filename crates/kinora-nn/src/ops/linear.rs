//! The affine map of the last dimension.

use burn::tensor::Tensor;

use crate::buffer::{buffer, column_sum};
use crate::kernel::{Array, Kernel, apply2, apply3};
use crate::matmul::{Precision, View, product};

/// `x * weight^T + bias` over the last dimension.
///
/// `x` is `[..., in]`, `weight` is `[out, in]` as in PyTorch, `bias` is `[out]`; the result is
/// `[..., out]`.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    linear_in(Precision::F32, x, weight, bias)
}

/// [`linear`] with all its products, forward and backward, in the given precision.
pub fn linear_in<const D: usize>(
    precision: Precision,
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    match bias {
        Some(bias) => apply3(x, weight, bias, Linear(precision)),
        None => apply2(x, weight, Linear(precision)),
    }
}

#[derive(Clone, Debug)]
struct Linear(Precision);

impl Linear {
    fn output(&self, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
        let &[outputs, inputs] = weight.shape() else {
            panic!(
                "a linear weight has two dimensions, not {:?}",
                weight.shape()
            );
        };
        let mut shape = x.shape().to_vec();
        let last = shape.last_mut().expect("a tensor has a dimension");
        assert_eq!(
            *last, inputs,
            "linear: weight [{outputs}, {inputs}] does not fit an input of width {last}"
        );
        *last = outputs;
        let rows = x.data().len() / inputs;
        let mut out = buffer(rows * outputs);
        product(
            self.0,
            &mut out,
            View::new(x.data(), rows, inputs),
            View::new(weight.data(), outputs, inputs).t(),
            bias.map(Array::data),
        );
        Array::new(out, &shape)
    }

    fn input_grad(&self, x: &Array, weight: &Array, grad: &Array) -> Array {
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let rows = x.data().len() / inputs;
        let mut out = buffer(rows * inputs);
        product(
            self.0,
            &mut out,
            View::new(grad.data(), rows, outputs),
            View::new(weight.data(), outputs, inputs),
            None,
        );
        Array::new(out, x.shape())
    }

    fn weight_grad(&self, x: &Array, weight: &Array, grad: &Array) -> Array {
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let rows = x.data().len() / inputs;
        let mut out = buffer(outputs * inputs);
        product(
            self.0,
            &mut out,
            View::new(grad.data(), rows, outputs).t(),
            View::new(x.data(), rows, inputs),
            None,
        );
        Array::new(out, weight.shape())
    }
}

impl Kernel<2> for Linear {
    type Saved = (Array, Array);

    fn forward(&self, [x, weight]: [Array; 2]) -> (Array, Self::Saved) {
        (self.output(&x, &weight, None), (x, weight))
    }

    fn backward(
        &self,
        (x, weight): Self::Saved,
        grad: Array,
        wanted: [bool; 2],
    ) -> [Option<Array>; 2] {
        [
            wanted[0].then(|| self.input_grad(&x, &weight, &grad)),
            wanted[1].then(|| self.weight_grad(&x, &weight, &grad)),
        ]
    }
}

impl Kernel<3> for Linear {
    type Saved = (Array, Array);

    fn forward(&self, [x, weight, bias]: [Array; 3]) -> (Array, Self::Saved) {
        assert_eq!(
            bias.shape(),
            &weight.shape()[..1],
            "linear: the bias does not fit the weight"
        );
        (self.output(&x, &weight, Some(&bias)), (x, weight))
    }

    fn backward(
        &self,
        (x, weight): Self::Saved,
        grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let outputs = weight.shape()[0];
        [
            wanted[0].then(|| self.input_grad(&x, &weight, &grad)),
            wanted[1].then(|| self.weight_grad(&x, &weight, &grad)),
            wanted[2].then(|| Array::new(column_sum(grad.data(), outputs), &[outputs])),
        ]
    }
}
