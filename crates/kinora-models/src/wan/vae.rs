//! The causal 3-D autoencoders of Wan 2.1 (8x in space, 16 channels) and Wan 2.2 (16x, 48 channels, with shortcuts around
//! its levels); both 4x in time.
//!
//! Reference: `autoencoder_kl_wan.py` of diffusers 0.42.1.

use super::config::VaeConfig;
use super::layers::{
    Attention, Conv, Level, Memory, Norm, Past, Residual, Shape, Shortcut, Way, each_frame,
};
use super::tiles::{Around, Tiling};
use burn::module::Module;
use burn::tensor::Tensor;
use kinora_nn::{CONV_TILE, Init};

/// Frames that one latent frame after the first stands for.
const TEMPORAL_COMPRESSION: usize = 4;

/// The autoencoder. Pixels are -1 to 1.
#[derive(Module, Debug)]
pub struct Vae {
    encoder: Coder,
    quant_conv: Conv,
    post_quant_conv: Conv,
    decoder: Coder,
    #[module(skip)]
    config: VaeConfig,
}

/// What the chunked passes remember of the past.
#[derive(Clone, Debug, Default)]
pub struct VaeCache {
    /// Of what sees whole frames.
    whole: Memory,
    /// Of the levels that resample time.
    time: Memory,
    /// Of those that work at single frames.
    frames: Memory,
}

impl Vae {
    /// An autoencoder with the initialiser's weights.
    pub fn new(config: &VaeConfig, init: &mut Init) -> Self {
        Self {
            encoder: Coder::encoder(config, init),
            quant_conv: Conv::new([2 * config.z_dim, 2 * config.z_dim], [1; 3], init),
            post_quant_conv: Conv::new([config.z_dim; 2], [1; 3], init),
            decoder: Coder::decoder(config, init),
            config: config.clone(),
        }
    }

    /// Video `[B, 1+4k, H, W, 3]` to the means of its latents, `[B, 1+k, h, w, C]`, not normalised.
    pub fn encode(&self, video: Tensor<5>) -> Tensor<5> {
        self.encode_chunk(video, &mut VaeCache::default())
    }

    /// Latents `[B, 1+k, h, w, C]`, not normalised, to video `[B, 1+4k, H, W, 3]`.
    pub fn decode(&self, latent: Tensor<5>) -> Tensor<5> {
        self.decode_chunk(latent, &mut VaeCache::default())
    }

    /// The next frames of a video: `1+4k` of them in the first call with this cache, `4k` in each later one.
    pub fn encode_chunk(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let video = patchify(video, self.config.patch_size.unwrap_or(1));
        let parts = in_parts(video, 1, TEMPORAL_COMPRESSION, cache.time.is_started());
        let parts = parts.into_iter().map(|part| {
            let code = self.quant_conv.at_once(self.encoder.encode(part, cache));
            // (B, t, h, w, 2C): means and log-variances
            code.narrow(4, 0, self.config.z_dim)
        });
        Tensor::cat(parts.collect(), 1)
    }

    /// The next latent frames of a video: any number, at least one.
    pub fn decode_chunk(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let features = self.decode_whole(latent, cache);
        self.decode_tile(features, Around::default(), cache)
    }

    /// The first part of [`Self::decode_chunk`], which sees whole frames: the next latent frames to features
    /// `[B, t, s h, s w, F]`, one frame for the clip's first and two for each later one, where `s` is [`Tiling::scale`].
    pub fn decode_whole(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let latent = self.post_quant_conv.at_once(latent);
        let parts = in_parts(latent, 1, 1, cache.whole.is_started());
        let parts = parts
            .into_iter()
            .map(|part| self.decoder.front(part, &mut cache.whole));
        Tensor::cat(parts.collect(), 1)
    }

    /// The rest of [`Self::decode_chunk`]: the next features, of whole frames or of a tile with positions around it, to the
    /// video of the frames or the tile. The numbers are those of the whole if the tile has [`Tiling::halo`] positions
    /// around it, or all that there are, and begins at multiples of [`CONV_TILE`].
    pub fn decode_tile(
        &self,
        features: Tensor<5>,
        around: Around,
        cache: &mut VaeCache,
    ) -> Tensor<5> {
        let each = self.decoder.frames_in_front();
        let parts = in_parts(features, 1, each, cache.time.is_started());
        let reach = self.config.reach();
        let parts = parts
            .into_iter()
            .map(|part| self.decoder.back(part, around, &reach, cache));
        let video = Tensor::cat(parts.collect(), 1); // (B, T, h, w, 3 p p)
        unpatchify(video, self.config.patch_size.unwrap_or(1)).clamp(-1.0, 1.0)
    }
}

/// The first `first` frames, if the clip begins with them, and then `each` at once: time is folded by what comes after.
fn in_parts(x: Tensor<5>, first: usize, each: usize, started: bool) -> Vec<Tensor<5>> {
    let frames = x.dims()[1];
    let mut parts = Vec::new();
    let mut at = 0;
    while at < frames {
        let count = if at == 0 && !started {
            first
        } else {
            each.min(frames - at)
        };
        parts.push(x.clone().narrow(1, at, count));
        at += count;
    }
    parts
}

/// Encoder or decoder: they differ in their levels alone.
#[derive(Module, Debug)]
struct Coder {
    conv_in: Conv,
    mid_block: Middle,
    levels: Vec<Level>,
    norm_out: Norm,
    conv_out: Conv,
}

impl Coder {
    fn encoder(config: &VaeConfig, init: &mut Init) -> Self {
        let widths: Vec<usize> = config
            .dim_mult
            .iter()
            .map(|mult| mult * config.base_dim)
            .collect();
        let (last, mut width) = (widths.len() - 1, config.base_dim);
        let conv_in = Conv::new([width, config.in_channels], [3; 3], init);
        let mut levels = Vec::new();
        for (index, &out) in widths.iter().enumerate() {
            let time = index < last && config.temperal_downsample[index];
            levels.push(Level::new(
                Shape {
                    widths: [width, out],
                    blocks: config.num_res_blocks,
                    resampled: (index < last).then_some(out),
                    time,
                    shortcut: config.is_residual.then_some(Shortcut::Mean),
                    way: Way::Down,
                },
                init,
            ));
            width = out;
        }
        Self {
            conv_in,
            mid_block: Middle::new(width, init),
            levels,
            norm_out: Norm::new(width, init),
            conv_out: Conv::new([2 * config.z_dim, width], [3; 3], init),
        }
    }

    fn decoder(config: &VaeConfig, init: &mut Init) -> Self {
        let base = config.decoder_base_dim.unwrap_or(config.base_dim);
        let widths: Vec<usize> = config
            .dim_mult
            .iter()
            .rev()
            .map(|mult| mult * base)
            .collect();
        let (last, mut width) = (widths.len() - 1, widths[0]);
        let conv_in = Conv::new([width, config.z_dim], [3; 3], init);
        let mid_block = Middle::new(width, init);
        let mut levels = Vec::new();
        for (index, &out) in widths.iter().enumerate() {
            let time = index < last && config.temperal_downsample[last - 1 - index];
            // Without shortcuts, the channels are halved on the way up, before the next level asks for it.
            let resampled = if config.is_residual { out } else { out / 2 };
            levels.push(Level::new(
                Shape {
                    widths: [width, out],
                    blocks: config.num_res_blocks + 1,
                    resampled: (index < last).then_some(resampled),
                    time,
                    shortcut: (config.is_residual && index < last).then_some(Shortcut::Copies),
                    way: Way::Up,
                },
                init,
            ));
            width = if index < last { resampled } else { out };
        }
        Self {
            conv_in,
            mid_block,
            levels,
            norm_out: Norm::new(width, init),
            conv_out: Conv::new([config.out_channels, width], [3; 3], init),
        }
    }

    /// The next frames `[B, T, H, W, C]` to latents. Levels before those that halve time work at one frame after the other,
    /// which takes a fraction of the memory.
    fn encode(&self, x: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let (single, time) = self.levels.split_at(self.before_time());
        let x = each_frame(x, |x| {
            let past = &mut cache.frames.walk();
            let x = self.conv_in.forward(x, past);
            forward_whole(single, x, past)
        });
        let past = &mut cache.time.walk();
        let x = self.mid_block.forward(forward_whole(time, x, past), past);
        self.end(x, past)
    }

    /// The part of the decoder that sees whole frames: a frame's attention is over all of it.
    fn front(&self, x: Tensor<5>, memory: &mut Memory) -> Tensor<5> {
        let past = &mut memory.walk();
        let x = self.mid_block.forward(self.conv_in.forward(x, past), past);
        forward_whole(&self.levels[..1], x, past)
    }

    /// The rest of the decoder, of a tile and what is `around` it. Levels behind those that double time work at one frame
    /// after the other.
    fn back(
        &self,
        x: Tensor<5>,
        mut around: Around,
        reach: &[usize],
        cache: &mut VaeCache,
    ) -> Tensor<5> {
        let (levels, at) = (&self.levels[1..], self.behind_time() - 1);
        let ((time, single), reach) = (levels.split_at(at), reach.split_at(at));
        let past = &mut cache.time.walk();
        let x = forward(time, x, &mut around, reach.0, past);
        each_frame(x, |x| {
            let (past, mut around) = (&mut cache.frames.walk(), around);
            let x = forward(single, x, &mut around, reach.1, past);
            around.crop(self.end(x, past), 0)
        })
    }

    fn end(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        self.conv_out.forward(self.norm_out.forward_silu(x), past)
    }

    /// Levels before the first that resamples time.
    fn before_time(&self) -> usize {
        let first = self.levels.iter().position(|level| level.shape().time);
        first.unwrap_or(self.levels.len())
    }

    /// Levels up to the last that resamples time, the first at least.
    fn behind_time(&self) -> usize {
        let last = self.levels.iter().rposition(|level| level.shape().time);
        last.unwrap_or(0) + 1
    }

    /// Frames of the front for a latent frame that is not the clip's first.
    fn frames_in_front(&self) -> usize {
        if self.levels[0].shape().time { 2 } else { 1 }
    }
}

impl VaeConfig {
    /// How frames can be divided between [`Vae::decode_whole`] and [`Vae::decode_tile`].
    pub fn tiling(&self) -> Tiling {
        let behind = self.reach().first().copied();
        Tiling {
            scale: if self.dim_mult.len() > 1 { 2 } else { 1 },
            halo: behind.map_or(CONV_TILE, |reach| reach + self.reach_of_blocks()),
        }
    }

    /// So many positions around a tile decide its frames: of what goes from the residual blocks of each level of a decoder
    /// behind its first to what is behind them.
    pub(super) fn reach(&self) -> Vec<usize> {
        let last = self.dim_mult.len() - 1;
        let mut behind = CONV_TILE; // the last convolution
        let mut levels = vec![behind; last];
        for level in levels.iter_mut().rev().skip(1) {
            let doubled = behind + self.reach_of_blocks() + CONV_TILE;
            behind = doubled.div_ceil(2).next_multiple_of(CONV_TILE);
            *level = behind;
        }
        levels
    }

    /// So many positions more decide what a level's residual blocks make of them.
    pub(super) fn reach_of_blocks(&self) -> usize {
        Residual::REACH * (self.num_res_blocks + 1)
    }
}

/// Through several levels, of a tile and what is around it; see [`Level::forward`].
fn forward(
    levels: &[Level],
    x: Tensor<5>,
    around: &mut Around,
    reach: &[usize],
    past: &mut Past<'_>,
) -> Tensor<5> {
    let levels = levels.iter().zip(reach);
    levels.fold(x, |x, (level, &reach)| {
        level.forward(x, around, reach, past)
    })
}

/// Through several levels, of whole frames.
fn forward_whole(levels: &[Level], x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
    let nothing = &mut Around::default();
    levels
        .iter()
        .fold(x, |x, level| level.forward(x, nothing, 0, past))
}

#[derive(Module, Debug)]
struct Middle {
    resnets: Vec<Residual>,
    attentions: Vec<Attention>,
}

impl Middle {
    fn new(width: usize, init: &mut Init) -> Self {
        Self {
            resnets: (0..2)
                .map(|_| Residual::new([width, width], init))
                .collect(),
            attentions: vec![Attention::new(width, init)],
        }
    }

    fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let x = self.resnets[0].forward(x, past);
        let x = self.attentions[0].forward(x);
        self.resnets[1].forward(x, past)
    }
}

/// `[B, T, H, W, 3]` to `[B, T, H/p, W/p, 3 p p]`, columns of a patch before its rows.
fn patchify(x: Tensor<5>, p: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    x.reshape([b, t, h / p, p, w / p, p, c])
        .permute([0, 1, 2, 4, 6, 5, 3])
        .reshape([b, t, h / p, w / p, c * p * p])
}

/// The inverse of [`patchify`].
fn unpatchify(x: Tensor<5>, p: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let c = c / (p * p);
    x.reshape([b, t, h, w, c, p, p])
        .permute([0, 1, 2, 6, 3, 5, 4])
        .reshape([b, t, h * p, w * p, c])
}
