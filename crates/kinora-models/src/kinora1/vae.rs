//! The video compression network: a causal 3-D autoencoder, 16x in space and 4x in time, channels last.
//!
//! Blocks are ConvNeXt's (arXiv:2201.03545) with a depthwise convolution that sees the present and two past
//! positions in time (causal as in MAGVIT-v2, arXiv:2310.05737). The first frame is a latent frame of its own, so an
//! image is a one-frame clip. Each half stands beside a linear shortcut between patch and latent that starts as the
//! patches' principal components, so the network learns only what a linear code misses (compare the residual
//! autoencoding of DC-AE, arXiv:2410.10733). What a convolution needs of the past is kept in a [`VaeCache`], and the
//! whole-clip pass is the chunked pass with one chunk, so the two are equal by construction.

use super::SPATIAL_COMPRESSION;
use super::config::{StageConfig, VaeConfig};
use super::patch::{PatchLinear, channels_to_space, image_patch, space_to_channels, video_patch};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use kinora_nn::{DepthwiseConv3d, Init, LayerNorm, Linear, gelu};

/// Pixels of a patch side where the blocks begin; they halve the resolution once more.
const FINE_PATCH: usize = SPATIAL_COMPRESSION / 2;
/// The convolutions' extent in time, height and width.
const KERNEL: [usize; 3] = [3, 3, 3];

/// The autoencoder. Pixels are -1 to 1.
#[derive(Module, Debug)]
pub struct Vae {
    encoder: Encoder,
    decoder: Decoder,
}

/// What the chunked passes remember of the past: for each convolution the last two positions in time.
#[derive(Clone, Debug, Default)]
pub struct VaeCache {
    slots: Vec<Tensor<5>>,
}

/// A linear code of patches: `latent = components (patch - mean)` and `patch = components' latent / scale^2 + mean`,
/// where the components are orthogonal rows of length `scale`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearCode {
    /// Mean patch, `[P]`.
    pub mean: Vec<f32>,
    /// `[C, P]`, row-major.
    pub components: Vec<f32>,
    /// Length of each row.
    pub scale: f32,
}

impl Vae {
    /// Values of a patch of the first frame, and of four frames, that one latent position stands for.
    pub const PATCHES: [usize; 2] = [
        image_patch(SPATIAL_COMPRESSION),
        video_patch(SPATIAL_COMPRESSION),
    ];

    /// Fresh weights from the initialiser's seed.
    pub fn new(config: &VaeConfig, init: &mut Init) -> Self {
        Self {
            encoder: Encoder::new(&config.encoder, config.latent_channels, init),
            decoder: Decoder::new(&config.decoder, config.latent_channels, init),
        }
    }

    /// Sets the linear shortcuts to codes of first frames' patches and of four-frame patches.
    ///
    /// # Panics
    /// If a code's sizes are not [`Self::PATCHES`] and the latent channels.
    pub fn with_codes(mut self, image: &LinearCode, video: &LinearCode) -> Self {
        let Self { encoder, decoder } = &mut self;
        set_code(
            &mut encoder.shortcut.image,
            &mut decoder.shortcut.image,
            image,
        );
        set_code(
            &mut encoder.shortcut.video,
            &mut decoder.shortcut.video,
            video,
        );
        self
    }

    /// Patches of a clip as a linear code sees them: `[N, P]` of its first frame, and of each four frames after it.
    pub fn patches(video: Tensor<5>) -> [Tensor<2>; 2] {
        let frames = video.dims()[1];
        let rows = |x: Tensor<5>| {
            let [b, t, h, w, c] = x.dims();
            x.reshape([b * t * h * w, c])
        };
        [
            rows(space_to_channels(
                video.clone().narrow(1, 0, 1),
                SPATIAL_COMPRESSION,
                1,
            )),
            rows(space_to_channels(
                video.narrow(1, 1, frames - 1),
                SPATIAL_COMPRESSION,
                super::TEMPORAL_COMPRESSION,
            )),
        ]
    }

    /// Video `[B, 1+4k, H, W, 3]` to latents `[B, 1+k, H/16, W/16, C]`; `H` and `W` are multiples of 16.
    pub fn encode(&self, video: Tensor<5>) -> Tensor<5> {
        self.encode_chunk(video, &mut VaeCache::default())
    }

    /// Latents `[B, 1+k, h, w, C]` to video `[B, 1+4k, 16h, 16w, 3]`.
    pub fn decode(&self, latent: Tensor<5>) -> Tensor<5> {
        self.decode_chunk(latent, &mut VaeCache::default())
    }

    /// The next frames of a video: `1+4k` of them in the first call with this cache, `4k` in each later one.
    pub fn encode_chunk(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.encoder.forward(video, cache)
    }

    /// The next latent frames of a video: any number, at least one.
    pub fn decode_chunk(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        self.decoder.forward(latent, cache)
    }
}

#[derive(Module, Debug)]
struct Encoder {
    shortcut: PatchLinear,
    embed: PatchLinear,
    fine: Vec<Block>,
    merge: Linear,
    coarse: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Encoder {
    fn new(config: &StageConfig, latent_channels: usize, init: &mut Init) -> Self {
        let (fine, coarse) = (config.fine_width, config.coarse_width);
        Self {
            shortcut: PatchLinear::from_pixels(SPATIAL_COMPRESSION, latent_channels, init),
            embed: PatchLinear::from_pixels(FINE_PATCH, fine, init),
            fine: blocks(fine, config.fine_depth, config.expansion, init),
            merge: Linear::new(4 * fine, coarse, init),
            coarse: blocks(coarse, config.coarse_depth, config.expansion, init),
            norm: LayerNorm::new(coarse, init),
            head: Linear::zeros(coarse, latent_channels, init),
        }
    }

    fn forward(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let mut past = Past::new(cache);
        let linear = self
            .shortcut
            .fold(video.clone(), SPATIAL_COMPRESSION, past.at_start()); // (B, 1+k, H/16, W/16, C)
        let mut x = self.embed.fold(video, FINE_PATCH, past.at_start()); // (B, 1+k, H/8, W/8, F)
        for block in &self.fine {
            x = block.forward(x, &mut past);
        }
        let mut x = self.merge.forward(space_to_channels(x, 2, 1)); // (B, 1+k, H/16, W/16, D)
        for block in &self.coarse {
            x = block.forward(x, &mut past);
        }
        linear + self.head.forward(self.norm.forward(x)) // (B, 1+k, H/16, W/16, C)
    }
}

#[derive(Module, Debug)]
struct Decoder {
    shortcut: PatchLinear,
    stem: Linear,
    coarse: Vec<Block>,
    split: Linear,
    fine: Vec<Block>,
    norm: LayerNorm,
    head: PatchLinear,
}

impl Decoder {
    fn new(config: &StageConfig, latent_channels: usize, init: &mut Init) -> Self {
        let (fine, coarse) = (config.fine_width, config.coarse_width);
        Self {
            shortcut: PatchLinear::to_pixels(SPATIAL_COMPRESSION, latent_channels, init),
            stem: Linear::new(latent_channels, coarse, init),
            coarse: blocks(coarse, config.coarse_depth, config.expansion, init),
            split: Linear::new(coarse, 4 * fine, init),
            fine: blocks(fine, config.fine_depth, config.expansion, init),
            norm: LayerNorm::new(fine, init),
            head: PatchLinear::to_pixels_zero(FINE_PATCH, fine, init),
        }
    }

    fn forward(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let mut past = Past::new(cache);
        let linear = self
            .shortcut
            .unfold(latent.clone(), SPATIAL_COMPRESSION, past.at_start()); // (B, 1+4k, 16h, 16w, 3)
        let mut x = self.stem.forward(latent); // (B, 1+k, h, w, D)
        for block in &self.coarse {
            x = block.forward(x, &mut past);
        }
        let mut x = channels_to_space(self.split.forward(x), 2, 1); // (B, 1+k, 2h, 2w, F)
        for block in &self.fine {
            x = block.forward(x, &mut past);
        }
        linear
            + self
                .head
                .unfold(self.norm.forward(x), FINE_PATCH, past.at_start()) // (B, 1+4k, 16h, 16w, 3)
    }
}

/// `x + down(gelu(up(norm(conv(x)))))`.
#[derive(Module, Debug)]
struct Block {
    conv: DepthwiseConv3d,
    norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    fn forward(&self, x: Tensor<5>, past: &mut Past<'_>) -> Tensor<5> {
        let y = self.conv.forward(past.prepend(x.clone())); // (B, T, H, W, C)
        let y = self.up.forward(self.norm.forward(y)); // (B, T, H, W, E C)
        x + self.down.forward(gelu(y))
    }
}

fn blocks(width: usize, depth: usize, expansion: usize, init: &mut Init) -> Vec<Block> {
    (0..depth)
        .map(|_| Block {
            conv: DepthwiseConv3d::new(width, KERNEL, init),
            norm: LayerNorm::new(width, init),
            up: Linear::new(width, expansion * width, init),
            down: Linear::new(expansion * width, width, init),
        })
        .collect()
}

/// Walks the cache's slots in the order of the convolutions.
struct Past<'a> {
    cache: &'a mut VaeCache,
    started: bool,
    next: usize,
}

impl<'a> Past<'a> {
    fn new(cache: &'a mut VaeCache) -> Self {
        let started = !cache.slots.is_empty();
        Self {
            cache,
            started,
            next: 0,
        }
    }

    /// Whether this chunk begins with the clip's first frame.
    fn at_start(&self) -> bool {
        !self.started
    }

    /// Puts what the convolution saw last before `x` (`[B, T, H, W, C]`), zeros at the clip's start, and remembers
    /// the end of `x` for the next chunk.
    fn prepend(&mut self, x: Tensor<5>) -> Tensor<5> {
        let context = KERNEL[0] - 1;
        let [b, _, h, w, c] = x.dims();
        let before = match self.started {
            true => self.cache.slots[self.next].clone(),
            false => Tensor::zeros([b, context, h, w, c], &x.device()),
        };
        let x = Tensor::cat(vec![before, x], 1); // (B, 2+T, H, W, C)
        let kept = x.clone().narrow(1, x.dims()[1] - context, context);
        match self.started {
            true => self.cache.slots[self.next] = kept,
            false => self.cache.slots.push(kept),
        }
        self.next += 1;
        x
    }
}

/// Makes `encode` and `decode` the two ways of a linear code.
fn set_code(encode: &mut Linear, decode: &mut Linear, code: &LinearCode) {
    let device = encode.weight.device();
    let [channels, patch] = encode.weight.dims();
    let components = Tensor::<2>::from_data(
        TensorData::new(code.components.clone(), [channels, patch]),
        &device,
    );
    let mean = Tensor::<1>::from_data(TensorData::new(code.mean.clone(), [patch]), &device);
    let offset = (components.clone() * mean.clone().unsqueeze::<2>())
        .sum_dim(1)
        .squeeze_dim::<1>(1);
    decode.weight = Param::from_tensor(components.clone().transpose() / (code.scale * code.scale));
    decode.bias = Some(Param::from_tensor(mean));
    encode.weight = Param::from_tensor(components);
    encode.bias = Some(Param::from_tensor(-offset));
}
