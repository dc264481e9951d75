//! The best linear estimate of a latent from a painted one and its neighbours.
//!
//! What a flow leaves undone are errors that it draws at each latent position for itself: tiles that do not meet, and
//! steps from one group of frames to the next. True latents agree with their neighbours, so much of it can be told from
//! the picture by statistics of second order alone (Wiener, 1949): a linear map of the position, its eight neighbours in
//! the frame and the two in time, fitted in closed form to latents of true clips of which each channel is exchanged for
//! noise as far as a flow at a certain noise level would.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use kinora_nn::{Init, Linear, Precision};

/// Channels of the neighbours that are looked at: those of the largest variance.
const OF_NEIGHBOURS: usize = 64;
/// Neighbours in the frame and in time.
const NEIGHBOURS: usize = 8 + 2;

/// A linear map from neighbourhoods of latents to latents.
#[derive(Module, Debug)]
pub struct Smoother {
    linear: Linear,
}

impl Smoother {
    /// Values of a neighbourhood of latents of so many channels.
    pub fn inputs(channels: usize) -> usize {
        channels + NEIGHBOURS * channels.min(OF_NEIGHBOURS)
    }

    /// The map that changes nothing.
    pub(super) fn new(channels: usize, init: &mut Init) -> Self {
        let device = init.device();
        let rest = Self::inputs(channels) - channels;
        let same = Tensor::<2>::eye(channels, &device);
        let weight = Tensor::cat(vec![same, Tensor::zeros([channels, rest], &device)], 1);
        Self {
            linear: Linear::of(weight, Tensor::zeros([channels], &device), Precision::F32),
        }
    }

    /// The same with this weight, `[C, inputs]` row-major, and bias, `[C]`.
    ///
    /// # Panics
    /// If they are of other sizes.
    pub(super) fn with(mut self, weight: Vec<f32>, bias: Vec<f32>) -> Self {
        let ([c, inputs], device) = (self.linear.weight.dims(), self.linear.weight.device());
        let weight = Tensor::<2>::from_data(TensorData::new(weight, [c, inputs]), &device);
        let bias = Tensor::<1>::from_data(TensorData::new(bias, [c]), &device);
        self.linear.weight = Param::from_tensor(weight);
        self.linear.bias = Some(Param::from_tensor(bias));
        self
    }

    /// The neighbourhoods of latents `[B, T, h, w, C]`, `[B, T, h, w, inputs]`. Beyond a border its last latent goes on.
    pub fn neighbourhoods(latent: Tensor<5>) -> Tensor<5> {
        let [_, t, h, w, c] = latent.dims();
        let leading = latent.clone().narrow(4, 0, c.min(OF_NEIGHBOURS));
        let around = grown(grown(grown(leading, 1), 2), 3); // (B, T+2, h+2, w+2, N)
        let mut parts = vec![latent];
        let mut look = |dt: usize, dy: usize, dx: usize| {
            let part = around.clone().narrow(1, dt, t).narrow(2, dy, h);
            parts.push(part.narrow(3, dx, w));
        };
        for dy in 0..3 {
            for dx in 0..3 {
                if (dy, dx) != (1, 1) {
                    look(1, dy, dx);
                }
            }
        }
        look(0, 1, 1);
        look(2, 1, 1);
        Tensor::cat(parts, 4)
    }

    /// Latents `[B, T, h, w, C]` to their estimates.
    pub(super) fn forward(&self, latent: Tensor<5>) -> Tensor<5> {
        self.linear.forward(Self::neighbourhoods(latent))
    }
}

/// With its first and last values once more at both ends of a dimension.
fn grown(x: Tensor<5>, dim: usize) -> Tensor<5> {
    let last = x.dims()[dim] - 1;
    let ends = [0, last].map(|at| x.clone().narrow(dim, at, 1));
    let [first, last] = ends;
    Tensor::cat(vec![first, x, last], dim)
}
