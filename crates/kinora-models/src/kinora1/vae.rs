//! The video compression network: a causal 3-D autoencoder, 16x in space and 4x in time, channels last.
//!
//! Blocks are ConvNeXt's (arXiv:2201.03545) with a depthwise convolution that sees the present and two past
//! positions in time (causal as in MAGVIT-v2, arXiv:2310.05737). The first frame is a latent frame of its own, so an
//! image is a one-frame clip. What a convolution needs of the past is kept in a [`VaeCache`], and the whole-clip pass
//! is the chunked pass with one chunk, so the two are equal by construction.

use super::config::{StageConfig, VaeConfig};
use super::{SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION};
use burn::module::Module;
use burn::tensor::Tensor;
use kinora_nn::{DepthwiseConv3d, Init, LayerNorm, Linear, gelu};

/// Pixels of a patch side at the first stage; the second halves the resolution again.
const PATCH: usize = SPATIAL_COMPRESSION / 2;
const IMAGE_PATCH: usize = PATCH * PATCH * 3;
const VIDEO_PATCH: usize = TEMPORAL_COMPRESSION * IMAGE_PATCH;
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

impl VaeCache {
    /// Whether a chunk has passed, so that the next one does not begin with the clip's first frame.
    fn started(&self) -> bool {
        !self.slots.is_empty()
    }
}

impl Vae {
    /// Fresh weights from the initialiser's seed.
    pub fn new(config: &VaeConfig, init: &mut Init) -> Self {
        Self {
            encoder: Encoder::new(&config.encoder, config.latent_channels, init),
            decoder: Decoder::new(&config.decoder, config.latent_channels, init),
        }
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
    embed_image: Linear,
    embed_video: Linear,
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
            embed_image: Linear::new(IMAGE_PATCH, fine, init),
            embed_video: Linear::new(VIDEO_PATCH, fine, init),
            fine: blocks(fine, config.fine_depth, config.expansion, init),
            merge: Linear::new(4 * fine, coarse, init),
            coarse: blocks(coarse, config.coarse_depth, config.expansion, init),
            norm: LayerNorm::new(coarse, init),
            head: Linear::new(coarse, latent_channels, init),
        }
    }

    fn forward(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let mut past = Past::new(cache);
        let frames = video.dims()[1];
        let first = if past.started { 0 } else { 1 };
        let mut parts = Vec::with_capacity(2);
        if first == 1 {
            let image = space_to_channels(video.clone().narrow(1, 0, 1), PATCH, 1); // (B, 1, H/8, W/8, 192)
            parts.push(self.embed_image.forward(image));
        }
        if frames > first {
            let rest = video.narrow(1, first, frames - first);
            let rest = space_to_channels(rest, PATCH, TEMPORAL_COMPRESSION); // (B, k, H/8, W/8, 768)
            parts.push(self.embed_video.forward(rest));
        }
        let mut x = Tensor::cat(parts, 1); // (B, 1+k, H/8, W/8, F)
        for block in &self.fine {
            x = block.forward(x, &mut past);
        }
        let mut x = self.merge.forward(space_to_channels(x, 2, 1)); // (B, 1+k, H/16, W/16, D)
        for block in &self.coarse {
            x = block.forward(x, &mut past);
        }
        self.head.forward(self.norm.forward(x)) // (B, 1+k, H/16, W/16, C)
    }
}

#[derive(Module, Debug)]
struct Decoder {
    stem: Linear,
    coarse: Vec<Block>,
    split: Linear,
    fine: Vec<Block>,
    norm: LayerNorm,
    head_image: Linear,
    head_video: Linear,
}

impl Decoder {
    fn new(config: &StageConfig, latent_channels: usize, init: &mut Init) -> Self {
        let (fine, coarse) = (config.fine_width, config.coarse_width);
        Self {
            stem: Linear::new(latent_channels, coarse, init),
            coarse: blocks(coarse, config.coarse_depth, config.expansion, init),
            split: Linear::new(coarse, 4 * fine, init),
            fine: blocks(fine, config.fine_depth, config.expansion, init),
            norm: LayerNorm::new(fine, init),
            head_image: Linear::new(fine, IMAGE_PATCH, init),
            head_video: Linear::new(fine, VIDEO_PATCH, init),
        }
    }

    fn forward(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let mut past = Past::new(cache);
        let first = if past.started { 0 } else { 1 };
        let mut x = self.stem.forward(latent); // (B, 1+k, h, w, D)
        for block in &self.coarse {
            x = block.forward(x, &mut past);
        }
        let mut x = channels_to_space(self.split.forward(x), 2, 1); // (B, 1+k, 2h, 2w, F)
        for block in &self.fine {
            x = block.forward(x, &mut past);
        }
        let x = self.norm.forward(x);
        let frames = x.dims()[1];
        let mut parts = Vec::with_capacity(2);
        if first == 1 {
            let image = self.head_image.forward(x.clone().narrow(1, 0, 1));
            parts.push(channels_to_space(image, PATCH, 1)); // (B, 1, 16h, 16w, 3)
        }
        if frames > first {
            let rest = self.head_video.forward(x.narrow(1, first, frames - first));
            parts.push(channels_to_space(rest, PATCH, TEMPORAL_COMPRESSION)); // (B, 4k, 16h, 16w, 3)
        }
        Tensor::cat(parts, 1)
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
        let started = cache.started();
        Self { cache, started, next: 0 }
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

/// Folds `time` frames of `side` x `side` positions into channels: `[B, T t, H s, W s, C]` to `[B, T, H, W, t s s C]`.
fn space_to_channels(x: Tensor<5>, side: usize, time: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let (t, h, w) = (t / time, h / side, w / side);
    x.reshape([b, t, time, h, side, w, side, c])
        .permute([0, 1, 3, 5, 2, 4, 6, 7])
        .reshape([b, t, h, w, time * side * side * c])
}

/// The inverse of [`space_to_channels`].
fn channels_to_space(x: Tensor<5>, side: usize, time: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let c = c / (time * side * side);
    x.reshape([b, t, h, w, time, side, side, c])
        .permute([0, 1, 4, 2, 5, 3, 6, 7])
        .reshape([b, t * time, h * side, w * side, c])
}
