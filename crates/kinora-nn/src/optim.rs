//! AdamW, gradient norms and moving averages over the parameters of a module.

use burn::backend::Flex;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Gradients, Tensor};
use burn_flex::FlexTensor;
use multiversion::multiversion;
use rayon::prelude::*;
use std::collections::BTreeMap;

use crate::buffer::GRAIN;
use crate::kernel::Array;

/// A parameter of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Field names joined by dots, as in `blocks.0.attn.qkv.weight`.
    pub name: String,
    /// Burn's identifier.
    pub id: ParamId,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
}

/// The float parameters of `module`, in the order of its fields.
pub fn parameters(module: &impl Module) -> Vec<Parameter> {
    let mut found = Vec::new();
    visit(module, |name, parameter| {
        found.push(Parameter {
            name: name.to_owned(),
            id: parameter.id,
            shape: parameter.value.shape().to_vec(),
        });
    });
    found
}

/// The gradients of a module's parameters by name.
#[derive(Clone, Debug, Default)]
pub struct Grads(BTreeMap<String, Array>);

impl Grads {
    /// Takes the gradients of `module`'s parameters out of the result of a backward pass.
    /// Parameters that had no part in it are left out.
    pub fn take(module: &impl Module, grads: &mut Gradients) -> Self {
        struct Take<'a> {
            path: Vec<String>,
            grads: &'a mut Gradients,
            found: BTreeMap<String, Array>,
        }
        impl ModuleVisitor for Take<'_> {
            fn enter_module(&mut self, name: &str, _: &str) {
                self.path.push(name.to_owned());
            }
            fn exit_module(&mut self, _: &str, _: &str) {
                self.path.pop();
            }
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(grad) = param.val().grad_remove(self.grads) {
                    self.found.insert(self.path.join("."), array(grad));
                }
            }
        }
        let mut take = Take {
            path: Vec::new(),
            grads,
            found: BTreeMap::new(),
        };
        module.visit(&mut take);
        Self(take.found)
    }

    /// Adds the gradients of another part of the batch.
    pub fn add(&mut self, other: Self) {
        for (name, part) in other.0 {
            let sum = match self.0.remove(&name) {
                Some(sum) => {
                    let (a, b) = (sum.data().par_iter(), part.data().par_iter());
                    let data = a.zip(b).with_min_len(GRAIN).map(|(a, b)| a + b).collect();
                    Array::new(data, part.shape())
                }
                None => part,
            };
            self.0.insert(name, sum);
        }
    }

    /// The gradient of the parameter of that name, row-major.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.0.get(name).map(Array::data)
    }

    /// The Euclidean norm over all gradients, summed in f64 in a fixed order.
    pub fn norm(&self) -> f32 {
        let sum: f64 = self.0.values().map(|g| square_sum(g.data())).sum();
        sum.sqrt() as f32
    }
}

/// The constants of AdamW.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the mean of gradients.
    pub beta1: f32,
    /// Decay of the mean of squared gradients.
    pub beta2: f32,
    /// Added to the root of the mean square.
    pub eps: f32,
    /// Decoupled decay of parameters of two or more dimensions; biases and norms do not decay.
    pub weight_decay: f32,
}

/// Running means of one parameter's gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// Of the gradient.
    pub mean: Vec<f32>,
    /// Of its square.
    pub square: Vec<f32>,
}

/// Adam with decoupled weight decay (Loshchilov & Hutter, 2019). All fields are open, so that a
/// checkpoint can hold and restore them.
#[derive(Clone, Debug)]
pub struct AdamW {
    /// The constants.
    pub config: AdamWConfig,
    /// Steps taken.
    pub steps: u32,
    /// Running means by parameter name.
    pub moments: BTreeMap<String, Moments>,
}

impl AdamW {
    /// An optimiser that has seen no step.
    pub fn new(config: AdamWConfig) -> Self {
        Self {
            config,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// One step at `learning_rate`, with the gradients multiplied by `grad_scale` (1 for none; to
    /// clip, the greatest norm over the norm). Parameters without a gradient stay as they are.
    pub fn step<M: Module>(
        &mut self,
        module: M,
        grads: &Grads,
        learning_rate: f32,
        grad_scale: f32,
    ) -> M {
        self.steps += 1;
        let c = self.config;
        // 1 - beta^n in f64: it loses all digits in f32 when beta is close to one.
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(f64::from(self.steps));
        let rates = Rates {
            beta1: c.beta1,
            beta2: c.beta2,
            eps: c.eps,
            step: (f64::from(learning_rate) / correction(c.beta1)) as f32,
            square: (1.0 / correction(c.beta2)) as f32,
            keep: 1.0,
            grad_scale,
        };
        let moments = &mut self.moments;
        update(module, |name, shape, values| {
            let Some(grad) = grads.get(name) else {
                return;
            };
            let len = values.len();
            let moments = moments.entry(name.to_owned()).or_insert_with(|| Moments {
                mean: vec![0.0; len],
                square: vec![0.0; len],
            });
            let mut rates = rates;
            if shape.len() > 1 {
                rates.keep = 1.0 - learning_rate * c.weight_decay;
            }
            adamw(values, moments, grad, rates);
        })
    }
}

/// A moving average of a module's parameters by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Ema {
    /// The averages, row-major.
    pub values: BTreeMap<String, Vec<f32>>,
}

impl Ema {
    /// An average that starts at the parameters of `module`.
    pub fn new(module: &impl Module) -> Self {
        let mut values = BTreeMap::new();
        visit(module, |name, parameter| {
            values.insert(name.to_owned(), parameter.value.data().to_vec());
        });
        Self { values }
    }

    /// `average = decay * average + (1 - decay) * parameter`.
    pub fn update(&mut self, module: &impl Module, decay: f32) {
        visit(module, |name, parameter| {
            if let Some(average) = self.values.get_mut(name) {
                average
                    .par_chunks_mut(GRAIN)
                    .zip(parameter.value.data().par_chunks(GRAIN))
                    .for_each(|(average, value)| blend(average, value, 1.0 - decay));
            }
        });
    }

    /// `module` with the averages in place of its parameters.
    pub fn apply<M: Module>(&self, module: M) -> M {
        update(module, |name, _, values| {
            if let Some(average) = self.values.get(name) {
                values.copy_from_slice(average);
            }
        })
    }
}

/// The factors of one step.
#[derive(Clone, Copy)]
struct Rates {
    beta1: f32,
    beta2: f32,
    eps: f32,
    /// Learning rate over the correction of the mean.
    step: f32,
    /// One over the correction of the mean square.
    square: f32,
    /// What weight decay leaves.
    keep: f32,
    grad_scale: f32,
}

fn adamw(values: &mut [f32], moments: &mut Moments, grad: &[f32], rates: Rates) {
    values
        .par_chunks_mut(GRAIN)
        .zip(moments.mean.par_chunks_mut(GRAIN))
        .zip(moments.square.par_chunks_mut(GRAIN))
        .zip(grad.par_chunks(GRAIN))
        .for_each(|(((p, m), v), g)| adamw_chunk(p, m, v, g, rates));
}

#[multiversion(targets = "simd")]
fn adamw_chunk(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], rates: Rates) {
    for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
        let g = g * rates.grad_scale;
        *m = (g - *m).mul_add(1.0 - rates.beta1, *m);
        *v = (g * g - *v).mul_add(1.0 - rates.beta2, *v);
        let deviation = (*v * rates.square).sqrt() + rates.eps;
        *p = *p * rates.keep - rates.step * *m / deviation;
    }
}

#[multiversion(targets = "simd")]
fn blend(average: &mut [f32], value: &[f32], share: f32) {
    for (average, value) in average.iter_mut().zip(value) {
        *average = (value - *average).mul_add(share, *average);
    }
}

fn square_sum(x: &[f32]) -> f64 {
    let parts: Vec<f64> = x.par_chunks(GRAIN).map(square_sum_chunk).collect();
    parts.iter().sum()
}

#[multiversion(targets = "simd")]
fn square_sum_chunk(x: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    let (blocks, rest) = x.as_chunks::<8>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>()
}

/// The elements of a tensor, with or without autodiff.
fn array<const D: usize>(tensor: Tensor<D>) -> Array {
    Array::from_primitive(&primitive(tensor))
}

fn primitive<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    tensor
        .inner()
        .try_into_primitive::<Flex>()
        .expect("kernels work on the flex device")
}

/// A parameter met on a visit.
pub(crate) struct Visited {
    pub(crate) id: ParamId,
    pub(crate) value: Array,
}

/// Calls `see` with the name and value of each float parameter.
pub(crate) fn visit(module: &impl Module, see: impl FnMut(&str, Visited)) {
    struct Visit<F> {
        path: Vec<String>,
        see: F,
    }
    impl<F: FnMut(&str, Visited)> ModuleVisitor for Visit<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let visited = Visited {
                id: param.id,
                value: array(param.val()),
            };
            (self.see)(&self.path.join("."), visited);
        }
    }
    module.visit(&mut Visit {
        path: Vec::new(),
        see,
    });
}

/// Calls `change` with the name, shape and elements of each float parameter. The elements are
/// changed in place unless another tensor shares them.
pub(crate) fn update<M: Module>(module: M, change: impl FnMut(&str, &[usize], &mut [f32])) -> M {
    struct Update<F> {
        path: Vec<String>,
        change: F,
    }
    impl<F: FnMut(&str, &[usize], &mut [f32])> ModuleMapper for Update<F> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| {
                let (autodiff, tracked) = (tensor.is_autodiff(), tensor.is_require_grad());
                let shape = tensor.dims();
                let mut values = primitive(tensor);
                if values
                    .as_slice::<f32>()
                    .is_none_or(|s| s.len() * 4 != values.bytes().len())
                {
                    values = values.to_contiguous();
                }
                (self.change)(&self.path.join("."), &shape, values.storage_mut());
                let tensor = Tensor::from_primitive::<Flex>(values);
                let tensor = if autodiff { tensor.autodiff() } else { tensor };
                tensor.set_require_grad(tracked)
            })
        }
    }
    module.map(&mut Update {
        path: Vec::new(),
        change,
    })
}
