//! The affine map of the last dimension.

use burn::tensor::Tensor;

use crate::buffer::{buffer, column_sum};
use crate::kernel::{Array, Kernel, apply1, apply2, apply3};
use crate::matmul::{Precision, Right, View, product};
use crate::weights::Stored;

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

/// [`linear_in`] of a weight that stays in its file.
pub fn linear_stored<const D: usize>(
    precision: Precision,
    x: Tensor<D>,
    weight: &Stored,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let kernel = LinearStored {
        precision,
        weight: weight.clone(),
    };
    match bias {
        Some(bias) => apply2(x, bias, kernel),
        None => apply1(x, kernel),
    }
}

/// `x * right + bias`, `x` `[..., k]` and `right` `[k, n]`.
fn mapped(precision: Precision, x: &Array, right: Right<'_>, bias: Option<&Array>) -> Array {
    let [inputs, outputs] = right.extents();
    let mut shape = x.shape().to_vec();
    let last = shape.last_mut().expect("a tensor has a dimension");
    assert_eq!(
        *last, inputs,
        "linear: a weight from {inputs} to {outputs} does not fit an input of width {last}"
    );
    assert!(
        bias.is_none_or(|bias| bias.shape() == [outputs]),
        "linear: the bias does not fit the weight"
    );
    *last = outputs;
    let rows = x.data().len() / inputs;
    let mut out = buffer(rows * outputs);
    let x = View::new(x.data(), rows, inputs);
    product(precision, &mut out, x, right, bias.map(Array::data));
    Array::new(out, &shape)
}

#[derive(Clone, Debug)]
struct LinearStored {
    precision: Precision,
    weight: Stored,
}

impl LinearStored {
    fn output(&self, x: &Array, bias: Option<&Array>) -> Array {
        let out = mapped(self.precision, x, Right::Stored(&self.weight), bias);
        self.weight.used();
        out
    }

    fn input_grad(&self, grad: &Array) -> Array {
        let [outputs, inputs] = self.weight.shape();
        let weight = self.weight.rows(0..outputs);
        let weight = Right::Dense(View::new(&weight, outputs, inputs));
        mapped(self.precision, grad, weight, None)
    }
}

impl Kernel<1> for LinearStored {
    type Saved = ();

    fn forward(&self, [x]: [Array; 1]) -> (Array, ()) {
        (self.output(&x, None), ())
    }

    fn backward(&self, (): (), grad: Array, _: [bool; 1]) -> [Option<Array>; 1] {
        [Some(self.input_grad(&grad))]
    }
}

impl Kernel<2> for LinearStored {
    type Saved = ();

    fn forward(&self, [x, bias]: [Array; 2]) -> (Array, ()) {
        (self.output(&x, Some(&bias)), ())
    }

    fn backward(&self, (): (), grad: Array, wanted: [bool; 2]) -> [Option<Array>; 2] {
        let outputs = self.weight.shape()[0];
        [
            wanted[0].then(|| self.input_grad(&grad)),
            wanted[1].then(|| Array::new(column_sum(grad.data(), outputs), &[outputs])),
        ]
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
        let weight = View::new(weight.data(), outputs, inputs).t();
        mapped(self.0, x, Right::Dense(weight), bias)
    }

    fn input_grad(&self, weight: &Array, grad: &Array) -> Array {
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let weight = View::new(weight.data(), outputs, inputs);
        mapped(self.0, grad, Right::Dense(weight), None)
    }

    fn weight_grad(&self, x: &Array, weight: &Array, grad: &Array) -> Array {
        let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
        let rows = x.data().len() / inputs;
        let mut out = buffer(outputs * inputs);
        product(
            self.0,
            &mut out,
            View::new(grad.data(), rows, outputs).t(),
            Right::Dense(View::new(x.data(), rows, inputs)),
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
            wanted[0].then(|| self.input_grad(&weight, &grad)),
            wanted[1].then(|| self.weight_grad(&x, &weight, &grad)),
        ]
    }
}

impl Kernel<3> for Linear {
    type Saved = (Array, Array);

    fn forward(&self, [x, weight, bias]: [Array; 3]) -> (Array, Self::Saved) {
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
            wanted[0].then(|| self.input_grad(&weight, &grad)),
            wanted[1].then(|| self.weight_grad(&x, &weight, &grad)),
            wanted[2].then(|| Array::new(column_sum(grad.data(), outputs), &[outputs])),
        ]
    }
}
