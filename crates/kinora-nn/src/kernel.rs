//! The bridge from Burn tensors to kernels on plain slices, with handwritten backward passes.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use burn_flex::FlexTensor;
use std::fmt::Debug;

/// A contiguous `f32` array with a shape. Cloning shares the data.
#[derive(Clone, Debug)]
pub struct Array(FlexTensor);

impl Array {
    /// An array of the given shape over `data`.
    pub fn new(data: Vec<f32>, shape: &[usize]) -> Self {
        Self(FlexTensor::from_data(TensorData::new(data, shape)))
    }

    /// The array of a primitive; copies only if it is a strided view.
    pub fn from_primitive(tensor: &FlexTensor) -> Self {
        Self(tensor.to_contiguous())
    }

    /// The elements in row-major order.
    pub fn data(&self) -> &[f32] {
        self.0
            .as_slice::<f32>()
            .expect("kernels work on f32 tensors; cast the tensor first")
    }

    /// The extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        self.0.layout().shape()
    }
}

/// A differentiable function of `N` arrays.
pub trait Kernel<const N: usize>: Clone + Debug + Send + 'static {
    /// What the backward pass needs.
    type Saved: Clone + Debug + Send + 'static;

    /// The result, and what to keep of the computation.
    fn forward(&self, inputs: [Array; N]) -> (Array, Self::Saved);

    /// The gradient of each wanted input, given the gradient of the result.
    fn backward(&self, saved: Self::Saved, grad: Array, wanted: [bool; N]) -> [Option<Array>; N];
}

/// Kernels as operations of a backend, one method for each number of inputs.
#[backend_extension(Flex, Autodiff)]
pub trait Kernels: Backend {
    /// Applies a kernel of one input.
    fn apply1<K: Kernel<1>>(a: FloatTensor<Self>, kernel: K) -> FloatTensor<Self>;
    /// Applies a kernel of two inputs.
    fn apply2<K: Kernel<2>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self>;
    /// Applies a kernel of three inputs.
    fn apply3<K: Kernel<3>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self>;
    /// Applies a kernel of five inputs.
    fn apply5<K: Kernel<5>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn apply1<K: Kernel<1>>(a: FloatTensor<Self>, kernel: K) -> FloatTensor<Self> {
        plain([a], kernel)
    }

    fn apply2<K: Kernel<2>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        plain([a, b], kernel)
    }

    fn apply3<K: Kernel<3>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        plain([a, b, c], kernel)
    }

    fn apply5<K: Kernel<5>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        plain([a, b, c, d, e], kernel)
    }
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn apply1<K: Kernel<1>>(a: FloatTensor<Self>, kernel: K) -> FloatTensor<Self> {
        tracked::<K, C, 1>([a], kernel)
    }

    fn apply2<K: Kernel<2>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        tracked::<K, C, 2>([a, b], kernel)
    }

    fn apply3<K: Kernel<3>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        tracked::<K, C, 3>([a, b, c], kernel)
    }

    fn apply5<K: Kernel<5>>(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        kernel: K,
    ) -> FloatTensor<Self> {
        tracked::<K, C, 5>([a, b, c, d, e], kernel)
    }
}

fn plain<K: Kernel<N>, const N: usize>(inputs: [FlexTensor; N], kernel: K) -> FlexTensor {
    kernel
        .forward(inputs.map(|t| Array::from_primitive(&t)))
        .0
        .0
}

#[derive(Debug)]
struct Step<K>(K);

impl<K: Kernel<N>, const N: usize> Backward<Flex, N> for Step<K> {
    type State = K::Saved;

    fn backward(self, ops: Ops<K::Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = Array::from_primitive(&grads.consume::<Flex>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let results = self.0.backward(ops.state, grad, wanted);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(Array(result))) = (parent, result) {
                grads.register::<Flex>(parent.id, result);
            }
        }
    }
}

fn tracked<K: Kernel<N>, C: CheckpointStrategy, const N: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
    kernel: K,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let arrays = inputs.map(|input| Array::from_primitive(&input.into_primitive()));
    let step = Step(kernel.clone()).prepare::<C>(nodes).compute_bound();
    let (Array(output), saved) = kernel.forward(arrays);
    match step.stateful() {
        OpsKind::Tracked(step) => step.finish(saved, output),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}

/// Applies `kernel` to one tensor; the result has `R` dimensions.
pub(crate) fn apply1<const A: usize, const R: usize>(
    a: Tensor<A>,
    kernel: impl Kernel<1>,
) -> Tensor<R> {
    Tensor::from_dispatch(<Dispatch as Kernels>::apply1(a.into_dispatch(), kernel))
}

/// Applies `kernel` to two tensors; the result has `R` dimensions.
pub(crate) fn apply2<const A: usize, const B: usize, const R: usize>(
    a: Tensor<A>,
    b: Tensor<B>,
    kernel: impl Kernel<2>,
) -> Tensor<R> {
    Tensor::from_dispatch(<Dispatch as Kernels>::apply2(
        a.into_dispatch(),
        b.into_dispatch(),
        kernel,
    ))
}

/// Applies `kernel` to three tensors; the result has `R` dimensions.
pub(crate) fn apply3<const A: usize, const B: usize, const C: usize, const R: usize>(
    a: Tensor<A>,
    b: Tensor<B>,
    c: Tensor<C>,
    kernel: impl Kernel<3>,
) -> Tensor<R> {
    Tensor::from_dispatch(<Dispatch as Kernels>::apply3(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        kernel,
    ))
}

/// Applies `kernel` to three tensors of a kind and two more; the result has `R` dimensions.
pub(crate) fn apply5<const A: usize, const B: usize, const C: usize, const R: usize>(
    [a, b, c]: [Tensor<A>; 3],
    d: Tensor<B>,
    e: Tensor<C>,
    kernel: impl Kernel<5>,
) -> Tensor<R> {
    Tensor::from_dispatch(<Dispatch as Kernels>::apply5(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        d.into_dispatch(),
        e.into_dispatch(),
        kernel,
    ))
}
