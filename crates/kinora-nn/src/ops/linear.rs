//! The affine map of the last dimension.

use burn::tensor::Tensor;

use crate::buffer::{buffer, column_sum};
use crate::kernel::{Array, Kernel, apply2, apply3};
use crate::matmul::{Store, Threads, View, multiply};

/// `x * weight^T + bias` over the last dimension.
///
/// `x` is `[..., in]`, `weight` is `[out, in]` as in PyTorch, `bias` is `[out]`; the result is
/// `[..., out]`.
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    match bias {
        Some(bias) => apply3(x, weight, bias, Linear),
        None => apply2(x, weight, Linear),
    }
}

#[derive(Clone, Debug)]
struct Linear;

impl Linear {
    fn product(x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
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
        let store = match bias {
            Some(bias) => {
                for row in out.chunks_exact_mut(outputs) {
                    row.copy_from_slice(bias.data());
                }
                Store::Add
            }
            None => Store::Overwrite,
        };
        multiply(
            &mut out,
            outputs,
            store,
            1.0,
            View::new(x.data(), rows, inputs),
            View::new(weight.data(), outputs, inputs).t(),
            Threads::All,
        );
        Array::new(out, &shape)
    }

    fn input_grad(x: &Array, weight: &Array, grad: &Array) -> Array {
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let rows = x.data().len() / inputs;
        let mut out = buffer(rows * inputs);
        multiply(
            &mut out,
            inputs,
            Store::Overwrite,
            1.0,
            View::new(grad.data(), rows, outputs),
            View::new(weight.data(), outputs, inputs),
            Threads::All,
        );
        Array::new(out, x.shape())
    }

    fn weight_grad(x: &Array, weight: &Array, grad: &Array) -> Array {
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let rows = x.data().len() / inputs;
        let mut out = buffer(outputs * inputs);
        multiply(
            &mut out,
            inputs,
            Store::Overwrite,
            1.0,
            View::new(grad.data(), rows, outputs).t(),
            View::new(x.data(), rows, inputs),
            Threads::All,
        );
        Array::new(out, weight.shape())
    }
}

impl Kernel<2> for Linear {
    type Saved = (Array, Array);

    fn forward(&self, [x, weight]: [Array; 2]) -> (Array, Self::Saved) {
        (Self::product(&x, &weight, None), (x, weight))
    }

    fn backward(
        &self,
        (x, weight): Self::Saved,
        grad: Array,
        wanted: [bool; 2],
    ) -> [Option<Array>; 2] {
        [
            wanted[0].then(|| Self::input_grad(&x, &weight, &grad)),
            wanted[1].then(|| Self::weight_grad(&x, &weight, &grad)),
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
        (Self::product(&x, &weight, Some(&bias)), (x, weight))
    }

    fn backward(
        &self,
        (x, weight): Self::Saved,
        grad: Array,
        wanted: [bool; 3],
    ) -> [Option<Array>; 3] {
        let outputs = weight.shape()[0];
        [
            wanted[0].then(|| Self::input_grad(&x, &weight, &grad)),
            wanted[1].then(|| Self::weight_grad(&x, &weight, &grad)),
            wanted[2].then(|| Array::new(column_sum(grad.data(), outputs), &[outputs])),
        ]
    }
}
