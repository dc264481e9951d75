//! The diffusion transformer over spacetime patches of latents.
//!
//! An hourglass (HDiT, arXiv:2401.11605): a few convolutional blocks work on cells of the picture ([`super::cells`]) and at
//! each latent position, the transformer in the middle sees one token for 2 x 2 positions, and what the first blocks
//! found goes past it. The transformer decides what is where, so it needs the whole clip but no fine grid; shapes, edges
//! and textures are local and need a fine grid only.
//!
//! The transformer's blocks follow DiT (arXiv:2212.09748) with adaLN modulation computed once and shared by all blocks
//! plus a table a block (PixArt-alpha, arXiv:2310.00426), query and key normalisation (arXiv:2302.05442), 3-D rotary
//! positions as in Wan (arXiv:2503.20314) and cross-attention to the caption. The convolutional blocks are ConvNeXt's
//! (arXiv:2201.03545) with the same modulation. Rotary positions tell how far apart two patches are; where a patch lies
//! in the frame comes from its coordinates, given relative to the frame, so composition carries over to any size,
//! aspect and duration.
//!
//! The network answers how far a linear denoiser ([`super::denoiser`]) is to be trusted at each position, for where a channel
//! varies far less than elsewhere, as all detail does in a clear sky, most of what it shows is noise (Portilla et al.
//! 2003, "Image Denoising Using Scale Mixtures of Gaussians in the Wavelet Domain"); and what that denoiser misses, in
//! units of what it misses on average (the preconditioning of Karras et al., arXiv:2206.00364, for the flow and channel by
//! channel). Channels differ in deviation by a factor of ten or more, so this keeps each one's input, answer and error
//! near one at any noise level.

use super::camera::{foresee, given_run};
use super::cells::{CellNet, Cells};
use super::config::{DitConfig, LatentStats};
use super::denoiser::denoise;
use super::text::Text;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{
    DepthwiseConv3d, Init, LayerNorm, Linear, RmsNorm, RopeTable, attention, gated_residual, gelu,
    modulate, rope, silu,
};
use std::ops::Range;

/// Latent positions across and down that one token stands for.
pub const PATCH: usize = 2;
/// Hidden width of a fine block's perceptron, in widths.
const FINE_EXPANSION: usize = 2;
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

/// Rows of the modulation that the fine level shares: of its blocks, of what goes past the transformer, of the head.
const FINE_ROWS: [usize; 3] = [FineBlock::ROWS, 1, 2];

/// Predicts the velocity `noise - latent` from a noised latent.
#[derive(Module, Debug)]
pub struct Dit {
    time_in: Linear,
    time_out: Linear,
    caption: Linear,
    patch_in: Linear,
    /// Marks latent positions that are known, `[F]`.
    known: Param<Tensor<1>>,
    cells: CellNet,
    fine_modulation: Linear,
    fine_in: Vec<FineBlock>,
    merge: Linear,
    coordinates: Linear,
    modulation: Linear,
    context: Linear,
    blocks: Vec<Block>,
    split: Linear,
    fine_out: Vec<FineBlock>,
    head: Linear,
    #[module(skip)]
    heads: usize,
    /// Deviation of each latent channel.
    #[module(skip)]
    spread: Vec<f32>,
    /// Correlation of each with itself one latent frame later.
    #[module(skip)]
    persistence: Vec<f32>,
}

/// What the network makes of a noised latent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Towards noise, `[B, T, h, w, C]`.
    pub velocity: Tensor<5>,
    /// The tokens halfway through the transformer, `[B, T (h/2) (w/2), D]`, from which training reads what is where.
    pub tokens: Tensor<3>,
    /// Scores of who shows and in which colour in each half of a position, `[B, T, 2h, 2w, names]`.
    pub names: Tensor<5>,
}

impl Dit {
    /// Fresh weights from the initialiser's seed, for latents of these statistics: modulation gates and the head start at
    /// zero, as in DiT.
    pub fn new(
        config: &DitConfig,
        latent: &LatentStats,
        text_width: usize,
        init: &mut Init,
    ) -> Self {
        let (width, fine, channels) = (config.width, config.fine_width, latent.spread.len());
        let fine_blocks = |init: &mut Init| {
            (0..config.fine_depth)
                .map(|_| FineBlock::new(fine, init))
                .collect()
        };
        Self {
            time_in: Linear::new(2 * TIME_FREQUENCIES, width, init),
            time_out: Linear::new(width, width, init),
            caption: Linear::new(text_width, width, init),
            patch_in: Linear::new(channels, fine, init),
            known: init.normal([fine], 0.02),
            cells: CellNet::new(config, init),
            fine_modulation: Linear::zeros(width, FINE_ROWS.iter().sum::<usize>() * fine, init),
            fine_in: fine_blocks(init),
            merge: Linear::new(PATCH * PATCH * fine, width, init),
            coordinates: Linear::new(3 * 2 * COORDINATE_OCTAVES, width, init),
            modulation: Linear::zeros(width, 6 * width, init),
            context: Linear::new(text_width, width, init),
            blocks: (0..config.depth)
                .map(|_| Block::new(config, init))
                .collect(),
            split: Linear::new(width, PATCH * PATCH * fine, init),
            fine_out: fine_blocks(init),
            head: Linear::zeros(fine, 2 * channels, init),
            heads: config.heads,
            spread: latent.spread.clone(),
            persistence: latent.persistence.clone(),
        }
    }

    /// Velocity `[B, T, h, w, C]` at the normalised, noised latent of that shape, `h` and `w` even, and noise level
    /// `sigma` `[B]` in 0 (latent) to 1 (noise).
    ///
    /// `known` `[B, T, h, w, 1]` says how much of each position is given: at 0 it is as noisy as `sigma` says, at 1 it is
    /// the latent itself, which stays as it is (velocity 0), and between them its noise level is `(1 - known) sigma`.
    /// `code` is how the autoencoder's latents show in the picture.
    pub fn forward(
        &self,
        noisy: Tensor<5>,
        sigma: Tensor<1>,
        known: Option<Tensor<5>>,
        text: &Text,
        code: &Cells,
    ) -> Tensor<5> {
        self.answer(noisy, sigma, known, text, code).velocity
    }

    /// [`Self::forward`], and what the network thinks is where.
    pub fn answer(
        &self,
        noisy: Tensor<5>,
        sigma: Tensor<1>,
        known: Option<Tensor<5>>,
        text: &Text,
        code: &Cells,
    ) -> Answer {
        let [b, t, h, w, _] = noisy.dims();
        let whole = sigma.clone().reshape([b, 1, 1, 1, 1]);
        let level = match &known {
            None => whole.clone(),                                // of each position
            Some(known) => (1.0 - known.clone()) * whole.clone(), // (B, T, h, w, 1)
        };
        let of_given = (known.as_ref()).and_then(|known| self.expected(&noisy, known, text, code));
        let expected = match (of_given, text.sketch.clone()) {
            (Some(given), Some(sketch)) => Some(given + sketch), // of each clip one is zero
            (given, sketch) => given.or(sketch),
        };
        let seen = denoise(&noisy, &level, expected, &self.spread, &self.persistence);
        let time = self
            .time_out
            .forward(silu(self.time_in.forward(sinusoids(sigma)))); // (B, D)
        let condition = silu(time + self.caption.forward(text.pooled.clone())); // (B, D)
        let [of_blocks, of_skip, of_head] =
            parts(self.fine_modulation.forward(condition.clone()), FINE_ROWS);

        let cells = (self.cells).see(seen.likely.clone(), known.clone(), condition.clone(), code);
        let mut x = self.patch_in.forward(noisy.clone() * seen.input) + cells.merged.clone(); // (B, T, h, w, F)
        if let Some(known) = known {
            x = x + known * self.known.val().unsqueeze::<5>();
        }
        for block in &self.fine_in {
            x = block.forward(x, of_blocks.clone());
        }
        let skip = flat(x.clone()); // (B, T h w, F)
        let (x, tokens) = self.transform(x, condition, text); // (B, T, h, w, F), (B, N, D)
        let [gate] = split(of_skip);
        let x = gated_residual(flat(x) + skip.clone(), skip, gate);
        let mut x = unflat(x, [b, t, h, w]);
        for block in &self.fine_out {
            x = block.forward(x, of_blocks.clone());
        }
        let share = seen.noise.clone().mean_dim(4).max_dim(2).max_dim(3); // (B, T, 1, 1, 1)
        let share = share / whole.clamp_min(LEAST_SIGMA);
        let (painted, names) = self.cells.paint(cells, x.clone(), share, code); // (B, T, h, w, C), (B, T, 2h, 2w, names)
        let [shift, scale] = split(of_head);
        let answer = self.head.forward(modulate(flat(x), shift, scale, EPS)); // (B, T h w, 2 C)
        let answer = unflat(answer, [b, t, h, w]);
        let channels = self.spread.len();
        let missed = answer.clone().narrow(4, 0, channels) * seen.error;
        let trust = answer.narrow(4, channels, channels) * seen.noise + 1.0;
        let latent = seen.likely * trust + missed + painted * level.clone(); // (B, T, h, w, C)
        Answer {
            velocity: (noisy - latent) / level.clamp_min(LEAST_SIGMA),
            tokens,
            names,
        }
    }

    /// What is expected of clips of which some frames are given side by side: those, and what the camera makes of them before and
    /// after, as far as it lasts, `[B, T, h, w, C]`; nothing of others.
    fn expected(
        &self,
        noisy: &Tensor<5>,
        known: &Tensor<5>,
        text: &Text,
        code: &Cells,
    ) -> Option<Tensor<5>> {
        let [_, t, _, _, channels] = noisy.dims();
        let runs = given_run(known);
        let clip = |(index, run): (usize, Range<usize>)| {
            let clip = noisy.clone().narrow(0, index, 1);
            if run.is_empty() || run.len() == t {
                return clip * 0.0;
            }
            let motion = text.camera.clone().narrow(0, index, 1);
            let foreseen = foresee(&clip, run.clone(), &motion, code);
            let away = |frame: usize| {
                (run.start.saturating_sub(frame)).max((frame + 1).saturating_sub(run.end))
            };
            let lasting = (0..t).flat_map(|frame| {
                let away = away(frame) as i32;
                self.persistence.iter().map(move |rho| rho.powi(away))
            });
            let lasting = TensorData::new(lasting.collect(), [1, t, 1, 1, channels]);
            foreseen * Tensor::from_data(lasting, &noisy.device())
        };
        let any = runs.iter().any(|run| !run.is_empty() && run.len() < t);
        any.then(|| Tensor::cat(runs.into_iter().enumerate().map(clip).collect(), 0))
    }

    /// The transformer, from latent positions to latent positions; also its tokens halfway.
    fn transform(&self, x: Tensor<5>, condition: Tensor<2>, text: &Text) -> (Tensor<5>, Tensor<3>) {
        let shape @ [b, t, h, w, _] = x.dims();
        let grid = [t, h / PATCH, w / PATCH];
        let width = self.context.weight.dims()[0];
        let table = RopeTable::new_3d(grid[0], grid[1], grid[2], width / self.heads, ROPE_THETA);
        let place = self.coordinates.forward(coordinates(grid, &x.device())); // (1, N, D)
        let modulation = self.modulation.forward(condition).reshape([b, 6, width]);
        let context = self.context.forward(text.tokens.clone()); // (B, L, D)

        let mut x = self.merge.forward(patchify(x)) + place; // (B, N, D)
        let mut middle = x.clone();
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(
                x,
                modulation.clone(),
                context.clone(),
                &text.lengths,
                &table,
                self.heads,
            );
            if index == self.blocks.len() / 2 {
                middle = x.clone();
            }
        }
        (unpatchify(self.split.forward(x), shape), middle)
    }
}

/// `x + gate * down(gelu(up(modulate(conv(x)))))` at each position.
#[derive(Module, Debug)]
pub(super) struct FineBlock {
    /// Added to the shared modulation: shift, scale and gate, `[3, F]`.
    table: Param<Tensor<2>>,
    conv: DepthwiseConv3d,
    up: Linear,
    down: Linear,
}

impl FineBlock {
    /// Rows of its modulation.
    pub const ROWS: usize = 3;

    pub fn new(width: usize, init: &mut Init) -> Self {
        Self {
            table: init.normal([Self::ROWS, width], 0.02),
            conv: DepthwiseConv3d::new(width, [3, 3, 3], init),
            up: Linear::new(width, FINE_EXPANSION * width, init),
            down: Linear::new(FINE_EXPANSION * width, width, init),
        }
    }

    /// `x` `[B, T, h, w, F]` under `modulation` `[B, 3, F]`.
    pub fn forward(&self, x: Tensor<5>, modulation: Tensor<3>) -> Tensor<5> {
        let [b, t, h, w, c] = x.dims();
        let [shift, scale, gate] = split(modulation + self.table.val().unsqueeze::<3>());
        let beyond = Tensor::zeros([b, 1, h, w, c], &x.device());
        let y = Tensor::cat(vec![beyond.clone(), x.clone(), beyond], 1); // (B, 1+T+1, h, w, F)
        let y = modulate(flat(self.conv.forward(y)), shift, scale, EPS); // (B, T h w, F)
        let y = self.down.forward(gelu(self.up.forward(y)));
        unflat(gated_residual(flat(x), y, gate), [b, t, h, w])
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

/// `[B, (sum of rows) D]` as one `[B, rows, D]` for each of `rows`.
pub(super) fn parts<const K: usize>(x: Tensor<2>, rows: [usize; K]) -> [Tensor<3>; K] {
    let [b, width] = x.dims();
    let all = rows.iter().sum::<usize>();
    let x = x.reshape([b, all, width / all]);
    let mut start = 0;
    rows.map(|count| {
        start += count;
        x.clone().narrow(1, start - count, count)
    })
}

/// `[B, T, h, w, C]` to `[B, T h w, C]`.
fn flat(x: Tensor<5>) -> Tensor<3> {
    x.flatten(1, 3)
}

/// The inverse of [`flat`].
fn unflat(x: Tensor<3>, [b, t, h, w]: [usize; 4]) -> Tensor<5> {
    let c = x.dims()[2];
    x.reshape([b, t, h, w, c])
}

/// Rows of `[B, K, D]` as `K` tensors `[B, D]`.
pub(super) fn split<const K: usize>(x: Tensor<3>) -> [Tensor<2>; K] {
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
