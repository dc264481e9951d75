//! Flow matching: what a network learns (Lipman et al. 2022; Liu et al. 2022), and at which noise levels.

use crate::shift;
use burn::tensor::Tensor;
use kinora_nn::noise;

/// The latent between clip and noise: `(1 - sigma) * clean + sigma * noise`.
///
/// `clean` and `noise` are of one shape, which `sigma` is broadcast to: `[B, 1, ...]` for a level a sample.
pub fn noised<const D: usize>(clean: Tensor<D>, noise: Tensor<D>, sigma: Tensor<D>) -> Tensor<D> {
    clean.clone() + (noise - clean) * sigma
}

/// What the network should answer, at any sigma: `noise - clean`, of their shape.
pub fn velocity<const D: usize>(clean: Tensor<D>, noise: Tensor<D>) -> Tensor<D> {
    noise - clean
}

/// The distribution of training noise levels: a logistic-normal, shifted as the sampler's schedule is (Esser et al.
/// 2024, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timesteps {
    /// Mean of the normal; more than 0 favours noise.
    pub mean: f64,
    /// Its standard deviation, more than 0.
    pub std: f64,
    /// See [`shift`].
    pub shift: f64,
}

impl Timesteps {
    /// `len` noise levels, strictly between 0 and 1 for parameters of a sensible size.
    ///
    /// They come in pairs, the second as far below the median as the first is above it (antithetic variates): a loss
    /// hangs on the noise level more than on the clip, so the mean over a small batch varies less. Each depends on
    /// `seed`, `stream` and its index alone.
    pub fn draw(&self, seed: u64, stream: u64, len: usize) -> Vec<f32> {
        let level = |normal: f32| {
            let logit = self.mean + self.std * f64::from(normal);
            shift(1.0 / (1.0 + (-logit).exp()), self.shift) as f32
        };
        noise::normal(seed, stream, len.div_ceil(2))
            .into_iter()
            .flat_map(|normal| [level(normal), level(-normal)])
            .take(len)
            .collect()
    }
}
