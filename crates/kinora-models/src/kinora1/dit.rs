//! The diffusion transformer over spacetime patches of latents.
//!
//! Blocks follow DiT (arXiv:2212.09748) with adaLN modulation computed once and shared by all blocks plus a table a
//! block (PixArt-alpha, arXiv:2310.00426), query and key normalisation (arXiv:2302.05442), 3-D rotary positions as in
//! Wan (arXiv:2503.20314) and cross-attention to the caption. Rotary positions tell how far apart two patches are;
//! where a patch lies in the frame comes from its coordinates, given relative to the frame, so composition carries
//! over to any size, aspect and duration. The network names the clean latent and the velocity follows from it: a
//! patch has as many channels as the network is wide, and noise does not fit through, as JiT found (arXiv:2511.13720).

use super::config::DitConfig;
use super::text::Text;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{
    Init, LayerNorm, Linear, RmsNorm, RopeTable, attention, gated_residual, gelu, modulate, rope,
    silu,
};

/// Latent positions across and down that one token stands for.
pub const PATCH: usize = 2;
/// Channels of the sinusoidal embedding of sigma.
const TIME_FREQUENCIES: usize = 128;
/// Octaves of the sinusoidal embedding of a coordinate.
const COORDINATE_OCTAVES: usize = 4;
/// Latent frames over which the time coordinate grows by one.
const TIME_UNIT: f32 = 8.0;
/// Base of the rotary wavelengths: shorter than a language model's 10,000, for grids of at most some dozen tokens.
const ROPE_THETA: f64 = 100.0;
const EPS: f32 = 1e-6;
/// Least noise level that the velocity is computed with, so that its error stays bounded near the latent.
const LEAST_SIGMA: f32 = 0.05;

/// Predicts the velocity `noise - latent` from a noised latent.
#[derive(Module, Debug)]
pub struct Dit {
    patch_in: Linear,
    coordinates: Linear,
    time_in: Linear,
    time_out: Linear,
    caption: Linear,
    modulation: Linear,
    context: Linear,
    blocks: Vec<Block>,
    head_modulation: Linear,
    head: Linear,
    #[module(skip)]
    heads: usize,
}

impl Dit {
    /// Fresh weights from the initialiser's seed: modulation gates and the head start at zero, as in DiT.
    pub fn new(
        config: &DitConfig,
        latent_channels: usize,
        text_width: usize,
        init: &mut Init,
    ) -> Self {
        let width = config.width;
        let patch = PATCH * PATCH * latent_channels;
        Self {
            patch_in: Linear::new(patch, width, init),
            coordinates: Linear::new(3 * 2 * COORDINATE_OCTAVES, width, init),
            time_in: Linear::new(2 * TIME_FREQUENCIES, width, init),
            time_out: Linear::new(width, width, init),
            caption: Linear::new(text_width, width, init),
            modulation: Linear::zeros(width, 6 * width, init),
            context: Linear::new(text_width, width, init),
            blocks: (0..config.depth)
                .map(|_| Block::new(config, init))
                .collect(),
            head_modulation: Linear::zeros(width, 2 * width, init),
            head: Linear::zeros(width, patch, init),
            heads: config.heads,
        }
    }

    /// Velocity `[B, T, h, w, C]` at the normalised, noised latent of that shape, `h` and `w` even, and noise level
    /// `sigma` `[B]` in 0 (latent) to 1 (noise).
    pub fn forward(&self, noisy: Tensor<5>, sigma: Tensor<1>, text: &Text) -> Tensor<5> {
        let shape @ [b, t, h, w, _] = noisy.dims();
        let grid = [t, h / PATCH, w / PATCH];
        let width = self.modulation.weight.dims()[1];
        let table = RopeTable::new_3d(grid[0], grid[1], grid[2], width / self.heads, ROPE_THETA);

        let place = self.coordinates.forward(coordinates(grid, &noisy.device())); // (1, N, D)
        let mut x = self.patch_in.forward(patchify(noisy.clone())) + place; // (B, N, D)
        let time = self
            .time_out
            .forward(silu(self.time_in.forward(sinusoids(sigma.clone())))); // (B, D)
        let condition = silu(time + self.caption.forward(text.pooled.clone())); // (B, D)
        let modulation = self
            .modulation
            .forward(condition.clone())
            .reshape([b, 6, width]);
        let context = self.context.forward(text.tokens.clone()); // (B, L, D)
        for block in &self.blocks {
            x = block.forward(
                x,
                modulation.clone(),
                context.clone(),
                &text.lengths,
                &table,
                self.heads,
            );
        }
        let [shift, scale] = split(
            self.head_modulation
                .forward(condition)
                .reshape([b, 2, width]),
        );
        let latent = unpatchify(self.head.forward(modulate(x, shift, scale, EPS)), shape); // (B, T, h, w, C)
        (noisy - latent) / sigma.clamp_min(LEAST_SIGMA).reshape([b, 1, 1, 1, 1])
    }
}

#[derive(Module, Debug)]
struct Block {
    /// Added to the shared modulation: shift, scale and gate of self-attention, then of the perceptron, `[6, D]`.
    table: Param<Tensor<2>>,
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    out: Linear,
    cross_norm: LayerNorm,
    cross_q: Linear,
    cross_k: Linear,
    cross_v: Linear,
    cross_q_norm: RmsNorm,
    cross_k_norm: RmsNorm,
    cross_out: Linear,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(config: &DitConfig, init: &mut Init) -> Self {
        let (width, head) = (config.width, config.width / config.heads);
        Self {
            table: init.normal([6, width], 0.02),
            q: Linear::new(width, width, init),
            k: Linear::new(width, width, init),
            v: Linear::new(width, width, init),
            q_norm: RmsNorm::new(head, init),
            k_norm: RmsNorm::new(head, init),
            out: Linear::new(width, width, init),
            cross_norm: LayerNorm::new(width, init),
            cross_q: Linear::new(width, width, init),
            cross_k: Linear::new(width, width, init),
            cross_v: Linear::new(width, width, init),
            cross_q_norm: RmsNorm::new(head, init),
            cross_k_norm: RmsNorm::new(head, init),
            cross_out: Linear::zeros(width, width, init),
            up: Linear::new(width, config.expansion * width, init),
            down: Linear::new(config.expansion * width, width, init),
        }
    }

    fn forward(
        &self,
        x: Tensor<3>,
        modulation: Tensor<3>,
        context: Tensor<3>,
        lengths: &[usize],
        table: &RopeTable,
        heads: usize,
    ) -> Tensor<3> {
        let [shift1, scale1, gate1, shift2, scale2, gate2] =
            split(modulation + self.table.val().unsqueeze::<3>());

        let y = modulate(x.clone(), shift1, scale1, EPS); // (B, N, D)
        let q = rope(
            self.q_norm.forward_heads(self.q.forward(y.clone()), heads),
            table,
            heads,
        );
        let k = rope(
            self.k_norm.forward_heads(self.k.forward(y.clone()), heads),
            table,
            heads,
        );
        let y = attention(q, k, self.v.forward(y), heads, None); // (B, N, D)
        let x = gated_residual(x, self.out.forward(y), gate1);

        let q = self.cross_q_norm.forward_heads(
            self.cross_q.forward(self.cross_norm.forward(x.clone())),
            heads,
        );
        let k = self
            .cross_k_norm
            .forward_heads(self.cross_k.forward(context.clone()), heads); // (B, L, D)
        let y = attention(
            q,
            k,
            self.cross_v.forward(context),
            heads,
            Some(lengths.to_vec()),
        );
        let x = x + self.cross_out.forward(y); // (B, N, D)

        let y = self.up.forward(modulate(x.clone(), shift2, scale2, EPS)); // (B, N, E D)
        gated_residual(x, self.down.forward(gelu(y)), gate2)
    }
}

/// Rows of `[B, K, D]` as `K` tensors `[B, D]`.
fn split<const K: usize>(x: Tensor<3>) -> [Tensor<2>; K] {
    std::array::from_fn(|i| x.clone().narrow(1, i, 1).squeeze_dim::<2>(1))
}

/// `[B, T, 2h, 2w, C]` to tokens `[B, T h w, 4 C]`.
fn patchify(x: Tensor<5>) -> Tensor<3> {
    let [b, t, h, w, c] = x.dims();
    let (h, w) = (h / PATCH, w / PATCH);
    x.reshape([b * t, h, PATCH, w, PATCH, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape([b, t * h * w, PATCH * PATCH * c])
}

/// The inverse of [`patchify`], to `shape`.
fn unpatchify(x: Tensor<3>, shape: [usize; 5]) -> Tensor<5> {
    let [b, t, h, w, c] = shape;
    x.reshape([b * t, h / PATCH, w / PATCH, PATCH, PATCH, c])
        .permute([0, 1, 3, 2, 4, 5])
        .reshape(shape)
}

/// Sines and cosines of sigma, `[B]` to `[B, 256]`, wavelengths from 1/1000 of the range to ten times it.
fn sinusoids(sigma: Tensor<1>) -> Tensor<2> {
    let frequencies: Vec<f32> = (0..TIME_FREQUENCIES)
        .map(|i| 1000.0 * (-(10_000f32.ln()) * i as f32 / TIME_FREQUENCIES as f32).exp())
        .collect();
    let frequencies =
        Tensor::<1>::from_floats(frequencies.as_slice(), &sigma.device()).unsqueeze::<2>(); // (1, F)
    let angle = sigma.unsqueeze_dim::<2>(1) * frequencies; // (B, F)
    Tensor::cat(vec![angle.clone().cos(), angle.sin()], 1)
}

/// Sines and cosines of each token's place in the frame (-1 to 1) and in time, `[1, N, 24]`.
fn coordinates([t, h, w]: [usize; 3], device: &Device) -> Tensor<3> {
    let centred = |i: usize, n: usize| (2 * i + 1) as f32 / n as f32 - 1.0;
    let mut features = Vec::with_capacity(t * h * w * 6 * COORDINATE_OCTAVES);
    for (i, j, k) in (0..t).flat_map(|i| (0..h).flat_map(move |j| (0..w).map(move |k| (i, j, k)))) {
        for place in [i as f32 / TIME_UNIT, centred(j, h), centred(k, w)] {
            for octave in 0..COORDINATE_OCTAVES {
                let angle = place * std::f32::consts::FRAC_PI_2 * (1 << octave) as f32;
                features.extend([angle.sin(), angle.cos()]);
            }
        }
    }
    Tensor::from_data(
        TensorData::new(features, [1, t * h * w, 6 * COORDINATE_OCTAVES]),
        device,
    )
}
