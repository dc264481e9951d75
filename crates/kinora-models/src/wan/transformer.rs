//! The diffusion transformer over spacetime patches: full self-attention with 3-D rotary positions, cross-attention to the
//! text, and adaLN modulation whose projection all blocks share (arXiv:2503.20314, section 4.2).
//!
//! Reference: `transformer_wan.py` of diffusers 0.42.1.

use super::config::TransformerConfig;
use crate::model::{Blocks, run_all};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use kinora_nn::{
    Init, LayerNorm, Linear, RmsNorm, RopeTable, attention, gated_residual, gelu, modulate, rope,
    silu,
};

/// Base of the rotary wavelengths.
const ROPE_THETA: f64 = 10_000.0;
/// Longest wavelength of the embedding of the timestep.
const TIME_PERIOD: f32 = 10_000.0;
const EPS: f32 = 1e-6;

/// Predicts the velocity `noise - latent` from a noised latent.
#[derive(Module, Debug)]
pub struct Transformer {
    patch: Linear,
    text_in: Linear,
    text_out: Linear,
    time_in: Linear,
    time_out: Linear,
    time_modulation: Linear,
    blocks: Vec<Block>,
    /// Added to the head's modulation: shift and scale, `[2, D]`.
    table: Param<Tensor<2>>,
    head: Linear,
    #[module(skip)]
    config: TransformerConfig,
}

impl Transformer {
    /// A transformer with the initialiser's weights.
    pub fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let width = config.width();
        let patch: usize = config.patch_size.iter().product();
        // What stands at the ends is a small part of the products, and decides what all others see.
        let ends = init.precision().of_delicate();
        let linear = |inputs, outputs, init: &mut Init| {
            Linear::new(inputs, outputs, init).with_precision(ends)
        };
        Self {
            patch: linear(config.in_channels * patch, width, init),
            text_in: linear(config.text_dim, width, init),
            text_out: linear(width, width, init),
            time_in: linear(config.freq_dim, width, init),
            time_out: linear(width, width, init),
            time_modulation: linear(width, 6 * width, init),
            blocks: (0..config.num_layers)
                .map(|_| Block::new(config, init))
                .collect(),
            table: init.normal([2, width], 0.02),
            head: linear(width, config.out_channels * patch, init),
            config: config.clone(),
        }
    }

    /// Velocity `[B, T, h, w, C_out]` at the noised latent `[B, T, h, w, C_in]`, whose sides are multiples of the patch.
    ///
    /// `timesteps` `[B, G]` are 1,000 times the noise level: one of all frames (G = 1), or one of each of the `T / pt`
    /// rows of tokens in time, as Wan 2.2 TI2V has it for a given first frame. `text` `[B, L, text_dim]` are the text
    /// encoder's features.
    pub fn forward(&self, latent: Tensor<5>, timesteps: Tensor<2>, text: Tensor<3>) -> Tensor<5> {
        self.pass(latent, timesteps, text, &mut run_all)
    }

    /// [`Self::forward`], with what becomes of the blocks.
    pub(super) fn pass(
        &self,
        latent: Tensor<5>,
        timesteps: Tensor<2>,
        text: Tensor<3>,
        blocks: Blocks<'_>,
    ) -> Tensor<5> {
        let [b, t, h, w, _] = latent.dims();
        let [pt, ph, pw] = self.config.patch_size;
        let grid @ [gt, gh, gw] = [t / pt, h / ph, w / pw];
        let (groups, width) = (timesteps.dims()[1], self.config.width());
        let tokens = gt * gh * gw;
        let table = RopeTable::new_3d(gt, gh, gw, self.config.attention_head_dim, ROPE_THETA);

        let time = sinusoids(timesteps.reshape([b * groups]), self.config.freq_dim); // (B G, F)
        let time = self.time_out.forward(silu(self.time_in.forward(time))); // (B G, D)
        let modulation = self.time_modulation.forward(silu(time.clone())); // (B G, 6 D)
        let modulation = modulation.reshape([b * groups, 6, width]);
        let text = self.text_out.forward(gelu(self.text_in.forward(text))); // (B, L, D)

        let x = self.patch.forward(self.patchify(latent, grid)); // (B, N, D)
        // Each group of tokens has a timestep of its own.
        let x = x.reshape([b * groups, tokens / groups, width]);
        let heads = self.config.num_attention_heads;
        let run = |x, block: &Block| block.forward(x, modulation.clone(), &text, &table, heads);
        let rest = |x| self.blocks[1..].iter().fold(x, run);
        let x = blocks(x.clone(), run(x, &self.blocks[0]), &rest);
        let rows = time.unsqueeze_dim::<3>(1) + self.table.val().unsqueeze::<3>(); // (B G, 2, D)
        let [shift, scale] = split(rows);
        let x = self.head.forward(modulate(x, shift, scale, EPS)); // (B G, n, pt ph pw C)
        self.unpatchify(
            x.reshape([b, tokens, pt * ph * pw * self.config.out_channels]),
            grid,
        )
    }

    /// `[B, T, h, w, C]` to `[B, N, C pt ph pw]`, the order of a convolution's weights.
    fn patchify(&self, x: Tensor<5>, [gt, gh, gw]: [usize; 3]) -> Tensor<3> {
        let (b, c) = (x.dims()[0], x.dims()[4]);
        let [pt, ph, pw] = self.config.patch_size;
        x.reshape([b, gt, pt, gh, ph, gw, pw, c])
            .permute([0, 1, 3, 5, 7, 2, 4, 6])
            .reshape([b, gt * gh * gw, c * pt * ph * pw])
    }

    /// `[B, N, pt ph pw C]` to `[B, T, h, w, C]`.
    fn unpatchify(&self, x: Tensor<3>, [gt, gh, gw]: [usize; 3]) -> Tensor<5> {
        let (b, c) = (x.dims()[0], self.config.out_channels);
        let [pt, ph, pw] = self.config.patch_size;
        x.reshape([b, gt, gh, gw, pt, ph, pw, c])
            .permute([0, 1, 4, 2, 5, 3, 6, 7])
            .reshape([b, gt * pt, gh * ph, gw * pw, c])
    }
}

#[derive(Module, Debug)]
struct Block {
    /// Added to the shared modulation: shift, scale and gate of self-attention, then of the perceptron, `[6, D]`.
    table: Param<Tensor<2>>,
    attention: Attention,
    cross_norm: LayerNorm,
    cross: Attention,
    up: Linear,
    down: Linear,
}

impl Block {
    fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let width = config.width();
        Self {
            table: init.normal([6, width], 0.02),
            attention: Attention::new(width, init),
            cross_norm: LayerNorm::new(width, init),
            cross: Attention::new(width, init),
            up: Linear::new(width, config.ffn_dim, init),
            down: Linear::new(config.ffn_dim, width, init),
        }
    }

    /// `x` `[B G, n, D]`, `modulation` `[B G, 6, D]`, `text` `[B, L, D]`.
    fn forward(
        &self,
        x: Tensor<3>,
        modulation: Tensor<3>,
        text: &Tensor<3>,
        table: &RopeTable,
        heads: usize,
    ) -> Tensor<3> {
        let rows = modulation + self.table.val().unsqueeze::<3>();
        let [shift, scale, gate, shift_up, scale_up, gate_up] = split(rows);
        let grouped @ [_, _, width] = x.dims();
        let whole = [text.dims()[0], table.tokens(), width]; // attention is over all groups

        let y = modulate(x.clone(), shift, scale, EPS).reshape(whole);
        let y = self.attention.forward(y.clone(), y, Some(table), heads); // (B, N, D)
        let x = gated_residual(x, y.reshape(grouped), gate);

        let y = self.cross_norm.forward(x.clone()).reshape(whole);
        let x = x + self
            .cross
            .forward(y, text.clone(), None, heads)
            .reshape(grouped);

        let y = self
            .up
            .forward(modulate(x.clone(), shift_up, scale_up, EPS)); // (B G, n, F)
        gated_residual(x, self.down.forward(gelu(y)), gate_up)
    }
}

/// Attention with queries and keys normalised over all heads at once.
#[derive(Module, Debug)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    out: Linear,
}

impl Attention {
    fn new(width: usize, init: &mut Init) -> Self {
        Self {
            q: Linear::new(width, width, init),
            k: Linear::new(width, width, init),
            v: Linear::new(width, width, init),
            q_norm: RmsNorm::new(width, init),
            k_norm: RmsNorm::new(width, init),
            out: Linear::new(width, width, init),
        }
    }

    /// Queries from `x` `[B, N, D]`, keys and values from `context` `[B, M, D]`; turned by `table`, if they are patches.
    fn forward(
        &self,
        x: Tensor<3>,
        context: Tensor<3>,
        table: Option<&RopeTable>,
        heads: usize,
    ) -> Tensor<3> {
        let mut q = self.q_norm.forward_heads(self.q.forward(x), 1);
        let mut k = self
            .k_norm
            .forward_heads(self.k.forward(context.clone()), 1);
        let v = self.v.forward(context);
        if let Some(table) = table {
            (q, k) = (rope(q, table, heads), rope(k, table, heads));
        }
        self.out.forward(attention(q, k, v, heads, None))
    }
}

/// The rows of `[B, N, D]`, `[B, D]` each.
fn split<const N: usize>(rows: Tensor<3>) -> [Tensor<2>; N] {
    std::array::from_fn(|row| rows.clone().narrow(1, row, 1).squeeze_dim::<2>(1))
}

/// Cosines and sines of `[B]` at `width / 2` frequencies, `[B, width]`.
fn sinusoids(x: Tensor<1>, width: usize) -> Tensor<2> {
    let device: Device = x.device();
    let half = width / 2;
    let frequency = |i: usize| (-TIME_PERIOD.ln() * i as f32 / half as f32).exp();
    let frequencies: Vec<f32> = (0..half).map(frequency).collect();
    let frequencies = Tensor::<1>::from_floats(frequencies.as_slice(), &device);
    let angles = x.unsqueeze_dim::<2>(1) * frequencies.unsqueeze::<2>(); // (B, half)
    Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1)
}
