//! The video compression network: a causal 3-D autoencoder, 16x in space and 4x in time, channels last.
//!
//! The code itself is linear: the principal components of patches of 4 frames and 16 x 16 pixels. The first frame is
//! coded as four equal frames and decoded as their mean, so an image is a one-frame clip and a still scene has the same
//! latent at all times. The decoder then refines the linear picture: its errors, borders of patches and blurred edges,
//! are a local function of that picture, so a network of ConvNeXt blocks (arXiv:2201.03545) on small patches of it
//! finds what to add (compare the deblocking of arXiv:1608.03981). Its depthwise convolutions see the present and two
//! past positions in time (causal as in MAGVIT-v2, arXiv:2310.05737). What a convolution needs of the past is kept in a
//! [`VaeCache`], and the whole-clip pass is the chunked pass with one chunk, so the two are equal by construction.

use super::cells::Cells;
use super::config::{DecoderConfig, LatentStats, VaeConfig};
use super::smooth::Smoother;
use super::{SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use kinora_nn::{DepthwiseConv3d, Init, LayerNorm, Linear, Precision, gelu};

/// Pixels of a side of the patches that the refiner works on; they are as long as a coded patch.
const FINE_SIDE: usize = 2;
/// Those patches along a side of a coded patch.
const FINE: usize = SPATIAL_COMPRESSION / FINE_SIDE;
/// About how far the linear picture is off, the unit of what the refiner adds: steps of the optimiser must be small
/// beside it.
const ERROR: f32 = 0.06;
/// The convolutions' extent in time, height and width.
const KERNEL: [usize; 3] = [3, 3, 3];

/// The autoencoder. Pixels are -1 to 1.
#[derive(Module, Debug)]
pub struct Vae {
    /// Latent to patch. The way to the latent is its transpose, for the code's axes are orthogonal.
    decode: Linear,
    /// The linear decoding to what it misses.
    refiner: Refiner,
    /// Painted latents to likelier ones.
    smoother: Smoother,
}

/// What the chunked passes remember of the past.
#[derive(Clone, Debug, Default)]
pub struct VaeCache {
    /// Whether the clip's first frame has passed.
    started: bool,
    /// For each convolution, the last two positions in time.
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
    /// Values of a coded patch.
    pub const PATCH: usize = TEMPORAL_COMPRESSION * SPATIAL_COMPRESSION * SPATIAL_COMPRESSION * 3;
    /// Values of a patch that the refiner works on.
    pub const FINE_PATCH: usize = TEMPORAL_COMPRESSION * FINE_SIDE * FINE_SIDE * 3;
    /// What the names of the code's weights begin with.
    pub const CODE: &str = "decode.";

    /// Fresh weights from the initialiser's seed; the refiner adds nothing yet. The code is always in full precision.
    pub fn new(config: &VaeConfig, init: &mut Init) -> Self {
        let decode = Linear::new(config.latent_channels, Self::PATCH, init);
        Self {
            decode: decode.with_precision(Precision::F32),
            refiner: Refiner::new(&config.decoder, init),
            smoother: Smoother::new(config.latent_channels, init),
        }
    }

    /// Sets the linear code.
    ///
    /// # Panics
    /// If the code's sizes are not those of a patch and of the latent.
    pub fn with_code(mut self, code: &LinearCode) -> Self {
        let device = self.decode.weight.device();
        let [patch, channels] = self.decode.weight.dims();
        let components = TensorData::new(code.components.clone(), [channels, patch]);
        let components = Tensor::<2>::from_data(components, &device);
        let mean = Tensor::<1>::from_data(TensorData::new(code.mean.clone(), [patch]), &device);
        let back = components.transpose() / (code.scale * code.scale);
        self.decode = Linear::of(back, mean, Precision::F32);
        self
    }

    /// Patch to latent: the code's components `[C, P]`, and the latent of the mean patch turned round, `[C]`.
    fn encoder(&self) -> Linear {
        let code = self.decode.clone().no_grad();
        let back = code.weight.val(); // (P, C)
        let components = (back.clone() / back.square().sum_dim(0)).transpose(); // (C, P)
        let mean = code.bias.expect("the code has a mean patch").val();
        let offset = (components.clone() * mean.unsqueeze::<2>()).sum_dim(1);
        Linear::of(components, -offset.squeeze_dim::<1>(1), Precision::F32)
    }

    /// Puts `whitening` `[p, p]`, row-major, and `bias` `[p]` before the refiner's stem, so that all it sees of a small
    /// patch of `p` values is of one scale at first.
    ///
    /// # Panics
    /// If the sizes are not those of a small patch.
    pub fn with_whitening(mut self, whitening: Vec<f32>, bias: Vec<f32>) -> Self {
        let stem = &self.refiner.stem;
        let (device, patch) = (stem.weight.device(), Self::FINE_PATCH);
        let whitening = Tensor::<2>::from_data(TensorData::new(whitening, [patch, patch]), &device);
        let bias = Tensor::<2>::from_data(TensorData::new(bias, [patch, 1]), &device);
        let mixing = stem.weight.val();
        let weight = mixing.clone().matmul(whitening).detach();
        let bias = mixing.matmul(bias).squeeze_dim::<1>(1).detach();
        self.refiner.stem = Linear::of(weight, bias, stem.precision);
        self
    }

    /// Sets the estimate of latents from painted ones: a weight `[C, Smoother::inputs]`, row-major, and a bias `[C]`.
    ///
    /// # Panics
    /// If the sizes are others.
    pub fn with_smoother(mut self, weight: Vec<f32>, bias: Vec<f32>) -> Self {
        self.smoother = self.smoother.with(weight, bias);
        self
    }

    /// The likeliest latents behind painted ones, `[B, T, h, w, C]`; see [`Smoother`].
    pub fn smooth(&self, latent: Tensor<5>) -> Tensor<5> {
        self.smoother.forward(latent)
    }

    /// How latents, normalised as in `stats`, show in the cells of the picture, on their device.
    pub fn cells(&self, stats: &LatentStats, device: &Device) -> Cells {
        let std = Tensor::<1>::from_floats(stats.std.as_slice(), device).unsqueeze_dim::<2>(1);
        let [decode, encode] = [&self.decode, &self.encoder()]
            .map(|code| Tensor::from_data(code.weight.val().into_data(), device));
        Cells::new(decode, encode, std)
    }

    /// Patches of a clip as the refiner sees them, `[N, p]`.
    pub fn fine_patches(video: Tensor<5>) -> Tensor<2> {
        space_to_channels(repeat_first(video), FINE_SIDE, TEMPORAL_COMPRESSION).flatten(0, 3)
    }

    /// Patches of a clip as the linear code sees them, `[N, P]`.
    pub fn patches(video: Tensor<5>) -> Tensor<2> {
        space_to_channels(
            repeat_first(video),
            SPATIAL_COMPRESSION,
            TEMPORAL_COMPRESSION,
        )
        .flatten(0, 3)
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
        let video = match std::mem::replace(&mut cache.started, true) {
            true => video,
            false => repeat_first(video),
        }; // (B, 4+4k, H, W, 3)
        let patches = space_to_channels(video, SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION); // (B, 1+k, H/16, W/16, P)
        self.encoder().forward(patches) // (B, 1+k, H/16, W/16, C)
    }

    /// The next latent frames of a video: any number, at least one.
    pub fn decode_chunk(&self, latent: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let patches = self.decode.clone().no_grad().forward(latent); // (B, 1+k, h, w, P)
        let linear = channels_to_space(patches, SPATIAL_COMPRESSION, TEMPORAL_COMPRESSION); // (B, 4+4k, 16h, 16w, 3)
        let video = linear.clone() + self.refiner.forward(linear, cache);
        match std::mem::replace(&mut cache.started, true) {
            true => video,
            false => average_first(video), // (B, 1+4k, 16h, 16w, 3)
        }
    }
}

#[derive(Module, Debug)]
struct Refiner {
    stem: Linear,
    /// `[F, F, D]`, added by where a small patch lies in its coded patch: at a border or inside.
    place: Param<Tensor<3>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Refiner {
    fn new(config: &DecoderConfig, init: &mut Init) -> Self {
        let (width, expansion) = (config.width, config.expansion);
        let block = |init: &mut Init| Block {
            conv: DepthwiseConv3d::new(width, KERNEL, init),
            norm: LayerNorm::new(width, init),
            up: Linear::new(width, expansion * width, init),
            down: Linear::new(expansion * width, width, init),
        };
        Self {
            stem: Linear::new(Vae::FINE_PATCH, width, init),
            place: init.normal([FINE, FINE, width], 0.1),
            blocks: (0..config.depth).map(|_| block(init)).collect(),
            norm: LayerNorm::new(width, init),
            head: Linear::zeros(width, Vae::FINE_PATCH, init),
        }
    }

    /// Video `[B, 4T, 16h, 16w, 3]` to what is to be added to it.
    fn forward(&self, video: Tensor<5>, cache: &mut VaeCache) -> Tensor<5> {
        let mut past = Past::new(cache);
        let patches = space_to_channels(video, FINE_SIDE, TEMPORAL_COMPRESSION); // (B, T, 8h, 8w, p)
        let mut x = self.placed(self.stem.forward(patches)); // (B, T, 8h, 8w, D)
        for block in &self.blocks {
            x = block.forward(x, &mut past);
        }
        let patches = self.head.forward(self.norm.forward(x)) * ERROR; // (B, T, 8h, 8w, p)
        channels_to_space(patches, FINE_SIDE, TEMPORAL_COMPRESSION) // (B, 4T, 16h, 16w, 3)
    }

    /// Adds to each small patch of `x` `[B, T, 8h, 8w, D]` its place in the coded patch.
    fn placed(&self, x: Tensor<5>) -> Tensor<5> {
        let [b, t, h, w, d] = x.dims();
        let place = self.place.val().reshape([1, FINE, 1, FINE * d]);
        let x = x.reshape([b * t * h / FINE, FINE, w / FINE, FINE * d]);
        (x + place).reshape([b, t, h, w, d])
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

/// Walks the cache's slots in the order of the convolutions.
struct Past<'a> {
    slots: &'a mut Vec<Tensor<5>>,
    started: bool,
    next: usize,
}

impl<'a> Past<'a> {
    fn new(cache: &'a mut VaeCache) -> Self {
        Self {
            slots: &mut cache.slots,
            started: cache.started,
            next: 0,
        }
    }

    /// Puts what the convolution saw last before `x` (`[B, T, H, W, C]`), zeros at the clip's start, and remembers
    /// the end of `x` for the next chunk.
    fn prepend(&mut self, x: Tensor<5>) -> Tensor<5> {
        let context = KERNEL[0] - 1;
        let [b, _, h, w, c] = x.dims();
        let before = match self.started {
            true => self.slots[self.next].clone(),
            false => Tensor::zeros([b, context, h, w, c], &x.device()),
        };
        let x = Tensor::cat(vec![before, x], 1); // (B, 2+T, H, W, C)
        let kept = x.clone().narrow(1, x.dims()[1] - context, context);
        match self.started {
            true => self.slots[self.next] = kept,
            false => self.slots.push(kept),
        }
        self.next += 1;
        x
    }
}

/// A clip with its first frame four times: `[B, 1+4k, ...]` to `[B, 4+4k, ...]`.
fn repeat_first(video: Tensor<5>) -> Tensor<5> {
    let first = video.clone().narrow(1, 0, 1);
    Tensor::cat(
        vec![first.repeat_dim(1, TEMPORAL_COMPRESSION - 1), video],
        1,
    )
}

/// The way back: the first four frames become their mean.
fn average_first(video: Tensor<5>) -> Tensor<5> {
    let frames = video.dims()[1];
    let first = video.clone().narrow(1, 0, TEMPORAL_COMPRESSION).mean_dim(1);
    if frames == TEMPORAL_COMPRESSION {
        return first;
    }
    let rest = video.narrow(1, TEMPORAL_COMPRESSION, frames - TEMPORAL_COMPRESSION);
    Tensor::cat(vec![first, rest], 1)
}

/// Folds `time` frames of `side` x `side` positions into channels: `[B, T t, H s, W s, C]` to `[B, T, H, W, t s s C]`.
pub(super) fn space_to_channels(x: Tensor<5>, side: usize, time: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let (t, h, w) = (t / time, h / side, w / side);
    x.reshape([b, t, time, h, side, w, side, c])
        .permute([0, 1, 3, 5, 2, 4, 6, 7])
        .reshape([b, t, h, w, time * side * side * c])
}

/// The inverse of [`space_to_channels`].
pub(super) fn channels_to_space(x: Tensor<5>, side: usize, time: usize) -> Tensor<5> {
    let [b, t, h, w, c] = x.dims();
    let c = c / (time * side * side);
    x.reshape([b, t, h, w, time, side, side, c])
        .permute([0, 1, 4, 2, 5, 3, 6, 7])
        .reshape([b, t * time, h * side, w * side, c])
}
